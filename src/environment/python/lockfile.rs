//! `uv.lock` as values: which versions this machine gets. Source: uv's documentation of the lock file, and files that it wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder, MarkerTree};
use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::requirements::normalized;
use crate::environment::manifest::Manifest;

/// What uv resolved, for every machine.
#[derive(Debug, Clone, Default)]
pub struct Lock {
    packages: Vec<Package>,
    /// What it was resolved for.
    asked: Asked,
}

/// What a manifest asks for, or a lock was made for, in a form that compares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    python: String,
    /// By group, the project's own under the empty name.
    groups: BTreeMap<String, BTreeSet<String>>,
    constraints: BTreeSet<String>,
}

impl Asked {
    /// What the manifest asks for.
    pub fn of_manifest(manifest: &Manifest) -> Self {
        let plain = |texts: Vec<String>| texts.iter().map(|text| plain_requirement(text)).collect::<BTreeSet<_>>();
        let groups = manifest.groups().into_iter().map(|(name, texts)| (name, plain(texts)));
        let own = (String::new(), plain(manifest.comfyui_requirements()));
        Asked {
            python: plain_specifiers(manifest.requires_python().unwrap_or_default()),
            groups: groups.chain([own]).filter(|(_, texts)| !texts.is_empty()).collect(),
            constraints: plain(manifest.constraints()),
        }
    }

    fn of_lock(document: &DocumentMut) -> Self {
        let list = |item: Option<&Item>| -> BTreeSet<String> {
            let tables = item.and_then(Item::as_array).into_iter().flatten().filter_map(Value::as_inline_table);
            tables.map(plain_metadata).collect()
        };
        let packages = document.get("package").and_then(Item::as_array_of_tables);
        let project = packages.into_iter().flatten().find(|table| package(*table).is_project);
        let metadata = project.and_then(|table| table.get("metadata")).and_then(Item::as_table_like);
        let groups = metadata.and_then(|table| table.get("requires-dev")).and_then(Item::as_table_like);
        let groups =
            groups.into_iter().flat_map(|table| table.iter()).map(|(name, item)| (name.to_owned(), list(Some(item))));
        let own = (String::new(), list(metadata.and_then(|table| table.get("requires-dist"))));
        let python = document.get("requires-python").and_then(Item::as_str).unwrap_or_default();
        Asked {
            python: plain_specifiers(python),
            groups: groups.chain([own]).filter(|(_, texts)| !texts.is_empty()).collect(),
            constraints: list(document.get("manifest").and_then(|manifest| manifest.get("constraints"))),
        }
    }
}

/// `name specifiers`: extras, markers and URLs are written in too many ways to compare.
fn plain_requirement(text: &str) -> String {
    match text.parse::<pep508_rs::Requirement<pep508_rs::VerbatimUrl>>() {
        Ok(found) => match &found.version_or_url {
            Some(pep508_rs::VersionOrUrl::VersionSpecifier(specifiers)) => {
                format!("{} {}", found.name, plain_specifiers(&specifiers.to_string()))
            }
            _ => format!("{} ", found.name),
        },
        Err(_) => text.to_owned(),
    }
}

fn plain_metadata(table: &toml_edit::InlineTable) -> String {
    let text = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", normalized(text("name")), plain_specifiers(text("specifier")))
}

fn plain_specifiers(text: &str) -> String {
    let mut parts: Vec<String> = text.split(',').map(|part| part.split_whitespace().collect()).collect();
    parts.sort();
    parts.join(",")
}

#[derive(Debug, Clone, Default)]
struct Package {
    name: String,
    /// Absent where only its files tell it.
    version: Option<String>,
    /// True for the project itself.
    is_project: bool,
    wants: Vec<Want>,
    /// By the name of the extra.
    extras: BTreeMap<String, Vec<Want>>,
    /// Of the project: by the name of the dependency group.
    groups: BTreeMap<String, Vec<Want>>,
}

#[derive(Debug, Clone)]
struct Want {
    name: String,
    /// Named where there are several.
    version: Option<String>,
    extras: Vec<String>,
    marker: Option<String>,
}

/// A text that is no lock that uv wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("uv.lock cannot be read: {0}")]
pub struct NotALock(pub String);

/// Packages by their plain name, with the version that is locked; nothing where only the package's files tell it.
pub type Versions = BTreeMap<String, Option<String>>;

