//! `hash-object`: files to ids, and with `-w` into the store.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::digest::in_order::{Answer, in_order};
use crate::digest::{self, QuickHash, Sha256, Threads, Wanted};
use crate::object::{Encoded, Kind, ObjectId, Operation, Snapshot, Tree};
use crate::observer::{Observer, Unit};
use crate::ui::paths_in::PathsIn;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

/// Prints the id of each file, a line a file, in the order given.
#[derive(Debug, clap::Args)]
pub struct HashObject {
    /// The kind of object that the files hold
    #[arg(short = 't', value_name = "KIND", default_value = "blob")]
    kind: Kind,
    /// Hash standard input, before the paths
    #[arg(long)]
    stdin: bool,
    /// Read paths from standard input, one a line
    #[arg(long, conflicts_with_all = ["stdin", "paths"])]
    stdin_paths: bool,
    /// Paths on standard input end with NUL
    #[arg(short = 'z', requires = "stdin_paths")]
    nul: bool,
    /// Print the SHA-256 too, after the id
    #[arg(long)]
    sha256: bool,
    /// Print the quick hash too, last
    #[arg(long)]
    quick: bool,
    /// How many threads to use [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Files
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// A line of the result.
#[derive(Debug, Serialize)]
struct Hashed {
    /// Absent for standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    size: u64,
    id: ObjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Sha256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quick: Option<QuickHash>,
}

impl Command for HashObject {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        if !self.stdin && !self.stdin_paths && self.paths.is_empty() {
            return Err(Failure::new(Exit::Usage, "hash-object: no path given")
                .hint("name files, or use --stdin or --stdin-paths"));
        }
        let Session { globals, out, err, input, observer, .. } = session;
        let hashing = Hashing {
            kind: self.kind,
            wanted: Wanted { id: true, sha256: self.sha256, quick: self.quick },
            threads: self.threads.map_or(Threads::All, Threads::Exactly).count(),
            turn: Mutex::new(()),
            observer: *observer,
        };
        let mut report = Report { json: globals.json, out, err, exit: Exit::Done };
        observer.started("hashing", Unit::Bytes, None);
        if self.stdin {
            report.line(hashing.standard_input(&mut **input))?;
        }
        if self.stdin_paths {
            let mut paths = PathsIn::new(&mut **input, self.nul);
            loop {
                report.out.flush()?;
                let arrived = paths.arrived().map_err(|e| Failure::io("standard input", &e))?;
                if arrived.is_empty() {
                    break;
                }
                hashing.files(&arrived, &mut report)?;
            }
        } else {
            hashing.files(&self.paths, &mut report)?;
        }
        observer.finished();
        Ok(report.exit)
    }
}

/// Where lines and complaints go.
struct Report<'a, 'b> {
    json: bool,
    out: &'a mut &'b mut dyn Write,
    err: &'a mut &'b mut dyn Write,
    exit: Exit,
}

impl Report<'_, '_> {
    /// Prints what was found, or says what kept it from being found; only a wish to stop ends the work.
    fn line(&mut self, result: Result<Hashed, Failure>) -> Result<(), Failure> {
        match result {
            Ok(hashed) if self.json => {
                serde_json::to_writer(&mut *self.out, &hashed).map_err(io::Error::from)?;
                writeln!(self.out)?;
            }
            Ok(hashed) => {
                let mut line = hashed.id.to_hex();
                for more in [hashed.sha256.map(|hash| hash.to_hex()), hashed.quick.map(|hash| hash.to_hex())] {
                    line.extend(more.iter().flat_map(|hex| [" ", hex]));
                }
                line.push('\n');
                self.out.write_all(line.as_bytes())?;
            }
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => {
                self.exit = failure.exit;
                writeln!(self.err, "{failure}").map_err(|e| Failure::io("standard error", &e))?;
            }
        }
        Ok(())
    }
}

