//! Refs, revisions, operations and differences, through the programs.

use std::collections::HashSet;
use std::process::Stdio;

use comfrey::history::{Objects, operations};
use comfrey::object::{Entry, EntryKind, EntryName, Kind, ObjectId, Operation, Snapshot, Tree};
use comfrey::store::{Store, StoreOptions};
use serde_json::Value;

use crate::documents::{documented, same_fields};
use crate::support::{Run, Sandbox};

/// A workspace with a store and no environment.
struct Workspace {
    sandbox: Sandbox,
}

impl Workspace {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        Store::create(&sandbox.join(".comfrey")).unwrap();
        Workspace { sandbox }
    }

    fn store(&self) -> Store {
        Store::open(&self.sandbox.join(".comfrey"), &StoreOptions::default()).unwrap()
    }

    /// Stores a tree of `path content` pairs.
    fn tree(&self, files: &[(&str, &str)]) -> ObjectId {
        let store = self.store();
        tree(&store, files)
    }

    /// Makes a snapshot of these files with `commit-tree` and moves HEAD there.
    fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        let tree = self.tree(files).to_hex();
        let has_head = self.run(["rev-parse", "HEAD"]).code == 0;
        let parent: &[&str] = if has_head { &["-p", "HEAD"] } else { &[] };
        let id = self.run([&["commit-tree", &tree, "-m", message], parent].concat()).success().line().to_owned();
        self.run(["update-ref", "HEAD", &id]).success();
        id
    }

    fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        self.sandbox.comfrey(arguments)
    }

    fn lines<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        self.run(arguments).success().stdout.lines().map(str::to_owned).collect()
    }

    fn json<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
        self.lines(arguments).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The operations from the newest to the first.
    fn operations(&self) -> Vec<(ObjectId, Operation)> {
        let store = self.store();
        let head = store.head_operation().unwrap();
        operations(&store, head).collect::<Result<_, _>>().unwrap()
    }
}

fn tree(store: &Store, files: &[(&str, &str)]) -> ObjectId {
    let objects: &dyn Objects = store;
    let mut entries = Vec::new();
    let mut folders: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for (path, content) in files {
        match path.split_once('/') {
            Some((folder, rest)) => match folders.iter_mut().find(|(name, _)| *name == folder) {
                Some((_, below)) => below.push((rest, content)),
                None => folders.push((folder, vec![(rest, content)])),
            },
            None => {
                let id = objects.put(Kind::Blob, content.as_bytes()).unwrap();
                let name = EntryName::new(*path).unwrap();
                entries.push(Entry { name, kind: EntryKind::File, id, size: content.len() as u64 });
            }
        }
    }
    for (folder, below) in folders {
        let name = EntryName::new(folder).unwrap();
        entries.push(Entry { name, kind: EntryKind::Tree, id: tree(store, &below), size: 0 });
    }
    objects.put_value(&Tree::new(entries).unwrap()).unwrap()
}

/// Three snapshots.
fn with_three() -> (Workspace, [String; 3]) {
    let workspace = Workspace::new();
    let first = workspace.commit("first", &[("a.txt", "1"), ("nodes/x.py", "x")]);
    let second = workspace.commit("second\n\nwith a body", &[("a.txt", "2"), ("nodes/x.py", "x")]);
    let third = workspace.commit("third", &[("nodes/x.py", "x"), ("nodes/y.py", "y")]);
    (workspace, [first, second, third])
}

#[test]
fn the_first_snapshot_is_made_from_parts_and_found_by_every_name() {
    let (workspace, [first, second, third]) = with_three();
    for (revision, id) in [
        ("HEAD", &third),
        ("main", &third),
        ("workspace/heads/main", &third),
        ("workspace/HEAD", &third),
        ("v1", &first),
        ("HEAD~1", &second),
        ("HEAD^^", &first),
        ("@{1}", &second),
        ("main@{2}", &first),
        (&third[..9], &third),
    ] {
        assert_eq!(workspace.run(["rev-parse", revision]).success().line(), id, "{revision}");
    }
    assert_eq!(workspace.lines(["rev-parse", "HEAD", "v2", "v1"]), [third.as_str(), &second, &first]);
    assert_eq!(workspace.lines(["rev-parse", "--kind", "HEAD:nodes"])[0].split(' ').next(), Some("tree"));
    assert_eq!(workspace.run(["rev-parse", "--abbrev-ref", "HEAD"]).success().line(), "main");
    assert_eq!(workspace.run(["rev-parse", "--symbolic-full-name", "HEAD"]).success().line(), "workspace/heads/main");
    assert_eq!(workspace.run(["rev-parse", "--short=12", "HEAD"]).success().line(), &third[..12]);
    let parsed = &workspace.json(["rev-parse", "--json", "HEAD:nodes/y.py"])[0];
    assert_eq!((parsed["kind"].as_str(), parsed["path"].as_str()), (Some("blob"), Some("nodes/y.py")));
    assert_eq!(parsed["id"], ObjectId::of_blob(b"y").to_hex());
}

