//! What the size of a history and of a tree costs: differences, walks, revisions, changes of refs.
//!
//! `cargo bench --bench history`

use std::sync::OnceLock;

use comfrey::history::walk::{WalkOptions, walk};
use comfrey::history::{Objects, Record, RefName, TreeDiff, View, transact};
use comfrey::object::{Entry, EntryKind, EntryName, ObjectId, Snapshot, Time, Tree};
use comfrey::observer::Silent;
use comfrey::store::{Store, Writer};

/// Folders of this many files.
const FILES: usize = 100;
const FOLDERS: usize = 1000;
const SNAPSHOTS: usize = 10_000;

struct World {
    _folder: tempfile::TempDir,
    store: Store,
    /// 100,000 files.
    old: ObjectId,
    /// The same with one other content.
    one_changed: ObjectId,
    /// The same with all contents other.
    all_changed: ObjectId,
    newest: ObjectId,
}

fn main() {
    divan::main();
}

fn time(n: usize) -> Time {
    Time { milliseconds: n as i64 * 1000, offset_minutes: 0 }
}

/// A tree of 1,000 folders; `changed` says which files have another content.
fn tree(writer: &Writer, changed: impl Fn(usize, usize) -> bool) -> ObjectId {
    let entry = |name: String, kind, id| Entry { name: EntryName::new(name).unwrap(), kind, id, size: 1 };
    let folder = |folder: usize| {
        let file = |file: usize| {
            let content = format!("{folder} {file} {}", changed(folder, file));
            entry(format!("file-{file:03}.py"), EntryKind::File, ObjectId::of_blob(content.as_bytes()))
        };
        let tree = Tree::new((0..FILES).map(file).collect()).unwrap();
        entry(format!("folder-{folder:04}"), EntryKind::Tree, writer.put_value(&tree).unwrap())
    };
    writer.put_value(&Tree::new((0..FOLDERS).map(folder).collect()).unwrap()).unwrap()
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        let writer = store.writer().unwrap();
        let old = tree(&writer, |_, _| false);
        let one_changed = tree(&writer, |folder, file| (folder, file) == (500, 50));
        let all_changed = tree(&writer, |_, _| true);
        let mut parents = Vec::new();
        for n in 0..SNAPSHOTS {
            let snapshot = Snapshot {
                tree: old,
                parents: parents.clone(),
                environment: "demo".into(),
                author: "Bench".into(),
                time: time(n),
                message: format!("number {n}"),
                tool: Snapshot::TOOL.into(),
            };
            parents = vec![writer.put_value(&snapshot).unwrap()];
        }
        writer.publish().unwrap();
        drop(writer);
        let newest = parents[0];
        let head = RefName::head("demo").unwrap();
        let record = Record::new("bench", "Bench", time(0));
        transact::<comfrey::history::Error>(&store, &record, |refs| refs.set(&head, newest)).unwrap();
        World { _folder: folder, store, old, one_changed, all_changed, newest }
    })
}

fn changes(old: ObjectId, new: ObjectId) -> usize {
    TreeDiff::new(&world().store, Some(old), Some(new)).unwrap().map(Result::unwrap).count()
}

#[divan::bench(sample_count = 20)]
fn one_change_among_100_000_files(bencher: divan::Bencher) {
    let world = world();
    bencher.bench(|| assert_eq!(changes(world.old, world.one_changed), 1));
}

#[divan::bench(sample_count = 10)]
fn changes_of_100_000_files(bencher: divan::Bencher) {
    let world = world();
    bencher.bench(|| assert_eq!(changes(world.old, world.all_changed), FILES * FOLDERS));
}

#[divan::bench(sample_count = 10)]
fn walk_of_10_000_snapshots(bencher: divan::Bencher) {
    let world = world();
    let options = WalkOptions { include: vec![world.newest], ..Default::default() };
    bencher.bench(|| assert_eq!(walk(&world.store, &options, &Silent).unwrap().snapshots.len(), SNAPSHOTS));
}

#[divan::bench(sample_count = 20)]
fn version_1_of_10_000(bencher: divan::Bencher) {
    let world = world();
    bencher.bench(|| View::now(&world.store, Some("demo")).unwrap().resolve("v1").unwrap());
}

#[divan::bench(sample_count = 50)]
fn head_of_10_000(bencher: divan::Bencher) {
    let world = world();
    bencher.bench(|| View::now(&world.store, Some("demo")).unwrap().resolve("HEAD").unwrap());
}

#[divan::bench(sample_count = 20)]
fn a_change_of_a_ref(bencher: divan::Bencher) {
    let world = world();
    let objects: &dyn Objects = &world.store;
    let tag = RefName::tag("demo", "moving").unwrap();
    let record = Record::new("bench", "Bench", time(0));
    let ids = [world.newest, world.old];
    let mut at = 0;
    bencher.bench_local(|| {
        at += 1;
        transact::<comfrey::history::Error>(objects, &record, |refs| refs.set(&tag, ids[at % 2])).unwrap()
    });
}
