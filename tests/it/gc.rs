//! `gc`: what nothing needs goes, in its time and not before; what is needed stays, whatever happens.

use comfrey::object::{Encoded, EntryKind, Kind, ObjectId, Time, Tree};
use comfrey::observer::Silent;
use comfrey::store::faults::Faults;
use comfrey::store::gc::{self, Models, Options};
use comfrey::store::{LinkPolicy, Store, fsck, sweep};

use crate::support::{Run, Sandbox, entry, history_of};

const DAY: i64 = 86_400_000;
/// The sandbox's own time.
const NOW: i64 = 1_795_168_800_000;

fn text(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Stores a snapshot of one file and makes it the only ref's, by an operation of that time.
fn commit(store: &Store, content: &[u8], time: i64) -> (ObjectId, ObjectId) {
    let writer = store.writer().unwrap();
    let id = writer.put(Kind::Blob, content).unwrap();
    let tree = Tree::new(vec![entry("file", EntryKind::File, id, content.len() as u64)]).unwrap();
    let parent = store.head_operation().unwrap();
    let (snapshot, operation) = history_of(&tree, parent, Time { milliseconds: time, offset_minutes: 0 });
    writer.put_value(&tree).unwrap();
    writer.put_value(&snapshot).unwrap();
    writer.put_value(&operation).unwrap();
    writer.publish().unwrap();
    assert!(store.advance_operation(parent, operation.id()).unwrap());
    (id, operation.id())
}

fn put(store: &Store, bytes: &[u8]) -> ObjectId {
    let writer = store.writer().unwrap();
    let id = writer.put(Kind::Blob, bytes).unwrap();
    writer.publish().unwrap();
    id
}

fn store() -> (Sandbox, Store) {
    let sandbox = Sandbox::new();
    let store = Store::create(&sandbox.join(".comfrey")).unwrap();
    (sandbox, store)
}

fn at(now: i64) -> Options {
    Options { now, ..Options::default() }
}

fn collect(store: &Store, options: &Options) -> (gc::Plan, gc::Done) {
    sweep::collect(store, options, &Silent, |_| Ok::<(), comfrey::store::Error>(())).unwrap()
}

fn has(store: &Store, id: &ObjectId) -> bool {
    store.info(id).unwrap().is_some()
}

fn is_sound(store: &Store, now: i64) -> bool {
    let contents = Some(fsck::Contents { percent: 100.0, max_duration: None });
    let report = fsck::check(store, &fsck::Options { now, contents, ..Default::default() }, &Silent).unwrap();
    assert!(report.is_clean(), "{:?}", report.faults);
    true
}

#[test]
fn garbage_is_marked_first_and_deleted_a_day_later() {
    let (_sandbox, store) = store();
    let (kept, _) = commit(&store, b"kept", NOW);
    let garbage = put(&store, &text(1, 5000));
    assert_eq!(collect(&store, &at(NOW)).0.deleted().count(), 0);
    assert_eq!(collect(&store, &at(NOW + DAY / 2)).0.deleted().count(), 0);
    assert!(has(&store, &garbage));
    let (plan, done) = collect(&store, &at(NOW + DAY));
    assert_eq!(plan.deleted().map(|one| one.id).collect::<Vec<_>>(), [garbage]);
    assert!(done.freed > 4000, "{done:?}");
    assert!(!has(&store, &garbage) && has(&store, &kept));
    assert_eq!(store.read(&kept).unwrap().1, b"kept");
    assert!(is_sound(&store, NOW + DAY));
}

#[test]
fn what_is_stored_again_loses_its_mark() {
    let (_sandbox, store) = store();
    commit(&store, b"kept", NOW);
    let garbage = put(&store, b"used again");
    collect(&store, &at(NOW));
    put(&store, b"used again");
    assert_eq!(collect(&store, &at(NOW + 2 * DAY)).0.deleted().count(), 0);
    assert!(has(&store, &garbage));
    assert_eq!(collect(&store, &at(NOW + 4 * DAY)).0.deleted().count(), 1);
}

#[test]
fn what_something_younger_needs_is_spared() {
    let (_sandbox, store) = store();
    commit(&store, b"kept", NOW);
    let blob = put(&store, b"in a tree");
    collect(&store, &at(NOW));
    // A pipeline makes a tree of it, and has not come to its snapshot.
    let entry = entry("x", EntryKind::File, blob, 9);
    let writer = store.writer().unwrap();
    writer.put_value(&Tree::new(vec![entry]).unwrap()).unwrap();
    writer.publish().unwrap();
    drop(writer);
    assert_eq!(collect(&store, &at(NOW + DAY)).0.deleted().count(), 0);
    assert!(has(&store, &blob));
    assert_eq!(collect(&store, &at(NOW + 2 * DAY)).0.deleted().count(), 2);
}

#[test]
fn operations_count_for_two_weeks_and_so_does_the_one_before() {
    let (_sandbox, store) = store();
    let (first, oldest) = commit(&store, b"first", NOW);
    let (second, _) = commit(&store, b"second", NOW + DAY);
    let (third, _) = commit(&store, b"third", NOW + 20 * DAY);
    let options = |days: i64| Options { wait: 0, ..at(NOW + days * DAY) };
    // The operation of day 1 is what an undo of day 20 goes back to.
    collect(&store, &options(21));
    assert_eq!([&first, &second, &third].map(|id| has(&store, id)), [false, true, true]);
    assert!(has(&store, &oldest), "the log stays whole");
    assert!(is_sound(&store, NOW + 21 * DAY));
    collect(&store, &options(60));
    assert_eq!([&first, &second, &third].map(|id| has(&store, id)), [false, true, true]);
}

#[test]
fn a_large_blob_goes_only_with_models_and_the_last_copy_only_with_force() {
    let (sandbox, store) = store();
    commit(&store, b"kept", NOW);
    let put_file = |name: &str, byte: u8, policy| {
        let path = sandbox.write(name, vec![byte; 2 << 20]);
        let writer = store.writer().unwrap();
        let id = writer.put_file(&path, policy, &Silent).unwrap().id;
        writer.publish().unwrap();
        id
    };
    let copied = put_file("copied", 1, LinkPolicy::Copy);
    let linked = put_file("linked", 2, LinkPolicy::Hardlink);
    let referred = put_file("referred", 3, LinkPolicy::Reference);
    let run = |models| collect(&store, &Options { wait: 0, models, ..at(NOW) });
    run(Models::Keep);
    assert_eq!([&copied, &linked, &referred].map(|id| has(&store, id)), [true; 3]);
    let (plan, _) = run(Models::Prune);
    assert_eq!(plan.with_fate(gc::Fate::KeepLastCopy).map(|one| one.id).collect::<Vec<_>>(), [copied]);
    assert_eq!([&copied, &linked, &referred].map(|id| has(&store, id)), [true, false, false]);
    assert!(["linked", "referred"].iter().all(|name| sandbox.join(name).exists()), "the user's files stay");
    let (_, done) = run(Models::PruneLastCopies);
    assert_eq!(done.freed, 2 << 20);
    assert!(!has(&store, &copied) && !store.large().path(&copied).exists());
    assert!(is_sound(&store, NOW));
}

#[test]
fn a_segment_that_is_mostly_garbage_shrinks_and_its_objects_stay_readable() {
    let (_sandbox, store) = store();
    let (kept, _) = commit(&store, &text(1, 3000), NOW);
    for seed in 2..10 {
        put(&store, &text(seed, 4000));
    }
    let reader = Store::open(store.dir(), &Default::default()).unwrap();
    assert_eq!(reader.read(&kept).unwrap().1, text(1, 3000));
    let (plan, done) = collect(&store, &Options { wait: 0, ..at(NOW) });
    assert_eq!((plan.shrunk.len(), plan.deleted().count()), (1, 8));
    assert!(done.freed > 30_000, "{done:?}");
    // One that had the old segment open finds the object where it is now.
    assert_eq!(reader.read(&kept).unwrap().1, text(1, 3000));
    assert!(is_sound(&store, NOW));
}

#[test]
fn the_budget_of_a_run_bounds_what_is_copied() {
    let (_sandbox, store) = store();
    commit(&store, &text(1, 30_000), NOW);
    put(&store, &text(2, 60_000));
    let (plan, _) = collect(&store, &Options { wait: 0, budget: 10_000, ..at(NOW) });
    assert_eq!((plan.shrunk.len(), plan.postponed), (0, 1));
    assert_eq!(collect(&store, &Options { wait: 0, ..at(NOW) }).0.shrunk.len(), 1);
    assert!(is_sound(&store, NOW));
}

#[test]
fn nothing_is_deleted_while_something_that_is_needed_cannot_be_read() {
    let (sandbox, store) = store();
    commit(&store, b"kept", NOW);
    let garbage = put(&store, b"garbage");
    let segment = sandbox.join(".comfrey/segments/00000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[80..].fill(0);
    std::fs::write(&segment, bytes).unwrap();
    let run = sandbox.comfrey(["gc", "--now"]).fails_with(5);
    assert!(run.stderr.contains("is damaged"), "{}", run.stderr);
    assert!(has(&store, &garbage));
}

#[test]
fn a_fault_at_any_step_leaves_a_sound_store_that_the_next_run_cleans() {
    for step in 1.. {
        let (sandbox, whole) = store();
        let (kept, _) = commit(&whole, &text(1, 3000), NOW);
        for seed in 2..6 {
            put(&whole, &text(seed, 4000));
        }
        let path = sandbox.write("model", vec![1; 2 << 20]);
        let writer = whole.writer().unwrap();
        let model = writer.put_file(&path, LinkPolicy::Copy, &Silent).unwrap().id;
        writer.publish().unwrap();
        drop(writer);
        let options = Options { wait: 0, models: Models::PruneLastCopies, ..at(NOW) };
        let faulty = Store::open_with_faults(whole.dir(), &Default::default(), Faults::from(step)).unwrap();
        let outcome = sweep::collect(&faulty, &options, &Silent, |_| Ok::<(), comfrey::store::Error>(()));
        drop(faulty);
        let again = Store::open(whole.dir(), &Default::default()).unwrap();
        assert_eq!(again.read(&kept).unwrap().1, text(1, 3000), "step {step}");
        assert!(is_sound(&again, NOW), "step {step}");
        collect(&again, &options);
        assert!(!again.large().path(&model).exists(), "step {step}");
        let left: u64 = again.segments().list().unwrap().iter().map(|(_, length)| length).sum();
        assert!(left < 6000, "step {step}: {left} bytes are left");
        assert_eq!(again.read(&kept).unwrap().1, text(1, 3000), "step {step}");
        assert!(is_sound(&again, NOW), "step {step}");
        if outcome.is_ok() {
            assert!(step > 5, "there are more steps than {step}");
            return;
        }
    }
}

#[test]
fn a_dry_run_prints_exactly_what_would_go_and_does_nothing() {
    let (sandbox, store) = store();
    commit(&store, b"kept", NOW);
    let garbage = put(&store, b"garbage");
    let run = sandbox.comfrey(["gc", "--dry-run", "--now"]).success();
    assert!(run.stdout.contains(&format!("would delete blob {garbage} 7 B (segment)\n")), "{}", run.stdout);
    assert!(has(&store, &garbage));
    let json = |run: Run| -> serde_json::Value { serde_json::from_str(run.success().line()).unwrap() };
    let plan = json(sandbox.comfrey(["gc", "--dry-run", "--json"]));
    assert_eq!((plan["garbage"][0]["fate"].as_str(), plan["needed"]["objects"].as_u64()), (Some("mark"), Some(4)));
    let plan = json(sandbox.comfrey(["gc", "--json"]));
    assert_eq!(plan["dry_run"], false);
    let run = sandbox.comfrey(["gc", "--now"]).success();
    assert!(run.stdout.contains("deleted: 1 object, 7 B\n"), "{}", run.stdout);
    assert!(!has(&store, &garbage));
    sandbox.comfrey(["gc", "--force"]).fails_with(2);
}

#[test]
fn a_writer_at_work_is_waited_for() {
    let (sandbox, store) = store();
    commit(&store, b"kept", NOW);
    let writer = store.writer().unwrap();
    let run = sandbox.comfrey(["gc", "--now", "--lock-timeout", "0.1"]).fails_with(4);
    assert!(run.stderr.contains("--lock-timeout"), "{}", run.stderr);
    drop(writer);
    sandbox.comfrey(["gc", "--now", "--lock-timeout", "0.1"]).success();
}

#[test]
fn a_large_file_that_a_dead_writer_left_goes_with_models() {
    let (sandbox, store) = store();
    commit(&store, b"kept", NOW);
    let id = ObjectId::of_blob(b"never published");
    let path = store.large().path(&id);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "never published").unwrap();
    sandbox.comfrey(["gc", "--now"]).success();
    assert!(path.exists());
    sandbox.comfrey(["gc", "--now", "--models", "--force"]).success();
    assert!(!path.exists());
}
