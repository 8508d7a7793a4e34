//! Where ComfyUI listens.

use super::super::Workspace;
use super::super::environment::Environment;
use super::super::launch::{port, running};
use super::finding::{Check, Finding, Mend, Severity};

/// Looks whether the environment's port is its own and free.
pub fn look(workspace: &Workspace, environment: &Environment) -> Vec<Finding> {
    let Some(own) = environment.facts().port else { return Vec::new() };
    if running::of(environment).is_some() {
        return Vec::new();
    }
    if port::of_others(workspace, environment).contains(&own) {
        return vec![
            Finding::new(Check::Port, Severity::Warning, format!("another environment has port {own}, too"))
                .advice("the second to run takes the next free one")
                .command("comfrey doctor --fix")
                .mend(Mend::GivePort),
        ];
    }
    if port::is_free(own) {
        return Vec::new();
    }
    let message = format!("another program listens at port {own}, which is this environment's");
    vec![
        Finding::new(Check::Port, Severity::Note, message)
            .advice("`comfrey run` takes the next free one until it is gone")
            .command("comfrey ps"),
    ]
}
