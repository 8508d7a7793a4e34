//! A snapshot as an archive that a person can open.
//!
//! First everything that will stand in it is found out and written down in the [`Lock`]; then it is written, to a file beside the target that
//! takes its name when it is whole and on the disk. The same snapshot gives the same bytes: names are sorted, times are the
//! snapshot's, owners are nobody, the compressors' parameters are fixed (invariant B4).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tar::{EntryType, Header};

use super::lock::{LOCK, Lock, LockedFile, LockedModel, LockedNode, Origin};
use super::pack::{PackOptions, frame};
use super::secrets::{is_secret_file, without_credentials};
use crate::archive::guard::{Claim, Guard, Limits};
use crate::archive::tar::Compression;
use crate::digest::{self, Threads, Wanted};
use crate::environment::manifest::{Manifest, ManifestError, NodeFacts, NodeSource};
use crate::environment::snapshot_tree::{Part, part};
use crate::models::{Inventory, ModelIndex};
use crate::object::{Entry, EntryKind, ObjectId, RelativePath, Snapshot, Tree};
use crate::observer::{Observer, Silent, Unit};
use crate::platform::durable;
use crate::store::{self, Store};
use crate::worktree::{self, IdsOnly, build_tree, walk_tree};

/// Which custom nodes are in a bundle with their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BundledNodes {
    /// Those that can be had nowhere else.
    #[default]
    WithoutSource,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BundledModels {
    #[default]
    None,
    All,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportOptions {
    pub nodes: BundledNodes,
    pub models: BundledModels,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: the end of the name says the form of the bundle, and this is none that is known", .0.display())]
    Suffix(PathBuf),
    #[error("pyproject.toml of the snapshot: {0}")]
    Manifest(ManifestError),
    #[error("pyproject.toml of the snapshot is not UTF-8")]
    ManifestNotText,
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    #[error(transparent)]
    Models(#[from] crate::models::Error),
    #[error("{} does not hold the bytes of {id} any more", path.display())]
    Changed { id: ObjectId, path: PathBuf },
    #[error("interrupted")]
    Interrupted,
}

type Result<T, E = ExportError> = std::result::Result<T, E>;

/// What stands at a path of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Object {
        id: ObjectId,
        size: u64,
        executable: bool,
    },
    /// A model that is not in the store, from a file of the user's.
    Model {
        id: ObjectId,
        size: u64,
        from: PathBuf,
    },
    Bytes(Vec<u8>),
    Link(String),
    Folder,
}

/// What an archive will hold, and its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    pub lock: Lock,
    /// Left out, with the reason.
    pub left_out: Vec<(RelativePath, String)>,
    /// Models that were to be bundled and whose bytes are not here.
    pub absent: Vec<LockedModel>,
    /// Files from whose URLs credentials were taken out.
    pub cleaned: Vec<RelativePath>,
    files: BTreeMap<RelativePath, Content>,
}

impl Contents {
    /// Bytes of everything in the archive but the lock.
    pub fn size(&self) -> u64 {
        self.files.values().map(Content::size).sum()
    }
}

/// The form that a bundle's name asks for.
pub fn compression_of(path: &Path) -> Result<Compression> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    match name.as_str() {
        name if name.ends_with(".tar.zst") || name.ends_with(".tzst") => Ok(Compression::Zstd),
        name if name.ends_with(".tar.gz") || name.ends_with(".tgz") => Ok(Compression::Gzip),
        name if name.ends_with(".tar") => Ok(Compression::None),
        _ => Err(ExportError::Suffix(path.to_owned())),
    }
}

