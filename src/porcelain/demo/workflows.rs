//! Workflows as ComfyUI writes them: the editor's format on one line, and the API format.

use serde_json::{Value, json};

/// What a workflow is made of.
pub struct Picture<'a> {
    pub checkpoint: &'a str,
    pub vae: Option<&'a str>,
    pub lora: Option<&'a str>,
    pub upscaler: Option<&'a str>,
    pub prompt: &'a str,
    pub seed: u64,
    pub steps: u32,
}

/// Nodes and links of an editor workflow, counted as they are added.
#[derive(Default)]
struct Graph {
    nodes: Vec<Value>,
    links: Vec<Value>,
}

/// An output of a node: node id, slot, type.
type Wire = (u64, u64, &'static str);

impl Graph {
    /// Adds a node with these inputs (name and what feeds it), widgets (name and value) and outputs (name and type).
    fn add(
        &mut self,
        kind: &str,
        inputs: &[(&str, Wire)],
        widgets: &[(&str, Value)],
        outputs: &[(&str, &'static str)],
    ) -> u64 {
        let id = self.nodes.len() as u64 + 1;
        let mut slots = Vec::new();
        for (slot, (name, (from, output, wire))) in inputs.iter().enumerate() {
            let link = self.links.len() as u64 + 1;
            self.links.push(json!([link, from, output, id, slot, wire]));
            slots.push(json!({ "name": name, "type": wire, "link": link }));
        }
        for (name, _) in widgets {
            slots.push(json!({ "name": name, "type": "*", "widget": { "name": name }, "link": null }));
        }
        let values: Vec<&Value> = widgets.iter().map(|(_, value)| value).collect();
        let outputs: Vec<Value> =
            outputs.iter().map(|(name, wire)| json!({ "name": name, "type": wire, "links": [] })).collect();
        let core = if kind.starts_with("Colour") { "comfyui-colour-lab" } else { "comfy-core" };
        self.nodes.push(json!({
            "id": id, "type": kind, "pos": [60 + 340 * (id - 1), 120 + 40 * (id % 3)], "size": [315, 98 + 24 * widgets.len()],
            "flags": {}, "order": id - 1, "mode": 0, "inputs": slots, "outputs": outputs,
            "properties": { "cnr_id": core, "ver": "0.3.64", "Node name for S&R": kind }, "widgets_values": values,
        }));
        id
    }
}

impl Picture<'_> {
    /// The editor's format, as the browser saves it.
    pub fn editor(&self, id: &str) -> String {
        let mut graph = Graph::default();
        let loader = graph.add(
            "CheckpointLoaderSimple",
            &[],
            &[("ckpt_name", json!(self.checkpoint))],
            &[("MODEL", "MODEL"), ("CLIP", "CLIP"), ("VAE", "VAE")],
        );
        let (mut model, mut clip) = ((loader, 0, "MODEL"), (loader, 1, "CLIP"));
        if let Some(lora) = self.lora {
            let widgets = [("lora_name", json!(lora)), ("strength_model", json!(0.8)), ("strength_clip", json!(1))];
            let inputs = [("model", model), ("clip", clip)];
            let id = graph.add("LoraLoader", &inputs, &widgets, &[("MODEL", "MODEL"), ("CLIP", "CLIP")]);
            (model, clip) = ((id, 0, "MODEL"), (id, 1, "CLIP"));
        }
        let text = |graph: &mut Graph, text: &str| {
            graph.add(
                "CLIPTextEncode",
                &[("clip", clip)],
                &[("text", json!(text))],
                &[("CONDITIONING", "CONDITIONING")],
            )
        };
        let wanted = text(&mut graph, self.prompt);
        let unwanted = text(&mut graph, "blurry, watermark");
        let sizes = [("width", json!(1024)), ("height", json!(1024)), ("batch_size", json!(1))];
        let empty = graph.add("EmptyLatentImage", &[], &sizes, &[("LATENT", "LATENT")]);
        let inputs = [
            ("model", model),
            ("positive", (wanted, 0, "CONDITIONING")),
            ("negative", (unwanted, 0, "CONDITIONING")),
            ("latent_image", (empty, 0, "LATENT")),
        ];
        let widgets = [
            ("seed", json!(self.seed)),
            ("control_after_generate", json!("fixed")),
            ("steps", json!(self.steps)),
            ("cfg", json!(7)),
            ("sampler_name", json!("dpmpp_2m")),
            ("scheduler", json!("karras")),
            ("denoise", json!(1)),
        ];
        let sampler = graph.add("KSampler", &inputs, &widgets, &[("LATENT", "LATENT")]);
        let vae = match self.vae {
            Some(name) => (graph.add("VAELoader", &[], &[("vae_name", json!(name))], &[("VAE", "VAE")]), 0, "VAE"),
            None => (loader, 2, "VAE"),
        };
        let inputs = [("samples", (sampler, 0, "LATENT")), ("vae", vae)];
        let decoded = graph.add("VAEDecode", &inputs, &[], &[("IMAGE", "IMAGE")]);
        let grade = [("lift", json!(0.1)), ("gamma", json!(1.05)), ("gain", json!(1))];
        let inputs = [("image", (decoded, 0, "IMAGE"))];
        let mut image = (graph.add("ColourGrade", &inputs, &grade, &[("IMAGE", "IMAGE")]), 0, "IMAGE");
        if let Some(upscaler) = self.upscaler {
            let outputs = [("UPSCALE_MODEL", "UPSCALE_MODEL")];
            let loader = graph.add("UpscaleModelLoader", &[], &[("model_name", json!(upscaler))], &outputs);
            let inputs = [("upscale_model", (loader, 0, "UPSCALE_MODEL")), ("image", image)];
            image = (graph.add("ImageUpscaleWithModel", &inputs, &[], &[("IMAGE", "IMAGE")]), 0, "IMAGE");
        }
        graph.add("SaveImage", &[("images", image)], &[("filename_prefix", json!("demo"))], &[]);
        json!({
            "id": id, "revision": 0, "last_node_id": graph.nodes.len(), "last_link_id": graph.links.len(),
            "nodes": graph.nodes, "links": graph.links, "groups": [], "config": {},
            "extra": { "ds": { "scale": 0.8, "offset": [12.5, -40.25] }, "frontendVersion": "1.28.6" }, "version": 0.4,
        })
        .to_string()
    }

    /// The API format, as "Save (API)" writes it.
    pub fn api(&self) -> String {
        let prompt = json!({
            "3": { "class_type": "KSampler", "_meta": { "title": "KSampler" }, "inputs": {
                "seed": self.seed, "steps": self.steps, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
                "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0] } },
            "4": { "class_type": "CheckpointLoaderSimple", "_meta": { "title": "Load Checkpoint" }, "inputs": {
                "ckpt_name": self.checkpoint } },
            "5": { "class_type": "EmptyLatentImage", "_meta": { "title": "Empty Latent Image" }, "inputs": {
                "width": 512, "height": 512, "batch_size": 4 } },
            "6": { "class_type": "CLIPTextEncode", "_meta": { "title": "wanted" }, "inputs": {
                "text": self.prompt, "clip": ["4", 1] } },
            "7": { "class_type": "CLIPTextEncode", "_meta": { "title": "unwanted" }, "inputs": {
                "text": "text, watermark", "clip": ["4", 1] } },
            "8": { "class_type": "VAEDecode", "_meta": { "title": "VAE Decode" }, "inputs": {
                "samples": ["3", 0], "vae": ["4", 2] } },
            "9": { "class_type": "SaveImage", "_meta": { "title": "Save Image" }, "inputs": {
                "filename_prefix": "batch", "images": ["8", 0] } },
        });
        serde_json::to_string_pretty(&prompt).unwrap_or_default()
    }
}
