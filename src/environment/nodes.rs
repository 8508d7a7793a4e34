//! Where a custom node came from, read from what its installer left in its folder.
//!
//! Sources: ComfyUI-Manager writes `.tracking` (a list of the files) into packages from the registry, whose `pyproject.toml`
//! has name and version; a clone has `.git`. Neither is asked to run.

use std::path::Path;

use super::git;
use super::manifest::NodeSource;

/// Where the node at `path` came from, and its version as far as it says.
pub fn source(path: &Path) -> (NodeSource, Option<String>) {
    let project = project(path);
    let version = || project.as_ref().and_then(|project| project.version.clone());
    if is_link(path) {
        return (NodeSource::Development, version());
    }
    if path.join(".tracking").is_file()
        && let Some(Project { name: Some(name), version }) = &project
    {
        return (NodeSource::Registry { id: name.clone() }, version.clone());
    }
    match git::facts(path) {
        Some(git::GitFacts { url: Some(url), commit, .. }) => (NodeSource::Git { url, commit }, version()),
        Some(_) => (NodeSource::Development, version()),
        None => (NodeSource::Manual, version()),
    }
}

/// The name in the node's `pyproject.toml`, which is its id in the registry.
pub fn project_name(path: &Path) -> Option<String> {
    project(path)?.name
}

/// True for a node whose folder lies elsewhere: it belongs to whoever works there.
pub fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
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
        let git = NodeSource::Git { url: "https://example.org/x.git".into(), commit: Some(commit.into()) };
        assert_eq!(source(dir.path()).0, git);
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_folder_is_someones_work() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "real/__init__.py", "");
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        assert_eq!(source(&dir.path().join("link")).0, NodeSource::Development);
        assert_eq!(source(&dir.path().join("real")).0, NodeSource::Manual);
    }
}
