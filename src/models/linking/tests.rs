//! Linking and undoing, whole and broken off at every step.

use std::path::PathBuf;
use std::time::Duration;

use crate::observer::Silent;
use crate::platform::identity::FileStamp;
use crate::platform::trial;
use crate::store::faults::Faults;
use crate::store::{Store, StoreOptions};

use super::super::duplicates::{Duplicates, find};
use super::super::index::{Depth, ModelIndex};
use super::super::record::FileState;
use super::super::roots::ModelRoot;
use super::*;

const SAME: &[u8] = b"the same bytes in three files";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// Three equal files, one of another content of the same size, and an empty pair.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Store::create(&folder.path().join(".comfrey")).unwrap();
        let place = Place { folder };
        for name in ["checkpoints/a.pt", "checkpoints/b.pt", "loras/c.pt"] {
            place.write(name, SAME);
        }
        place.write("loras/other.pt", b"THE SAME BYTES IN THREE FILES");
        place.write("loras/empty1.pt", b"");
        place.write("loras/empty2.pt", b"");
        std::thread::sleep(Duration::from_millis(60));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("models").join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn store(&self, faults: Faults) -> Store {
        Store::open_with_faults(&self.folder.path().join(".comfrey"), &StoreOptions::default(), faults).unwrap()
    }

    fn find(&self, store: &Store) -> Duplicates {
        self.try_find(store).unwrap()
    }

    fn try_find(&self, store: &Store) -> Result<Duplicates, super::super::Error> {
        let roots = [ModelRoot::models(&self.folder.path().join("models"))];
        find(store, ModelIndex::new(store).update(&roots, Depth::Quick, &Silent)?.files, &Silent)
    }

    fn link(&self, store: &Store) -> Result<Vec<Outcome>, super::super::Error> {
        let mut linker = Linker::new(store, &Silent)?;
        let mut outcomes = Vec::new();
        for group in self.try_find(store)?.groups {
            outcomes.extend(linker.link(&group)?);
        }
        Ok(outcomes)
    }

    fn undo(&self, store: &Store) -> Result<Vec<Outcome>, super::super::Error> {
        let mut linker = Linker::new(store, &Silent)?;
        let records = linker.last_run()?;
        linker.undo(records)
    }

    fn is_whole(&self) {
        for name in ["checkpoints/a.pt", "checkpoints/b.pt", "loras/c.pt"] {
            assert_eq!(std::fs::read(self.path(name)).unwrap(), SAME, "{name}");
        }
        assert_eq!(std::fs::read(self.path("loras/other.pt")).unwrap(), b"THE SAME BYTES IN THREE FILES");
    }

    /// Files of ours that are left over.
    fn left_over(&self) -> usize {
        let names =
            |folder: &str| std::fs::read_dir(self.path(folder)).unwrap().flatten().map(|entry| entry.file_name());
        let all = names("checkpoints").chain(names("loras"));
        all.filter(|name| name.to_string_lossy().starts_with(".comfrey")).count()
    }

    fn stamps(&self) -> Vec<FileStamp> {
        let names = ["checkpoints/a.pt", "checkpoints/b.pt", "loras/c.pt"];
        names.map(|name| FileStamp::of_path(&self.path(name)).unwrap()).to_vec()
    }
}

#[test]
fn equal_files_are_found_by_their_ids_and_empty_ones_are_not() {
    let place = Place::new();
    let store = place.store(Faults::default());
    let found = place.find(&store);
    assert_eq!(found.groups.len(), 1);
    assert_eq!((found.groups[0].copies.len(), found.groups[0].wasted()), (3, 2 * SAME.len() as u64));
    std::fs::remove_file(place.path("loras/c.pt")).unwrap();
    std::fs::hard_link(place.path("checkpoints/a.pt"), place.path("loras/c.pt")).unwrap();
    let found = place.find(&store);
    assert_eq!((found.groups[0].copies.len(), found.groups[0].copies[0].files.len()), (2, 2));
    assert_eq!(found.groups[0].wasted(), SAME.len() as u64);
}

