//! The whole way, with the real uv and the stand-in for ComfyUI: an environment is made and run, a node with requirements comes, a
//! picture is made, the node is updated, and a rollback brings back files, packages and node types.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::create::Sources;
use crate::standin::{ask, eventually};
use crate::support::{Run, file_url};
use crate::wheels::Wheels;

const PROMPT: &str = r#"{"prompt":{"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":1,"color":255}},
 "2":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"whole"}}},
 "extra_data":{"extra_pnginfo":{"workflow":{"nodes":[{"id":1,"type":"EmptyImage"},{"id":2,"type":"SaveImage"}],"links":[],"version":0.4}}}}"#;

/// A workspace beside a ComfyUI and a node, both git repositories, and wheels of what they require.
struct Studio {
    sources: Sources,
    wheels: Wheels,
}

impl Studio {
    /// Nothing where there is no uv.
    fn new() -> Option<Self> {
        let sources = Sources::with_git();
        let wheels = Wheels::new(sources.sandbox.path())?;
        for (name, version) in
            [("comfrey-fixture-alpha", "1.0"), ("comfrey-fixture-beta", "1.0"), ("foo", "1.0"), ("foo", "2.0")]
        {
            wheels.add(name, version, &[]);
        }
        // The node says which foo it has found.
        for (tag, class, wanted) in [("older", "OlderNode", "foo<2"), ("newer", "NewerNode", "foo>=2")] {
            let text = format!(
                "import foo\n\n\nclass {class}:\n    @classmethod\n    def INPUT_TYPES(cls):\n        \
                 return {{'required': {{'image': ('IMAGE',)}}}}\n    RETURN_TYPES = ('IMAGE',)\n    \
                 CATEGORY = 'foo ' + foo.VERSION\n\n\nNODE_CLASS_MAPPINGS = {{'{class}': {class}}}\n"
            );
            sources.sandbox.write("pack/__init__.py", text);
            sources.sandbox.write("pack/requirements.txt", format!("{wanted}\n"));
            if tag == "older" {
                sources.git_in("pack", &["init", "-q", "-b", "main"]);
            }
            sources.git_in("pack", &["add", "-A"]);
            sources.git_in("pack", &["commit", "-q", "-m", tag]);
            sources.git_in("pack", &["tag", tag]);
        }
        Some(Studio { sources, wheels })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.sources.command(words);
        self.wheels.apply(&mut command);
        // The stand-in imports what it requires.
        command.env("STANDIN_REQUIRE", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    #[track_caller]
    fn comfrey(&self, words: &[&str]) -> Run {
        Run::of(self.command(words)).success()
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(self.comfrey(&[words, &["--json"]].concat()).line()).unwrap()
    }

    /// The node types that a run of it knows with their categories, and what `with` does meanwhile.
    #[track_caller]
    fn run(&self, with: impl FnOnce(u16)) -> Vec<(String, String)> {
        let started = self.json(&["run", "--wait"]);
        let port = u16::try_from(started["port"].as_u64().unwrap()).unwrap();
        let (status, text) = ask(port, "GET", "/object_info", "").unwrap();
        assert_eq!(status, 200, "{text}");
        let types: Value = serde_json::from_str(&text).unwrap();
        let of = |(name, facts): (&String, &Value)| (name.clone(), facts["category"].as_str().unwrap_or("").to_owned());
        let types = types.as_object().unwrap().iter().map(of).collect();
        with(port);
        self.comfrey(&["stop"]);
        types
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        // Nothing goes on when a test has failed.
        drop(self.command(&["stop", "--all", "--timeout", "0"]).output());
    }
}

#[test]
fn an_environment_is_made_run_changed_and_taken_back_as_a_whole() {
    let Some(studio) = Studio::new() else { return };
    let made = studio.json(&["create", "demo", "--comfyui", "../clone", "--ref", "v0.3.64"]);
    assert_eq!((made["version"].as_str(), made["refused"].as_array().unwrap().len()), (Some("0.3.64"), 0), "{made}");
    let url = file_url(&studio.sources.sandbox.join("pack"));
    let added = studio.json(&["node", "add", &format!("{url}@older")]);
    assert_eq!(added["packages"], serde_json::json!([{ "package": "foo", "to": "1.0" }]), "{added}");
    studio.comfrey(&["commit", "-m", "the older node"]);

    let older = studio.run(|port| {
        assert_eq!(ask(port, "POST", "/prompt", PROMPT).unwrap().0, 200);
        let picture = studio.sources.at("demo").join("ComfyUI/output/whole_00001_.png");
        eventually("the picture", || {
            let done = ask(port, "GET", "/history", "").unwrap().1.contains("success");
            (done && picture.exists()).then_some(())
        });
        let seen = studio.comfrey(&["parse-workflow", picture.to_str().unwrap()]).stdout;
        let nodes: Vec<Value> = seen.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let types: Vec<&str> = nodes.iter().map(|node| node["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["EmptyImage", "SaveImage"], "{seen}");
    });
    assert!(older.contains(&("OlderNode".to_owned(), "foo 1.0".to_owned())), "{older:?}");

    let updated = studio.json(&["node", "update", "pack@newer"]);
    assert_eq!(updated["packages"][0]["to"], "2.0", "{updated}");
    studio.comfrey(&["commit", "-m", "the newer node"]);
    let newer = studio.run(|_| {});
    assert!(newer.contains(&("NewerNode".to_owned(), "foo 2.0".to_owned())), "{newer:?}");
    assert!(newer.iter().all(|(name, _)| name != "OlderNode"), "{newer:?}");

    // Nothing of it needs the sources.
    for folder in ["clone", "pack"] {
        let from = studio.sources.sandbox.join(folder);
        std::fs::rename(&from, from.with_file_name(format!("{folder}-away"))).unwrap();
    }
    let back = studio.json(&["rollback", "v2"]);
    assert_eq!(back["packages"], serde_json::json!([{ "package": "foo", "from": "2.0", "to": "1.0" }]), "{back}");
    assert_eq!(studio.run(|_| {}), older);
    let status = studio.json(&["status"]);
    assert_eq!(status["python"]["in_sync"], true, "{status}");
    studio.comfrey(&["undo"]);
    assert_eq!(studio.run(|_| {}), newer);
    assert_eq!(studio.json(&["status"])["clean"], true);
    studio.comfrey(&["fsck"]);
    assert!(Path::new(&studio.sources.at("demo").join("ComfyUI/output/whole_00001_.png")).exists());
}
