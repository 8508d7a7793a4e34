//! uv and git.

use std::path::Path;
use std::process::{Command, Stdio};

use super::super::python::find::{self, Search};
use super::finding::{Check, Finding, Severity};

/// Looks whether they are there and run. `store` is the workspace's `.comfrey`.
pub fn look(store: &Path) -> Vec<Finding> {
    uv(store).into_iter().chain(git()).collect()
}

fn uv(store: &Path) -> Option<Finding> {
    let named = std::env::var_os(find::VARIABLE).map(std::path::PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let advice = "`comfrey sync` puts one into the workspace with the machine's pip; https://docs.astral.sh/uv says how to install it";
    match find::find(&Search { store, named: named.as_deref(), path: &path }) {
        Ok(Some(program)) => match version(&program) {
            Ok(_) => None,
            Err(reason) => Some(
                Finding::new(Check::Uv, Severity::Error, "uv is there and does not run")
                    .evidence(format!("{}: {reason}", program.display()))
                    .advice(advice),
            ),
        },
        Ok(None) => {
            let message = "uv is not there; Python packages cannot be installed without it";
            Some(Finding::new(Check::Uv, Severity::Warning, message).advice(advice))
        }
        Err(error) => Some(
            Finding::new(Check::Uv, Severity::Error, "the uv that COMFREY_UV names is not there")
                .evidence(error.to_string())
                .advice("correct the variable, or leave it out"),
        ),
    }
}

fn git() -> Option<Finding> {
    let reason = version(Path::new("git")).err()?;
    let message = "git is not there; what lies in git repositories cannot be fetched without it";
    Some(
        Finding::new(Check::Git, Severity::Warning, message)
            .evidence(format!("git: {reason}"))
            .advice("https://git-scm.com says how to install it"),
    )
}

/// The first line of what `PROGRAM --version` says.
pub(super) fn version(program: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().trim().to_owned();
    match output.status.success() {
        // Some say it on the other output.
        true if output.stdout.is_empty() => Ok(text(&output.stderr)),
        true => Ok(text(&output.stdout)),
        false => Err(format!("{} {}", output.status, text(&output.stderr))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_no_version() {
        let dir = tempfile::tempdir().unwrap();
        assert!(version(&dir.path().join("uv")).is_err());
    }
}
