//! Where torch comes from: a fact of the machine, not of the environment's manifest.

use std::fmt;
use std::str::FromStr;

/// Which build of torch this machine wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TorchBackend {
    /// `none`: as any package, from where uv is told to look.
    #[default]
    Index,
    /// uv's own `--torch-backend`: `auto`, `cpu`, `cu128`, `rocm6.4`, …
    Named(String),
}

/// A text that can be no backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no torch backend")]
pub struct NoBackend(pub String);

impl TorchBackend {
    /// As uv's option has it; nothing for [`TorchBackend::Index`].
    pub fn option(&self) -> Option<&str> {
        match self {
            TorchBackend::Index => None,
            TorchBackend::Named(name) => Some(name),
        }
    }
}

impl FromStr for TorchBackend {
    type Err = NoBackend;

    /// uv knows which there are: only what could not be one is refused here.
    fn from_str(text: &str) -> Result<Self, NoBackend> {
        match text {
            "none" => Ok(TorchBackend::Index),
            _ if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') => {
                Ok(TorchBackend::Named(text.to_ascii_lowercase()))
            }
            _ => Err(NoBackend(text.to_owned())),
        }
    }
}

impl fmt::Display for TorchBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.option().unwrap_or("none"))
    }
}

/// True for packages that are bound to one version of torch, so that no node may choose theirs: torch itself, what it pins, and xformers,
/// each release of which pins one torch.
pub fn belongs_to_torch(package: &str) -> bool {
    is_torch(package) || comes_with_torch(package) || package == "xformers"
}

/// True for torch and the packages that are released with it, version by version.
pub fn is_torch(package: &str) -> bool {
    matches!(package, "torch" | "torchvision" | "torchaudio")
}

/// True for what torch pins to one version each: CUDA's libraries and its compiler.
pub fn comes_with_torch(package: &str) -> bool {
    package.starts_with("nvidia-")
        || package.starts_with("cuda-")
        || matches!(
            package,
            "triton" | "pytorch-triton" | "pytorch-triton-rocm" | "pytorch-triton-xpu" | "triton-rocm" | "triton-xpu"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_are_read_as_uv_names_them() {
        assert_eq!("none".parse(), Ok(TorchBackend::Index));
        assert_eq!("CU128".parse(), Ok(TorchBackend::Named("cu128".into())));
        assert_eq!("rocm6.4".parse::<TorchBackend>().unwrap().to_string(), "rocm6.4");
        for wrong in ["", "--help", "a b", "../x"] {
            assert!(wrong.parse::<TorchBackend>().is_err(), "{wrong}");
        }
    }
}