impl Lock {
    /// Reads a lock.
    pub fn parse(text: &str) -> Result<Self, NotALock> {
        let document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| NotALock(error.message().trim().to_owned()))?;
        match document.get("version").and_then(Item::as_integer) {
            Some(1) => {}
            Some(other) => return Err(NotALock(format!("it is of version {other}, which only a newer Comfrey knows"))),
            None => return Err(NotALock("it has no version".to_owned())),
        }
        let packages = document.get("package").and_then(Item::as_array_of_tables);
        let asked = Asked::of_lock(&document);
        Ok(Lock { packages: packages.into_iter().flatten().map(|table| package(table)).collect(), asked })
    }

    /// What a machine like `on` gets: the project's dependencies, all groups, and what these need.
    pub fn wanted(&self, on: &MarkerEnvironment) -> Versions {
        let mut found = Versions::new();
        let mut seen: BTreeSet<(usize, String)> = BTreeSet::new();
        let project = self.packages.iter().find(|package| package.is_project);
        let mut open: Vec<&Want> = project
            .into_iter()
            .flat_map(|project| project.wants.iter().chain(project.groups.values().flatten()))
            .collect();
        while let Some(want) = open.pop() {
            if !want.holds(on) {
                continue;
            }
            let fits = |package: &&(usize, &Package)| {
                package.1.name == want.name && (want.version.is_none() || want.version == package.1.version)
            };
            let Some((index, package)) =
                self.packages.iter().enumerate().collect::<Vec<_>>().into_iter().find(|p| fits(&p))
            else {
                continue;
            };
            if package.is_project {
                continue;
            }
            found.insert(package.name.clone(), package.version.clone());
            if seen.insert((index, String::new())) {
                open.extend(&package.wants);
            }
            for extra in &want.extras {
                if seen.insert((index, extra.clone())) {
                    open.extend(package.extras.get(extra).into_iter().flatten());
                }
            }
        }
        found
    }

    /// True when it was made for what this manifest asks for.
    pub fn follows(&self, manifest: &Manifest) -> bool {
        self.asked == Asked::of_manifest(manifest)
    }

    /// Every package that it holds, for whatever machine.
    pub fn names(&self) -> BTreeSet<&str> {
        self.packages.iter().filter(|package| !package.is_project).map(|package| package.name.as_str()).collect()
    }
}

impl Want {
    fn holds(&self, on: &MarkerEnvironment) -> bool {
        let Some(marker) = &self.marker else { return true };
        // What is not understood is wanted: to miss it is told, to have it too much is not.
        MarkerTree::from_str(marker).map_or(true, |marker| marker.evaluate(on, &[]))
    }
}

fn package(table: &dyn TableLike) -> Package {
    let text = |key: &str| table.get(key).and_then(Item::as_str).map(str::to_owned);
    let source = table.get("source").and_then(Item::as_table_like);
    let is_here = |key: &str| source.and_then(|source| source.get(key)).and_then(Item::as_str) == Some(".");
    let by_name = |key: &str| {
        let tables = table.get(key).and_then(Item::as_table_like);
        let lists = tables.into_iter().flat_map(|tables| tables.iter());
        lists.map(|(name, list)| (name.to_owned(), wants(list))).collect()
    };
    Package {
        name: normalized(&text("name").unwrap_or_default()),
        version: text("version"),
        is_project: is_here("virtual") || is_here("editable") || is_here("directory"),
        wants: table.get("dependencies").map(wants).unwrap_or_default(),
        extras: by_name("optional-dependencies"),
        groups: by_name("dev-dependencies"),
    }
}

fn wants(list: &Item) -> Vec<Want> {
    let tables = list.as_array().into_iter().flatten().filter_map(Value::as_inline_table);
    let want = |table: &toml_edit::InlineTable| {
        let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
        let extras = table.get("extra").and_then(Value::as_array).into_iter().flatten();
        Some(Want {
            name: normalized(&text("name")?),
            version: text("version"),
            extras: extras.filter_map(Value::as_str).map(str::to_owned).collect(),
            marker: text("marker"),
        })
    };
    tables.filter_map(want).collect()
}

