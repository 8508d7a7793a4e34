//! The rules, with ids looked up where the answer depends on them.

use std::collections::HashMap;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::catalog::Reference;
use crate::models::{Error, FileState, IndexedFile, Inventory, ModelIndex};
use crate::observer::Observer;

use super::declared_hash::DeclaredHash;
use super::known::Known;
use super::memory::Memory;
use super::model::{Resolution, Status};
use super::rules::resolve_model;

/// The answer for each reference of one workflow, in their order.
///
/// Where several files of one size and quick hash are candidates and their ids are not known, they are read whole to find
/// out whether they are the same (invariant R6); with different quick hashes they are not, and nothing is read. So are files that may be
/// a model that was meant here before, and candidates of which the workflow declares a hash. A candidate that cannot be read stays
/// a candidate.
///
/// # Errors
/// The store; a wish to stop.
pub fn resolve_models(
    references: &[Reference],
    memory: Option<&Memory>,
    known: &Known<'_>,
    index: &ModelIndex<'_>,
    observer: &dyn Observer,
) -> Result<Vec<Resolution>, Error> {
    let mut resolutions = resolve_each(references, memory, known);
    let mut ensured: HashMap<PathBuf, IndexedFile> = HashMap::new();
    for (reference, resolution) in references.iter().zip(&resolutions) {
        if resolution.status == Status::Ambiguous {
            let hash = reference.declared.as_ref().and_then(DeclaredHash::of);
            read_candidates(resolution, hash.as_ref(), index, observer, &mut ensured)?;
        } else if let Some(wanted) = resolution.wanted.filter(|_| resolution.status.is_open())
            && let Some(source) = known.sources.with_id(&wanted)
            && let Some(size) = source.size
            && let Some(file) = index.find(known.inventory, &wanted, size, source.quick, observer)?
        {
            ensured.insert(file.file(), file);
        }
    }
    if ensured.is_empty() {
        return Ok(resolutions);
    }
    let with_id = |file: &IndexedFile| match ensured.get(&file.file()) {
        Some(known) => IndexedFile { state: FileState::Unchanged, ..known.clone() },
        None => file.clone(),
    };
    let inventory = Inventory::new(known.inventory.files().iter().map(with_id).collect());
    let known = known.with_files(&inventory);
    for (reference, resolution) in references.iter().zip(&mut resolutions) {
        if resolution.status.is_open() {
            *resolution = resolve_model(reference, memory, &known);
        }
    }
    Ok(resolutions)
}

/// The answer of the rules for each reference, in their order. They are looked at side by side; what many of them need (names, folders) is
/// made by the first that does.
pub fn resolve_each(references: &[Reference], memory: Option<&Memory>, known: &Known<'_>) -> Vec<Resolution> {
    references.par_iter().map(|reference| resolve_model(reference, memory, known)).collect()
}

/// Finds out of candidates what tells them apart: the declared hash, else the ids of those that may be the same file.
fn read_candidates(
    resolution: &Resolution,
    hash: Option<&DeclaredHash>,
    index: &ModelIndex<'_>,
    observer: &dyn Observer,
    ensured: &mut HashMap<PathBuf, IndexedFile>,
) -> Result<(), Error> {
    let files: Vec<&IndexedFile> = resolution.candidates.iter().map(|candidate| &candidate.file).collect();
    for file in &files {
        let twin = |other: &&IndexedFile| {
            other.file() != file.file() && other.size() == file.size() && other.quick == file.quick
        };
        let untold = hash.is_some_and(|hash| hash.fits(file).is_none());
        if !untold && !files.iter().any(twin) || ensured.contains_key(&file.file()) {
            continue;
        }
        let known = match hash {
            Some(hash) if untold && hash.is_of_sha256() => index.ensure_sha256(file, observer),
            _ => index.ensure_id(file, observer),
        };
        match known {
            Ok(known) => drop(ensured.insert(file.file(), known)),
            Err(Error::Io { .. } | Error::Digest(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rules::tests::reference;
    use super::super::{Place, Rule, Said, Source, Sources};
    use super::*;
    use crate::models::{Depth, ModelRoot};
    use crate::object::ObjectId;
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
        let known = Known::new(&inventory, Sources::none());
        let references = [reference("twin.pt", &["loras"]), reference("other.pt", &["loras"])];
        let answers = resolve_models(&references, None, &known, &index, &Silent).unwrap();
        assert_eq!(answers[0].status, Status::Resolved);
        assert_eq!(answers[0].chosen.as_ref().unwrap().local(), "loras/a/twin.pt");
        assert_eq!(answers[1].status, Status::Ambiguous);
        assert!(answers[1].candidates.iter().all(|candidate| candidate.file.id.is_none()));
        // A model that was meant before is recognised by its bytes, under another name too, and no other file taken for it.
        let mut sources = Sources::default();
        let (id, gone) = (ObjectId::of_blob(b"this"), ObjectId::of_blob(b"gone"));
        for id in [id, gone] {
            sources.add(Source { name: "old.pt".into(), id: Some(id), size: Some(4), ..Source::default() });
        }
        let places =
            [reference("old.pt", &["loras"]), Reference { node: "2".into(), ..reference("old.pt", &["loras"]) }];
        let said = |model| Said::Found { model, name: "old.pt".into() };
        let memory = Memory::new([(Place::of(&places[0]), said(id)), (Place::of(&places[1]), said(gone))]);
        let known = Known::new(&inventory, &sources);
        let answers = resolve_models(&places, Some(&memory), &known, &index, &Silent).unwrap();
        assert_eq!(answers[0].local().as_deref(), Some("loras/c/other.pt"));
        assert_eq!((answers[1].status, answers[1].wanted), (Status::Missing, Some(gone)));
    }
    #[test]
    fn candidates_are_read_whole_where_a_declared_hash_tells_them_apart() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        for (place, text) in [("a", "this"), ("b", "that is meant")] {
            let place = folder.path().join("models/loras").join(place);
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join("x.pt"), text).unwrap();
        }
        let index = ModelIndex::new(&store);
        let roots = [ModelRoot::models(&folder.path().join("models"))];
        index.update(&roots, Depth::Quick, &Silent).unwrap();
        let inventory = index.inventory(&roots).unwrap();
        let known = Known::new(&inventory, Sources::none());
        let hash = |bytes: &[u8]| {
            use sha2::Digest;
            let hash = sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02X}")).collect::<String>();
            crate::workflow::Declared { hash: Some(hash), hash_type: Some("SHA256".into()), ..Default::default() }
        };
        let declaring = |declared| Reference { declared: Some(declared), ..reference("x.pt", &["loras"]) };
        let mut short = hash(b"that is meant");
        short.hash = short.hash.map(|digits| digits[..10].to_owned());
        short.hash_type = Some("AutoV2".into());
        let references = [declaring(hash(b"that is meant")), declaring(short), declaring(hash(b"neither"))];
        let answers = resolve_models(&references, None, &known, &index, &Silent).unwrap();
        for answer in &answers[..2] {
            assert_eq!((answer.status, answer.rule), (Status::Resolved, Some(Rule::DeclaredHash)));
            assert_eq!(answer.local().as_deref(), Some("loras/b/x.pt"));
            assert_eq!(answer.hash_matches, Some(true));
        }
        // Both are known to be something else: no match, and nothing to choose from.
        assert_eq!((answers[2].status, answers[2].candidates.len()), (Status::Missing, 0));
    }
}
