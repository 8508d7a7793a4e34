//! A node's files into the store, as a tree: from the store itself where they are there already, else from wherever they lie.
//!
//! What comes is put together in the store's staging folder and looked at there; nothing of the user's is touched, and nothing names it yet.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::archive::{Limits, only_folder, unpack};
use crate::digest::{Threads, Wanted};
use crate::environment::manifest::NodeSource;
use crate::net::address::{shown, without_secrets};
use crate::net::comfy_registry::client::compare_versions;
use crate::net::comfy_registry::{Registry, RegistryError, Standing};
use crate::net::{Expected, Fetch, FetchError, IntoFile, Request as NetRequest};
use crate::object::Kind;
use crate::observer::Observer;
use crate::platform::git_program::{Git, GitError};
use crate::platform::git_refs::{Reference, is_commit};
use crate::platform::paths;
use crate::store::staging::Staging;
use crate::store::{LinkPolicy, Store};
use crate::worktree::{self, Mode, Trees, WriteOptions, write_tree};

use super::error::{NodeError, io_error};
use super::kept::{self, Kept, Origin};
use super::origin::project_of;
use super::placed::may_be_called;
use super::request::Request;

/// More than the largest packages have, and less than a disk.
const LARGEST_ARCHIVE: u64 = 4 << 30;
const LIMITS: Limits = Limits { entries: 200_000, total: 16 << 30, ratio: 500, slack: 1 << 20, name: 255, path: 4096 };

/// The file in which ComfyUI-Manager notes which files a package from the registry brought.
const TRACKING: &str = ".tracking";

/// Whoever can give nodes.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub store: &'a Store,
    pub http: &'a dyn Fetch,
    pub registry: &'a Registry<'a>,
    pub git: Git<'a>,
    /// True where no host is to be asked.
    pub offline: bool,
    /// How weights come into the store.
    pub policy: LinkPolicy,
    pub observer: &'a dyn Observer,
}

/// A node in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub kept: Kept,
    pub source: NodeSource,
    /// True where the store had it already.
    pub from_store: bool,
    /// What the user should know of it.
    pub warnings: Vec<String>,
}

