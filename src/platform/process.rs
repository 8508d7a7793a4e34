//! Programs that run on this machine.

use std::path::Path;

/// The process id of a Python that runs the `main.py` of `comfyui`; nothing where none does, or where the system does not tell.
pub fn running_comfyui(comfyui: &Path) -> Option<u32> {
    #[cfg(target_os = "linux")]
    return linux::running(&std::fs::canonicalize(comfyui).ok()?);
    #[cfg(not(target_os = "linux"))]
    {
        // Windows refuses to rename what a program has open, which ends the transaction with everything put back.
        let _ = comfyui;
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Path, PathBuf};

    pub fn running(comfyui: &Path) -> Option<u32> {
        let processes = std::fs::read_dir("/proc").ok()?;
        let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter(|number| *number != std::process::id()).find(|number| runs(*number, comfyui))
    }

    fn runs(process: u32, comfyui: &Path) -> bool {
        let folder = PathBuf::from(format!("/proc/{process}"));
        // Other users' processes cannot be looked into; they would not be able to write here either.
        let Ok(line) = std::fs::read(folder.join("cmdline")) else { return false };
        let mut words = line.split(|byte| *byte == 0).map(|word| Path::new(OsStr::from_bytes(word)));
        let python = words.next().and_then(Path::file_name).is_some_and(|name| name.as_bytes().starts_with(b"python"));
        let Some(script) = words.find(|word| word.file_name() == Some(OsStr::new("main.py"))) else { return false };
        let Ok(cwd) = std::fs::read_link(folder.join("cwd")) else { return false };
        let script = cwd.join(script);
        let above = script.parent().and_then(|above| std::fs::canonicalize(above).ok());
        python && above.is_some_and(|above| above == comfyui)
    }

    // Not on Windows: a ComfyUI that others started is not looked for there; what it has open cannot be replaced.
    // Instead: `a_node_whose_folder_is_open_in_another_program_stays_as_it_is`, and the record of those that Comfrey started.
    #[cfg(test)]
    mod tests {
        use super::super::running_comfyui;

        #[test]
        fn a_python_that_runs_the_main_of_this_folder_is_found_until_it_ends() {
            let dir = tempfile::tempdir().unwrap();
            let other = tempfile::tempdir().unwrap();
            // Any program with that name and these words looks the same from outside.
            // It starts no other, which for a moment would look the same, too.
            std::fs::write(dir.path().join("main.py"), "read end").unwrap();
            let python = dir.path().join("python3");
            std::os::unix::fs::symlink("/bin/sh", &python).unwrap();
            let mut command = std::process::Command::new(&python);
            command.arg("main.py").current_dir(dir.path()).stdin(std::process::Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut found = None;
            for _ in 0..100 {
                found = running_comfyui(dir.path());
                if found.is_some() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            assert_eq!(found, Some(child.id()));
            assert_eq!(running_comfyui(other.path()), None);
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(running_comfyui(dir.path()), None);
        }
    }
}
