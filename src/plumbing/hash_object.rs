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
use crate::observer::{Observer, Silent, Unit};
use crate::store::large::LARGE;
use crate::store::{self, How, Known, LinkPolicy, Store, Stored, Writer};
use crate::ui::json;
use crate::ui::lines_in::LinesIn;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

/// Prints the id of each file, a line a file, in the order given.
#[derive(Debug, clap::Args)]
pub struct HashObject {
    /// Store the objects, and print each id once it is safe on disk
    #[arg(short = 'w')]
    write: bool,
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
    /// How the store came to the bytes, with `-w`.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<&'static str>,
}

impl Command for HashObject {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        if !self.stdin && !self.stdin_paths && self.paths.is_empty() {
            return Err(Failure::new(Exit::Usage, "hash-object: no path given")
                .hint("name files, or use --stdin or --stdin-paths"));
        }
        let target = if self.write { Some(Target::open(session)?) } else { None };
        let Session { globals, out, err, input, observer, .. } = session;
        let hashing = Hashing {
            kind: self.kind,
            wanted: Wanted { id: true, sha256: self.sha256, quick: self.quick },
            threads: self.threads.map_or(Threads::All, Threads::Exactly).count(),
            turn: Mutex::new(()),
            target: target.as_ref(),
            observer: *observer,
        };
        let json = globals.json;
        let mut report =
            Report { json, out, err, exit: Exit::Done, target: target.as_ref(), waiting: Vec::new(), bytes: 0 };
        observer.started("hashing", Unit::Bytes, None);
        if self.stdin {
            report.line(hashing.standard_input(&mut **input))?;
        }
        if self.stdin_paths {
            let mut paths = LinesIn::new(&mut **input, self.nul);
            loop {
                report.show()?;
                let arrived = paths.arrived_paths().map_err(|e| Failure::io("standard input", &e))?;
                if arrived.is_empty() {
                    break;
                }
                hashing.files(&arrived, &mut report)?;
            }
        } else {
            hashing.files(&self.paths, &mut report)?;
        }
        report.show()?;
        observer.finished();
        Ok(report.exit)
    }
}

/// Where `-w` stores.
struct Target {
    store: Store,
    writer: Writer,
    policy: LinkPolicy,
}

impl Target {
    fn open(session: &mut Session<'_>) -> Result<Target, Failure> {
        let workspace = session.workspace()?;
        let policy = workspace.config().settings().store_models.unwrap_or_default();
        let store = workspace.store().clone();
        Ok(Target { writer: store.writer()?, store, policy })
    }
}

/// Where lines and complaints go. With `-w` a line is shown only after its object was published.
struct Report<'a, 'b> {
    json: bool,
    out: &'a mut &'b mut dyn Write,
    err: &'a mut &'b mut dyn Write,
    exit: Exit,
    target: Option<&'a Target>,
    waiting: Vec<Hashed>,
    /// Bytes of the small objects in `waiting`.
    bytes: u64,
}

impl Report<'_, '_> {
    /// Takes what was found, or says what kept it from being found; only a wish to stop and a store that cannot be
    /// written to end the work.
    fn line(&mut self, result: Result<Hashed, Trouble>) -> Result<(), Failure> {
        /// So much is published at a time.
        const ENOUGH: u64 = 8 * 1024 * 1024;
        match result {
            Ok(hashed) if self.target.is_none() => self.print(&hashed),
            Ok(hashed) => {
                // A large one was brought in by itself; what is left to publish of it is a row of the index.
                self.bytes += hashed.size.min(ENOUGH / 16);
                self.waiting.push(hashed);
                if self.bytes >= ENOUGH { self.show() } else { Ok(()) }
            }
            Err(Trouble::All(failure)) => Err(failure),
            Err(Trouble::One(failure)) => {
                self.exit = failure.exit;
                writeln!(self.err, "{failure}").map_err(|e| Failure::io("standard error", &e))
            }
        }
    }

