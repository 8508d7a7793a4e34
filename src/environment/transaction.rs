//! Working files rewritten as one step: wholly before or wholly after, whatever dies when.
//!
//! 1. Everything needed is staged in folders of our own on the file systems of its destinations, from objects that
//!    are verified as they are read. Nothing of the user's is touched (invariant E23).
//! 2. The journal of renames is written and synced: from here on the transaction is finished by whoever comes next.
//! 3. Renames. What they move aside must be what the restore point holds, else all is taken back (invariant E26).
//! 4. The operation is recorded, the journal marked settled, our folders deleted.
//!
//! A command that can say only of the new files what is to be recorded, as an import does, has them put into place first
//! ([`Transaction::try_out`]), stages what follows from them, and then goes on as above; until then all is taken back by whoever comes next.

use std::io;
use std::path::{Path, PathBuf};

use crate::history::{self, RefName, Refs};
use crate::object::{Entry, EntryKind};
use crate::observer::Observer;
use crate::platform::durable;
use crate::platform::file_system::{self, FileSystem};
use crate::platform::folder::Folder;
use crate::platform::git_clone::Stand;
use crate::store::{LinkPolicy, Store};
use crate::worktree;
use crate::worktree::check_out::{CheckOutOptions, check_out};

use super::journal::{
    Born, Followed, Journal, JournalError, Move, PRIVATE, Phase, Planned, RefEdit, Side, SystemPath, Was, exists,
};

#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error(transparent)]
    History(#[from] history::Error),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    /// Something was written to a file between the restore point and the renames.
    #[error("{} changed meanwhile", .0.display())]
    Changed(PathBuf),
    /// Taking back failed too. The journal stays.
    #[error("{first}; and putting everything back failed: {second}")]
    Halfway { first: Box<TransactionError>, second: Box<TransactionError> },
    #[error("interrupted")]
    Interrupted,
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> TransactionError + use<> {
    let path = path.to_owned();
    move |source| TransactionError::Io { path, source }
}

/// What a transaction works with.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The environment's folder, where the journal lies.
    pub folder: &'a Path,
    pub store: &'a Store,
    /// How models are brought out of the store.
    pub policy: LinkPolicy,
    pub observer: &'a dyn Observer,
}

/// A transaction that is being staged. Dropped before [`Transaction::carry_out`], it leaves nothing behind.
pub struct Transaction<'a> {
    around: Surroundings<'a>,
    journal: Journal,
    areas: Vec<(FileSystem, PathBuf)>,
    count: usize,
    done: bool,
}

impl<'a> Transaction<'a> {
    /// Begins. The environment's lock must be held and no journal be there (see [`recover`]).
    pub fn begin(around: Surroundings<'a>, command: &str) -> Self {
        Transaction { around, journal: Journal::new(command), areas: Vec::new(), count: 0, done: false }
    }

    /// Begins the transaction that makes the environment what it is to be, in the folder that holds its journal already.
    pub fn begin_with(around: Surroundings<'a>, command: &str, born: Born) -> Self {
        let mut transaction = Transaction::begin(around, command);
        transaction.journal.born = Some(born);
        transaction
    }

    /// True when nothing is staged.
    pub fn is_empty(&self) -> bool {
        self.journal.moves.is_empty()
    }

    /// A new name in a folder of our own on the file system of `place`.
    fn private(&mut self, place: &Path, letter: char) -> Result<PathBuf, TransactionError> {
        self.count += 1;
        let name = format!("{letter}{}", self.count);
        let above = nearest_folder(place).ok_or_else(|| io_error(place)(io::ErrorKind::NotFound.into()))?;
        let there = file_system::of(&above).map_err(io_error(&above))?;
        if let Some((_, area)) = self.areas.iter().find(|(found, _)| *found == there) {
            return Ok(area.join(name));
        }
        // The environment's own folder if it serves; else the outermost folder of that file system above the place,
        // as far as we may write there, so that ComfyUI does not come across it.
        let own = file_system::of(self.around.folder).map_err(io_error(self.around.folder))?;
        let home = if own == there { self.around.folder.to_owned() } else { outermost(&above, there) };
        let area = home.join(format!("{PRIVATE}{}", std::process::id()));
        self.journal.private.push(area.as_path().into());
        self.journal.write(self.around.folder, self.around.store.faults())?;
        if exists(&area) {
            // Of a dead process with our number, whose journal is gone.
            durable::remove_folder(&area).map_err(io_error(&area))?;
        }
        std::fs::create_dir(&area).map_err(io_error(&area))?;
        self.areas.push((there, area.clone()));
        Ok(area.join(name))
    }

