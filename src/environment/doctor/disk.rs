//! Room left on the disks that Comfrey and ComfyUI write to.

use std::path::{Path, PathBuf};

use crate::platform::file_system;

use super::super::Workspace;
use super::super::environment::Environment;
use super::finding::{Check, Finding, Severity};

/// Below this a commit or an installation is likely to fail.
const LITTLE: u64 = 1 << 30;
/// Torch alone takes several of these.
const SCARCE: u64 = 10 << 30;

/// Looks at the disks of the workspace, of ComfyUI, and of temporary files.
pub fn look(workspace: &Workspace, environment: &Environment) -> Vec<Finding> {
    let places = [
        ("the workspace", workspace.root().to_owned()),
        ("ComfyUI", environment.comfyui()),
        ("temporary files", std::env::temp_dir()),
    ];
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for (what, folder) in places {
        let Ok(disk) = file_system::of(&folder) else { continue };
        if !seen.contains(&disk) {
            seen.push(disk);
            found.extend(room(what, &folder, file_system::free_bytes(&folder).ok()));
        }
    }
    found
}

fn room(what: &str, folder: &Path, free: Option<u64>) -> Option<Finding> {
    let free = free?;
    let severity = match free {
        free if free < LITTLE => Severity::Error,
        free if free < SCARCE => Severity::Warning,
        _ => return None,
    };
    let message = format!("the disk of {what} is nearly full");
    let evidence = format!("{}: {:.1} GB free", PathBuf::from(folder).display(), free as f64 / 1e9);
    Some(
        Finding::new(Check::Disk, severity, message)
            .evidence(evidence)
            .advice("`comfrey gc` deletes what no version needs; `comfrey models duplicates` shows models that are there twice")
            .command("comfrey gc --dry-run"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_with_room_is_no_finding() {
        let folder = Path::new("/w");
        assert!(room("it", folder, Some(100 << 30)).is_none() && room("it", folder, None).is_none());
        assert_eq!(room("it", folder, Some(2 << 30)).unwrap().severity, Severity::Warning);
        assert_eq!(room("it", folder, Some(0)).unwrap().severity, Severity::Error);
    }
}
