//! What a virtual environment holds, by the names of its `.dist-info` folders; and whether that is what a lock asks for.
//!
//! Source of the names: the packaging user guide, "Recording installed projects".

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pep508_rs::pep440_rs::Version;

use super::lockfile::{self, Lock, Versions};
use super::requirements::normalized;
use super::seam::io_error;
use super::{PythonError, TorchBackend, Venv, torch};

/// What is put into a new virtual environment, and left alone in every one.
const SEEDS: [&str; 4] = ["pip", "setuptools", "wheel", "uv"];

/// Installed packages by their plain name, with their version as the folder's name has it.
pub type Installed = BTreeMap<String, String>;

/// A package that is not as the lock says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub package: String,
    /// The locked version; nothing where the lock does not have it for this machine.
    pub locked: Option<String>,
    /// Nothing where it is not installed.
    pub installed: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { package, locked, installed } = self;
        match (locked, installed) {
            (Some(locked), Some(installed)) => write!(f, "{package} is {installed}, locked is {locked}"),
            (Some(locked), None) => write!(f, "{package} {locked} is not installed"),
            (None, Some(installed)) => write!(f, "{package} {installed} is installed, and not in uv.lock"),
            (None, None) => f.write_str(package),
        }
    }
}

/// The folder with its packages; nothing where it has none.
pub fn site_packages(venv: &Venv) -> Option<PathBuf> {
    if cfg!(windows) {
        return Some(venv.folder().join("Lib").join("site-packages")).filter(|folder| folder.is_dir());
    }
    let version = venv.version()?;
    let short = version.split('.').take(2).collect::<Vec<_>>().join(".");
    Some(venv.folder().join("lib").join(format!("python{short}")).join("site-packages"))
        .filter(|folder| folder.is_dir())
}

/// What is installed in a virtual environment: one look into one folder.
pub fn of(venv: &Venv) -> Result<Installed, PythonError> {
    site_packages(venv).map_or_else(|| Ok(Installed::new()), |folder| in_folder(&folder))
}

/// What is installed in a folder of packages, whoever's Python it belongs to.
pub fn in_folder(folder: &Path) -> Result<Installed, PythonError> {
    let entries = std::fs::read_dir(folder).map_err(io_error(folder))?;
    let mut found = Installed::new();
    for entry in entries {
        let name = entry.map_err(io_error(folder))?.file_name();
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".dist-info")) else { continue };
        if let Some((package, version)) = stem.split_once('-') {
            found.insert(normalized(package), version.to_owned());
        }
    }
    Ok(found)
}

/// What differs between a lock and what is installed. `torch` decides whether torch's own packages are the lock's or the backend's.
///
/// Nothing where the lock cannot be read for this machine: uv knows it, we do not.
pub fn differences(venv: &Venv, lock: &str, backend: &TorchBackend) -> Result<Vec<Difference>, PythonError> {
    let installed = of(venv)?;
    let wanted = match (Lock::parse(lock), venv.version().and_then(|version| lockfile::this_machine(&version))) {
        (Ok(lock), Some(machine)) => lock.wanted(&machine),
        _ => return Ok(Vec::new()),
    };
    Ok(compare(&wanted, &installed, backend))
}

fn compare(wanted: &Versions, installed: &Installed, backend: &TorchBackend) -> Vec<Difference> {
    let of_backend = |package: &str| *backend != TorchBackend::Index && torch::comes_with_torch(package);
    let mut found = Vec::new();
    for (package, locked) in wanted {
        let there = installed.get(package);
        let fits = match (locked, there) {
            (_, None) => of_backend(package),
            (None, Some(_)) => true,
            (Some(locked), Some(there)) => of_backend(package) || same_version(locked, there, torch::is_torch(package)),
        };
        if !fits {
            let locked = Some(locked.clone().unwrap_or_default());
            found.push(Difference { package: package.clone(), locked, installed: there.cloned() });
        }
    }
    for (package, version) in installed {
        if !wanted.contains_key(package) && !SEEDS.contains(&package.as_str()) && !of_backend(package) {
            let installed = Some(version.clone());
            found.push(Difference { package: package.clone(), locked: None, installed });
        }
    }
    found.sort();
    found
}

/// torch's build (`+cu128`) is a fact of the machine and of no lock.
fn same_version(locked: &str, installed: &str, without_build: bool) -> bool {
    // A folder's name has `_` where a version has `-`.
    let installed = installed.replace('_', "-");
    match (Version::from_str(locked), Version::from_str(&installed)) {
        (Ok(locked), Ok(installed)) if without_build => locked.without_local() == installed.without_local(),
        (Ok(locked), Ok(installed)) => locked == installed,
        _ => locked == installed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(wanted: &[(&str, &str)], installed: &[(&str, &str)], backend: &str) -> Vec<String> {
        let wanted = wanted.iter().map(|(name, version)| ((*name).to_owned(), Some((*version).to_owned()))).collect();
        let installed = installed.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect();
        compare(&wanted, &installed, &backend.parse().unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let found = said(
            &[("a", "1.0"), ("b", "2.0"), ("c", "1.0.0")],
            &[("a", "1.1"), ("c", "1.0"), ("d", "4"), ("pip", "25")],
            "none",
        );
        assert_eq!(
            found,
            ["a is 1.1, locked is 1.0", "b 2.0 is not installed", "d 4 is installed, and not in uv.lock"]
        );
    }

    #[test]
    fn what_a_torch_backend_brings_is_its_own_business() {
        let wanted = [("torch", "2.9.0"), ("nvidia-cublas-cu12", "12.8"), ("triton", "3.5")];
        let installed = [("torch", "2.9.0+rocm6.4"), ("pytorch-triton-rocm", "3.5.0")];
        assert!(said(&wanted, &installed, "rocm6.4").is_empty());
        assert_eq!(said(&wanted, &[("torch", "2.8.0+cpu")], "cpu"), ["torch is 2.8.0+cpu, locked is 2.9.0"]);
        assert_eq!(said(&wanted, &installed, "none").len(), 3);
    }

    #[test]
    fn packages_are_found_by_their_folders() {
        let dir = tempfile::tempdir().unwrap();
        let venv = Venv::at(dir.path());
        std::fs::write(dir.path().join("pyvenv.cfg"), "home = /x\nversion_info = 3.11.7\n").unwrap();
        let site = match cfg!(windows) {
            true => dir.path().join("Lib/site-packages"),
            false => dir.path().join("lib/python3.11/site-packages"),
        };
        for name in ["Foo_Bar-1.0.dist-info", "torch-2.9.0+cu128.dist-info", "foo_bar", "x.egg-link"] {
            std::fs::create_dir_all(site.join(name)).unwrap();
        }
        let found = of(&venv).unwrap();
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("foo-bar".to_owned(), "1.0".to_owned()), ("torch".to_owned(), "2.9.0+cu128".to_owned())]
        );
    }
}
