//! What is there against what the tree wants: a plan, made without changing anything.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::{Changed, CheckOutOptions, Extra, Target};
use crate::digest::{self, Threads, Wanted};
use crate::object::{Entry, EntryKind, EntryName, ObjectId, RelativePath};
use crate::observer::{Observer, Unit};
use crate::platform::folder::{FileKind, Folder, Listed, Status};
use crate::platform::identity::FileStamp;
use crate::store::{Known, Store};
use crate::worktree::Error;
use crate::worktree::ignore::{Rules, VENV_MARK, is_bytecode};
use crate::worktree::tree_at::Trees;
use crate::worktree::walk::rule_texts;

/// What is to be done so that the target holds the tree.
#[derive(Debug, Default)]
pub struct Plan {
    /// Folders of the target that are there and stay; the first is the target itself.
    folders: Vec<StandingFolder>,
    /// What is missing or different.
    pub puts: Vec<Put>,
    /// What the tree does not have, where that has to go.
    pub extras: Vec<ExtraPath>,
    /// Files and links that are right.
    pub unchanged: u64,
    target_is_absent: bool,
}

#[derive(Debug)]
struct StandingFolder {
    parent: usize,
    /// Absent for the target itself.
    name: Option<OsString>,
}

/// An entry that is to be put into a standing folder.
#[derive(Debug)]
pub struct Put {
    pub folder: usize,
    pub entry: Entry,
    /// What stands there now.
    pub over: Option<Status>,
}

/// Something in a standing folder that has to go.
#[derive(Debug)]
pub struct ExtraPath {
    pub folder: usize,
    pub name: OsString,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.extras.is_empty()
    }

    /// False when the target is not there and is made as a whole.
    pub fn has_target(&self) -> bool {
        !self.target_is_absent
    }

    /// The path of a standing folder below the target, in the system's form.
    pub fn path_of(&self, folder: usize) -> PathBuf {
        let mut names = Vec::new();
        let mut folder = &self.folders[folder];
        while let Some(name) = &folder.name {
            names.push(name.as_os_str());
            folder = &self.folders[folder.parent];
        }
        names.iter().rev().collect()
    }

    /// Where an entry is to be put, below the target.
    pub fn path_of_put(&self, put: &Put) -> PathBuf {
        self.path_of(put.folder).join(&put.entry.name)
    }
}

/// A path below the target as trees write it.
pub fn relative(path: &Path) -> RelativePath {
    // Every name came out of a tree, or stands beside such on the way to one.
    RelativePath::from_path(path).unwrap_or_default()
}

pub struct Comparison<'a> {
    pub store: &'a Store,
    pub options: &'a CheckOutOptions,
    pub observer: &'a dyn Observer,
    pub target: &'a Target,
}

/// A standing folder still to be compared, with the tree that it should hold; without one, everything in it is extra.
struct Pending {
    folder: usize,
    /// The folder above, where few enough are held open.
    above: Option<Arc<Folder>>,
    name: OsString,
    path: PathBuf,
    tree: Option<ObjectId>,
    rules: Rules,
}

/// What one folder came to.
#[derive(Default)]
struct Part {
    puts: Vec<Put>,
    extras: Vec<ExtraPath>,
    /// Files of the right size whose bytes must be looked at.
    candidates: Vec<Put>,
    unchanged: u64,
    inner: Vec<(OsString, Option<ObjectId>)>,
    /// For those inside.
    opened: Option<Arc<Folder>>,
    rules: Option<Rules>,
}

/// So many folders are held open at most.
const HELD: usize = 128;

