//! Files replaced by links to one of them.
//!
//! A file is replaced in one step: both files are read and have the id; what is about to happen is written down; the link is made under a name of
//! its own beside the file; neither file has changed since; and the link is renamed over the file. Whatever fails or dies when, each
//! name leads to a whole file with the right bytes (invariant R33).

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::platform::identity::FileStamp;
use crate::platform::{durable, links};
use crate::store::Known;
use crate::store::faults::Effect;

use super::super::duplicates::{Group, OnDisk};
use super::super::error::Error;
use super::super::record::IndexedFile;
use super::linker::{Linker, Outcome, Refusal, Tried, beside, discard, refused, same_bytes};
use super::log::{LinkKey, LinkRecord, Sharing, State};

/// The file on one disk that the others there become links to.
#[derive(Clone)]
struct Kept {
    path: PathBuf,
    stamp: FileStamp,
}

impl Linker<'_> {
    /// Makes the files of a group share the room of the first, as far as they are on its disk.
    ///
    /// # Errors
    /// The store; a wish to stop. What concerns one file is in its outcome.
    pub fn link(&mut self, group: &Group) -> Result<Vec<Outcome>, Error> {
        let (mut kept, mut outcomes) = (Vec::new(), Vec::new());
        let ended = self.link_all(group, &mut kept, &mut outcomes);
        // What was done until then is to be known, too.
        let files = || group.copies.iter().flat_map(|copy| &copy.files);
        let known = Known {
            id: Some(group.id),
            sha256: files().find_map(|file| file.sha256),
            quick: files().find_map(|file| file.quick),
        };
        let linked =
            outcomes.iter().filter(|outcome| outcome.result.is_ok()).map(|outcome| (outcome.path.clone(), None));
        let kept = kept.into_iter().map(|kept| (kept.path, Some(kept.stamp)));
        self.remember(&kept.chain(linked).collect::<Vec<_>>(), known)?;
        ended.map(|()| outcomes)
    }

    fn link_all(&mut self, group: &Group, kept: &mut Vec<Kept>, outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
        for copy in &group.copies {
            let device = copy.stamp().device;
            match kept.iter().find(|kept| kept.stamp.device == device).cloned() {
                Some(kept) if !copy.is_reflink => self.link_copy(group, copy, &kept, outcomes)?,
                Some(_) => {}
                // The first on its disk is read, and stays. If it is not what it was, the next may be.
                None => {
                    let first = &copy.files[0];
                    let path = first.file().canonicalize().unwrap_or_else(|_| first.file());
                    let read = self.read(&path, &group.id)?;
                    let elsewhere = kept.first().map(|kept| Refusal::OtherDisk(kept.path.clone()));
                    outcomes.extend(elsewhere.map(|refusal| outcome(first, group, Err(refusal))));
                    match read {
                        Ok(stamp) => kept.push(Kept { path, stamp }),
                        Err(refusal) => outcomes.push(outcome(first, group, Err(refusal))),
                    }
                }
            }
        }
        Ok(())
    }

    /// Replaces every name of one file.
    fn link_copy(
        &mut self,
        group: &Group,
        copy: &OnDisk,
        kept: &Kept,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Error> {
        let own_metadata = |file: &IndexedFile| std::fs::symlink_metadata(file.file()).ok();
        let plain = |metadata: &Metadata| metadata.file_type().is_file();
        let names: Vec<&IndexedFile> =
            copy.files.iter().filter(|file| own_metadata(file).as_ref().is_some_and(plain)).collect();
        let Some(first) = names.first() else {
            outcomes.push(outcome(&copy.files[0], group, Err(Refusal::Symlink)));
            return Ok(());
        };
        let was = match self.read(&first.file(), &group.id)? {
            Ok(was) => was,
            Err(refusal) => {
                outcomes.push(outcome(first, group, Err(refusal)));
                return Ok(());
            }
        };
        // With a name elsewhere, such as in a store, its room stays taken.
        let names_on_disk = own_metadata(first).as_ref().and_then(links::names_of);
        let mut left = names_on_disk.unwrap_or(names.len() as u64);
        for file in names {
            let aside = beside(&file.file(), self.run, self.next);
            let record = LinkRecord {
                state: State::Linking,
                path: file.file(),
                kept: kept.path.clone(),
                aside,
                id: group.id,
                was,
                kept_was: kept.stamp,
                how: None,
                now: None,
            };
            let key = LinkKey { run: self.run, number: self.next };
            self.next += 1;
            let result = self.replace(key, record)?;
            left -= u64::from(result.is_ok() && left > 0);
            let freed = if result.is_ok() && left == 0 { group.size } else { 0 };
            outcomes.push(Outcome { freed, ..outcome(file, group, result) });
            if self.observer.interrupted() {
                return Err(Error::Interrupted);
            }
        }
        Ok(())
    }

    fn replace(&self, key: LinkKey, record: LinkRecord) -> Tried<Sharing> {
        self.log.put(key, &record)?;
        match self.place_link(&record) {
            Ok(how) => {
                let now = FileStamp::of_path(&record.path).ok();
                self.log.put(key, &LinkRecord { state: State::Linked, how: Some(how), now, ..record })?;
                Ok(Ok(how))
            }
            Err(refusal) => {
                // What cannot be removed now is removed by the next run, for which the record stays.
                if discard(&record.aside).is_ok() {
                    self.log.remove(key)?;
                }
                Ok(Err(refusal))
            }
        }
    }

    fn place_link(&self, record: &LinkRecord) -> Result<Sharing, Refusal> {
        let LinkRecord { path, kept, aside, was, kept_was, .. } = record;
        self.store.faults().before(Effect::Link, aside).map_err(refused(aside))?;
        let how = match links::reflink(kept, aside) {
            Ok(()) => Sharing::Reflinked,
            Err(error) if links::is_unsupported(&error) => match links::hard_link(kept, aside) {
                Ok(()) => Sharing::HardLinked,
                Err(error) if links::is_unsupported(&error) => return Err(Refusal::Unsupported(error)),
                Err(error) => return Err(refused(aside)(error)),
            },
            Err(error) => return Err(refused(aside)(error)),
        };
        if how == Sharing::Reflinked {
            let metadata = std::fs::metadata(path).map_err(refused(path))?;
            let modified = metadata.modified().map_err(refused(path))?;
            self.dress(aside, &metadata, modified)?;
        }
        // Neither may have been written to since it was read.
        let is_still = |path: &Path, was: &FileStamp| FileStamp::of_path(path).is_ok_and(|now| same_bytes(&now, was));
        if !is_still(kept, kept_was) || !is_still(path, was) {
            return Err(Refusal::Changed);
        }
        self.put_in_place(aside, path)?;
        Ok(how)
    }

    /// Makes a new file like the one that it replaces in all but the room it takes, and durable.
    pub(super) fn dress(&self, aside: &Path, like: &Metadata, modified: SystemTime) -> Result<(), Refusal> {
        let work = || {
            durable::allow_removal(aside, &std::fs::metadata(aside)?)?;
            let file = durable::open_to_sync(aside)?;
            file.set_modified(modified)?;
            self.store.faults().sync(&file, aside)?;
            file.set_permissions(like.permissions())
        };
        work().map_err(refused(aside))
    }
}

pub(super) fn outcome(file: &IndexedFile, group: &Group, result: Result<Sharing, Refusal>) -> Outcome {
    Outcome { path: file.file(), id: group.id, size: group.size, freed: 0, result }
}
