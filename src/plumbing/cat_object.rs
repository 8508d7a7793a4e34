//! `cat-object`: kind, size, presence or content of objects.

use std::io::{self, Read, Write};

use serde_json::{Value, json};

use crate::object::{IdPrefix, Kind, ObjectId, Operation, Snapshot, Tree};
use crate::observer::Observer;
use crate::store::{Info, Place, Store};
use crate::ui::lines_in::LinesIn;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

/// Looks at objects: one that is named, or many named on standard input.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct CatObject {
    /// Print the kind: blob, tree, snapshot or operation
    #[arg(short = 't', group = "what", requires = "id")]
    kind: bool,
    /// Print the size in bytes
    #[arg(short = 's', group = "what", requires = "id")]
    size: bool,
    /// Print nothing; exit 0 if the object is here, 1 if it is not
    #[arg(short = 'e', group = "what", requires = "id")]
    exists: bool,
    /// Print the content: a blob's bytes, the text form of anything else
    #[arg(short = 'p', group = "what", requires = "id")]
    print: bool,
    /// For each id on standard input print `ID KIND SIZE`, a line feed, the bytes, a line feed
    #[arg(long, group = "what", conflicts_with = "id")]
    batch: bool,
    /// For each id on standard input print `ID KIND SIZE`
    #[arg(long, group = "what", conflicts_with = "id")]
    batch_check: bool,
    /// The object's id, at least four digits that only this one begins with, or a revision such as HEAD:path
    #[arg(value_name = "ID")]
    id: Option<String>,
}

impl Command for CatObject {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let store = session.store()?;
        let Some(name) = &self.id else {
            if self.batch && session.globals.json {
                return Err(Failure::new(Exit::Usage, "cat-object: --batch prints bytes, which JSON cannot hold")
                    .hint("use --batch-check, or -p with one id"));
            }
            return batch(&store, session, self.batch);
        };
        let found = match find(&store, name)? {
            // Names of refs, versions and paths are for those who know history.
            Found::None if name.parse::<ObjectId>().is_err() => match revision(session, &store, name) {
                Err(failure) if self.exists && failure.exit == Exit::NotFound => Found::None,
                found => found?,
            },
            found => found,
        };
        match found {
            Found::One(id, info) => self.one(&store, session, id, &info),
            Found::None if self.exists => {
                if session.globals.json {
                    session.print_json(&json!({ "name": name, "present": false }))?;
                }
                Ok(Exit::Negative)
            }
            Found::None => Err(Failure::new(Exit::NotFound, format!("object {name} is not in the store"))),
            Found::Many(candidates) => Err(ambiguous(name, &candidates)),
        }
    }
}

impl CatObject {
    fn one(&self, store: &Store, session: &mut Session<'_>, id: ObjectId, info: &Info) -> Result<Exit, Failure> {
        if session.globals.json {
            let mut value = about(&id, info);
            if self.exists {
                value["present"] = true.into();
            }
            if self.print {
                describe(store, &id, info.kind, &mut value)?;
            }
            session.print_json(&value)?;
        } else if self.kind {
            writeln!(session.out, "{}", info.kind)?;
        } else if self.size {
            writeln!(session.out, "{}", info.size)?;
        } else if self.print {
            match info.kind {
                Kind::Blob => copy(store, &id, session.out, session.observer)?,
                Kind::Tree => write!(session.out, "{}", store.read_as::<Tree>(&id)?)?,
                Kind::Snapshot => write!(session.out, "{}", store.read_as::<Snapshot>(&id)?)?,
                Kind::Operation => write!(session.out, "{}", store.read_as::<Operation>(&id)?)?,
            }
        }
        Ok(Exit::Done)
    }
}

/// What a name on the command line or on standard input means.
enum Found {
    One(ObjectId, Info),
    None,
    Many(Vec<(ObjectId, Kind)>),
}

fn find(store: &Store, name: &str) -> Result<Found, Failure> {
    /// So many candidates are shown.
    const SHOWN: usize = 8;
    let known = |id: ObjectId| -> Result<Found, Failure> {
        Ok(store.info(&id)?.map_or(Found::None, |info| Found::One(id, info)))
    };
    if let Ok(id) = name.parse::<ObjectId>() {
        return known(id);
    }
    let Ok(prefix) = name.parse::<IdPrefix>() else { return Ok(Found::None) };
    let mut candidates = store.matching(&prefix, SHOWN)?;
    match candidates.len() {
        0 => Ok(Found::None),
        1 => known(candidates.remove(0).0),
        _ => Ok(Found::Many(candidates)),
    }
}

/// What a revision such as `HEAD:workflows/flow.json` names.
fn revision(session: &mut Session<'_>, store: &Store, name: &str) -> Result<Found, Failure> {
    let id = session.revisions()?.view()?.resolve(name)?.id;
    Ok(store.info(&id)?.map_or(Found::None, |info| Found::One(id, info)))
}

fn ambiguous(name: &str, candidates: &[(ObjectId, Kind)]) -> Failure {
    let list: Vec<String> = candidates.iter().map(|(id, kind)| format!("  {id} {kind}")).collect();
    Failure::new(Exit::NotFound, format!("`{name}` begins several ids:\n{}", list.join("\n"))).hint("give more digits")
}