/// Finds out what a bundle of this snapshot holds. Models whose SHA-256 is not known are read whole for it, once.
pub fn contents(store: &Store, id: ObjectId, options: &ExportOptions, observer: &dyn Observer) -> Result<Contents> {
    let snapshot: Snapshot = store.read_as(&id)?;
    let index = ModelIndex::new(store);
    let inventory = index.whole_inventory()?;
    let mut gathering = Gathering {
        store,
        options,
        observer,
        index,
        inventory,
        manifest: manifest(store, &snapshot)?,
        guard: Guard::new(Limits { entries: u64::MAX, ..Limits::default() }),
        nodes: BTreeMap::new(),
        contents: Contents {
            lock: Lock {
                tool: Snapshot::TOOL.to_owned(),
                snapshot: Origin {
                    id,
                    tree: snapshot.tree,
                    environment: snapshot.environment.clone(),
                    author: snapshot.author.clone(),
                    time: snapshot.time,
                    message: snapshot.message.clone(),
                },
                nodes: Vec::new(),
                models: Vec::new(),
                files: BTreeMap::new(),
            },
            left_out: Vec::new(),
            absent: Vec::new(),
            cleaned: Vec::new(),
            files: BTreeMap::new(),
        },
    };
    for found in walk_tree(store, &snapshot.tree) {
        let (path, entry) = found?;
        // Which ComfyUI it was stands in the manifest; its program can be had by everyone.
        if part(&path) == Part::ComfyUi {
            continue;
        }
        gathering.take(path, entry)?;
    }
    gathering.take_nodes()?;
    Ok(gathering.finish())
}

fn manifest(store: &Store, snapshot: &Snapshot) -> Result<Manifest> {
    let root: Tree = store.read_as(&snapshot.tree)?;
    let Some(entry) = root.get(MANIFEST) else { return Ok(Manifest::new(&snapshot.environment)) };
    let text = String::from_utf8(store.read_text(&entry.id)?).map_err(|_| ExportError::ManifestNotText)?;
    Manifest::parse(&text).map_err(ExportError::Manifest)
}

const MANIFEST: &str = "pyproject.toml";
/// In `nodes/`, the folder of nodes that are switched off.
const PARKED: &str = ".disabled";

struct Gathering<'a> {
    store: &'a Store,
    options: &'a ExportOptions,
    observer: &'a dyn Observer,
    index: ModelIndex<'a>,
    inventory: Inventory,
    manifest: Manifest,
    guard: Guard,
    /// Everything in `nodes/`, by node.
    nodes: BTreeMap<RelativePath, Vec<(RelativePath, Entry)>>,
    contents: Contents,
}