    /// Renames a node, before everything else.
    pub fn rename(&mut self, from: &Path, to: &Path) {
        self.push(from, to, Side::Renamed);
    }

    /// Lets the clone at `place` stand elsewhere, once its files are there.
    pub fn follow(&mut self, place: &Path, from: &Stand, to: &Stand) {
        self.journal.clones.push(Followed { clone: place.into(), from: from.clone(), to: to.clone() });
    }

    /// Moves what is at `place` out of the way. `now` is where it lies before the renames of nodes.
    pub fn set_aside(&mut self, now: &Path, place: &Path) -> Result<(), TransactionError> {
        let was = Was::of(now).map_err(io_error(now))?;
        let aside = self.private(now, 'o')?;
        self.push(place, &aside, Side::Aside(was));
        Ok(())
    }

    /// Stages the entry from the store and puts it at `place`, where nothing is then.
    ///
    /// Errors: the store does not hold it, or what it holds is damaged.
    pub fn put(&mut self, entry: &Entry, place: &Path) -> Result<(), TransactionError> {
        if self.around.observer.interrupted() {
            return Err(TransactionError::Interrupted);
        }
        let staged = self.private(place, 's')?;
        let Surroundings { store, policy, observer, .. } = self.around;
        match entry.kind {
            EntryKind::Tree => {
                let options = CheckOutOptions { models: policy, ..CheckOutOptions::default() };
                check_out(store, &entry.id, &staged, &options, observer)?;
            }
            EntryKind::Symlink => {
                let (_, target) = store.read(&entry.id)?;
                let target = String::from_utf8_lossy(&target).into_owned();
                make_link(Path::new(&target), &staged).map_err(io_error(&staged))?;
            }
            EntryKind::File => drop(store.materialize_observed(&entry.id, &staged, LinkPolicy::Copy, observer)?),
            EntryKind::Executable => {
                store.materialize_observed(&entry.id, &staged, LinkPolicy::Copy, observer)?;
                file_system::make_executable(&staged).map_err(io_error(&staged))?;
            }
            EntryKind::Model => drop(store.materialize_observed(&entry.id, &staged, policy, observer)?),
        }
        self.push(&staged, place, Side::Staged);
        Ok(())
    }

    /// Puts a file with these bytes at `place`.
    pub fn put_bytes(&mut self, bytes: &[u8], place: &Path) -> Result<(), TransactionError> {
        let staged = self.private(place, 's')?;
        std::fs::write(&staged, bytes).map_err(io_error(&staged))?;
        self.push(&staged, place, Side::Staged);
        Ok(())
    }

    /// Puts at `place` what `make` makes at the path that it is given.
    pub fn put_made(
        &mut self,
        place: &Path,
        make: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), TransactionError> {
        let staged = self.private(place, 's')?;
        make(&staged).map_err(io_error(&staged))?;
        self.push(&staged, place, Side::Staged);
        Ok(())
    }

    /// Makes the folder, and those above it, before the renames.
    pub fn make_folder(&mut self, folder: &Path) {
        let mut absent: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
        absent.reverse();
        for folder in absent {
            let path = SystemPath::from(folder);
            if !self.journal.made.contains(&path) {
                self.journal.made.push(path);
            }
        }
    }

    /// Takes the folder away after the renames if nothing is left in it. To be called for inner folders first.
    pub fn remove_if_empty(&mut self, folder: &Path) {
        self.journal.emptied.push(folder.into());
    }

    fn push(&mut self, from: &Path, to: &Path, side: Side) {
        self.journal.moves.push(Move { from: from.into(), to: to.into(), side });
    }

    /// Does what is staged so far, so that it can be looked at. Dropped after it, the transaction takes it back, and so does whoever comes
    /// after a crash, until [`Transaction::carry_out`] has written down what it was for.
    ///
    /// # Errors
    /// Some of it may be done then; dropping takes it back.
    pub fn try_out(&mut self) -> Result<(), TransactionError> {
        self.enter(Phase::Trying)?;
        self.journal.carry_out(self.around.store.faults())?;
        self.journal.moves.iter().try_for_each(check_aside)
    }

