//! The model index: `index-dir`, `models index`, `models list`.

use comfrey::store::Store;

use crate::installation::Installation;
use crate::support::{Run, Sandbox};
use crate::trial::{links_can_be_made, symlink};

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
fn what_cannot_be_indexed_is_named_and_the_rest_goes_on() {
    let sandbox = sandbox();
    let with_links = links_can_be_made("what_cannot_be_indexed_is_named, with links");
    if with_links {
        symlink("..", sandbox.join("models/loras/up"));
    }
    let run = sandbox.comfrey(["index-dir", "models", "nowhere"]).fails_with(3);
    assert_eq!(run.stdout.lines().count(), 2);
    assert_eq!(run.stderr.contains("models/loras/up: this link leads back"), with_links, "{}", run.stderr);
    assert!(run.stderr.contains("nowhere: "), "{}", run.stderr);
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

// Not on Windows: it has neither quotes nor line breaks in names.
// Instead: the other names, in `odd_files_and_folders_are_taken_as_they_are`.
#[test]
#[cfg(unix)]
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

/// A safetensors file of F16 zeros with these tensors and this metadata.
fn safetensors(tensors: &[(&str, &[u64])], metadata: serde_json::Value) -> Vec<u8> {
    let mut object = serde_json::json!({ "__metadata__": metadata });
    let mut end = 0;
    for (name, shape) in tensors {
        let begin = end;
        end += 2 * shape.iter().product::<u64>();
        object[name] = serde_json::json!({"dtype": "F16", "shape": shape, "data_offsets": [begin, end]});
    }
    let json = object.to_string();
    [&(json.len() as u64).to_le_bytes(), json.as_bytes(), &vec![0; end as usize]].concat()
}

/// A LoRA for SD 1.5.
fn lora() -> Vec<u8> {
    let name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight";
    let metadata = serde_json::json!({
        "modelspec.title": "Ink", "modelspec.trigger_phrase": "inkstyle",
        "modelspec.hash_sha256": format!("0x{}", "ab".repeat(32)), "ss_network_dim": "8",
    });
    safetensors(&[(name, &[8, 768])], metadata)
}

#[test]
fn models_show_says_what_a_file_is_and_who_uses_it() {
    let demo = Installation::new();
    demo.write("models/loras/ink.safetensors", lora());
    demo.write("models/loras/sub/ink copy.safetensors", lora());
    demo.write("models/embeddings/bad.pt", b"\x80\x02cposix\nsystem\nX\x01\x00\x00\x00x\x85R.");
    demo.write("models/loras/cut.safetensors", &lora()[..4000]);
    settle();
    demo.comfrey(["models", "index", "--full"]).success();
    let shown = demo.comfrey(["models", "show", "loras/ink.safetensors"]).success().stdout;
    for line in [
        "lora, for SD 1.5, safetensors",
        "1, 6,144 parameters of F16",
        "inkstyle",
        "abababababab",
        "loras/sub/ink copy",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    demo.comfrey(["models", "add-source", "ink.safetensors", "https://example.org/ink.safetensors"]).success();
    let ink = demo.json(["models", "show", "loras/ink.safetensors", "--hash"]);
    let mut documented = crate::documents::documented_lines("models show").remove(0);
    for absent in ["auto_v1", "used_by"] {
        documented.as_object_mut().unwrap().remove(absent);
    }
    let mut printed = ink.clone();
    assert_eq!(printed.as_object_mut().unwrap().remove("used_by").unwrap(), serde_json::json!([]));
    documented["header"]["metadata"] = printed["header"]["metadata"].clone();
    crate::documents::same_fields("models show", &documented, &printed);
    assert_eq!(ink["auto_v2"].as_str().unwrap(), &ink["sha256"].as_str().unwrap()[..10]);
    assert_eq!(ink["sources"], serde_json::json!(["https://example.org/ink.safetensors"]));
    let bad = demo.comfrey(["models", "show", "bad.pt"]).success().stdout;
    assert!(bad.contains("dangerous posix.system"), "{bad}");
    demo.commit("first");
    let used = demo.json(["models", "show", "sd15.safetensors"]);
    assert_eq!(used["used_by"], serde_json::json!(["users/bob/workflows/his.json", "workflows/portrait.json"]));
    let run = demo.comfrey(["models", "show", "inc.safetensors"]).fails_with(3);
    assert!(run.stderr.contains("did you mean `ink.safetensors`?"), "{}", run.stderr);
}

#[test]
fn models_list_is_filtered_by_what_files_are() {
    let demo = Installation::new();
    demo.write("models/loras/ink.safetensors", lora());
    demo.write("models/loras/cut.safetensors", &lora()[..4000]);
    demo.write("models/embeddings/bad.pt", b"\x80\x02}X\x0a\x00\x00\x00emb_paramscposix\nsystem\ns.");
    demo.write("models/vae/gone.pt", b"soon gone");
    settle();
    demo.comfrey(["models", "index"]).success();
    std::fs::remove_file(demo.comfyui().join("models/vae/gone.pt")).unwrap();
    demo.comfrey(["models", "index"]).success();
    demo.commit("first");
    let list = |arguments: &[&str]| -> Vec<String> {
        let run = demo.comfrey(["models", "list"].iter().chain(arguments).copied());
        run.stdout.lines().map(|line| line.split("  ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(list(&["--kind", "lora"]), ["loras/cut.safetensors", "loras/ink.safetensors"]);
    assert_eq!(list(&["--base", "sd 1.5", "ink"]), ["loras/ink.safetensors"]);
    assert_eq!(list(&["--folder", "embeddings"]), ["embeddings/bad.pt"]);
    assert_eq!(list(&["--dangerous"]), ["embeddings/bad.pt"]);
    assert_eq!(list(&["--missing"]), ["vae/gone.pt"]);
    assert_eq!(list(&["--unused"]), ["embeddings/bad.pt", "loras/cut.safetensors", "loras/ink.safetensors"]);
    demo.comfrey(["models", "list", "--kind", "thing"]).fails_with(2);
    let run = demo.comfrey(["models", "list", "bad.pt", "--json"]).success();
    let line: serde_json::Value = serde_json::from_str(run.line()).unwrap();
    let mut documented = crate::documents::documented("models list");
    for absent in ["id", "sha256", "base", "damage"] {
        documented.as_object_mut().unwrap().remove(absent);
    }
    crate::documents::same_fields("models list", &documented, &line);
    let cut = demo.comfrey(["models", "list", "cut", "--json"]).success();
    assert!(cut.stdout.contains("\"damage\":\"the file is cut short: "), "{}", cut.stdout);
}

#[test]
fn a_source_is_remembered_and_the_next_commit_takes_it_in() {
    let demo = Installation::new();
    demo.comfrey(["models", "index", "--full"]).success();
    let url = "https://example.org/sd15.safetensors";
    let run = demo.comfrey(["models", "add-source", "sd15.safetensors", url, "--json"]).success();
    let answer: serde_json::Value = serde_json::from_str(run.line()).unwrap();
    crate::documents::same_fields("models add-source", &crate::documents::documented("models add-source"), &answer);
    demo.comfrey(["models", "add-source", "sd15.safetensors", "example.org"]).fails_with(2);
    demo.commit("first");
    assert!(std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap().contains(url));
    // One that was named after the commit is told too.
    let other = "https://example.org/other";
    demo.comfrey(["models", "add-source", "checkpoints/sd15.safetensors", other]).success();
    demo.comfrey(["config", "store.models", "reference"]).success();
    std::fs::remove_file(demo.comfyui().join("models/checkpoints/sd15.safetensors")).unwrap();
    let status = demo.json(["status"]);
    assert_eq!(status["models"]["missing"][0]["sources"], serde_json::json!([url, other]));
    demo.comfrey(["models", "add-source", "sd15.safetensors", other, "--remove"]).success();
    assert_eq!(demo.json(["status"])["models"]["missing"][0]["sources"], serde_json::json!([url]));
}

#[test]
fn models_verify_names_what_is_damaged() {
    let demo = Installation::new();
    demo.write("models/loras/ink.safetensors", lora());
    demo.write("models/loras/cut.safetensors", &lora()[..4000]);
    settle();
    demo.comfrey(["models", "index"]).success();
    let run = demo.comfrey(["models", "verify"]).fails_with(5);
    assert!(run.stdout.contains("damaged  loras/cut.safetensors: the file is cut short"), "{}", run.stdout);
    assert!(run.stdout.contains("3 model files right"), "{}", run.stdout);
    demo.comfrey(["models", "verify", "ink.safetensors"]).success();
    demo.write("models/loras/ink.safetensors", "written to");
    let run = demo.comfrey(["models", "verify", "ink.safetensors", "--json"]).success();
    let line: serde_json::Value = serde_json::from_str(run.line()).unwrap();
    assert_eq!(line["state"], "changed");
    let mut documented = crate::documents::documented("models verify");
    for absent in ["found", "reason"] {
        documented.as_object_mut().unwrap().remove(absent);
    }
    crate::documents::same_fields("models verify", &documented, &line);
    std::fs::remove_file(demo.comfyui().join("models/loras/ink.safetensors")).unwrap();
    demo.comfrey(["models", "verify", "ink.safetensors"]).fails_with(3);
}

/// An installation with the same LoRA in three places.
fn thrice() -> Installation {
    let demo = Installation::new();
    for place in ["loras/a.safetensors", "loras/sub/b.safetensors", "embeddings/c.safetensors"] {
        demo.write(std::path::Path::new("models").join(place), lora());
    }
    settle();
    demo
}

#[test]
fn duplicates_are_told_linked_and_parted_again() {
    let demo = thrice();
    let size = lora().len() as u64;
    let told = demo.comfrey(["models", "duplicates"]).success();
    assert!(told.stdout.contains("1 group of equal files"), "{}", told.stdout);
    assert!(told.stderr.contains("--link"), "{}", told.stderr);
    let dry = demo.json(["models", "duplicates", "--link", "--dry-run"]);
    assert_eq!((&dry["wasted"], &dry["done"]), (&serde_json::json!(2 * size), &serde_json::json!([])));
    let linked = demo.json(["models", "duplicates", "--link"]);
    crate::documents::same_fields("models duplicates", &crate::documents::documented("models duplicates"), &linked);
    assert_eq!(linked["done"].as_array().unwrap().len(), 2);
    assert!(linked["done"].as_array().unwrap().iter().all(|done| done["freed"] == size));
    assert_eq!(demo.json(["models", "duplicates"])["wasted"], 0);
    let states = demo.comfrey(["models", "index"]).success().stdout;
    assert!(!states.contains("changed"), "{states}");
    demo.comfrey(["models", "duplicates", "--undo", "--dry-run"]).success();
    let undone = demo.comfrey(["models", "duplicates", "--undo"]).success();
    assert!(undone.stdout.starts_with("2 files "), "{}", undone.stdout);
    demo.comfrey(["models", "duplicates", "--undo"]).fails_with(1);
    for place in ["loras/a.safetensors", "loras/sub/b.safetensors", "embeddings/c.safetensors"] {
        assert!(std::fs::read(demo.comfyui().join("models").join(place)).unwrap() == lora());
    }
}

/// Invariant R33.
#[test]
fn a_run_killed_at_any_step_leaves_whole_files() {
    let whole = |demo: &Installation| {
        for place in ["loras/a.safetensors", "loras/sub/b.safetensors", "embeddings/c.safetensors"] {
            assert!(std::fs::read(demo.comfyui().join("models").join(place)).unwrap() == lora(), "{place}");
        }
    };
    let demo = thrice();
    demo.comfrey(["models", "duplicates"]).success();
    for (what, arguments) in [("link", ["--link", "-q"]), ("undo", ["--undo", "-q"])] {
        for step in 1.. {
            let mut command = demo.command(["models", "duplicates"]);
            let run = Run::of({
                command.args(arguments).env("COMFREY_FAULT_AT", format!("{step}!"));
                command
            });
            whole(&demo);
            let was_killed = if cfg!(windows) { run.code > 100 || run.code < 0 } else { run.code == -1 };
            if !was_killed {
                assert!(step > 3, "{what} has {step} steps: {}", run.stderr);
                break;
            }
        }
    }
    // What the killed runs left over is gone, and what they linked can be undone.
    while demo.comfrey(["models", "duplicates", "--undo"]).code == 0 {}
    whole(&demo);
    // Reflinks share their room still.
    let wasted = demo.json(["models", "duplicates"])["wasted"].as_u64().unwrap();
    assert!([0, 2 * lora().len() as u64].contains(&wasted), "{wasted}");
    let names = std::fs::read_dir(demo.comfyui().join("models/loras")).unwrap().flatten();
    assert!(names.into_iter().all(|name| !name.file_name().to_string_lossy().starts_with(".comfrey")));
}

/// Whatever lies in a models folder: what is a model is taken in under its own name, and nothing else is.
#[test]
fn odd_files_and_folders_are_taken_as_they_are() {
    let sandbox = sandbox();
    let long = format!("{}.pt", "x".repeat(200));
    let names =
        ["empty.pt", "-rf.pt", "a  b.pt", "ünï ☂.pt", "it's \"q\".pt", "UPPER.SafeTensors", "two.dots.ckpt", &long];
    for name in names.into_iter().filter(|name| !cfg!(windows) || !name.contains('"')) {
        sandbox.write(format!("odd/loras/{name}"), if name == "empty.pt" { "" } else { name });
    }
    for name in [
        ".git/x.pt",
        ".hidden/x.pt",
        ".x.pt",
        "a.pt.part",
        "b.safetensors.tmp",
        "c.pt.crdownload",
        "notes.txt",
        "pt",
        "x.json",
    ] {
        sandbox.write(format!("odd/loras/{name}"), "no model");
    }
    sandbox.write("odd/loras/d.safetensors", "half");
    sandbox.write("odd/loras/d.safetensors.aria2", "aria2's notes");
    sandbox.write("odd/sealed/x.gguf", "x");
    let sealed = sandbox.join("odd/sealed");
    let mut permissions = std::fs::metadata(&sealed).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&sealed, permissions.clone()).unwrap();
    settle();
    let run = sandbox.comfrey(["index-dir", "-z", "--full", "odd"]).success();
    let found: Vec<&str> = run.stdout.split_terminator('\0').map(|line| line.rsplit('\t').next().unwrap()).collect();
    let mut expected: Vec<String> = names
        .into_iter()
        .filter(|name| !cfg!(windows) || !name.contains('"'))
        .map(|name| format!("odd/loras/{name}"))
        .collect();
    expected.push("odd/sealed/x.gguf".into());
    expected.sort();
    assert_eq!(found, expected);
    let empty = run.stdout.split_terminator('\0').find(|line| line.ends_with("empty.pt")).unwrap();
    assert!(empty.contains(&comfrey::object::ObjectId::of_blob(b"").to_hex()), "{empty}");
    sandbox.write("comfrey.toml", "[models]\nfolders = [\"odd\"]\n");
    sandbox.comfrey(["models", "index"]).success();
    sandbox.comfrey(["models", "show", "empty.pt", "ünï ☂.pt"]).success();
    assert!(sandbox.comfrey(["models", "duplicates"]).success().stdout.starts_with("no two model files"));
    #[allow(clippy::permissions_set_readonly_false, reason = "so that the sandbox can be removed")]
    permissions.set_readonly(false);
    std::fs::set_permissions(&sealed, permissions).unwrap();
}
