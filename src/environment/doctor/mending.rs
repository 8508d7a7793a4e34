//! What can be mended without asking: nothing of a user's is touched.

use super::super::Workspace;
use super::super::environment::{Environment, EnvironmentError};
use super::super::launch::{port, running};
use super::finding::{Finding, Mend};

/// Mends it; says what was done, or nothing where it is no longer needed.
pub fn mend(
    finding: &Finding,
    workspace: &Workspace,
    environment: &mut Environment,
) -> Result<Option<String>, EnvironmentError> {
    match finding.mend {
        None => Ok(None),
        Some(Mend::SweepRecord) => {
            let swept = running::sweep(environment.folder());
            Ok(swept.then(|| "the record of that run was taken away".to_owned()))
        }
        Some(Mend::GivePort) => {
            let Ok(port) = port::choose(&port::of_others(workspace, environment)) else { return Ok(None) };
            environment.give_port(port)?;
            Ok(Some(format!("{} has port {port} now", environment.name())))
        }
    }
}
