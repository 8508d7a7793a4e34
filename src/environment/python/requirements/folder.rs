//! The requirements of a folder: ComfyUI's, or a node's.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::torch;
use super::found::Requirements;
use super::refused::{Origin, Reason, Refused};
use super::{project, setup, text_file};

/// Whose requirements they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// ComfyUI's own: it says which torch there is.
    ComfyUi,
    /// A node's: it gets the torch that is there.
    Node,
}

impl Requirements {
    /// Reads what the folder asks for. A node that is a single file asks for nothing.
    ///
    /// Nothing fails: what cannot be read is among the refused.
    pub fn of(folder: &Path, whose: Whose) -> Self {
        let mut found = Requirements::default();
        let readers: [fn(&Path, &mut Requirements) -> bool; 3] = [text_file::read, project::read, setup::read];
        for read in readers {
            if read(folder, &mut found) {
                break;
            }
        }
        found.leave_torch(whose);
        let mut seen = BTreeSet::new();
        found.accepted.retain(|requirement| seen.insert(requirement.as_str().to_owned()));
        found
    }

    /// torch decides which version of some packages there is; a node that asks for another one would break it, or be broken.
    fn leave_torch(&mut self, whose: Whose) {
        if whose == Whose::ComfyUi {
            return;
        }
        let (torch, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.accepted).into_iter().partition(|found| torch::belongs_to_torch(found.package()));
        self.accepted = rest;
        let file = self.files.first().cloned().unwrap_or_default();
        self.refused.extend(torch.into_iter().map(|found| Refused {
            line: found.to_string(),
            from: Origin { file: file.clone(), line: 0 },
            reason: Reason::Torch,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::below;
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = below(folder.path(), name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    #[test]
    fn the_first_file_that_is_there_says_all() {
        let all: [(&str, &[u8]); 3] = [
            ("requirements.txt", b"from-text\n"),
            ("pyproject.toml", b"[project]\ndependencies = [\"from-project\"]\n"),
            ("setup.py", b"setup(install_requires=['from-setup'])\n"),
        ];
        for (from, name) in [(0, "from-text"), (1, "from-project"), (2, "from-setup"), (3, "")] {
            let folder = folder(&all[from..]);
            let found = Requirements::of(folder.path(), Whose::Node);
            assert_eq!(found.texts().join(","), name);
            assert_eq!(found.refused, []);
        }
    }

    #[test]
    fn torch_comes_from_comfyui_alone() {
        let text = b"torch>=2.4\ntorchvision\ntorchaudio==2.9\nTriton; sys_platform == 'linux'\nnvidia-cublas-cu12==12.6\nxformers\nnumpy\nnumpy\n";
        let folder = folder(&[("requirements.txt", text)]);
        let of_node = Requirements::of(folder.path(), Whose::Node);
        assert_eq!(of_node.texts(), ["numpy"]);
        assert_eq!(of_node.refused.len(), 6);
        assert!(of_node.refused.iter().all(|refused| refused.reason == Reason::Torch));
        let of_comfyui = Requirements::of(folder.path(), Whose::ComfyUi);
        assert_eq!(of_comfyui.accepted.len(), 7);
        assert_eq!(of_comfyui.refused, []);
    }

    #[test]
    fn what_editors_on_windows_write_is_read() {
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("numpy\r\nscipy\r\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        for bytes in [utf16.as_slice(), b"\xef\xbb\xbfnumpy\r\nscipy\r\n"] {
            let folder = folder(&[("requirements.txt", bytes)]);
            assert_eq!(Requirements::of(folder.path(), Whose::Node).texts(), ["numpy", "scipy"]);
        }
    }
}