#[test]
fn linked_files_share_their_room_and_are_two_again_after_undo() {
    let place = Place::new();
    let store = place.store(Faults::default());
    let before = place.stamps();
    let outcomes = place.link(&store).unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.result.is_ok()).count(), 2, "{outcomes:?}");
    assert_eq!(outcomes.iter().map(|outcome| outcome.freed).sum::<u64>(), 2 * SAME.len() as u64);
    place.is_whole();
    assert_eq!((place.left_over(), place.find(&store).groups.len()), (0, 0));
    let how = *outcomes[0].result.as_ref().unwrap();
    let linked = place.stamps();
    match how {
        Sharing::HardLinked => assert_eq!(linked[0].inode, linked[1].inode),
        Sharing::Reflinked => assert_eq!(linked[1].modified, before[1].modified),
    }
    // Nothing has to be read again for the new stamps.
    let known = store.known_files().lookup_all(&linked).unwrap();
    assert!(known.iter().all(|known| known.is_some_and(|known| known.id.is_some())), "{known:?}");
    let undone = place.undo(&store).unwrap();
    assert!(undone.iter().all(|outcome| outcome.result.is_ok()), "{undone:?}");
    place.is_whole();
    let after = place.stamps();
    assert!(after[0].inode != after[1].inode && after[1].inode != after[2].inode);
    assert_eq!(
        after.iter().map(|s| s.modified).collect::<Vec<_>>(),
        before.iter().map(|s| s.modified).collect::<Vec<_>>()
    );
    let known = store.known_files().lookup_all(&after).unwrap();
    assert!(known.iter().all(|known| known.is_some_and(|known| known.id.is_some())), "{known:?}");
    assert!(Linker::new(&store, &Silent).unwrap().last_run().unwrap().is_empty());
}

#[test]
fn a_file_that_changed_since_it_was_indexed_is_left_alone() {
    let place = Place::new();
    let store = place.store(Faults::default());
    let groups = place.find(&store).groups;
    place.write("loras/c.pt", b"other bytes, and a file of its own");
    let mut linker = Linker::new(&store, &Silent).unwrap();
    let outcomes = linker.link(&groups[0]).unwrap();
    let refused: Vec<_> = outcomes.iter().filter(|outcome| outcome.result.is_err()).collect();
    assert!(matches!(refused[..], [Outcome { result: Err(Refusal::OtherBytes), .. }]), "{outcomes:?}");
    assert_eq!(std::fs::read(place.path("loras/c.pt")).unwrap(), b"other bytes, and a file of its own");
}

#[test]
fn what_was_written_to_after_linking_is_not_undone() {
    let place = Place::new();
    let store = place.store(Faults::default());
    place.link(&store).unwrap();
    std::fs::remove_file(place.path("loras/c.pt")).unwrap();
    place.write("loras/c.pt", b"new");
    let undone = place.undo(&store).unwrap();
    assert!(undone.iter().any(|outcome| matches!(outcome.result, Err(Refusal::Separate))), "{undone:?}");
    assert_eq!(std::fs::read(place.path("loras/c.pt")).unwrap(), b"new");
}

/// Invariant R33.
#[test]
fn whatever_step_of_linking_fails_every_file_is_whole_and_the_next_run_ends_it() {
    for from_there in [false, true] {
        for k in 1.. {
            let place = Place::new();
            drop(place.find(&place.store(Faults::default())));
            let store = place.store(if from_there { Faults::from(k) } else { Faults::at(k) });
            let linked = place.link(&store);
            place.is_whole();
            let faultless = store.faults().count() < k;
            drop(store);
            let store = place.store(Faults::default());
            place.link(&store).unwrap();
            place.is_whole();
            assert_eq!((place.left_over(), place.find(&store).groups.len()), (0, 0), "step {k}: {linked:?}");
            while !Linker::new(&store, &Silent).unwrap().last_run().unwrap().is_empty() {
                place.undo(&store).unwrap();
            }
            place.is_whole();
            let stamps = place.stamps();
            let sound = stamps[0].inode != stamps[1].inode && stamps[1].inode != stamps[2].inode;
            assert!(sound, "step {k}: a link was forgotten");
            if faultless {
                assert!(k > 5, "{k}");
                break;
            }
        }
    }
}