impl Comparison<'_> {
    /// Compares the target with this tree. Errors: [`Error::InTheWay`]; trees that the store lacks.
    pub fn plan(&self, tree: &ObjectId) -> Result<Plan, Error> {
        let mut plan = Plan::default();
        plan.folders.push(StandingFolder { parent: 0, name: None });
        if self.target.existing.is_none() {
            // The tree as a whole is put there: see `Stage::fill`.
            plan.target_is_absent = true;
            let size = self.store.tree(tree)?.size();
            let name =
                EntryName::new("target").map_err(|e| Error::Tree { path: RelativePath::root(), source: e.into() })?;
            plan.puts.push(Put {
                folder: 0,
                entry: Entry { name, kind: EntryKind::Tree, id: *tree, size },
                over: None,
            });
            return Ok(plan);
        }
        let (rules, _) = Rules::at_root(&self.options.ignore);
        let mut frontier = vec![Pending {
            folder: 0,
            above: None,
            name: OsString::new(),
            path: PathBuf::new(),
            tree: Some(*tree),
            rules,
        }];
        let mut candidates = Vec::new();
        let mut compared = 0;
        while !frontier.is_empty() {
            let level = std::mem::take(&mut frontier);
            for batch in level.chunks(HELD) {
                let parts: Vec<Part> =
                    batch.par_iter().map(|pending| self.one_folder(pending)).collect::<Result<_, _>>()?;
                for (pending, part) in batch.iter().zip(parts) {
                    compared += (part.puts.len() + part.candidates.len() + part.inner.len()) as u64 + part.unchanged;
                    if compared > self.options.most_entries {
                        return Err(Error::TooManyEntries { most: self.options.most_entries });
                    }
                    plan.puts.extend(part.puts);
                    plan.extras.extend(part.extras);
                    plan.unchanged += part.unchanged;
                    candidates.extend(part.candidates);
                    for (name, tree) in part.inner {
                        let folder = plan.folders.len();
                        plan.folders.push(StandingFolder { parent: pending.folder, name: Some(name.clone()) });
                        let path = pending.path.join(&name);
                        let above = part.opened.clone().filter(|_| frontier.len() < HELD);
                        let rules = part.rules.clone().unwrap_or_else(|| pending.rules.clone());
                        frontier.push(Pending { folder, above, name, path, tree, rules });
                    }
                }
            }
        }
        self.look_at(candidates, &mut plan)?;
        if self.options.changed == Changed::Refuse
            && let Some(put) = plan.puts.iter().find(|put| put.over.is_some())
        {
            return Err(Error::InTheWay { path: self.target.path.join(plan.path_of_put(put)) });
        }
        Ok(plan)
    }

    fn one_folder(&self, pending: &Pending) -> Result<Part, Error> {
        if self.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let fail = |source| Error::Io { path: self.target.path.join(&pending.path), source };
        let opened = match &pending.above {
            Some(above) => above.open_folder(&pending.name),
            None => self.target.open(&pending.path),
        };
        let opened = opened.map_err(fail)?;
        let listed = opened.list().map_err(fail)?;
        let mut part = Part::default();
        let wanted = match &pending.tree {
            Some(id) => self.store.tree(id)?.into_entries(),
            None => Vec::new(),
        };
        for entry in &wanted {
            let over = match opened.status(entry.name.as_str().as_ref()) {
                Ok(status) => Some(status),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(fail(error)),
            };
            self.one_entry(pending, &opened, entry, over, &mut part)?;
        }
        if self.options.extra == Extra::Displace {
            let rules = self.rules_inside(pending, &opened, &listed);
            for Listed { name, kind } in listed {
                let is_wanted = name
                    .to_str()
                    .is_some_and(|name| wanted.binary_search_by(|entry| entry.name.as_str().cmp(name)).is_ok());
                if !is_wanted {
                    self.one_extra(pending, &opened, &rules, name, kind, &mut part).map_err(fail)?;
                }
            }
            part.rules = Some(rules);
        }
        part.opened = Some(Arc::new(opened));
        Ok(part)
    }

    fn one_entry(
        &self,
        pending: &Pending,
        opened: &Folder,
        entry: &Entry,
        over: Option<Status>,
        part: &mut Part,
    ) -> Result<(), Error> {
        let put = Put { folder: pending.folder, entry: entry.clone(), over };
        let Some(status) = over else {
            part.puts.push(put);
            return Ok(());
        };
        let path = || self.target.path.join(&pending.path).join(&entry.name);
        match (entry.kind, status.kind) {
            (EntryKind::Tree, FileKind::Folder) => {
                part.inner.push((entry.name.as_str().into(), Some(entry.id)));
            }
            (_, FileKind::Folder) => {
                // A folder full of somebody's files is no version of a file.
                let may_go = self.options.extra == Extra::Displace && {
                    let rules = pending.rules.clone();
                    let below = pending.path.join(&entry.name);
                    self.is_disposable(opened, entry.name.as_str().as_ref(), &below, &rules)
                        .map_err(|source| Error::Io { path: path(), source })?
                };
                if !may_go {
                    return Err(Error::InTheWay { path: path() });
                }
                part.puts.push(put);
            }
            (EntryKind::Symlink, FileKind::Symlink) => {
                let target = opened.read_link(entry.name.as_str().as_ref());
                let target = target.ok().and_then(|target| target.into_os_string().into_string().ok());
                let target = target.map(|text| if cfg!(windows) { text.replace('\\', "/") } else { text });
                if target.is_some_and(|target| ObjectId::of_blob(target.as_bytes()) == entry.id) {
                    part.unchanged += 1;
                } else {
                    part.puts.push(put);
                }
            }
            (EntryKind::File | EntryKind::Executable | EntryKind::Model, FileKind::File) => {
                let is_executable = entry.kind == EntryKind::Executable;
                let right_mode = entry.kind == EntryKind::Model || cfg!(windows) || status.executable == is_executable;
                if right_mode && status.stamp.size == entry.size {
                    part.candidates.push(put);
                } else {
                    part.puts.push(put);
                }
            }
            _ => part.puts.push(put),
        }
        Ok(())
    }

    fn rules_inside(&self, pending: &Pending, opened: &Folder, listed: &[Listed]) -> Rules {
        if !self.options.ignore.rule_files {
            return pending.rules.clone();
        }
        // A file of rules that cannot be read gives no rules; its faults are told when a tree is written.
        let (texts, _) = rule_texts(opened, &pending.path, listed);
        pending.rules.inside(&texts, pending.path.iter().count()).0
    }

    fn one_extra(
        &self,
        pending: &Pending,
        opened: &Folder,
        rules: &Rules,
        name: OsString,
        kind: Option<FileKind>,
        part: &mut Part,
    ) -> io::Result<()> {
        let kind = match kind {
            Some(kind) => kind,
            None => opened.status(&name)?.kind,
        };
        let is_folder = kind == FileKind::Folder;
        let path = pending.path.join(&name);
        let names: Vec<&OsStr> = path.iter().collect();
        if rules.ignores(&names, is_folder) {
            return Ok(());
        }
        if !is_folder || self.is_disposable(opened, &name, &path, rules)? {
            part.extras.push(ExtraPath { folder: pending.folder, name });
        } else if !is_environment(&opened.open_folder(&name)?, rules, &names)? {
            // Something in it must stay: only the rest goes.
            part.inner.push((name, None));
        }
        Ok(())
    }

    /// Whether a folder holds nothing that the rules ignore, but for bytecode.
    fn is_disposable(&self, above: &Folder, name: &OsStr, path: &Path, rules: &Rules) -> io::Result<bool> {
        let top = above.open_folder(name)?;
        let mut open = vec![(PathBuf::new(), rules.clone())];
        while let Some((below, rules)) = open.pop() {
            let folder = top.open_below(&below)?;
            let listed = folder.list()?;
            let full = path.join(&below);
            if is_environment_of(&listed, &rules, &full.iter().collect::<Vec<_>>()) {
                return Ok(false);
            }
            let rules = match self.options.ignore.rule_files {
                true => rules.inside(&rule_texts(&folder, &full, &listed).0, full.iter().count()).0,
                false => rules,
            };
            for Listed { name, kind } in listed {
                let kind = match kind {
                    Some(kind) => kind,
                    None => folder.status(&name)?.kind,
                };
                let is_folder = kind == FileKind::Folder;
                let inner = full.join(&name);
                if rules.ignores(&inner.iter().collect::<Vec<_>>(), is_folder) {
                    if !is_bytecode(&name, is_folder) {
                        return Ok(false);
                    }
                } else if is_folder {
                    open.push((below.join(&name), rules.clone()));
                }
            }
        }
        Ok(true)
    }

    /// Decides on files of the right size: by what is known of them, else by reading them.
    fn look_at(&self, candidates: Vec<Put>, plan: &mut Plan) -> Result<(), Error> {
        if candidates.is_empty() {
            return Ok(());
        }
        let known_files = self.store.known_files();
        let stamp = |put: &Put| put.over.map(|status| status.stamp);
        let stamps: Vec<FileStamp> = candidates.iter().filter_map(stamp).collect();
        let known = known_files.lookup_all(&stamps)?;
        let (mut unknown, mut total) = (Vec::new(), 0);
        for (put, known) in candidates.into_iter().zip(known) {
            match known.and_then(|known| known.id) {
                Some(id) if id == put.entry.id => plan.unchanged += 1,
                Some(_) => plan.puts.push(put),
                None => {
                    total += put.entry.size;
                    unknown.push(put);
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        self.observer.started("comparing", Unit::Bytes, Some(total));
        let read: Vec<Option<(FileStamp, ObjectId)>> =
            unknown.par_iter().map(|put| self.hash(plan, put)).collect::<Result<_, _>>()?;
        self.observer.finished();
        let mut remembered = Vec::new();
        for (put, read) in unknown.into_iter().zip(read) {
            if let Some((stamp, id)) = read {
                remembered.push((stamp, Known { id: Some(id), ..Known::default() }));
            }
            match read {
                Some((_, id)) if id == put.entry.id => plan.unchanged += 1,
                _ => plan.puts.push(put),
            }
        }
        // Remembering only saves time later.
        drop(known_files.remember(remembered));
        Ok(())
    }

    /// The stamp and id of the file that stands in an entry's place; nothing if it cannot be read.
    fn hash(&self, plan: &Plan, put: &Put) -> Result<Option<(FileStamp, ObjectId)>, Error> {
        let path = plan.path_of(put.folder);
        let opened = self.target.open(&path).and_then(|folder| folder.open_file(put.entry.name.as_str().as_ref()));
        let Ok(file) = opened else { return Ok(None) };
        match digest::open_file(&file, &path.join(&put.entry.name), Wanted::ID, Threads::All, self.observer) {
            Ok(digests) => Ok(digests.id.map(|id| (digests.stamp, id))),
            Err(digest::Error::Interrupted) => Err(Error::Interrupted),
            Err(_) => Ok(None),
        }
    }
}

fn is_environment(folder: &Folder, rules: &Rules, path: &[&OsStr]) -> io::Result<bool> {
    Ok(is_environment_of(&folder.list()?, rules, path))
}

fn is_environment_of(listed: &[Listed], rules: &Rules, path: &[&OsStr]) -> bool {
    listed.iter().any(|listed| listed.name == VENV_MARK) && rules.ignores_virtual_environment(path)
}