    /// Does it all. On an error everything is as before, save with [`TransactionError::Halfway`].
    pub fn carry_out(mut self, record: Planned) -> Result<(), TransactionError> {
        let Surroundings { folder, store, .. } = self.around;
        self.journal.record = Some(record);
        self.enter(Phase::Ready)?;
        self.done = true;
        go_on(folder, store, &mut self.journal).map(drop)
    }

    /// From here on renames may be done. What is staged is on the disk before the journal says so.
    fn enter(&mut self, phase: Phase) -> Result<(), TransactionError> {
        // Aside before in: a name must be free before something else gets it.
        self.journal.moves.sort_by_key(|step| match step.side {
            Side::Renamed => 0,
            Side::Aside(_) => 1,
            Side::Staged => 2,
        });
        for (_, area) in &self.areas {
            Folder::open(area).and_then(|area| area.flush_file_system()).map_err(io_error(area))?;
        }
        let Surroundings { folder, store, .. } = self.around;
        let before = std::mem::replace(&mut self.journal.phase, phase);
        let written = self.journal.write(folder, store.faults());
        if written.is_err() {
            // It may say so on the disk all the same. Unless it says again that nothing is done, what is staged is left to whoever comes next.
            self.journal.phase = before;
            self.done = self.journal.write(folder, store.faults()).is_err();
        }
        Ok(written?)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let Surroundings { folder, store, .. } = self.around;
        // What cannot be done of this now, the next command does.
        if self.journal.phase == Phase::Trying {
            drop(go_back(folder, store, &mut self.journal));
        } else if !self.journal.private.is_empty() {
            drop(self.journal.sweep(folder, store.faults()));
        }
    }
}

/// How a transaction that another process left was brought to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The command line that was killed.
    pub command: String,
    pub outcome: Outcome,
    /// Set where the environment was to be made by that command, which is undone: it has to go, too.
    pub unborn: Option<Born>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The new state stands.
    Finished,
    /// The old state stands.
    Undone,
}

/// True when a transaction is under way or was killed: one look at the file system.
pub fn is_pending(folder: &Path) -> bool {
    folder.join(super::journal::FILE).exists()
}

/// Brings a killed transaction to its end; nothing to do is nothing. The environment's lock must be held: a journal whose owner lives
/// is not ours.
pub fn recover(folder: &Path, store: &Store) -> Result<Option<Recovered>, TransactionError> {
    let Some(mut journal) = Journal::read(folder)? else { return Ok(None) };
    let command = journal.command.clone();
    let outcome = match journal.phase {
        Phase::Staging => {
            journal.sweep(folder, store.faults())?;
            Outcome::Undone
        }
        Phase::Ready => match go_on(folder, store, &mut journal) {
            Ok(()) => Outcome::Finished,
            Err(error @ TransactionError::Halfway { .. }) => return Err(error),
            Err(_) => Outcome::Undone,
        },
        Phase::Trying | Phase::Undoing => {
            go_back(folder, store, &mut journal)?;
            Outcome::Undone
        }
        Phase::Settled => {
            journal.sweep(folder, store.faults())?;
            // Its own process had done all but clean up; there is nothing to tell.
            return Ok(None);
        }
    };
    let unborn = journal.born.filter(|_| outcome == Outcome::Undone);
    Ok(Some(Recovered { command, outcome, unborn }))
}

/// From `ready` to the end, or back where that fails.
fn go_on(folder: &Path, store: &Store, journal: &mut Journal) -> Result<(), TransactionError> {
    let forward = || -> Result<(), TransactionError> {
        journal.carry_out(store.faults())?;
        journal.moves.iter().try_for_each(check_aside)?;
        match &journal.record {
            Some(planned) => record(store, planned),
            None => Ok(()),
        }
    };
    match forward() {
        Ok(()) => {
            settle(folder, store, journal, Phase::Settled);
            Ok(())
        }
        Err(first) => match go_back(folder, store, journal) {
            Ok(()) => Err(first),
            Err(second) => Err(TransactionError::Halfway { first: Box::new(first), second: Box::new(second) }),
        },
    }
}

fn go_back(folder: &Path, store: &Store, journal: &mut Journal) -> Result<(), TransactionError> {
    if journal.phase != Phase::Undoing {
        journal.phase = Phase::Undoing;
        journal.write(folder, store.faults())?;
    }
    journal.take_back(store.faults())?;
    // An environment in the making is as it was when it was begun.
    let phase = if journal.born.is_some() { Phase::Staging } else { Phase::Settled };
    settle(folder, store, journal, phase);
    Ok(())
}

