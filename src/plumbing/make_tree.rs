//! `make-tree`: lines to a tree.

use serde::Serialize;

use crate::object::{Encoded, Entry, EntryKind, EntryName, Kind, ObjectId, Tree};
use crate::store::Store;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};
use crate::worktree::Trees;

const HELP: &str = "\
Reads what `ls-tree` prints (without -r), a line an entry in any order:
  KIND SP ID SP SIZE TAB NAME        KIND is file, executable, symlink, tree or model
and prints the id of the tree. Each object must be in the store with that kind and size; only the blob of a `model` may be
absent.

Example: a snapshot's tree without one of its workflows
  comfrey ls-tree HEAD:workflows | grep -v draft.json | comfrey make-tree";

/// Stores a tree of the entries on standard input and prints its id.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct MakeTree {
    /// Entries end with NUL, and names are not quoted
    #[arg(short = 'z')]
    nul: bool,
    /// Do not ask whether the objects are in the store
    #[arg(long)]
    missing: bool,
    /// Store nothing, only make the id
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Answer {
    id: ObjectId,
    size: u64,
    entries: usize,
}

impl Command for MakeTree {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let store = session.store()?;
        let mut text = String::new();
        let read = session.input.read_to_string(&mut text);
        read.map_err(|error| Failure::new(Exit::Usage, format!("standard input: {error}")))?;
        let tree = self.parse(&text)?;
        if !self.missing {
            check(&store, &tree)?;
        }
        let id = if self.dry_run {
            tree.id()
        } else {
            let writer = store.writer()?;
            let id = writer.put_value(&tree)?;
            writer.publish()?;
            id
        };
        match session.globals.json {
            true => session.print_json(&Answer { id, size: tree.size(), entries: tree.entries().len() })?,
            false => writeln!(session.out, "{id}")?,
        }
        Ok(Exit::Done)
    }
}

impl MakeTree {
    fn parse(&self, text: &str) -> Result<Tree, Failure> {
        let form = |reason: String| {
            Failure::new(Exit::Usage, format!("standard input: {reason}"))
                .hint("a line an entry is wanted, as `comfrey ls-tree` prints them")
        };
        if !self.nul {
            return Tree::parse(text).map_err(|error| form(error.to_string()));
        }
        let entry = |(number, line): (usize, &str)| {
            let read = || -> Result<Entry, String> {
                let (facts, name) = line.split_once('\t').ok_or("the form `kind id size<TAB>name` is wanted")?;
                // Here the name stands for itself, quotation marks and line feeds too.
                let entry: Entry = format!("{facts}\tx").parse()?;
                Ok(Entry { name: EntryName::new(name).map_err(|error| error.to_string())?, ..entry })
            };
            read().map_err(|reason| form(format!("entry {}: {reason}", number + 1)))
        };
        let lines = text.split('\0').enumerate().filter(|(_, line)| !line.is_empty());
        let entries = lines.map(entry).collect::<Result<Vec<_>, _>>()?;
        Tree::new(entries).map_err(|error| form(error.to_string()))
    }
}

/// Whether each entry's object is there, of the right kind and size.
fn check(store: &Store, tree: &Tree) -> Result<(), Failure> {
    let ids: Vec<ObjectId> = tree.entries().iter().map(|entry| entry.id).collect();
    for (entry, info) in tree.entries().iter().zip(store.infos(&ids)?) {
        let Entry { name, kind, id, size } = entry;
        let Some(info) = info else {
            if *kind == EntryKind::Model {
                continue;
            }
            return Err(Failure::new(Exit::NotFound, format!("`{name}`: object {id} is not in the store"))
                .hint("store it first, or give --missing"));
        };
        let wanted = if *kind == EntryKind::Tree { Kind::Tree } else { Kind::Blob };
        if info.kind != wanted {
            let message = format!("`{name}`: object {id} is a {}, and a {kind} wants a {wanted}", info.kind);
            return Err(Failure::new(Exit::Usage, message));
        }
        let there = if *kind == EntryKind::Tree { store.tree(id)?.size() } else { info.size };
        if there != *size {
            return Err(Failure::new(Exit::Usage, format!("`{name}`: object {id} has {there} bytes, not {size}")));
        }
    }
    Ok(())
}