impl Gathering<'_> {
    fn take(&mut self, path: RelativePath, entry: Entry) -> Result<()> {
        if self.observer.interrupted() {
            return Err(ExportError::Interrupted);
        }
        let top = path.as_str().split('/').next().unwrap_or_default();
        match top {
            MANIFEST | "uv.lock" if entry.kind == EntryKind::File => self.take_text(path, &entry),
            "workflows" | "users" => self.take_file(path, &entry),
            "nodes" => {
                if let Some(node) = node_of(&path, &entry) {
                    self.nodes.entry(node).or_default().push((path, entry));
                }
                Ok(())
            }
            "models" if entry.kind == EntryKind::Model => self.take_model(path, &entry),
            "models" if entry.kind == EntryKind::Tree => Ok(()),
            _ => {
                self.leave_out(path, "not a part of an environment that this program knows");
                Ok(())
            }
        }
    }

    fn leave_out(&mut self, path: RelativePath, reason: impl Into<String>) {
        self.contents.left_out.push((path, reason.into()));
    }

    fn put(&mut self, path: RelativePath, content: Content) -> Result<()> {
        let claim = match &content {
            Content::Object { size, .. } | Content::Model { size, .. } => Claim::File(*size),
            Content::Bytes(bytes) => Claim::File(bytes.len() as u64),
            Content::Link(target) => Claim::Symlink(target.as_bytes()),
            Content::Folder => Claim::Folder,
        };
        // What an import would refuse must not get in.
        match self.guard.admit(path.as_str().as_bytes(), &claim) {
            Ok(_) => drop(self.contents.files.insert(path, content)),
            Err(refusal) => self.leave_out(path, refusal.rule.to_string()),
        }
        Ok(())
    }

    fn take_text(&mut self, path: RelativePath, entry: &Entry) -> Result<()> {
        let mut bytes = Vec::new();
        let mut reader = self.store.open_object(&entry.id)?;
        reader.read_to_end(&mut bytes).map_err(|source| ExportError::Io { path: path.as_str().into(), source })?;
        let content = match String::from_utf8(bytes) {
            Ok(text) => {
                let clean = without_credentials(&text);
                if clean != text {
                    self.contents.cleaned.push(path.clone());
                }
                Content::Bytes(clean.into_bytes())
            }
            Err(error) => Content::Bytes(error.into_bytes()),
        };
        self.put(path, content)
    }

    fn take_file(&mut self, path: RelativePath, entry: &Entry) -> Result<()> {
        let content = match entry.kind {
            EntryKind::File | EntryKind::Executable => {
                Content::Object { id: entry.id, size: entry.size, executable: entry.kind == EntryKind::Executable }
            }
            EntryKind::Symlink => {
                let (_, target) = self.store.read(&entry.id)?;
                Content::Link(String::from_utf8_lossy(&target).into_owned())
            }
            EntryKind::Tree if entry.id == worktree_empty() => Content::Folder,
            EntryKind::Tree => return Ok(()),
            EntryKind::Model => return self.take_model(path, entry),
        };
        self.put(path, content)
    }

    fn take_model(&mut self, path: RelativePath, entry: &Entry) -> Result<()> {
        let known = self.manifest.models().remove(&entry.id).unwrap_or_default();
        let quick = known.quick.as_deref().and_then(|text| text.parse().ok());
        let file = self.index.find(&self.inventory, &entry.id, entry.size, quick, self.observer)?;
        let is_stored = self.store.contains(&[entry.id])?[0] && self.store.open_object(&entry.id).is_ok();
        let sha256 = match (known.sha256, &file) {
            (Some(sha256), _) => Some(sha256),
            (None, Some(file)) => match file.sha256 {
                Some(sha256) => Some(sha256.to_string()),
                None => self.sha256_of_file(&file.file(), &entry.id)?,
            },
            (None, None) if is_stored => Some(sha256_of_object(self.store, &entry.id, self.observer)?),
            (None, None) => None,
        };
        let wanted = self.options.models == BundledModels::All;
        let here = is_stored || file.is_some();
        let model = LockedModel {
            path: path.clone(),
            id: entry.id,
            size: entry.size,
            sha256,
            quick: known.quick,
            sources: known.sources.iter().map(|source| without_credentials(source)).collect(),
            bundled: wanted && here,
        };
        if wanted && !here {
            self.contents.absent.push(model.clone());
        }
        self.contents.lock.models.push(model);
        if wanted && here {
            let content = match file {
                Some(file) if !is_stored => Content::Model { id: entry.id, size: entry.size, from: file.file() },
                _ => Content::Object { id: entry.id, size: entry.size, executable: false },
            };
            self.put(path, content)?;
        }
        Ok(())
    }

    /// Reads a file whole and remembers what was found. Nothing when it has other bytes.
    fn sha256_of_file(&self, path: &Path, id: &ObjectId) -> Result<Option<String>> {
        let known_files = self.store.known_files();
        let io_error = |source| ExportError::Io { path: path.to_owned(), source };
        let stamp = crate::platform::identity::FileStamp::of_path(path).map_err(io_error)?;
        if let Some(known) = known_files.lookup(&stamp)?.filter(|known| known.id == Some(*id))
            && let Some(sha256) = known.sha256
        {
            return Ok(Some(sha256.to_string()));
        }
        self.observer.started("hashing", Unit::Bytes, Some(stamp.size));
        let wanted = Wanted { id: true, sha256: true, quick: false };
        let digests = match digest::file(path, wanted, Threads::All, self.observer) {
            Ok(digests) => digests,
            Err(digest::Error::Interrupted) => return Err(ExportError::Interrupted),
            Err(_) => return Ok(None),
        };
        if digests.id != Some(*id) {
            return Ok(None);
        }
        let known = store::Known { id: digests.id, sha256: digests.sha256, ..store::Known::default() };
        known_files.remember(vec![(digests.stamp, known)])?;
        Ok(digests.sha256.map(|sha256| sha256.to_string()))
    }

    fn take_nodes(&mut self) -> Result<()> {
        let facts: BTreeMap<String, NodeFacts> =
            self.manifest.nodes().into_values().map(|facts| (facts.path.clone(), facts)).collect();
        for (path, entries) in std::mem::take(&mut self.nodes) {
            self.take_node(path.clone(), entries, facts.get(path.as_str()))?;
        }
        Ok(())
    }

    fn take_node(
        &mut self,
        path: RelativePath,
        entries: Vec<(RelativePath, Entry)>,
        facts: Option<&NodeFacts>,
    ) -> Result<()> {
        let source = facts.map_or(&NodeSource::Manual, |facts| &facts.source);
        let sources = sources(source, facts.and_then(|facts| facts.version.as_deref()));
        let bundled = self.options.nodes == BundledNodes::All || sources.is_empty();
        let mut node = LockedNode { path: path.clone(), sources, bundled, ..LockedNode::default() };
        node.source = word(source).to_owned();
        let before = self.contents.left_out.len();
        let mut kept = Vec::new();
        for (file, entry) in entries {
            let is_secret = entry.kind != EntryKind::Tree && is_secret_file(entry.name.as_str());
            if is_secret && bundled {
                self.leave_out(file, "it may hold secrets");
                continue;
            }
            if entry.kind == EntryKind::Model {
                // A weight file inside a node counts as a model.
                self.take_model(file.clone(), &entry)?;
            } else if bundled {
                let count = self.contents.left_out.len();
                self.take_file(file.clone(), &entry)?;
                if self.contents.left_out.len() > count {
                    continue;
                }
            }
            kept.push((file, entry));
        }
        let left: Vec<String> = self.contents.left_out[before..].iter().map(|(path, _)| path.to_string()).collect();
        node.left_out = left;
        self.describe(&path, &kept, &mut node)?;
        self.contents.lock.nodes.push(node);
        Ok(())
    }

    /// Fills in what follows from the node's files.
    fn describe(&self, path: &RelativePath, kept: &[(RelativePath, Entry)], node: &mut LockedNode) -> Result<()> {
        let files: Vec<(&RelativePath, &Entry)> = kept
            .iter()
            .filter(|(_, entry)| matches!(entry.kind, EntryKind::File | EntryKind::Executable))
            .map(|(path, entry)| (path, entry))
            .collect();
        let hash = |(_, entry): &(&RelativePath, &Entry)| sha256_of_object(self.store, &entry.id, &Silent);
        let hashes: Vec<String> = files.par_iter().map(hash).collect::<Result<_>>()?;
        if let [(only, entry)] = kept
            && only == path
        {
            node.tree = Some(entry.id);
            node.size = entry.size;
            node.blake3 = entry.id.to_hex();
            node.sha256 = hashes.into_iter().next().unwrap_or_default();
            return Ok(());
        }
        let mut lines: Vec<(String, String, String)> = files
            .iter()
            .zip(hashes)
            .filter_map(|((file, entry), sha256)| {
                Some((file.strip_prefix(path)?.to_string(), entry.id.to_hex(), sha256))
            })
            .collect();
        lines.sort();
        let blake3: String = lines.iter().map(|(path, id, _)| format!("{id}  {path}\n")).collect();
        let sha256: String = lines.iter().map(|(path, _, sha256)| format!("{sha256}  {path}\n")).collect();
        node.blake3 = ObjectId::of_blob(blake3.as_bytes()).to_hex();
        node.sha256 = sha256_of(&mut sha256.as_bytes())
            .map_err(|source| ExportError::Io { path: path.as_str().into(), source })?;
        let (tree, size) = build_tree(&IdsOnly, rebuilt(path, kept))?;
        node.tree = Some(tree);
        node.size = size;
        Ok(())
    }

    fn finish(mut self) -> Contents {
        for (path, content) in &self.contents.files {
            let locked = match content {
                Content::Object { id, size, executable } => {
                    LockedFile::File { size: *size, id: *id, executable: *executable }
                }
                Content::Model { id, size, .. } => LockedFile::File { size: *size, id: *id, executable: false },
                Content::Bytes(bytes) => {
                    let (size, id) = (bytes.len() as u64, ObjectId::of_blob(bytes));
                    LockedFile::File { size, id, executable: false }
                }
                Content::Link(target) => LockedFile::Link { target: target.clone() },
                Content::Folder => LockedFile::Folder,
            };
            self.contents.lock.files.insert(path.clone(), locked);
        }
        self.contents.lock.models.sort_by(|a, b| a.path.cmp(&b.path));
        self.contents
    }
}

