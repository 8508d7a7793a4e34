//! `comfrey.lock`: what a bundle holds and refers to, and how each byte of it is checked.
//!
//! A person can read it and check it with public tools: `blake3` is what `b3sum` prints, `sha256` what `sha256sum` prints; for a node that is a
//! folder both are over the lines that these programs print for its files in the order of their paths. The form is in `docs/formats.md`.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use toml_edit::{DocumentMut, Item, Key, TableLike, Value};

use crate::object::{NameError, ObjectId, RelativePath, Time};

/// The lock's name in a bundle.
pub const LOCK: &str = "comfrey.lock";
/// The version of the form.
const VERSION: i64 = 1;

/// A bundle's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The program that wrote it.
    pub tool: String,
    pub snapshot: Origin,
    pub nodes: Vec<LockedNode>,
    pub models: Vec<LockedModel>,
    /// Every file, link and empty folder in the bundle, this one apart.
    pub files: BTreeMap<RelativePath, LockedFile>,
}

/// The snapshot that was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub id: ObjectId,
    pub tree: ObjectId,
    pub environment: String,
    pub author: String,
    pub time: Time,
    pub message: String,
}

/// A custom node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockedNode {
    /// Such as `nodes/ComfyUI-Impact-Pack`.
    pub path: RelativePath,
    /// The id of its tree, or of its blob where the node is one file.
    pub tree: Option<ObjectId>,
    /// Bytes.
    pub size: u64,
    pub blake3: String,
    pub sha256: String,
    /// `registry`, `git`, `development` or `manual`.
    pub source: String,
    /// Where it can be had again, such as `registry:ID@VERSION` or `git+URL@COMMIT`.
    pub sources: Vec<String>,
    /// True when its files are in the bundle.
    pub bundled: bool,
    /// Files that are not in the bundle although the node is, because they may hold secrets or have names that do not travel.
    pub left_out: Vec<String>,
}

/// A weight file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedModel {
    /// Such as `models/checkpoints/sd15.safetensors`, or inside a node.
    pub path: RelativePath,
    pub id: ObjectId,
    /// Bytes.
    pub size: u64,
    pub sha256: Option<String>,
    pub quick: Option<String>,
    pub sources: Vec<String>,
    pub bundled: bool,
}

/// A file, link or empty folder in the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockedFile {
    File { size: u64, id: ObjectId, executable: bool },
    Link { target: String },
    Folder,
}

/// Why a text is no lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    #[error("not UTF-8")]
    NotUtf8,
    #[error("{0}")]
    NotToml(String),
    #[error("version {0} of the lock, which this program does not know")]
    Version(i64),
    #[error("`{0}` is missing or of the wrong kind")]
    Field(String),
    #[error("`{path}`: {reason}")]
    Path { path: String, reason: NameError },
}

fn quoted(text: &str) -> Value {
    Value::from(text)
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text).to_string()).collect();
    format!("[{}]", texts.join(", "))
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { id, tree, environment, author, time, message } = &self.snapshot;
        writeln!(f, "# What this bundle holds, and how each byte of it is checked. `comfrey import` reads it.")?;
        writeln!(f, "version = {VERSION}\ntool = {}\n", quoted(&self.tool))?;
        writeln!(f, "[snapshot]\nid = \"{id}\"\ntree = \"{tree}\"\nenvironment = {}", quoted(environment))?;
        writeln!(f, "author = {}\ntime = \"{time}\"\nmessage = {}", quoted(author), quoted(message))?;
        for node in &self.nodes {
            writeln!(f, "\n[[nodes]]\npath = {}", quoted(node.path.as_str()))?;
            if let Some(tree) = &node.tree {
                writeln!(f, "tree = \"{tree}\"")?;
            }
            writeln!(f, "size = {}\nblake3 = \"{}\"\nsha256 = \"{}\"", node.size, node.blake3, node.sha256)?;
            writeln!(f, "source = {}\nsources = {}", quoted(&node.source), list(&node.sources))?;
            writeln!(f, "bundled = {}", node.bundled)?;
            if !node.left_out.is_empty() {
                writeln!(f, "left-out = {}", list(&node.left_out))?;
            }
        }
        for model in &self.models {
            writeln!(f, "\n[[models]]\npath = {}\nsize = {}", quoted(model.path.as_str()), model.size)?;
            writeln!(f, "blake3 = \"{}\"", model.id)?;
            for (key, hash) in [("sha256", &model.sha256), ("quick", &model.quick)] {
                if let Some(hash) = hash {
                    writeln!(f, "{key} = {}", quoted(hash))?;
                }
            }
            writeln!(f, "sources = {}\nbundled = {}", list(&model.sources), model.bundled)?;
        }
        writeln!(f, "\n[files]")?;
        for (path, file) in &self.files {
            let mut facts = String::new();
            match file {
                LockedFile::File { size, id, executable } => {
                    write!(facts, "size = {size}, blake3 = \"{id}\"")?;
                    if *executable {
                        facts.push_str(", executable = true");
                    }
                }
                LockedFile::Link { target } => write!(facts, "link = {}", quoted(target))?,
                LockedFile::Folder => facts.push_str("folder = true"),
            }
            writeln!(f, "{} = {{ {facts} }}", Key::new(path.as_str()))?;
        }
        Ok(())
    }
}

