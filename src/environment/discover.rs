//! Finding the ComfyUI installations of a machine in the usual places, within a time budget.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use walkdir::WalkDir;

use crate::observer::{Observer, Unit};

use super::layout::{self, Installation, Version};

/// Where to look and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Folders that may be installations, or hold some a few levels down.
    pub roots: Vec<PathBuf>,
    /// The desktop app's own settings, which name its base folder.
    pub desktop_settings: Vec<PathBuf>,
    pub budget: Duration,
}

/// An installation found, with its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub installation: Installation,
    pub version: Version,
    pub size: Size,
}

/// How much lies in an installation, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Files below `models/`.
    pub models: u64,
    /// All other files.
    pub other: u64,
    /// False when time ran out: there is more.
    pub complete: bool,
}

/// How deep below a root is looked.
const DEPTH: usize = 3;

/// Folders that hold no installation and many files.
const SKIPPED: [&str; 8] =
    ["node_modules", "site-packages", "custom_nodes", "models", "output", "input", "Library", "AppData"];

impl Places {
    /// The usual places on this system for a user with this home folder.
    pub fn usual(home: Option<&Path>) -> Self {
        let mut roots = Vec::new();
        let mut desktop_settings = Vec::new();
        if let Some(home) = home {
            roots.push(home.to_owned());
            let below = [
                "comfy",
                "Documents",
                "Desktop",
                "Downloads",
                "StabilityMatrix/Data/Packages",
                "AppData/Roaming/StabilityMatrix/Packages",
                "pinokio/api",
            ];
            roots.extend(below.map(|name| home.join(name)));
            let settings = [".config/ComfyUI", "Library/Application Support/ComfyUI", "AppData/Roaming/ComfyUI"];
            desktop_settings.extend(settings.map(|folder| home.join(folder).join("config.json")));
        }
        if cfg!(windows) {
            roots.extend(["C:\\", "D:\\", "E:\\", "F:\\"].map(PathBuf::from));
        } else {
            roots.extend(["/opt", "/srv", "/workspace"].map(PathBuf::from));
        }
        Places { roots, desktop_settings, budget: Duration::from_secs(5) }
    }
}

/// Looks for installations: breadth before depth, stopping at the budget or when the observer says so. Half of the budget
/// is kept for measuring what was found.
pub fn find(places: &Places, observer: &dyn Observer) -> Vec<Found> {
    let begun = Instant::now();
    let out_of = |budget: Duration| begun.elapsed() > budget || observer.interrupted();
    observer.started("looking for ComfyUI", Unit::Items, None);
    let mut seen = BTreeSet::new();
    let mut installations = Vec::new();
    let mut take = |installation: Installation| {
        let same = std::fs::canonicalize(&installation.base).unwrap_or_else(|_| installation.base.clone());
        if seen.insert(same) {
            installations.push(installation);
        }
    };
    places.desktop_settings.iter().filter_map(|path| desktop_base(path)).for_each(&mut take);
    // One level of all roots before the next, so that the likely places come first.
    let mut level: Vec<PathBuf> = places.roots.clone();
    for _ in 0..=DEPTH {
        let mut next = Vec::new();
        for folder in level {
            if out_of(places.budget / 2) {
                break;
            }
            observer.advanced(1);
            match layout::at(&folder) {
                Some(installation) => take(installation),
                None => next.extend(folders_in(&folder)),
            }
        }
        level = next;
    }
    observer.started("measuring", Unit::Items, None);
    let mut found: Vec<Found> = installations
        .into_iter()
        .map(|installation| Found {
            version: Version::of(&installation.base),
            size: size(&installation.base, &|| out_of(places.budget), observer),
            installation,
        })
        .collect();
    observer.finished();
    found.sort_by(|a, b| a.installation.base.cmp(&b.installation.base));
    found
}

/// Folders directly in `folder` that are worth a look. Symlinks are not followed: a loop would eat the budget.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            !name.starts_with('.') && !name.starts_with('$') && !SKIPPED.contains(&name.as_ref())
        })
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
}

/// The base folder that the desktop app's `config.json` names (`basePath`).
pub(super) fn desktop_base(settings: &Path) -> Option<Installation> {
    let settings: serde_json::Value = serde_json::from_slice(&std::fs::read(settings).ok()?).ok()?;
    layout::at(Path::new(settings.get("basePath")?.as_str()?))
}

/// Adds up the files below `base`, until `stop` says so. A file with several names counts as often as it has names here.
fn size(base: &Path, stop: &dyn Fn() -> bool, observer: &dyn Observer) -> Size {
    let models = base.join("models");
    let mut size = Size { complete: true, ..Size::default() };
    for (number, entry) in WalkDir::new(base).into_iter().flatten().enumerate() {
        if number % 256 == 0 && stop() {
            size.complete = false;
            break;
        }
        observer.advanced(1);
        let Some(metadata) = entry.metadata().ok().filter(|metadata| metadata.is_file()) else { continue };
        if entry.path().starts_with(&models) {
            size.models += metadata.len();
        } else {
            size.other += metadata.len();
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;

    fn file(path: &Path, bytes: usize) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![0; bytes]).unwrap();
    }

    #[test]
    fn installations_are_found_once_each_with_their_sizes() {
        let home = tempfile::tempdir().unwrap();
        let clone = home.path().join("src/art/ComfyUI");
        file(&clone.join("main.py"), 10);
        file(&clone.join("comfy/model.py"), 5);
        file(&clone.join("models/checkpoints/a.safetensors"), 1000);
        let desktop = home.path().join("Documents/ComfyUI");
        file(&desktop.join("user/default/x"), 1);
        file(&desktop.join("custom_nodes/pack/__init__.py"), 2);
        file(&home.path().join("too/deep/by/far/ComfyUI/main.py"), 1);
        let settings = format!("{{\"basePath\": {:?}}}", desktop.to_str().unwrap());
        let config = home.path().join(".config/ComfyUI/config.json");
        file(&config, 0);
        std::fs::write(&config, settings).unwrap();

        let places = Places { budget: Duration::from_secs(60), ..Places::usual(Some(home.path())) };
        let found = find(&places, &Silent);
        let mine: Vec<_> = found.iter().filter(|f| f.installation.base.starts_with(home.path())).collect();
        let bases: Vec<_> = mine.iter().map(|f| f.installation.base.clone()).collect();
        assert_eq!(bases, [desktop, clone]);
        assert_eq!(mine[1].size, Size { models: 1000, other: 15, complete: true });
    }

    #[test]
    fn without_time_nothing_is_found_and_nothing_hangs() {
        let home = tempfile::tempdir().unwrap();
        let places = Places { budget: Duration::ZERO, ..Places::usual(Some(home.path())) };
        assert_eq!(find(&places, &Silent), []);
    }
}