/// What lies in a node, relative to it: files, and those folders that are empty.
fn rebuilt(node: &RelativePath, kept: &[(RelativePath, Entry)]) -> Vec<(RelativePath, Entry)> {
    let is_leaf = |entry: &Entry| entry.kind != EntryKind::Tree || entry.id == worktree_empty();
    let leaves = kept.iter().filter(|(path, entry)| is_leaf(entry) && path != node);
    leaves.filter_map(|(path, entry)| Some((path.strip_prefix(node)?, entry.clone()))).collect()
}

/// The id of a folder with nothing in it.
pub(super) fn worktree_empty() -> ObjectId {
    use crate::object::Encoded;
    Tree::default().id()
}

/// The node that a path in `nodes/` belongs to; nothing for the folders above nodes.
fn node_of(path: &RelativePath, entry: &Entry) -> Option<RelativePath> {
    let names: Vec<_> = path.names().collect();
    let depth = match names.get(1).map(|name| name.as_str()) {
        None => return None,
        Some(PARKED) if names.len() > 2 || entry.kind == EntryKind::Tree => 3,
        Some(_) => 2,
    };
    let node = names.get(..depth)?;
    Some(node.iter().fold(RelativePath::root(), |path, name| path.join(name)))
}

fn word(source: &NodeSource) -> &'static str {
    match source {
        NodeSource::Registry { .. } => "registry",
        NodeSource::Git { .. } => "git",
        NodeSource::Development => "development",
        NodeSource::Archive { .. } | NodeSource::Manual => "manual",
    }
}

