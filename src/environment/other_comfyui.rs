//! Another ComfyUI than a version had: of an environment whose program is its user's, this can be told, and not changed.

use crate::object::ObjectId;
use crate::worktree::Trees;

use super::draft::comfyui_facts;
use super::layout::Kind;
use super::manifest::ComfyUiFacts;
use super::rollback::{RollbackError, manifest_in};
use super::state::Surroundings;

/// ComfyUI as it is and as a version had it, where the two differ and it is not ours to change: the program of an adopted environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    pub now: ComfyUiFacts,
    pub then: ComfyUiFacts,
}

/// Which other ComfyUI the version with this root tree had.
pub fn other(around: &Surroundings<'_>, tree: &ObjectId) -> Result<Option<Other>, RollbackError> {
    if around.environment.facts().kind == Kind::Created {
        return Ok(None);
    }
    let manifest = manifest_in(around, &around.store.tree(tree)?)?;
    let Some(then) = manifest.comfyui() else { return Ok(None) };
    let now = comfyui_facts(around, &manifest);
    let differs = match (&then.commit, &now.commit) {
        (Some(then), Some(now)) => then != now,
        _ => then.version.is_some() && then.version != now.version,
    };
    Ok(differs.then_some(Other { now, then }))
}
