//! A small ComfyUI installation, adopted into a workspace: what tests of commit, rollback and export start from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use comfrey::platform::process::running_comfyui;

use crate::standin::eventually;
use crate::support::{Run, Sandbox};

/// A sandbox with `ComfyUI/` and the workspace `work/`, in which it is the environment `demo`.
pub struct Installation {
    pub sandbox: Sandbox,
}

/// The editor's format, with one node that loads a checkpoint.
pub fn workflow(checkpoint: &str) -> String {
    format!(
        "{{\"last_node_id\":4,\"nodes\":[{{\"id\":4,\"type\":\"CheckpointLoaderSimple\",\
         \"widgets_values\":[\"{checkpoint}\"]}}],\"links\":[],\"version\":0.4}}\n"
    )
}

impl Installation {
    /// Two workflows, two nodes, a node of one file, a checkpoint; adopted, nothing committed.
    pub fn new() -> Self {
        let sandbox = Sandbox::new();
        for (path, text) in [
            ("main.py", ""),
            ("comfyui_version.py", "__version__ = \"0.3.64\"\n"),
            ("user/default/workflows/portrait.json", &workflow("sd15.safetensors")),
            ("user/default/workflows/sub/other.json", &workflow("sub\\\\xl.safetensors")),
            ("user/default/workflows/.index.json", "{\"favorites\":[]}"),
            ("user/bob/workflows/his.json", &workflow("sd15.safetensors")),
            ("custom_nodes/Impact/__init__.py", "NODE_CLASS_MAPPINGS = {}\n"),
            ("custom_nodes/Impact/sub/deep.py", "x = 1\n"),
            ("custom_nodes/Impact/__pycache__/x.cpython-312.pyc", "bytecode"),
            ("custom_nodes/Impact/pyproject.toml", "[project]\nname = \"comfyui-impact-pack\"\nversion = \"8.22.2\"\n"),
            ("custom_nodes/Impact/.tracking", "__init__.py\n"),
            ("custom_nodes/Other/__init__.py", "y = 1\n"),
            ("custom_nodes/one.py", "z = 1\n"),
        ] {
            sandbox.write(Path::new("ComfyUI").join(path), text);
        }
        let installation = Installation { sandbox };
        installation.write_model("checkpoints/sd15.safetensors", 3_000_000, 1);
        installation.write_model("checkpoints/sub/xl.safetensors", 20_000, 2);
        installation.sandbox.comfrey(["init", "work", "--no-input"]).success();
        installation.comfrey(["adopt", "demo", "../ComfyUI"]).success();
        installation
    }

    /// A file of `size` bytes that `seed` decides.
    pub fn write_model(&self, place: &str, size: usize, seed: u64) {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(size);
        self.write(Path::new("models").join(place), bytes);
    }

    /// Writes a file below ComfyUI.
    pub fn write(&self, below: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        self.sandbox.write(Path::new("ComfyUI").join(below), bytes);
    }

    pub fn comfyui(&self) -> PathBuf {
        self.sandbox.join("ComfyUI")
    }

    pub fn cec(&self) -> PathBuf {
        self.sandbox.join("work/environments/demo/.cec")
    }

    /// `comfrey` in the workspace, not yet run.
    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.sandbox.comfrey_command(arguments);
        command.current_dir(self.sandbox.join("work"));
        command
    }

    pub fn comfrey<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        Run::of(self.command(arguments))
    }

    pub fn json<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> serde_json::Value {
        let run = Run::of({
            let mut command = self.command(arguments);
            command.arg("--json");
            command
        });
        serde_json::from_str(run.line()).unwrap()
    }

    /// Commits and answers with the id.
    pub fn commit(&self, message: &str) -> String {
        let run = self.comfrey(["commit", "-m", message, "--json"]).success();
        let value: serde_json::Value = serde_json::from_str(run.line()).unwrap();
        value["id"].as_str().unwrap().to_owned()
    }

    /// Every file of ComfyUI and of `.cec` with its content, links with their targets, and empty folders; bytecode left out.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for (name, root) in [("ComfyUI", self.comfyui()), (".cec", self.cec())] {
            collect(&root, name, &mut found);
        }
        found
    }

    /// The same without `.cec`.
    pub fn comfyui_files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(&self.comfyui(), "ComfyUI", &mut found);
        found
    }

    pub fn exists(&self, below: &str) -> bool {
        self.comfyui().join(below).symlink_metadata().is_ok()
    }
}

/// Every file below `folder` with its content, its path beginning with `name`; links with their targets, and empty folders.
pub fn collect(folder: &Path, name: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut empty = true;
    for entry in entries {
        let entry = entry.unwrap();
        empty = false;
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            let target = std::fs::read_link(entry.path()).unwrap();
            found.insert(format!("{path}@"), target.to_string_lossy().into_owned().into_bytes());
        } else if kind.is_dir() {
            collect(&entry.path(), &path, found);
        } else {
            found.insert(path, std::fs::read(entry.path()).unwrap());
        }
    }
    if empty {
        found.insert(format!("{name}/"), Vec::new());
    }
}

/// What differs, for a message.
pub fn difference(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    names.into_iter().filter(|name| a.get(*name) != b.get(*name)).cloned().collect()
}

/// A ComfyUI that somebody started by hand in this folder, of which it has the `main.py` and no more; it ends when this is dropped.
pub struct StartedByHand(std::process::Child);

impl StartedByHand {
    /// Nothing if the machine has no Python to run it with.
    pub fn new(test: &str, comfyui: &Path) -> Option<Self> {
        let python = crate::standin::python(test)?;
        std::fs::write(comfyui.join("main.py"), "import sys\nsys.stdin.read()\n").unwrap();
        let mut command = Command::new(python);
        command.arg("main.py").current_dir(comfyui).stdin(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let running = StartedByHand(child);
        eventually("it is seen", || (running_comfyui(comfyui) == Some(running.0.id())).then_some(()));
        Some(running)
    }
}

impl Drop for StartedByHand {
    fn drop(&mut self) {
        // It may have been ended by what was tried.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