#[test]
fn an_unknown_revision_is_answered_with_what_was_meant() {
    let (workspace, _) = with_three();
    workspace.run(["tag", "portrait"]).success();
    let run = workspace.run(["rev-parse", "potrait"]).fails_with(3);
    assert_eq!(run.stderr, "error: unknown revision `potrait`\nhint: did you mean `portrait`?\n");
    let run = workspace.run(["show", "v7"]).fails_with(3);
    assert_eq!(run.stderr, "error: `v7`: the newest version is v3\nhint: `comfrey log` lists the versions\n");
    let run = workspace.run(["show", "HEAD:node/x.py"]).fails_with(3);
    assert_eq!(run.stderr, "error: `HEAD` holds no `node/x.py`\nhint: did you mean `nodes`?\n");
    workspace.run(["rev-parse", "HEAD~5"]).fails_with(3);
    workspace.run(["rev-parse", "@{9}"]).fails_with(3);
    workspace.run(["rev-parse", "HEAD~x"]).fails_with(2);
    workspace.run(["rev-parse", &"0".repeat(64)]).fails_with(3);
    let run = workspace.run(["rev-parse", "v1", "nothing-like-it", "v2"]).fails_with(3);
    assert_eq!(run.stdout.lines().count(), 2, "the others are printed");
}

#[test]
fn an_ambiguous_prefix_lists_the_candidates() {
    let workspace = Workspace::new();
    let id = workspace.commit("first", &[]);
    let twin = (0..).map(|n: u32| n.to_string()).find(|n| ObjectId::of_blob(n.as_bytes()).to_hex()[..4] == id[..4]);
    let store = workspace.store();
    let twin = (&store as &dyn Objects).put(Kind::Blob, twin.unwrap().as_bytes()).unwrap();
    let run = workspace.run(["rev-parse", &id[..4]]).fails_with(3);
    assert!(run.stderr.contains("is ambiguous: 2 objects begin with it"), "{}", run.stderr);
    assert!(run.stderr.contains("snapshot  2026-11-20 10:00 first") && run.stderr.contains(" blob"), "{}", run.stderr);
    assert!(run.stderr.contains(&twin.to_hex()[..6]));
    // Where only a snapshot makes sense there is one.
    assert_eq!(workspace.run(["rev-parse", &format!("{}^0", &id[..4])]).success().line(), id);
}

#[test]
fn update_ref_compares_and_swaps() {
    let (workspace, [first, second, third]) = with_three();
    let zeros = "0".repeat(64);
    workspace.run(["update-ref", "heads/side", &first, &zeros]).success();
    let run = workspace.run(["update-ref", "heads/side", &second, &zeros]).fails_with(4);
    assert!(run.stderr.starts_with("error: the ref `workspace/heads/side` is there already"), "{}", run.stderr);
    workspace.run(["update-ref", "heads/side", &second, ""]).fails_with(4);
    workspace.run(["update-ref", "heads/side", &second, &third]).fails_with(4);
    assert_eq!(workspace.run(["rev-parse", "side"]).success().line(), first);
    workspace.run(["update-ref", "heads/side", "v2", "v1"]).success();
    workspace.run(["update-ref", "-d", "heads/side", "v1"]).fails_with(4);
    workspace.run(["update-ref", "-d", "heads/side", "v2"]).success();
    workspace.run(["update-ref", "-d", "heads/side"]).fails_with(3);
    let before = workspace.operations().len();
    workspace.run(["update-ref", "HEAD", "HEAD"]).success();
    assert_eq!(workspace.operations().len(), before, "what changes nothing is no operation");
    workspace.run(["update-ref", "heads/a..b", "HEAD"]).fails_with(2);
    let run = workspace.run(["update-ref", "side", "HEAD"]).fails_with(2);
    assert!(run.stderr.contains("did you mean the branch `heads/side`?"), "{}", run.stderr);
    workspace.run(["update-ref", "HEAD", "HEAD^{tree}"]).fails_with(2);
}

