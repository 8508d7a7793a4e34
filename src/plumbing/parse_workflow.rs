//! `parse-workflow`: the models and nodes that workflows refer to.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use crate::catalog::{Catalog, NodeReference, Reference, node_references, references};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session, json};
use crate::workflow::file::{self, Held, HeldError};

const HELP: &str = "\
A line of JSON a model that the workflow names, then one a node:
  {\"kind\":\"model\",\"workflow\":\"flow.json\",\"scope\":[],\"node\":\"4\",\"type\":\"LoraLoader\",…}
  {\"kind\":\"node\",\"workflow\":\"flow.json\",\"scope\":[],\"node\":\"3\",\"type\":\"KSampler\",…}
`scope` holds the ids of the subgraph instances around the node, outermost first. A file that holds no workflow is an error; the
others are read, and the exit code says what was wrong with the first of those: 3 if it could not be read, 5 if it is no workflow.

Examples:
  comfrey parse-workflow flow.json
  comfrey parse-workflow image.png | comfrey resolve
  comfrey parse-workflow - < flow.json";

/// Prints the models and nodes that workflows refer to, one JSON object a line.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct ParseWorkflow {
    /// Workflows, or media files that have one within; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// A line of the result.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line<'a> {
    Model(&'a Reference),
    Node(&'a NodeReference),
}

/// How many files are read before what they held is printed.
const AT_ONCE: usize = 128;

impl Command for ParseWorkflow {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let catalog = session.catalog_at_hand()?;
        let mut exit = Exit::Done;
        for files in self.files.chunks(AT_ONCE) {
            let held = |file: &PathBuf| if is_stdin(file) { None } else { Some(tell(file, open_file(file), &catalog)) };
            let mut told: Vec<Option<Told>> = files.par_iter().map(held).collect();
            for (file, told) in files.iter().zip(&mut told) {
                let told = match told.take() {
                    Some(told) => told,
                    None => tell(file, open(file, session), &catalog),
                };
                match told {
                    Ok(Lines { text, warnings }) => {
                        for warning in warnings {
                            session.warn(format_args!("{}: {warning}", file.display()))?;
                        }
                        session.out.write_all(&text)?;
                    }
                    Err(failure) => {
                        session.complain(&failure)?;
                        // The first that went wrong tells how.
                        exit = if exit == Exit::Done { failure.exit } else { exit };
                    }
                }
            }
        }
        Ok(exit)
    }
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// What `file` holds; `-` is standard input.
pub(super) fn open(file: &Path, session: &mut Session<'_>) -> Result<Held, Failure> {
    if !is_stdin(file) {
        return open_file(file);
    }
    let mut bytes = Vec::new();
    session.input.read_to_end(&mut bytes).map_err(|e| Failure::io("standard input", &e))?;
    file::of_bytes(bytes).map_err(|error| not_held(file, error))
}

fn open_file(file: &Path) -> Result<Held, Failure> {
    file::open(file).map_err(|error| not_held(file, error))
}

fn not_held(file: &Path, error: HeldError) -> Failure {
    match error {
        HeldError::Io(error) => Failure::io(file.display(), &error),
        error => no_workflow(file.display(), error),
    }
}

/// A file that can be read and holds no workflow.
pub(super) fn no_workflow(file: impl Display, reason: impl Display) -> Failure {
    Failure::new(Exit::Damaged, format!("{file}: {reason}"))
}

/// What is printed of a file.
struct Lines {
    text: Vec<u8>,
    warnings: Vec<String>,
}

type Told = Result<Lines, Failure>;

fn tell(file: &Path, held: Result<Held, Failure>, catalog: &Catalog) -> Told {
    let held = held?;
    let workflow = held.workflow().map_err(|error| no_workflow(file.display(), error))?;
    let warnings = workflow.unread.iter().map(ToString::to_string).collect();
    let name = Some(json::path(file).replace(std::path::MAIN_SEPARATOR, "/"));
    let mut text = Vec::new();
    for mut reference in references(&workflow, catalog) {
        reference.workflow.clone_from(&name);
        line(&mut text, &Line::Model(&reference))?;
    }
    for mut reference in node_references(&workflow, catalog) {
        reference.workflow.clone_from(&name);
        line(&mut text, &Line::Node(&reference))?;
    }
    Ok(Lines { text, warnings })
}

fn line(text: &mut Vec<u8>, line: &Line<'_>) -> Result<(), Failure> {
    json::write(text, line)?;
    text.push(b'\n');
    Ok(())
}
