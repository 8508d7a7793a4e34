//! Large blobs: a file each, never compressed, so that their bytes can be shared with the user's file.
//!
//! The ladder, down to what the policy allows: reflink, hard link, reference (the user's file itself is the place), copy.
//! Each place carries the stamp that its file had when its bytes were last known to be right; bytes are handed out only while
//! the stamp is the same, or after they have been hashed again (invariant S3).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::faults::{Effect, Faults};
use super::index::Row;
use super::staging::Staging;
use super::{Error, Result};
use crate::digest::{self, Threads, Wanted};
use crate::object::ObjectId;
use crate::observer::Observer;
use crate::platform::identity::FileStamp;
use crate::platform::{durable, links, paths};

/// A blob of this many bytes or more is a file of its own.
pub const LARGE: u64 = 1 << 20;

/// How the store may come to the bytes of a large file, and how it may put them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkPolicy {
    /// Reflink, else hard link, else reference: never doubles the use of the disk. Out of the store: reflink, else hard
    /// link, else copy.
    #[default]
    Auto,
    Reflink,
    Hardlink,
    /// A file of its own, by reflink where that is possible.
    Copy,
    /// The user's file is the only place of the bytes. Out of the store: as `Auto`.
    Reference,
}

impl FromStr for LinkPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "auto" => LinkPolicy::Auto,
            "reflink" => LinkPolicy::Reflink,
            "hardlink" => LinkPolicy::Hardlink,
            "copy" => LinkPolicy::Copy,
            "reference" => LinkPolicy::Reference,
            _ => return Err(format!("`{text}` is none of auto, reflink, hardlink, copy, reference")),
        })
    }
}

/// How bytes really came to be in their second place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    AlreadyThere,
    Reflinked,
    HardLinked,
    Referenced,
    Copied,
    /// Into a segment.
    Packed,
}

impl How {
    pub fn as_str(self) -> &'static str {
        match self {
            How::AlreadyThere => "already there",
            How::Reflinked => "reflinked",
            How::HardLinked => "hard-linked",
            How::Referenced => "referenced",
            How::Copied => "copied",
            How::Packed => "packed",
        }
    }
}

/// What is recorded of a place: the stamp of the file whose bytes were right, and when they were (nanoseconds since 1970).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceRecord {
    pub stamp: FileStamp,
    /// A time before the bytes were read; zero when they are to be hashed before they are next used.
    pub verified: i64,
}

impl PlaceRecord {
    /// True when a file that shows `stamp` still has the bytes that were verified.
    pub fn trusts(&self, stamp: &FileStamp) -> bool {
        self.stamp == *stamp && !stamp.is_racy(self.verified)
    }

    pub fn encode(&self) -> Vec<u8> {
        let stamp = &self.stamp;
        let mut bytes = Vec::with_capacity(48);
        for number in [stamp.device, stamp.inode, stamp.size] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for time in [stamp.modified, stamp.changed, self.verified] {
            bytes.extend_from_slice(&time.to_le_bytes());
        }
        bytes
    }

    /// `None` for bytes that are no record.
    pub fn decode(bytes: &[u8]) -> Option<PlaceRecord> {
        let bytes: &[u8; 48] = bytes.try_into().ok()?;
        let number = |at: usize| bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let time = |at: usize| number(at) as i64;
        let stamp =
            FileStamp { device: number(0), inode: number(8), size: number(16), modified: time(24), changed: time(32) };
        Some(PlaceRecord { stamp, verified: time(40) })
    }
}

/// The key of a place: the id, then `L` for the store's own file, or `R` and the path of a user's file.
pub fn place_key(id: &ObjectId, reference: Option<&Path>) -> Vec<u8> {
    let mut key = id.0.to_vec();
    match reference {
        None => key.push(b'L'),
        Some(path) => {
            key.push(b'R');
            key.extend_from_slice(&paths::to_bytes(path));
        }
    }
    key
}

/// The id and, for a reference, the path in a place's key.
pub fn parse_place_key(key: &[u8]) -> Option<(ObjectId, Option<PathBuf>)> {
    let (id, rest) = key.split_first_chunk::<32>()?;
    match rest.split_first()? {
        (b'L', []) => Some((ObjectId(*id), None)),
        (b'R', path) => Some((ObjectId(*id), Some(paths::from_bytes(path)))),
        _ => None,
    }
}

/// The folder of large blobs.
pub struct Large {
    folder: PathBuf,
    faults: Arc<Faults>,
}

/// What a walk over the folder finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Shelved {
    Object { id: ObjectId, path: PathBuf, size: u64 },
    Stray(PathBuf),
}

/// A large blob that has come into the store, not yet in the index.
#[derive(Debug)]
pub struct Placed {
    pub how: How,
    /// The store's own file, or the user's where only a reference is kept.
    pub path: PathBuf,
    pub is_reference: bool,
    /// What the file at `path` showed when it was put there.
    pub stamp: FileStamp,
}

