//! `workflow show` and `workflow list`.

use serde_json::Value;

use crate::documents::{documented, same_fields};
use crate::installation::{Installation, workflow};

/// Two loaders, one of them switched off, a node of a package that is installed and one of a package that is not.
const PORTRAIT: &str = r#"{"nodes":[
    {"id":4,"type":"CheckpointLoaderSimple","widgets_values":["sd15.safetensors"]},
    {"id":5,"type":"LoraLoader","widgets_values":["absent.safetensors",1,1]},
    {"id":6,"type":"VAELoader","mode":4,"widgets_values":["off.safetensors"]},
    {"id":7,"type":"CLIPTextEncode","widgets_values":["a cat"]},
    {"id":8,"type":"CLIPTextEncode","widgets_values":["a dog"]},
    {"id":3,"type":"KSampler","outputs":[{"name":"LATENT","type":"LATENT"}]},
    {"id":9,"type":"SaveImage"},{"id":10,"type":"Note"},
    {"id":11,"type":"FaceDetailer","properties":{"cnr_id":"comfyui-impact-pack","ver":"8.22.2"}},
    {"id":12,"type":"NotHere","properties":{"cnr_id":"some-pack-nobody-has","ver":"1.0.0"}}],"links":[]}"#;

fn demo() -> Installation {
    let demo = Installation::new();
    demo.write("user/default/workflows/portrait.json", PORTRAIT);
    demo
}

#[test]
fn show_says_purpose_models_packages_and_what_is_missing() {
    let run = demo().comfrey(["workflow", "show", "portrait"]).success();
    let lines: Vec<&str> = run.stdout.lines().map(str::trim_end).collect();
    assert_eq!(lines[0], "workflows/portrait.json: the editor's format, 10 nodes");
    assert_eq!(lines[1], "text to image: 1 sampler, 2 prompts");
    let line = |start: &str| {
        let found = lines.iter().find(|line| line.trim_start().starts_with(start));
        found.unwrap_or_else(|| panic!("{start} in\n{}", run.stdout)).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("sd15"), "sd15.safetensors CheckpointLoaderSimple 4 3.0 MB checkpoints/sd15.safetensors");
    assert!(line("absent").ends_with("LoraLoader 5 missing"), "{}", run.stdout);
    assert!(line("off").ends_with("(switched off)"), "{}", run.stdout);
    assert!(line("ComfyUI").starts_with("ComfyUI 7 CLIPTextEncode ×2, "), "{}", run.stdout);
    assert_eq!(line("comfyui-impact-pack"), "comfyui-impact-pack 8.22.2 1 FaceDetailer");
    assert_eq!(line("some-pack"), "some-pack-nobody-has 1.0.0 1 NotHere not installed");
    assert_eq!(lines.last(), Some(&"Missing: 1 model, 1 package"));
}

#[test]
fn show_and_list_have_the_documented_shapes() {
    let demo = demo();
    let shown = demo.json(["workflow", "show", "portrait"]);
    same_fields("workflow show", &documented("workflow show"), &shown);
    assert_eq!(shown["missing"]["models"], serde_json::json!(["absent.safetensors"]));
    assert_eq!(shown["missing"]["packages"], serde_json::json!(["some-pack-nobody-has"]));
    let listed = demo.comfrey(["workflow", "list", "--json"]).success();
    let line: Value = serde_json::from_str(listed.stdout.lines().nth(1).unwrap()).unwrap();
    same_fields("workflow list", &documented("workflow list"), &line);
    assert_eq!(line["missing"], shown["missing"]);
}

#[test]
fn list_names_every_workflow_and_one_that_is_broken() {
    let demo = demo();
    demo.write("user/default/workflows/broken.json", "{\"nodes\": [\n}");
    let run = demo.comfrey(["workflow", "list"]).success();
    let names: Vec<&str> = run.stdout.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["users/bob/his", "broken", "portrait", "sub/other"]);
    let line = |name: &str| run.stdout.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("broken").contains("not JSON: line 2"), "{}", run.stdout);
    assert!(line("portrait").contains("10 nodes") && line("portrait").contains("3 models"), "{}", run.stdout);
    assert!(line("portrait").ends_with("missing absent.safetensors and 1 more"), "{}", run.stdout);
    assert!(line("sub/other").ends_with("1 model"), "{}", run.stdout);
}

#[test]
fn what_made_an_image_is_shown_with_packages_from_the_editors_graph() {
    let demo = Installation::new();
    let prompt = r#"{"4":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"sd15.safetensors"}},
        "11":{"class_type":"FaceDetailer","inputs":{}}}"#;
    let image = format!("<svg><metadata><![CDATA[{{\"prompt\":{prompt},\"workflow\":{PORTRAIT}}}]]></metadata></svg>");
    demo.sandbox.write("work/image.svg", &image);
    let shown = demo.json(["workflow", "show", "image.svg"]);
    assert_eq!((&shown["container"], &shown["format"], &shown["nodes"]), (&"svg".into(), &"api".into(), &2.into()));
    assert_eq!(shown["models"].as_array().unwrap().len(), 1);
    assert_eq!(shown["models"][0]["local"], "checkpoints/sd15.safetensors");
    let packages = shown["packages"].as_array().unwrap();
    assert!(packages.iter().any(|package| package["package"] == "comfyui-impact-pack" && package["installed"] == true));
}

#[test]
fn outside_a_workspace_a_file_is_shown_and_nothing_is_looked_up() {
    let sandbox = crate::support::Sandbox::new();
    sandbox.write("a.json", workflow("x.safetensors"));
    let run = sandbox.comfrey(["workflow", "show", "a.json"]).success();
    assert!(run.stdout.contains("x.safetensors") && !run.stdout.contains("Missing"), "{}", run.stdout);
    assert!(run.stderr.contains("not looked up"), "{}", run.stderr);
    sandbox.write("b.png", "\u{89}PNG");
    let run = sandbox.comfrey(["workflow", "show", "b.png"]).fails_with(5);
    assert!(run.stderr.starts_with("error: b.png: "), "{}", run.stderr);
}