/// Where a node can be had again, exactly as it was; nothing where that is not known.
fn sources(source: &NodeSource, version: Option<&str>) -> Vec<String> {
    match (source, version) {
        (NodeSource::Registry { id }, Some(version)) => vec![format!("registry:{id}@{version}")],
        (NodeSource::Git { url, commit: Some(commit), .. }, _) => {
            vec![format!("git+{}@{commit}", without_credentials(url))]
        }
        _ => Vec::new(),
    }
}

fn sha256_of_object(store: &Store, id: &ObjectId, observer: &dyn Observer) -> Result<String> {
    let mut reader = store.open_object(id)?;
    if observer.interrupted() {
        return Err(ExportError::Interrupted);
    }
    sha256_of(&mut reader).map_err(|source| ExportError::Io { path: id.to_hex().into(), source })
}

fn sha256_of(input: &mut dyn Read) -> io::Result<String> {
    let wanted = Wanted { id: false, sha256: true, quick: false };
    let one = Threads::Exactly(std::num::NonZeroUsize::MIN);
    let digests = digest::stream(input, wanted, one, &Silent)?;
    Ok(digests.sha256.map(|sha256| sha256.to_string()).unwrap_or_default())
}

/// Writes the bundle. Returns its size in bytes.
pub fn write(store: &Store, contents: &Contents, target: &Path, observer: &dyn Observer) -> Result<u64> {
    let compression = compression_of(target)?;
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let io_error = |source| ExportError::Io { path: target.to_owned(), source };
    let aside = durable::new_aside(folder, ".comfrey-export-").map_err(io_error)?;
    let seconds = u64::try_from(contents.lock.snapshot.time.milliseconds / 1000).unwrap_or(0);
    observer.started("exporting", Unit::Bytes, Some(contents.size()));
    let output = BufWriter::with_capacity(1 << 18, aside.as_file());
    match compression {
        Compression::None => {
            let mut builder = Builder { tar: tar::Builder::new(output), store, seconds, observer };
            builder.all(contents, target)?;
            builder.tar.into_inner().and_then(|mut output| output.flush()).map_err(io_error)?;
        }
        Compression::Gzip => {
            let gzip = flate2::GzBuilder::new().mtime(0).operating_system(255);
            let encoder = gzip.write(output, flate2::Compression::new(6));
            let mut builder = Builder { tar: tar::Builder::new(encoder), store, seconds, observer };
            builder.all(contents, target)?;
            let ended = builder.tar.into_inner().and_then(|encoder| encoder.finish());
            ended.and_then(|mut output| output.flush()).map_err(io_error)?;
        }
        Compression::Zstd => {
            let mut encoder = frame(output, &PackOptions::default()).map_err(io_error)?;
            // Here no digest of our own follows.
            encoder.include_checksum(true).map_err(io_error)?;
            let mut builder = Builder { tar: tar::Builder::new(encoder), store, seconds, observer };
            builder.all(contents, target)?;
            let ended = builder.tar.into_inner().and_then(|encoder| encoder.finish());
            ended.and_then(|mut output| output.flush()).map_err(io_error)?;
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        aside.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(io_error)?;
    }
    aside.as_file().sync_all().map_err(io_error)?;
    let size = aside.as_file().metadata().map_err(io_error)?.len();
    aside.persist(target).map_err(|error| io_error(error.error))?;
    durable::sync_folder(folder).map_err(io_error)?;
    observer.finished();
    Ok(size)
}

impl Content {
    fn size(&self) -> u64 {
        match self {
            Content::Object { size, .. } | Content::Model { size, .. } => *size,
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Link(_) | Content::Folder => 0,
        }
    }
}

/// Writes entries in which nothing of this machine shows.
struct Builder<'a, W: Write> {
    tar: tar::Builder<W>,
    store: &'a Store,
    /// Of every entry, since 1970.
    seconds: u64,
    observer: &'a dyn Observer,
}

