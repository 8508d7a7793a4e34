//! What workflows need, and whether it is here: looked up, nothing asked, and nothing written to the environment.

use std::collections::HashSet;

use crate::catalog::Catalog;
use crate::models::index::Depth;
use crate::models::{Inventory, ModelIndex};
use crate::object::{ObjectId, RelativePath};
use crate::resolve::Automatic;
use crate::workflow::file::Held;

use super::draft::DraftError;
use super::nodes::installed;
use super::readings::{self, Reading};
use super::resolving::unknown_types;
use super::state::{FoundWorkflow, Surroundings};
use super::uses::{self, Ask, Asking, WorkflowUses};

/// A workflow of which the needs are looked up.
#[derive(Clone, Copy)]
pub struct Wanted<'w> {
    /// Its key in the manifest, where it is one of the environment's: what was chosen for it counts.
    pub key: Option<&'w str>,
    pub held: &'w Held,
}

/// The needs of each workflow, or why it is none.
pub type Needs = Result<WorkflowUses, String>;

/// Looks up what `wanted` need, in their order.
///
/// # Errors
/// The store; a manifest that cannot be read; a wish to stop.
pub fn look(around: &Surroundings<'_>, catalog: &Catalog, wanted: &[Wanted<'_>]) -> Result<Vec<Needs>, DraftError> {
    let before = around.environment.manifest()?;
    let index = ModelIndex::new(around.store);
    let inventory = Inventory::new(index.update(&around.models, Depth::Quick, around.observer)?.files);
    let readings: Vec<_> = wanted.iter().map(|wanted| reading(wanted.held, catalog)).collect();
    let types: HashSet<String> = readings.iter().flat_map(unknown_types).collect();
    let installed = installed(&around.environment.custom_nodes_dir(), &types.iter().map(String::as_str).collect());
    let asking = Asking {
        before: &before,
        inventory: &inventory,
        index: &index,
        catalog,
        installed: &installed,
        observer: around.observer,
        ask: Ask::All,
    };
    let mut found = Vec::new();
    for (wanted, reading) in wanted.iter().zip(readings) {
        // A key that no workflow has: what was chosen for another does not count.
        let key = wanted.key.unwrap_or_default().to_owned();
        let (path, file) = (RelativePath::root(), std::path::PathBuf::new());
        let place = FoundWorkflow { path, id: ObjectId::of_blob(&wanted.held.document), file };
        let mut uses = uses::find([(&key, &place, reading)], &asking, &mut Automatic)?;
        let reason = |uses: uses::Uses| uses.unreadable.into_iter().next().map(|file| file.reason).unwrap_or_default();
        found.push(uses.workflows.remove(&key).ok_or_else(|| reason(uses)));
    }
    Ok(found)
}

fn reading(held: &Held, catalog: &Catalog) -> Result<Reading, String> {
    held.workflow().map(|workflow| readings::of(&workflow, catalog)).map_err(|error| error.to_string())
}
