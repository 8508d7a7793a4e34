//! How ComfyUI-Manager asks whoever started ComfyUI for a restart.
//!
//! It writes an empty file at the path that the variable names, with `.reboot` behind it, and ends with 0. Without the variable it
//! would replace itself by a new program, which on Windows is another process that nobody watches. Source: ComfyUI-Manager's
//! `/manager/reboot`, and comfy-cli's `launch`, which began this.

use std::path::{Path, PathBuf};

/// Names the path, without `.reboot`.
pub const VARIABLE: &str = "__COMFY_CLI_SESSION__";

/// The path for an environment.
pub fn session(environment: &Path) -> PathBuf {
    environment.join("session")
}

/// True when a restart was asked for; the wish is taken as read.
pub fn take_request(session: &Path) -> bool {
    let mut path = session.as_os_str().to_owned();
    path.push(".reboot");
    std::fs::remove_file(PathBuf::from(path)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let session = session(dir.path());
        assert!(!take_request(&session));
        std::fs::write(dir.path().join("session.reboot"), "").unwrap();
        assert!(take_request(&session));
        assert!(!take_request(&session));
    }
}
