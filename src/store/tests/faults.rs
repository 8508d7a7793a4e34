//! Fail at step k for k = 1, 2, … until the work passes; after each failure the store must be sound, must hold what was
//! acknowledged, and must take the same work again (invariants S1, S2, S4).

use std::path::Path;

use super::{bytes_of, check, read_all};
use crate::object::{Kind, ObjectId, Tree};
use crate::observer::Silent;
use crate::store::faults::Faults;
use crate::store::{LinkPolicy, RecordTable, Result, Store, StoreOptions};

/// Does some of everything; `shown` gets each id when a user might first see it.
fn work(store: &Store, outside: &Path, shown: &mut Vec<ObjectId>) -> Result<()> {
    let writer = store.writer()?;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(writer.put(Kind::Blob, &bytes_of(700, n))?);
    }
    ids.push(writer.put_value(&Tree::default())?);
    for (name, policy) in
        [("copy", LinkPolicy::Copy), ("hardlink", LinkPolicy::Hardlink), ("reference", LinkPolicy::Reference)]
    {
        ids.push(writer.put_file(&outside.join(name), policy, &Silent)?.id);
    }
    ids.push(writer.put_stream(&mut &bytes_of(1 << 20, 100)[..], &Silent)?.id);
    writer.publish()?;
    shown.append(&mut ids);
    for n in 0..20 {
        ids.push(writer.put(Kind::Blob, &bytes_of(300, n + 10))?);
    }
    writer.publish()?;
    shown.append(&mut ids);
    store.records(RecordTable::Sources).apply(vec![(b"key".to_vec(), Some(b"value".to_vec()))])?;
    let head = store.head_operation()?;
    store.advance_operation(head, shown[0])?;
    Ok(())
}

/// Files outside of the store that it takes in.
fn outside(folder: &Path) {
    for (n, name) in ["copy", "hardlink", "reference"].into_iter().enumerate() {
        std::fs::write(folder.join(name), bytes_of(1 << 20, 200 + n as u64)).unwrap();
    }
}

fn fail_at_every_step(faults: fn(u64) -> Faults) {
    let mut steps = 0;
    for k in 1.. {
        let folder = tempfile::tempdir().unwrap();
        outside(folder.path());
        let dir = folder.path().join("store");
        Store::create(&dir).unwrap();
        let mut shown = Vec::new();
        let store = Store::open_with_faults(&dir, &StoreOptions::default(), faults(k)).unwrap();
        let done = work(&store, folder.path(), &mut shown);
        drop(store);
        let objects = check(&dir);
        assert!(shown.iter().all(|id| objects.contains_key(id)), "step {k}: a shown id is gone");
        if done.is_ok() {
            assert!(steps > 30, "only {steps} steps: the seam is not in the way");
            return;
        }
        steps = k;
        let store = Store::open(&dir, &StoreOptions::default()).unwrap();
        let mut shown_again = Vec::new();
        work(&store, folder.path(), &mut shown_again).unwrap_or_else(|e| panic!("step {k}, once more: {e}"));
        assert_eq!(store.head_operation().unwrap(), Some(shown_again[0]));
        for id in shown_again {
            assert_eq!(Kind::Blob.id_of(&read_all(&store, &id).unwrap()) == id, id != Tree::default_id());
        }
        drop(store);
        check(&dir);
        let left = std::fs::read_dir(dir.join("staging")).unwrap().count();
        assert_eq!(left, 0, "step {k}: something is left in staging");
    }
}

impl Tree {
    fn default_id() -> ObjectId {
        use crate::object::Encoded;
        Tree::default().id()
    }
}

#[test]
fn whichever_step_fails_the_store_is_sound_and_holds_what_was_shown() {
    fail_at_every_step(Faults::at);
}

#[test]
fn whichever_step_is_the_last_that_works_the_store_is_sound_and_holds_what_was_shown() {
    fail_at_every_step(Faults::from);
}

#[test]
fn after_a_failure_a_writer_writes_nothing_more() {
    use crate::store::Error;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    Store::create(&dir).unwrap();
    // Creating the segment, its title, the frames, the sync.
    let store = Store::open_with_faults(&dir, &StoreOptions::default(), Faults::at(4)).unwrap();
    let writer = store.writer().unwrap();
    let id = writer.put(Kind::Blob, b"lost").unwrap();
    assert!(writer.publish().unwrap_err().to_string().contains("Sync"));
    assert!(writer.publish().unwrap_err().to_string().contains("Sync"));
    assert!(writer.put(Kind::Blob, b"more").unwrap_err().to_string().contains("Sync"));
    drop(writer);
    assert!(matches!(store.read(&id), Err(Error::NotFound(_))));
    // Another writer is as good as new.
    let writer = store.writer().unwrap();
    writer.put(Kind::Blob, b"lost").unwrap();
    writer.publish().unwrap();
    assert_eq!(store.read(&id).unwrap().1, b"lost");
}

#[test]
fn what_a_dead_writer_left_behind_is_kept_as_far_as_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let store = Store::create(&dir).unwrap();
    let writer = store.writer().unwrap();
    let first = writer.put(Kind::Blob, b"first").unwrap();
    writer.publish().unwrap();
    drop(writer);
    // As if a writer had been killed between appending and indexing, in the middle of its second frame.
    let path = store.segments().path(1);
    let mut bytes = std::fs::read(&path).unwrap();
    let left = ObjectId::of_blob(b"whole");
    crate::store::frame::append(Kind::Blob, left, b"whole", &mut bytes);
    let whole = bytes.len();
    crate::store::frame::append(Kind::Blob, ObjectId::of_blob(b"torn"), b"torn", &mut bytes);
    bytes.truncate(bytes.len() - 2);
    std::fs::write(&path, &bytes).unwrap();
    let writer = store.writer().unwrap();
    let next = writer.put(Kind::Blob, b"next").unwrap();
    writer.publish().unwrap();
    let objects = check(&dir);
    assert_eq!(objects.keys().copied().collect::<std::collections::BTreeSet<_>>(), [first, left, next].into());
    let info = store.index().locator(&next).unwrap().unwrap();
    assert!(matches!(info.at, crate::store::locator::At::Segment { offset, .. } if offset as usize == whole));
}
