use super::*;
use crate::object::{Encoded, Entry, EntryKind, Kind, Tree};
use crate::observer::Silent;
use crate::platform::trial::{links_can_be_made, symlink};
use crate::store::Writer;
use crate::worktree::Weights;
use crate::worktree::build::build_tree;
use crate::worktree::{Mode, WriteOptions, write_tree};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;

struct Place {
    folder: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        Place { folder, store }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn write(&self, below: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A tree of these files; a path that ends with `/` is an empty folder, one with `@` a link, one with `*` executable.
    fn tree(&self, files: &[(&str, &str)]) -> ObjectId {
        let writer = self.store.writer().unwrap();
        let id = self.tree_of(&writer, files);
        writer.publish().unwrap();
        id
    }

    fn tree_of(&self, writer: &Writer, files: &[(&str, &str)]) -> ObjectId {
        let entry = |(path, text): &(&str, &str)| {
            let (path, kind) = match path.chars().last().unwrap() {
                '/' => (&path[..path.len() - 1], EntryKind::Tree),
                '@' => (&path[..path.len() - 1], EntryKind::Symlink),
                '*' => (&path[..path.len() - 1], EntryKind::Executable),
                _ => (*path, EntryKind::File),
            };
            let id = match kind {
                EntryKind::Tree => writer.put_value(&Tree::default()).unwrap(),
                _ => writer.put(Kind::Blob, text.as_bytes()).unwrap(),
            };
            let name = EntryName::new("any").unwrap();
            (RelativePath::new(path).unwrap(), Entry { name, kind, id, size: text.len() as u64 })
        };
        build_tree(writer, files.iter().map(entry)).unwrap().0
    }

    fn check_out(&self, tree: &ObjectId, below: &str, options: &CheckOutOptions) -> Result<CheckedOut, Error> {
        check_out(&self.store, tree, &self.path(below), options, &Silent)
    }

    fn id_of(&self, below: &str) -> ObjectId {
        let options = WriteOptions { ignore: IgnoreRules::nothing(), ..WriteOptions::default() };
        let written = write_tree(&self.store, Mode::HashOnly, &self.path(below), &options, &Silent).unwrap();
        assert!(written.problems.is_empty(), "{:?}", written.problems);
        written.id
    }

    /// Nothing of ours lies about.
    fn assert_clean(&self) {
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(!name.to_string_lossy().starts_with(crate::worktree::ignore::STAGING_PREFIX), "{name:?}");
        }
    }
}

fn exact() -> CheckOutOptions {
    CheckOutOptions { extra: Extra::Displace, ..CheckOutOptions::default() }
}

/// A tree with one of everything that can be read back here: on Windows no file is executable, and a link wants a right.
const SOME: &[(&str, &str)] = &[
    ("a", "one"),
    ("d/b", "two"),
    ("d/e/c", "three"),
    ("empty/", ""),
    #[cfg(unix)]
    ("l@", "../elsewhere"),
    #[cfg(unix)]
    ("run*", "#!"),
];

#[test]
fn a_tree_becomes_a_folder_that_becomes_the_same_tree() {
    let place = Place::new();
    let tree = place.tree(SOME);
    let done = place.check_out(&tree, "x/y/out", &CheckOutOptions::default()).unwrap();
    let (files, bytes) = if cfg!(unix) { (5, 25) } else { (3, 11) };
    assert_eq!((done.written, done.unchanged, done.bytes), (files, 0, bytes));
    assert_eq!(place.id_of("x/y/out"), tree);
    let again = place.check_out(&tree, "x/y/out", &exact()).unwrap();
    assert_eq!((again.written, again.unchanged, again.displaced), (0, files, 0));
    fs::create_dir(place.path("there")).unwrap();
    place.check_out(&tree, "there", &CheckOutOptions::default()).unwrap();
    assert_eq!(place.id_of("there"), tree);
    place.assert_clean();
}

