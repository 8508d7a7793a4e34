//! What is installed in an environment's Python, and whether it is what the lock says.
//!
//! Only what is certain is said: a package of another version than any that the lock holds, and one that every system needs and that is
//! not there. The lock holds packages for other systems, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml_edit::{DocumentMut, Item, TableLike};

use super::super::environment::{Environment, Interpreter};
use super::super::python::torch::belongs_to_torch;
use super::finding::{Check, Finding, Severity};

/// Versions by name, which is written as PEP 503 has it.
pub type Installed = BTreeMap<String, String>;

/// The packages in a folder of packages, by the names of their `dist-info` folders.
pub fn installed(site: &Path) -> Installed {
    let entries = std::fs::read_dir(site).into_iter().flatten().flatten();
    let package = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let (name, version) = name.strip_suffix(".dist-info")?.split_once('-')?;
        Some((normal(name), version.to_owned()))
    };
    entries.filter_map(package).collect()
}

/// `Foo_Bar.baz` as `foo-bar-baz`.
fn normal(name: &str) -> String {
    let mut normal = String::new();
    for letter in name.chars().map(|letter| letter.to_ascii_lowercase()) {
        let letter = if matches!(letter, '_' | '.') { '-' } else { letter };
        if letter != '-' || !normal.ends_with('-') {
            normal.push(letter);
        }
    }
    normal
}

/// Compares with the environment's lock, where Comfrey keeps that Python.
pub fn look(environment: &Environment, installed: &Installed) -> Vec<Finding> {
    if !matches!(environment.interpreter(), Interpreter::Own(_)) {
        return Vec::new();
    }
    let path = environment.cec().join("uv.lock");
    let Ok(text) = std::fs::read_to_string(&path) else { return Vec::new() };
    let name = environment.name();
    let Ok(lock) = text.parse::<DocumentMut>() else {
        return vec![
            Finding::new(Check::Packages, Severity::Error, "uv.lock cannot be read")
                .evidence(path.display().to_string())
                .command(format!("comfrey sync -E {name}")),
        ];
    };
    let differences = differences(&lock, installed);
    if differences.is_empty() {
        return Vec::new();
    }
    const SHOWN: usize = 10;
    let message = format!("{} installed are not as the lock says", packages(differences.len()));
    let mut finding =
        Finding::new(Check::Packages, Severity::Warning, message).command(format!("comfrey sync -E {name}"));
    for line in differences.iter().take(SHOWN) {
        finding = finding.evidence(line);
    }
    if differences.len() > SHOWN {
        finding = finding.evidence(format!("and {} more", differences.len() - SHOWN));
    }
    vec![finding]
}

fn packages(count: usize) -> String {
    if count == 1 { "1 package".to_owned() } else { format!("{count} packages") }
}

/// A line a package that is not as the lock says. Torch and what comes with it are a fact of the machine, not of the lock.
fn differences(lock: &DocumentMut, installed: &Installed) -> Vec<String> {
    let mut locked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut roots = Vec::new();
    for package in lock.get("package").and_then(Item::as_array_of_tables).into_iter().flatten() {
        let Some(name) = package.get("name").and_then(Item::as_str).map(normal) else { continue };
        let is_project = package.get("source").and_then(Item::as_table_like).is_some_and(|source| {
            ["virtual", "editable"].iter().any(|key| source.get(key).and_then(Item::as_str) == Some("."))
        });
        if is_project {
            roots.push(name.clone());
        } else {
            let version = package.get("version").and_then(Item::as_str).unwrap_or_default();
            locked.entry(name.clone()).or_default().insert(version.to_owned());
        }
        let needed = needs.entry(name).or_default();
        needed.extend(unconditional(package.get("dependencies")));
        if is_project {
            let groups = package.get("dev-dependencies").and_then(Item::as_table_like);
            needed
                .extend(groups.into_iter().flat_map(TableLike::iter).flat_map(|(_, group)| unconditional(Some(group))));
        }
    }
    let mut wanted = BTreeSet::new();
    while let Some(name) = roots.pop() {
        let new = needs.get(&name).into_iter().flatten().filter(|need| wanted.insert((*need).clone()));
        roots.extend(new.cloned());
    }
    let mut lines = Vec::new();
    for (name, versions) in &locked {
        if belongs_to_torch(name) {
            continue;
        }
        match installed.get(name) {
            Some(version) if versions.iter().any(|locked| same(locked, version)) => {}
            Some(version) => {
                let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
                lines.push(format!("{name} is {version}, locked is {}", versions.join(" or ")));
            }
            None if wanted.contains(name) => lines.push(format!("{name} is not installed")),
            None => {}
        }
    }
    lines
}

/// The packages of a list of dependencies that are needed on every system.
fn unconditional(list: Option<&Item>) -> Vec<String> {
    let tables: Vec<&dyn TableLike> = match list {
        Some(Item::Value(value)) => {
            let entries = value.as_array().into_iter().flatten();
            entries.filter_map(|entry| entry.as_inline_table().map(|table| table as &dyn TableLike)).collect()
        }
        Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        _ => Vec::new(),
    };
    let always = tables.into_iter().filter(|table| table.get("marker").is_none());
    always.filter_map(|table| table.get("name").and_then(Item::as_str).map(normal)).collect()
}

/// The same version, whichever build of it.
fn same(a: &str, b: &str) -> bool {
    let plain = |version: &str| version.split('+').next().unwrap_or_default().to_owned();
    plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 1
[[package]]
name = "comfrey-env-demo"
version = "1.0.0"
source = { virtual = "." }
dependencies = [{ name = "einops" }, { name = "torch" }, { name = "pywin32", marker = "sys_platform == 'win32'" }]
[package.dev-dependencies]
node-one = [{ name = "Pillow" }]
[[package]]
name = "einops"
version = "0.8.1"
dependencies = [{ name = "deep" }]
[[package]]
name = "deep"
version = "1.0"
[[package]]
name = "pillow"
version = "11.0.0"
[[package]]
name = "pywin32"
version = "308"
[[package]]
name = "torch"
version = "2.9.1"
"#;

    #[test]
    fn only_what_is_certain_is_a_difference() {
        let lock: DocumentMut = LOCK.parse().unwrap();
        let installed = |packages: &[(&str, &str)]| -> Installed {
            packages.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
        };
        let whole =
            installed(&[("einops", "0.8.1"), ("deep", "1.0+local"), ("pillow", "11.0.0"), ("torch", "2.8.0+cpu")]);
        assert_eq!(differences(&lock, &whole), Vec::<String>::new());
        let other = installed(&[("einops", "0.7.0"), ("pip", "25")]);
        assert_eq!(
            differences(&lock, &other),
            ["deep is not installed", "einops is 0.7.0, locked is 0.8.1", "pillow is not installed"]
        );
    }

    #[test]
    fn installed_packages_are_read_from_the_names_of_folders() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["Foo_Bar-1.2.dist-info", "foo_bar", "torch-2.9.1+cu128.dist-info", "__pycache__"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let found: Vec<_> = installed(dir.path()).into_iter().collect();
        let expected = [("foo-bar", "1.2"), ("torch", "2.9.1+cu128")];
        assert_eq!(found, expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
    }
}
