//! Names and shapes of tensors → kind of file, and family of base models.
//!
//! A table of rules over marks: names that one architecture has and the others do not. Sources: `comfy/model_detection.py` and `comfy/sd.py`
//! of ComfyUI 0.3.64 for models, VAEs and text encoders; the key layouts of sd-scripts, diffusers and PEFT for LoRAs. Where no rule
//! holds nothing is said.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::facts::{Header, Kind};

/// One condition of a rule.
enum Is {
    /// A tensor has this name: exactly, or with `*` at the end by its beginning, with `*` at the beginning by its end.
    Has(&'static str),
    Not(&'static str),
    /// This side of the tensor's shape has this length.
    Side(&'static str, usize, u64),
}
use Is::{Has, Not, Side};

struct Rule<T: 'static> {
    when: &'static [Is],
    then: T,
}

const fn rule<T>(when: &'static [Is], then: T) -> Rule<T> {
    Rule { when, then }
}

/// The first that holds counts.
const KINDS: &[Rule<Kind>] = &[
    // Adapters hold LoRA layers of their own.
    rule(&[Has("ip_adapter.*")], Kind::IpAdapter),
    rule(&[Has("image_proj.*")], Kind::IpAdapter),
    rule(&[Has("lora_controlnet")], Kind::Controlnet),
    rule(&[Has("control_model.*")], Kind::Controlnet),
    rule(&[Has("controlnet_cond_embedding.*")], Kind::Controlnet),
    rule(&[Has("controlnet_blocks.*")], Kind::Controlnet),
    rule(&[Has("controlnet_x_embedder.*")], Kind::Controlnet),
    rule(&[Has("input_hint_block.*")], Kind::Controlnet),
    rule(&[Has("zero_convs.*")], Kind::Controlnet),
    rule(&[Has("adapter.body.0.*")], Kind::Controlnet),
    rule(&[Has("body.0.resnets.*")], Kind::Controlnet),
    rule(&[Has("*.lora_down.weight")], Kind::Lora),
    rule(&[Has("*.lora_up.weight")], Kind::Lora),
    rule(&[Has("*.lora_A.weight")], Kind::Lora),
    rule(&[Has("*.lora_B.weight")], Kind::Lora),
    rule(&[Has("*.lora_A.default.weight")], Kind::Lora),
    rule(&[Has("*.lora.down.weight")], Kind::Lora),
    rule(&[Has("*_lora.down.weight")], Kind::Lora),
    rule(&[Has("*.hada_w1_a")], Kind::Lora),
    rule(&[Has("*.lokr_w1")], Kind::Lora),
    rule(&[Has("*.lokr_w2")], Kind::Lora),
    rule(&[Has("*.oft_blocks")], Kind::Lora),
    rule(&[Has("*.diff_b"), Has("*.diff")], Kind::Lora),
    rule(&[Has("emb_params")], Kind::Embedding),
    rule(&[Has("string_to_param")], Kind::Embedding),
    rule(&[Has("clip_l"), Has("clip_g")], Kind::Embedding),
    rule(&[Has("*motion_modules.0.*")], Kind::MotionModule),
    rule(&[Has("model.diffusion_model.*"), Has("first_stage_model.*")], Kind::Checkpoint),
    rule(&[Has("model.diffusion_model.*"), Has("vae.*")], Kind::Checkpoint),
    rule(&[Has("model.diffusion_model.*"), Has("conditioner.embedders.*")], Kind::Checkpoint),
    rule(&[Has("model.diffusion_model.*"), Has("cond_stage_model.*")], Kind::Checkpoint),
    rule(&[Has("model.diffusion_model.*"), Has("text_encoders.*")], Kind::Checkpoint),
    rule(&[Has("redux_up.weight")], Kind::StyleModel),
    rule(&[Has("style_embedding")], Kind::StyleModel),
    rule(&[Has("position_net.*")], Kind::Gligen),
    rule(&[Has("feature_extractor.conv_layers.0.*")], Kind::AudioEncoder),
    rule(&[Has("decoder.conv_in.weight"), Has("encoder.conv_in.weight")], Kind::Vae),
    rule(&[Has("decoder.conv_in.weight"), Has("post_quant_conv.weight")], Kind::Vae),
    rule(&[Has("decoder.conv_in.conv.weight")], Kind::Vae),
    rule(&[Has("decoder.middle.0.residual.0.gamma")], Kind::Vae),
    rule(&[Has("taesd_decoder.1.weight")], Kind::Vae),
    rule(&[Has("first_stage_model.*"), Not("model.diffusion_model.*")], Kind::Vae),
    rule(&[Has("encoder.block.0.layer.0.SelfAttention.k.weight")], Kind::TextEncoder),
    rule(&[Has("text_model.encoder.layers.0.*")], Kind::TextEncoder),
    rule(&[Has("transformer.resblocks.0.*"), Has("text_projection")], Kind::TextEncoder),
    rule(&[Has("model.embed_tokens.weight"), Has("model.layers.0.*")], Kind::TextEncoder),
    rule(&[Has("model.language_model.*")], Kind::TextEncoder),
    rule(&[Has("vision_model.encoder.layers.0.*")], Kind::ClipVision),
    rule(&[Has("visual.transformer.resblocks.0.*")], Kind::ClipVision),
    rule(&[Has("model.1.sub.0.RDB1.*")], Kind::Upscaler),
    rule(&[Has("RRDB_trunk.0.*")], Kind::Upscaler),
    rule(&[Has("body.0.rdb1.*")], Kind::Upscaler),
    rule(&[Has("layers.0.residual_group.*")], Kind::Upscaler),
];

const BASES: &[Rule<&str>] = &[
    // Models, by what ComfyUI tells them by.
    rule(&[Has("joint_blocks.0.context_block.attn.qkv.weight")], "SD 3"),
    rule(&[Has("clip_txt_mapper.weight")], "Stable Cascade"),
    rule(&[Has("double_layers.0.attn.w1q.weight")], "AuraFlow"),
    rule(&[Has("txt_in.individual_token_refiner.blocks.0.norm1.weight")], "Hunyuan"),
    rule(&[Has("mlp_t5.0.weight")], "Hunyuan DiT"),
    rule(&[Has("distilled_guidance_layer.*")], "Chroma"),
    rule(&[Has("double_stream_modulation_img.lin.weight")], "Flux.2"),
    rule(&[Has("double_blocks.0.img_attn.norm.key_norm.scale"), Has("img_in.weight")], "Flux.1"),
    rule(&[Has("t5_yproj.weight")], "Mochi"),
    rule(&[Has("patchify_proj.weight"), Has("adaln_single.emb.timestep_embedder.linear_1.bias")], "LTX"),
    rule(&[Has("t_block.1.weight")], "PixArt"),
    rule(&[Has("blocks.block0.blocks.0.block.attn.to_q.0.weight")], "Cosmos"),
    rule(&[Has("blocks.0.mlp.layer1.weight"), Has("x_embedder.proj.1.weight")], "Cosmos"),
    rule(&[Side("cap_embedder.1.weight", 0, 2304), Has("noise_refiner.0.attention.k_norm.weight")], "Lumina 2"),
    rule(&[Side("cap_embedder.1.weight", 0, 3840), Has("noise_refiner.0.attention.k_norm.weight")], "Z-Image"),
    rule(&[Has("head.modulation"), Has("blocks.0.cross_attn.q.weight")], "Wan"),
    rule(&[Has("caption_projection.0.linear.weight")], "HiDream"),
    rule(&[Has("genre_embedder.weight")], "ACE-Step"),
    rule(&[Has("time_caption_embed.timestep_embedder.linear_2.bias")], "OmniGen 2"),
    rule(&[Has("txt_norm.weight"), Has("transformer_blocks.0.img_mod.1.weight")], "Qwen Image"),
    rule(&[Has("visual_transformer_blocks.0.cross_attention.key_norm.weight")], "Kandinsky 5"),
    rule(&[Has("input_blocks.1.1.time_stack.0.attn1.to_q.weight")], "SVD"),
    rule(&[Side("input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", 1, 2048)], "SDXL"),
    rule(&[Side("input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", 1, 1280)], "SDXL Refiner"),
    rule(&[Side("input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", 1, 1024)], "SD 2"),
    rule(&[Side("input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", 1, 768)], "SD 1.5"),
    rule(&[Side("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1, 2048)], "SDXL"),
    rule(&[Side("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1, 1024)], "SD 2"),
    rule(&[Side("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1, 768)], "SD 1.5"),
    // The same from pickles, which tell no shapes.
    rule(&[Has("conditioner.embedders.1.*"), Has("model.diffusion_model.*")], "SDXL"),
    rule(&[Has("cond_stage_model.model.*"), Has("model.diffusion_model.*")], "SD 2"),
    rule(&[Has("cond_stage_model.transformer.*"), Has("model.diffusion_model.*")], "SD 1.5"),
    // LoRAs, by the parts of the model that they change.
    rule(&[Has("lora_te2_*"), Not("lora_te3_*")], "SDXL"),
    rule(&[Has("lora_unet_input_blocks_4_1_transformer_blocks_1_*")], "SDXL"),
    rule(&[Has("lora_unet_down_blocks_1_attentions_0_transformer_blocks_1_*")], "SDXL"),
    rule(&[Has("unet.down_blocks.1.attentions.0.transformer_blocks.1.*")], "SDXL"),
    rule(
        &[Side("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", 1, 768)],
        "SD 1.5",
    ),
    rule(
        &[Side("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", 1, 1024)],
        "SD 2",
    ),
    // Flux.1 has 19 double blocks, Hunyuan Video 20 of the same names.
    rule(&[Has("lora_unet_double_blocks_18_*"), Not("lora_unet_double_blocks_19_*")], "Flux.1"),
    rule(&[Has("lora_unet_double_blocks_19_*")], "Hunyuan"),
    rule(&[Has("double_blocks.18.*"), Not("double_blocks.19.*"), Has("*.lora_A.weight")], "Flux.1"),
    rule(&[Has("double_blocks.19.*"), Has("*.lora_A.weight")], "Hunyuan"),
    rule(
        &[Has("single_transformer_blocks.37.*"), Not("single_transformer_blocks.38.*"), Has("*.lora_A.weight")],
        "Flux.1",
    ),
    rule(&[Has("lora_unet_blocks_0_cross_attn_k.*")], "Wan"),
    rule(&[Has("blocks.0.cross_attn.k.*"), Has("*.lora_A.weight")], "Wan"),
    rule(&[Has("blocks.0.cross_attn.k.*"), Has("*.lora_down.weight")], "Wan"),
    rule(&[Has("transformer_blocks.0.img_mod.*")], "Qwen Image"),
    rule(&[Has("lora_unet_transformer_blocks_0_img_mod*")], "Qwen Image"),
    // VAEs.
    rule(&[Has("decoder.middle.0.residual.0.gamma")], "Wan"),
];

/// Kinds of text encoders and VAEs.
const ARCHITECTURES: &[Rule<&str>] = &[
    rule(&[Has("encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight")], "UMT5"),
    rule(&[Has("encoder.block.23.layer.1.DenseReluDense.wi_1.weight")], "T5-XXL"),
    rule(&[Has("text_model.encoder.layers.31.mlp.fc1.weight")], "CLIP-G"),
    rule(&[Has("text_model.encoder.layers.23.mlp.fc1.weight"), Not("text_model.encoder.layers.24.*")], "CLIP-H"),
    rule(&[Has("text_model.encoder.layers.11.mlp.fc1.weight"), Not("text_model.encoder.layers.12.*")], "CLIP-L"),
    rule(&[Side("decoder.conv_in.weight", 1, 4)], "4-channel latents"),
    rule(&[Side("decoder.conv_in.weight", 1, 16)], "16-channel latents"),
];

/// What tools put before the names of a model's own tensors.
const PREFIXES: &[&str] =
    &["model.diffusion_model.", "diffusion_model.", "transformer.", "first_stage_model.", "model.", "net."];

/// Every mark of the rules with its number.
struct Marks {
    exact: HashMap<&'static str, usize>,
    begins: Vec<(&'static str, usize)>,
    ends: Vec<(&'static str, usize)>,
    contains: Vec<(&'static str, usize)>,
    all: HashMap<&'static str, usize>,
}

static MARKS: LazyLock<Marks> = LazyLock::new(|| {
    let mut marks =
        Marks { exact: HashMap::new(), begins: vec![], ends: vec![], contains: vec![], all: HashMap::new() };
    let of_rules = |rules: &'static [Rule<&str>]| rules.iter().flat_map(|rule| rule.when);
    let conditions = KINDS.iter().flat_map(|rule| rule.when).chain(of_rules(BASES)).chain(of_rules(ARCHITECTURES));
    for condition in conditions {
        let mark = match condition {
            Has(mark) | Not(mark) | Side(mark, ..) => *mark,
        };
        let number = marks.all.len();
        if marks.all.contains_key(mark) {
            continue;
        }
        marks.all.insert(mark, number);
        match (mark.strip_prefix('*'), mark.strip_suffix('*')) {
            (Some(rest), Some(_)) => marks.contains.push((rest.trim_end_matches('*'), number)),
            (Some(end), None) => marks.ends.push((end, number)),
            (None, Some(begin)) => marks.begins.push((begin, number)),
            (None, None) => drop(marks.exact.insert(mark, number)),
        }
    }
    marks
});

/// What was seen of a file's tensors.
#[derive(Debug, Default)]
pub struct Fingerprint {
    /// By the number of the mark, the shape of the first tensor that bears it, as far as four sides.
    seen: HashMap<usize, Vec<u64>>,
}

impl Fingerprint {
    /// Takes note of a tensor; `shape` is empty where it is not known.
    pub fn see(&mut self, name: &str, shape: &[u64]) {
        let marks = &*MARKS;
        let mut found = |number: usize| {
            self.seen.entry(number).or_insert_with(|| shape.iter().take(4).copied().collect());
        };
        let bare = PREFIXES.iter().filter_map(|prefix| name.strip_prefix(prefix));
        for name in std::iter::once(name).chain(bare) {
            if let Some(number) = marks.exact.get(name) {
                found(*number);
            }
            marks.begins.iter().filter(|(begin, _)| name.starts_with(begin)).for_each(|(_, number)| found(*number));
        }
        marks.ends.iter().filter(|(end, _)| name.ends_with(end)).for_each(|(_, number)| found(*number));
        marks.contains.iter().filter(|(part, _)| name.contains(part)).for_each(|(_, number)| found(*number));
    }

    fn holds(&self, condition: &Is) -> bool {
        let shape = |mark: &str| MARKS.all.get(mark).and_then(|number| self.seen.get(number));
        match condition {
            Has(mark) => shape(mark).is_some(),
            Not(mark) => shape(mark).is_none(),
            Side(mark, side, length) => shape(mark).and_then(|shape| shape.get(*side)) == Some(length),
        }
    }

    fn first<T: Copy>(&self, rules: &[Rule<T>]) -> Option<T> {
        rules.iter().find(|rule| rule.when.iter().all(|condition| self.holds(condition))).map(|rule| rule.then)
    }

    /// Fills in what follows from the tensors. They are surer than what a file says of itself, so they win.
    pub fn conclude(&self, header: &mut Header) {
        let base = self.first(BASES);
        let kind = self.first(KINDS);
        // A family without any other mark of a kind is that of a bare diffusion model.
        let bare = base.map(|_| Kind::DiffusionModel).filter(|_| header.kind.is_none());
        header.kind = kind.or(bare).or(header.kind);
        if let Some(base) = base {
            header.base = Some(base.to_owned());
        }
        if header.architecture.is_none() && matches!(header.kind, Some(Kind::TextEncoder | Kind::Vae)) {
            header.architecture = self.first(ARCHITECTURES).map(str::to_owned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concluded(tensors: &[(&str, &[u64])]) -> (Option<Kind>, Option<String>) {
        let mut fingerprint = Fingerprint::default();
        tensors.iter().for_each(|(name, shape)| fingerprint.see(name, shape));
        let mut header = Header::default();
        fingerprint.conclude(&mut header);
        (header.kind, header.base)
    }

    fn is(kind: Kind, base: Option<&str>) -> (Option<Kind>, Option<String>) {
        (Some(kind), base.map(str::to_owned))
    }

    #[test]
    fn models_are_told_by_their_tensors_whatever_stands_before_the_names() {
        let sd15 = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight";
        let vae = "first_stage_model.decoder.conv_in.weight";
        assert_eq!(concluded(&[(sd15, &[320, 768]), (vae, &[512, 4, 3, 3])]), is(Kind::Checkpoint, Some("SD 1.5")));
        assert_eq!(concluded(&[(sd15, &[320, 1024]), (vae, &[])]), is(Kind::Checkpoint, Some("SD 2")));
        let sdxl = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight";
        assert_eq!(concluded(&[(sdxl, &[640, 2048])]), is(Kind::DiffusionModel, Some("SDXL")));
        let flux: [(&str, &[u64]); 2] =
            [("double_blocks.0.img_attn.norm.key_norm.scale", &[128]), ("img_in.weight", &[3072, 64])];
        assert_eq!(concluded(&flux), is(Kind::DiffusionModel, Some("Flux.1")));
        let wan: [(&str, &[u64]); 2] = [
            ("model.diffusion_model.head.modulation", &[1, 2, 5120]),
            ("model.diffusion_model.blocks.0.cross_attn.q.weight", &[]),
        ];
        assert_eq!(concluded(&wan), is(Kind::DiffusionModel, Some("Wan")));
    }

    #[test]
    fn loras_are_told_by_the_parts_that_they_change() {
        let kohya = "lora_unet_double_blocks_18_img_attn_proj.lora_down.weight";
        assert_eq!(concluded(&[(kohya, &[16, 3072])]), is(Kind::Lora, Some("Flux.1")));
        let longer = "lora_unet_double_blocks_19_img_attn_proj.lora_down.weight";
        assert_eq!(concluded(&[(kohya, &[]), (longer, &[])]), is(Kind::Lora, Some("Hunyuan")));
        let wan = "diffusion_model.blocks.0.cross_attn.k.lora_A.weight";
        assert_eq!(concluded(&[(wan, &[32, 5120])]), is(Kind::Lora, Some("Wan")));
        assert_eq!(concluded(&[("lora_te2_text_model.lora_up.weight", &[])]), is(Kind::Lora, Some("SDXL")));
        assert_eq!(concluded(&[("something.lora_up.weight", &[])]), is(Kind::Lora, None));
    }

    #[test]
    fn what_has_no_mark_is_not_guessed() {
        assert_eq!(concluded(&[("weight", &[3, 3]), ("bias", &[3])]), (None, None));
        assert_eq!(concluded(&[]), (None, None));
    }

    #[test]
    fn vaes_text_encoders_and_small_models_are_told_apart() {
        let vae: [(&str, &[u64]); 2] =
            [("decoder.conv_in.weight", &[512, 16, 3, 3]), ("encoder.conv_in.weight", &[128, 3, 3, 3])];
        assert_eq!(concluded(&vae), is(Kind::Vae, None));
        let t5 = "encoder.block.0.layer.0.SelfAttention.k.weight";
        assert_eq!(concluded(&[(t5, &[4096, 4096])]), is(Kind::TextEncoder, None));
        assert_eq!(concluded(&[("emb_params", &[4, 768])]), is(Kind::Embedding, None));
        assert_eq!(concluded(&[("image_proj.proj.weight", &[])]), is(Kind::IpAdapter, None));
        assert_eq!(concluded(&[("control_model.zero_convs.0.0.weight", &[])]), is(Kind::Controlnet, None));
    }
}
