//! Which files are models: kept as entries whose bytes may be absent.

/// How weight files stand in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weights {
    /// Like any other file.
    #[default]
    AsFiles,
    /// As `model` entries: files with the suffix of a weight file, and all files of more than `over` bytes.
    AsModels { over: u64 },
}

impl Weights {
    /// The rule for what lies in a custom node's folder: more than 32 MiB is a model whatever its name.
    pub const IN_NODES: Weights = Weights::AsModels { over: 32 << 20 };

    /// Whether a file is to be a `model` entry.
    pub fn is_model(self, name: &str, size: u64) -> bool {
        match self {
            Weights::AsFiles => false,
            Weights::AsModels { over } => size > over || is_weight_file(name),
        }
    }
}

/// Suffixes under which weights are published: those that ComfyUI loads (`supported_pt_extensions` in its `folder_paths.py`) and
/// those that custom nodes bring loaders for.
const SUFFIXES: [&str; 12] =
    ["safetensors", "sft", "ckpt", "pt", "pt2", "pth", "bin", "pkl", "gguf", "onnx", "engine", "safetensor"];

/// True for a name with the suffix of a weight file.
pub fn is_weight_file(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, suffix)| {
        !stem.is_empty() && SUFFIXES.iter().any(|known| known.eq_ignore_ascii_case(suffix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_known_by_suffix_or_size() {
        let rule = Weights::IN_NODES;
        for name in ["a.safetensors", "A.CKPT", "x.tar.pth", "m.gguf", "n.onnx"] {
            assert!(rule.is_model(name, 1), "{name}");
        }
        for name in ["a.py", "bin", ".bin", "a.safetensors.txt", "pt"] {
            assert!(!rule.is_model(name, 32 << 20), "{name}");
        }
        assert!(rule.is_model("video.mp4", (32 << 20) + 1));
        assert!(!Weights::AsFiles.is_model("a.safetensors", 1 << 40));
    }
}
