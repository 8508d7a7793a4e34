//! A bundle read and verified: every byte of it in quarantine, none in the store.

use std::collections::BTreeMap;
use std::io::Read;

use super::export::worktree_empty;
use super::lock::{LOCK, Lock, LockError, LockedFile, LockedNode};
use crate::archive::guard::{Admitted, Limits};
use crate::archive::tar::{Archive, ArchiveError, unwrap_read};
use crate::object::{Encoded, Entry, EntryKind, EntryName, Kind, NameError, ObjectId, RelativePath, Tree};
use crate::observer::{Observer, Unit};
use crate::store::{self, Quarantine, Store};
use crate::worktree::{self, KeepTree, build_tree};

/// Texts that are looked at (the lock, the manifest, workflows) are held in memory up to this length.
const TEXT_LIMIT: u64 = 64 << 20;

/// Why a bundle is refused. Nothing of it is in the store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("there is no {LOCK} in it, so it is no bundle")]
    NoLock,
    #[error("{LOCK}: {0}")]
    Lock(#[from] LockError),
    #[error("`{path}` is not what {LOCK} says: {reason}")]
    Differs { path: RelativePath, reason: String },
    #[error("`{0}` is in {LOCK} and not in the archive")]
    Absent(RelativePath),
    #[error("`{0}` is in the archive and not in {LOCK}")]
    Unlisted(RelativePath),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("interrupted")]
    Interrupted,
}

type Result<T, E = OpenError> = std::result::Result<T, E>;

/// A bundle whose bytes are those of its lock.
pub struct Opened {
    pub lock: Lock,
    /// The manifest, uv's lock and the workflows, as far as they are short enough to be looked at.
    pub texts: BTreeMap<RelativePath, Vec<u8>>,
    /// What holds its objects until they are released.
    pub quarantine: Quarantine,
}

/// What was found at a path of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    File { size: u64, id: ObjectId },
    Link(String),
    Folder,
}

impl KeepTree for Quarantine {
    fn keep(&self, tree: &Tree) -> Result<ObjectId, worktree::Error> {
        Ok(self.put(Kind::Tree, tree.encode())?)
    }
}

/// Reads a bundle into quarantine and compares every byte with its lock.
pub fn open(store: &Store, input: impl Read, limits: Limits, observer: &dyn Observer) -> Result<Opened> {
    let quarantine = store.quarantine()?;
    observer.started("reading the bundle", Unit::Bytes, None);
    let (mut found, mut texts) = read(&quarantine, input, limits, observer)?;
    let lock = Lock::parse(&texts.remove(&lock_path()?).ok_or(OpenError::NoLock)?)?;
    found.remove(&lock_path()?);
    compare(&lock, &found)?;
    for node in lock.nodes.iter().filter(|node| node.bundled) {
        if node.tree != Some(rebuild(&quarantine, &lock, node)?) {
            let reason = "its files are not those of its tree".to_owned();
            return Err(OpenError::Differs { path: node.path.clone(), reason });
        }
    }
    observer.finished();
    Ok(Opened { lock, texts, quarantine })
}

fn lock_path() -> Result<RelativePath> {
    Ok(RelativePath::new(LOCK)?)
}

/// What stands in the archive, and the texts.
type Everything = (BTreeMap<RelativePath, Found>, BTreeMap<RelativePath, Vec<u8>>);

fn read(quarantine: &Quarantine, input: impl Read, limits: Limits, observer: &dyn Observer) -> Result<Everything> {
    let mut archive = Archive::open(input, limits)?;
    let mut found = BTreeMap::new();
    let mut texts = BTreeMap::new();
    while let Some(entry) = archive.next_entry()? {
        if observer.interrupted() {
            return Err(OpenError::Interrupted);
        }
        let what = match entry.what {
            Admitted::Folder => Found::Folder,
            Admitted::Symlink(target) => Found::Link(target),
            // The guard has seen to it that the file came before.
            Admitted::HardLink(of) => found.get(&of).cloned().ok_or(OpenError::Absent(of))?,
            Admitted::File if is_text(&entry.path) && entry.size <= TEXT_LIMIT => {
                let mut bytes = Vec::new();
                archive.read_to_end(&mut bytes).map_err(unwrap_read)?;
                let id = match entry.path.as_str() {
                    LOCK => ObjectId::of_blob(&bytes),
                    _ => quarantine.put(Kind::Blob, bytes.clone())?,
                };
                texts.insert(entry.path.clone(), bytes);
                Found::File { size: entry.size, id }
            }
            Admitted::File => {
                let (id, size) = quarantine.put_stream(&mut archive, observer).map_err(archive_error)?;
                Found::File { size, id }
            }
        };
        if !entry.path.is_root() {
            found.insert(entry.path, what);
        }
    }
    Ok((found, texts))
}