#[test]
fn head_can_be_put_on_another_branch_and_on_none() {
    let (workspace, [first, _, third]) = with_three();
    workspace.run(["update-ref", "--symbolic", "HEAD", "heads/other"]).success();
    let run = workspace.run(["rev-parse", "HEAD"]).fails_with(3);
    assert!(run.stderr.contains("no snapshot yet"), "{}", run.stderr);
    workspace.run(["update-ref", "HEAD", "v1"]).fails_with(3);
    workspace.run(["update-ref", "HEAD", &first]).success();
    assert_eq!(workspace.run(["rev-parse", "other", "main"]).success().stdout, format!("{first}\n{third}\n"));
    workspace.run(["update-ref", "--symbolic", "heads/main", "HEAD"]).success();
    workspace.run(["update-ref", "--symbolic", "heads/other", "heads/main"]).fails_with(4);
    workspace.run(["update-ref", "--no-deref", "HEAD", &third]).success();
    assert_eq!(workspace.run(["rev-parse", "HEAD", "other"]).success().stdout, format!("{third}\n{first}\n"));
}

#[test]
fn many_changes_are_one_operation_or_none() {
    let (workspace, [first, ..]) = with_three();
    let before = workspace.operations().len();
    let changes = format!("create heads/a {first}\nupdate tags/b HEAD\nverify HEAD HEAD\ndelete heads/main\n");
    workspace.sandbox.comfrey_with_input(["update-ref", "--stdin"], &changes).success();
    assert_eq!(workspace.operations().len(), before + 1);
    assert_eq!(workspace.run(["rev-parse", "a"]).success().line(), first);
    let changes = format!("update heads/c {first}\ncreate heads/a {first}\n");
    workspace.sandbox.comfrey_with_input(["update-ref", "--stdin"], &changes).fails_with(4);
    workspace.run(["rev-parse", "heads/c"]).fails_with(3);
    let run = workspace.sandbox.comfrey_with_input(["update-ref", "--stdin"], "update x\n").fails_with(2);
    assert!(run.stderr.contains("standard input, change 1: `update REF NEW [OLD]` is wanted"), "{}", run.stderr);
}

#[test]
fn show_ref_lists_names_and_says_when_there_is_none() {
    let workspace = Workspace::new();
    workspace.run(["show-ref"]).fails_with(1);
    let id = workspace.commit("first", &[]);
    workspace.run(["tag", "x"]).success();
    let all = [format!("{id} workspace/HEAD"), format!("{id} workspace/heads/main"), format!("{id} workspace/tags/x")];
    assert_eq!(workspace.lines(["show-ref"]), all);
    assert_eq!(workspace.lines(["show-ref", "--tags"]), all[2..]);
    assert_eq!(workspace.lines(["show-ref", "main"]), all[1..2]);
    assert_eq!(workspace.lines(["show-ref", "--symbolic", "HEAD"]), [format!("{} -> workspace/heads/main", all[0])]);
    workspace.run(["show-ref", "y"]).fails_with(1);
    assert_eq!(workspace.json(["show-ref", "--json"])[0]["symbolic"], "workspace/heads/main");
}