impl Large {
    pub fn new(store: &Path, faults: Arc<Faults>) -> Self {
        Large { folder: store.join("large"), faults }
    }

    /// Where the blob `id` is, if the store has a file of its own for it.
    pub fn path(&self, id: &ObjectId) -> PathBuf {
        let hex = id.to_hex();
        self.folder.join(&hex[..2]).join(&hex[2..])
    }

    /// All files there, in no order.
    pub fn list(&self) -> Result<Vec<Shelved>> {
        let mut found = Vec::new();
        for folder in read_folder(&self.folder)? {
            if !folder.is_dir() {
                found.push(Shelved::Stray(folder));
                continue;
            }
            for path in read_folder(&folder)? {
                let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                let id = format!("{}{}", name(&folder), name(&path)).parse::<ObjectId>().ok();
                let metadata = std::fs::symlink_metadata(&path).map_err(Error::io(&path))?;
                // The path of the id, and no other spelling of it, is where a reader looks.
                match id.filter(|id| metadata.is_file() && self.path(id) == path) {
                    Some(id) => found.push(Shelved::Object { id, path, size: metadata.len() }),
                    None => found.push(Shelved::Stray(path)),
                }
            }
        }
        Ok(found)
    }

    /// Removes the store's own file of `id`, which the index must not name any more.
    pub fn remove(&self, id: &ObjectId) -> Result<()> {
        let path = self.path(id);
        let metadata = std::fs::symlink_metadata(&path).map_err(Error::io(&path))?;
        // A hard link shares its permissions with the user's file, so they are touched only where removing needs it.
        durable::allow_removal(&path, &metadata).map_err(Error::io(&path))?;
        self.faults.remove(&path).map_err(Error::io(&path))
    }

    /// Brings the file `source`, whose bytes have this id and which showed `before` when they were read, into the store.
    pub fn bring_in(
        &self,
        staging: &Staging,
        source: &Path,
        id: &ObjectId,
        before: &FileStamp,
        policy: LinkPolicy,
        observer: &dyn Observer,
    ) -> Result<Placed> {
        let aside = staging.new_path();
        let ladder: &[How] = match policy {
            LinkPolicy::Auto => &[How::Reflinked, How::HardLinked, How::Referenced],
            LinkPolicy::Reflink => &[How::Reflinked],
            LinkPolicy::Hardlink => &[How::HardLinked],
            LinkPolicy::Copy => &[How::Reflinked, How::Copied],
            LinkPolicy::Reference => &[How::Referenced],
        };
        let mut last = io::Error::from(io::ErrorKind::Unsupported);
        for &rung in ladder {
            let tried = match rung {
                How::Reflinked => self.effect(Effect::Link, &aside, || links::reflink(source, &aside)),
                How::HardLinked => self.effect(Effect::Link, &aside, || links::hard_link(source, &aside)),
                How::Copied => self.copy_in(source, &aside, observer),
                _ => return self.refer(source, before),
            };
            match tried {
                Ok(()) => return self.shelve(&aside, source, id, before, rung),
                Err(_) if observer.interrupted() => return Err(Error::Interrupted),
                Err(e) if links::is_unsupported(&e) && ladder.len() > 1 => last = e,
                Err(e) if links::is_unsupported(&e) => last = e,
                Err(source) => return Err(Error::Io { path: aside, source }),
            }
        }
        let wanted = if policy == LinkPolicy::Reflink { "reflinked" } else { "hard-linked" };
        Err(Error::CannotLink { wanted, from: source.to_owned(), to: self.folder.clone(), source: last })
    }

    fn effect(&self, effect: Effect, path: &Path, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.faults.before(effect, path)?;
        work()
    }

    fn copy_in(&self, source: &Path, aside: &Path, observer: &dyn Observer) -> io::Result<()> {
        self.faults.before(Effect::Write, aside)?;
        let from = File::open(source)?;
        links::copy(&from, aside, |_| {
            if observer.interrupted() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        })?;
        Ok(())
    }

    /// Keeps the user's file as the place of the bytes.
    fn refer(&self, source: &Path, before: &FileStamp) -> Result<Placed> {
        let file = File::open(source).map_err(Error::io(source))?;
        self.faults.before(Effect::Sync, source).map_err(Error::io(source))?;
        durable::sync_foreign(&file).map_err(Error::io(source))?;
        let stamp = FileStamp::of_path(source).map_err(Error::io(source))?;
        if stamp != *before {
            return Err(Error::ChangedWhileRead(source.to_owned()));
        }
        Ok(Placed { how: How::Referenced, path: source.to_owned(), is_reference: true, stamp })
    }

