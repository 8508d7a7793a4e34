//! Where things lie in a ComfyUI installation, and how one is recognised.
//!
//! Sources: ComfyUI's `folder_paths.py` and `app/user_manager.py` (users, `--base-directory`), the desktop app's
//! `ComfyConfigManager` (a base folder without `main.py`), and the Windows portable archive
//! (`ComfyUI_windows_portable/{ComfyUI,python_embeded}`).

use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::platform::paths::plain_path;

use super::git::{self, GitFacts};

/// How an installation came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A git clone of ComfyUI.
    Clone,
    /// The Windows portable folder with its own `python_embeded`.
    Portable,
    /// The desktop app's base folder: the program itself lies elsewhere.
    Desktop,
    /// ComfyUI's files without a `.git`, such as a release archive unpacked.
    Folder,
    /// Made by Comfrey, which keeps ComfyUI's own files in snapshots too.
    Created,
}

impl Kind {
    /// One word for files and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Clone => "clone",
            Kind::Portable => "portable",
            Kind::Desktop => "desktop",
            Kind::Folder => "folder",
            Kind::Created => "created",
        }
    }

    pub fn named(text: &str) -> Option<Self> {
        let all = [Kind::Clone, Kind::Portable, Kind::Desktop, Kind::Folder, Kind::Created];
        all.into_iter().find(|kind| kind.name() == text)
    }

    /// A few words for a person.
    pub fn about(self) -> &'static str {
        match self {
            Kind::Clone => "git clone",
            Kind::Portable => "Windows portable folder",
            Kind::Desktop => "desktop app",
            Kind::Folder => "folder",
            Kind::Created => "made by Comfrey",
        }
    }
}

/// A ComfyUI installation as found on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The folder that holds `user/`, `custom_nodes/` and `models/`; absolute.
    pub base: PathBuf,
    pub kind: Kind,
    /// Its own Python, if it has one.
    pub python: Option<PathBuf>,
}

/// A folder in which no ComfyUI was recognised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotComfyUi {
    #[error("{}: there is no such folder", .0.display())]
    Absent(PathBuf),
    #[error("{}: that is a file, not a ComfyUI folder", .0.display())]
    File(PathBuf),
    #[error("{}: no ComfyUI is there", folder.display())]
    Unrecognised {
        folder: PathBuf,
        /// The installation around it, which may be meant.
        around: Option<PathBuf>,
    },
}

/// What is looked for, for the message that says so.
pub const LOOKED_FOR: &str = "main.py beside comfy/, custom_nodes/ or models/ (a clone or an unpacked release), \
    ComfyUI/ beside python_embeded/ (the Windows portable folder), \
    or custom_nodes/ beside models/ and user/ (the desktop app's folder)";

/// Recognises the installation at `path`, which may be ComfyUI's own folder or the one around it.
pub fn recognise(path: &Path) -> Result<Installation, NotComfyUi> {
    let path = plain_path(path);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(NotComfyUi::File(path)),
        Err(_) => return Err(NotComfyUi::Absent(path)),
    }
    if let Some(found) = at(&path) {
        return Ok(found);
    }
    let inner = path.join("ComfyUI");
    if let Some(found) = at(&inner) {
        return Ok(found);
    }
    Err(NotComfyUi::Unrecognised { around: installation_above(&path), folder: path })
}

/// The installation whose base folder is exactly `base`.
pub fn at(base: &Path) -> Option<Installation> {
    let has = |name: &str| base.join(name).exists();
    let kind = if has("main.py") && ["comfy", "nodes.py", "custom_nodes", "models"].into_iter().any(has) {
        if embedded_python(base).is_some() {
            Kind::Portable
        } else if has(".git") {
            Kind::Clone
        } else {
            Kind::Folder
        }
    } else if !has("main.py") && has("custom_nodes") && (has("models") || has("user")) {
        Kind::Desktop
    } else {
        return None;
    };
    Some(Installation { base: base.to_owned(), kind, python: python(base) })
}

/// Someone inside an installation names a folder of it, such as its `custom_nodes`.
fn installation_above(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).take(4).find(|above| at(above).is_some()).map(Path::to_owned)
}

fn embedded_python(base: &Path) -> Option<PathBuf> {
    // The archive itself spells it with one `d`.
    ["python_embeded", "python_embedded"]
        .into_iter()
        .map(|name| base.with_file_name(name))
        .find(|folder| folder.is_dir())
        .map(|folder| folder.join("python.exe"))
}

/// The installation's own Python: embedded, or of a virtual environment inside or beside it.
fn python(base: &Path) -> Option<PathBuf> {
    if let Some(embedded) = embedded_python(base) {
        return Some(embedded);
    }
    let folders = [".venv", "venv", "env"].map(|name| base.join(name));
    folders
        .into_iter()
        .flat_map(|venv| [venv.join("bin").join("python"), venv.join("Scripts").join("python.exe")])
        .find(|python| python.exists())
}

