//! What trainers and mergers write about their files: `modelspec.*` (Stability's ModelSpec 1.0), `ss_*` and `sshs_*` (kohya's sd-scripts).

use std::collections::BTreeMap;

use super::facts::{Header, Kind};

/// What is kept beside all of `modelspec.*`. Prompts of sample images, data sets and configurations are long and nobody's business.
const KEPT: &[&str] = &[
    "format",
    "ss_base_model_version",
    "ss_clip_skip",
    "ss_network_alpha",
    "ss_network_dim",
    "ss_network_module",
    "ss_num_epochs",
    "ss_num_train_images",
    "ss_output_name",
    "ss_resolution",
    "ss_sd_model_name",
    "ss_steps",
    "ss_training_comment",
    "ss_v2",
];

/// Never kept: a picture as text.
const LEFT_OUT: &[&str] = &["modelspec.thumbnail", "modelspec.hash_sha256", "modelspec.trigger_phrase"];

/// Longest value that is kept, in bytes; the rest is cut.
const LONGEST: usize = 500;
/// Trained words that are kept.
const WORDS: usize = 20;
/// Keys that are kept.
const KEYS: usize = 40;

/// Families of base models by the words that `modelspec.architecture` and `ss_base_model_version` begin with.
const FAMILIES: &[(&str, &str)] = &[
    ("stable-diffusion-v1", "SD 1.5"),
    ("stable-diffusion-v2", "SD 2"),
    ("stable-diffusion-xl-v1-refiner", "SDXL Refiner"),
    ("stable-diffusion-xl", "SDXL"),
    ("stable-diffusion-v3", "SD 3"),
    ("stable-diffusion-3", "SD 3"),
    ("stable-cascade", "Stable Cascade"),
    ("sdxl", "SDXL"),
    ("sd_v1", "SD 1.5"),
    ("sd_v2", "SD 2"),
    ("sd3", "SD 3"),
    ("flux-1", "Flux.1"),
    ("flux.1", "Flux.1"),
    ("flux1", "Flux.1"),
    ("flux-2", "Flux.2"),
    ("flux.2", "Flux.2"),
    ("flux2", "Flux.2"),
    ("chroma", "Chroma"),
    ("wan", "Wan"),
    ("hunyuan-video", "Hunyuan"),
    ("hunyuan_video", "Hunyuan"),
    ("hunyuanvideo", "Hunyuan"),
    ("qwen-image", "Qwen Image"),
    ("qwen_image", "Qwen Image"),
    ("ltx", "LTX"),
    ("lumina2", "Lumina 2"),
    ("auraflow", "AuraFlow"),
];

/// The family that such a word names.
pub fn family(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    FAMILIES.iter().find(|(begin, _)| word.starts_with(begin)).map(|(_, family)| *family)
}

/// Puts what is worth keeping into `header`.
pub fn take(mut found: BTreeMap<String, String>, header: &mut Header) {
    header.tensors_sha256 =
        ["modelspec.hash_sha256", "sshs_model_hash"].iter().find_map(|key| tensors_hash(found.get(*key)?));
    let phrase = found.get("modelspec.trigger_phrase").map(String::as_str).unwrap_or_default();
    let mut words: Vec<String> =
        phrase.split(',').map(str::trim).filter(|word| !word.is_empty()).take(WORDS).map(cut).collect();
    for word in found.get("ss_tag_frequency").map(|text| tags(text)).unwrap_or_default() {
        if words.len() < WORDS && !words.contains(&word) {
            words.push(word);
        }
    }
    header.trained_words = words;
    let spec = found.get("modelspec.architecture").map(String::as_str).unwrap_or_default();
    let version = found.get("ss_base_model_version").map(String::as_str).unwrap_or_default();
    header.base = family(spec).or_else(|| family(version)).map(str::to_owned);
    if spec.ends_with("/lora") || found.contains_key("ss_network_module") {
        header.kind = Some(Kind::Lora);
    } else if spec.ends_with("/textual-inversion") {
        header.kind = Some(Kind::Embedding);
    } else if spec.ends_with("/control-net") || spec.ends_with("/controlnet") {
        header.kind = Some(Kind::Controlnet);
    }
    // ComfyUI writes what it saves with the workflow that made it.
    for key in ["workflow", "prompt"] {
        if found.contains_key(key) {
            header.metadata.insert(key.into(), "embedded".into());
        }
    }
    found.retain(|key, value| {
        let is_kept = KEPT.contains(&key.as_str())
            || (key.starts_with("modelspec.") && key.len() < 60 && !LEFT_OUT.contains(&key.as_str()));
        is_kept && !value.is_empty() && value != "None"
    });
    header.metadata.extend(found.into_iter().take(KEYS).map(|(key, value)| (key, cut(&value))));
}

/// 64 hex digits in lower case; nothing for the hash of nothing, which some tools write.
fn tensors_hash(text: &str) -> Option<String> {
    let digits = text.trim().strip_prefix("0x").unwrap_or(text.trim()).to_ascii_lowercase();
    let is_hash = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && !digits.starts_with("e3b0c44298fc")).then_some(digits)
}

/// The tags of all data sets, the most frequent first.
fn tags(text: &str) -> Vec<String> {
    let Ok(sets) = serde_json::from_str::<BTreeMap<String, BTreeMap<String, serde_json::Value>>>(text) else {
        return Vec::new();
    };
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (tag, number) in sets.into_values().flatten() {
        let sum = sums.entry(tag.trim().to_owned()).or_default();
        *sum = sum.saturating_add(number.as_u64().unwrap_or(0));
    }
    sums.remove("");
    let mut tags: Vec<(String, u64)> = sums.into_iter().collect();
    tags.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    tags.into_iter().take(WORDS).map(|(tag, _)| cut(&tag)).collect()
}

/// At most [`LONGEST`] bytes of it, in whole characters.
pub fn cut(text: &str) -> String {
    let end = text.char_indices().map(|(at, char)| at + char.len_utf8()).take_while(|end| *end <= LONGEST).last();
    text[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_named_in_one_way() {
        assert_eq!(family("stable-diffusion-xl-v1-base/lora"), Some("SDXL"));
        assert_eq!(family("sd_v2_v"), Some("SD 2"));
        assert_eq!(family("Flux.1-dev"), Some("Flux.1"));
        assert_eq!(family("something new"), None);
    }

    #[test]
    fn the_hash_of_the_tensors_is_taken_and_the_hash_of_nothing_is_not() {
        let hash = "AB".repeat(32);
        assert_eq!(tensors_hash(&format!("0x{hash}")), Some(hash.to_lowercase()));
        assert_eq!(tensors_hash(&format!("e3b0c44298fc{}", "0".repeat(52))), None);
        assert_eq!(tensors_hash("ab"), None);
    }

    #[test]
    fn long_values_are_cut_and_private_ones_left_out() {
        let mut header = Header::default();
        let found = [
            ("modelspec.title", "x".repeat(2000)),
            ("modelspec.thumbnail", "data:".into()),
            ("modelspec.trigger_phrase", "one, two".into()),
            ("ss_dataset_dirs", "/home/someone".into()),
            ("prompt", "{}".into()),
        ];
        take(found.map(|(key, value)| (key.to_owned(), value)).into(), &mut header);
        assert_eq!(header.metadata["modelspec.title"].len(), LONGEST);
        assert_eq!(header.metadata.keys().collect::<Vec<_>>(), ["modelspec.title", "prompt"]);
        assert_eq!(header.trained_words, ["one", "two"]);
    }
}