/// How files are hashed.
struct Hashing<'a> {
    kind: Kind,
    wanted: Wanted,
    threads: usize,
    /// Held by the one large file that all threads work on.
    turn: Mutex<()>,
    observer: &'a dyn Observer,
}

impl Hashing<'_> {
    fn files(&self, paths: &[PathBuf], report: &mut Report<'_, '_>) -> Result<(), Failure> {
        let many = paths.len() > 2 * self.threads;
        let ended = in_order(
            paths,
            self.threads,
            |path| self.file(path, many),
            |answer| {
                let done = match answer {
                    Answer::Next(result) => report.line(result),
                    Answer::Pause => report.out.flush().map_err(Failure::from),
                };
                done.map_or_else(ControlFlow::Break, ControlFlow::Continue)
            },
        );
        match ended {
            ControlFlow::Break(failure) => Err(failure),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    /// `many`: there are enough other files to keep all threads busy.
    fn file(&self, path: &Path, many: bool) -> Result<Hashed, Failure> {
        if self.observer.interrupted() {
            return Err(digest::Error::Interrupted.into());
        }
        /// From here on a file keeps all threads busy by itself.
        const LARGE: u64 = 4 * 1024 * 1024;
        let file = File::open(path).map_err(|e| Failure::io(path.display(), &e))?;
        let size = file.metadata().map_err(|e| Failure::io(path.display(), &e))?.len();
        let turn = (size >= LARGE && !(many && self.wanted.sha256))
            .then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        let threads = if turn.is_some() { self.threads() } else { Threads::One };
        let hashed = self.open_file(&file, path, threads)?;
        Ok(Hashed { path: Some(path.to_string_lossy().into_owned()), ..hashed })
    }

    fn open_file(&self, file: &File, path: &Path, threads: Threads) -> Result<Hashed, Failure> {
        let digests = digest::open_file(file, path, self.wanted, threads, self.observer)?;
        let id = match digests.id {
            Some(id) if self.kind == Kind::Blob => id,
            _ => encoded(self.kind, file, path)?,
        };
        Ok(Hashed { path: None, size: digests.size, id, sha256: digests.sha256, quick: digests.quick })
    }

    fn standard_input(&self, mut input: &mut dyn io::Read) -> Result<Hashed, Failure> {
        let name = "standard input";
        let failed = |e: io::Error| Failure::io(name, &e);
        if self.kind == Kind::Blob && !self.wanted.quick {
            let found = digest::stream(input, self.wanted, self.threads(), self.observer).map_err(failed)?;
            // An id was wanted.
            let id = found.id.ok_or_else(|| Failure::new(Exit::Damaged, "standard input has no id"))?;
            return Ok(Hashed { path: None, size: found.size, id, sha256: found.sha256, quick: None });
        }
        // Samples and encodings need the whole of it.
        let mut file = tempfile::tempfile().map_err(failed)?;
        io::copy(&mut input, &mut file).map_err(failed)?;
        self.open_file(&file, Path::new(name), self.threads())
    }

    fn threads(&self) -> Threads {
        NonZeroUsize::new(self.threads).map_or(Threads::One, Threads::Exactly)
    }
}

/// The id of the tree, snapshot or operation that a file holds. A file that is not the encoding of one is an error.
fn encoded(kind: Kind, mut file: &File, path: &Path) -> Result<ObjectId, Failure> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(|e| Failure::io(path.display(), &e))?;
    let decoded = match kind {
        Kind::Blob => Ok(()),
        Kind::Tree => Tree::decode(&bytes).map(drop),
        Kind::Snapshot => Snapshot::decode(&bytes).map(drop),
        Kind::Operation => Operation::decode(&bytes).map(drop),
    };
    match decoded {
        Ok(()) => Ok(kind.id_of(&bytes)),
        Err(reason) => Err(Failure::new(Exit::Damaged, format!("{}: {reason}", path.display()))),
    }
}