#[test]
fn only_what_differs_is_written() {
    let place = Place::new();
    let tree = place.tree(&[("a", "one"), ("b", "two"), ("d/c", "three")]);
    place.check_out(&tree, "out", &CheckOutOptions::default()).unwrap();
    let before = fs::metadata(place.path("out/a")).unwrap().modified().unwrap();
    place.write("out/b", "TWO");
    fs::remove_file(place.path("out/d/c")).unwrap();
    place.write("out/mine", "extra");
    let done = place.check_out(&tree, "out", &CheckOutOptions::default()).unwrap();
    assert_eq!((done.written, done.unchanged, done.displaced), (2, 1, 1));
    assert_eq!(fs::read(place.path("out/b")).unwrap(), b"two");
    assert_eq!(fs::read(place.path("out/d/c")).unwrap(), b"three");
    assert_eq!(fs::read(place.path("out/mine")).unwrap(), b"extra");
    assert_eq!(fs::metadata(place.path("out/a")).unwrap().modified().unwrap(), before);
    place.assert_clean();
}

#[test]
fn extra_files_go_only_when_asked_and_what_is_ignored_stays() {
    let place = Place::new();
    let tree = place.tree(&[("a", "one"), ("d/b", "two")]);
    for (path, text) in [
        ("out/a", "one"),
        ("out/x", "extra"),
        ("out/d/y", "extra"),
        ("out/gone/z", "extra"),
        ("out/gone/__pycache__/z.pyc", "code"),
        ("out/kept/.git/HEAD", "ref"),
        ("out/kept/z", "extra"),
        ("out/env/pyvenv.cfg", ""),
        ("out/.git/HEAD", "ref"),
    ] {
        place.write(path, text);
    }
    let options = CheckOutOptions { displaced: Displaced::MovedTo(place.path("aside")), ..exact() };
    let done = place.check_out(&tree, "out", &options).unwrap();
    assert_eq!(done.displaced, 4);
    for (path, is_there) in [
        ("out/a", true),
        ("out/d/b", true),
        ("out/x", false),
        ("out/d/y", false),
        ("out/gone", false),
        ("out/kept/.git/HEAD", true),
        ("out/kept/z", false),
        ("out/env/pyvenv.cfg", true),
        ("out/.git/HEAD", true),
        ("aside/x", true),
        ("aside/d/y", true),
        ("aside/gone/__pycache__/z.pyc", true),
        ("aside/kept/z", true),
    ] {
        assert_eq!(place.path(path).exists(), is_there, "{path}");
    }
    place.assert_clean();
}

#[test]
fn files_folders_and_links_take_each_others_place_only_when_nothing_is_lost() {
    if !links_can_be_made("files_folders_and_links_take_each_others_place") {
        return;
    }
    let place = Place::new();
    let tree = place.tree(&[("a", "file"), ("b/c", "inner"), ("l@", "there")]);
    place.write("out/b", "a file where a folder is wanted");
    place.write("out/l", "a file where a link is wanted");
    symlink("nowhere", place.path("out/a"));
    place.check_out(&tree, "out", &CheckOutOptions::default()).unwrap();
    assert_eq!(place.id_of("out"), tree);
    place.write("other/a/mine", "a folder where a file is wanted");
    let refused = place.check_out(&tree, "other", &CheckOutOptions::default());
    assert!(matches!(refused, Err(Error::InTheWay { path }) if path == place.path("other/a")));
    assert!(!place.path("other/b").exists());
    place.check_out(&tree, "other", &exact()).unwrap();
    assert_eq!(place.id_of("other"), tree);
    let refusing = CheckOutOptions { changed: Changed::Refuse, ..CheckOutOptions::default() };
    place.write("other/b/c", "edited");
    assert!(matches!(place.check_out(&tree, "other", &refusing), Err(Error::InTheWay { .. })));
    place.assert_clean();
}

