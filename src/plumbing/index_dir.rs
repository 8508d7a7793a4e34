//! `index-dir`: brings the model index up to date and prints a record a file.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::models::{IndexedFile, ModelIndex, ModelRoot};
use crate::object::ObjectId;
use crate::object::quote::quoted;
use crate::ui::lines_in::LinesIn;
use crate::ui::model_files::{complain, depth, write_json};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

/// Brings the model index up to date with these folders, and prints a record a file.
///
/// A record is: state (new, changed, unchanged, removed), size, quick hash, id, SHA-256, path, with tabs between; `-` stands for
/// what is not known. Only new and changed files are read, for their quick hash.
#[derive(Debug, clap::Args)]
pub struct IndexDir {
    /// Read each file whole, for its id
    #[arg(long)]
    full: bool,
    /// Read each file whole, for its id and its SHA-256
    #[arg(long)]
    sha256: bool,
    /// Read folders from standard input, one a line
    #[arg(long, conflicts_with = "folders")]
    stdin_paths: bool,
    /// Folders on standard input, and records, end with NUL
    #[arg(short = 'z')]
    nul: bool,
    /// `models` folders, or single folders of one (`loras`)
    #[arg(value_name = "DIR", required_unless_present = "stdin_paths")]
    folders: Vec<PathBuf>,
}

impl Command for IndexDir {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let store = session.store()?;
        let folders = if self.stdin_paths {
            all_paths(LinesIn::new(&mut *session.input, self.nul)).map_err(|e| Failure::io("standard input", &e))?
        } else {
            self.folders
        };
        let depth = depth(self.full, self.sha256);
        let roots: Vec<ModelRoot> = folders.iter().map(|folder| ModelRoot::named(folder)).collect();
        let updated = ModelIndex::new(&store).update(&roots, depth, session.observer)?;
        if session.globals.json {
            updated.files.iter().try_for_each(|file| write_json(file, session.out))?;
        } else {
            // Paths begin as the user wrote them.
            let given: HashMap<&Path, &Path> =
                roots.iter().zip(&folders).map(|(root, given)| (root.directory.as_path(), given.as_path())).collect();
            let mut line = Vec::with_capacity(256);
            for file in &updated.files {
                line.clear();
                let root = given.get(file.root.directory.as_path()).copied().unwrap_or(&file.root.directory);
                digests(file, &mut line);
                let begin = line.len();
                path_below(root, &file.path, &mut line);
                if self.nul {
                    line.push(b'\0');
                } else {
                    quote(&mut line, begin);
                    line.push(b'\n');
                }
                session.out.write_all(&line)?;
            }
        }
        complain(updated.problems, session)
    }
}

fn all_paths(mut input: LinesIn<impl io::Read>) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    loop {
        let arrived = input.arrived_paths()?;
        if arrived.is_empty() {
            return Ok(all);
        }
        all.extend(arrived);
    }
}

/// A record up to its path.
fn digests(file: &IndexedFile, line: &mut Vec<u8>) {
    line.extend_from_slice(file.state.as_str().as_bytes());
    line.push(b'\t');
    line.extend_from_slice(file.size().to_string().as_bytes());
    let digests = [file.quick.map(|hash| hash.0), file.id.map(|id| id.0), file.sha256.map(|hash| hash.0)];
    for digest in digests {
        line.push(b'\t');
        match digest {
            Some(digest) => line.extend_from_slice(&ObjectId(digest).hex_digits()),
            None => line.push(b'-'),
        }
    }
    line.push(b'\t');
}

fn path_below(root: &Path, path: &str, line: &mut Vec<u8>) {
    let root = root.as_os_str().as_encoded_bytes();
    line.extend_from_slice(root);
    if !root.ends_with(b"/") {
        line.push(b'/');
    }
    line.extend_from_slice(path.as_bytes());
}

/// Quotes what stands from `begin` on, if it cannot stand in a line as it is.
fn quote(line: &mut Vec<u8>, begin: usize) {
    if line[begin..].iter().any(|byte| byte.is_ascii_control() || *byte == b'"') {
        let plain = String::from_utf8_lossy(&line.split_off(begin)).into_owned();
        line.extend_from_slice(quoted(&plain).as_bytes());
    }
}
