//! Programs that run on this machine.

use std::ffi::OsString;
use std::path::Path;

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// The process id of a Python that runs the `main.py` of `comfyui`; nothing where none does, or where the system does not tell.
pub fn running_comfyui(comfyui: &Path) -> Option<u32> {
    let comfyui = std::fs::canonicalize(comfyui).ok()?;
    let mut system = System::new();
    // The words of all, and the folders of those few that may be it. Other users' processes cannot be looked into; they would not
    // be able to write here either.
    let words = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, false, words);
    let pythons = system.processes().values().filter(|process| script(process.cmd()).is_some());
    let pythons: Vec<Pid> = pythons.map(Process::pid).collect();
    let folders = ProcessRefreshKind::nothing().with_cwd(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&pythons), false, folders);
    let runs_it = |number: &&Pid| {
        let Some(process) = system.process(**number) else { return false };
        let (Some(folder), Some(script)) = (process.cwd(), script(process.cmd())) else { return false };
        let above = folder.join(script).parent().and_then(|above| std::fs::canonicalize(above).ok());
        above.as_deref() == Some(comfyui.as_path())
    };
    // On Windows the Python of a virtual environment has another below it, which ends with it.
    pythons.iter().filter(runs_it).map(|number| number.as_u32()).min()
}

/// The `main.py` in the command line of a Python, as it is written there.
fn script(words: &[OsString]) -> Option<&Path> {
    let mut words = words.iter().map(Path::new);
    let program = words.next()?.file_name()?.to_string_lossy().to_ascii_lowercase();
    let script = words.find(|word| word.file_name().is_some_and(|name| name == "main.py"))?;
    program.starts_with("python").then_some(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_with_a_main_is_told_from_other_programs() {
        let of = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            script(&words).map(Path::to_owned)
        };
        assert_eq!(of("python3 main.py --port 8188").as_deref(), Some(Path::new("main.py")));
        assert_eq!(of("/a/.venv/bin/python3.11 -s /b/main.py").as_deref(), Some(Path::new("/b/main.py")));
        assert_eq!(of("/Library/Python.app/Contents/MacOS/Python main.py").as_deref(), Some(Path::new("main.py")));
        assert_eq!(of("vim main.py"), None);
        assert_eq!(of("python3 -m http.server"), None);
        assert_eq!(of(""), None);
        #[cfg(windows)]
        assert_eq!(
            of(r".\python_embeded\python.exe -s ComfyUI\main.py").as_deref(),
            Some(Path::new(r"ComfyUI\main.py"))
        );
    }
}
