//! ComfyUI's own nodes that name a model file: class, input, position among the widgets, folders.
//!
//! Read from ComfyUI's node sources, version 0.3.64, and for newer classes from the node definitions of frontend 1.58.1.

/// One input of one class. `*` in an input stands for a number.
pub(super) struct Row {
    pub class: &'static str,
    pub input: &'static str,
    /// Position in the editor's `widgets_values`; nothing where rows are added by the user.
    pub widget: Option<usize>,
    pub folders: &'static [&'static str],
    /// Choices that stand for no file.
    pub sentinels: &'static [&'static str],
}

const fn row(class: &'static str, input: &'static str, widget: usize, folders: &'static [&'static str]) -> Row {
    Row { class, input, widget: Some(widget), folders, sentinels: &[] }
}

/// `DiffusersLoader` is not here: it names a directory, not a file.
pub(super) const COMFY_CORE: &[Row] = &[
    row("AudioEncoderLoader", "audio_encoder_name", 0, &["audio_encoders"]),
    row("CLIPLoader", "clip_name", 0, &["text_encoders"]),
    row("CLIPVisionLoader", "clip_name", 0, &["clip_vision"]),
    row("CheckpointLoader", "config_name", 0, &["configs"]),
    row("CheckpointLoader", "ckpt_name", 1, &["checkpoints"]),
    row("CheckpointLoaderSimple", "ckpt_name", 0, &["checkpoints"]),
    row("ConditioningLoader", "conditioning_name", 0, &["embeddings"]),
    row("ControlNetLoader", "control_net_name", 0, &["controlnet"]),
    row("CreateHookLora", "lora_name", 0, &["loras"]),
    row("CreateHookLoraModelOnly", "lora_name", 0, &["loras"]),
    row("CreateHookModelAsLora", "ckpt_name", 0, &["checkpoints"]),
    row("CreateHookModelAsLoraModelOnly", "ckpt_name", 0, &["checkpoints"]),
    row("DiffControlNetLoader", "control_net_name", 0, &["controlnet"]),
    row("DualCLIPLoader", "clip_name1", 0, &["text_encoders"]),
    row("DualCLIPLoader", "clip_name2", 1, &["text_encoders"]),
    row("FrameInterpolationModelLoader", "model_name", 0, &["frame_interpolation"]),
    row("GLIGENLoader", "gligen_name", 0, &["gligen"]),
    row("HypernetworkLoader", "hypernetwork_name", 0, &["hypernetworks"]),
    row("ImageOnlyCheckpointLoader", "ckpt_name", 0, &["checkpoints"]),
    row("LTXAVTextEncoderLoader", "text_encoder", 0, &["text_encoders"]),
    row("LTXAVTextEncoderLoader", "ckpt_name", 1, &["checkpoints"]),
    row("LTXVAudioVAELoader", "ckpt_name", 0, &["checkpoints"]),
    row("LatentUpscaleModelLoader", "model_name", 0, &["latent_upscale_models"]),
    row("LoadBackgroundRemovalModel", "bg_removal_name", 0, &["background_removal"]),
    row("LoadDA3Model", "model_name", 0, &["geometry_estimation"]),
    Row { class: "LoadLoraModel", input: "loras.*.lora_name", widget: None, folders: &["loras"], sentinels: &[] },
    Row { class: "LoadLoraTextEncoder", input: "loras.*.lora_name", widget: None, folders: &["loras"], sentinels: &[] },
    row("LoadMediaPipeFaceLandmarker", "model_name", 0, &["detection"]),
    row("LoadMoGeModel", "model_name", 0, &["geometry_estimation"]),
    row("LoraLoader", "lora_name", 0, &["loras"]),
    row("LoraLoaderBypass", "lora_name", 0, &["loras"]),
    row("LoraLoaderBypassModelOnly", "lora_name", 0, &["loras"]),
    row("LoraLoaderModelOnly", "lora_name", 0, &["loras"]),
    row("ModelPatchLoader", "name", 0, &["model_patches"]),
    row("OpticalFlowLoader", "model_name", 0, &["optical_flow"]),
    row("PhotoMakerLoader", "photomaker_model_name", 0, &["photomaker"]),
    row("QuadrupleCLIPLoader", "clip_name1", 0, &["text_encoders"]),
    row("QuadrupleCLIPLoader", "clip_name2", 1, &["text_encoders"]),
    row("QuadrupleCLIPLoader", "clip_name3", 2, &["text_encoders"]),
    row("QuadrupleCLIPLoader", "clip_name4", 3, &["text_encoders"]),
    row("SAM3DBody_Loader", "model_file", 0, &["detection"]),
    row("StyleModelLoader", "style_model_name", 0, &["style_models"]),
    row("TrainLoraNode", "existing_lora", 12, &["loras"]),
    row("TripleCLIPLoader", "clip_name1", 0, &["text_encoders"]),
    row("TripleCLIPLoader", "clip_name2", 1, &["text_encoders"]),
    row("TripleCLIPLoader", "clip_name3", 2, &["text_encoders"]),
    row("UNETLoader", "unet_name", 0, &["diffusion_models"]),
    row("UpscaleModelLoader", "model_name", 0, &["upscale_models"]),
    Row {
        class: "VAELoader",
        input: "vae_name",
        widget: Some(0),
        folders: &["vae", "vae_approx"],
        // Choices that stand for pairs of files in vae_approx, or for no file at all.
        sentinels: &["taesd", "taesdxl", "taesd3", "taef1", "pixel_space"],
    },
    row("unCLIPCheckpointLoader", "ckpt_name", 0, &["checkpoints"]),
];