#[test]
fn rev_list_puts_children_before_parents_and_objects_after_snapshots() {
    let (workspace, [first, second, third]) = with_three();
    assert_eq!(workspace.lines(["rev-list", "HEAD"]), [third.as_str(), &second, &first]);
    assert_eq!(workspace.lines(["rev-list", "v1.."]), [third.as_str(), &second]);
    assert_eq!(workspace.lines(["rev-list", "HEAD", "^v2"]), [third.as_str()]);
    assert_eq!(workspace.lines(["rev-list", "--reverse", "-n", "2", "HEAD"]), [second.as_str(), &third]);
    assert_eq!(workspace.run(["rev-list", "--all", "--count"]).success().line(), "3");
    let objects = workspace.lines(["rev-list", "--objects", "HEAD"]);
    let distinct: HashSet<_> = objects.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(distinct.len(), objects.len(), "each once");
    // Three snapshots, three roots, two folders `nodes`, and the contents 1, 2, x, y.
    assert_eq!(objects.len(), 12);
    assert!(objects.contains(&format!("{} nodes/y.py", ObjectId::of_blob(b"y"))));
    let newer = workspace.lines(["rev-list", "--objects", "v2..HEAD"]);
    let paths: Vec<_> = newer.iter().map(|line| line.split_once(' ').map_or("", |(_, path)| path)).collect();
    assert_eq!(paths, ["", "", "nodes", "nodes/y.py"]);
    let store = workspace.store();
    for line in &objects {
        let id: ObjectId = line.split(' ').next().unwrap().parse().unwrap();
        assert!((&store as &dyn Objects).kind(&id).unwrap().is_some());
    }
}

#[test]
fn trees_are_compared_by_path() {
    let (workspace, _) = with_three();
    assert_eq!(workspace.lines(["diff-tree", "--name-status", "v1", "v3"]), ["D\ta.txt", "A\tnodes/y.py"]);
    assert_eq!(workspace.lines(["diff-tree", "--name-status", "HEAD"]), ["D\ta.txt", "A\tnodes/y.py"]);
    assert_eq!(workspace.lines(["diff-tree", "--name-only", "v1"]), ["a.txt", "nodes/x.py"]);
    let (one, two) = (ObjectId::of_blob(b"1"), ObjectId::of_blob(b"2"));
    assert_eq!(workspace.lines(["diff-tree", "v1", "v2"]), [format!("M file {one} file {two}\ta.txt")]);
    assert_eq!(workspace.run(["diff-tree", "-z", "--name-only", "v1", "v3"]).success().stdout, "a.txt\0nodes/y.py\0");
    assert_eq!(workspace.lines(["diff", "v1..v3", "--", "nodes"]), ["A\tnodes/y.py"]);
    assert_eq!(workspace.lines(["diff", "v2", "v1"]), ["M\ta.txt"]);
    workspace.run(["diff", "--exit-code", "v2", "v1"]).fails_with(1);
    workspace.run(["diff", "--exit-code", "v1", "v1"]).success();
    let change = &workspace.json(["diff-tree", "--json", "v1", "v2"])[0];
    assert_eq!((change["status"].as_str(), change["path"].as_str()), (Some("M"), Some("a.txt")));
    assert_eq!(change["old"]["id"], one.to_hex());
}

#[test]
fn the_log_shows_versions_refs_and_messages() {
    let (workspace, [_, second, third]) = with_three();
    workspace.run(["tag", "final", "v2"]).success();
    let expected = format!(
        "v3 {} (HEAD -> main)\nAuthor: Test <test@example.org>\nTime:   2026-11-20 10:00\n    third\n\n\
         v2 {} (tag: final)\nAuthor: Test <test@example.org>\nTime:   2026-11-20 10:00\n    second\n\n    with a body\n",
        &third[..10],
        &second[..10]
    );
    assert_eq!(workspace.run(["log", "-n", "2"]).success().stdout, expected);
    assert_eq!(workspace.lines(["log", "--oneline", "v1..v2"]), [format!("v2 {} (tag: final) second", &second[..10])]);
    let line = &workspace.json(["log", "--json"])[1];
    assert_eq!((line["version"].as_str(), line["refs"][0].as_str()), (Some("v2"), Some("tags/final")));
    assert_eq!(
        (line["message"].as_str(), line["time"].as_str()),
        (Some("second\n\nwith a body"), Some("2026-11-20T10:00:00.000+00:00"))
    );
    assert_eq!(workspace.lines(["log", "--oneline", "--", "nodes"]).len(), 2, "the second changed another file");
    assert_eq!(workspace.lines(["log", "--json", "-n", "1", "--", "nodes/x.py"]).len(), 1);
    assert!(workspace.run(["log", "--color=always"]).success().stdout.contains("\x1b["));
    let empty = Workspace::new();
    let run = empty.run(["log"]).success();
    assert!(run.stdout.is_empty() && run.stderr.contains("no snapshot yet"));
}

