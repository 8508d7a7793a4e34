//! The environment's Python.

use std::path::{Path, PathBuf};

use super::super::environment::{Environment, Interpreter};
use super::super::layout::Kind;
use super::super::python::{Venv, installed};
use super::finding::{Check, Finding, Severity};
use super::tools::version;

/// ComfyUI warns below this.
const OLDEST: (u32, u32) = (3, 10);

/// What was found.
pub struct Looked {
    pub findings: Vec<Finding>,
    /// The folder of its packages, where that is known.
    pub packages: Option<PathBuf>,
}

/// Looks whether it is there, runs, and is new enough.
pub fn look(environment: &Environment) -> Looked {
    let name = environment.name();
    let (python, is_ours) = match environment.interpreter() {
        Interpreter::Own(venv) => (venv.python(), true),
        Interpreter::Foreign(python) => (python, false),
        // The desktop app has its own.
        Interpreter::Unknown if environment.facts().kind == Kind::Desktop => {
            return Looked { findings: Vec::new(), packages: None };
        }
        Interpreter::Unknown => {
            let finding = Finding::new(Check::Python, Severity::Error, "no Python is known that runs this ComfyUI")
                .advice("or name one in the environment's environment.toml: python = \"PATH\"")
                .command(format!("comfrey sync -E {name}"));
            return Looked { findings: vec![finding], packages: None };
        }
    };
    let said = match version(&python) {
        Ok(said) => said,
        Err(reason) => {
            let finding = Finding::new(Check::Python, Severity::Error, "the environment's Python does not run")
                .evidence(format!("{}: {reason}", python.display()));
            let finding = match is_ours {
                true => finding.command(format!("comfrey sync -E {name}")),
                false => finding.advice("correct `python` in the environment's environment.toml"),
            };
            return Looked { findings: vec![finding], packages: site_packages(&python) };
        }
    };
    let mut findings = Vec::new();
    if numbers(&said).is_some_and(|found| found < OLDEST) {
        let (major, minor) = OLDEST;
        findings.push(
            Finding::new(Check::Python, Severity::Warning, format!("ComfyUI wants Python {major}.{minor} or newer"))
                .evidence(format!("{}: {said}", python.display())),
        );
    }
    Looked { findings, packages: site_packages(&python) }
}

/// `Python 3.11.7` as numbers.
fn numbers(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.strip_prefix("Python ")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Where the packages of a Python of a virtual environment, or of the portable folder, lie.
fn site_packages(python: &Path) -> Option<PathBuf> {
    let programs = python.parent()?;
    match programs.parent().filter(|folder| folder.join("pyvenv.cfg").is_file()) {
        Some(venv) => installed::site_packages(&Venv::at(venv)),
        // The portable Python has its program beside its library; a system's Python has more places than can be told from here.
        None => Some(programs.join("Lib").join("site-packages")).filter(|path| path.is_dir()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_lie_where_a_virtual_environment_or_the_portable_folder_has_them() {
        let dir = tempfile::tempdir().unwrap();
        let library = if cfg!(windows) { "venv/Lib/site-packages" } else { "venv/lib/python3.11/site-packages" };
        for path in [library, "venv/bin", "windows/Lib/site-packages"] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        let packages = |python: &str| site_packages(&dir.path().join(python));
        assert_eq!(packages("venv/bin/python"), None);
        std::fs::write(dir.path().join("venv/pyvenv.cfg"), "version = 3.11.7\n").unwrap();
        assert_eq!(packages("venv/bin/python"), Some(dir.path().join(library)));
        assert_eq!(packages("windows/python.exe"), Some(dir.path().join("windows/Lib/site-packages")));
        assert_eq!(numbers("Python 3.11.7"), Some((3, 11)));
    }
}
