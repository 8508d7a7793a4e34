//! What stands where in a snapshot, and where that lies on disk.
//!
//! ```text
//! pyproject.toml  uv.lock          .cec/
//! workflows/**                     user/default/workflows/
//! users/NAME/workflows/**          user/NAME/workflows/
//! nodes/**                         custom_nodes/, name by name, disabled nodes included
//! models/FOLDER/**                 the models folders
//! comfyui/**                       ComfyUI's own program, of an environment that Comfrey made (see [`super::making::program`])
//! ```
//!
//! `nodes/` mirrors `custom_nodes/`: a node that is disabled by its name (`NAME.disabled`, or `NAME@VERSION` in the
//! folder `.disabled`, as ComfyUI-Manager has it) stands under that name, so that a snapshot says which nodes
//! were off and brings them back as they were (invariant E22).

use std::path::{Path, PathBuf};

use crate::object::{EntryKind, EntryName, RelativePath};

use super::layout::{DEFAULT_USER, WORKFLOW_INDEX};

/// The manifest's name in a snapshot and in `.cec`.
pub const MANIFEST: &str = "pyproject.toml";
/// uv's lock file.
pub const UV_LOCK: &str = "uv.lock";
pub const WORKFLOWS: &str = "workflows";
pub const USERS: &str = "users";
pub const NODES: &str = "nodes";
pub const MODELS: &str = "models";
pub const COMFYUI: &str = "comfyui";

/// The folder in `custom_nodes` in which ComfyUI-Manager keeps disabled nodes.
pub const PARKED: &str = ".disabled";
/// What ComfyUI takes as the sign of a disabled node at the end of a name.
pub const DISABLED: &str = ".disabled";

/// Where the parts of a snapshot lie on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `.cec`
    pub cec: PathBuf,
    /// ComfyUI's user folder.
    pub user: PathBuf,
    pub custom_nodes: PathBuf,
    /// The models folders, the one to write to first.
    pub models: Vec<PathBuf>,
    /// ComfyUI's own folder, where Comfrey keeps its program; nothing where that is someone else's.
    pub program: Option<PathBuf>,
}

/// A part of a snapshot that has one folder on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `pyproject.toml` and `uv.lock`.
    Project,
    Workflows,
    Nodes,
    Models,
    /// ComfyUI's own program.
    ComfyUi,
    /// Something a newer program or plumbing put there; not written to disk.
    Other,
}

/// The part that a path in a snapshot belongs to.
pub fn part(path: &RelativePath) -> Part {
    let text = path.as_str();
    match text.split('/').next().unwrap_or("") {
        MANIFEST | UV_LOCK => Part::Project,
        WORKFLOWS => Part::Workflows,
        USERS if text.split('/').nth(2).is_none_or(|name| name == WORKFLOWS) => Part::Workflows,
        NODES => Part::Nodes,
        MODELS => Part::Models,
        COMFYUI => Part::ComfyUi,
        _ => Part::Other,
    }
}

impl Places {
    /// Where `path` of a snapshot lies on disk; nothing for what has no place there. A model's place is that in the first
    /// models folder.
    pub fn of(&self, path: &RelativePath) -> Option<PathBuf> {
        let below = |root: &Path, part: &str| {
            let part = RelativePath::root().join(&EntryName::new(part).ok()?);
            Some(path.strip_prefix(&part)?.below(root))
        };
        match part(path) {
            Part::Project => Some(path.below(&self.cec)),
            Part::Nodes => below(&self.custom_nodes, NODES),
            Part::Models => below(self.models.first()?, MODELS),
            Part::Workflows if path.as_str().starts_with(WORKFLOWS) => {
                below(&self.user.join(DEFAULT_USER).join(WORKFLOWS), WORKFLOWS)
            }
            Part::Workflows => below(&self.user, USERS),
            Part::ComfyUi => below(self.program.as_deref()?, COMFYUI),
            Part::Other => None,
        }
    }
}

/// A workflow's key in the manifest: its path without `workflows/` and `.json`; nothing for other files.
pub fn workflow_key(path: &RelativePath) -> Option<String> {
    if part(path) != Part::Workflows || path.as_str().rsplit('/').next() == Some(WORKFLOW_INDEX) {
        return None;
    }
    let stem = path.as_str().strip_suffix(".json").filter(|stem| !stem.ends_with('/'))?;
    match stem.strip_prefix("workflows/") {
        Some(key) => Some(key.to_owned()),
        None => {
            let (user, key) = stem.strip_prefix("users/")?.split_once("/workflows/")?;
            Some(format!("users/{user}/{key}"))
        }
    }
}

