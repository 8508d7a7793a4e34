//! Where a custom node came from: what its installer left in its folder, and where that says nothing what the manifest remembers.
//!
//! Sources: ComfyUI-Manager writes `.tracking` (a list of the files) into packages from the registry, whose `pyproject.toml`
//! has name and version; a clone has `.git`. Neither is asked to run.

use std::path::Path;

use crate::environment::git;
use crate::environment::manifest::{NodeFacts, NodeSource};
use crate::net::comfy_registry::client::same_id;

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub source: NodeSource,
    pub version: Option<String>,
    /// The name in its `pyproject.toml`, which is its id in the registry if it is there.
    pub project: Option<String>,
}

impl Origin {
    /// What the node at `path` says.
    pub fn of(path: &Path) -> Self {
        let project = project(path);
        let (source, version) = source(path, project.as_ref());
        Origin { source, version, project: project.and_then(|project| project.name) }
    }

    /// The same with what the manifest remembers of it, where the folder itself says nothing.
    pub fn or_remembered(self, facts: Option<&NodeFacts>) -> Self {
        let Some(facts) = facts else { return self };
        match (&self.source, &facts.source) {
            (NodeSource::Manual, remembered) => {
                let version = self.version.or_else(|| facts.version.clone());
                Origin { source: remembered.clone(), version, project: self.project }
            }
            // As it was asked for: the registry may spell it otherwise than its author.
            (NodeSource::Registry { id }, NodeSource::Registry { id: remembered }) if same_id(id, remembered) => {
                Origin { source: facts.source.clone(), ..self }
            }
            // A clone without a branch says nothing of the tag that it was asked for by.
            (
                NodeSource::Git { url, reference, commit },
                NodeSource::Git { reference: Some(remembered), commit: then, .. },
            ) if reference == commit && commit == then => {
                let (url, reference) = (url.clone(), Some(remembered.clone()));
                Origin { source: NodeSource::Git { url, reference, commit: commit.clone() }, ..self }
            }
            _ => self,
        }
    }

    /// The id in the registry that it has, or may have.
    pub fn id(&self) -> Option<&str> {
        match &self.source {
            NodeSource::Registry { id } => Some(id),
            _ => self.project.as_deref(),
        }
    }

    /// The address of the repository that it is a clone of.
    pub fn repository(&self) -> Option<&str> {
        match &self.source {
            NodeSource::Git { url, .. } => Some(url),
            _ => None,
        }
    }
}

fn source(path: &Path, project: Option<&Project>) -> (NodeSource, Option<String>) {
    let version = || project.and_then(|project| project.version.clone());
    if is_link(path) {
        return (NodeSource::Development, version());
    }
    if path.join(".tracking").is_file()
        && let Some(Project { name: Some(name), version }) = project
    {
        return (NodeSource::Registry { id: name.clone() }, version.clone());
    }
    match git::facts(path) {
        // Without a branch it stays where it is.
        Some(git::GitFacts { url: Some(url), commit, branch }) => {
            (NodeSource::Git { url, reference: branch.or_else(|| commit.clone()), commit }, version())
        }
        Some(_) => (NodeSource::Development, version()),
        None => (NodeSource::Manual, version()),
    }
}

/// True for a node whose folder lies elsewhere: it belongs to whoever works there.
pub fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Name and version in the `pyproject.toml` of a folder.
pub fn project_of(folder: &Path) -> Option<(Option<String>, Option<String>)> {
    project(folder).map(|project| (project.name, project.version))
}

struct Project {
    name: Option<String>,
    version: Option<String>,
}

