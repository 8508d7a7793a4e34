//! `models`: the model files of the workspace and of the environment at work.

use crate::environment::{Environment, Workspace};
use crate::models::{FileState, IndexedFile, ModelIndex, ModelRoot};
use crate::object::ObjectId;
use crate::ui::model_files::{complain, depth, write_json};
use crate::ui::program::Command;
use crate::ui::report::{Align, Bytes, Table, count};
use crate::ui::{Exit, Failure, Session};

#[derive(Debug, clap::Args)]
pub struct Models {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Bring the index of model files up to date
    Index(Index),
    /// List the model files that are known
    List(List),
}

/// Brings the index up to date with every models folder of the workspace and of the environment at work.
#[derive(Debug, clap::Args)]
struct Index {
    /// Read each file whole, for its id
    #[arg(long)]
    full: bool,
    /// Read each file whole, for its id and its SHA-256
    #[arg(long)]
    sha256: bool,
}

/// Lists the model files that are known, as of the last `models index`.
#[derive(Debug, clap::Args)]
struct List {
    /// Only those with this text in their path, or with an id or quick hash that begins with it
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
}

impl Command for Models {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        match self.what {
            What::Index(index) => index.run(session),
            What::List(list) => list.run(session),
        }
    }
}

/// The models folders that count here. Without any there is nothing to do, and that is said.
fn roots(session: &mut Session<'_>) -> Result<(Workspace, Vec<ModelRoot>), Failure> {
    let workspace = session.workspace()?;
    let environment: Option<Environment> = match session.environment_named() {
        Some(name) => Some(workspace.environment(&name)?),
        None => match workspace.active_name()? {
            Some(_) => Some(session.environment_of(&workspace)?),
            None => None,
        },
    };
    let roots = session.model_roots(&workspace, environment.as_ref())?;
    if roots.is_empty() {
        return Err(Failure::new(Exit::NotFound, "this workspace has no models folder and no environment")
            .hint("`comfrey config models.folders DIR` names a models folder; `comfrey adopt NAME PATH` takes an installation"));
    }
    Ok((workspace, roots))
}

impl Index {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let (workspace, roots) = roots(session)?;
        let depth = depth(self.full, self.sha256);
        let updated = ModelIndex::new(workspace.store()).update(&roots, depth, session.observer)?;
        if session.globals.json {
            updated.files.iter().try_for_each(|file| write_json(file, session.out))?;
            return complain(updated.problems, session);
        }
        let number = |state: FileState| updated.files.iter().filter(|file| file.state == state).count();
        let present = updated.files.iter().filter(|file| file.is_present());
        let size: u64 = present.clone().map(IndexedFile::size).sum();
        writeln!(session.out, "{}, {}", count(present.count(), "model file"), Bytes(size))?;
        let shown =
            [(FileState::New, "new"), (FileState::Changed, "changed"), (FileState::Removed, "not there any more")];
        for (state, text) in shown {
            let number = number(state);
            if number > 0 {
                writeln!(session.out, "{number:>8} {text}")?;
            }
        }
        complain(updated.problems, session)
    }
}

impl List {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let (workspace, roots) = roots(session)?;
        let inventory = ModelIndex::new(workspace.store()).inventory(&roots)?;
        if inventory.files().is_empty() {
            session.note("no model file is known; `comfrey models index` looks for them")?;
            return Ok(Exit::Done);
        }
        let pattern = self.pattern.as_deref().map(str::to_lowercase);
        let wanted = |file: &&IndexedFile| pattern.as_deref().is_none_or(|pattern| matches(file, pattern));
        let mut table = Table::new([Align::Left, Align::Right, Align::Left]);
        let mut listed = 0;
        for file in inventory.files().iter().filter(wanted) {
            listed += 1;
            if session.globals.json {
                write_json(file, session.out)?;
            } else {
                let absent = if file.is_present() { "" } else { "absent" };
                table.row([file.place(), Bytes(file.size()).to_string(), digest_of(file), absent.to_owned()]);
            }
        }
        table.write(session.out)?;
        if listed == 0 {
            session.note("no known model file matches")?;
            return Ok(Exit::Negative);
        }
        Ok(Exit::Done)
    }
}

/// True when a pattern in lower case is in the path, or begins a digest.
fn matches(file: &IndexedFile, pattern: &str) -> bool {
    let digests = [file.id.map(|id| id.0), file.quick.map(|hash| hash.0)];
    file.place().to_lowercase().contains(pattern)
        || digests.into_iter().flatten().any(|digest| ObjectId(digest).to_hex().starts_with(pattern))
}

/// The first digits of the id, or of the quick hash while only that is known.
fn digest_of(file: &IndexedFile) -> String {
    match (file.id, file.quick) {
        (Some(id), _) => id.short(),
        (None, Some(quick)) => format!("quick:{}", ObjectId(quick.0).short()),
        (None, None) => "-".into(),
    }
}
