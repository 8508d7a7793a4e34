//! Whether `uv.lock` was made for what the manifest asks for: what `status` shows and `commit` warns of. Nothing is run.

use crate::environment::manifest::Manifest;
use crate::environment::snapshot_tree::{MANIFEST, UV_LOCK};
use crate::environment::state::{State, StateError, Surroundings};
use crate::store::RecordTable;

use super::lockfile::Lock;

/// True when it was, and where there is no lock. The answer is kept as long as both files stay as `state` has them.
///
/// # Errors
/// The lock cannot be read; the store cannot.
pub fn lock_follows(around: &Surroundings<'_>, state: &State<'_>, manifest: &Manifest) -> Result<bool, StateError> {
    let Some(lock) = state.entries.get(UV_LOCK) else { return Ok(true) };
    let rows = around.store.records(RecordTable::Caches);
    let key = format!("lock follows\0{}", around.environment.name()).into_bytes();
    let id = state.entries.get(MANIFEST).map(|entry| entry.id.to_hex()).unwrap_or_default();
    let now = format!("{} {id} {}", env!("CARGO_PKG_VERSION"), lock.id);
    let kept: Option<(String, bool)> = rows.get(&key)?.and_then(|row| serde_json::from_slice(&row).ok());
    if let Some((_, follows)) = kept.filter(|(of, _)| *of == now) {
        return Ok(follows);
    }
    let path = around.environment.cec().join(UV_LOCK);
    let text = std::fs::read_to_string(&path).map_err(|source| StateError::Io { path, source })?;
    let follows = Lock::parse(&text).is_ok_and(|lock| lock.follows(manifest));
    if let Ok(row) = serde_json::to_vec(&(now, follows)) {
        // A store that cannot be written to has only lost time.
        drop(rows.apply(vec![(key, Some(row))]));
    }
    Ok(follows)
}