    /// Publishes and prints all that waits, and hands it to whoever reads our output.
    fn show(&mut self) -> Result<(), Failure> {
        if let Some(target) = self.target
            && !self.waiting.is_empty()
        {
            target.writer.publish()?;
        }
        self.bytes = 0;
        for hashed in std::mem::take(&mut self.waiting) {
            self.print(&hashed)?;
        }
        Ok(self.out.flush()?)
    }

    fn print(&mut self, hashed: &Hashed) -> Result<(), Failure> {
        if self.json {
            serde_json::to_writer(&mut *self.out, hashed).map_err(io::Error::from)?;
            return Ok(writeln!(self.out)?);
        }
        let mut line = hashed.id.to_hex();
        for more in [hashed.sha256.map(|hash| hash.to_hex()), hashed.quick.map(|hash| hash.to_hex())] {
            line.extend(more.iter().flat_map(|hex| [" ", hex]));
        }
        line.push('\n');
        Ok(self.out.write_all(line.as_bytes())?)
    }
}

/// What kept a file from being hashed or stored.
enum Trouble {
    /// A fault of this file: the others go on.
    One(Failure),
    /// A wish to stop, or a store that cannot be written to.
    All(Failure),
}

impl From<digest::Error> for Trouble {
    fn from(error: digest::Error) -> Self {
        match error {
            digest::Error::Interrupted => Trouble::All(error.into()),
            _ => Trouble::One(error.into()),
        }
    }
}

