//! `export`: a version as one file that others can open and import.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::archive::guard::Limits;
use crate::bundle::export::{BundledModels, BundledNodes, Contents, ExportOptions, compression_of, contents, write};
use crate::bundle::lock::{LockedModel, LockedNode};
use crate::environment::draft::draft;
use crate::environment::state::Keep;
use crate::resolve::Automatic;
use crate::ui::program::Command;
use crate::ui::report::{Bytes, count};
use crate::ui::{Exit, Failure, Session};

const HELP: &str = "\
The bundle is a plain archive with pyproject.toml, comfrey.lock, uv.lock, workflows/, nodes/ and, with --models, models/. The
lock names every model and node with its size, hashes and sources. Exported twice, a version gives the same bytes.
Files that hold credentials by custom, such as .env, and credentials in URLs are left out.

Examples:
  comfrey export portrait.tar.zst
  comfrey export portrait.tar.gz --rev v3 --nodes all
  comfrey export everything.tar.zst --nodes all --models";

/// Writes a version to a file that others can open and import.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Export {
    /// The file to write; .tar.zst, .tar.gz or .tar
    file: PathBuf,
    /// The version to export
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    rev: String,
    /// Which custom nodes to put in with their files: those without a source, or all
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    nodes: Nodes,
    /// Put in the models, too
    #[arg(long)]
    models: bool,
    /// Say what the bundle would hold, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Nodes {
    /// Those that can be had nowhere else
    #[default]
    Local,
    All,
}

impl Command for Export {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        compression_of(&self.file)?;
        let revisions = session.revisions()?;
        let id = revisions.view()?.snapshot(&self.rev)?;
        let options = ExportOptions {
            nodes: if self.nodes == Nodes::All { BundledNodes::All } else { BundledNodes::WithoutSource },
            models: if self.models { BundledModels::All } else { BundledModels::None },
        };
        let store = &revisions.store;
        let contents = contents(store, id, &options, session.observer)?;
        let size = match self.dry_run {
            true => None,
            false => Some(write(store, &contents, &self.file, session.observer)?),
        };
        if session.globals.json {
            session.print_json(&shape(&self, &contents, size))?;
        } else {
            self.report(session, &contents, size)?;
        }
        if self.rev == "HEAD" && is_changed_since(session, &contents) {
            session.warn("what was changed since that version is not in it; `comfrey commit` first to have it in")?;
        }
        for path in &contents.cleaned {
            session.note(format_args!("note: credentials were taken out of URLs in {path}"))?;
        }
        for (path, reason) in &contents.left_out {
            session.warn(format_args!("{path} is left out: {reason}"))?;
        }
        for model in &contents.absent {
            session.warn(format_args!("{} is not in the bundle: its bytes are not here", model.path))?;
        }
        let unpacked = contents.size();
        if size.is_some_and(|size| Limits::default().expansion(unpacked, size).is_err()) {
            session.warn("the bundle is so dense that `import` will ask for `--max-ratio`")?;
        }
        Ok(if contents.absent.is_empty() { Exit::Done } else { Exit::NotFound })
    }
}

impl Export {
    fn report(&self, session: &mut Session<'_>, contents: &Contents, size: Option<u64>) -> Result<(), Failure> {
        let snapshot = &contents.lock.snapshot;
        let what = format!("{} {}", snapshot.id.short(), snapshot.message.lines().next().unwrap_or_default());
        match size {
            Some(size) => writeln!(session.out, "Exported {what} to {}, {}", self.file.display(), Bytes(size))?,
            None => writeln!(session.out, "{} would hold {what}:", self.file.display())?,
        }
        let workflows = contents.lock.files.keys().filter(|path| is_workflow(path.as_str())).count();
        writeln!(session.out, "  workflows  {workflows}")?;
        let (full, referred): (Vec<&LockedNode>, Vec<_>) = contents.lock.nodes.iter().partition(|node| node.bundled);
        writeln!(session.out, "  nodes      {} with their files, {} by source", full.len(), referred.len())?;
        let (full, referred): (Vec<&LockedModel>, Vec<_>) =
            contents.lock.models.iter().partition(|model| model.bundled);
        let missing = referred.iter().filter(|model| model.sources.is_empty()).count();
        let bytes = |models: &[&LockedModel]| Bytes(models.iter().map(|model| model.size).sum());
        let all = [(full.len(), "with their bytes", bytes(&full)), (referred.len(), "by hash", bytes(&referred))];
        let some: Vec<String> = all
            .into_iter()
            .filter(|(number, ..)| *number > 0)
            .map(|(number, how, bytes)| format!("{number} {how} ({bytes})"))
            .collect();
        writeln!(session.out, "  models     {}", if some.is_empty() { "0".to_owned() } else { some.join(", ") })?;
        if missing > 0 && !session.globals.quiet {
            let those = count(missing, "model");
            session.note(format_args!("note: no source is known for {those}; who imports it must have the bytes"))?;
        }
        Ok(())
    }
}

/// True when a commit made now would record something. What cannot be found out is no reason not to export.
fn is_changed_since(session: &mut Session<'_>, contents: &Contents) -> bool {
    let Ok(working) = session.working() else { return false };
    let around = working.around(session.observer);
    draft(&around, Keep::IdsOnly, &mut Automatic).is_ok_and(|draft| !draft.is_in(&contents.lock.snapshot.tree))
}

fn is_workflow(path: &str) -> bool {
    (path.starts_with("workflows/") || path.starts_with("users/")) && path.ends_with(".json")
}

fn shape(export: &Export, contents: &Contents, size: Option<u64>) -> Value {
    let snapshot = &contents.lock.snapshot;
    let node = |node: &LockedNode| {
        json!({ "path": node.path, "tree": node.tree, "size": node.size, "source": node.source,
                "sources": node.sources, "bundled": node.bundled, "left_out": node.left_out })
    };
    let mut shape = json!({
        "file": crate::ui::json::path(&export.file),
        "snapshot": snapshot.id, "tree": snapshot.tree, "environment": snapshot.environment,
        "files": contents.lock.files.len(), "bytes": contents.size(),
        "nodes": contents.lock.nodes.iter().map(node).collect::<Vec<_>>(),
        "models": contents.lock.models.iter().map(model_json).collect::<Vec<_>>(),
        "left_out": contents.left_out.iter().map(|(path, reason)| json!({ "path": path, "reason": reason })).collect::<Vec<_>>(),
        "cleaned": contents.cleaned,
        "dry_run": export.dry_run,
    });
    if let Some(size) = size {
        shape["size"] = size.into();
    }
    shape
}

/// A model of the lock as JSON.
pub(super) fn model_json(model: &LockedModel) -> Value {
    let mut value = json!({ "path": model.path, "id": model.id, "size": model.size, "sources": model.sources,
                            "bundled": model.bundled });
    if let Some(sha256) = &model.sha256 {
        value["sha256"] = sha256.as_str().into();
    }
    value
}
