//! One run of linking or undoing, and what a killed run left.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::{self, Threads, Wanted};
use crate::object::ObjectId;
use crate::observer::{Observer, Unit};
use crate::platform::identity::FileStamp;
use crate::store::{Known, Store, large};

use super::super::error::Error;
use super::super::index::now;
use super::log::{LinkLog, LinkRecord, Sharing, State};

/// Why a file was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("its bytes are not those that were indexed any more")]
    OtherBytes,
    #[error("changed meanwhile")]
    Changed,
    #[error("is not there any more")]
    Gone,
    #[error("is on another disk than {}", .0.display())]
    OtherDisk(PathBuf),
    #[error("can be linked neither by reflink nor by hard link here: {0}")]
    Unsupported(io::Error),
    #[error("is a link to a file outside the models folders")]
    Symlink,
    #[error("is a file of its own already")]
    Separate,
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Digest(digest::Error),
}

/// What became of one file.
#[derive(Debug)]
pub struct Outcome {
    pub path: PathBuf,
    pub id: ObjectId,
    /// Bytes.
    pub size: u64,
    /// Bytes that are free for it: none as long as the file that was replaced has another name somewhere.
    pub freed: u64,
    pub result: Result<Sharing, Refusal>,
}

/// One run of linking or undoing. Nobody else links models of this store meanwhile: the caller sees to that.
pub struct Linker<'s> {
    pub(super) store: &'s Store,
    pub(super) log: LinkLog<'s>,
    pub(super) observer: &'s dyn Observer,
    pub(super) run: u64,
    pub(super) next: u32,
}

/// What ends the run, or what only ends the work on one file.
pub(super) type Tried<T> = Result<Result<T, Refusal>, Error>;

pub(super) fn refused(path: &Path) -> impl FnOnce(io::Error) -> Refusal {
    move |source| Refusal::Io { path: path.to_owned(), source }
}

impl<'s> Linker<'s> {
    /// Begins a run, after tidying up what a killed one left.
    pub fn new(store: &'s Store, observer: &'s dyn Observer) -> Result<Self, Error> {
        let log = LinkLog::new(store);
        let newest = log.all()?.last().map_or(0, |(key, _)| key.run);
        let clock = u64::try_from(now() / 1_000_000).unwrap_or(0);
        let linker = Linker { store, log, observer, run: clock.max(newest + 1), next: 0 };
        linker.tidy()?;
        Ok(linker)
    }

    /// Brings the records of a killed run to an end that is true.
    fn tidy(&self) -> Result<(), Error> {
        for (key, record) in self.log.all()? {
            // Where nobody may delete now the record stays, and is looked at again the next time.
            if matches!(record.state, State::Linked | State::Parted) || discard(&record.aside).is_err() {
                continue;
            }
            let now = FileStamp::of_path(&record.path).ok();
            let kept = FileStamp::of_path(&record.kept).ok();
            let how = match record.state {
                _ if is_one(now, kept) => Some(Sharing::HardLinked),
                // The rename was done, and it was no second name.
                State::Linking if now.is_some() && !is_one(now, Some(record.was)) => Some(Sharing::Reflinked),
                _ => None,
            };
            match how {
                Some(how) => self.log.put(key, &LinkRecord { state: State::Linked, how: Some(how), now, ..record })?,
                None => self.log.remove(key)?,
            }
        }
        Ok(())
    }

    /// The stamp of a file that has this id, found out by reading it now.
    pub(super) fn read(&self, path: &Path, id: &ObjectId) -> Tried<FileStamp> {
        let size = FileStamp::of_path(path).map_or(0, |stamp| stamp.size);
        self.observer.started("reading models", Unit::Bytes, Some(size));
        let read = digest::file(path, Wanted::ID, Threads::All, self.observer);
        self.observer.finished();
        match read {
            Ok(digests) if digests.id == Some(*id) => Ok(Ok(digests.stamp)),
            Ok(_) => Ok(Err(Refusal::OtherBytes)),
            Err(digest::Error::Interrupted) => Err(Error::Interrupted),
            Err(error) => Ok(Err(Refusal::Digest(error))),
        }
    }

    /// Renames over `path`, durably.
    pub(super) fn put_in_place(&self, aside: &Path, path: &Path) -> Result<(), Refusal> {
        let faults = self.store.faults();
        faults.rename(aside, path).map_err(refused(path))?;
        // The rename is done. If it should not last, what was there before is as right.
        drop(faults.sync_folder(path.parent().unwrap_or(Path::new("."))));
        Ok(())
    }

    /// Our links changed the stamps of these files and nothing else, so what was known of their bytes stays known. Each path comes with the
    /// stamp that it had when it was read, or nothing for a file that we made.
    pub(super) fn remember(&self, files: &[(PathBuf, Option<FileStamp>)], known: Known) -> Result<(), Error> {
        let now = |(path, before): &(PathBuf, Option<FileStamp>)| {
            let now = FileStamp::of_path(path).ok()?;
            before.is_none_or(|before| same_bytes(&now, &before)).then_some((path.clone(), now))
        };
        let stamps: Vec<(PathBuf, FileStamp)> = files.iter().filter_map(now).collect();
        if let Some((_, newest)) = stamps.iter().max_by_key(|(_, stamp)| stamp.changed) {
            large::settle(newest);
        }
        let table = self.store.known_files();
        let still = |(path, stamp): (PathBuf, FileStamp)| {
            FileStamp::of_path(&path).is_ok_and(|now| now == stamp).then_some((stamp, known))
        };
        table.remember(stamps.into_iter().filter_map(still).collect())?;
        Ok(())
    }
}

/// The same file, not written to: making and removing further names changes only `changed`.
pub fn same_bytes(a: &FileStamp, b: &FileStamp) -> bool {
    FileStamp { changed: 0, ..*a } == FileStamp { changed: 0, ..*b }
}

/// True when both are there and are names of one file.
fn is_one(a: Option<FileStamp>, b: Option<FileStamp>) -> bool {
    a.zip(b).is_some_and(|(a, b)| (a.device, a.inode) == (b.device, b.inode))
}

/// Removes a file of ours, if it is there.
pub(super) fn discard(aside: &Path) -> io::Result<()> {
    let removed = std::fs::symlink_metadata(aside)
        .and_then(|metadata| crate::platform::durable::allow_removal(aside, &metadata))
        .and_then(|()| std::fs::remove_file(aside));
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A hidden name in the folder of `path`, which no scan takes for a model.
pub(super) fn beside(path: &Path, run: u64, number: u32) -> PathBuf {
    path.with_file_name(format!(".comfrey-link-{run:x}-{number:x}"))
}
