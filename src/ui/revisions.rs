//! Revisions as a command's arguments: the store, and the environment whose refs short names mean.

use std::path::Path;

use crate::environment::config::Config;
use crate::environment::{Search, WorkspaceError, workspace};
use crate::history::ref_name::NO_ENVIRONMENT;
use crate::history::syntax::range;
use crate::history::walk::WalkOptions;
use crate::history::{self, Objects, Record, Refs, View};
use crate::object::{ObjectId, Snapshot};
use crate::store::Store;

use super::{Failure, Session};

/// The store, and the environment whose `HEAD` is meant.
pub struct Revisions {
    pub store: Store,
    /// The first word of its refs; [`NO_ENVIRONMENT`] in a workspace that has no environment.
    pub environment: String,
}

impl Session<'_> {
    /// Opens the store and settles the environment: the one asked for (it is enough that it has refs), else the active
    /// one, else, in a workspace without any, none.
    pub fn revisions(&mut self) -> Result<Revisions, Failure> {
        let root = Search::from_here(self.globals.workspace.as_deref()).find()?;
        if let Err(mistake) = Config::read(&root.join("comfrey.toml")) {
            return self.revisions_without_settings(&root, mistake.into());
        }
        let workspace = self.workspace()?;
        let store = workspace.store().clone();
        let environment = match self.environment_named() {
            Some(name) if name == NO_ENVIRONMENT => name,
            Some(name) => {
                let known = workspace.environment_names()?;
                let is_there = known.iter().any(|known| known.as_str() == name)
                    || history::refs(&store)?.environments().any(|known| known == name);
                if !is_there {
                    return Err(WorkspaceError::NoSuchEnvironment { name, known }.into());
                }
                name
            }
            None => match workspace.active_name()? {
                Some(name) => name.to_string(),
                None => match workspace.environment_names()? {
                    known if known.is_empty() => NO_ENVIRONMENT.to_owned(),
                    known => return Err(WorkspaceError::NoActiveEnvironment { known }.into()),
                },
            },
        };
        Ok(Revisions { store, environment })
    }

    /// A mistake in the settings matters only where they alone could say which environment is meant.
    fn revisions_without_settings(&mut self, root: &Path, mistake: Failure) -> Result<Revisions, Failure> {
        let environment = match (self.environment_named(), &workspace::names_in(root)?[..]) {
            (Some(name), _) => name,
            (None, []) => NO_ENVIRONMENT.to_owned(),
            (None, [only]) => only.to_string(),
            (None, _) => return Err(mistake),
        };
        self.warn(format_args!("the settings are not read: {}", mistake.message))?;
        Ok(Revisions { store: self.store()?, environment })
    }

    /// What to write down of this command when it changes refs.
    pub fn record(&self) -> Result<Record, Failure> {
        Ok(Record::new(self.command_line.clone(), self.author(), self.now()?))
    }
}

impl Revisions {
    pub fn view(&self) -> Result<View<'_>, Failure> {
        Ok(View::now(&self.store, Some(&self.environment))?)
    }

    pub fn objects(&self) -> &dyn Objects {
        &self.store
    }

    /// What a snapshot made here says of its environment: its name, empty outside any.
    pub fn snapshot_environment(&self) -> &str {
        if self.environment == NO_ENVIRONMENT { "" } else { &self.environment }
    }

    /// Changes refs as one operation. Returns the operation; nothing when nothing changed.
    pub fn transact(
        &self,
        record: &Record,
        edit: impl FnMut(&mut Refs) -> Result<(), Failure>,
    ) -> Result<Option<ObjectId>, Failure> {
        history::transact(&self.store, record, edit)
    }
}

/// Reads `REV`, `^REV` and `A..B`. With `all`, every ref is included too.
pub fn walk_options(view: &View<'_>, revisions: &[String], all: bool) -> Result<WalkOptions, Failure> {
    let mut options = WalkOptions::default();
    if all {
        for (name, _) in view.refs().iter() {
            options.include.extend(view.refs().resolve(name)?);
        }
    }
    for revision in revisions {
        if let Some(excluded) = revision.strip_prefix('^') {
            options.exclude.push(view.snapshot(excluded)?);
        } else if let Some((from, to)) = range(revision) {
            options.exclude.push(view.snapshot(from)?);
            options.include.push(view.snapshot(to)?);
        } else {
            options.include.push(view.snapshot(revision)?);
        }
    }
    Ok(options)
}

/// The trees of a snapshot's first parent, if it has one, and of itself.
pub fn with_first_parent(view: &View<'_>, id: ObjectId) -> Result<(Option<ObjectId>, ObjectId), Failure> {
    let snapshot: Snapshot = view.objects().read(&id)?;
    let parent = snapshot.parents.first().map(|parent| view.objects().read::<Snapshot>(parent)).transpose()?;
    Ok((parent.map(|parent| parent.tree), snapshot.tree))
}
