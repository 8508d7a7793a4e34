//! What lies where a model should be, found out without reading it where that can be helped.

use std::path::PathBuf;

use crate::catalog::folders;
use crate::digest;
use crate::models::ModelIndex;
use crate::models::roots::{Holds, ModelRoot};
use crate::object::ObjectId;
use crate::platform::identity::FileStamp;

use super::compare::ModelPlace;
use super::state::Surroundings;

/// Looks for the model `id` of `size` bytes at `place` (`checkpoints/a.safetensors`) in the models folders.
///
/// One `stat` a folder where the file is known by its stamp; else it is read, and then remembered. What cannot be read counts as another
/// file.
pub fn of(around: &Surroundings<'_>, place: &str, id: &ObjectId, size: u64) -> ModelPlace {
    let mut found = ModelPlace::Nothing;
    for file in around.models.iter().filter_map(|root| file_at(root, place)) {
        let Ok(stamp) = FileStamp::of_path(&file) else { continue };
        found = ModelPlace::Other;
        if stamp.size == size && has_id(around, &file, &stamp) == Some(*id) {
            return ModelPlace::There;
        }
    }
    found
}

/// Where a model is to be put: in the folder that had it last, else in ComfyUI's own.
pub fn home(around: &Surroundings<'_>, place: &str) -> PathBuf {
    let index = ModelIndex::new(around.store);
    let had = |root: &&ModelRoot| {
        let below = below(root, place);
        below.is_some_and(|below| index.at(root, below).is_ok_and(|row| row.is_some()))
    };
    let own = || around.models.iter().find(|root| root.holds == Holds::Directories);
    let last = around.models.iter().find(had).or_else(own).and_then(|root| file_at(root, place));
    last.unwrap_or_else(|| {
        let mut file = around.environment.models_dir();
        file.extend(place.split('/'));
        file
    })
}

/// The file at a place in one of the models folders; nothing in a root that holds other folders' files.
pub fn file_at(root: &ModelRoot, place: &str) -> Option<PathBuf> {
    let mut file = root.directory.clone();
    file.extend(below(root, place)?.split('/'));
    Some(file)
}

/// The place as a path below the root.
fn below<'p>(root: &ModelRoot, place: &'p str) -> Option<&'p str> {
    match &root.holds {
        Holds::Directories => Some(place),
        Holds::Folder(key) => {
            folders::directories(key).iter().find_map(|directory| place.strip_prefix(directory)?.strip_prefix('/'))
        }
    }
}

fn has_id(around: &Surroundings<'_>, file: &std::path::Path, stamp: &FileStamp) -> Option<ObjectId> {
    let known = around.store.known_files();
    if let Some(id) = known.lookup(stamp).ok().flatten().and_then(|known| known.id) {
        return Some(id);
    }
    let digests = digest::file(file, digest::Wanted::ID, digest::Threads::All, around.observer).ok()?;
    let fact = crate::store::Known { id: digests.id, ..Default::default() };
    // To be forgotten costs time, not truth.
    drop(known.remember(vec![(digests.stamp, fact)]));
    digests.id
}