#[test]
fn whatever_step_of_undoing_fails_every_file_is_whole_and_the_next_run_ends_it() {
    for k in 1.. {
        let place = Place::new();
        place.link(&place.store(Faults::default())).unwrap();
        let store = place.store(Faults::at(k));
        let undone = place.undo(&store);
        place.is_whole();
        let faultless = store.faults().count() < k;
        drop(store);
        let store = place.store(Faults::default());
        while !Linker::new(&store, &Silent).unwrap().last_run().unwrap().is_empty() {
            place.undo(&store).unwrap();
        }
        place.is_whole();
        let stamps = place.stamps();
        assert!(stamps[0].inode != stamps[1].inode && stamps[1].inode != stamps[2].inode, "step {k}: {undone:?}");
        assert_eq!(place.left_over(), 0, "step {k}");
        if faultless {
            break;
        }
    }
}

#[test]
fn a_link_to_a_file_elsewhere_is_not_replaced_and_read_only_files_are_linked() {
    if !trial::links_can_be_made("a_link_to_a_file_elsewhere_is_not_replaced") {
        return;
    }
    let place = Place::new();
    let elsewhere = place.folder.path().join("cache.bin");
    std::fs::rename(place.path("loras/c.pt"), &elsewhere).unwrap();
    trial::symlink(&elsewhere, place.path("loras/c.pt"));
    for name in ["checkpoints/a.pt", "checkpoints/b.pt"] {
        let mut permissions = std::fs::metadata(place.path(name)).unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(place.path(name), permissions).unwrap();
    }
    std::thread::sleep(Duration::from_millis(60));
    let store = place.store(Faults::default());
    let outcomes = place.link(&store).unwrap();
    assert!(place.path("loras/c.pt").is_symlink());
    assert_eq!(outcomes.iter().filter(|outcome| outcome.result.is_ok()).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome.result, Err(Refusal::Symlink))), "{outcomes:?}");
    place.is_whole();
    place.undo(&store).unwrap();
    place.is_whole();
}

/// A program that was killed between the record and the link, or between the rename and the record, left this.
#[test]
fn what_a_killed_run_left_is_tidied_up() {
    let place = Place::new();
    let store = place.store(Faults::default());
    let (a, b) = (place.path("checkpoints/a.pt"), place.path("checkpoints/b.pt"));
    let aside = place.path("checkpoints/.comfrey-link-1-0");
    let stamp = |path: &PathBuf| FileStamp::of_path(path).unwrap();
    let record = LinkRecord {
        state: log::State::Linking,
        path: b.clone(),
        kept: a.clone(),
        aside: aside.clone(),
        id: crate::object::ObjectId::of_blob(SAME),
        was: stamp(&b),
        kept_was: stamp(&a),
        how: None,
        now: None,
    };
    let key = LinkKey { run: 1, number: 0 };
    LinkLog::new(&store).put(key, &record).unwrap();
    std::fs::hard_link(&a, &aside).unwrap();
    assert!(Linker::new(&store, &Silent).unwrap().last_run().unwrap().is_empty());
    assert!(!aside.exists() && stamp(&a).inode != stamp(&b).inode);
    LinkLog::new(&store).put(key, &record).unwrap();
    std::fs::remove_file(&b).unwrap();
    std::fs::hard_link(&a, &b).unwrap();
    assert_eq!(Linker::new(&store, &Silent).unwrap().last_run().unwrap().len(), 1);
    place.undo(&store).unwrap();
    assert!(stamp(&a).inode != stamp(&b).inode);
    place.is_whole();
}

#[test]
fn the_index_takes_the_new_stamps_in_without_reading() {
    let place = Place::new();
    let store = place.store(Faults::default());
    place.link(&store).unwrap();
    // Were it read again, the id would be lost: a quick update reads no ids.
    let roots = [ModelRoot::models(&place.folder.path().join("models"))];
    let files = ModelIndex::new(&store).update(&roots, Depth::Quick, &Silent).unwrap().files;
    let linked: Vec<_> =
        files.iter().filter(|file| file.size() == SAME.len() as u64 && !file.path.contains("other")).collect();
    assert_eq!(linked.len(), 3);
    assert!(linked.iter().all(|file| file.id.is_some() && file.state != FileState::Removed));
}
