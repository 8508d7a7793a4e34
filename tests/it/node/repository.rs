//! From repositories, by Comfrey or by other hands.

use serde_json::Value;

use crate::documents::{documented, same_fields};
use crate::installation::Installation;
use crate::support::Run;

use super::sources::{alone, everything, git, json, manifest, repository, unchanged};

#[test]
fn a_repository_comes_at_a_reference_and_the_manifest_knows_its_commit() {
    let demo = Installation::new();
    let url = repository(&demo, "origin/my-git-node");
    let before = everything(&demo);
    let run = alone(&demo, &["node", "add", &format!("{url}@nowhere")]).fails_with(3);
    assert!(run.stderr.contains("no branch, tag or commit `nowhere`"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
    let run = alone(&demo, &["node", "add", &format!("{url}@mian")]).fails_with(3);
    assert!(run.stderr.contains("did you mean main?"), "{}", run.stderr);
    let run = alone(&demo, &["node", "add", &format!("{url}@a..b")]).fails_with(2);
    unchanged(&demo, &before, &run);
    let run = alone(&demo, &["node", "add", &format!("{url}-absent")]).fails_with(7);
    unchanged(&demo, &before, &run);
    alone(&demo, &["node", "add", &format!("{url}@v1")]).success();
    let text = |demo: &Installation| {
        std::fs::read_to_string(demo.comfyui().join("custom_nodes/my-git-node/__init__.py")).unwrap()
    };
    assert_eq!(text(&demo), "NUMBER = 1\n");
    assert!(!demo.exists("custom_nodes/my-git-node/.git"));
    let shown = json(&alone(&demo, &["node", "show", "my-git-node", "--json"]).success());
    same_fields("show", &documented("node show"), &shown);
    assert_eq!(shown["source"], "git");
    let first = shown["commit"].as_str().unwrap().to_owned();
    demo.commit("with it");
    let again = json(&alone(&demo, &["node", "show", "my-git-node", "--json"]).success());
    assert_eq!(
        (&again["commit"], &again["source"]),
        (&first.as_str().into(), &"git".into()),
        "a commit forgets nothing"
    );
    let run = alone(&demo, &["node", "update", "my-git-node@main"]).success();
    assert!(run.stderr.contains(&first[..10]), "{}", run.stderr);
    assert_eq!(text(&demo), "NUMBER = 2\n");
    let same = alone(&demo, &["node", "update", "my-git-node"]).success();
    assert!(same.stderr.contains("follows main and is at that version"), "{}", same.stderr);
    // The store has the first one, so the repository may be gone.
    std::fs::rename(demo.sandbox.join("origin"), demo.sandbox.join("gone")).unwrap();
    alone(&demo, &["node", "update", &format!("my-git-node@{first}")]).success();
    assert_eq!(text(&demo), "NUMBER = 1\n");
    demo.comfrey(["undo"]).success();
    assert_eq!(text(&demo), "NUMBER = 2\n");
}

#[test]
fn an_update_follows_the_branch_that_was_asked_for_and_stays_at_a_tag_or_commit() {
    let demo = Installation::new();
    let url = repository(&demo, "origin/my-git-node");
    let place = demo.sandbox.join("origin/my-git-node");
    git(&demo, &place, &["branch", "dev", "v1"]);
    let number = || std::fs::read_to_string(demo.comfyui().join("custom_nodes/my-git-node/__init__.py")).unwrap();
    let update = |text: &str| alone(&demo, &["node", "update", text]).success();
    let follows = || {
        let shown = json(&alone(&demo, &["node", "show", "my-git-node", "--json"]).success());
        shown["ref"].as_str().map(str::to_owned)
    };
    alone(&demo, &["node", "add", &format!("{url}@dev")]).success();
    assert_eq!((number().as_str(), follows().as_deref()), ("NUMBER = 1\n", Some("dev")));
    assert!(manifest(&demo).contains("ref = \"dev\"\ncommit = \""), "{}", manifest(&demo));
    demo.commit("with it");
    let same = update("my-git-node");
    assert!(same.stderr.contains("my-git-node follows dev and is at that version"), "{}", same.stderr);
    git(&demo, &place, &["checkout", "-q", "dev"]);
    demo.sandbox.write("origin/my-git-node/__init__.py", "NUMBER = 3\n");
    git(&demo, &place, &["commit", "-q", "-a", "-m", "3"]);
    update("my-git-node");
    assert_eq!((number().as_str(), follows().as_deref()), ("NUMBER = 3\n", Some("dev")));
    // A tag stays where it is, and so does a commit, by however few of its digits it was named.
    update("my-git-node@v1");
    assert_eq!(number(), "NUMBER = 1\n");
    let same = update("my-git-node");
    assert!(same.stderr.contains("my-git-node follows v1 and is at that version"), "{}", same.stderr);
    let commit = json(&alone(&demo, &["node", "show", "my-git-node", "--json"]).success())["commit"].clone();
    let commit = commit.as_str().unwrap();
    update(&format!("my-git-node@{}", &commit[..9]));
    assert_eq!(follows().as_deref(), Some(commit));
    let same = update("my-git-node");
    assert!(same.stderr.contains(&format!("my-git-node stays at commit {}", &commit[..10])), "{}", same.stderr);
    // The newest, whatever was asked for before; the repository's HEAD is at dev.
    update("my-git-node@latest");
    assert_eq!((number().as_str(), follows()), ("NUMBER = 3\n", None));
    let run = alone(&demo, &["node", "update", "my-git-node@nowhere"]).fails_with(3);
    assert!(run.stderr.contains("no branch, tag or commit `nowhere`"), "{}", run.stderr);
}

#[test]
fn a_git_program_that_is_missing_is_named() {
    let demo = Installation::new();
    let before = everything(&demo);
    let mut command = demo.command(["node", "add", "https://127.0.0.1:9/ann/x.git"]);
    command.env("COMFREY_GIT", demo.sandbox.join("no-git"));
    let run = Run::of(command).fails_with(7);
    assert!(run.stderr.contains("git"), "{}", run.stderr);
    unchanged(&demo, &before, &run);
}

#[test]
fn nodes_that_came_by_other_hands_are_known_with_their_source() {
    let demo = Installation::new();
    let commit = "c".repeat(40);
    demo.write("custom_nodes/Clone/__init__.py", "");
    demo.write("custom_nodes/Clone/.git/HEAD", &commit);
    demo.write(
        "custom_nodes/Clone/.git/config",
        "[remote \"origin\"]\n\turl = https://me:pw@github.com/ann/Clone.git\n",
    );
    let rows = alone(&demo, &["node", "list", "--json"]).success();
    let rows: Vec<Value> = rows.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap().clone();
    assert_eq!((&row("Impact")["source"], &row("Impact")["id"]), (&"registry".into(), &"comfyui-impact-pack".into()));
    assert_eq!((&row("Clone")["source"], &row("Clone")["commit"]), (&"git".into(), &commit.as_str().into()));
    assert_eq!(row("Clone")["url"], "https://github.com/ann/Clone.git");
    assert_eq!(row("Other")["source"], "manual");
    // The same repository is there already, in all its spellings.
    let again = alone(&demo, &["node", "add", "git@github.com:ann/clone"]).success();
    assert!(again.stderr.contains("Clone is there already"), "{}", again.stderr);
    demo.commit("taken in");
    let run = alone(&demo, &["node", "update", "Clone"]).fails_with(7);
    assert!(run.stderr.contains("not a git repository"), "{}", run.stderr);
    let run = alone(&demo, &["node", "update", "Other"]).fails_with(4);
    assert!(run.stderr.contains("put there by hand"), "{}", run.stderr);
}
