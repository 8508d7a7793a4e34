//! What a workflow is for, in a few words: what it takes, what it makes, and how.
//!
//! Read from names of classes and types of outputs, since no list says it. A guide for a person, never a ground for a decision.

use serde::Serialize;

use crate::workflow::{Node, Workflow};

/// What goes in or comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Medium {
    #[serde(rename = "text")]
    Text,
    #[serde(rename = "image")]
    Image,
    #[serde(rename = "video")]
    Video,
    #[serde(rename = "audio")]
    Audio,
    #[serde(rename = "3d")]
    Model,
}

impl Medium {
    /// A word for a person and for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Medium::Text => "text",
            Medium::Image => "image",
            Medium::Video => "video",
            Medium::Audio => "audio",
            Medium::Model => "3d",
        }
    }
}

/// What the nodes of a workflow that run are for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Purpose {
    pub takes: Vec<Medium>,
    pub makes: Vec<Medium>,
    pub samplers: usize,
    /// Nodes that encode a text.
    pub prompts: usize,
}

/// The purpose of `workflow`, as far as names tell it.
pub fn purpose(workflow: &Workflow<'_>) -> Purpose {
    let mut found = Purpose::default();
    let mut shown = Vec::new();
    for node in workflow.nodes.iter().filter(|node| node.is_active() && node.instance_of.is_none()) {
        let class = node.class.to_lowercase();
        found.samplers += usize::from(is_sampler(node, &class));
        found.prompts += usize::from(class.contains("textencode"));
        if is_load(&class) {
            found.takes.extend(medium(&class));
        } else if class.starts_with("save") || class.contains("videocombine") {
            found.makes.extend(medium(&class));
        } else if class.starts_with("preview") {
            shown.extend(medium(&class));
        }
    }
    // Previews are looks at the way to a result, unless there is no other.
    if found.makes.is_empty() {
        found.makes = shown;
    }
    if found.takes.is_empty() && found.prompts > 0 {
        found.takes.push(Medium::Text);
    }
    for media in [&mut found.takes, &mut found.makes] {
        media.sort_unstable();
        media.dedup();
    }
    found
}

/// A class that samples, not one that chooses how it is done.
fn is_sampler(node: &Node, class: &str) -> bool {
    if node.outputs.is_empty() {
        // The API format has no outputs.
        return class.starts_with("ksampler") && class != "ksamplerselect" || class.starts_with("samplercustom");
    }
    class.contains("sampler") && node.outputs.iter().any(|output| output.kind.as_deref() == Some("LATENT"))
}

fn is_load(class: &str) -> bool {
    class.strip_prefix("vhs_").unwrap_or(class).starts_with("load")
}

/// What the name of a class that loads or saves says it is about.
fn medium(class: &str) -> Option<Medium> {
    let names = |words: &[&str]| words.iter().any(|word| class.contains(word));
    if names(&["latent", "mask", "model", "lora", "checkpoint"]) {
        None
    } else if names(&["video", "webm", "animated"]) {
        Some(Medium::Video)
    } else if names(&["audio"]) {
        Some(Medium::Audio)
    } else if names(&["glb", "3d", "mesh"]) {
        Some(Medium::Model)
    } else if names(&["image", "svg"]) {
        Some(Medium::Image)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(classes: &[&str]) -> Purpose {
        let node = |(id, class): (usize, &&str)| format!(r#""{id}":{{"class_type":"{class}","inputs":{{}}}}"#);
        let nodes: Vec<String> = classes.iter().enumerate().map(node).collect();
        let text = format!("{{{}}}", nodes.join(","));
        purpose(&crate::workflow::read(text.as_bytes()).unwrap())
    }

    #[test]
    fn what_goes_in_and_comes_out_is_read_from_names() {
        let found =
            of(&["CLIPTextEncode", "CLIPTextEncode", "KSampler", "KSamplerSelect", "PreviewImage", "SaveImage"]);
        assert_eq!((found.takes, found.makes), (vec![Medium::Text], vec![Medium::Image]));
        assert_eq!((found.samplers, found.prompts), (1, 2));
        let found = of(&["LoadImage", "LoadImageMask", "VHS_VideoCombine", "PreviewImage", "SaveLatent"]);
        assert_eq!((found.takes, found.makes), (vec![Medium::Image], vec![Medium::Video]));
        let found = of(&["VHS_LoadVideo", "LoraLoader", "PreviewAudio"]);
        assert_eq!((found.takes, found.makes), (vec![Medium::Video], vec![Medium::Audio]));
    }

    #[test]
    fn what_does_not_run_is_for_nothing() {
        let text = r#"{"nodes":[{"id":1,"type":"SaveVideo","mode":4},{"id":2,"type":"SamplerX","outputs":[{"name":"L","type":"LATENT"}]}],"links":[]}"#;
        let found = purpose(&crate::workflow::read(text.as_bytes()).unwrap());
        assert_eq!((found.makes.len(), found.samplers), (0, 1));
    }
}
