//! `models list`: the model files that are known, filtered.

use std::collections::BTreeSet;

use crate::catalog::folders;
use crate::models::header::{Kind, Verdict};
use crate::models::{Header, Headers, IndexedFile, ModelIndex};
use crate::object::ObjectId;
use crate::ui::model_files::{FileLine, HeaderLine};
use crate::ui::program::Command;
use crate::ui::report::{Align, Bytes, Table};
use crate::ui::{Exit, Failure, Session};

use super::Place;
use super::selection::begins_with;
use super::show::users;

const HELP: &str = "\
Examples:
  comfrey models list --folder loras --base SDXL   LoRAs for one family of base models
  comfrey models list --missing                    what was here once and is not any more
  comfrey models list --unused                     what no committed workflow uses
  comfrey models list --dangerous                  pickles that could do harm when they are loaded";

/// Lists the model files that are known, as of the last `models index`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct List {
    /// Only those with this text in their path, or with a hash that begins with it
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
    /// Only those in this folder of ComfyUI's, such as loras
    #[arg(long, value_name = "FOLDER")]
    folder: Option<String>,
    /// Only those of this kind, such as lora or vae, as their headers tell
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    /// Only those of this family of base models, such as SDXL
    #[arg(long, value_name = "FAMILY")]
    base: Option<String>,
    /// Only those that are not there any more
    #[arg(long)]
    missing: bool,
    /// Only those that no workflow uses, as of the environment's last commit
    #[arg(long, conflicts_with = "missing")]
    unused: bool,
    /// Only pickles that would import what can do harm
    #[arg(long)]
    dangerous: bool,
}

impl Command for List {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let Place { workspace, environment, roots } = super::place(session)?;
        let inventory = ModelIndex::new(workspace.store()).inventory(&roots)?;
        if inventory.files().is_empty() {
            session.note("no model file is known; `comfrey models index` looks for them")?;
            return Ok(Exit::Done);
        }
        let used: Option<BTreeSet<ObjectId>> = match (self.unused, &environment) {
            (true, Some(environment)) => Some(users(environment)?.into_keys().collect()),
            (true, None) => {
                return Err(Failure::new(Exit::NotFound, "no environment is active, so nobody knows what is used")
                    .hint("name one with `-E NAME`"));
            }
            (false, _) => None,
        };
        let files: Vec<&IndexedFile> =
            inventory.files().iter().filter(|file| self.wants(file, used.as_ref())).collect();
        let headers = Headers::new(workspace.store()).known(&files)?;
        let mut table = Table::new([Align::Left, Align::Right, Align::Left]);
        let mut listed = 0;
        for (file, header) in files.into_iter().zip(headers) {
            if !self.wants_header(header.as_ref()) {
                continue;
            }
            listed += 1;
            if session.globals.json {
                session.print_json(&Line { file: FileLine::of(file), header: HeaderLine::of(header.as_ref()) })?;
            } else {
                table.row(row(file, header.as_ref()));
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

#[derive(serde::Serialize)]
struct Line {
    #[serde(flatten)]
    file: FileLine,
    #[serde(flatten)]
    header: HeaderLine,
}

impl List {
    fn wants(&self, file: &IndexedFile, used: Option<&BTreeSet<ObjectId>>) -> bool {
        let place = file.place();
        let key = |directory: &str| folders::current_key(folders::key_of_directory(directory)).to_owned();
        let in_folder = |folder: &String| {
            let directory = place.split_once('/').map_or("", |(directory, _)| directory);
            key(directory) == key(folder)
        };
        let pattern = self.pattern.as_ref().map(|pattern| pattern.to_lowercase());
        let matches = |pattern: &String| place.to_lowercase().contains(pattern) || begins_with(file, pattern);
        self.folder.as_ref().is_none_or(in_folder)
            && pattern.as_ref().is_none_or(matches)
            && (!self.missing || !file.is_present())
            // What has no id was in no commit.
            && used.is_none_or(|used| file.is_present() && file.id.is_none_or(|id| !used.contains(&id)))
    }

    fn wants_header(&self, header: Option<&Header>) -> bool {
        let is = |base: &String| {
            header.and_then(|header| header.base.as_ref()).is_some_and(|ours| ours.eq_ignore_ascii_case(base))
        };
        let kind = header.and_then(|header| header.kind);
        (self.kind.is_none() || self.kind == kind)
            && self.base.as_ref().is_none_or(is)
            && (!self.dangerous || header.is_some_and(|header| verdict(header) == Some(Verdict::Dangerous)))
    }
}

fn verdict(header: &Header) -> Option<Verdict> {
    header.pickle.as_ref().map(|scan| scan.verdict())
}

fn row(file: &IndexedFile, header: Option<&Header>) -> Vec<String> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let mut remarks = Vec::new();
    if !file.is_present() {
        remarks.push("absent");
    }
    if let Some(header) = header {
        match verdict(header) {
            Some(Verdict::Dangerous) => remarks.push("dangerous pickle"),
            Some(Verdict::Unknown) => remarks.push("unknown imports"),
            _ => {}
        }
        if header.damage.is_some() {
            remarks.push("damaged");
        }
    }
    let mut cells = vec![file.place(), Bytes(file.size()).to_string(), digest_of(file)];
    cells.push(text(header.and_then(|header| header.kind).map(Kind::as_str)));
    cells.push(text(header.and_then(|header| header.base.as_deref())));
    cells.push(remarks.join(", "));
    cells
}

/// The first digits of the id, or of the quick hash while only that is known.
fn digest_of(file: &IndexedFile) -> String {
    match (file.id, file.quick) {
        (Some(id), _) => id.short(),
        (None, Some(quick)) => format!("quick:{}", ObjectId(quick.0).short()),
        (None, None) => "-".into(),
    }
}
