//! The store's promises, tested: what each test module needs of the others.
//!
//! - [`damage`]: flipped, cut and zeroed files
//! - [`faults`]: every effect on the disk fails once
//! - [`golden`]: the examples of `docs/formats.md`
//! - [`map`]: a store against a plain map

mod damage;
mod faults;
mod golden;
mod map;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::segment::{Frames, START, Stretch};
use super::{Error, Result, Store, StoreOptions};
use crate::object::{Kind, ObjectId};

/// Bytes that compress by two thirds, different for each seed.
fn bytes_of(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let noisy = length.div_ceil(3);
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes[..noisy]);
    bytes
}

fn read_all(store: &Store, id: &ObjectId) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut reader = store.open_object(id)?;
    reader.read_to_end(&mut bytes).map_err(Error::io("reader"))?;
    Ok(bytes)
}

/// What `fsck` would check: everything that the index names is there and right, and segments hold whole frames as far as the
/// index says. Returns all objects.
fn check(folder: &Path) -> BTreeMap<ObjectId, (Kind, Vec<u8>)> {
    let store = Store::open(folder, &StoreOptions::default()).unwrap();
    let mut objects = BTreeMap::new();
    for (id, locator) in store.index().page(None, usize::MAX).unwrap() {
        let bytes = read_all(&store, &id).unwrap();
        assert_eq!(locator.kind.id_of(&bytes), id);
        assert_eq!(locator.size, bytes.len() as u64);
        objects.insert(id, (locator.kind, bytes));
    }
    for (number, committed) in store.index().segments().unwrap() {
        let mut end = START;
        for stretch in Frames::open(&store.segments().path(number)).unwrap() {
            match stretch.unwrap() {
                Stretch::Frame { offset, header } if end < committed => end = offset + header.length(),
                Stretch::Damage { from, to } if from < committed => panic!("damage from {from} to {to}"),
                _ => {}
            }
        }
        assert!(end >= committed, "segment {number} ends at {end}, not {committed}");
    }
    objects
}