/// This machine with a CPython of `version` (`3.11.7`), as markers see it. Nothing is run for it.
pub fn this_machine(version: &str) -> Option<MarkerEnvironment> {
    let short: String = version.split('.').take(2).collect::<Vec<_>>().join(".");
    let (os_name, sys_platform, platform_system) = match std::env::consts::OS {
        "windows" => ("nt", "win32", "Windows"),
        "macos" => ("posix", "darwin", "Darwin"),
        "linux" => ("posix", "linux", "Linux"),
        other => ("posix", other, other),
    };
    // As the systems call it.
    let platform_machine = match (std::env::consts::ARCH, std::env::consts::OS) {
        ("x86_64", "windows") => "AMD64",
        ("aarch64", "windows") => "ARM64",
        ("aarch64", "macos") => "arm64",
        (other, _) => other,
    };
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: version,
        os_name,
        platform_machine,
        platform_python_implementation: "CPython",
        platform_release: "",
        platform_system,
        platform_version: "",
        python_full_version: version,
        python_version: &short,
        sys_platform,
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "comfrey-env-demo"
version = "1.0.0"
source = { virtual = "." }
dependencies = [
    { name = "torch" },
    { name = "foo", extra = ["fast"] },
    { name = "old", version = "1.0", source = { registry = "x" }, marker = "python_full_version < '3.11'" },
    { name = "old", version = "2.0", source = { registry = "x" }, marker = "python_full_version >= '3.11'" },
]

[package.dev-dependencies]
node-a = [{ name = "Only_Windows", marker = "sys_platform == 'no-such-system'" }, { name = "local" }]

[[package]]
name = "foo"
version = "2.0"
dependencies = [{ name = "bar" }]

[package.optional-dependencies]
fast = [{ name = "speed" }]
slow = [{ name = "snail" }]

[[package]]
name = "bar"
version = "1.5"
dependencies = [{ name = "foo" }]

[[package]]
name = "speed"
version = "3"

[[package]]
name = "snail"
version = "3"

[[package]]
name = "only-windows"
version = "1"

[[package]]
name = "old"
version = "1.0"

[[package]]
name = "old"
version = "2.0"

[[package]]
name = "local"
source = { git = "https://example.org/x" }

[[package]]
name = "torch"
version = "2.9.0"
"#;

    #[test]
    fn what_this_machine_gets_follows_from_markers_extras_and_groups() {
        let lock = Lock::parse(LOCK).unwrap();
        let on = this_machine("3.11.7").unwrap();
        let wanted: Vec<String> = lock
            .wanted(&on)
            .into_iter()
            .map(|(name, version)| format!("{name} {}", version.unwrap_or_default()))
            .collect();
        assert_eq!(wanted, ["bar 1.5", "foo 2.0", "local ", "old 2.0", "speed 3", "torch 2.9.0"]);
        assert!(lock.names().contains("only-windows") && !lock.names().contains("comfrey-env-demo"));
    }

    #[test]
    fn a_lock_follows_a_manifest_until_someone_asks_for_something_else() {
        let manifest = |text: &str| {
            let text = format!("[project]\nname = \"comfrey-env-demo\"\nrequires-python = \">=3.10\"\n{text}");
            Manifest::parse(&text).unwrap()
        };
        let lock = Lock::parse(
            "version = 1\nrequires-python = \">=3.10\"\n[manifest]\nconstraints = [{ name = \"foo\", specifier = \"<3\" }]\n\
             [[package]]\nname = \"comfrey-env-demo\"\nsource = { virtual = \".\" }\n[package.metadata]\n\
             requires-dist = [{ name = \"torch\" }, { name = \"Foo-bar\", specifier = \">=1,<2\", marker = \"x\" }]\n\
             [package.metadata.requires-dev]\nnode-a = [{ name = \"clip\", git = \"https://example.org/clip\" }]\n",
        )
        .unwrap();
        const SAME: &str = "dependencies = [\"torch\", \"foo_bar < 2, >= 1 ; python_version > '3'\"]\n\
            [dependency-groups]\nnode-a = [\"clip @ git+https://example.org/clip\"]\nempty = []\n\
            [tool.uv]\nconstraint-dependencies = [\"foo<3\"]\n";
        assert!(lock.follows(&manifest(SAME)));
        for (old, new) in [("torch", "torch==2"), ("node-a", "node-b"), ("foo<3", "foo<4"), ("< 2", "< 3")] {
            assert!(!lock.follows(&manifest(&SAME.replace(old, new))), "{new}");
        }
    }

    #[test]
    fn what_is_no_lock_is_said() {
        for text in ["", "version = 2\n", "version = 1\n[["] {
            assert!(Lock::parse(text).is_err(), "{text}");
        }
        assert!(Lock::parse("version = 1\n").unwrap().names().is_empty());
    }
}