/// The state stands; only our own folders are left. What cannot be done of this now, the next command does.
fn settle(folder: &Path, store: &Store, journal: &mut Journal, phase: Phase) {
    journal.phase = phase;
    if journal.write(folder, store.faults()).is_ok() {
        drop(journal.sweep(folder, store.faults()));
    }
}

/// Errors: what was moved aside is not what the restore point holds: someone wrote to it after that was made.
fn check_aside(step: &Move) -> Result<(), TransactionError> {
    let Side::Aside(was) = &step.side else { return Ok(()) };
    let aside = &step.to.0;
    let now = Was::of(aside).map_err(io_error(aside))?;
    if now == *was { Ok(()) } else { Err(TransactionError::Changed(step.from.0.clone())) }
}

/// Writes the operation down, unless it stands there already.
fn record(store: &Store, planned: &Planned) -> Result<(), TransactionError> {
    let record = history::Record {
        command: planned.command.clone(),
        author: planned.author.clone(),
        time: planned.time,
        restore_points: planned.restore_points.clone(),
        undoes: planned.undoes,
    };
    for found in history::operations(store, store.head_operation()?) {
        let (id, operation) = found?;
        if Some(id) == planned.base {
            break;
        }
        let same = operation.command == record.command
            && operation.author == record.author
            && operation.time == record.time
            && operation.restore_points == record.restore_points
            && operation.undoes == record.undoes;
        if same {
            return Ok(());
        }
    }
    history::transact(store, &record, |refs| edit(refs, &planned.refs))?;
    Ok(())
}

fn edit(refs: &mut Refs, change: &RefEdit) -> history::Result<()> {
    match change {
        RefEdit::Nothing => Ok(()),
        RefEdit::Set { name, new, expected } => {
            let expected = match expected {
                Some(id) => history::refs::Expected::Snapshot(*id),
                None => history::refs::Expected::Absent,
            };
            refs.compare_and_set(&RefName::new(name.clone())?, *new, expected)
        }
        RefEdit::Take { environment, refs: taken } => {
            refs.take_environment(environment, &Refs::new(taken.clone()));
            Ok(())
        }
    }
}

/// The folder that `place` lies in, or the nearest above it that is there.
fn nearest_folder(place: &Path) -> Option<PathBuf> {
    place.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned)
}

/// The outermost folder above `folder` (or itself) on this file system in which we may make folders.
fn outermost(folder: &Path, there: FileSystem) -> PathBuf {
    let real = crate::platform::paths::full(folder).unwrap_or_else(|_| folder.to_owned());
    // Three levels lead from a node or a user's workflows to ComfyUI's own folder; further up is nothing of ours.
    let same = real.ancestors().take(4).take_while(|above| file_system::of(above).is_ok_and(|found| found == there));
    let writable: Vec<PathBuf> = same.filter(|above| file_system::may_write(above)).map(Path::to_owned).collect();
    writable.last().cloned().unwrap_or(real)
}

