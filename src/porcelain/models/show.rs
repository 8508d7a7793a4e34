//! `models show`: all that is known of a model.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use serde::Serialize;

use crate::digest::{self, Threads, Wanted, comfygit_id};
use crate::environment::Environment;
use crate::environment::manifest::Answer;
use crate::models::header::{Format, Verdict};
use crate::models::{Depth, Header, Headers, IndexedFile, ModelIndex, Sources};
use crate::object::ObjectId;
use crate::ui::model_files::FileLine;
use crate::ui::program::Command;
use crate::ui::report::{Align, Bytes, Table, grouped};
use crate::ui::{Exit, Failure, Session};

use super::Place;
use super::selection::select;

const HELP: &str = "\
MODEL is a place below models/ (loras/a.safetensors), a path, a file name, or the first digits of a hash.

AutoV1, AutoV2 and AutoV3 are the short hashes by which model hosts know files. What a pickle would import is found without running it:
`expected` is what weights need, `dangerous` what could do harm, `unknown` everything else.

Examples:
  comfrey models show dreamshaper.safetensors
  comfrey models show 3f2a91 --hash            reads the file whole for its id and SHA-256
  comfrey models show old.ckpt --json | jq .header.pickle";

/// Shows all that is known of a model: what it is, where it lies, where it can be had, who uses it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Show {
    #[arg(value_name = "MODEL", required = true)]
    models: Vec<String>,
    /// Read the files whole for their ids and SHA-256, where these are not known
    #[arg(long)]
    hash: bool,
}

/// One model as JSON has it.
#[derive(Serialize)]
struct Shape {
    #[serde(flatten)]
    file: FileLine,
    #[serde(flatten)]
    hashes: HostHashes,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Header>,
    /// Places of other files with the same id.
    copies: Vec<String>,
    sources: Vec<String>,
    /// Workflows that use it, as of the last commit.
    used_by: Vec<String>,
}

/// The names that others have for a file.
#[derive(Default, Serialize)]
struct HostHashes {
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_v1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_v2: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_v3: Option<String>,
    /// ComfyGit's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    comfygit: Option<String>,
}

impl Command for Show {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let Place { workspace, environment, roots } = super::place(session)?;
        let index = ModelIndex::new(workspace.store());
        let mut inventory = index.inventory(&roots)?;
        if self.hash {
            // Only the files meant are read; then the index is asked again.
            let mut wanted = Vec::new();
            for word in &self.models {
                wanted.extend(select(&inventory, word)?.into_iter().filter(|file| file.is_present()).cloned());
            }
            index.read(&wanted, Depth::Full { sha256: true }, session.observer)?;
            inventory = index.inventory(&roots)?;
        }
        let known = match &environment {
            Some(environment) => environment.manifest()?.models(),
            None => BTreeMap::new(),
        };
        let users = match &environment {
            Some(environment) => users(environment)?,
            None => BTreeMap::new(),
        };
        let headers = Headers::new(workspace.store());
        let mut exit = Exit::Done;
        for word in &self.models {
            let found = match select(&inventory, word) {
                Ok(found) => found,
                Err(failure) => {
                    exit = failure.exit;
                    session.complain(&failure)?;
                    continue;
                }
            };
            let (read, problems) = headers.ensure(&found, session.observer)?;
            for problem in problems {
                session.warn(problem)?;
            }
            for (file, header) in found.into_iter().zip(read) {
                let mut sources =
                    file.id.map(|id| Sources::new(workspace.store()).of(&id)).transpose()?.unwrap_or_default();
                let committed = file.id.and_then(|id| known.get(&id)).map(|facts| facts.sources.as_slice());
                sources.extend(committed.into_iter().flatten().cloned());
                sources.sort();
                sources.dedup();
                let copies = file.id.map(|id| inventory.with_id(&id)).unwrap_or_default();
                let copies = copies.into_iter().filter(|other| other.file() != file.file()).map(IndexedFile::place);
                let used_by = file.id.and_then(|id| users.get(&id)).map(|used| used.iter().cloned().collect());
                let shape = Shape {
                    hashes: host_hashes(file, header.as_ref()),
                    file: FileLine::of(file),
                    header,
                    copies: copies.collect(),
                    sources,
                    used_by: used_by.unwrap_or_default(),
                };
                if session.globals.json {
                    session.print_json(&shape)?;
                } else {
                    print(file, &shape, session)?;
                }
            }
        }
        Ok(exit)
    }
}

/// The workflows that use each model, by its id, as of the environment's last commit.
pub fn users(environment: &Environment) -> Result<BTreeMap<ObjectId, BTreeSet<String>>, Failure> {
    let mut users: BTreeMap<ObjectId, BTreeSet<String>> = BTreeMap::new();
    for facts in environment.manifest()?.workflows().into_values() {
        for used in facts.models {
            if let Answer::Model(id) = used.answer {
                users.entry(id).or_default().insert(facts.path.clone());
            }
        }
    }
    Ok(users)
}