#[test]
fn no_link_leads_out_of_the_target() {
    if !links_can_be_made("no_link_leads_out_of_the_target") {
        return;
    }
    let place = Place::new();
    place.write("outside/secret", "mine");
    place.write("outside/b", "mine");
    let tree = place.tree(&[("d/b", "theirs"), ("d/e/secret", "theirs")]);
    fs::create_dir_all(place.path("out")).unwrap();
    // A parent in the target is a link that leads out of it.
    symlink(place.path("outside"), place.path("out/d"));
    place.check_out(&tree, "out", &exact()).unwrap();
    assert_eq!(place.id_of("out"), tree);
    assert!(fs::symlink_metadata(place.path("out/d")).unwrap().is_dir());
    // And deeper, where the folder above stays.
    fs::remove_dir_all(place.path("out/d/e")).unwrap();
    symlink(place.path("outside"), place.path("out/d/e"));
    place.check_out(&tree, "out", &exact()).unwrap();
    assert_eq!(fs::read(place.path("outside/secret")).unwrap(), b"mine");
    assert_eq!(fs::read(place.path("outside/b")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(place.path("outside")).unwrap().count(), 2);
    // A link in the tree is written as it is, and leads where it leads.
    let links = place.tree(&[("up@", "../../outside"), ("abs@", "/etc/passwd")]);
    place.check_out(&links, "links", &CheckOutOptions::default()).unwrap();
    assert_eq!(fs::read_link(place.path("links/abs")).unwrap(), Path::new("/etc/passwd"));
    place.assert_clean();
}

#[test]
fn a_missing_object_changes_nothing() {
    let place = Place::new();
    let writer = place.store.writer().unwrap();
    let present = writer.put(Kind::Blob, b"present").unwrap();
    let entry = |name: &str, id, size| Entry { name: EntryName::new(name).unwrap(), kind: EntryKind::File, id, size };
    let absent = ObjectId::of_blob(b"absent");
    let inner = Tree::new(vec![entry("x", absent, 6)]).unwrap();
    let inner_id = writer.put_value(&inner).unwrap();
    let folder = Entry { kind: EntryKind::Tree, ..entry("d", inner_id, 6) };
    let tree = writer.put_value(&Tree::new(vec![entry("a", present, 7), folder]).unwrap()).unwrap();
    let lying = writer.put_value(&Tree::new(vec![entry("a", present, 8)]).unwrap()).unwrap();
    writer.publish().unwrap();
    place.write("out/a", "before");
    let refused = place.check_out(&tree, "out", &exact()).unwrap_err();
    assert!(matches!(&refused, Error::Object { path, .. } if path.as_str() == "d/x"), "{refused}");
    assert!(matches!(place.check_out(&lying, "out", &exact()), Err(Error::WrongSize { wanted: 8, found: 7, .. })));
    assert!(place.check_out(&tree, "new", &exact()).is_err());
    assert_eq!(fs::read(place.path("out/a")).unwrap(), b"before");
    assert_eq!(fs::read_dir(place.path("out")).unwrap().count(), 1);
    assert!(!place.path("new").exists());
    place.assert_clean();
}

#[test]
fn a_failure_while_placing_is_taken_back() {
    let place = Place::new();
    let tree = place.tree(&[("a", "new"), ("b", "new"), ("z", "new")]);
    place.write("out/a", "old");
    place.write("out/extra", "old");
    let target = Target::find(&place.path("out")).unwrap();
    let (options, store) = (exact(), &place.store);
    let plan = Comparison { store, options: &options, observer: &Silent, target: &target }.plan(&tree).unwrap();
    // After the comparison somebody makes a file where one is to be put.
    place.write("out/z", "somebody's");
    let failed = carry_out(&place.store, &target, &plan, &options, &Silent).unwrap_err();
    assert!(matches!(&failed, Error::Io { path, .. } if path.ends_with("z")), "{failed}");
    let read = |name: &str| fs::read_to_string(place.path("out").join(name)).unwrap();
    assert_eq!((read("a"), read("extra"), read("z")), ("old".into(), "old".into(), "somebody's".into()));
    assert!(!place.path("out/b").exists());
    // And one that is edited meanwhile is not lost.
    fs::remove_file(place.path("out/z")).unwrap();
    place.write("out/a", "edited");
    let failed = carry_out(&place.store, &target, &plan, &options, &Silent).unwrap_err();
    assert!(matches!(&failed, Error::ChangedMeanwhile { path } if path.ends_with("a")), "{failed}");
    assert_eq!(read("a"), "edited");
    place.assert_clean();
}

#[test]
fn large_files_come_out_whole_and_may_be_edited() {
    let place = Place::new();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    place.write("in/d/big.dat", &bytes);
    place.write("in/m.safetensors", &bytes[..2_000_000]);
    let writer = place.store.writer().unwrap();
    let options = WriteOptions { weights: Weights::IN_NODES, ..WriteOptions::default() };
    let written = write_tree(&place.store, Mode::Store(&writer), &place.path("in"), &options, &Silent).unwrap();
    writer.publish().unwrap();
    place.check_out(&written.id, "out", &CheckOutOptions::default()).unwrap();
    assert_eq!(fs::read(place.path("out/d/big.dat")).unwrap(), bytes);
    assert_eq!(fs::read(place.path("out/m.safetensors")).unwrap(), &bytes[..2_000_000]);
    fs::write(place.path("out/d/big.dat"), "edited in place").unwrap();
    fs::write(place.path("in/d/big.dat"), "edited in place too").unwrap();
    place.check_out(&written.id, "out", &CheckOutOptions::default()).unwrap();
    assert_eq!(fs::read(place.path("out/d/big.dat")).unwrap(), bytes);
    place.assert_clean();
}

#[test]
fn a_model_that_is_not_held_is_listed_and_the_rest_is_written() {
    let place = Place::new();
    let writer = place.store.writer().unwrap();
    let id = ObjectId::of_blob(b"weights that nobody has");
    let model = Entry { name: EntryName::new("m.pt").unwrap(), kind: EntryKind::Model, id, size: 23 };
    let file = writer.put(Kind::Blob, b"x").unwrap();
    let file = Entry { name: EntryName::new("f").unwrap(), kind: EntryKind::File, id: file, size: 1 };
    let path = |text: &str| RelativePath::new(text).unwrap();
    let entries = [(path("top.pt"), model.clone()), (path("d/m.pt"), model), (path("d/f"), file)];
    let (tree, _) = build_tree(&writer, entries).unwrap();
    writer.publish().unwrap();
    place.write("out/top.pt", "another version");
    let done = place.check_out(&tree, "out", &exact()).unwrap();
    let absent: Vec<_> = done.absent.iter().map(|model| model.path.as_str()).collect();
    assert_eq!((absent, done.written), (vec!["d/m.pt", "top.pt"], 1));
    assert_eq!(fs::read(place.path("out/top.pt")).unwrap(), b"another version");
    place.assert_clean();
}

#[test]
fn a_removal_that_was_cut_short_is_gone_on_with() {
    let place = Place::new();
    let tree = place.tree(&[("a", "x")]);
    for path in ["lock", ".comfrey-staging-0/x", ".comfrey-staging-2/w", "old/deep/er", "new/1/y"] {
        place.write(&format!(".comfrey-staging-00000001/{path}"), "");
    }
    place.check_out(&tree, "out", &CheckOutOptions::default()).unwrap();
    place.assert_clean();
}

#[test]
fn ten_thousand_levels_go_out_and_come_back() {
    // Windows takes whole paths, so that each level costs all above it again; 400 characters are more than it takes without asking.
    let levels = if cfg!(windows) { 200 } else { 10_000 };
    let place = Place::new();
    let writer = place.store.writer().unwrap();
    let deep = format!("{}/file", vec!["d"; levels].join("/"));
    let tree = place.tree_of(&writer, &[(deep.as_str(), "bottom")]);
    writer.publish().unwrap();
    let memory = Path::new("/dev/shm");
    let out = tempfile::tempdir_in(if memory.is_dir() { memory } else { place.folder.path() }).unwrap();
    let target = out.path().join("out");
    check_out(&place.store, &tree, &target, &CheckOutOptions::default(), &Silent).unwrap();
    let back = write_tree(&place.store, Mode::HashOnly, &target, &WriteOptions::default(), &Silent).unwrap();
    // Taken away again by ourselves: an empty tree, and everything there is extra.
    let empty = place.tree(&[]);
    let emptied = check_out(&place.store, &empty, &target, &exact(), &Silent).unwrap();
    assert_eq!((back.id, emptied.displaced, emptied.left_behind), (tree, 1, None));
}

#[test]
fn small_trees_nested_into_an_endless_one_are_refused() {
    let place = Place::new();
    let writer = place.store.writer().unwrap();
    let mut tree = Tree::default();
    for _ in 0..20 {
        let id = writer.put_value(&tree).unwrap();
        let entry =
            |n: u32| Entry { name: EntryName::new(format!("{n}")).unwrap(), kind: EntryKind::Tree, id, size: 0 };
        tree = Tree::new((0..10).map(entry).collect()).unwrap();
    }
    writer.put_value(&tree).unwrap();
    writer.publish().unwrap();
    let options = CheckOutOptions { most_entries: 1000, ..CheckOutOptions::default() };
    assert!(matches!(place.check_out(&tree.id(), "out", &options), Err(Error::TooManyEntries { most: 1000 })));
    assert!(!place.path("out").exists());
    place.assert_clean();
}

#[test]
fn what_cannot_be_a_target_is_named() {
    let place = Place::new();
    let tree = place.tree(SOME);
    place.write("file", "x");
    let with_links = links_can_be_made("what_cannot_be_a_target_is_named, with links");
    let mut wrong = vec![("file", "file"), ("file/x", "file/x")];
    if with_links {
        symlink("nowhere", place.path("dangling"));
        wrong.push(("dangling", "dangling"));
    }
    for (path, named) in wrong {
        let error = place.check_out(&tree, path, &CheckOutOptions::default()).unwrap_err();
        assert!(matches!(&error, Error::Io { path, .. } if *path == place.path(named)), "{error}");
    }
    if !with_links {
        return;
    }
    // A link to a folder means the folder.
    fs::create_dir(place.path("real")).unwrap();
    symlink("real", place.path("link"));
    place.check_out(&tree, "link", &CheckOutOptions::default()).unwrap();
    assert_eq!(place.id_of("real"), tree);
    assert_eq!(fs::read_link(place.path("link")).unwrap(), Path::new("real"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever stood there, an exact check-out makes it the tree; and writing it gives the tree back.
    #[test]
    fn any_tree_over_any_other_is_that_tree(
        first in prop::collection::btree_map("[abC](/[abC]){0,2}[@*]?", "[a-c]{0,3}", 0..8),
        second in prop::collection::btree_map("[abC](/[abC]){0,2}[@*]?", "[a-c]{1,3}", 0..8),
    ) {
        let place = Place::new();
        let some = |files: &BTreeMap<String, String>| {
            // A path below a file is no path: take those that can be had together; and no link of no target.
            let mut taken: Vec<(&str, &str)> = Vec::new();
            let bare = |path: &'_ str| path.trim_end_matches(['@', '*']).to_owned();
            for (path, text) in files {
                let clash = |a: &str, b: &str| a == b || a.starts_with(&format!("{b}/")) || b.starts_with(&format!("{a}/"));
                // Nor is there anything but files and folders on every system.
                if cfg!(windows) && path.ends_with(['@', '*']) {
                    continue;
                }
                let is_free = taken.iter().all(|(other, _)| !clash(&bare(other), &bare(path)));
                if is_free && !(path.ends_with('@') && text.is_empty()) {
                    taken.push((path, text));
                }
            }
            place.tree(&taken)
        };
        let (first, second) = (some(&first), some(&second));
        for tree in [first, second, first, first] {
            place.check_out(&tree, "out", &exact()).unwrap();
            let options = WriteOptions { ignore: IgnoreRules::nothing(), ..WriteOptions::default() };
            let written = write_tree(&place.store, Mode::HashOnly, &place.path("out"), &options, &Silent).unwrap();
            prop_assert!(!written.is_incomplete());
            prop_assert_eq!(written.id, tree);
        }
        place.assert_clean();
    }
}
