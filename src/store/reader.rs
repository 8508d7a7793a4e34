//! Objects out of the store, verified.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use rayon::prelude::*;

use super::handle::Shared;
use super::index::Additions;
use super::large::{self, How, LARGE, LinkPolicy, PlaceRecord};
use super::locator::{At, Info, Locator, Place};
use super::segment::Trouble;
use super::{Error, Result, Store, known_files};
use crate::object::{Encoded, IdPrefix, Kind, ObjectId};
use crate::observer::{Observer, Silent};
use crate::platform::identity::FileStamp;
use crate::platform::links;

/// An object's bytes, in constant memory for a large one.
#[derive(Debug)]
pub struct ObjectReader {
    kind: Kind,
    size: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Memory(io::Cursor<Vec<u8>>),
    File { file: File, path: PathBuf, stamp: FileStamp },
}

impl ObjectReader {
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes of the whole object.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for ObjectReader {
    /// Errors: `InvalidData` at the end of a file that was changed while it was read.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Memory(bytes) => bytes.read(buffer),
            Source::File { file, path, stamp } => {
                let got = file.read(buffer)?;
                // Linking the file elsewhere meanwhile changes `changed`, and harms nothing.
                if got == 0 && !buffer.is_empty() {
                    let now = FileStamp::of_file(file)?;
                    if now != (FileStamp { changed: now.changed, ..*stamp }) {
                        let text = format!("{} changed while it was read", path.display());
                        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                    }
                }
                Ok(got)
            }
        }
    }
}

/// A verified open file that holds a large blob.
struct Verified {
    file: File,
    path: PathBuf,
    stamp: FileStamp,
    reference: Option<PathBuf>,
}

impl Store {
    /// What the index knows of an object; `None` when it is not here.
    pub fn info(&self, id: &ObjectId) -> Result<Option<Info>> {
        match self.shared.index.locator(id)? {
            Some(locator) => Ok(Some(self.describe(id, &locator)?)),
            None => Ok(None),
        }
    }

    /// The same for many objects, in their order, in one look at the index.
    pub fn infos(&self, ids: &[ObjectId]) -> Result<Vec<Option<Info>>> {
        let locators = self.shared.index.locators(ids)?;
        let describe = |(id, locator): (&ObjectId, Option<Locator>)| locator.map(|l| self.describe(id, &l)).transpose();
        ids.iter().zip(locators).map(describe).collect()
    }

    /// Whether the index has each of these objects.
    pub fn contains(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        Ok(self.shared.index.locators(ids)?.iter().map(Option::is_some).collect())
    }

    fn describe(&self, id: &ObjectId, locator: &Locator) -> Result<Info> {
        let place = match locator.at {
            At::Segment { segment, offset, stored, .. } => Place::Segment { segment, offset, stored },
            At::Large => Place::Large,
            At::Reference => {
                let path = self.places(id)?.into_iter().find_map(|(path, _)| path);
                Place::Reference(path.ok_or(Error::NotFound(*id))?)
            }
        };
        Ok(Info { kind: locator.kind, size: locator.size, place })
    }

    /// Objects whose ids begin with `prefix`, in order, at most `limit`.
    pub fn matching(&self, prefix: &IdPrefix, limit: usize) -> Result<Vec<(ObjectId, Kind)>> {
        let found = self.shared.index.matching(prefix, limit)?;
        Ok(found.into_iter().map(|(id, locator)| (id, locator.kind)).collect())
    }

    /// A whole object, verified. Errors: [`Error::NotFound`], [`Error::Damaged`]; [`Error::TooLarge`] for a blob of a mebibyte or
    /// more, which is for [`Store::open_object`].
    pub fn read(&self, id: &ObjectId) -> Result<(Kind, Vec<u8>)> {
        let locator = self.shared.index.locator(id)?.ok_or(Error::NotFound(*id))?;
        self.read_located(id, locator)
    }

