//! Any bytes are read or refused; what was read is rewritten to itself.

#![no_main]

use std::collections::BTreeMap;

use comfrey::catalog::{Catalog, Reference, references};
use comfrey::workflow;
use libfuzzer_sys::fuzz_target;

fn what(found: &[Reference]) -> Vec<(&[String], &str, &str, bool)> {
    found.iter().map(|found| (&found.scope[..], &*found.node, &*found.value, found.active)).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = workflow::read(bytes) else { return };
    let catalog = Catalog::built_in();
    let found = references(&read, &catalog);
    assert_eq!(workflow::rewrite(bytes, &[]).unwrap(), bytes);
    // Nodes of a subgraph with several instances share a place.
    let places: BTreeMap<usize, &Reference> = found.iter().map(|found| (found.place.start, found)).collect();
    let same: Vec<_> = places.values().map(|found| (found.place.clone(), found.value.clone())).collect();
    let after = workflow::rewrite(bytes, &same).unwrap();
    let read = workflow::read(&after).unwrap();
    assert_eq!(what(&found), what(&references(&read, &catalog)));
});
