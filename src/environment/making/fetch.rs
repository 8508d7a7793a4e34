//! A ComfyUI brought from its source into the store, as a tree of a release's files.

use std::io;
use std::path::{Path, PathBuf};

use crate::archive::{Limits, UnpackError, unpack};
use crate::environment::layout::{self, Kind, NotComfyUi, Version};
use crate::environment::manifest::ComfyUiFacts;
use crate::environment::program;
use crate::object::{ObjectId, Time};
use crate::platform::git_program::{Found, Git, GitError};
use crate::platform::git_refs::{Reference, without_credentials};
use crate::store::staging::Staging;
use crate::store::{self, Store};
use crate::worktree::problem::and_more;
use crate::worktree::{self, Mode, write_tree};

use super::fetched::{Fetched, Memory, What};
use super::source::Source;

/// Why no ComfyUI came.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("{}: {source}", path.display())]
    Archive { path: PathBuf, source: UnpackError },
    /// What was fetched is something else.
    #[error("{what}: this is no ComfyUI")]
    NotComfyUi { what: String, source: NotComfyUi },
    #[error("{} has no release, that is no tag such as v0.3.64", .0)]
    NoRelease(String),
    /// A reference was given for what has none.
    #[error("{}: only a git repository has branches and tags", .0.display())]
    NoReferences(PathBuf),
    #[error("{}{}: {reason}", path.display(), and_more(*more))]
    NotAllRead { path: PathBuf, reason: String, more: usize },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
}

type Result<T, E = FetchError> = std::result::Result<T, E>;

/// A ComfyUI in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The files that a release has.
    pub tree: ObjectId,
    pub facts: ComfyUiFacts,
    pub how: How,
}

/// How it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Read or fetched now.
    Fetched,
    /// Fetched earlier, and still what the source has.
    Known,
    /// Fetched earlier; the source could not be asked whether it has something newer.
    Remembered,
}

/// Who fetches, into what, and when.
pub struct Fetching<'a> {
    pub store: &'a Store,
    pub git: Git<'a>,
    pub now: Time,
}