/// What can be said at once; what needs the whole file only where that was read before.
fn host_hashes(file: &IndexedFile, header: Option<&Header>) -> HostHashes {
    let first = |text: &str, digits: usize| text.chars().take(digits).collect::<String>();
    let open = file.is_present().then(|| File::open(file.file()).ok()).flatten();
    HostHashes {
        auto_v1: open.as_ref().and_then(|open| auto_v1(open).ok().flatten()),
        auto_v2: file.sha256.map(|sha256| first(&sha256.to_hex(), 10)),
        auto_v3: header.and_then(|header| header.tensors_sha256.as_ref()).map(|sha256| first(sha256, 12)),
        comfygit: open.as_ref().and_then(|open| comfygit_id(open, file.size()).ok()).map(|id| id.to_string()),
    }
}

/// The first 8 digits of the SHA-256 of the 64 KiB from 1 MiB on: the oldest of the short hashes. Nothing for a file that is shorter, since
/// all of those would have one hash.
fn auto_v1(mut file: &File) -> io::Result<Option<String>> {
    file.seek(SeekFrom::Start(1 << 20))?;
    let mut part = Read::take(file, 64 << 10);
    let wanted = Wanted { id: false, sha256: true, quick: false };
    let digests = digest::stream(&mut part, wanted, Threads::One, &crate::observer::Silent)?;
    let hash = digests.sha256.filter(|_| digests.size > 0);
    Ok(hash.map(|hash| hash.to_hex()[..8].to_owned()))
}

fn print(file: &IndexedFile, shape: &Shape, session: &mut Session<'_>) -> Result<(), Failure> {
    let paint = session.paint;
    let remark = if file.is_present() { "" } else { " (not there any more)" };
    writeln!(session.out, "{}{remark}", paint.strong(file.place()))?;
    let mut table = Table::new([Align::Left]).indent(2);
    let mut row = |name: &str, text: String| table.row([paint.faint(name), text]);
    row("file", shape.file.file.clone());
    row("size", format!("{} ({} bytes)", Bytes(file.size()), grouped(file.size())));
    if let Some(header) = &shape.header {
        header_rows(header, &mut row);
        if let Some(damage) = &header.damage {
            row("damage", paint.bad(damage));
        }
        if let Some(scan) = &header.pickle {
            let verdict = match scan.verdict() {
                Verdict::Dangerous => paint.bad("dangerous: loading it could run programs or code"),
                Verdict::Unknown => paint.changed("unknown: it needs more than weights do"),
                Verdict::Expected => paint.good("expected: nothing but what weights need"),
            };
            row("pickle", verdict);
            for import in scan.imports.iter().filter(|import| import.verdict != Verdict::Expected).take(20) {
                row("", format!("{} {import}", import.verdict.as_str()));
            }
            if scan.has_code {
                row("", "it holds code (TorchScript)".into());
            }
            if let Some(reason) = &scan.incomplete {
                row("", format!("not read to the end: {reason}"));
            }
        }
    }
    let unknown = || paint.faint("not known yet; --hash reads the file for it");
    row("id", file.id.map_or_else(unknown, |id| id.to_hex()));
    row("SHA-256", file.sha256.map_or_else(unknown, |hash| hash.to_hex()));
    let hashes = &shape.hashes;
    let quick = file.quick.map(|hash| hash.to_hex());
    let named = [
        ("quick hash", &quick),
        ("AutoV1", &hashes.auto_v1),
        ("AutoV2", &hashes.auto_v2),
        ("AutoV3", &hashes.auto_v3),
        ("ComfyGit", &hashes.comfygit),
    ];
    for (name, hash) in named {
        if let Some(hash) = hash {
            row(name, hash.clone());
        }
    }
    let lists = [("also at", &shape.copies), ("from", &shape.sources), ("used by", &shape.used_by)];
    for (name, texts) in lists {
        for (number, text) in texts.iter().enumerate() {
            row(if number == 0 { name } else { "" }, text.clone());
        }
    }
    table.write(session.out)?;
    Ok(())
}

fn header_rows(header: &Header, row: &mut dyn FnMut(&str, String)) {
    let mut is: Vec<String> = Vec::new();
    is.extend(header.kind.map(|kind| kind.to_string()));
    is.extend(header.architecture.clone());
    is.extend(header.base.as_ref().map(|base| format!("for {base}")));
    is.extend(header.quantisation.clone());
    if header.format != Format::Other {
        is.push(header.format.as_str().to_owned());
    }
    row("is", if is.is_empty() { "not known".to_owned() } else { is.join(", ") });
    if let Some(tensors) = header.tensors {
        let mut types: Vec<(&String, &u64)> = header.dtypes.iter().collect();
        types.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
        let types: Vec<&str> = types.into_iter().map(|(name, _)| name.as_str()).collect();
        let parameters =
            header.parameters.map(|number| format!(", {} parameters", grouped(number))).unwrap_or_default();
        let types = if types.is_empty() { String::new() } else { format!(" of {}", types.join(", ")) };
        row("tensors", format!("{}{parameters}{types}", grouped(tensors)));
    }
    if !header.trained_words.is_empty() {
        row("words", header.trained_words.join(", "));
    }
    for (key, value) in &header.metadata {
        let short = key.trim_start_matches("modelspec.").trim_start_matches("general.").trim_start_matches("ss_");
        row(short, value.lines().next().unwrap_or_default().chars().take(100).collect());
    }
}