impl Lock {
    /// Reads a lock. What it says is not yet checked against anything.
    pub fn parse(bytes: &[u8]) -> Result<Lock, LockError> {
        let text = std::str::from_utf8(bytes).map_err(|_| LockError::NotUtf8)?;
        let document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| LockError::NotToml(error.to_string()))?;
        let root = Fields { table: document.as_table(), place: "" };
        match root.table.get("version").and_then(Item::as_integer) {
            Some(VERSION) => {}
            Some(other) => return Err(LockError::Version(other)),
            None => return Err(LockError::Field("version".into())),
        }
        let snapshot = root.table.get("snapshot").and_then(Item::as_table_like);
        let snapshot = Fields { table: snapshot.ok_or_else(|| root.wrong("snapshot"))?, place: "snapshot." };
        let files = root.table.get("files").and_then(Item::as_table_like).ok_or_else(|| root.wrong("files"))?;
        let files = files.iter().map(|(path, item)| Ok((relative(path)?, file(path, item)?)));
        Ok(Lock {
            tool: root.text("tool")?,
            snapshot: Origin {
                id: snapshot.parsed("id")?,
                tree: snapshot.parsed("tree")?,
                environment: snapshot.text("environment")?,
                author: snapshot.text("author")?,
                time: snapshot.parsed("time")?,
                message: snapshot.text("message")?,
            },
            nodes: tables(&document, "nodes")?.iter().map(node).collect::<Result<_, _>>()?,
            models: tables(&document, "models")?.iter().map(model).collect::<Result<_, _>>()?,
            files: files.collect::<Result<_, LockError>>()?,
        })
    }
}

fn tables<'a>(document: &'a DocumentMut, key: &'static str) -> Result<Vec<Fields<'a>>, LockError> {
    let Some(item) = document.get(key) else { return Ok(Vec::new()) };
    let array = item.as_array_of_tables().ok_or_else(|| LockError::Field(key.into()))?;
    let place = if key == "nodes" { "nodes." } else { "models." };
    Ok(array.iter().map(|table| Fields { table, place }).collect())
}

fn node(fields: &Fields<'_>) -> Result<LockedNode, LockError> {
    Ok(LockedNode {
        path: relative(&fields.text("path")?)?,
        tree: Some(fields.parsed("tree")?),
        size: fields.size("size")?,
        blake3: fields.text("blake3")?,
        sha256: fields.text("sha256")?,
        source: fields.text("source")?,
        sources: fields.texts("sources"),
        bundled: fields.flag("bundled"),
        left_out: fields.texts("left-out"),
    })
}

fn model(fields: &Fields<'_>) -> Result<LockedModel, LockError> {
    Ok(LockedModel {
        path: relative(&fields.text("path")?)?,
        id: fields.parsed("blake3")?,
        size: fields.size("size")?,
        sha256: fields.text("sha256").ok(),
        quick: fields.text("quick").ok(),
        sources: fields.texts("sources"),
        bundled: fields.flag("bundled"),
    })
}