fn about(id: &ObjectId, info: &Info) -> Value {
    let place = match &info.place {
        Place::Segment { segment, .. } => format!("segment {segment}"),
        Place::Large => "large".to_owned(),
        Place::Reference(path) => path.to_string_lossy().into_owned(),
    };
    json!({ "id": id, "kind": info.kind.as_str(), "size": info.size, "place": place })
}

/// Adds the fields of a tree, snapshot or operation. A blob has none.
fn describe(store: &Store, id: &ObjectId, kind: Kind, value: &mut Value) -> Result<(), Failure> {
    let fields = match kind {
        Kind::Blob => return Ok(()),
        Kind::Tree => {
            let entry = |entry: &crate::object::Entry| {
                json!({
                    "kind": entry.kind.as_str(), "id": entry.id, "size": entry.size, "name": entry.name.as_str(),
                })
            };
            json!({ "entries": store.read_as::<Tree>(id)?.entries().iter().map(entry).collect::<Vec<_>>() })
        }
        Kind::Snapshot => {
            let snapshot: Snapshot = store.read_as(id)?;
            json!({
                "tree": snapshot.tree, "parents": snapshot.parents, "environment": snapshot.environment,
                "author": snapshot.author, "time": snapshot.time.to_string(), "tool": snapshot.tool,
                "message": snapshot.message,
            })
        }
        Kind::Operation => {
            let operation: Operation = store.read_as(id)?;
            let refs = operation.refs.iter().map(|(name, target)| (name.clone(), target.to_string().into()));
            json!({
                "parent": operation.parent, "command": operation.command, "author": operation.author,
                "time": operation.time.to_string(), "refs": refs.collect::<serde_json::Map<_, Value>>(),
                "restore_points": operation.restore_points, "undoes": operation.undoes,
            })
        }
    };
    if let (Value::Object(value), Value::Object(fields)) = (value, fields) {
        value.extend(fields);
    }
    Ok(())
}

/// Writes an object's bytes, in constant memory.
fn copy(store: &Store, id: &ObjectId, out: &mut dyn Write, observer: &dyn Observer) -> Result<(), Failure> {
    let mut reader = store.open_observed(id, observer)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if observer.interrupted() {
            return Err(Failure::new(Exit::Interrupted, "interrupted"));
        }
        let read = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::io(format_args!("object {id}"), &error)),
        };
        out.write_all(&buffer[..read])?;
    }
}

/// Answers each id that arrives on standard input before it waits for the next.
fn batch(store: &Store, session: &mut Session<'_>, with_bytes: bool) -> Result<Exit, Failure> {
    let Session { input, out, err, observer, globals, .. } = session;
    let mut exit = Exit::Done;
    let mut lines = LinesIn::new(&mut **input, false);
    loop {
        out.flush()?;
        let arrived = lines.arrived().map_err(|e| Failure::io("standard input", &e))?;
        if arrived.is_empty() {
            return Ok(exit);
        }
        let names: Vec<String> = arrived.iter().map(|line| String::from_utf8_lossy(line).trim().to_owned()).collect();
        for (name, found) in names.iter().zip(find_all(store, &names)?) {
            let (id, info) = match found {
                Found::One(id, info) => (id, info),
                Found::None | Found::Many(_) if globals.json => {
                    let ambiguous = matches!(found, Found::Many(_));
                    writeln!(out, "{}", json!({ "name": name, "missing": !ambiguous, "ambiguous": ambiguous }))?;
                    continue;
                }
                Found::None => {
                    writeln!(out, "{name} missing")?;
                    continue;
                }
                Found::Many(_) => {
                    writeln!(out, "{name} ambiguous")?;
                    continue;
                }
            };
            if globals.json {
                writeln!(out, "{}", about(&id, &info))?;
                continue;
            }
            if !with_bytes {
                writeln!(out, "{id} {} {}", info.kind, info.size)?;
                continue;
            }
            let header = format!("{id} {} {}\n", info.kind, info.size);
            let mut out = Headed { header: header.as_bytes(), out: &mut **out };
            match copy(store, &id, &mut out, *observer) {
                // The header goes out with the first bytes, so that nothing was promised for an object that cannot be read.
                Err(failure) if failure.exit == Exit::Damaged && !out.header.is_empty() => {
                    writeln!(out.out, "{id} damaged")?;
                    writeln!(err, "{failure}").map_err(|e| Failure::io("standard error", &e))?;
                    exit = Exit::Damaged;
                }
                done => {
                    done?;
                    out.write_all(b"\n")?;
                }
            }
        }
    }
}

/// Puts a header before the first bytes.
struct Headed<'a> {
    header: &'a [u8],
    out: &'a mut dyn Write,
}

impl Write for Headed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let header = std::mem::take(&mut self.header);
        self.out.write_all(header)?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Looks all names up, whole ids in one look at the index.
fn find_all(store: &Store, names: &[String]) -> Result<Vec<Found>, Failure> {
    let ids: Vec<Option<ObjectId>> = names.iter().map(|name| name.parse().ok()).collect();
    let whole: Vec<ObjectId> = ids.iter().flatten().copied().collect();
    let mut infos = store.infos(&whole)?.into_iter();
    let mut found = Vec::with_capacity(names.len());
    for (name, id) in names.iter().zip(ids) {
        found.push(match id {
            Some(id) => infos.next().flatten().map_or(Found::None, |info| Found::One(id, info)),
            None => find(store, name)?,
        });
    }
    Ok(found)
}
