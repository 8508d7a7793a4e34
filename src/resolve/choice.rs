//! The rules, with ids looked up where the answer depends on them.

use std::collections::HashMap;

use crate::catalog::Reference;
use crate::models::{Error, FileState, IndexedFile, Inventory, ModelIndex};
use crate::observer::Observer;

use super::model::{Resolution, Status, resolve_model};

/// The answer for each reference, in their order.
///
/// Where several files of one size and quick hash are candidates and their ids are not known, they are read whole to find
/// out whether they are the same (invariant R6); with different quick hashes they are not, and nothing is read. A candidate that
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

#[cfg(test)]
mod tests {
    use super::super::model::tests::reference;
    use super::*;
    use crate::models::{Depth, ModelRoot};
    use crate::observer::Silent;
    use crate::store::Store;

    #[test]
    fn twins_are_read_whole_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join("models").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for (path, text) in [("a", "same"), ("b", "same"), ("c", "this"), ("d", "that")] {
            let name = if text == "same" { "twin.pt" } else { "other.pt" };
            write(&format!("loras/{path}/{name}"), text);
        }
        let index = ModelIndex::new(&store);
        let roots = [ModelRoot::models(&folder.path().join("models"))];
        index.update(&roots, Depth::Quick, &Silent).unwrap();
        let inventory = index.inventory(&roots).unwrap();
        let references = [reference("twin.pt", &["loras"]), reference("other.pt", &["loras"])];
        let answers = resolve_models(&references, &inventory, &index, &Silent).unwrap();
        assert_eq!(answers[0].status, Status::Resolved);
        assert_eq!(answers[0].chosen.as_ref().unwrap().local(), "loras/a/twin.pt");
        assert_eq!(answers[1].status, Status::Ambiguous);
        assert!(answers[1].candidates.iter().all(|candidate| candidate.file.id.is_none()));
    }
}
