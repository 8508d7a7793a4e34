//! `node` and Python packages: with the real uv, on wheels made here, without a network.

use std::io::{Cursor, Write};

use serde_json::Value;

use crate::documents::{documented, same_fields};
use crate::installation::{Installation, difference};
use crate::support::Run;
use crate::wheels::Wheels;

/// An environment with a Python of its own, in which ComfyUI wants `foo`, of which there are two versions.
struct Demo {
    demo: Installation,
    wheels: Wheels,
}

impl Demo {
    /// Nothing where there is no uv.
    fn new() -> Option<Self> {
        let demo = Installation::new();
        let wheels = Wheels::new(demo.sandbox.path())?;
        for (name, version, requires) in [
            ("foo", "1.0", &[] as &[&str]),
            ("foo", "2.0", &[]),
            ("bar", "1.0", &["foo<2"]),
            ("baz", "1.0", &["foo>=2"]),
        ] {
            wheels.add(name, version, requires);
        }
        demo.write("requirements.txt", "foo\n");
        let made = Demo { demo, wheels };
        for (node, requirements) in [
            ("wants-bar", "bar\n--index-url https://example.org/x\n./local.whl\nhttps://example.org/x\n"),
            ("wants-baz", "-r more/list.txt\n"),
        ] {
            let files =
                [("__init__.py", ""), ("requirements.txt", requirements), ("more/list.txt", "baz>=1 # the newest\n")];
            let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
            for (name, text) in files {
                writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
                writer.write_all(text.as_bytes()).unwrap();
            }
            made.demo.sandbox.write(format!("work/{node}.zip"), writer.finish().unwrap().into_inner());
        }
        made.comfrey(&["sync", "--own-python"]).success();
        Some(made)
    }

    fn comfrey(&self, arguments: &[&str]) -> Run {
        let mut command = self.demo.command(arguments.iter().copied());
        self.wheels.apply(&mut command);
        Run::of(command)
    }

    /// What is installed of the four.
    fn installed(&self) -> Vec<String> {
        let run = self.comfrey(&["py", "list", "--json"]).success();
        let lines = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let package = |line: Value| Some(format!("{} {}", line["package"].as_str()?, line["installed"].as_str()?));
        let ours = |package: &String| ["foo", "bar", "baz"].iter().any(|name| package.starts_with(name));
        lines.filter_map(package).filter(ours).collect()
    }

    fn manifest(&self) -> String {
        std::fs::read_to_string(self.demo.cec().join("pyproject.toml")).unwrap()
    }
}

#[test]
fn what_a_node_requires_comes_and_goes_with_it() {
    let Some(demo) = Demo::new() else { return };
    assert_eq!(demo.installed(), ["foo 2.0"]);
    let before = demo.demo.files();
    let dry = demo.comfrey(&["node", "add", "./wants-bar.zip", "--dry-run"]).success();
    assert!(dry.stdout.contains("bar 1.0") && dry.stdout.contains("foo 2.0 -> 1.0"), "{}", dry.stdout);
    assert_eq!(difference(&demo.demo.files(), &before), Vec::<String>::new());
    let run = demo.comfrey(&["node", "add", "./wants-bar.zip", "--json"]).success();
    let answer: Value = serde_json::from_str(run.line()).unwrap();
    let section = "node add, node update, node remove, node enable, node disable, node repair";
    let mut shape = documented(section);
    shape.as_object_mut().unwrap().remove("version");
    same_fields("add", &shape, &answer);
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 3, "an index, a path and a nameless URL: {answer}");
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0"]);
    assert!(demo.manifest().contains("node-wants-bar = ["), "{}", demo.manifest());
    demo.comfrey(&["commit", "-m", "with bar"]).success();
    demo.comfrey(&["node", "disable", "wants-bar"]).success();
    assert!(!demo.manifest().contains("node-wants-bar = ["), "{}", demo.manifest());
    assert!(!demo.installed().contains(&"bar 1.0".to_owned()));
    demo.comfrey(&["undo"]).success();
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0"]);
    demo.comfrey(&["undo"]).success();
    demo.comfrey(&["undo"]).success();
    assert_eq!(demo.installed(), ["foo 2.0"]);
    assert_eq!(difference(&demo.demo.files(), &before), Vec::<String>::new());
}

#[test]
fn two_nodes_that_disagree_are_named_before_anything_is_touched() {
    let Some(demo) = Demo::new() else { return };
    demo.comfrey(&["node", "add", "./wants-bar.zip"]).success();
    let before = demo.demo.files();
    let run = demo.comfrey(&["node", "add", "./wants-baz.zip"]).fails_with(4);
    for part in ["wants-bar", "wants-baz", "foo", "--force"] {
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
    }
    assert_eq!(difference(&demo.demo.files(), &before), Vec::<String>::new());
    assert_eq!(demo.installed(), ["bar 1.0", "foo 1.0"]);
    let run = demo.comfrey(&["node", "add", "./wants-baz.zip", "--force"]).success();
    assert!(run.stderr.contains("wants-baz comes without its Python packages"), "{}", run.stderr);
    assert!(demo.demo.exists("custom_nodes/wants-baz") && !demo.manifest().contains("node-wants-baz"));
    demo.comfrey(&["undo"]).success();
    let run = demo.comfrey(&["node", "add", "./wants-baz.zip", "--no-test"]).success();
    assert!(run.stderr.contains("comfrey sync"), "{}", run.stderr);
    assert!(demo.manifest().contains("node-wants-baz = [") && demo.installed() == ["bar 1.0", "foo 1.0"]);
    demo.comfrey(&["undo"]).success();
    assert_eq!(difference(&demo.demo.files(), &before), Vec::<String>::new());
}