impl Fetching<'_> {
    /// Brings the ComfyUI of this source and reference into the store, where it stays.
    ///
    /// # Errors
    /// The store has nothing new then but objects that nobody needs.
    pub fn fetch(&self, source: &Source, reference: Option<&str>) -> Result<Release> {
        match (source, source.git()) {
            (_, Some(url)) => self.of_repository(source, &url, reference),
            (Source::Folder(path) | Source::Archive(path), _) if reference.is_some() => {
                Err(FetchError::NoReferences(path.clone()))
            }
            (Source::Archive(path), _) => {
                let staging = Staging::new(self.store.dir(), "fetch")?;
                let folder = staging.new_path();
                unpack(path, &folder, Limits::default(), self.git.observer)
                    .map_err(|source| FetchError::Archive { path: path.clone(), source })?;
                let folder = crate::archive::only_folder(&folder);
                let (tree, version) = self.take_in(&folder, &path.display().to_string())?;
                Ok(Release { tree, facts: facts("archive", version), how: How::Fetched })
            }
            (Source::Folder(path), _) => {
                let (tree, version) = self.take_in(path, &path.display().to_string())?;
                Ok(Release { tree, facts: facts("folder", version), how: How::Fetched })
            }
            // Those that git fetches came first.
            (Source::Official | Source::Git(_) | Source::Repository(_), None) => {
                Err(FetchError::NoRelease(String::new()))
            }
        }
    }

    fn of_repository(&self, source: &Source, url: &str, reference: Option<&str>) -> Result<Release> {
        let memory = Memory { store: self.store, kind: "comfyui" };
        // By which name it is remembered that nobody gave one.
        let asked = reference.unwrap_or(if *source == Source::Official { "newest release" } else { "HEAD" });
        let known = memory.get(url, asked)?;
        if let Some(known) = known.as_ref().filter(|known| !known.what.moves) {
            return self.known(source, url, asked, known.clone(), How::Known);
        }
        let found = match self.find(source, url, reference) {
            Ok(found) => found,
            // What a repository says of itself is to be believed; what does not answer says nothing.
            Err(error @ FetchError::Git(GitError::Failed { .. } | GitError::Missing | GitError::Start(_))) => {
                return match known {
                    Some(known) => self.known(source, url, asked, known, How::Remembered),
                    None => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        let moves = matches!(found, Found::Branch { .. }) || reference.is_none();
        if let Some(same) = memory.get(url, found.commit())? {
            let what = What { moves, reference: found.name().map(str::to_owned), ..same.what };
            return self.known(source, url, asked, Fetched { what, ..same }, How::Known);
        }
        let staging = Staging::new(self.store.dir(), "fetch")?;
        let folder = staging.new_path();
        std::fs::create_dir(&folder).map_err(|source| FetchError::Io { path: folder.clone(), source })?;
        let got = self.git.fetch_found(url, &found, &folder)?;
        let (tree, _) = self.take_in(&folder, &without_credentials(url))?;
        let what = What { commit: Some(got.commit.clone()), reference: got.reference, moves };
        let fetched = Fetched { tree, used: self.now, what };
        let of_commit = What { moves: false, reference: None, ..fetched.what.clone() };
        memory.put(url, &got.commit, &Fetched { what: of_commit, ..fetched.clone() })?;
        self.known(source, url, asked, fetched, How::Fetched)
    }

    fn find(&self, source: &Source, url: &str, reference: Option<&str>) -> Result<Found> {
        if reference.is_none() && *source == Source::Official {
            let refs = self.git.ls_remote(url)?;
            let newest = refs.newest_release().ok_or_else(|| FetchError::NoRelease(url.to_owned()))?;
            return Ok(Found::Tag { name: newest.0.to_owned(), commit: newest.1.to_owned() });
        }
        Ok(self.git.find(url, &Reference::or_head(reference))?)
    }

    /// What is known of a repository's ComfyUI, noted as used now.
    fn known(&self, source: &Source, url: &str, asked: &str, known: Fetched, how: How) -> Result<Release> {
        let known = Fetched { used: self.now, ..known };
        let memory = Memory { store: self.store, kind: "comfyui" };
        memory.put(url, asked, &known)?;
        // A place on this machine means nothing on another; where it came from does.
        let address = match source {
            Source::Repository(path) => self.git.origin_of(path).filter(|origin| !Path::new(origin).is_absolute()),
            _ => Some(without_credentials(url)),
        };
        let version = version_in(self.store, &known.tree)?;
        let facts = ComfyUiFacts {
            source: "git".to_owned(),
            url: address,
            reference: known.what.reference,
            commit: known.what.commit,
            version,
        };
        Ok(Release { tree: known.tree, facts, how })
    }

    /// Puts the files of the ComfyUI in `folder`, or in a folder of it, into the store.
    fn take_in(&self, folder: &Path, what: &str) -> Result<(ObjectId, Option<String>)> {
        let not = |source| FetchError::NotComfyUi { what: what.to_owned(), source };
        let found = layout::recognise(folder).map_err(not)?;
        if found.kind == Kind::Desktop {
            // Its folder holds no program.
            return Err(not(NotComfyUi::Unrecognised { folder: folder.to_owned(), around: None }));
        }
        let writer = self.store.writer()?;
        let written =
            write_tree(self.store, Mode::Store(&writer), &found.base, &program::release(), self.git.observer)?;
        let mut left_out = written.problems.iter().filter(|problem| problem.reason.left_out());
        if let Some(first) = left_out.next() {
            let (path, reason) = (first.path.clone(), first.reason.to_string());
            return Err(FetchError::NotAllRead { path, reason, more: left_out.count() });
        }
        writer.publish()?;
        Ok((written.id, Version::of(&found.base).number))
    }
}

fn facts(source: &str, version: Option<String>) -> ComfyUiFacts {
    ComfyUiFacts { source: source.to_owned(), version, ..ComfyUiFacts::default() }
}

/// The version that the ComfyUI in a tree says it is.
pub fn version_in(store: &Store, tree: &ObjectId) -> Result<Option<String>, worktree::Error> {
    let text = |name: &str| -> Result<Option<String>, worktree::Error> {
        let Ok(path) = crate::object::RelativePath::new(name) else { return Ok(None) };
        let Some(entry) = worktree::tree_at(store, tree, &path)? else { return Ok(None) };
        Ok(Some(String::from_utf8_lossy(&store.read_text(&entry.id)?).into_owned()))
    };
    Ok(layout::number_in(text("comfyui_version.py")?.as_deref(), text("pyproject.toml")?.as_deref()))
}