#[test]
fn show_prints_a_snapshot_with_its_changes_and_a_file_as_its_bytes() {
    let (workspace, [_, _, third]) = with_three();
    let shown = workspace.run(["show"]).success().stdout;
    assert!(shown.starts_with(&format!("v3 {} (HEAD -> main)\n", &third[..10])), "{shown}");
    assert!(shown.ends_with("    third\n\nD\ta.txt\nA\tnodes/y.py\n"), "{shown}");
    assert_eq!(workspace.run(["show", "v1:a.txt"]).success().stdout, "1");
    assert_eq!(workspace.lines(["show", "v1:"]), ["a.txt", "nodes/"]);
    let json = &workspace.json(["show", "--json", "v2"])[0];
    assert_eq!((json["kind"].as_str(), json["changes"][0]["path"].as_str()), (Some("snapshot"), Some("a.txt")));
    let operation = workspace.operations()[0].0.to_hex();
    assert!(workspace.run(["show", &operation]).success().stdout.contains("update-ref HEAD"));
}

#[test]
fn tags_are_listed_set_moved_and_deleted() {
    let (workspace, [first, _, third]) = with_three();
    workspace.run(["tag", "b"]).success();
    workspace.run(["tag", "a", "v1"]).success();
    assert_eq!(
        workspace.lines(["tag"]),
        ["a  v1          2026-11-20 10:00  first", "b  v3          2026-11-20 10:00  third"]
    );
    let run = workspace.run(["tag", "a"]).fails_with(4);
    assert!(run.stderr.contains("move it with --force"), "{}", run.stderr);
    workspace.run(["tag", "a", "v1"]).success();
    workspace.run(["tag", "-f", "a"]).success();
    assert_eq!(workspace.run(["rev-parse", "a"]).success().line(), third);
    workspace.run(["tag", "v9"]).fails_with(2);
    workspace.run(["tag", "bad..name"]).fails_with(2);
    let run = workspace.run(["tag", "-d", "bb"]).fails_with(3);
    assert!(run.stderr.contains("did you mean `b`?"), "{}", run.stderr);
    workspace.run(["tag", "-d", "a", "b"]).success();
    assert!(workspace.lines(["tag"]).is_empty());
    assert_eq!(workspace.run(["rev-parse", "a@{1}", "v1"]).success().stdout, format!("{third}\n{first}\n"));
}

#[test]
fn operations_say_what_each_command_changed() {
    let (workspace, [first, second, _]) = with_three();
    let lines = workspace.lines(["operations", "-n", "2"]);
    assert!(lines[0].starts_with("@{0} ") && lines[0].contains(" 2026-11-20 10:00 update-ref HEAD "), "{lines:?}");
    assert!(lines[2].starts_with("@{1} "), "{lines:?}");
    assert_eq!(lines[3], format!("    workspace/heads/main: {} -> {}", &first[..10], &second[..10]));
    let all = workspace.json(["operations", "--json"]);
    assert_eq!(all.len(), 3);
    assert_eq!((all[2]["n"].as_u64(), all[2]["parent"].is_null()), (Some(2), true));
    assert_eq!(all[2]["changes"][0]["new"], "-> workspace/heads/main");
    assert_eq!(all[1]["changes"][0]["old"], first);
    assert_eq!(workspace.lines(["operations", "--oneline"]).len(), 3);
}

#[test]
fn a_snapshot_is_the_same_whoever_builds_it_of_the_same_parts() {
    let workspace = Workspace::new();
    let tree = workspace.tree(&[("a", "1")]);
    let made = workspace.run(["commit-tree", &tree.to_hex(), "-m", "one", "-m", "two"]).success().line().to_owned();
    let snapshot = Snapshot {
        tree,
        parents: vec![],
        environment: String::new(),
        author: "Test <test@example.org>".into(),
        time: "2026-11-20T10:00:00+00:00".parse().unwrap(),
        message: "one\n\ntwo".into(),
        tool: Snapshot::TOOL.into(),
    };
    assert_eq!(made, comfrey::object::Encoded::id(&snapshot).to_hex());
    let from_input = workspace.sandbox.comfrey_with_input(["commit-tree", &tree.to_hex()], "one\n\ntwo\n");
    assert_eq!(from_input.success().line(), made);
    let other = ["commit-tree", &made, "-m", "x", "--author", "A", "--time", "2026-01-01T00:00:00+01:00", "--json"];
    assert_eq!(workspace.json(other)[0]["tree"], tree.to_hex());
    let run = workspace.run(["commit-tree", &made, "-p", &made, "-p", &made, "-m", "x"]).success();
    assert!(run.stderr.contains("taken once"));
    workspace.run(["commit-tree", &ObjectId::of_blob(b"1").to_hex(), "-m", "x"]).fails_with(2);
}

