//! Links that lead nowhere, and model folders that are not there.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::models::ModelRoot;

use super::super::environment::Environment;
use super::finding::{Check, Finding, Severity};

/// Links deeper than this are the business of whoever made them.
const DEEPEST: usize = 3;

const SHOWN: usize = 10;

/// Looks where ComfyUI looks: its own folder, its custom nodes, the models folders.
pub fn look(environment: &Environment, models: &[ModelRoot], problems: &[String]) -> Vec<Finding> {
    let comfyui = environment.comfyui();
    let mut places: Vec<(PathBuf, usize)> = vec![(comfyui.clone(), 1), (environment.custom_nodes_dir(), 1)];
    let roots = models.iter().map(|root| root.directory.clone()).chain([environment.models_dir()]);
    places.extend(roots.map(|root| (root, DEEPEST)));
    let mut broken: Vec<PathBuf> = places.iter().flat_map(|(folder, depth)| broken(folder, *depth)).collect();
    broken.sort();
    broken.dedup();
    let mut found = Vec::new();
    if !broken.is_empty() {
        let (count, what) = match broken.len() {
            1 => ("1 link".to_owned(), "leads"),
            many => (format!("{many} links"), "lead"),
        };
        let mut finding = Finding::new(Check::Links, Severity::Warning, format!("{count} {what} nowhere"))
            .advice("their targets were moved or deleted, or a disk is not plugged in; delete the links or bring the targets back");
        for link in broken.iter().take(SHOWN) {
            let target = std::fs::read_link(link).unwrap_or_default();
            finding = finding.evidence(format!("{} -> {}", link.display(), target.display()));
        }
        if broken.len() > SHOWN {
            finding = finding.evidence(format!("and {} more", broken.len() - SHOWN));
        }
        found.push(finding);
    }
    let problem = |text: &String| {
        Finding::new(Check::Links, Severity::Warning, "a file that names model folders cannot be read whole")
            .evidence(text)
    };
    found.extend(problems.iter().map(problem));
    found
}

fn broken(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let walk = WalkDir::new(folder).min_depth(1).max_depth(depth).into_iter();
    let links = walk.flatten().filter(|entry| entry.path_is_symlink()).map(walkdir::DirEntry::into_path);
    links.filter(|path| !path.exists()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::trial::{links_can_be_made, symlink};

    #[test]
    fn only_links_without_a_target_are_broken() {
        if !links_can_be_made("only_links_without_a_target_are_broken") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        symlink("b", dir.path().join("a/good"));
        symlink("nowhere", dir.path().join("a/bad"));
        assert_eq!(broken(dir.path(), 2), [dir.path().join("a/bad")]);
        assert!(broken(dir.path(), 1).is_empty());
    }
}