fn make_link(target: &Path, place: &Path) -> io::Result<()> {
    let (Some(above), Some(name)) = (place.parent(), place.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    Folder::open(above)?.create_symlink(name, target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Time;
    use crate::observer::Silent;
    use crate::store::StoreOptions;

    fn planned() -> Planned {
        Planned {
            command: "rollback v1".into(),
            author: "Test".into(),
            time: Time { milliseconds: 0, offset_minutes: 0 },
            restore_points: [("demo".to_owned(), crate::object::ObjectId::of_blob(b"point"))].into(),
            undoes: None,
            base: None,
            refs: RefEdit::Nothing,
        }
    }

    /// A store, an environment's folder, and a file `a` to be replaced.
    fn sandbox() -> (tempfile::TempDir, Store) {
        let place = tempfile::tempdir().unwrap();
        Store::create(&place.path().join(".comfrey")).unwrap();
        let store = Store::open(&place.path().join(".comfrey"), &StoreOptions::default()).unwrap();
        std::fs::create_dir(place.path().join("demo")).unwrap();
        std::fs::write(place.path().join("a"), "old").unwrap();
        (place, store)
    }

    fn begin<'a>(folder: &'a Path, store: &'a Store) -> Transaction<'a> {
        let around = Surroundings { folder, store, policy: LinkPolicy::Copy, observer: &Silent };
        Transaction::begin(around, "rollback v1")
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_the_operation_recorded_once() {
        let (place, store) = sandbox();
        let (folder, a) = (place.path().join("demo"), place.path().join("a"));
        let mut transaction = begin(&folder, &store);
        transaction.set_aside(&a, &a).unwrap();
        transaction.put_bytes(b"new", &a).unwrap();
        transaction.carry_out(planned()).unwrap();
        assert_eq!(std::fs::read(&a).unwrap(), b"new");
        assert_eq!(names(&folder), Vec::<String>::new());
        // Whoever finishes it again finds the operation there.
        record(&store, &planned()).unwrap();
        let head = store.head_operation().unwrap();
        assert_eq!(history::operations(&store, head).count(), 1);
    }

    #[test]
    fn a_file_written_to_after_the_restore_point_is_put_back_as_it_is_now() {
        let (place, store) = sandbox();
        let (folder, a) = (place.path().join("demo"), place.path().join("a"));
        let mut transaction = begin(&folder, &store);
        transaction.set_aside(&a, &a).unwrap();
        transaction.put_bytes(b"new", &a).unwrap();
        std::fs::write(&a, "written meanwhile").unwrap();
        let refused = transaction.carry_out(planned()).unwrap_err();
        assert!(matches!(&refused, TransactionError::Changed(path) if *path == a), "{refused}");
        assert_eq!(std::fs::read(&a).unwrap(), b"written meanwhile");
        assert_eq!(names(&folder), Vec::<String>::new());
        assert_eq!(store.head_operation().unwrap(), None);
    }

    #[test]
    fn what_was_tried_out_stands_once_it_is_carried_out_and_is_taken_back_if_it_is_not() {
        let (place, store) = sandbox();
        let (folder, a) = (place.path().join("demo"), place.path().join("a"));
        let b = place.path().join("sub/b");
        for keeps in [false, true] {
            let mut transaction = begin(&folder, &store);
            transaction.set_aside(&a, &a).unwrap();
            transaction.put_bytes(b"new", &a).unwrap();
            transaction.make_folder(b.parent().unwrap());
            transaction.put_bytes(b"b", &b).unwrap();
            transaction.try_out().unwrap();
            assert_eq!((std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap()), (b"new".to_vec(), b"b".to_vec()));
            transaction.put_bytes(b"more", &folder.join("c")).unwrap();
            if keeps {
                transaction.carry_out(planned()).unwrap();
                assert_eq!(std::fs::read(folder.join("c")).unwrap(), b"more");
                assert!(b.exists() && store.head_operation().unwrap().is_some());
            } else {
                drop(transaction);
                assert_eq!(std::fs::read(&a).unwrap(), b"old");
                assert_eq!(names(place.path()), [".comfrey", "a", "demo"]);
                assert_eq!(names(&folder), Vec::<String>::new());
            }
        }
    }

    #[test]
    fn an_environment_in_the_making_that_is_undone_keeps_its_journal_until_it_goes() {
        let (place, store) = sandbox();
        let (folder, b) = (place.path().join("demo"), place.path().join("b"));
        let around = Surroundings { folder: &folder, store: &store, policy: LinkPolicy::Copy, observer: &Silent };
        let born = Born { active: true, model_folder: None };
        let mut transaction = Transaction::begin_with(around, "import x", born.clone());
        transaction.put_bytes(b"new", &b).unwrap();
        transaction.try_out().unwrap();
        // As if killed here.
        transaction.done = true;
        drop(transaction);
        assert!(b.exists());
        let recovered = recover(&folder, &store).unwrap().unwrap();
        assert_eq!((recovered.outcome, recovered.unborn), (Outcome::Undone, Some(born)));
        assert!(!b.exists() && is_pending(&folder));
    }

    #[test]
    fn a_transaction_that_is_dropped_leaves_nothing() {
        let (place, store) = sandbox();
        let (folder, a) = (place.path().join("demo"), place.path().join("a"));
        let mut transaction = begin(&folder, &store);
        transaction.put_bytes(b"new", &place.path().join("b")).unwrap();
        transaction.set_aside(&a, &a).unwrap();
        drop(transaction);
        assert_eq!(names(&folder), Vec::<String>::new());
        assert_eq!(names(place.path()), [".comfrey", "a", "demo"]);
        assert_eq!(recover(&folder, &store).unwrap(), None);
    }
}