fn project(folder: &Path) -> Option<Project> {
    let text = std::fs::read_to_string(folder.join("pyproject.toml")).ok()?;
    let document: toml_edit::DocumentMut = text.parse().ok()?;
    let table = document.get("project")?.as_table_like()?;
    let text = |key: &str| table.get(key).and_then(|item| item.as_str()).map(str::to_owned);
    Some(Project { name: text("name"), version: text("version") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::trial::{links_can_be_made, symlink};

    fn source(path: &Path) -> (NodeSource, Option<String>) {
        let Origin { source, version, .. } = Origin::of(path);
        (source, version)
    }

    fn facts(source: &NodeSource) -> NodeFacts {
        NodeFacts {
            path: "nodes/x".into(),
            source: source.clone(),
            version: Some("1.0.0".into()),
            disabled: false,
            tree: crate::object::ObjectId::of_blob(b""),
            fetched: None,
            installed: None,
        }
    }

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_registry_package_is_known_by_its_tracking_file() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "pyproject.toml", "[project]\nname = \"comfyui-impact-pack\"\nversion = \"8.22.2\"\n");
        assert_eq!(source(dir.path()), (NodeSource::Manual, Some("8.22.2".into())));
        write(dir.path(), ".tracking", "pyproject.toml\n");
        let registry = NodeSource::Registry { id: "comfyui-impact-pack".into() };
        assert_eq!(source(dir.path()), (registry, Some("8.22.2".into())));
    }

    #[test]
    fn a_clone_says_its_remote_and_commit_and_one_without_a_remote_is_someones_work() {
        let dir = tempfile::tempdir().unwrap();
        let commit = "a125cd84b054a57729b5eecab930ca9408719832";
        write(dir.path(), ".git/HEAD", &format!("{commit}\n"));
        assert_eq!(source(dir.path()).0, NodeSource::Development);
        write(dir.path(), ".git/config", "[remote \"origin\"]\n\turl = https://example.org/x.git\n");
        let git = |reference: &str| NodeSource::Git {
            url: "https://example.org/x.git".into(),
            reference: Some(reference.into()),
            commit: Some(commit.into()),
        };
        assert_eq!(source(dir.path()).0, git(commit), "without a branch it stays");
        let remembered = Origin::of(dir.path()).or_remembered(Some(&facts(&git("v1"))));
        assert_eq!(remembered.source, git("v1"));
        write(dir.path(), ".git/HEAD", "ref: refs/heads/main\n");
        write(dir.path(), ".git/refs/heads/main", commit);
        assert_eq!(source(dir.path()).0, git("main"));
        assert_eq!(Origin::of(dir.path()).or_remembered(Some(&facts(&git("v1")))).source, git("main"));
    }

    #[test]
    fn where_a_folder_says_nothing_the_manifest_counts() {
        let dir = tempfile::tempdir().unwrap();
        let git =
            NodeSource::Git { url: "https://example.org/x".into(), reference: None, commit: Some("a".repeat(40)) };
        let found = Origin::of(dir.path()).or_remembered(Some(&facts(&git)));
        assert_eq!((found.source, found.version.as_deref()), (git.clone(), Some("1.0.0")));
        write(dir.path(), "pyproject.toml", "[project]\nname = \"My-Pack\"\nversion = \"2.0.0\"\n");
        write(dir.path(), ".tracking", "pyproject.toml\n");
        let registry = |id: &str| NodeSource::Registry { id: id.into() };
        let asked = Origin::of(dir.path()).or_remembered(Some(&facts(&registry("my_pack"))));
        assert_eq!((asked.source, asked.version.as_deref()), (registry("my_pack"), Some("2.0.0")));
        assert_eq!(Origin::of(dir.path()).or_remembered(Some(&facts(&git))).source, registry("My-Pack"));
    }

    #[test]
    fn a_linked_folder_is_someones_work() {
        if !links_can_be_made("a_linked_folder_is_someones_work") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "real/__init__.py", "");
        symlink("real", dir.path().join("link"));
        assert_eq!(source(&dir.path().join("link")).0, NodeSource::Development);
        assert_eq!(source(&dir.path().join("real")).0, NodeSource::Manual);
    }
}
