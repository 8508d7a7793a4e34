//! What a node is called: texts that name one, and folders that are taken.

use crate::installation::Installation;

use super::sources::{Registry, alone, archive, at, everything, repository, unchanged, zip_of, zipped};

#[test]
fn two_nodes_of_one_folder_name_are_told_apart() {
    let demo = Installation::new();
    demo.sandbox.write("work/IMPACT.zip", zipped(&[("__init__.py", "other")]));
    let before = everything(&demo);
    let run = alone(&demo, &["node", "add", "./IMPACT.zip"]).fails_with(4);
    assert!(
        run.stderr.contains("another node has the folder `IMPACT`: `Impact`, comfyui-impact-pack"),
        "{}",
        run.stderr
    );
    unchanged(&demo, &before, &run);
    demo.write("custom_nodes/notes/readme.txt", "not a node that could be loaded");
    alone(&demo, &["node", "add", "./IMPACT.zip", "--name", "impact-two"]).success();
    let run = alone(&demo, &["node", "add", "./IMPACT.zip", "--name", "../out"]).fails_with(2);
    assert!(!demo.sandbox.join("ComfyUI/out").exists(), "{}", run.stderr);
}

#[test]
fn a_folder_that_is_taken_is_said_to_be_whoever_wants_it() {
    let demo = Installation::new();
    // A package of the registry by another id, and one that is off.
    for (folder, id) in [("my-pack", "else"), ("Off.disabled", "off")] {
        demo.write(format!("custom_nodes/{folder}/__init__.py"), "");
        demo.write(format!("custom_nodes/{folder}/.tracking"), "__init__.py\n");
        let project = format!("[project]\nname = \"{id}\"\nversion = \"1.0\"\n");
        demo.write(format!("custom_nodes/{folder}/pyproject.toml"), project);
    }
    demo.write("custom_nodes/README", "no node");
    let before = everything(&demo);
    let repository = repository(&demo, "origin/IMPACT");
    demo.sandbox.write("work/x.zip", zipped(&[("__init__.py", "")]));
    let registry = Registry::serving("1.0.0", &[("1.0.0", "Active")], archive(zip_of("1.0.0")));
    for (words, taken) in [
        (&["my-pack"][..], "another node has the folder `my-pack`: `my-pack`, else of the registry"),
        (&[&repository], "another node has the folder `IMPACT`: `Impact`, comfyui-impact-pack of the registry"),
        (&["./x.zip", "--name", "other"], "another node has the folder `other`: `Other`, put there by hand"),
        (&["./x.zip", "--name", "README"], "README is in the way"),
        (&["./x.zip", "--name", "readme"], "is in the way"),
    ] {
        let run = at(&demo, &registry.url(), &[&["node", "add"], words].concat()).fails_with(4);
        assert!(run.stderr.contains(taken), "{taken} in {}", run.stderr);
        assert!(run.stderr.contains("nothing was changed"), "{}", run.stderr);
        unchanged(&demo, &before, &run);
    }
    registry.end();
    for name in ["x.disabled", ".x", "nul", "a/b", "__pycache__"] {
        let run = alone(&demo, &["node", "add", "./x.zip", "--name", name]).fails_with(2);
        assert!(run.stderr.contains(name), "{}", run.stderr);
        unchanged(&demo, &before, &run);
    }
    // What is off leaves its name to another, and cannot be switched on beside it.
    alone(&demo, &["node", "add", "./x.zip", "--name", "off"]).success();
    let both = everything(&demo);
    let run = alone(&demo, &["node", "enable", "Off.disabled"]).fails_with(4);
    assert!(run.stderr.contains("another node has the folder `Off`: `off`"), "{}", run.stderr);
    unchanged(&demo, &both, &run);
    alone(&demo, &["node", "disable", "off"]).success();
    assert!(
        demo.exists("custom_nodes/Off.disabled/.tracking") && demo.exists("custom_nodes/off.2.disabled/__init__.py")
    );
    for _ in 0..2 {
        demo.comfrey(["undo"]).success();
    }
    assert!(demo.exists("custom_nodes/Off.disabled/.tracking") && !demo.exists("custom_nodes/off.2.disabled"));
}

#[test]
fn a_text_that_names_nothing_is_refused() {
    let demo = Installation::new();
    for (text, code) in [("a b", 2), ("x@", 2), ("./absent", 3), ("absent.zip", 3), ("a/b/c/d", 2)] {
        alone(&demo, &["node", "add", text]).fails_with(code);
    }
}