/// What the archive could not give comes back through the store's reading of it.
fn archive_error(error: store::Error) -> OpenError {
    match error {
        store::Error::Io { source, .. } if source.get_ref().is_some_and(|inner| inner.is::<ArchiveError>()) => {
            unwrap_read(source).into()
        }
        store::Error::Interrupted => OpenError::Interrupted,
        error => error.into(),
    }
}

fn is_text(path: &RelativePath) -> bool {
    matches!(path.as_str(), LOCK | "pyproject.toml" | "uv.lock")
        || path.as_str().starts_with("workflows/")
        || path.as_str().starts_with("users/")
}

fn compare(lock: &Lock, found: &BTreeMap<RelativePath, Found>) -> Result<()> {
    for (path, locked) in &lock.files {
        let differs = |reason: &str| OpenError::Differs { path: path.clone(), reason: reason.to_owned() };
        match (locked, found.get(path)) {
            (_, None) => return Err(OpenError::Absent(path.clone())),
            (LockedFile::File { size, id, .. }, Some(Found::File { size: s, id: i })) => {
                if size != s {
                    return Err(differs(&format!("{s} bytes where {size} are wanted")));
                }
                if id != i {
                    return Err(differs(&format!("its BLAKE3 is {i}, not {id}")));
                }
            }
            (LockedFile::Link { target }, Some(Found::Link(t))) if target == t => {}
            (LockedFile::Folder, Some(Found::Folder)) => {}
            (LockedFile::Link { .. }, Some(Found::Link(_))) => return Err(differs("it leads elsewhere")),
            _ => return Err(differs("a file, a link or a folder where another of these is wanted")),
        }
    }
    // Archivers list every folder; a bundle's lock those that are empty.
    let unlisted = found.iter().find(|(path, what)| **what != Found::Folder && !lock.files.contains_key(*path));
    match unlisted {
        Some((path, _)) => Err(OpenError::Unlisted(path.clone())),
        None => Ok(()),
    }
}

/// The id of what a node's files make, whose trees are put into quarantine.
fn rebuild(quarantine: &Quarantine, lock: &Lock, node: &LockedNode) -> Result<ObjectId> {
    if let Some(LockedFile::File { id, .. }) = lock.files.get(&node.path) {
        return Ok(*id);
    }
    let name = EntryName::new("x")?;
    let mut entries = Vec::new();
    for (path, file) in &lock.files {
        let Some(below) = path.strip_prefix(&node.path).filter(|below| !below.is_root()) else { continue };
        let (kind, id, size) = match file {
            LockedFile::File { size, id, executable: false } => (EntryKind::File, *id, *size),
            LockedFile::File { size, id, executable: true } => (EntryKind::Executable, *id, *size),
            LockedFile::Link { target } => {
                let id = quarantine.put(Kind::Blob, target.clone().into_bytes())?;
                (EntryKind::Symlink, id, target.len() as u64)
            }
            LockedFile::Folder => {
                quarantine.put(Kind::Tree, Tree::default().encode())?;
                (EntryKind::Tree, worktree_empty(), 0)
            }
        };
        entries.push((below, Entry { name: name.clone(), kind, id, size }));
    }
    // Weight files in a node count as models, whether they came along or not.
    for model in &lock.models {
        let Some(below) = model.path.strip_prefix(&node.path).filter(|below| !below.is_root()) else { continue };
        entries.retain(|(path, _)| *path != below);
        entries.push((below, Entry { name: name.clone(), kind: EntryKind::Model, id: model.id, size: model.size }));
    }
    Ok(build_tree(quarantine, entries)?.0)
}