// Not on Windows: its words are UTF-16, and Wine keeps no unpaired half.
// Instead: `a_path_survives_its_bytes`.
#[cfg(target_os = "linux")]
#[test]
fn a_word_that_is_not_unicode_is_no_reason_to_fail() {
    use std::os::unix::ffi::OsStrExt;
    let workspace = Workspace::new();
    let odd = std::ffi::OsStr::from_bytes(b"\xff.txt");
    std::fs::write(workspace.sandbox.join(odd), "x").unwrap();
    let run = Run::of(workspace.sandbox.comfrey_command([std::ffi::OsStr::new("hash-object"), odd]));
    assert_eq!(run.success().line(), ObjectId::of_blob(b"x").to_hex());
}

#[test]
fn a_command_is_logged_as_typed_on_one_line_whichever_program_it_was() {
    let workspace = Workspace::new();
    let id = workspace.commit("first", &[]);
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_comfrey-update-ref"));
    let mut command = workspace.sandbox.command(program);
    command.args(["tags/x", "HEAD"]);
    Run::of(command).success();
    workspace.run(["update-ref", "--no-deref", "tags/y", &format!("{id}^0"), ""]).success();
    let lines = workspace.lines(["operations", "--oneline"]);
    assert!(lines[1].ends_with(" update-ref tags/x HEAD"), "{lines:?}");
    // A shell of Windows takes `^` for a sign of its own.
    assert!(lines[0].ends_with(if cfg!(windows) { "^0\" \"\"" } else { "^0 \"\"" }), "{lines:?}");
}

#[test]
fn of_many_processes_that_change_refs_at_once_none_is_lost() {
    const PROCESSES: usize = 6;
    const CHANGES: usize = 12;
    let workspace = Workspace::new();
    let id = workspace.commit("first", &[]);
    std::thread::scope(|scope| {
        for process in 0..PROCESSES {
            let (workspace, id) = (&workspace, &id);
            scope.spawn(move || {
                for n in 0..CHANGES {
                    workspace.run(["update-ref", &format!("tags/p{process}-{n}"), id, ""]).success();
                }
            });
        }
    });
    let log = workspace.operations();
    assert_eq!(log.len(), 1 + PROCESSES * CHANGES);
    for pair in log.windows(2) {
        assert_eq!(pair[0].1.parent, Some(pair[1].0));
        assert_eq!(pair[0].1.refs.len(), pair[1].1.refs.len() + 1, "each adds its own and keeps the others'");
    }
    assert_eq!(workspace.lines(["show-ref", "--tags"]).len(), PROCESSES * CHANGES);
}

#[test]
fn of_many_processes_that_want_the_same_ref_one_gets_it() {
    let workspace = Workspace::new();
    let id = workspace.commit("first", &[]);
    let children: Vec<_> = (0..6)
        .map(|_| {
            let mut command = workspace.sandbox.comfrey_command(["update-ref", "tags/mine", &id, ""]);
            command.stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let mut codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 4, 4, 4, 4, 4]);
}

