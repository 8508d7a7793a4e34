//! A node that is a git clone, because someone made it one: an update takes git's view of it along, and what it alone has stays.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::installation::{Installation, difference};
use crate::support::Run;

use super::sources::{alone, everything, git, manifest, repository, unchanged};

/// An installation with a clone of a repository of two commits, the first of which has the tag `v1`, whose branch `main` is at the first.
struct Cloned {
    demo: Installation,
    place: PathBuf,
}

impl Cloned {
    fn new() -> Self {
        let demo = Installation::new();
        let url = repository(&demo, "origin/my-git-node");
        let nodes = demo.comfyui().join("custom_nodes");
        git(&demo, &nodes, &["clone", "-q", &url]);
        let place = nodes.join("my-git-node");
        git(&demo, &place, &["reset", "-q", "--hard", "v1"]);
        for (name, value) in [("user.name", "Test"), ("user.email", "test@example.org")] {
            git(&demo, &place, &["config", name, value]);
        }
        Cloned { demo, place }
    }

    fn git(&self, words: &[&str]) -> String {
        git(&self.demo, &self.place, words)
    }

    /// The branch that is checked out and its commit; what git sees changed.
    fn stand(&self) -> (String, String, String) {
        let branch = self.git(&["rev-parse", "--abbrev-ref", "HEAD"]);
        (branch, self.git(&["rev-parse", "HEAD"]), self.git(&["status", "--porcelain"]))
    }

    /// Every file of ComfyUI but those of git.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.demo.files();
        files.retain(|name, _| !name.contains("/.git/"));
        files
    }

    fn write(&self, name: &str, text: &str) {
        self.demo.write(format!("custom_nodes/my-git-node/{name}"), text);
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.join(name)).unwrap()
    }

    fn update(&self, words: &[&str]) -> Run {
        alone(&self.demo, &[&["node", "update"], words].concat())
    }
}

#[test]
fn a_clone_goes_along_with_its_files_forward_and_back() {
    let cloned = Cloned::new();
    cloned.git(&["branch", "mine"]);
    cloned.write("notes.txt", "not git's");
    let (first, second) = (cloned.git(&["rev-parse", "v1"]), cloned.git(&["rev-parse", "origin/main"]));
    let stand = |commit: &str| ("main".to_owned(), commit.to_owned(), "?? notes.txt".to_owned());
    assert_eq!(cloned.stand(), stand(&first));
    let (files, all) = (cloned.files(), everything(&cloned.demo));
    // No commit has taken note of it, and git knows what its files were.
    let dry = cloned.update(&["my-git-node", "--dry-run"]).success();
    let line = format!("nodes/my-git-node: the clone's branch main goes from {} to {}", &first[..10], &second[..10]);
    assert!(dry.stdout.contains(&line), "{}", dry.stdout);
    unchanged(&cloned.demo, &all, &dry);
    let run = cloned.update(&["my-git-node"]).success();
    assert!(run.stdout.contains(&line), "{}", run.stdout);
    assert_eq!((cloned.text("__init__.py").as_str(), cloned.stand()), ("NUMBER = 2\n", stand(&second)));
    assert_eq!((cloned.text("notes.txt").as_str(), cloned.git(&["rev-parse", "mine"])), ("not git's", first.clone()));
    assert!(manifest(&cloned.demo).contains(&format!("ref = \"main\"\ncommit = \"{second}\"")));
    let after = cloned.files();
    let same = cloned.update(&["my-git-node"]).success();
    assert!(same.stderr.contains("follows main and is at that version"), "{}", same.stderr);
    cloned.demo.comfrey(["undo"]).success();
    assert_eq!((difference(&cloned.files(), &files), cloned.stand()), (Vec::new(), stand(&first)));
    let redone = cloned.demo.comfrey(["redo"]).success();
    assert!(redone.stdout.contains("the clone's branch main goes from"), "{}", redone.stdout);
    assert_eq!((difference(&cloned.files(), &after), cloned.stand()), (Vec::new(), stand(&second)));
    // And with a version.
    cloned.demo.commit("second");
    cloned.update(&["my-git-node@v1"]).success();
    assert_eq!(cloned.stand(), ("HEAD".to_owned(), first.clone(), "?? notes.txt".to_owned()), "a tag is no branch");
    assert_eq!(cloned.git(&["rev-parse", "main"]), second);
    let same = cloned.update(&["my-git-node"]).success();
    assert!(same.stderr.contains("follows v1 and is at that version"), "{}", same.stderr);
    cloned.demo.comfrey(["rollback", "HEAD"]).success();
    assert_eq!(cloned.stand(), stand(&second));
}

#[test]
fn each_undo_brings_a_clone_back_to_where_it_stood_then() {
    let cloned = Cloned::new();
    let stands = || cloned.stand();
    let mut before = vec![stands()];
    for reference in ["main", "v1"] {
        cloned.update(&[&format!("my-git-node@{reference}")]).success();
        before.push(stands());
    }
    assert_eq!(before[0].1, before[2].1, "the same commit, once on the branch and once on none");
    for _ in 0..2 {
        before.pop();
        cloned.demo.comfrey(["undo"]).success();
        assert_eq!(Some(&stands()), before.last());
    }
}

