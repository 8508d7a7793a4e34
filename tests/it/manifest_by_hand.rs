//! `pyproject.toml` edited by hand into something else than a manifest: who reads it names the place, nothing is changed, and a
//! rollback leads out of it.

use crate::installation::{Installation, difference};
use crate::support::Run;

/// What someone wrote after a good manifest, on which line and column of that something is wrong, what is said of it, and its name here.
const WRONG: [(&str, usize, usize, &str, &str); 4] = [
    ("[tool.comfrey.nodes\n", 1, 20, "unclosed table", "no-toml"),
    ("[tool.comfrey.environment]\n", 1, 15, "duplicate key", "twice"),
    (
        "[tool.comfrey.models.x]\nsize = \"big\"\n",
        2,
        8,
        "`tool.comfrey.models.x.size` is `big`; a whole number",
        "number",
    ),
    ("[dependency-groups]\nadded = \"rich\"\n", 2, 9, "`dependency-groups.added` is `rich`; a list", "list"),
];

struct ByHand {
    demo: Installation,
    good: String,
}

impl ByHand {
    fn new() -> Self {
        let demo = Installation::new();
        demo.comfrey(["commit", "-m", "first"]).success();
        demo.write("custom_nodes/one.py", "z = 2\n");
        demo.comfrey(["commit", "-m", "second"]).success();
        let good = std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap();
        ByHand { demo, good }
    }

    /// Writes it after what is there, and answers with the line on which that begins.
    fn append(&self, text: &str) -> usize {
        std::fs::write(self.demo.cec().join("pyproject.toml"), format!("{}{text}", self.good)).unwrap();
        self.good.matches('\n').count()
    }

    fn comfrey(&self, words: &[&str]) -> Run {
        let mut command = self.demo.command(words.iter().copied());
        // Whoever asks for uv before the manifest is read would fail otherwise.
        command.env("COMFREY_UV", self.demo.sandbox.join("no-uv"));
        Run::of(command)
    }
}

#[test]
fn every_command_that_reads_the_manifest_names_file_line_and_column_and_the_ways_out() {
    let by_hand = ByHand::new();
    for (text, line, column, reason, what) in WRONG {
        let line = by_hand.append(text) + line;
        let before = by_hand.demo.files();
        let expected = format!("pyproject.toml, line {line}, column {column}: {reason}");
        for words in [
            &["commit", "-m", "x"][..],
            &["py", "list"],
            &["py", "add", "rich"],
            &["py", "remove", "rich"],
            &["constraint", "list"],
            &["constraint", "add", "rich<2"],
            &["sync"],
            &["node", "list"],
            &["node", "disable", "Impact"],
            &["workflow", "resolve"],
            &["diff"],
        ] {
            let run = by_hand.comfrey(words).fails_with(4);
            assert!(run.stderr.contains(&expected), "{what}, {words:?}: {}", run.stderr);
            assert!(run.stderr.contains("comfrey rollback HEAD"), "{what}, {words:?}: {}", run.stderr);
            assert_eq!(difference(&before, &by_hand.demo.files()), Vec::<String>::new(), "{what}, {words:?}");
        }
        // What does not need it goes on, and says so where it matters.
        let status = by_hand.comfrey(&["status"]).success();
        assert!(status.stderr.contains(&expected), "{what}: {}", status.stderr);
        assert!(status.stdout.contains("Nothing can be recorded until"), "{what}: {}", status.stdout);
        let status = by_hand.demo.json(["status"]);
        assert!(status["manifest_error"].as_str().unwrap().contains("line"), "{what}: {status}");
        assert_eq!((&status["clean"], &status["nodes"]["modified"]), (&false.into(), &serde_json::json!([])), "{what}");
        by_hand.comfrey(&["ps"]).success();
        by_hand.comfrey(&["log"]).success();
        let archive = by_hand.demo.sandbox.join(format!("{what}.tar.gz"));
        by_hand.comfrey(&["export", archive.to_str().unwrap()]).success();
    }
}

#[test]
fn rollback_leads_out_of_a_manifest_that_cannot_be_read_and_undo_back_to_it() {
    let by_hand = ByHand::new();
    for (text, .., what) in WRONG {
        by_hand.append(text);
        let broken = by_hand.demo.files();
        let run = by_hand.comfrey(&["rollback", "HEAD"]).success();
        assert!(run.stdout.contains("pyproject.toml"), "{what}: {}", run.stdout);
        let now = std::fs::read_to_string(by_hand.demo.cec().join("pyproject.toml")).unwrap();
        assert_eq!(now, by_hand.good, "{what}");
        by_hand.comfrey(&["undo"]).success();
        assert_eq!(difference(&broken, &by_hand.demo.files()), Vec::<String>::new(), "{what}");
        // And an older version.
        by_hand.comfrey(&["rollback", "v1"]).success();
        by_hand.comfrey(&["commit", "--dry-run"]).success();
        by_hand.comfrey(&["undo"]).success();
        by_hand.comfrey(&["switch", "-c", what, "v1", "--discard-changes"]).success();
        by_hand.comfrey(&["undo"]).success();
        assert_eq!(difference(&broken, &by_hand.demo.files()), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn a_manifest_that_is_no_text_is_named_with_the_place() {
    let by_hand = ByHand::new();
    let bytes = [by_hand.good.as_bytes(), b"# caf\xe9\n"].concat();
    std::fs::write(by_hand.demo.cec().join("pyproject.toml"), bytes).unwrap();
    let line = by_hand.good.matches('\n').count() + 1;
    let run = by_hand.comfrey(&["commit", "-m", "x"]).fails_with(4);
    assert!(run.stderr.contains(&format!("line {line}, column 6: this is no text in UTF-8")), "{}", run.stderr);
}

#[test]
fn a_template_that_is_no_manifest_is_named_with_line_and_column() {
    let by_hand = ByHand::new();
    by_hand.demo.sandbox.write("work/template.toml", "[project]\nname = 3\n");
    let words = ["create", "new", "--comfyui", "../ComfyUI", "--no-python", "--template", "template.toml"];
    let run = by_hand.comfrey(&words).fails_with(2);
    assert!(run.stderr.contains("template") && run.stderr.contains("line 2, column 8"), "{}", run.stderr);
    assert!(!by_hand.demo.sandbox.join("work/environments/new").exists());
}