#[test]
fn who_loses_the_race_for_a_ref_leaves_no_operation_behind() {
    let workspace = Workspace::new();
    let id = workspace.commit("first", &[]);
    let of_each: Vec<_> = (0..6).map(|n| format!("tags/t{}", n / 3)).collect();
    let children: Vec<_> = of_each
        .iter()
        .map(|name| {
            let mut command = workspace.sandbox.comfrey_command(["update-ref", name, &id, ""]);
            command.stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        child.wait().unwrap();
    }
    let in_chain: HashSet<ObjectId> = workspace.operations().into_iter().map(|(id, _)| id).collect();
    let store = workspace.store();
    let mut stored = HashSet::new();
    for first in 0..=0xffff_u16 {
        let prefix = format!("{first:04x}").parse().unwrap();
        let found = (&store as &dyn Objects).matching(&prefix, 100).unwrap();
        stored.extend(found.into_iter().filter(|(_, kind)| *kind == Kind::Operation).map(|(id, _)| id));
    }
    assert_eq!(stored, in_chain);
}

/// Every step that touches the disk fails once, then fails for good, then ends the process: the refs are the old or the
/// new ones, every operation can be read, and the next command works.
#[test]
fn a_change_of_refs_that_fails_at_any_step_leaves_the_old_refs_or_the_new() {
    for manner in ["", "+", "!"] {
        let workspace = Workspace::new();
        let id = workspace.commit("first", &[("a", "1")]);
        let mut step = 0;
        loop {
            step += 1;
            assert!(step < 200, "the change never gets through");
            let tag = format!("tags/at-{step}");
            let before = workspace.lines(["show-ref"]);
            let mut command = workspace.sandbox.comfrey_command(["update-ref", &tag, &id, ""]);
            command.env("COMFREY_FAULT_AT", format!("{step}{manner}"));
            let run = Run::of(command);
            let after = workspace.lines(["show-ref"]);
            let line = format!("{id} workspace/{tag}");
            let without: Vec<_> = after.iter().filter(|found| **found != line).cloned().collect();
            assert_eq!(without, before, "step {step}{manner}");
            if run.code == 0 {
                assert!(after.contains(&line), "what was promised is there");
                break;
            }
            assert!(manner == "!" || run.stderr.starts_with("error: "), "step {step}{manner}: {}", run.stderr);
            assert!(workspace.operations().windows(2).all(|pair| pair[0].1.parent == Some(pair[1].0)));
            workspace.run(["update-ref", &format!("tags/after-{step}"), &id, ""]).success();
        }
        assert!(step > 4, "there were steps to fail at");
    }
}

#[test]
fn what_is_printed_as_json_is_what_is_documented() {
    let (workspace, [_, second, _]) = with_three();
    let tree = workspace.tree(&[("a", "1")]).to_hex();
    workspace.run(["tag", "x"]).success();
    let zero = workspace.json(["update-ref", "--json", "HEAD", &second]);
    same_fields("update-ref", &documented("update-ref"), &zero[0]);
    for (section, arguments) in [
        ("commit-tree", vec!["commit-tree", &tree, "-p", "HEAD", "-m", "x"]),
        ("diff, diff-tree", vec!["diff-tree", "v1", "v2"]),
        ("log", vec!["log"]),
        ("operations", vec!["operations"]),
        ("rev-parse", vec!["rev-parse", "HEAD:a.txt"]),
        ("show-ref", vec!["show-ref", "HEAD"]),
        ("tag", vec!["tag", "y"]),
    ] {
        let printed = &workspace.json(arguments.iter().copied().chain(["--json"]))[0];
        same_fields(section, &documented(section), printed);
    }
    let listed = workspace.json(["rev-list", "--objects", "--json", "HEAD"]);
    same_fields("rev-list", &documented("rev-list"), listed.last().unwrap());
}

#[test]
fn what_a_snapshot_needs_goes_through_a_pipe_into_another_store() {
    let (workspace, [.., third]) = with_three();
    let other = Workspace::new();
    let to = other.sandbox.path().display().to_string();
    let script = format!("comfrey rev-list --objects HEAD | comfrey pack | comfrey --workspace \"{to}\" unpack");
    let run = workspace.sandbox.shell(&script);
    assert_eq!(run.code, 0, "{}", run.stderr);
    other.run(["update-ref", "HEAD", &third]).success();
    let log = |workspace: &Workspace| workspace.run(["log"]).success().stdout;
    assert_eq!(log(&other), log(&workspace));
    assert_eq!(other.run(["show", "v1:nodes/x.py"]).success().stdout, "x");
}

#[test]
fn names_with_control_characters_are_quoted_unless_nul_ends_the_line() {
    let workspace = Workspace::new();
    workspace.commit("odd", &[("line\nfeed", "1"), ("plain ü", "2")]);
    assert_eq!(workspace.lines(["diff-tree", "--name-only", "v1"]), ["\"line\\nfeed\"", "plain ü"]);
    assert_eq!(
        workspace.run(["diff-tree", "-z", "--name-status", "v1"]).success().stdout,
        "A\tline\nfeed\0A\tplain ü\0"
    );
    assert_eq!(workspace.lines(["rev-list", "--objects", "HEAD"]).len(), 4);
}

#[test]
fn an_unknown_environment_is_named_and_its_refs_are_enough_to_know_it() {
    let (workspace, [first, ..]) = with_three();
    workspace.run(["update-ref", "demo/heads/main", &first]).success();
    assert_eq!(workspace.run(["-E", "demo", "rev-parse", "HEAD"]).success().line(), first);
    assert_eq!(workspace.run(["rev-parse", "demo/v1"]).success().line(), first);
    assert_eq!(workspace.lines(["-E", "demo", "show-ref"]), [format!("{first} demo/heads/main")]);
    let run = workspace.run(["-E", "dmeo", "log"]).fails_with(3);
    assert!(run.stderr.contains("there is no environment `dmeo`"), "{}", run.stderr);
    assert_eq!(workspace.json(["-E", "demo", "operations", "--json"]).len(), 1);
}

/// A ComfyUI that uses a model, adopted, with one commit and a changed workflow.
fn adopted() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("ComfyUI/main.py", "");
    sandbox.write("ComfyUI/comfy/model.py", "");
    sandbox.write("ComfyUI/custom_nodes/pack/__init__.py", "nodes = 1\n");
    sandbox.write("ComfyUI/models/checkpoints/a.safetensors", "weights");
    let workflow = |seed: u32| {
        let loader = r#""1":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"a.safetensors"}}"#;
        format!(r#"{{{loader},"2":{{"class_type":"KSampler","inputs":{{"seed":{seed}}}}}}}"#)
    };
    sandbox.write("ComfyUI/user/default/workflows/portrait.json", workflow(1));
    sandbox.comfrey(["init", "w", "--models", "ComfyUI/models", "--no-input"]).success();
    sandbox.comfrey(["--workspace", "w", "adopt", "demo", "ComfyUI"]).success();
    sandbox.comfrey(["--workspace", "w", "commit", "-m", "first"]).success();
    sandbox.write("ComfyUI/user/default/workflows/portrait.json", workflow(2));
    sandbox
}

#[test]
fn the_working_state_is_compared_with_any_version() {
    let sandbox = adopted();
    let run = |words: &[&str]| sandbox.comfrey([&["--workspace", "w"], words].concat());
    let expected = "M\tworkflows/portrait.json\n        ~ 2 KSampler\n            seed: 1 → 2\n";
    assert_eq!(run(&["diff"]).success().stdout, expected);
    assert_eq!(run(&["diff", "--name-status"]).success().stdout, "M\tworkflows/portrait.json\n");
    assert_eq!(run(&["diff", "--", "nodes"]).success().stdout, "");
    run(&["diff", "--exit-code"]).fails_with(1);
    run(&["commit", "-m", "another seed"]).success();
    assert_eq!(run(&["diff"]).success().stdout, "");
    assert_eq!(run(&["diff", "v1"]).success().stdout, expected);
    assert_eq!(run(&["show", "v1:workflows/portrait.json"]).success().stdout.matches("\"seed\":1").count(), 1);
}

#[test]
fn undo_and_redo_go_through_the_log_and_say_so() {
    let sandbox = adopted();
    let run = |words: &[&str]| sandbox.comfrey([&["--workspace", "w"], words].concat()).success().stdout;
    run(&["commit", "-m", "another seed"]);
    run(&["tag", "x"]);
    run(&["undo"]);
    run(&["undo"]);
    assert_eq!(run(&["log", "--oneline"]).lines().count(), 1);
    run(&["redo"]);
    assert_eq!(run(&["log", "--oneline"]).lines().count(), 2);
    assert_eq!(run(&["tag"]), "");
    run(&["redo"]);
    assert!(run(&["tag"]).starts_with("x  v2"));
    let told = run(&["operations", "-n", "1"]);
    assert!(told.contains("brought back "), "{told}");
    let told = run(&["operations", "--json"]);
    let newest: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    let third: Value = serde_json::from_str(told.lines().nth(3).unwrap()).unwrap();
    assert_eq!(newest["undoes"], third["id"], "the last redo takes back the first undo");
}