    /// Many whole objects in their order, verified: one look at the index, and all cores. Errors: as for [`Store::read`], of the
    /// first that has one.
    pub fn read_all(&self, ids: &[ObjectId]) -> Result<Vec<(Kind, Vec<u8>)>> {
        let locators = self.shared.index.locators(ids)?;
        let read = |(id, locator): (&ObjectId, Option<Locator>)| {
            let locator = locator.ok_or(Error::NotFound(*id))?;
            self.read_located(id, locator)
        };
        ids.par_iter().zip(locators).with_min_len(16).map(read).collect()
    }

    fn read_located(&self, id: &ObjectId, locator: Locator) -> Result<(Kind, Vec<u8>)> {
        let At::Segment { segment, .. } = locator.at else {
            return Err(Error::TooLarge { id: *id, size: locator.size });
        };
        let trouble = match self.shared.segments.read(id, &locator) {
            Ok(bytes) => return Ok((locator.kind, bytes)),
            Err(trouble) => trouble,
        };
        // A garbage collection may have moved it since the index was asked.
        self.shared.segments.forget_open_files();
        match self.shared.index.locator(id)? {
            Some(moved) if moved != locator => self.read_located(id, moved),
            None => Err(Error::NotFound(*id)),
            Some(_) => {
                let file = self.shared.segments.path(segment);
                Err(match trouble {
                    Trouble::Io(source) => Error::Io { path: file, source },
                    Trouble::Damage(reason) => Error::Damaged { id: *id, file, reason },
                })
            }
        }
    }

    /// A whole value, verified and decoded. Errors also: [`Error::WrongKind`].
    pub fn read_as<T: Encoded>(&self, id: &ObjectId) -> Result<T> {
        let locator = self.shared.index.locator(id)?.ok_or(Error::NotFound(*id))?;
        if locator.kind != T::KIND {
            return Err(Error::WrongKind { id: *id, wanted: T::KIND, found: locator.kind });
        }
        let (_, bytes) = self.read_located(id, locator)?;
        T::decode(&bytes).map_err(|source| Error::Malformed { id: *id, source })
    }

    /// An object of any size, to be read in constant memory. Its bytes are verified before the first is handed out, or are in a file
    /// that has not changed since they were.
    pub fn open_object(&self, id: &ObjectId) -> Result<ObjectReader> {
        self.open_observed(id, &Silent)
    }

    /// The same, telling the observer of bytes that had to be hashed first.
    pub fn open_observed(&self, id: &ObjectId, observer: &dyn Observer) -> Result<ObjectReader> {
        let locator = self.shared.index.locator(id)?.ok_or(Error::NotFound(*id))?;
        if let At::Segment { .. } = locator.at {
            let (kind, bytes) = self.read_located(id, locator)?;
            return Ok(ObjectReader { kind, size: bytes.len() as u64, source: Source::Memory(io::Cursor::new(bytes)) });
        }
        let Verified { file, path, stamp, .. } = self.verified(id, &locator, observer)?;
        Ok(ObjectReader { kind: locator.kind, size: locator.size, source: Source::File { file, path, stamp } })
    }

    /// The bytes of a text that is worked with whole, such as a manifest, a lock or a workflow: those too that are a mebibyte or more.
    ///
    /// # Errors
    /// As for [`Store::open_object`]; [`Error::TooLarge`] for a gibibyte or more.
    pub fn read_text(&self, id: &ObjectId) -> Result<Vec<u8>> {
        const LARGEST: u64 = 1 << 30;
        let mut object = self.open_object(id)?;
        let size = object.size();
        if size >= LARGEST {
            return Err(Error::TooLarge { id: *id, size });
        }
        let mut bytes = Vec::with_capacity(size as usize);
        let read = object.read_to_end(&mut bytes);
        read.map_err(|source| match &object.source {
            Source::File { path, .. } => Error::Io { path: path.clone(), source },
            Source::Memory(_) => Error::Io { path: PathBuf::new(), source },
        })?;
        Ok(bytes)
    }

    /// The places of a large object: path of a reference (`None`: the store's own file) and what is recorded of it.
    pub fn places(&self, id: &ObjectId) -> Result<Vec<(Option<PathBuf>, Option<PlaceRecord>)>> {
        let rows = self.shared.index.places(&id.0)?;
        let place = |(key, value): (Vec<u8>, Vec<u8>)| {
            large::parse_place_key(&key).map(|(_, path)| (path, PlaceRecord::decode(&value)))
        };
        Ok(rows.into_iter().filter_map(place).collect())
    }