impl Target {
    fn trouble(&self, error: store::Error) -> Trouble {
        match error {
            store::Error::ChangedWhileRead(path) => digest::Error::ChangedWhileRead { path }.into(),
            store::Error::Io { ref path, .. } if !path.starts_with(self.store.dir()) => Trouble::One(error.into()),
            store::Error::NotAFile(path) => Trouble::One(Failure::new(
                Exit::NotFound,
                format!("{}: is a directory, or nothing that could be kept", path.display()),
            )),
            store::Error::CannotLink { .. } => Trouble::One(error.into()),
            _ => Trouble::All(error.into()),
        }
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Trouble {
    move |error| Trouble::One(Failure::io(path.display(), &error))
}

/// How files are hashed.
struct Hashing<'a> {
    kind: Kind,
    wanted: Wanted,
    threads: usize,
    /// Held by the one large file that all threads work on.
    turn: Mutex<()>,
    target: Option<&'a Target>,
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
                    Answer::Pause if self.target.is_none() => report.show(),
                    Answer::Pause => Ok(()),
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
    fn file(&self, path: &Path, many: bool) -> Result<Hashed, Trouble> {
        if self.observer.interrupted() {
            return Err(digest::Error::Interrupted.into());
        }
        /// From here on a file keeps all threads busy by itself.
        const LARGE: u64 = 4 * 1024 * 1024;
        let file = File::open(path).map_err(|error| digest::Error::io(path, error))?;
        let size = file.metadata().map_err(unreadable(path))?.len();
        let turn = (size >= LARGE && !(many && self.wanted.sha256))
            .then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        let threads = if turn.is_some() { self.threads() } else { Threads::One };
        let stored = match self.target {
            Some(target) if self.kind == Kind::Blob => Some(self.put(target, &file, path, threads)?),
            _ => None,
        };
        let hashed = match stored {
            Some(stored) => stored,
            None => self.open_file(&file, path, threads)?,
        };
        Ok(Hashed { path: Some(json::path(path)), ..hashed })
    }

    fn open_file(&self, file: &File, path: &Path, threads: Threads) -> Result<Hashed, Trouble> {
        let digests = digest::open_file(file, path, self.wanted, threads, self.observer)?;
        let mut stored = None;
        let id = match digests.id {
            Some(id) if self.kind == Kind::Blob => id,
            _ => {
                let bytes = encoded(self.kind, file, path)?;
                if let Some(target) = self.target {
                    target.writer.put(self.kind, &bytes).map_err(|e| target.trouble(e))?;
                    stored = Some(How::Packed.as_str());
                }
                self.kind.id_of(&bytes)
            }
        };
        Ok(Hashed { path: None, size: digests.size, id, sha256: digests.sha256, quick: digests.quick, stored })
    }

    /// Stores a file.
    fn put(&self, target: &Target, file: &File, path: &Path, threads: Threads) -> Result<Hashed, Trouble> {
        let Wanted { sha256, quick, .. } = self.wanted;
        if !sha256 && !quick {
            let stored = target.writer.put_file(path, target.policy, self.observer).map_err(|e| target.trouble(e))?;
            return Ok(Hashed::of(&stored, None, None));
        }
        // What is found out is remembered, so that the store need not read a large file again.
        let known_files = target.store.known_files();
        let digests = digest::open_file(file, path, self.wanted, threads, self.observer)?;
        if digests.size >= LARGE {
            let known = Known { id: digests.id, sha256: digests.sha256, quick: digests.quick };
            known_files.remember(vec![(digests.stamp, known)]).map_err(|e| target.trouble(e))?;
        }
        let stored = target.writer.put_file(path, target.policy, &Silent).map_err(|e| target.trouble(e))?;
        if Some(stored.id) != digests.id {
            return Err(digest::Error::ChangedWhileRead { path: path.to_owned() }.into());
        }
        Ok(Hashed::of(&stored, digests.sha256, digests.quick))
    }

    fn standard_input(&self, mut input: &mut dyn io::Read) -> Result<Hashed, Trouble> {
        let name = "standard input";
        let failed = unreadable(Path::new(name));
        let Wanted { sha256, quick, .. } = self.wanted;
        if self.kind == Kind::Blob && !quick && !(sha256 && self.target.is_some()) {
            if let Some(target) = self.target {
                return Ok(Hashed::of(
                    &target.writer.put_stream(input, self.observer).map_err(|e| target.trouble(e))?,
                    None,
                    None,
                ));
            }
            let found = digest::stream(input, self.wanted, self.threads(), self.observer).map_err(&failed)?;
            // An id was wanted.
            let id = found.id.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
            return Ok(Hashed { path: None, size: found.size, id, sha256: found.sha256, quick: None, stored: None });
        }
        // Samples, encodings and a second reading need the whole of it.
        let mut file = tempfile::tempfile().map_err(&failed)?;
        io::copy(&mut input, &mut file).map_err(&failed)?;
        let hashed = self.open_file(&file, Path::new(name), self.threads())?;
        match self.target {
            Some(target) if self.kind == Kind::Blob => {
                file.rewind().map_err(&failed)?;
                let stored = target.writer.put_stream(&mut file, &Silent).map_err(|e| target.trouble(e))?;
                Ok(Hashed { stored: Some(stored.how.as_str()), ..hashed })
            }
            _ => Ok(hashed),
        }
    }

    fn threads(&self) -> Threads {
        NonZeroUsize::new(self.threads).map_or(Threads::One, Threads::Exactly)
    }
}

impl Hashed {
    fn of(stored: &Stored, sha256: Option<Sha256>, quick: Option<QuickHash>) -> Hashed {
        let Stored { id, size, how, .. } = *stored;
        Hashed { path: None, size, id, sha256, quick, stored: Some(how.as_str()) }
    }
}

/// The bytes of the tree, snapshot or operation that a file holds. A file that is not the encoding of one is an error.
fn encoded(kind: Kind, mut file: &File, path: &Path) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(unreadable(path))?;
    let decoded = match kind {
        Kind::Blob => Ok(()),
        Kind::Tree => Tree::decode(&bytes).map(drop),
        Kind::Snapshot => Snapshot::decode(&bytes).map(drop),
        Kind::Operation => Operation::decode(&bytes).map(drop),
    };
    match decoded {
        Ok(()) => Ok(bytes),
        Err(reason) => Err(Trouble::One(Failure::new(Exit::Damaged, format!("{}: {reason}", path.display())))),
    }
}
