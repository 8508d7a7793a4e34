//! The model index: `index-dir`, `models index`, `models list`.

use comfrey::store::Store;

use crate::installation::Installation;
use crate::support::{Run, Sandbox};

/// A workspace with two models in `models/`, written long enough ago for their stamps to be trusted.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    Store::create(&sandbox.join(".comfrey")).unwrap();
    sandbox.write("models/checkpoints/SDXL/dream.safetensors", "dream");
    sandbox.write("models/loras/ink.safetensors", "ink");
    sandbox.write("models/loras/notes.txt", "no model");
    settle();
    sandbox
}

fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(60));
}

/// State and path of each record.
fn states(run: &Run) -> Vec<(&str, &str)> {
    run.stdout.lines().map(|line| (line.split('\t').next().unwrap(), line.rsplit('\t').next().unwrap())).collect()
}

#[test]
fn index_dir_prints_a_record_a_file_and_knows_what_changed() {
    let sandbox = sandbox();
    let first = sandbox.comfrey(["index-dir", "models"]).success();
    for line in first.stdout.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!((fields.len(), fields[2].len(), fields[3], fields[4]), (6, 64, "-", "-"), "{line}");
    }
    let dream = "models/checkpoints/SDXL/dream.safetensors";
    assert_eq!(states(&first), [("new", dream), ("new", "models/loras/ink.safetensors")]);
    std::fs::remove_file(sandbox.join("models/loras/ink.safetensors")).unwrap();
    sandbox.write(dream, "other");
    settle();
    let second = sandbox.comfrey(["index-dir", "models"]).success();
    assert_eq!(states(&second), [("changed", dream), ("removed", "models/loras/ink.safetensors")]);
    let third = sandbox.comfrey(["index-dir", "models"]).success();
    assert_eq!(states(&third), [("unchanged", dream), ("removed", "models/loras/ink.safetensors")]);
}

#[test]
fn index_dir_full_prints_the_ids_that_hash_object_prints() {
    let sandbox = sandbox();
    let indexed = sandbox.comfrey(["index-dir", "--full", "--sha256", "models/loras"]).success();
    let hashed = sandbox.comfrey(["hash-object", "--sha256", "models/loras/ink.safetensors"]).success();
    let fields: Vec<&str> = indexed.line().split('\t').collect();
    assert_eq!(hashed.line(), format!("{} {}", fields[3], fields[4]));
    assert_eq!(fields[5], "models/loras/ink.safetensors");
}

#[test]
fn index_dir_json_has_the_documented_shape() {
    let sandbox = sandbox();
    let run = sandbox.comfrey(["index-dir", "--json", "--full", "models"]).success();
    let lines: Vec<serde_json::Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["path"], "checkpoints/SDXL/dream.safetensors");
    assert_eq!((&lines[0]["size"], &lines[0]["state"]), (&5.into(), &"new".into()));
    assert!(lines[0]["mtime"].is_number() && lines[0]["quick"].is_string() && lines[0]["id"].is_string());
    assert!(lines[0].get("sha256").is_none());
    // A folder of one kind has its place too.
    let loras = sandbox.comfrey(["index-dir", "--json", "models/loras"]).success();
    let line: serde_json::Value = serde_json::from_str(loras.line()).unwrap();
    assert_eq!(line["path"], "loras/ink.safetensors");
}

#[test]
fn index_dir_takes_folders_from_a_pipe_and_ends_records_with_nul() {
    let sandbox = sandbox();
    let run = sandbox.comfrey_with_input(["index-dir", "--stdin-paths", "-z"], "models/loras\0models/checkpoints\0");
    let run = run.success();
    assert_eq!(run.stdout.split_terminator('\0').count(), 2);
    assert!(run.stdout.ends_with("\tmodels/checkpoints/SDXL/dream.safetensors\0"), "{:?}", run.stdout);
}

#[test]
#[cfg(unix)]
fn what_cannot_be_indexed_is_named_and_the_rest_goes_on() {
    let sandbox = sandbox();
    std::os::unix::fs::symlink("..", sandbox.join("models/loras/up")).unwrap();
    let run = sandbox.comfrey(["index-dir", "models", "nowhere"]).fails_with(3);
    assert_eq!(run.stdout.lines().count(), 2);
    assert!(run.stderr.contains("models/loras/up: this link leads back"), "{}", run.stderr);
    assert!(run.stderr.contains("nowhere: No such file"), "{}", run.stderr);
}