impl Sources<'_> {
    /// Gets what is wanted.
    ///
    /// # Errors
    /// Nothing has changed then, save that objects may be in the store that nobody refers to.
    pub fn get(&self, request: &Request) -> Result<Fetched, NodeError> {
        match request {
            Request::Registry { id, version } => self.registry(id, version.as_deref()),
            Request::Git { url, reference } => self.git(request, url, reference.as_deref()),
            Request::Download { url } => self.download(request, url),
            Request::File { path } => self.file(request, path),
            Request::Folder { path } => self.folder(request, path),
        }
    }

    fn registry(&self, id: &str, version: Option<&str>) -> Result<Fetched, NodeError> {
        let mut warnings = Vec::new();
        let asked = self.registry.node(id).and_then(|node| {
            let picked = self.registry.pick(&node.value, version)?;
            Ok((node, picked))
        });
        let (node, picked) = match asked {
            Ok(asked) => asked,
            Err(error) if is_no_network(&error) => {
                // What was had before is as good as ever; only whether there is something newer is not known.
                let had = self.had(id, version)?;
                let (version, kept) = had.ok_or(error)?;
                warnings.push(format!("the registry was not asked; {id} {version} comes from the store"));
                return Ok(of_registry(id, kept, true, warnings));
            }
            Err(error) => return Err(error.into()),
        };
        for instead in [&node.instead, &picked.instead].into_iter().flatten().take(1) {
            warnings.push(format!("the registry's answer is an older copy: {instead}"));
        }
        let (node, picked) = (node.value, picked.value);
        if picked.status == Standing::Flagged {
            let reason = if picked.status_reason.is_empty() { "no reason given" } else { &picked.status_reason };
            warnings.push(format!("the registry has flagged {} {}: {reason}", node.id, picked.version));
        }
        if picked.deprecated {
            warnings.push(format!("{} {} is deprecated", node.id, picked.version));
        }
        let origin = Origin::Registry { id: &node.id, version: &picked.version };
        if let Some(kept) = kept::get(self.store, &origin)? {
            return Ok(of_registry(&node.id, kept, true, warnings));
        }
        let url = self.registry.download_url(&node.id, &picked)?;
        let (staging, archive) = self.fetched_file(&url)?;
        let folder = self.unpacked(&staging, &archive, &shown(&url))?;
        tracked(&folder)?;
        let kept = Kept { version: Some(picked.version.clone()), ..self.take_in(&folder, &node.id, &node.id)? };
        kept::put(self.store, &origin, &kept);
        Ok(of_registry(&node.id, kept, false, warnings))
    }

    /// What is in the store of a package, in this version or the newest.
    fn had(&self, id: &str, version: Option<&str>) -> Result<Option<(String, Kept)>, NodeError> {
        let mut had = kept::versions(self.store, id)?;
        had.sort_by(|a, b| compare_versions(b, a));
        for known in had {
            if version.is_some_and(|wanted| compare_versions(wanted, &known).is_ne()) {
                continue;
            }
            if let Some(kept) = kept::get(self.store, &Origin::Registry { id, version: &known })? {
                return Ok(Some((known, kept)));
            }
        }
        Ok(None)
    }

    fn git(&self, request: &Request, url: &str, reference: Option<&str>) -> Result<Fetched, NodeError> {
        let mut warnings = Vec::new();
        let reference = reference.filter(|text| *text != "HEAD");
        let of = |kept: Kept, from_store, warnings| {
            let reference = followed(reference, kept.commit.as_deref());
            let source = NodeSource::Git { url: without_secrets(url), reference, commit: kept.commit.clone() };
            Ok(Fetched { kept, source, from_store, warnings })
        };
        let led_to = Origin::Reference { url, reference: reference.unwrap_or("HEAD") };
        let commit = match reference.filter(|text| matches!(text.len(), 40 | 64) && is_commit(text)) {
            Some(commit) => Some(commit.to_ascii_lowercase()),
            None if self.offline && !is_local(url) => None,
            None => match self.git.ls_remote(url) {
                Ok(refs) => match reference {
                    None => refs.head.clone(),
                    Some(text) => {
                        let short = |prefix: &str| text.strip_prefix(prefix).unwrap_or(text).to_owned();
                        let tag = refs.tags.get(&short("refs/tags/"));
                        tag.or_else(|| refs.branches.get(&short("refs/heads/"))).cloned()
                    }
                },
                Err(error @ GitError::Failed { .. }) => match kept::get(self.store, &led_to)? {
                    Some(kept) => {
                        let commit = kept.commit.clone().unwrap_or_default();
                        let commit = &commit[..commit.len().min(10)];
                        warnings.push(format!("{request} was not asked; commit {commit} comes from the store"));
                        return of(kept, true, warnings);
                    }
                    None => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            },
        };
        if let Some(commit) = &commit
            && let Some(kept) = kept::get(self.store, &Origin::Git { url, commit })?
        {
            kept::put(self.store, &led_to, &kept);
            return of(kept, true, warnings);
        }
        if self.offline && !is_local(url) {
            return match kept::get(self.store, &led_to)? {
                Some(kept) => of(kept, true, warnings),
                None => Err(NodeError::NeverFetched(request.to_string())),
            };
        }
        let staging = Staging::new(self.store.dir(), "node")?;
        let folder = staging.new_path();
        let fetched = self.git.fetch(url, &Reference::or_head(reference), &folder)?;
        let kept = self.take_in(&folder, &request.folder(), &request.to_string())?;
        let kept = Kept { commit: Some(fetched.commit.clone()), ..kept };
        kept::put(self.store, &Origin::Git { url, commit: &fetched.commit }, &kept);
        kept::put(self.store, &led_to, &kept);
        of(kept, false, warnings)
    }

    fn download(&self, request: &Request, url: &str) -> Result<Fetched, NodeError> {
        let origin = Origin::Download { url };
        let of = |kept, from_store, warnings| {
            let source = NodeSource::Archive { url: without_secrets(url) };
            Ok(Fetched { kept, source, from_store, warnings })
        };
        let (staging, archive) = match self.fetched_file(url) {
            Ok(got) => got,
            Err(NodeError::Fetch(error)) if error.cause.is_no_network() => {
                let Some(kept) = kept::get(self.store, &origin)? else { return Err(error.into()) };
                return of(kept, true, vec![format!("{error}; what was fetched before comes from the store")]);
            }
            Err(error) => return Err(error),
        };
        let folder = self.as_folder(&staging, &archive, &request.folder(), &shown(url))?;
        let kept = self.take_in(&folder, &request.folder(), &shown(url))?;
        kept::put(self.store, &origin, &kept);
        of(kept, false, Vec::new())
    }

    fn file(&self, request: &Request, path: &Path) -> Result<Fetched, NodeError> {
        let staging = Staging::new(self.store.dir(), "node")?;
        let folder = self.as_folder(&staging, path, &request.folder(), &request.to_string())?;
        let kept = self.take_in(&folder, &request.folder(), &request.to_string())?;
        let full = paths::full(path).map_or_else(|_| path.to_owned(), paths::plain);
        let source = NodeSource::Archive { url: full.to_string_lossy().into_owned() };
        Ok(Fetched { kept, source, from_store: false, warnings: Vec::new() })
    }

    /// A folder as it lies, the changes included that no commit of it has.
    pub fn folder(&self, request: &Request, path: &Path) -> Result<Fetched, NodeError> {
        let path = paths::full(path).map_err(io_error(path))?;
        let name = path.file_name().map_or_else(|| request.folder(), |name| name.to_string_lossy().into_owned());
        let kept = self.take_in(&path, &name, &request.to_string())?;
        let found = super::Origin::of(&path);
        let source = match found.source {
            // What it was copied from says nothing of the copy.
            NodeSource::Development | NodeSource::Manual => {
                NodeSource::Archive { url: paths::plain(path.clone()).to_string_lossy().into_owned() }
            }
            source => source,
        };
        Ok(Fetched { kept, source, from_store: false, warnings: Vec::new() })
    }

    /// The files of a folder of ours that are those of a node, into the store.
    pub fn read(&self, folder: &Path, key: &str) -> Result<Kept, NodeError> {
        self.take_in(folder, key, key)
    }

    /// What lies at an address, as a file in a staging folder.
    fn fetched_file(&self, url: &str) -> Result<(Staging, PathBuf), NodeError> {
        let (address, digest) = match url.split_once('#') {
            Some((address, fragment)) => (address, fragment.strip_prefix("sha256=")),
            None => (url, None),
        };
        let staging = Staging::new(self.store.dir(), "node")?;
        let path = staging.new_path();
        let mut file = File::create_new(&path).map_err(io_error(&path))?;
        let request = NetRequest::new(address, Expected::File, LARGEST_ARCHIVE);
        self.http.download(&request, &mut IntoFile::new(&mut file), self.observer)?;
        drop(file);
        if let Some(expected) = digest {
            let mut file = File::open(&path).map_err(io_error(&path))?;
            let wanted = Wanted { id: false, sha256: true, quick: false };
            let digests = crate::digest::stream(&mut file, wanted, Threads::default(), self.observer);
            let found = digests.map_err(io_error(&path))?.sha256.map(|sha256| sha256.to_string());
            let found = found.unwrap_or_default();
            if !found.eq_ignore_ascii_case(expected) {
                return Err(NodeError::Digest { from: shown(address), expected: expected.to_owned(), found });
            }
        }
        Ok((staging, path))
    }

    /// An archive as a folder, or the folder that holds the one file that it is.
    fn as_folder(&self, staging: &Staging, file: &Path, name: &str, from: &str) -> Result<PathBuf, NodeError> {
        if !name.ends_with(".py") {
            return self.unpacked(staging, file, from);
        }
        let folder = staging.new_path();
        std::fs::create_dir(&folder).map_err(io_error(&folder))?;
        let to = folder.join(name);
        std::fs::copy(file, &to).map_err(io_error(&to))?;
        Ok(to)
    }

    fn unpacked(&self, staging: &Staging, archive: &Path, from: &str) -> Result<PathBuf, NodeError> {
        let folder = staging.new_path();
        let unpacked = unpack(archive, &folder, LIMITS, self.observer);
        unpacked.map_err(|error| NodeError::Unpack { from: from.to_owned(), error: Box::new(error) })?;
        // Archives of hosts have everything in one folder, those of the registry have not.
        let is_node = folder.join("__init__.py").exists();
        Ok(if is_node { folder } else { only_folder(&folder) })
    }

    /// Puts a folder, or a node of one file, into the store as a commit would read it, and looks whether ComfyUI would take it for a node.
    fn take_in(&self, path: &Path, name: &str, from: &str) -> Result<Kept, NodeError> {
        let reason = || format!("`{name}` cannot be the name of a custom node's folder");
        if !may_be_called(name) {
            return Err(NodeError::NotANode { from: from.to_owned(), reason: reason() });
        }
        let name = name.to_owned();
        let writer = self.store.writer()?;
        if path.is_file() {
            let bytes = std::fs::read(path).map_err(io_error(path))?;
            let (size, tree) = (bytes.len() as u64, writer.put(Kind::Blob, &bytes)?);
            writer.publish()?;
            return Ok(Kept { tree, is_file: true, size, folder: name, version: None, commit: None });
        }
        let options = WriteOptions {
            weights: worktree::Weights::IN_NODES,
            // These files go away again.
            models: match self.policy {
                LinkPolicy::Reference => LinkPolicy::Copy,
                policy => policy,
            },
            ..WriteOptions::default()
        };
        let written = write_tree(self.store, Mode::Store(&writer), path, &options, self.observer)?;
        let mut left_out = written.problems.iter().filter(|problem| problem.reason.left_out());
        if let Some(problem) = left_out.next() {
            return Err(NodeError::Unusable {
                from: from.to_owned(),
                path: problem.path.clone(),
                reason: problem.reason.to_string(),
                others: left_out.count(),
            });
        }
        writer.publish()?;
        let tree = self.store.tree(&written.id)?;
        if tree.get("__init__.py").is_none() {
            let reason = "there is no __init__.py in it, which ComfyUI loads".to_owned();
            return Err(NodeError::NotANode { from: from.to_owned(), reason });
        }
        let version = project_of(path).and_then(|(_, version)| version);
        let (tree, size) = (written.id, written.size);
        Ok(Kept { tree, is_file: false, size, folder: name, version, commit: None })
    }
}