#[test]
fn what_was_edited_in_a_clone_survives_an_update_by_choice() {
    let cloned = Cloned::new();
    cloned.write("other.py", "other = 'mine'\n");
    let (files, all) = (cloned.files(), everything(&cloned.demo));
    let run = cloned.update(&["my-git-node"]).fails_with(4);
    assert!(run.stderr.contains("`my-git-node` was edited since it came: other.py"), "{}", run.stderr);
    assert!(run.stderr.contains("--keep-edits") && run.stderr.contains("--discard-edits"), "{}", run.stderr);
    unchanged(&cloned.demo, &all, &run);
    cloned.update(&["my-git-node", "--keep-edits"]).success();
    assert_eq!(
        (cloned.text("__init__.py").as_str(), cloned.text("other.py").as_str()),
        ("NUMBER = 2\n", "other = 'mine'\n")
    );
    assert_eq!(cloned.stand().2, " M other.py");
    cloned.demo.comfrey(["undo"]).success();
    assert_eq!(difference(&cloned.files(), &files), Vec::<String>::new());
    cloned.update(&["my-git-node", "--discard-edits", "--yes"]).success();
    assert_eq!((cloned.text("other.py").as_str(), cloned.stand().2.as_str()), ("other = 1\n", ""));
    cloned.demo.comfrey(["undo"]).success();
    assert_eq!(difference(&cloned.files(), &files), Vec::<String>::new());
}

#[test]
fn commits_that_only_a_clone_has_are_left_behind_by_choice_and_stay_on_their_branch() {
    let cloned = Cloned::new();
    cloned.write("other.py", "other = 'mine'\n");
    cloned.git(&["commit", "-q", "-a", "-m", "my own"]);
    let own = cloned.git(&["rev-parse", "HEAD"]);
    let (before, all) = (cloned.stand(), everything(&cloned.demo));
    let run = cloned.update(&["my-git-node"]).fails_with(4);
    for part in ["has commits that its remote does not have", "my own", "git pull --rebase", "nothing was changed"] {
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
    }
    unchanged(&cloned.demo, &all, &run);
    let run = cloned.update(&["my-git-node", "--discard-edits", "--yes"]).success();
    assert!(run.stdout.contains("without a branch; main stays at"), "{}", run.stdout);
    assert_eq!((cloned.stand().0.as_str(), cloned.git(&["rev-parse", "main"])), ("HEAD", own));
    assert_eq!(cloned.text("other.py"), "other = 1\n");
    cloned.demo.comfrey(["undo"]).success();
    assert_eq!((cloned.stand(), cloned.text("other.py").as_str()), (before, "other = 'mine'\n"));
}

#[test]
fn a_clone_that_cannot_be_updated_says_why_and_stays_as_it_is() {
    let cloned = Cloned::new();
    let all = everything(&cloned.demo);
    let run = cloned.update(&["my-git-node@nowhere"]).fails_with(3);
    assert!(run.stderr.contains("has no branch, tag or commit `nowhere`"), "{}", run.stderr);
    unchanged(&cloned.demo, &all, &run);
    std::fs::rename(cloned.demo.sandbox.join("origin"), cloned.demo.sandbox.join("gone")).unwrap();
    let run = cloned.update(&["my-git-node"]).fails_with(7);
    assert!(run.stderr.contains("`git ls-remote` failed on file://"), "{}", run.stderr);
    unchanged(&cloned.demo, &all, &run);
    cloned.git(&["remote", "remove", "origin"]);
    let all = everything(&cloned.demo);
    let run = cloned.update(&["my-git-node"]).fails_with(4);
    assert!(run.stderr.contains("a git repository without a remote"), "{}", run.stderr);
    unchanged(&cloned.demo, &all, &run);
}

#[test]
fn a_fault_at_every_step_of_an_update_leaves_a_clone_and_its_files_at_the_same_commit() {
    let cloned = Cloned::new();
    let first = cloned.git(&["rev-parse", "v1"]);
    let second = cloned.git(&["rev-parse", "origin/main"]);
    for (manner, stride) in [("", 5), ("!", 5)] {
        let mut passed = 0;
        for k in (1..).step_by(stride) {
            let mut command = cloned.demo.command(["node", "update", "my-git-node"]);
            command.env("COMFREY_FAULT_AT", format!("{k}{manner}"));
            let run = Run::of(command);
            let next = cloned.demo.comfrey(["list"]).success();
            let is_done = cloned.text("__init__.py") == "NUMBER = 2\n";
            let what = format!("step {k}{manner}: {}\n{}", run.stderr, next.stderr);
            let stand = ("main".to_owned(), if is_done { &second } else { &first }.clone(), String::new());
            assert_eq!(cloned.stand(), stand, "{what}");
            assert!(is_done || run.code != 0, "{what}");
            if is_done {
                cloned.demo.comfrey(["undo"]).success();
                assert_eq!(cloned.stand().1, first, "{what}");
            }
            passed = if run.code == 0 { passed + 1 } else { 0 };
            if passed == 3 {
                break;
            }
        }
    }
}
