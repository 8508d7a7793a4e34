//! Files of their own again.

use std::fs::File;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use crate::observer::Unit;
use crate::platform::identity::FileStamp;
use crate::platform::links;
use crate::store::Known;
use crate::store::faults::Effect;

use super::super::error::Error;
use super::linker::{Linker, Outcome, Refusal, Tried, beside, discard, refused, same_bytes};
use super::log::{LinkKey, LinkRecord, Sharing, State};

impl Linker<'_> {
    /// What the newest run linked, as far as it is not undone; the last first.
    pub fn last_run(&self) -> Result<Vec<(LinkKey, LinkRecord)>, Error> {
        let mut done = self.log.linked()?;
        let newest = done.iter().map(|(key, _)| key.run).max();
        done.retain(|(key, _)| Some(key.run) == newest);
        done.reverse();
        Ok(done)
    }

    /// Gives files of their own back to what was linked. Reflinks are that already; hard links are copied, and have the time back that they
    /// had. A file that was written to or replaced since stays as it is.
    ///
    /// # Errors
    /// The store; a wish to stop. What was undone until then is, and the rest can be undone later. The same holds when the disk is full, which is
    /// the last outcome then.
    pub fn undo(&mut self, records: Vec<(LinkKey, LinkRecord)>) -> Result<Vec<Outcome>, Error> {
        let mut outcomes = Vec::new();
        for (key, record) in records {
            let (path, id, size) = (record.path.clone(), record.id, record.was.size);
            let result = self.undo_one(key, record)?;
            let is_full =
                matches!(&result, Err(Refusal::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull);
            outcomes.push(Outcome { path, id, size, freed: 0, result });
            if is_full {
                break;
            }
            if self.observer.interrupted() {
                return Err(Error::Interrupted);
            }
        }
        Ok(outcomes)
    }

    fn undo_one(&mut self, key: LinkKey, record: LinkRecord) -> Tried<Sharing> {
        let now = FileStamp::of_path(&record.path).ok();
        let is_ours = now.zip(record.now).is_some_and(|(now, then)| same_bytes(&now, &then));
        if !is_ours {
            self.log.remove(key)?;
            return Ok(Err(if now.is_some() { Refusal::Separate } else { Refusal::Gone }));
        }
        // A copy would be no better: file systems that know reflinks make one of a copy, too.
        if record.how != Some(Sharing::HardLinked) {
            self.log.put(key, &LinkRecord { state: State::Parted, ..record })?;
            return Ok(Ok(Sharing::Reflinked));
        }
        let aside = beside(&record.path, self.run, self.next);
        self.next += 1;
        let undoing = LinkRecord { state: State::Undoing, aside, ..record.clone() };
        self.log.put(key, &undoing)?;
        match self.copy_back(&undoing)? {
            Ok(()) => {
                self.log.remove(key)?;
                let known = Known { id: Some(record.id), ..Known::default() };
                // The kept file lost a name, which changed its stamp and not its bytes.
                let files = [(record.path, None), (record.kept, Some(record.kept_was))];
                self.remember(&files, known)?;
                Ok(Ok(Sharing::HardLinked))
            }
            Err(refusal) => {
                if discard(&undoing.aside).is_ok() {
                    self.log.put(key, &record)?;
                }
                Ok(Err(refusal))
            }
        }
    }

    /// A copy of the file, read again before it takes the file's place.
    fn copy_back(&self, record: &LinkRecord) -> Tried<()> {
        let LinkRecord { path, aside, .. } = record;
        let pause = |bytes: u64| {
            self.observer.advanced(bytes);
            if self.observer.interrupted() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        };
        let copy = || {
            self.store.faults().before(Effect::Write, aside).map_err(refused(aside))?;
            let from = File::open(path).map_err(refused(path))?;
            links::copy(&from, aside, pause).map_err(refused(aside))
        };
        self.observer.started("copying models", Unit::Bytes, Some(record.was.size));
        let copied = copy();
        self.observer.finished();
        if let Err(refusal) = copied {
            return if self.observer.interrupted() { Err(Error::Interrupted) } else { Ok(Err(refusal)) };
        }
        if let Err(refusal) = self.read(aside, &record.id)? {
            return Ok(Err(refusal));
        }
        let place = || {
            let metadata = std::fs::metadata(path).map_err(refused(path))?;
            let modified = Duration::from_nanos(u64::try_from(record.was.modified).unwrap_or(0));
            self.dress(aside, &metadata, UNIX_EPOCH + modified)?;
            let now = FileStamp::of_path(path).map_err(refused(path))?;
            if !record.now.is_some_and(|then| same_bytes(&now, &then)) {
                return Err(Refusal::Changed);
            }
            self.put_in_place(aside, path)
        };
        Ok(place())
    }
}
