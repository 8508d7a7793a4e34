//! Moving into place what was staged, and back if that fails.
//!
//! What gives way is moved into the staging folder, never removed here: by an exchange of names where the system has one, so that
//! no moment sees the name missing. Each step is noted before the next, and undone in reverse after a failure.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::compare::{Plan, Put};
use super::stage::{Stage, Staged};
use super::{CheckOutOptions, Displaced, Target};
use crate::platform::folder::{FileKind, Folder, Status};
use crate::platform::identity::FileStamp;
use crate::store::faults::Effect;
use crate::worktree::Error;

/// A folder that takes part in a move.
#[derive(Clone)]
enum Spot {
    New,
    Old,
    /// One of the target's.
    Standing(PathBuf),
    /// The folder above the target.
    Above,
    /// One for what is displaced, by its full path.
    Aside(PathBuf),
}

/// A step that was done.
enum Step {
    Move { from: (Spot, OsString), to: (Spot, OsString) },
    Exchange { a: (Spot, OsString), b: (Spot, OsString) },
}

struct Placing<'a> {
    target: &'a Target,
    stage: &'a Stage<'a>,
    done: Vec<Step>,
    /// The folder used last: entries of one folder stand together.
    last: Option<(PathBuf, Folder)>,
}

/// Moves everything into place; answers how many paths gave way. Errors: all is as it was, unless it is [`Error::NotTakenBack`].
pub fn place(
    target: &Target,
    plan: &Plan,
    stage: &Stage<'_>,
    staged: &Staged,
    options: &CheckOutOptions,
) -> Result<u64, Error> {
    let mut placing = Placing { target, stage, done: Vec::new(), last: None };
    placing.all(plan, staged, options).map_err(|error| match placing.take_back() {
        Ok(()) => error,
        Err(reason) => Error::NotTakenBack { staging: stage.path.clone(), error: Box::new(error), reason },
    })
}