fn of_registry(id: &str, kept: Kept, from_store: bool, warnings: Vec<String>) -> Fetched {
    Fetched { kept, source: NodeSource::Registry { id: id.to_owned() }, from_store, warnings }
}

/// True where the registry could not be asked at all, so that what it said before counts.
fn is_no_network(error: &RegistryError) -> bool {
    match error {
        RegistryError::Fetch(FetchError { cause, .. }) => cause.is_no_network(),
        RegistryError::Nonsense { .. } => true,
        _ => false,
    }
}

/// What an update is to follow: a branch or tag by its short name, a commit by all of its id.
fn followed(reference: Option<&str>, commit: Option<&str>) -> Option<String> {
    let reference = reference?;
    let is_of = |commit: &&str| is_commit(reference) && commit.starts_with(&reference.to_ascii_lowercase());
    let short = || reference.strip_prefix("refs/heads/").or(reference.strip_prefix("refs/tags/")).unwrap_or(reference);
    Some(commit.filter(is_of).unwrap_or_else(short).to_owned())
}

fn is_local(url: &str) -> bool {
    url.starts_with("file://") || Path::new(url).exists()
}

/// Writes down which files came, as ComfyUI-Manager does, so that it knows the package for one of the registry and can update it.
fn tracked(folder: &Path) -> Result<(), NodeError> {
    let path = folder.join(TRACKING);
    if path.exists() {
        return Ok(());
    }
    let mut names = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| NodeError::Io { path: folder.to_owned(), source: error.into() })?;
        if !entry.file_type().is_dir()
            && let Ok(below) = entry.path().strip_prefix(folder)
        {
            names.push(below.to_string_lossy().replace('\\', "/"));
        }
    }
    std::fs::write(&path, names.join("\n")).map_err(io_error(&path))
}
