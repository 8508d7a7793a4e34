//! Whether what is installed in an environment's Python is what the lock says. What `status` says of it in a word is said here by the package.

use super::super::environment::{Environment, Interpreter};
use super::super::python::installed::Difference;
use super::super::python::lockfile::Lock;
use super::super::snapshot_tree::UV_LOCK;
use super::finding::{Check, Finding, Severity};

/// Compares with the environment's lock, where Comfrey keeps that Python.
pub fn look(environment: &Environment) -> Vec<Finding> {
    let Interpreter::Own(venv) = environment.interpreter() else { return Vec::new() };
    let path = environment.cec().join(UV_LOCK);
    let (true, Ok(text)) = (venv.is_present(), std::fs::read_to_string(&path)) else { return Vec::new() };
    let sync = format!("comfrey sync -E {}", environment.name());
    let unreadable = |reason: String| {
        let evidence = format!("{}: {reason}", path.display());
        vec![Finding::new(Check::Packages, Severity::Error, "uv.lock cannot be read").evidence(evidence).command(&sync)]
    };
    if let Err(error) = Lock::parse(&text) {
        return unreadable(error.0);
    }
    match venv.differences(&text, &environment.facts().torch) {
        Ok(differences) if differences.is_empty() => Vec::new(),
        Ok(differences) => vec![differ(&differences).command(sync)],
        Err(error) => unreadable(error.to_string()),
    }
}

fn differ(differences: &[Difference]) -> Finding {
    const SHOWN: usize = 10;
    let packages = if differences.len() == 1 { "package is" } else { "packages are" };
    let message = format!("{} {packages} not as the lock says", differences.len());
    let mut finding = Finding::new(Check::Packages, Severity::Warning, message);
    for difference in differences.iter().take(SHOWN) {
        finding = finding.evidence(difference.to_string());
    }
    if differences.len() > SHOWN {
        finding = finding.evidence(format!("and {} more", differences.len() - SHOWN));
    }
    finding
}
