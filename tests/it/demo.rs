//! The demo: the whole path, on little data.

use serde_json::Value;

use crate::documents::same_fields;
use crate::support::Sandbox;

#[test]
fn the_demo_shows_the_whole_path_and_what_it_claims_holds() {
    let sandbox = Sandbox::new();
    let run = sandbox.comfrey(["demo", "--size", "small", "--keep", "kept"]).success();
    for command in ["init", "adopt", "models index", "status", "commit", "rollback", "undo", "export", "import", "fsck"]
    {
        assert!(run.stdout.contains(&format!("$ comfrey {command}")), "{command}:\n{}", run.stdout);
    }
    assert!(run.stdout.contains("all well"), "{}", run.stdout);
    assert!(!run.stdout.contains('✗'), "{}", run.stdout);
    assert!(sandbox.join("kept/studio/.comfrey/format").is_file());
    // What is kept can be worked on.
    sandbox.comfrey(["--workspace", "kept/studio", "log"]).success();
    let again = sandbox.comfrey(["demo", "--size", "small", "--keep", "kept"]).fails_with(4);
    assert!(again.stderr.contains("the folder is not empty"), "{}", again.stderr);
}

#[test]
fn the_demo_as_json_is_a_line_a_command_and_a_line_a_check() {
    let sandbox = Sandbox::new();
    let run = sandbox.comfrey(["demo", "--size", "small", "--json"]).success();
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = include_str!("../../docs/json.md");
    let documented = text.split_once("\n## demo\n").unwrap().1.split_once("```json\n").unwrap().1;
    for example in documented.split_once("```").unwrap().0.lines() {
        let example: Value = serde_json::from_str(example).unwrap();
        let alike = lines.iter().find(|line| line["kind"] == example["kind"]).unwrap();
        same_fields("demo", &example, alike);
    }
    assert!(lines.iter().filter(|line| line["kind"] == "check").all(|line| line["holds"] == true));
    // Nothing is left where it played: the sandbox is also the home folder.
    assert_eq!(std::fs::read_dir(sandbox.path()).unwrap().count(), 0);
}
