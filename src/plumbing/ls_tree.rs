//! `ls-tree`: what is in a tree.

use serde::Serialize;

use crate::history;
use crate::object::quote::quoted;
use crate::object::{Entry, EntryKind, ObjectId, RelativePath};
use crate::ui::changes::paths;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};
use crate::worktree::{Trees, tree_at, walk_tree};

const HELP: &str = "\
A line an entry:
  KIND SP ID SP SIZE TAB NAME
KIND is file, executable, symlink, tree or model; a tree's size is the sum of everything below it. With -r names are paths from the
tree named, and folders stand for themselves only when they are empty. Names with control characters or a quotation mark are
quoted as git does, unless -z is given.

Examples:
  comfrey ls-tree HEAD
  comfrey ls-tree -r v3:nodes
  comfrey ls-tree HEAD workflows/portrait.json";

/// Lists the entries of a tree.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct LsTree {
    /// Go into folders
    #[arg(short = 'r')]
    recursive: bool,
    /// With -r, list the folders too
    #[arg(short = 't', requires = "recursive")]
    trees: bool,
    /// Lines end with NUL, and names are not quoted
    #[arg(short = 'z')]
    nul: bool,
    /// Print names only
    #[arg(long)]
    name_only: bool,
    /// A tree, or a snapshot, or a folder in one as REV:path
    #[arg(value_name = "REV")]
    revision: String,
    /// Only what stands at these paths
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    kind: &'static str,
    id: ObjectId,
    /// Bytes.
    size: u64,
}

impl Command for LsTree {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let revisions = session.revisions()?;
        let root = revisions.view()?.tree(&self.revision)?;
        let store = &revisions.store;
        if self.paths.is_empty() {
            self.list(store, &root, &RelativePath::root(), session)?;
            return Ok(Exit::Done);
        }
        for path in paths(&self.paths)? {
            match tree_at(store, &root, &path)? {
                Some(entry) if entry.kind == EntryKind::Tree && self.recursive => {
                    self.list(store, &entry.id, &path, session)?;
                }
                Some(entry) => self.print(path.as_str(), &entry, session)?,
                None if path.is_root() => self.list(store, &root, &path, session)?,
                None => {
                    let message = format!("`{}` holds no `{path}`", self.revision);
                    let hint = format!("`comfrey ls-tree -r {}` lists what it holds", self.revision);
                    return Err(Failure::new(Exit::NotFound, message).hint(hint));
                }
            }
        }
        Ok(Exit::Done)
    }
}

impl LsTree {
    /// Lists the tree `root`, which lies at `above`.
    fn list(
        &self,
        trees: &impl Trees,
        root: &ObjectId,
        above: &RelativePath,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        if !self.recursive {
            for entry in trees.tree(root)?.entries() {
                self.print(above.join(&entry.name).as_str(), entry, session)?;
            }
            return Ok(());
        }
        // A folder is followed at once by what it holds: one that is not is empty.
        let mut folder: Option<(RelativePath, Entry)> = None;
        for item in walk_tree(trees, root) {
            if session.observer.interrupted() {
                return Err(history::Error::Interrupted.into());
            }
            let (path, entry) = item?;
            self.print_empty(folder.take(), Some(&path), above, session)?;
            if entry.kind == EntryKind::Tree && !self.trees {
                folder = Some((path, entry));
            } else {
                self.print(above.join_path(&path).as_str(), &entry, session)?;
            }
        }
        self.print_empty(folder, None, above, session)
    }

    fn print_empty(
        &self,
        folder: Option<(RelativePath, Entry)>,
        next: Option<&RelativePath>,
        above: &RelativePath,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let Some((path, entry)) = folder else { return Ok(()) };
        match next.and_then(|next| next.strip_prefix(&path)) {
            Some(_) => Ok(()),
            None => self.print(above.join_path(&path).as_str(), &entry, session),
        }
    }

    fn print(&self, path: &str, entry: &Entry, session: &mut Session<'_>) -> Result<(), Failure> {
        let Entry { kind, id, size, .. } = entry;
        if session.globals.json {
            return session.print_json(&Line { path, kind: kind.as_str(), id: *id, size: *size });
        }
        if !self.name_only {
            write!(session.out, "{kind} {id} {size}\t")?;
        }
        match self.nul {
            true => write!(session.out, "{path}\0")?,
            false => writeln!(session.out, "{}", quoted(path))?,
        }
        Ok(())
    }
}