impl Placing<'_> {
    fn all(&mut self, plan: &Plan, staged: &Staged, options: &CheckOutOptions) -> Result<u64, Error> {
        let mut displaced = Vec::new();
        // What goes makes room first: on a system that ignores case a new name may differ from an old one by nothing else.
        for (number, extra) in plan.extras.iter().enumerate() {
            let below = plan.path_of(extra.folder);
            let old = OsString::from(format!("extra-{number}"));
            let path = below.join(&extra.name);
            self.step(&path, (Spot::Standing(below), extra.name.clone()), (Spot::Old, old.clone()))?;
            displaced.push((Spot::Old, old, path));
        }
        for (number, put) in plan.puts.iter().enumerate() {
            if staged.is_there[number] {
                displaced.extend(self.put(plan, number, put)?);
            }
        }
        let count = displaced.len() as u64;
        if let Displaced::MovedTo(aside) = &options.displaced {
            for (spot, name, path) in displaced {
                self.move_aside(aside, spot, name, &path)?;
            }
        }
        Ok(count)
    }

    /// Puts one entry into its place; what stood there is handed back.
    fn put(&mut self, plan: &Plan, number: usize, put: &Put) -> Result<Option<(Spot, OsString, PathBuf)>, Error> {
        let name = OsString::from(number.to_string());
        if self.target.existing.is_none() {
            let Some(first) = self.target.names.first() else { return Ok(None) };
            self.step(Path::new(""), (Spot::New, name), (Spot::Above, first.clone()))?;
            return Ok(None);
        }
        let below = plan.path_of(put.folder);
        let path = below.join(&put.entry.name);
        let standing = (Spot::Standing(below), OsString::from(put.entry.name.as_str()));
        let Some(before) = &put.over else {
            self.step(&path, (Spot::New, name), standing)?;
            return Ok(None);
        };
        self.stage.faults().before(Effect::Rename, &path).map_err(|source| self.fail(&path, source))?;
        let place = match self.exchange((Spot::New, name.clone()), standing.clone()) {
            Ok(()) => (Spot::New, name),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let old = (Spot::Old, name.clone());
                self.step(&path, standing.clone(), old.clone())?;
                self.step(&path, (Spot::New, name), standing)?;
                old
            }
            Err(source) => return Err(self.fail(&path, source)),
        };
        // The file may have been edited since it was compared: that edit must not be lost.
        let now = self.open(&place.0).and_then(|folder| folder.status(&place.1));
        let now = now.map_err(|source| self.fail(&path, source))?;
        if !is_same(before, &now) {
            return Err(Error::ChangedMeanwhile { path: self.target.path.join(path) });
        }
        Ok(Some((place.0, place.1, path)))
    }

    fn move_aside(&mut self, aside: &Path, spot: Spot, name: OsString, path: &Path) -> Result<(), Error> {
        let to = aside.join(path);
        let (Some(folder), Some(last)) = (to.parent(), to.file_name()) else { return Ok(()) };
        std::fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.to_owned(), source })?;
        let (from, to_spot) = ((spot, name), (Spot::Aside(folder.to_owned()), last.to_owned()));
        self.stage.faults().before(Effect::Rename, &to).map_err(|source| Error::Io { path: to.clone(), source })?;
        self.moved(&from, &to_spot).map_err(|source| Error::Io { path: to.clone(), source })?;
        self.done.push(Step::Move { from, to: to_spot });
        Ok(())
    }

    fn step(&mut self, path: &Path, from: (Spot, OsString), to: (Spot, OsString)) -> Result<(), Error> {
        self.stage.faults().before(Effect::Rename, path).map_err(|source| self.fail(path, source))?;
        self.moved(&from, &to).map_err(|source| self.fail(path, source))?;
        self.done.push(Step::Move { from, to });
        Ok(())
    }

    fn moved(&mut self, from: &(Spot, OsString), to: &(Spot, OsString)) -> io::Result<()> {
        let from_folder = self.open(&from.0)?.try_clone()?;
        let to_folder = self.open(&to.0)?;
        from_folder.rename(&from.1, to_folder, &to.1)
    }

    fn exchange(&mut self, a: (Spot, OsString), b: (Spot, OsString)) -> io::Result<()> {
        self.exchanged(&a, &b)?;
        self.done.push(Step::Exchange { a, b });
        Ok(())
    }

    fn exchanged(&mut self, a: &(Spot, OsString), b: &(Spot, OsString)) -> io::Result<()> {
        let a_folder = self.open(&a.0)?.try_clone()?;
        let b_folder = self.open(&b.0)?;
        a_folder.exchange(&a.1, b_folder, &b.1)
    }

    fn open(&mut self, spot: &Spot) -> io::Result<&Folder> {
        let (path, is_standing) = match spot {
            Spot::New => return Ok(&self.stage.new),
            Spot::Old => return Ok(&self.stage.old),
            Spot::Above => return Ok(&self.target.above),
            Spot::Standing(path) => (path, true),
            Spot::Aside(path) => (path, false),
        };
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            let folder = if is_standing { self.target.open(path)? } else { Folder::open(path)? };
            self.last = Some((path.clone(), folder));
        }
        match &self.last {
            Some((_, folder)) => Ok(folder),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn fail(&self, path: &Path, source: io::Error) -> Error {
        let path = if path.as_os_str().is_empty() { self.target.path.clone() } else { self.target.path.join(path) };
        Error::Io { path, source }
    }

    /// Undoes what was done, the last step first. Goes on after a step that cannot be undone; answers with the first such.
    fn take_back(&mut self) -> io::Result<()> {
        let mut outcome = Ok(());
        for step in std::mem::take(&mut self.done).into_iter().rev() {
            let undone = match &step {
                Step::Move { from, to } => self.moved(to, from),
                Step::Exchange { a, b } => self.exchanged(a, b),
            };
            outcome = outcome.and(undone);
        }
        outcome
    }
}

/// Whether a file that was moved is the one that was looked at. Moving it may change `changed`.
fn is_same(before: &Status, now: &Status) -> bool {
    match before.kind {
        FileKind::File => {
            before.kind == now.kind && before.stamp == FileStamp { changed: before.stamp.changed, ..now.stamp }
        }
        kind => kind == now.kind,
    }
}
