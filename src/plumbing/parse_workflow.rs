//! `parse-workflow`: the models and nodes that workflows refer to.

use std::path::{Path, PathBuf};

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
others are read, and the exit code is 3.

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

impl Command for ParseWorkflow {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let catalog = Catalog::built_in();
        let mut exit = Exit::Done;
        for file in &self.files {
            let held = open(file, session);
            if let Err(failure) = held.and_then(|held| print(file, &held, &catalog, session)) {
                writeln!(session.err, "{failure}").map_err(|e| Failure::io("standard error", &e))?;
                exit = Exit::NotFound;
            }
        }
        Ok(exit)
    }
}

/// What `file` holds; `-` is standard input.
pub(super) fn open(file: &Path, session: &mut Session<'_>) -> Result<Held, Failure> {
    let held = if file == Path::new("-") {
        let mut bytes = Vec::new();
        session.input.read_to_end(&mut bytes).map_err(|e| Failure::io("standard input", &e))?;
        file::of_bytes(bytes)
    } else {
        file::open(file)
    };
    held.map_err(|error| match error {
        HeldError::Io(error) => Failure::io(file.display(), &error),
        error => Failure::new(Exit::NotFound, format!("{}: {error}", file.display())),
    })
}

fn print(file: &Path, held: &Held, catalog: &Catalog, session: &mut Session<'_>) -> Result<(), Failure> {
    let shown = file.display();
    let workflow = held.workflow().map_err(|error| Failure::new(Exit::NotFound, format!("{shown}: {error}")))?;
    for unread in &workflow.unread {
        session.warn(format_args!("{shown}: {unread}"))?;
    }
    let name = Some(json::path(file).replace(std::path::MAIN_SEPARATOR, "/"));
    for mut reference in references(&workflow, catalog) {
        reference.workflow.clone_from(&name);
        session.print_json(&Line::Model(&reference))?;
    }
    for mut reference in node_references(&workflow, catalog) {
        reference.workflow.clone_from(&name);
        session.print_json(&Line::Node(&reference))?;
    }
    Ok(())
}
