//! All checks, one after the other. Nothing is changed, and no network is used.

use crate::models::ModelRoot;
use crate::observer::Observer;

use super::super::environment::Environment;
use super::super::head::Head;
use super::super::python::installed;
use super::super::state::Surroundings;
use super::super::status;
use super::super::workspace::STORE_FOLDER;
use super::super::{Workspace, layout::Kind};
use super::finding::{Check, Finding, Severity};
use super::{disk, foreign, interpreter, links, packages, ports, references, start_log, tools, torch, upkeep};

/// What is examined.
pub struct Examination<'a> {
    pub workspace: &'a Workspace,
    pub environment: &'a Environment,
    pub models: &'a [ModelRoot],
    /// What is wrong with the files that name model folders.
    pub model_problems: &'a [String],
    pub around: Surroundings<'a>,
    /// Milliseconds since 1970.
    pub now: i64,
    pub observer: &'a dyn Observer,
}

/// Everything that is found, the worst first; among equals in the order of the checks.
pub fn examine(what: &Examination<'_>) -> Vec<Finding> {
    let mut found = comfyui(what.environment);
    let is_present = found.is_empty();
    found.extend(tools::look(&what.workspace.root().join(STORE_FOLDER)));
    let interpreter = interpreter::look(what.environment);
    found.extend(interpreter.findings);
    if let Some(site) = &interpreter.packages {
        // A folder that cannot be read holds nothing that a program could import.
        let installed = installed::in_folder(site).unwrap_or_default();
        found.extend(torch::look(what.environment, &installed, &crate::platform::accelerator::here()));
    }
    found.extend(packages::look(what.environment));
    found.extend(disk::look(what.workspace, what.environment));
    found.extend(ports::look(what.workspace, what.environment));
    found.extend(links::look(what.environment, what.models, what.model_problems));
    found.extend(start_log::look(what.environment));
    if is_present {
        let status = Head::of(what.around.store, what.environment.name().as_str())
            .map_err(|error| error.to_string())
            .and_then(|head| status::status(&what.around, &head).map_err(|error| error.to_string()));
        match status {
            Ok(status) => found.extend(references::look(&status)),
            Err(reason) => found.push(
                Finding::new(Check::Models, Severity::Error, "what workflows use could not be looked up")
                    .evidence(reason)
                    .command("comfrey status"),
            ),
        }
    }
    found.extend(upkeep::look(what.workspace, what.environment, what.now, what.observer));
    foreign::translate(&mut found, what.environment);
    found.sort_by_key(|finding| (finding.severity, finding.check));
    found
}

/// ComfyUI itself.
fn comfyui(environment: &Environment) -> Vec<Finding> {
    let folder = environment.comfyui();
    if !environment.is_present() {
        return vec![
            Finding::new(Check::Comfyui, Severity::Error, "ComfyUI's folder is gone")
                .evidence(folder.display().to_string())
                .advice("bring it back, plug in its disk, or correct `comfyui` in the environment's environment.toml"),
        ];
    }
    if environment.facts().kind != Kind::Desktop && !folder.join("main.py").is_file() {
        return vec![
            Finding::new(Check::Comfyui, Severity::Error, "ComfyUI's main.py is not there")
                .evidence(folder.join("main.py").display().to_string())
                .advice("its files may not have been fetched whole; fetch them again"),
        ];
    }
    Vec::new()
}
