//! A port of its own for each environment, so that several can run at once.

use crate::environment::workspace::{Workspace, WorkspaceError};

/// Where ComfyUI listens when nobody says otherwise.
pub const FIRST: u16 = 8188;

/// The lowest port from [`FIRST`] on that no environment has.
///
/// # Errors
/// The list of environments cannot be read. One whose facts cannot be read has no port.
pub fn free(workspace: &Workspace) -> Result<u16, WorkspaceError> {
    let mut taken = Vec::new();
    for name in workspace.environment_names()? {
        taken.extend(workspace.environment(name.as_str()).ok().and_then(|environment| environment.facts().port));
    }
    Ok((FIRST..u16::MAX).find(|port| !taken.contains(port)).unwrap_or(FIRST))
}