/// Something directly in `custom_nodes`, or in its folder `.disabled`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeName {
    /// The node's name without the signs of being disabled, as its author writes it.
    pub base: String,
    pub disabled: bool,
}

/// Reads the place of a node below `nodes/`: `NAME`, `NAME.disabled`, `.disabled/NAME@VERSION`. Nothing for what is no node: files
/// other than Python's, ComfyUI's own example, and what lies deeper.
pub fn node_name(below_nodes: &RelativePath, kind: EntryKind) -> Option<NodeName> {
    /// Comes with ComfyUI itself.
    const BUILT_IN: &str = "websocket_image_save.py";
    let text = below_nodes.as_str();
    let (parked, name) = match text.split_once('/') {
        None => (false, text),
        Some((PARKED, name)) if !name.contains('/') => (true, name),
        Some(_) => return None,
    };
    if name == PARKED || name == BUILT_IN {
        return None;
    }
    let stripped = name.strip_suffix(DISABLED);
    let base = stripped.unwrap_or(name);
    let base = if parked { base.split('@').next().unwrap_or(base) } else { base };
    let is_node = match kind {
        EntryKind::Tree => true,
        EntryKind::File | EntryKind::Executable => base.ends_with(".py"),
        EntryKind::Symlink | EntryKind::Model => false,
    };
    (is_node && !base.is_empty()).then(|| NodeName { base: base.to_owned(), disabled: parked || stripped.is_some() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelativePath {
        RelativePath::new(text).unwrap()
    }

    #[test]
    fn every_part_has_its_place() {
        let places = Places {
            cec: "/w/.cec".into(),
            user: "/c/user".into(),
            custom_nodes: "/c/custom_nodes".into(),
            models: vec!["/m".into()],
            program: Some("/c".into()),
        };
        for (in_snapshot, on_disk) in [
            ("pyproject.toml", Some("/w/.cec/pyproject.toml")),
            ("workflows/a/b.json", Some("/c/user/default/workflows/a/b.json")),
            ("workflows", Some("/c/user/default/workflows")),
            ("users/bob/workflows/x.json", Some("/c/user/bob/workflows/x.json")),
            ("users/bob/comfy.settings.json", None),
            ("nodes/.disabled/x@1", Some("/c/custom_nodes/.disabled/x@1")),
            ("models/checkpoints/a", Some("/m/checkpoints/a")),
            ("comfyui/comfy/cli_args.py", Some("/c/comfy/cli_args.py")),
            ("elsewhere", None),
        ] {
            assert_eq!(places.of(&path(in_snapshot)), on_disk.map(PathBuf::from), "{in_snapshot}");
        }
    }

    #[test]
    fn workflows_are_named_by_their_path() {
        for (file, key) in [
            ("workflows/a/b.json", Some("a/b")),
            ("users/bob/workflows/x.json", Some("users/bob/x")),
            ("workflows/.index.json", None),
            ("workflows/notes.txt", None),
            ("nodes/a.json", None),
        ] {
            assert_eq!(workflow_key(&path(file)).as_deref(), key, "{file}");
        }
    }

    #[test]
    fn a_node_is_known_in_all_its_spellings() {
        let named = |text: &str, kind| node_name(&path(text), kind).map(|name| (name.base, name.disabled));
        assert_eq!(named("Impact", EntryKind::Tree), Some(("Impact".into(), false)));
        assert_eq!(named("Impact.disabled", EntryKind::Tree), Some(("Impact".into(), true)));
        assert_eq!(named(".disabled/impact@8_22_2", EntryKind::Tree), Some(("impact".into(), true)));
        assert_eq!(named("one.py", EntryKind::File), Some(("one.py".into(), false)));
        assert_eq!(named("one.py.disabled", EntryKind::File), Some(("one.py".into(), true)));
        for (text, kind) in [
            (".disabled", EntryKind::Tree),
            ("README.md", EntryKind::File),
            ("websocket_image_save.py", EntryKind::File),
            ("Impact/sub", EntryKind::Tree),
        ] {
            assert_eq!(named(text, kind), None, "{text}");
        }
    }
}