impl<W: Write> Builder<'_, W> {
    fn all(&mut self, contents: &Contents, target: &Path) -> Result<()> {
        let io_error = |source| ExportError::Io { path: target.to_owned(), source };
        let lock = contents.lock.to_string();
        let mut before = Some(lock);
        for (path, content) in &contents.files {
            if path.as_str() > LOCK
                && let Some(lock) = before.take()
            {
                self.file(LOCK, 0o644, lock.len() as u64, lock.as_bytes()).map_err(io_error)?;
            }
            self.content(path, content, target)?;
        }
        if let Some(lock) = before {
            self.file(LOCK, 0o644, lock.len() as u64, lock.as_bytes()).map_err(io_error)?;
        }
        Ok(())
    }

    fn content(&mut self, path: &RelativePath, content: &Content, target: &Path) -> Result<()> {
        let io_error = |source| ExportError::Io { path: target.to_owned(), source };
        let (store, observer) = (self.store, self.observer);
        if observer.interrupted() {
            return Err(ExportError::Interrupted);
        }
        match content {
            Content::Object { id, size, executable } => {
                let reader = Told { input: store.open_object(id)?, observer, hasher: None };
                let mode = if *executable { 0o755 } else { 0o644 };
                self.file(path.as_str(), mode, *size, reader).map_err(|error| self.stopped(error, io_error))?;
            }
            Content::Model { id, size, from } => {
                let file = File::open(from).map_err(|source| ExportError::Io { path: from.clone(), source })?;
                let mut reader = Told { input: file.take(*size), observer, hasher: Some(blake3::Hasher::new()) };
                self.file(path.as_str(), 0o644, *size, &mut reader).map_err(|error| self.stopped(error, io_error))?;
                let found = reader.hasher.map(|hasher| ObjectId(*hasher.finalize().as_bytes()));
                if found != Some(*id) {
                    return Err(ExportError::Changed { id: *id, path: from.clone() });
                }
            }
            Content::Bytes(bytes) => {
                self.file(path.as_str(), 0o644, bytes.len() as u64, bytes.as_slice()).map_err(io_error)?;
            }
            Content::Link(link) => {
                let mut header = self.header(EntryType::Symlink, 0o777, 0);
                self.tar.append_link(&mut header, path.as_str(), link).map_err(io_error)?;
            }
            Content::Folder => {
                let mut header = self.header(EntryType::Directory, 0o755, 0);
                let path = format!("{path}/");
                self.tar.append_data(&mut header, path, io::empty()).map_err(io_error)?;
            }
        }
        Ok(())
    }

    fn stopped(&self, error: io::Error, io_error: impl FnOnce(io::Error) -> ExportError) -> ExportError {
        if self.observer.interrupted() { ExportError::Interrupted } else { io_error(error) }
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_mtime(self.seconds);
        header.set_uid(0);
        header.set_gid(0);
        header
    }

    fn file(&mut self, path: &str, mode: u32, size: u64, content: impl Read) -> io::Result<()> {
        let mut header = self.header(EntryType::Regular, mode, size);
        let mut counted = Exactly { input: content, left: size };
        self.tar.append_data(&mut header, path, &mut counted)?;
        if counted.left > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{path} became shorter")));
        }
        Ok(())
    }
}

/// Gives what `input` gives, but not more than was promised.
struct Exactly<R> {
    input: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let part = self.left.min(buffer.len() as u64) as usize;
        let read = self.input.read(&mut buffer[..part])?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// Tells the observer of what is read, stops when it wishes, and hashes where that is wanted.
struct Told<'a, R> {
    input: R,
    observer: &'a dyn Observer,
    hasher: Option<blake3::Hasher>,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.observer.interrupted() {
            return Err(io::Error::other("interrupted"));
        }
        let read = self.input.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..read]);
        }
        self.observer.advanced(read as u64);
        Ok(read)
    }
}