fn file(path: &str, item: &Item) -> Result<LockedFile, LockError> {
    let wrong = || LockError::Field(format!("files.{path}"));
    let fields = Fields { table: item.as_table_like().ok_or_else(wrong)?, place: "files." };
    if fields.flag("folder") {
        return Ok(LockedFile::Folder);
    }
    if let Ok(target) = fields.text("link") {
        return Ok(LockedFile::Link { target });
    }
    let (size, id) = (fields.size("size").map_err(|_| wrong())?, fields.parsed("blake3").map_err(|_| wrong())?);
    Ok(LockedFile::File { size, id, executable: fields.flag("executable") })
}

fn relative(path: &str) -> Result<RelativePath, LockError> {
    RelativePath::new(path).map_err(|reason| LockError::Path { path: path.to_owned(), reason })
}

/// A table whose fields are asked for by name.
struct Fields<'a> {
    table: &'a dyn TableLike,
    place: &'static str,
}

impl Fields<'_> {
    fn wrong(&self, key: &str) -> LockError {
        LockError::Field(format!("{}{key}", self.place))
    }

    fn text(&self, key: &str) -> Result<String, LockError> {
        let text = self.table.get(key).and_then(Item::as_str);
        text.map(str::to_owned).ok_or_else(|| self.wrong(key))
    }

    fn parsed<T: std::str::FromStr>(&self, key: &str) -> Result<T, LockError> {
        self.text(key)?.parse().map_err(|_| self.wrong(key))
    }

    fn size(&self, key: &str) -> Result<u64, LockError> {
        let number = self.table.get(key).and_then(Item::as_integer);
        number.and_then(|number| u64::try_from(number).ok()).ok_or_else(|| self.wrong(key))
    }

    fn flag(&self, key: &str) -> bool {
        self.table.get(key).and_then(Item::as_bool).unwrap_or(false)
    }

    fn texts(&self, key: &str) -> Vec<String> {
        let array = self.table.get(key).and_then(Item::as_array);
        array.into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelativePath {
        RelativePath::new(text).unwrap()
    }

    fn lock() -> Lock {
        let id = ObjectId::of_blob(b"x");
        Lock {
            tool: "comfrey 0.1.0".into(),
            snapshot: Origin {
                id,
                tree: id,
                environment: "demo".into(),
                author: "A \"B\"".into(),
                time: Time { milliseconds: 1_763_630_130_250, offset_minutes: 60 },
                message: "two\nlines".into(),
            },
            nodes: vec![LockedNode {
                path: path("nodes/impact"),
                tree: Some(id),
                size: 7,
                blake3: "b".into(),
                sha256: "s".into(),
                source: "git".into(),
                sources: vec!["git+https://example.org/x@1".into()],
                bundled: true,
                left_out: vec![".env".into()],
            }],
            models: vec![LockedModel {
                path: path("models/checkpoints/a.safetensors"),
                id,
                size: 4_265_380_512,
                sha256: Some("s".into()),
                quick: None,
                sources: vec![],
                bundled: false,
            }],
            files: [
                (path("nodes/impact/a b.py"), LockedFile::File { size: 1, id, executable: true }),
                (path("nodes/impact/ä\"q"), LockedFile::Link { target: "a b.py".into() }),
                (path("nodes/impact/empty"), LockedFile::Folder),
            ]
            .into(),
        }
    }

    #[test]
    fn a_lock_survives_its_text() {
        assert_eq!(Lock::parse(lock().to_string().as_bytes()), Ok(lock()));
    }

    #[test]
    fn other_versions_and_missing_fields_are_named() {
        let text = lock().to_string();
        let newer = text.replace("version = 1", "version = 2");
        assert_eq!(Lock::parse(newer.as_bytes()), Err(LockError::Version(2)));
        let without = text.replace("size = 7\n", "");
        assert_eq!(Lock::parse(without.as_bytes()), Err(LockError::Field("nodes.size".into())));
        let climbing = text.replace("nodes/impact/empty", "../empty");
        assert!(matches!(Lock::parse(climbing.as_bytes()), Err(LockError::Path { .. })));
        assert!(matches!(Lock::parse(b"= no toml"), Err(LockError::NotToml(_))));
        assert_eq!(Lock::parse(&[0xff]), Err(LockError::NotUtf8));
    }
}