    /// Finds a place of a large blob whose bytes are right. Errors: the fault of the first place, when none is.
    fn verified(&self, id: &ObjectId, locator: &Locator, observer: &dyn Observer) -> Result<Verified> {
        let mut places = self.places(id)?;
        // Without a record (the index was made again) the store's own file is hashed before use.
        if locator.at == At::Large && places.iter().all(|(path, _)| path.is_some()) {
            places.insert(0, (None, None));
        }
        let mut fault = None;
        for (reference, record) in places {
            match self.verify(id, locator.size, reference, record, observer) {
                Ok(verified) => return Ok(verified),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        Err(fault.unwrap_or(Error::NotFound(*id)))
    }

    fn verify(
        &self,
        id: &ObjectId,
        size: u64,
        reference: Option<PathBuf>,
        record: Option<PlaceRecord>,
        observer: &dyn Observer,
    ) -> Result<Verified> {
        let is_reference = reference.is_some();
        let path = reference.clone().unwrap_or_else(|| self.shared.large.path(id));
        let wrong = |reason: &str| {
            if is_reference {
                Error::Changed { id: *id, file: path.clone(), reason: reason.to_owned() }
            } else {
                Error::Damaged { id: *id, file: path.clone(), reason: reason.to_owned() }
            }
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(wrong("is not there any more")),
            Err(source) => return Err(Error::Io { path, source }),
        };
        let mut stamp = FileStamp::of_file(&file).map_err(Error::io(&path))?;
        let is_linked = !is_reference && self.shared.links().get(id) == Some(&stamp);
        if !is_linked && !record.is_some_and(|record| record.trusts(&stamp)) {
            if stamp.size != size {
                return Err(wrong("has another length now"));
            }
            let began = known_files::now();
            let (found, hashed) = large::hash_file(&file, &path, observer)?;
            if found != *id {
                return Err(wrong("has other bytes now"));
            }
            stamp = hashed;
            io::Seek::rewind(&mut &file).map_err(Error::io(&path))?;
            self.record_place(id, reference.as_deref(), &PlaceRecord { stamp, verified: began });
        }
        Ok(Verified { file, path, stamp, reference })
    }

    /// Records that a place was found right. Where that cannot be written (a read-only store), it will be found out again.
    fn record_place(&self, id: &ObjectId, reference: Option<&Path>, record: &PlaceRecord) {
        let places = vec![large::place_row(id, reference, record)];
        let additions = Additions { places, ..Default::default() };
        self.shared.index.add_if_possible(&additions);
    }

    /// Writes a blob to the new file `to`: a large one by reflink, else (where the policy allows) as a hard link, else as a
    /// copy; says which. Errors: `to` exists; [`Error::WrongKind`]; those of [`Store::open_object`].
    pub fn materialize(&self, id: &ObjectId, to: &Path, policy: LinkPolicy) -> Result<How> {
        self.materialize_observed(id, to, policy, &Silent)
    }

    /// The same, telling the observer of bytes hashed and copied, and stopping when it is interrupted.
    pub fn materialize_observed(
        &self,
        id: &ObjectId,
        to: &Path,
        policy: LinkPolicy,
        observer: &dyn Observer,
    ) -> Result<How> {
        let locator = self.shared.index.locator(id)?.ok_or(Error::NotFound(*id))?;
        if locator.kind != Kind::Blob {
            return Err(Error::WrongKind { id: *id, wanted: Kind::Blob, found: locator.kind });
        }
        if let At::Segment { .. } = locator.at {
            let (_, bytes) = self.read_located(id, locator)?;
            let write = || OpenOptions::new().write(true).create_new(true).open(to)?.write_all(&bytes);
            write().map_err(Error::io(to))?;
            return Ok(How::Copied);
        }
        let source = self.verified(id, &locator, observer)?;
        let made = self.link_out(id, &source, to, policy, observer);
        if made.is_err()
            && !matches!(&made, Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists)
        {
            // Half a file is worse than none.
            drop(std::fs::remove_file(to));
        }
        made
    }

    fn link_out(
        &self,
        id: &ObjectId,
        source: &Verified,
        to: &Path,
        policy: LinkPolicy,
        observer: &dyn Observer,
    ) -> Result<How> {
        let unchanged = |ignoring_links: bool| -> Result<()> {
            let now = FileStamp::of_path(&source.path).map_err(Error::io(&source.path))?;
            let changed = if ignoring_links { now.changed } else { source.stamp.changed };
            let same = now == FileStamp { changed, ..source.stamp };
            if same { Ok(()) } else { Err(Error::ChangedWhileRead(source.path.clone())) }
        };
        let mut last = None;
        if policy != LinkPolicy::Hardlink {
            match links::reflink(&source.path, to) {
                Ok(()) => {
                    unchanged(true)?;
                    writable(to).map_err(Error::io(to))?;
                    return Ok(How::Reflinked);
                }
                Err(e) if links::is_unsupported(&e) => last = Some(e),
                Err(e) => return Err(Error::Io { path: to.to_owned(), source: e }),
            }
        }
        // A user's own file is never given a second name somewhere: editing one would change the other.
        if policy != LinkPolicy::Reflink && policy != LinkPolicy::Copy && source.reference.is_none() {
            match links::hard_link(&source.path, to) {
                Ok(()) => {
                    unchanged(true)?;
                    self.note_link(id, source);
                    return Ok(How::HardLinked);
                }
                Err(e) if links::is_unsupported(&e) => last = Some(e),
                Err(e) => return Err(Error::Io { path: to.to_owned(), source: e }),
            }
        }
        if matches!(policy, LinkPolicy::Reflink | LinkPolicy::Hardlink)
            && let Some(error) = last
        {
            let wanted = if policy == LinkPolicy::Reflink { "reflinked" } else { "hard-linked" };
            return Err(Error::CannotLink { wanted, from: source.path.clone(), to: to.to_owned(), source: error });
        }
        let copied = links::copy(&source.file, to, |step| {
            observer.advanced(step);
            if observer.interrupted() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        });
        if copied.is_err() && observer.interrupted() {
            return Err(Error::Interrupted);
        }
        copied.map_err(Error::io(to))?;
        unchanged(true)?;
        Ok(How::Copied)
    }

    /// Our own link changed the stamp of the store's file: keeps the new one in mind, so that the next use need not hash it.
    fn note_link(&self, id: &ObjectId, source: &Verified) {
        if let Ok(stamp) = FileStamp::of_path(&source.path) {
            self.shared.links().insert(*id, stamp);
        }
    }

    /// Records the stamps of large files that [`Store::materialize`] has linked. Otherwise done when the last handle of this store
    /// is dropped; worth calling before that in a process that lives long.
    pub fn settle_links(&self) {
        self.shared.settle_links();
    }
}

impl Shared {
    /// Large files that got a further name, and the stamps that this gave them.
    fn links(&self) -> MutexGuard<'_, HashMap<ObjectId, FileStamp>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn settle_links(&self) {
        let links = std::mem::take(&mut *self.links());
        let mut places = Vec::new();
        for (id, stamp) in links {
            large::settle(&stamp);
            if FileStamp::of_path(&self.large.path(&id)).is_ok_and(|now| now == stamp) {
                places.push(large::place_row(&id, None, &PlaceRecord { stamp, verified: known_files::now() }));
            }
        }
        if !places.is_empty() {
            places.sort();
            self.index.add_if_possible(&Additions { places, ..Default::default() });
        }
    }
}

/// A reflink takes over the store's permissions; a user's file is to be like a new one.
fn writable(path: &Path) -> io::Result<()> {
    let mut permissions = std::fs::metadata(path)?.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        permissions.set_mode(0o644);
    }
    #[cfg(windows)]
    #[allow(clippy::permissions_set_readonly_false, reason = "on Windows this is one attribute, not a mode")]
    permissions.set_readonly(false);
    std::fs::set_permissions(path, permissions)
}

/// True when an object of this kind and size is a file of its own.
pub(super) fn is_large(kind: Kind, size: u64) -> bool {
    kind == Kind::Blob && size >= LARGE
}
