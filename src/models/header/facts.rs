//! What is known of a model file, as a value.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Safetensors,
    Gguf,
    /// A zip archive with pickles, as `torch.save` has written since 2020.
    TorchArchive,
    /// A pickle by itself, as `torch.save` wrote before.
    Pickle,
    /// None of these, or not to be told.
    #[default]
    Other,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A diffusion model with its VAE or text encoder.
    Checkpoint,
    DiffusionModel,
    Lora,
    Vae,
    TextEncoder,
    ClipVision,
    Controlnet,
    IpAdapter,
    Embedding,
    Upscaler,
    MotionModule,
    StyleModel,
    Gligen,
    AudioEncoder,
}

impl Kind {
    pub const ALL: [Kind; 14] = [
        Kind::Checkpoint,
        Kind::DiffusionModel,
        Kind::Lora,
        Kind::Vae,
        Kind::TextEncoder,
        Kind::ClipVision,
        Kind::Controlnet,
        Kind::IpAdapter,
        Kind::Embedding,
        Kind::Upscaler,
        Kind::MotionModule,
        Kind::StyleModel,
        Kind::Gligen,
        Kind::AudioEncoder,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Checkpoint => "checkpoint",
            Kind::DiffusionModel => "diffusion-model",
            Kind::Lora => "lora",
            Kind::Vae => "vae",
            Kind::TextEncoder => "text-encoder",
            Kind::ClipVision => "clip-vision",
            Kind::Controlnet => "controlnet",
            Kind::IpAdapter => "ip-adapter",
            Kind::Embedding => "embedding",
            Kind::Upscaler => "upscaler",
            Kind::MotionModule => "motion-module",
            Kind::StyleModel => "style-model",
            Kind::Gligen => "gligen",
            Kind::AudioEncoder => "audio-encoder",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let known: Vec<&str> = Kind::ALL.into_iter().map(Kind::as_str).collect();
            format!("`{text}` is none of {}", known.join(", "))
        })
    }
}

impl Format {
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Safetensors => "safetensors",
            Format::Gguf => "gguf",
            Format::TorchArchive => "torch-archive",
            Format::Pickle => "pickle",
            Format::Other => "other",
        }
    }
}

/// What a header says. Nothing is guessed without grounds: what is not known is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    pub format: Format,
    /// Of the format, where it has versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The family of base models that it is of or for, such as `SDXL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Such as `CLIP-L` of a text encoder, or what a GGUF file says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Such as `Q4_K_M`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantisation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensors: Option<u64>,
    /// Numbers in all tensors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<u64>,
    /// How many of them have each type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dtypes: BTreeMap<String, u64>,
    /// The words to which a LoRA or embedding was trained to answer, the likeliest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trained_words: Vec<String>,
    /// SHA-256 of the tensors alone, as the file itself says. Its first 12 digits are model hosts' AutoV3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensors_sha256: Option<String>,
    /// What else the file says of itself, as far as it is short.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// What loading it would import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pickle: Option<PickleScan>,
    /// Why the file cannot be what it seems to be: cut short, or a header that contradicts itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

impl Header {
    /// A file of this format that contradicts it.
    pub fn damaged(format: Format, reason: impl Into<String>) -> Self {
        Header { format, damage: Some(reason.into()), ..Header::default() }
    }
}

/// What loading a pickle would import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PickleScan {
    /// Each once, the worst first.
    pub imports: Vec<Import>,
    /// It is TorchScript: the archive holds code beside weights.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_code: bool,
    /// Why it could not be read to the end; then there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Import {
    pub verdict: Verdict,
    pub module: String,
    pub name: String,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}

/// What an import means, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It can run programs, read or write files, reach the network, or run code from the file.
    Dangerous,
    /// Not on the list of what weights need. Not known to be dangerous either.
    Unknown,
    /// What weights need.
    Expected,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Dangerous => "dangerous",
            Verdict::Unknown => "unknown",
            Verdict::Expected => "expected",
        }
    }
}

impl PickleScan {
    /// The worst that is in it: with anything unseen at least unknown.
    pub fn verdict(&self) -> Verdict {
        let unseen = if self.incomplete.is_some() || self.has_code { Verdict::Unknown } else { Verdict::Expected };
        self.imports.iter().map(|import| import.verdict).min().unwrap_or(Verdict::Expected).min(unseen)
    }
}
