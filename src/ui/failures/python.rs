//! Failures of resolving and installing Python packages.

use std::path::Path;

use crate::environment::python::conflict::Who;
use crate::environment::python::packages::PackagesError;
use crate::environment::python::{Complaint, Conflict, PythonError, TrialError, torch::NoBackend};
use crate::ui::{Exit, Failure};

const HOW_TO_INSTALL: &str = "install it as https://docs.astral.sh/uv says, for instance `python3 -m pip install uv`, \
    or name the one that you have: COMFREY_UV=/path/to/uv";

impl From<PythonError> for Failure {
    fn from(error: PythonError) -> Self {
        let message = error.to_string();
        match error {
            PythonError::NoUv { .. } => Failure::new(Exit::Outside, message).hint(HOW_TO_INSTALL),
            PythonError::NotUv { .. } | PythonError::Unstartable { .. } => {
                Failure::new(Exit::Outside, message).hint(HOW_TO_INSTALL)
            }
            PythonError::Conflict(conflict) => Failure::new(Exit::Conflict, message).hint(ways_out(&conflict)),
            PythonError::Failed { lines, log, .. } => {
                Failure::new(Exit::Outside, message).hint(after(Complaint::of(&lines), log.as_deref()))
            }
            PythonError::Io { path, source } => Failure::io(path.display(), &source),
            PythonError::Store(error) => error.into(),
            PythonError::Interrupted => Failure::new(Exit::Interrupted, message),
        }
    }
}

/// What to do after uv failed.
fn after(complaint: Option<Complaint>, log: Option<&Path>) -> String {
    let advice = match complaint {
        Some(Complaint::Network) => {
            ". uv could not reach where packages come from: check the network, the proxy (HTTPS_PROXY) and the index \
             (UV_DEFAULT_INDEX); with UV_OFFLINE=1 it takes what is in its cache"
        }
        Some(Complaint::DiskFull) => ". Make room: `uv cache clean` empties uv's cache, `comfrey gc` the store",
        Some(Complaint::NoInterpreter) => {
            ". `uv python list` shows the Pythons of this machine, `uv python install VERSION` brings another"
        }
        None => "",
    };
    match log {
        Some(log) => format!("nothing was changed; all that uv said is in {}{advice}", log.display()),
        None => format!("nothing was changed{advice}"),
    }
}

/// Nothing was changed; what could be done instead.
fn ways_out(conflict: &Conflict) -> String {
    let nodes = conflict.nodes();
    let bounded = conflict.sides.iter().any(|side| side.who == Who::Constraint);
    let another = match nodes.as_slice() {
        _ if bounded => "give it another bound, or none: `comfrey constraint list` shows them".to_owned(),
        [] => "ask for another version".to_owned(),
        [node] => format!("take another version of {node}, or leave it out: `comfrey node disable {node}`"),
        [first, .., last] => {
            format!("take another version of {first} or of {last}, or leave one out: `comfrey node disable {last}`")
        }
    };
    let package = conflict.package.as_deref().unwrap_or("PACKAGE");
    format!(
        "nothing was changed; {another}. If you know which {package} works, say so in the manifest: \
         [tool.uv] override-dependencies = [\"{package}==VERSION\"]"
    )
}

impl From<TrialError> for Failure {
    fn from(error: TrialError) -> Self {
        let message = error.to_string();
        match error {
            TrialError::Python(error) => error.into(),
            TrialError::Transaction(error) => error.into(),
            TrialError::Differs(_) => Failure::new(Exit::Damaged, message)
                .hint("everything was put back; what uv said is in the environment's logs/uv.log"),
        }
    }
}

impl From<PackagesError> for Failure {
    fn from(error: PackagesError) -> Self {
        let message = error.to_string();
        const OWN: &str =
            "`comfrey sync --own-python` makes one for this environment, beside it, and lets ComfyUI run with it";
        match error {
            PackagesError::Python(error) => error.into(),
            PackagesError::Trial(error) => error.into(),
            PackagesError::Transaction(error) => error.into(),
            PackagesError::Rollback(error) => (*error).into(),
            PackagesError::Store(error) => error.into(),
            PackagesError::Foreign(_) | PackagesError::NoPython => Failure::new(Exit::Conflict, message).hint(OWN),
            PackagesError::Facts { .. } => Failure::new(Exit::Usage, message),
        }
    }
}

impl From<NoBackend> for Failure {
    fn from(error: NoBackend) -> Self {
        Failure::new(Exit::Usage, error.to_string())
            .hint("auto, cpu, cu128, rocm6.4 and so on, as `uv pip install --help` lists them, or none")
    }
}
