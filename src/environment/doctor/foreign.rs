//! Commands for an environment whose Python is someone else's: Comfrey never changes it, so its own pip is named.

use std::path::Path;

use super::super::environment::{Environment, Interpreter};
use super::finding::Finding;

/// Puts the commands that only work on a Python of Comfrey's in other words, where the environment has another.
pub fn translate(findings: &mut [Finding], environment: &Environment) {
    let Interpreter::Foreign(python) = environment.interpreter() else { return };
    for finding in findings {
        if let Some(command) = finding.command.take() {
            finding.command = Some(translated(&command, &python, &environment.comfyui()).unwrap_or(command));
        }
    }
}

fn translated(command: &str, python: &Path, comfyui: &Path) -> Option<String> {
    let pip = |words: &str| Some(format!("{} -m pip {words}", quoted(python)));
    let words = command.strip_prefix("comfrey ")?;
    match words.split_once(' ').unwrap_or((words, "")) {
        ("sync", _) => pip(&format!("install -r {}", quoted(&comfyui.join("requirements.txt")))),
        ("py", "list") => pip("list"),
        ("py", rest) => match rest.split_once(' ')? {
            ("add", package) => pip(&format!("install {package}")),
            ("remove", package) => pip(&format!("uninstall {package}")),
            _ => None,
        },
        ("constraint", rest) => pip(&format!("install {}", rest.strip_prefix("add ")?)),
        _ => None,
    }
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.contains(char::is_whitespace) { format!("\"{text}\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comfrey_does_with_its_own_python_pip_does_with_another() {
        let said = |command| translated(command, Path::new("/p q/python"), Path::new("/c"));
        for (command, expected) in [
            ("comfrey py add opencv-python", "install opencv-python"),
            ("comfrey py remove xformers", "uninstall xformers"),
            ("comfrey py list", "list"),
            ("comfrey constraint add \"numpy<2\"", "install \"numpy<2\""),
        ] {
            assert_eq!(said(command), Some(format!("\"/p q/python\" -m pip {expected}")));
        }
        assert!(said("comfrey sync -E demo").unwrap().contains("install -r "));
        assert_eq!(said("comfrey node repair a"), None);
        assert_eq!(said("comfrey run -- --cpu"), None);
    }
}