/// Which ComfyUI it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// Such as `0.3.64`.
    pub number: Option<String>,
    /// Of the clone, if it is one.
    pub git: Option<GitFacts>,
}

impl Version {
    /// Reads the version of the ComfyUI at `base`, from `comfyui_version.py`, else `pyproject.toml`, and `.git`.
    pub fn of(base: &Path) -> Self {
        let text = |name: &str| std::fs::read_to_string(base.join(name)).ok();
        let number = number_in(text("comfyui_version.py").as_deref(), text("pyproject.toml").as_deref());
        Version { number, git: git::facts(base) }
    }

    /// `0.3.64 (a125cd84)`, as far as it is known.
    pub fn summary(&self) -> Option<String> {
        let commit = self.git.as_ref().and_then(|git| git.commit.as_ref()).map(|id| id[..8].to_owned());
        match (&self.number, commit) {
            (Some(number), Some(commit)) => Some(format!("{number} ({commit})")),
            (Some(number), None) => Some(number.clone()),
            (None, commit) => commit,
        }
    }
}

/// The number that ComfyUI's files say: of `comfyui_version.py`, else of `pyproject.toml`.
pub fn number_in(version_file: Option<&str>, project: Option<&str>) -> Option<String> {
    version_file.and_then(|text| assigned(text, "__version__")).or_else(|| project_version(project?))
}

/// The text in `NAME = "text"`.
fn assigned(python: &str, name: &str) -> Option<String> {
    let value = python.lines().find_map(|line| line.trim().strip_prefix(name)?.trim_start().strip_prefix('='))?;
    let value = value.trim();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split(quote).next().map(str::to_owned)
}

fn project_version(text: &str) -> Option<String> {
    let document: toml_edit::DocumentMut = text.parse().ok()?;
    let project = document.get("project")?;
    // Another project's file, such as one that lies in a folder of the desktop app, says nothing of ComfyUI.
    let name = project.get("name")?.as_str()?;
    if !name.eq_ignore_ascii_case("comfyui") {
        return None;
    }
    project.get("version")?.as_str().map(str::to_owned)
}

/// The user whose workflows stand at `workflows/` in a snapshot.
pub const DEFAULT_USER: &str = "default";

/// ComfyUI's list of bookmarks in a workflows folder: kept, but no workflow.
pub const WORKFLOW_INDEX: &str = ".index.json";

/// One user's workflows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserWorkflows {
    pub user: String,
    /// `BASE/user/NAME/workflows`; need not exist for the default user.
    pub folder: PathBuf,
}

impl UserWorkflows {
    /// Where they stand in a snapshot: `workflows`, or `users/NAME/workflows` for others than the default user.
    pub fn snapshot_path(&self) -> String {
        if self.user == DEFAULT_USER { "workflows".to_owned() } else { format!("users/{}/workflows", self.user) }
    }
}

/// The workflows folders below `user` (ComfyUI's user folder): the default user's always, others where they exist,
/// sorted by name. Users that begin with `__` belong to the system and are left out.
///
/// # Errors
/// When the folder is there and cannot be read, or holds a user whose name is not UTF-8.
pub fn user_workflows(user: &Path) -> io::Result<Vec<UserWorkflows>> {
    let mut found =
        vec![UserWorkflows { user: DEFAULT_USER.into(), folder: user.join(DEFAULT_USER).join("workflows") }];
    let entries = match std::fs::read_dir(user) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let folder = entry.path().join("workflows");
        let name = entry.file_name();
        if name == DEFAULT_USER || name.as_encoded_bytes().starts_with(b"__") || !folder.is_dir() {
            continue;
        }
        let Some(user) = name.to_str() else {
            let reason = format!("the user name {name:?} is not UTF-8");
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, reason));
        };
        found.push(UserWorkflows { user: user.to_owned(), folder });
    }
    found.sort();
    Ok(found)
}

/// How much of what Comfrey keeps lies in an installation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    pub workflows: usize,
    pub nodes: usize,
}