#[test]
fn models_index_and_list_cover_the_folders_of_the_workspace() {
    let sandbox = sandbox();
    sandbox.write("comfrey.toml", "[models]\nfolders = [\"models\"]\n");
    let nothing = sandbox.comfrey(["models", "list"]).success();
    assert!(nothing.stderr.contains("comfrey models index"), "{}", nothing.stderr);
    let index = sandbox.comfrey(["models", "index", "--full"]).success();
    assert_eq!(index.stdout, "2 model files, 8 B\n       2 new\n");
    let list = sandbox.comfrey(["models", "list"]).success();
    let id = |text: &[u8]| comfrey::object::ObjectId::of_blob(text).short();
    let expected = format!(
        "checkpoints/SDXL/dream.safetensors  5 B  {}\nloras/ink.safetensors               3 B  {}\n",
        id(b"dream"),
        id(b"ink")
    );
    assert_eq!(list.stdout, expected);
    std::fs::remove_file(sandbox.join("models/loras/ink.safetensors")).unwrap();
    sandbox.comfrey(["models", "index"]).success();
    let list = sandbox.comfrey(["models", "list", "INK"]).success();
    assert!(list.line().starts_with("loras/ink.safetensors") && list.line().ends_with("absent"), "{}", list.stdout);
    let by_id = sandbox.comfrey(["models", "list", &id(b"dream"), "--json"]).success();
    let line: serde_json::Value = serde_json::from_str(by_id.line()).unwrap();
    assert_eq!(line["path"], "checkpoints/SDXL/dream.safetensors");
    sandbox.comfrey(["models", "list", "no-such-name"]).fails_with(1);
}

#[test]
fn a_workspace_without_models_says_what_to_do() {
    let sandbox = Sandbox::new();
    Store::create(&sandbox.join(".comfrey")).unwrap();
    let run = sandbox.comfrey(["models", "index"]).fails_with(3);
    assert!(run.stderr.contains("comfrey adopt"), "{}", run.stderr);
}

/// Two files that a sampled hash takes for one (a byte differs between the samples) are two models by their ids.
#[test]
fn models_that_differ_between_the_samples_are_two() {
    let sandbox = sandbox();
    let mut bytes = vec![7u8; 28 << 20];
    sandbox.write("big/loras/a.safetensors", &bytes);
    bytes[6 << 20] ^= 1;
    sandbox.write("big/loras/b.safetensors", &bytes);
    let run = sandbox.comfrey(["index-dir", "--full", "big"]).success();
    let fields: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(fields[0][2], fields[1][2], "the same quick hash");
    assert_ne!(fields[0][3], fields[1][3], "different ids");
}

#[test]
#[cfg(unix)] // Windows has no such names.
fn a_path_that_cannot_stand_in_a_line_is_quoted_unless_records_end_with_nul() {
    let sandbox = sandbox();
    sandbox.write("odd/loras/a \"b\"\n.pt", "x");
    let line = sandbox.comfrey(["index-dir", "odd"]).success();
    assert!(line.line().ends_with("\t\"odd/loras/a \\\"b\\\"\\n.pt\""), "{}", line.stdout);
    let plain = sandbox.comfrey(["index-dir", "-z", "odd"]).success();
    assert!(plain.stdout.ends_with("\todd/loras/a \"b\"\n.pt\0"), "{:?}", plain.stdout);
}

/// Every command that asks where models are looks into the folders of `extra_model_paths.yaml`, as ComfyUI does.
#[test]
fn folders_of_extra_model_paths_count_for_every_command() {
    let demo = Installation::new();
    std::fs::remove_dir_all(demo.comfyui().join("models/checkpoints")).unwrap();
    demo.sandbox.write("elsewhere/ckpt/sd15.safetensors", "weights");
    demo.sandbox.write("elsewhere/things/data.any", "a file of a folder that ComfyUI does not know");
    demo.sandbox.write("first/sub/xl.safetensors", "the default");
    demo.sandbox.write("second/sub/xl.safetensors", "not seen");
    let yaml = "\
other:
    base_path: ../elsewhere
    checkpoints: |
        ckpt
        not_there
    my_things: things
    custom_nodes: ckpt
empty:
wrong:
    loras: [a]
more:
    checkpoints: ../second
preferred:
    is_default: true
    checkpoints: ../first
";
    demo.write("extra_model_paths.yaml", yaml);
    settle();
    let run = demo.comfrey(["models", "index"]);
    let run = run.success();
    assert!(run.stderr.contains("extra_model_paths.yaml:10: `loras` is a list"), "{}", run.stderr);
    let listed = demo.comfrey(["models", "list"]).success().stdout;
    for place in ["checkpoints/sd15.safetensors", "my_things/data.any", "checkpoints/sub/xl.safetensors"] {
        assert!(listed.contains(place), "{listed}");
    }
    let status = demo.json(["status"]);
    assert_eq!(status["unresolved"], serde_json::json!([]));
    demo.commit("first");
    let tree = demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout;
    let line = tree.lines().find(|line| line.ends_with("\tmodels/checkpoints/sub/xl.safetensors")).unwrap();
    assert!(line.contains(&comfrey::object::ObjectId::of_blob(b"the default").to_hex()), "{tree}");
    // The same folders may be named in a file of the settings.
    std::fs::rename(demo.comfyui().join("extra_model_paths.yaml"), demo.comfyui().join("mine.yaml")).unwrap();
    assert_eq!(demo.json(["status"])["models"]["missing"].as_array().unwrap().len(), 2);
    demo.comfrey(["config", "models.extra_paths", "../ComfyUI/mine.yaml"]).success();
    assert_eq!(demo.json(["status"])["models"]["missing"], serde_json::json!([]));
}