    /// Moves a linked or copied file to its place, durable but for the folder's own name.
    fn shelve(&self, aside: &Path, source: &Path, id: &ObjectId, before: &FileStamp, how: How) -> Result<Placed> {
        let now = FileStamp::of_path(source).map_err(Error::io(source))?;
        // Linking changes the time of the last change of the file's metadata, and nothing else.
        let same = match how {
            How::HardLinked => now == FileStamp { changed: now.changed, ..*before },
            _ => now == *before,
        };
        if !same {
            return Err(Error::ChangedWhileRead(source.to_owned()));
        }
        let path = self.place(aside, id, how == How::HardLinked)?;
        let stamp = FileStamp::of_path(&path).map_err(Error::io(&path))?;
        Ok(Placed { how, path, is_reference: false, stamp })
    }

    /// Syncs a staged file and renames it to the place of `id`. A file that is not shared with the user loses its write
    /// permissions.
    pub fn place(&self, aside: &Path, id: &ObjectId, is_shared: bool) -> Result<PathBuf> {
        let file = if is_shared { File::open(aside) } else { durable::open_own(aside) }.map_err(Error::io(aside))?;
        if is_shared {
            self.faults.before(Effect::Sync, aside).map_err(Error::io(aside))?;
            durable::sync_foreign(&file).map_err(Error::io(aside))?;
        } else {
            self.faults.before(Effect::Permissions, aside).map_err(Error::io(aside))?;
            self.faults.sync(&file, aside).map_err(Error::io(aside))?;
            durable::make_read_only(&file).map_err(Error::io(aside))?;
        }
        drop(file);
        let path = self.path(id);
        let folder = path.parent().unwrap_or(&self.folder);
        if self.faults.make_folder(folder).map_err(Error::io(folder))? {
            self.faults.sync_folder(&self.folder).map_err(Error::io(&self.folder))?;
        }
        self.faults.rename(aside, &path).map_err(Error::io(&path))?;
        // Renaming onto another name of the same file does nothing and leaves both.
        match durable::remove_other_name(aside, &path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Io { path: aside.to_owned(), source: e });
            }
            _ => {}
        }
        Ok(path)
    }

    /// Makes the names of files brought in survive a power cut.
    pub fn sync_folders<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> Result<()> {
        let mut folders: Vec<&Path> = paths.filter_map(Path::parent).collect();
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            self.faults.sync_folder(folder).map_err(Error::io(folder))?;
        }
        Ok(())
    }
}

fn read_folder(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path).map_err(Error::io(path))?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(Error::io(path))).collect()
}

/// The id of the blob that `file` holds, and the stamp under which it was read. Bytes read are reported to the observer.
/// Errors: [`Error::ChangedWhileRead`].
pub fn hash_file(file: &File, path: &Path, observer: &dyn Observer) -> Result<(ObjectId, FileStamp)> {
    let digests =
        digest::open_file(file, path, Wanted::ID, Threads::default(), observer).map_err(|error| match error {
            digest::Error::Io { path, source } => Error::Io { path, source },
            digest::Error::Directory { path } => Error::NotAFile(path),
            digest::Error::Interrupted => Error::Interrupted,
            digest::Error::ChangedWhileRead { path } | digest::Error::CutShort { path, .. } => {
                Error::ChangedWhileRead(path)
            }
        })?;
    let id = digests.id.ok_or_else(|| Error::NotAFile(path.to_owned()))?;
    Ok((id, digests.stamp))
}

/// Fills `buffer` as far as the input goes.
pub fn read_full(input: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match input.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Waits until no write could hide any more behind the same clock tick as `stamp`, unless that would be long (a file system
/// that counts seconds). Then a stamp that is still the same can be trusted.
pub fn settle(stamp: &FileStamp) {
    for _ in 0..4 {
        let now = super::known_files::now();
        if !stamp.is_racy(now) {
            return;
        }
        if stamp.is_racy(now.saturating_add(30_000_000)) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// A place's row in the index.
pub fn place_row(id: &ObjectId, reference: Option<&Path>, record: &PlaceRecord) -> Row {
    (place_key(id, reference), record.encode())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_survives_its_encoding(
            device in any::<u64>(), inode in any::<u64>(), size in any::<u64>(), modified in any::<i64>(),
            changed in any::<i64>(), verified in any::<i64>(), path in "(/[a-zé ]{1,8}){1,3}", id in any::<[u8; 32]>(),
        ) {
            let record = PlaceRecord { stamp: FileStamp { device, inode, size, modified, changed }, verified };
            prop_assert_eq!(PlaceRecord::decode(&record.encode()), Some(record));
            let (id, path) = (ObjectId(id), PathBuf::from(path));
            prop_assert_eq!(parse_place_key(&place_key(&id, None)), Some((id, None)));
            prop_assert_eq!(parse_place_key(&place_key(&id, Some(&path))), Some((id, Some(path))));
        }
    }
}