/// Counts the workflows and custom nodes of the installation at `base`, for a person: what cannot be read counts as nothing.
pub fn contents(base: &Path) -> Contents {
    let workflows = user_workflows(&base.join("user")).unwrap_or_default();
    let workflows = workflows.iter().flat_map(|user| WalkDir::new(&user.folder)).flatten();
    let is_workflow = |entry: &walkdir::DirEntry| {
        let path = entry.path();
        entry.file_type().is_file()
            && path.extension().is_some_and(|extension| extension == "json")
            && entry.file_name() != WORKFLOW_INDEX
    };
    let nodes = std::fs::read_dir(base.join("custom_nodes")).into_iter().flatten().flatten();
    let is_node = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let hidden = name.starts_with(['.', '_']) || name.ends_with(".disabled");
        !hidden && (entry.path().is_dir() || name.ends_with(".py"))
    };
    Contents { workflows: workflows.filter(is_workflow).count(), nodes: nodes.filter(is_node).count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for path in paths {
            let full = dir.path().join(path);
            if path.ends_with('/') {
                std::fs::create_dir_all(full).unwrap();
            } else {
                std::fs::create_dir_all(full.parent().unwrap()).unwrap();
                std::fs::write(full, "").unwrap();
            }
        }
        dir
    }

    #[test]
    fn a_clone_an_unpacked_release_the_portable_folder_and_the_desktop_app_are_told_apart() {
        let clone = tree(&["main.py", "comfy/", ".git/HEAD", "venv/bin/python"]);
        let found = recognise(clone.path()).unwrap();
        assert_eq!((found.kind, found.base), (Kind::Clone, clone.path().to_owned()));
        assert_eq!(found.python, Some(clone.path().join("venv/bin/python")));

        let release = tree(&["main.py", "custom_nodes/"]);
        assert_eq!(recognise(release.path()).unwrap().kind, Kind::Folder);

        let portable = tree(&["ComfyUI/main.py", "ComfyUI/comfy/", "python_embeded/python.exe", "run_cpu.bat"]);
        let found = recognise(portable.path()).unwrap();
        assert_eq!((found.kind, &found.base), (Kind::Portable, &portable.path().join("ComfyUI")));
        assert_eq!(found.python, Some(portable.path().join("python_embeded").join("python.exe")));
        assert_eq!(recognise(&portable.path().join("ComfyUI")).unwrap(), found);

        let desktop = tree(&["custom_nodes/", "models/", "user/default/", "input/", "output/"]);
        assert_eq!(recognise(desktop.path()).unwrap().kind, Kind::Desktop);
    }

    #[test]
    fn what_is_no_comfyui_is_refused_and_a_folder_inside_one_points_to_it() {
        let other = tree(&["main.py", "README.md", "src/"]);
        let folder = other.path().to_owned();
        assert_eq!(recognise(&folder), Err(NotComfyUi::Unrecognised { folder, around: None }));
        let file = other.path().join("main.py");
        assert_eq!(recognise(&file), Err(NotComfyUi::File(file)));
        let absent = other.path().join("nowhere");
        assert_eq!(recognise(&absent), Err(NotComfyUi::Absent(absent)));

        let clone = tree(&["main.py", "comfy/", "custom_nodes/pack/"]);
        match recognise(&clone.path().join("custom_nodes")) {
            Err(NotComfyUi::Unrecognised { around, .. }) => assert_eq!(around.as_deref(), Some(clone.path())),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_version_is_read_from_either_file() {
        let dir = tree(&[]);
        let project = "[project]\nname = \"ComfyUI\"\nversion = \"0.3.60\"\n";
        std::fs::write(dir.path().join("pyproject.toml"), project).unwrap();
        assert_eq!(Version::of(dir.path()).number.as_deref(), Some("0.3.60"));
        let python = "# This file is automatically generated\n__version__ = \"0.3.64\"\n";
        std::fs::write(dir.path().join("comfyui_version.py"), python).unwrap();
        assert_eq!(Version::of(dir.path()).summary().as_deref(), Some("0.3.64"));
        std::fs::remove_file(dir.path().join("comfyui_version.py")).unwrap();
        std::fs::write(dir.path().join("pyproject.toml"), project.replace("ComfyUI", "other")).unwrap();
        assert_eq!(Version::of(dir.path()).summary(), None);
    }

    #[test]
    fn contents_are_counted_as_a_person_would() {
        let dir = tree(&[
            "user/default/workflows/a.json",
            "user/default/workflows/sub/b.json",
            "user/default/workflows/.index.json",
            "custom_nodes/pack/__init__.py",
            "custom_nodes/old.disabled/__init__.py",
            "custom_nodes/single.py",
            "custom_nodes/__pycache__/",
            "custom_nodes/example_node.py.example",
        ]);
        assert_eq!(contents(dir.path()), Contents { workflows: 2, nodes: 2 });
    }

    #[test]
    fn system_users_are_hidden_and_the_default_user_is_always_there() {
        let dir = tree(&["ann/workflows/a.json", "__manager/workflows/x.json", "bob/comfy.settings.json"]);
        let found = user_workflows(dir.path()).unwrap();
        let paths: Vec<_> = found.iter().map(UserWorkflows::snapshot_path).collect();
        assert_eq!(paths, ["users/ann/workflows", "workflows"]);
        assert_eq!(user_workflows(&dir.path().join("absent")).unwrap().len(), 1);
    }
}
