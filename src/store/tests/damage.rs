//! Flipped, cut and zeroed files: what is in them fails by name, everything else works (invariant S9).

use std::path::{Path, PathBuf};

use super::{bytes_of, read_all};
use crate::object::{Kind, ObjectId};
use crate::store::{Error, Store, StoreOptions};

/// A store with two segments and two large files, its objects, and which file each is in.
fn filled(folder: &Path) -> (PathBuf, Vec<(ObjectId, PathBuf)>) {
    let dir = folder.join("store");
    let store = Store::create(&dir).unwrap();
    let (one, two) = (store.writer().unwrap(), store.writer().unwrap());
    let mut objects = Vec::new();
    for (number, writer) in [&one, &two].into_iter().enumerate() {
        for n in 0..5 {
            let id = writer.put(Kind::Blob, &bytes_of(500, number as u64 * 10 + n)).unwrap();
            objects.push((id, store.segments().path(number as u32 + 1)));
        }
        let id = writer.put(Kind::Blob, &bytes_of(1 << 20, number as u64)).unwrap();
        objects.push((id, store.large().path(&id)));
        writer.publish().unwrap();
    }
    (dir, objects)
}

/// Damages one file in each way and says how each object then reads.
fn with_damage(name: &str, mut look: impl FnMut(&str, &Path, &Store, &[(ObjectId, PathBuf)], &Path)) {
    for manner in ["cut", "flipped", "zeroed", "removed", "empty"] {
        let folder = tempfile::tempdir().unwrap();
        let (dir, objects) = filled(folder.path());
        let path = match name {
            "large" => objects[5].1.clone(),
            "segment" => objects[0].1.clone(),
            other => dir.join(other),
        };
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        match manner {
            "cut" => bytes.truncate(middle),
            "flipped" => bytes.iter_mut().skip(middle).step_by(97).for_each(|byte| *byte ^= 0x10),
            "zeroed" => bytes.fill(0),
            "empty" => bytes.clear(),
            _ => {}
        }
        // The large file is read-only.
        let metadata = std::fs::metadata(&path).unwrap();
        crate::platform::durable::allow_removal(&path, &metadata).unwrap();
        std::fs::remove_file(&path).unwrap();
        if manner != "removed" {
            std::fs::write(&path, &bytes).unwrap();
        }
        let store = Store::open(&dir, &StoreOptions::default()).unwrap();
        look(manner, &dir, &store, &objects, &path);
    }
}

#[test]
fn a_damaged_segment_or_large_file_fails_by_name_and_the_rest_works() {
    for name in ["segment", "large"] {
        with_damage(name, |_, dir, store, objects, damaged| {
            let mut failed = 0;
            for (id, path) in objects {
                match read_all(store, id) {
                    Ok(bytes) => assert_eq!(ObjectId::of_blob(&bytes), *id),
                    Err(Error::Damaged { id: named, file, .. }) => {
                        assert_eq!((named, file.as_path(), path.as_path()), (*id, damaged, damaged));
                        failed += 1;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            assert!(failed > 0);
            // Writing goes on, to another segment if need be, and reads back.
            let writer = store.writer().unwrap();
            let new = writer.put(Kind::Blob, b"new").unwrap();
            writer.publish().unwrap();
            assert_eq!(read_all(store, &new).unwrap(), b"new");
            drop(writer);
            // A large file is healed by putting its bytes again.
            let writer = store.writer().unwrap();
            let healed = writer.put(Kind::Blob, &bytes_of(1 << 20, 0)).unwrap();
            writer.publish().unwrap();
            assert_eq!(ObjectId::of_blob(&read_all(store, &healed).unwrap()), healed);
            assert!(dir.join("format").exists());
        });
    }
}

#[test]
fn a_damaged_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, _) = filled(folder.path());
    let opened = |bytes: &[u8]| {
        std::fs::write(dir.join("format"), bytes).unwrap();
        Store::open(&dir, &StoreOptions::default()).map(drop)
    };
    for bytes in [&b""[..], b"\0\0\0\0\0\0\0\0", b"comfrey sto"] {
        assert!(matches!(opened(bytes), Err(Error::FormatDamaged(_))));
    }
    assert!(matches!(opened(b"comfrey store 9\nrequires:\n"), Err(Error::Format { .. })));
}

/// Reads and writes; true when something was reported. Whatever is answered must be right.
fn is_noticed(store: &Store, objects: &[(ObjectId, PathBuf)], index: &Path) -> bool {
    let mut noticed = false;
    for (id, _) in objects {
        match read_all(store, id) {
            Ok(bytes) => assert_eq!(ObjectId::of_blob(&bytes), *id),
            Err(Error::Index { path, .. }) => {
                assert_eq!(path, index);
                noticed = true;
            }
            Err(Error::NotFound(_) | Error::Damaged { .. }) => noticed = true,
            Err(other) => panic!("{other:?}"),
        }
    }
    let written = store.writer().and_then(|writer| {
        writer.put(Kind::Blob, b"new")?;
        writer.publish()
    });
    match written {
        Ok(()) => noticed,
        Err(Error::Index { .. }) => true,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_index_is_reported() {
    with_damage("store.redb", |manner, _, store, objects, damaged| {
        assert!(is_noticed(store, objects, damaged) || manner == "flipped", "{manner}");
    });
}

#[test]
fn an_index_with_any_flipped_bytes_never_gives_a_wrong_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, objects) = filled(folder.path());
    let index = dir.join("store.redb");
    let whole = std::fs::read(&index).unwrap();
    // Most of the file is empty: only bytes that hold something are worth damaging.
    let used: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(at, _)| at).collect();
    let rounds = if std::env::var_os("COMFREY_STRESS").is_some() { 20_000 } else { 200 };
    let mut noticed = 0;
    for round in 0..rounds {
        let mut bytes = whole.clone();
        let dice = blake3::hash(&u64::to_le_bytes(round));
        for at in dice.as_bytes().chunks_exact(4).take(1 + (round % 4) as usize) {
            let at = u32::from_le_bytes([at[0], at[1], at[2], at[3]]) as usize % used.len();
            bytes[used[at]] ^= 1 << (round % 8);
        }
        std::fs::write(&index, &bytes).unwrap();
        let store = Store::open(&dir, &StoreOptions::default()).unwrap();
        noticed += u64::from(is_noticed(&store, &objects, &index));
    }
    // Most pages are of earlier commits, which nothing reads any more.
    assert!(noticed > rounds / 100, "noticed {noticed} of {rounds}");
}
