//! The rules, with ids looked up where the answer depends on them.

use std::collections::HashMap;

use crate::catalog::Reference;
use crate::models::{Error, FileState, IndexedFile, Inventory, ModelIndex};
use crate::observer::Observer;

use super::model::{Resolution, Status, resolve_model};

/// The answer for each reference, in their order.
///
/// Where several files of one size and quick hash are candidates and their ids are not known, they are read whole to find
/// out whether they are the same; with different quick hashes they are not, and nothing is read. A candidate that
/// cannot be read stays a candidate.
///
/// # Errors
/// The store; a wish to stop.
pub fn resolve_models(
    references: &[Reference],
    inventory: &Inventory,
    index: &ModelIndex<'_>,
    observer: &dyn Observer,
) -> Result<Vec<Resolution>, Error> {
    let mut resolutions: Vec<_> = references.iter().map(|reference| resolve_model(reference, inventory)).collect();
    let mut ensured: HashMap<std::path::PathBuf, IndexedFile> = HashMap::new();
    for resolution in resolutions.iter().filter(|resolution| resolution.status == Status::Ambiguous) {
        let files: Vec<&IndexedFile> = resolution.candidates.iter().map(|candidate| &candidate.file).collect();
        for file in &files {
            let twin = |other: &&IndexedFile| {
                other.file() != file.file() && other.size() == file.size() && other.quick == file.quick
            };
            if !files.iter().any(twin) || ensured.contains_key(&file.file()) {
                continue;
            }
            match index.ensure_id(file, observer) {
                Ok(known) => drop(ensured.insert(file.file(), known)),
                Err(Error::Io { .. } | Error::Digest(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    if ensured.is_empty() {
        return Ok(resolutions);
    }
    let known = |file: &IndexedFile| match ensured.get(&file.file()) {
        Some(known) => IndexedFile { state: FileState::Unchanged, ..known.clone() },
        None => file.clone(),
    };
    let inventory = Inventory::new(inventory.files().iter().map(known).collect());
    for (reference, resolution) in references.iter().zip(&mut resolutions) {
        if resolution.status == Status::Ambiguous {
            *resolution = resolve_model(reference, &inventory);
        }
    }
    Ok(resolutions)
}
