//! `comfrey.toml`: what a workspace is set to. Written by people and by `comfrey config`; comments and unknown
//! keys survive every edit.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml_edit::{Array, Document, DocumentMut, Item, Table, TableLike, Value};

use crate::store::LinkPolicy;

use super::name::EnvironmentName;

/// A setting that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Active,
    Author,
    CatalogSources,
    ModelFolders,
    ExtraPaths,
    RegistryUrl,
    StoreModels,
}

/// Whether a setting holds one value or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    One,
    Many,
}

impl Key {
    /// Every setting, in the order in which they are listed.
    pub const ALL: [Key; 7] = [
        Key::Active,
        Key::Author,
        Key::CatalogSources,
        Key::ModelFolders,
        Key::ExtraPaths,
        Key::RegistryUrl,
        Key::StoreModels,
    ];

    /// Its name as written on a command line: the path in the file, joined by dots.
    pub fn name(self) -> &'static str {
        match self {
            Key::Active => "active",
            Key::Author => "author",
            Key::CatalogSources => "catalog.sources",
            Key::ModelFolders => "models.folders",
            Key::ExtraPaths => "models.extra_paths",
            Key::RegistryUrl => "registry.url",
            Key::StoreModels => "store.models",
        }
    }

    /// One line on what it is for.
    pub fn about(self) -> &'static str {
        match self {
            Key::Active => "the environment that commands work on when none is named",
            Key::Author => "who snapshots are recorded as, such as `Ann <ann@example.org>`",
            Key::CatalogSources => "addresses and files of the lists that `catalog update` reads",
            Key::ModelFolders => "folders that hold model files, each with checkpoints/, loras/ and so on",
            Key::ExtraPaths => {
                "further files like extra_model_paths.yaml, as given to ComfyUI by --extra-model-paths-config"
            }
            Key::RegistryUrl => "the address of the registry of custom nodes",
            Key::StoreModels => "how the store holds large files: auto, reflink, hardlink, copy or reference",
        }
    }

    /// What holds when it is not set, as text.
    pub fn default(self) -> Option<&'static str> {
        match self {
            Key::StoreModels => Some("auto"),
            Key::RegistryUrl => Some(crate::net::comfy_registry::DEFAULT_BASE),
            Key::Active | Key::Author | Key::CatalogSources | Key::ModelFolders | Key::ExtraPaths => None,
        }
    }

    pub fn shape(self) -> Shape {
        if matches!(self, Key::CatalogSources | Key::ModelFolders | Key::ExtraPaths) { Shape::Many } else { Shape::One }
    }

    fn path(self) -> Vec<&'static str> {
        self.name().split('.').collect()
    }
}

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        Key::ALL.into_iter().find(|key| key.name() == text).ok_or_else(|| UnknownKey(text.to_owned()))
    }
}

/// A key that no version of this program knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a setting")]
pub struct UnknownKey(pub String);

/// Why a settings file cannot be used. `line` counts from 1.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}:{line}: {reason}", path.display())]
    Syntax { path: PathBuf, line: usize, reason: String },
    #[error("{}:{line}: `{key}` {reason}", path.display())]
    Value { path: PathBuf, line: usize, key: &'static str, reason: String },
    /// A value to be set, not one in the file.
    #[error("`{key}` {reason}")]
    Given { key: &'static str, reason: String },
    #[error("`{key}` holds one value; {given} are given")]
    Count { key: &'static str, given: usize },
}

/// What the file says, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub active: Option<EnvironmentName>,
    pub author: Option<String>,
    /// As written: addresses, and paths that may be relative to the workspace.
    pub catalog_sources: Vec<String>,
    /// As written: may be relative to the workspace, may begin with `~`.
    pub model_folders: Vec<String>,
    /// As written, like those.
    pub extra_paths: Vec<String>,
    pub registry_url: Option<String>,
    pub store_models: Option<LinkPolicy>,
}

/// The file: its text, what it says, and what in it is not understood.
#[derive(Debug, Clone)]
pub struct Config {
    path: PathBuf,
    document: DocumentMut,
    settings: Settings,
    warnings: Vec<String>,
}

impl Config {
    /// Reads the file at `path`. An absent file is an empty one: a workspace is its `.comfrey` folder.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Io { path: path.to_owned(), source }),
        };
        Self::parse(path, &text)
    }

    /// Checks `text`, which stands (or will stand) in the file at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let reader = Reader { path, text };
        let document = Document::parse(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: reader.line(error.span()),
            reason: error.message().lines().next().unwrap_or_default().to_owned(),
        })?;
        let settings = reader.settings(document.as_table())?;
        let warnings = reader.unknown(document.as_table());
        Ok(Config { path: path.to_owned(), settings, warnings, document: document.into_mut() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A line for every key that is not understood, with its place.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The file's text.
    pub fn text(&self) -> String {
        self.document.to_string()
    }

    /// What is set for `key`; empty when nothing is.
    pub fn get(&self, key: Key) -> Vec<String> {
        let one = |value: Option<String>| value.into_iter().collect();
        match key {
            Key::Active => one(self.settings.active.as_ref().map(ToString::to_string)),
            Key::Author => one(self.settings.author.clone()),
            Key::CatalogSources => self.settings.catalog_sources.clone(),
            Key::ModelFolders => self.settings.model_folders.clone(),
            Key::ExtraPaths => self.settings.extra_paths.clone(),
            Key::RegistryUrl => one(self.settings.registry_url.clone()),
            Key::StoreModels => one(self.settings.store_models.map(|policy| policy_name(policy).to_owned())),
        }
    }

    /// This file with `key` set to `values`, checked. One value is wanted for [`Shape::One`].
    pub fn with(&self, key: Key, values: &[String]) -> Result<Self, ConfigError> {
        let mut document = self.document.clone();
        let value = match (key.shape(), values) {
            (Shape::One, [value]) => Value::from(value.as_str()),
            (Shape::One, _) => {
                return Err(ConfigError::Count { key: key.name(), given: values.len() });
            }
            (Shape::Many, values) => Value::Array(array(values)),
        };
        put(document.as_table_mut(), &key.path(), value);
        Self::parse(&self.path, &document.to_string()).map_err(|error| match error {
            // The file was right before, so the place in it says nothing.
            ConfigError::Value { key, reason, .. } => ConfigError::Given { key, reason },
            other => other,
        })
    }

    /// This file without `key`.
    pub fn without(&self, key: Key) -> Result<Self, ConfigError> {
        let mut document = self.document.clone();
        let path = key.path();
        if let [table, name] = path[..] {
            if let Some(table) = document.get_mut(table).and_then(Item::as_table_like_mut) {
                table.remove(name);
            }
        } else {
            document.remove(path[0]);
        }
        Self::parse(&self.path, &document.to_string())
    }
}

const POLICIES: [(LinkPolicy, &str); 5] = [
    (LinkPolicy::Auto, "auto"),
    (LinkPolicy::Reflink, "reflink"),
    (LinkPolicy::Hardlink, "hardlink"),
    (LinkPolicy::Copy, "copy"),
    (LinkPolicy::Reference, "reference"),
];

fn policy_named(text: &str) -> Option<LinkPolicy> {
    POLICIES.iter().find(|(_, name)| *name == text).map(|(policy, _)| *policy)
}

fn policy_name(policy: LinkPolicy) -> &'static str {
    POLICIES.iter().find(|(known, _)| *known == policy).map_or("auto", |(_, name)| name)
}

/// One value a line, so that a person can add to it.
fn array(values: &[String]) -> Array {
    let mut array: Array = values.iter().map(String::as_str).collect();
    if values.len() > 1 {
        for value in array.iter_mut() {
            value.decor_mut().set_prefix("\n    ");
        }
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    array
}

/// Sets the value at `path`, keeping the comments around an older one.
fn put(table: &mut Table, path: &[&str], value: Value) {
    let (table, name): (&mut dyn TableLike, &str) = match path {
        [section, name] => {
            let section = table.entry(section).or_insert_with(|| {
                // Written as it is called: `store.models = …`.
                let mut table = Table::new();
                table.set_dotted(true);
                Item::Table(table)
            });
            match section.as_table_like_mut() {
                Some(table) => (table, name),
                // Something that is no table stands there: the check that follows says so.
                None => return,
            }
        }
        _ => (table, path[0]),
    };
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(name, Item::Value(value));
        }
    }
}

/// Where in the text something stands, if that is known.
type Span = Option<Range<usize>>;

/// Reads values with their places.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn line(&self, span: Span) -> usize {
        let start = span.map_or(0, |span| span.start).min(self.text.len());
        self.text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    fn wrong(&self, key: Key, span: Span, reason: impl Into<String>) -> ConfigError {
        let line = self.line(span);
        ConfigError::Value { path: self.path.to_owned(), line, key: key.name(), reason: reason.into() }
    }

    /// The item of `key`, if there is one.
    fn item<'t>(&self, table: &'t Table, key: Key) -> Result<Option<&'t Item>, ConfigError> {
        match key.path()[..] {
            [section, name] => match table.get(section) {
                None => Ok(None),
                Some(item) => match item.as_table_like() {
                    Some(table) => Ok(table.get(name)),
                    None => Err(self.wrong(key, item.span(), format!("needs `{section}` to be a table"))),
                },
            },
            _ => Ok(table.get(key.name())),
        }
    }

    fn text_of(&self, table: &Table, key: Key) -> Result<Option<(String, Span)>, ConfigError> {
        let Some(item) = self.item(table, key)? else { return Ok(None) };
        match item.as_str() {
            Some(text) => Ok(Some((text.to_owned(), item.span()))),
            None => Err(self.wrong(key, item.span(), format!("is {}; text in quotes is wanted", kind(item)))),
        }
    }

    fn settings(&self, table: &Table) -> Result<Settings, ConfigError> {
        let active = match self.text_of(table, Key::Active)? {
            Some((text, span)) => Some(
                EnvironmentName::new(text).map_err(|e| self.wrong(Key::Active, span, format!("is no name: {e}")))?,
            ),
            None => None,
        };
        let store_models = match self.text_of(table, Key::StoreModels)? {
            Some((text, span)) => Some(policy_named(&text).ok_or_else(|| {
                let reason = format!("is `{text}`; auto, reflink, hardlink, copy or reference is wanted");
                self.wrong(Key::StoreModels, span, reason)
            })?),
            None => None,
        };
        Ok(Settings {
            active,
            author: self.text_of(table, Key::Author)?.map(|(text, _)| text),
            catalog_sources: self.paths(table, Key::CatalogSources, "addresses and files")?,
            model_folders: self.paths(table, Key::ModelFolders, "folders")?,
            extra_paths: self.paths(table, Key::ExtraPaths, "files")?,
            registry_url: match self.text_of(table, Key::RegistryUrl)? {
                Some((text, span)) if !crate::net::address::is_url(&text) => {
                    let reason = "is no address; https://… is wanted";
                    return Err(self.wrong(Key::RegistryUrl, span, reason));
                }
                other => other.map(|(text, _)| text),
            },
            store_models,
        })
    }

    fn paths(&self, table: &Table, key: Key, what: &str) -> Result<Vec<String>, ConfigError> {
        let Some(item) = self.item(table, key)? else { return Ok(Vec::new()) };
        let Some(array) = item.as_array() else {
            return Err(self.wrong(key, item.span(), format!("is {}; a list of {what} is wanted", kind(item))));
        };
        let mut folders = Vec::new();
        for value in array {
            match value.as_str() {
                Some(text) if !text.is_empty() => folders.push(text.to_owned()),
                Some(_) => return Err(self.wrong(key, value.span(), "holds an empty path")),
                None => return Err(self.wrong(key, value.span(), "holds something that is no path in quotes")),
            }
        }
        Ok(folders)
    }

    /// Keys that no [`Key`] has, one line each.
    fn unknown(&self, table: &Table) -> Vec<String> {
        let mut found = Vec::new();
        for (name, item) in table {
            let section = Key::ALL.iter().any(|key| matches!(key.path()[..], [first, _] if first == name));
            match item.as_table_like() {
                Some(inner) if section => {
                    for (below, item) in inner.iter() {
                        self.note_unknown(&mut found, format!("{name}.{below}"), item);
                    }
                }
                _ => self.note_unknown(&mut found, name.to_owned(), item),
            }
        }
        found
    }

    fn note_unknown(&self, found: &mut Vec<String>, name: String, item: &Item) {
        if Key::from_str(&name).is_err() {
            let line = self.line(item.span());
            found.push(format!("{}:{line}: `{name}` is not a setting; it is kept as it is", self.path.display()));
        }
    }
}

fn kind(item: &Item) -> &'static str {
    match item {
        Item::Value(Value::String(_)) => "text",
        Item::Value(Value::Integer(_) | Value::Float(_)) => "a number",
        Item::Value(Value::Boolean(_)) => "true or false",
        Item::Value(Value::Datetime(_)) => "a date",
        Item::Value(Value::Array(_)) => "a list",
        _ => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("comfrey.toml"), text)
    }

    const HAND_WRITTEN: &str = "# mine\nactive = \"demo\" # the good one\nfuture = 1\n\n[models]\n# both disks\nfolders = [\"/a\", \"~/b\"]\n\n[else]\nx = 2\n";

    #[test]
    fn a_file_written_by_hand_is_read_and_what_is_unknown_is_named_with_its_line() {
        let config = parse(HAND_WRITTEN).unwrap();
        assert_eq!(config.settings().active.as_ref().unwrap().as_str(), "demo");
        assert_eq!(config.settings().model_folders, ["/a", "~/b"]);
        let expected = ["comfrey.toml:3: `future`", "comfrey.toml:9: `else`"];
        assert_eq!(config.warnings().len(), 2);
        for (warning, start) in config.warnings().iter().zip(expected) {
            assert!(warning.starts_with(start), "{warning}");
        }
    }

    #[test]
    fn edits_keep_comments_order_and_unknown_keys() {
        let config = parse(HAND_WRITTEN).unwrap();
        let changed = config.with(Key::Active, &["other".into()]).unwrap();
        assert_eq!(changed.text(), HAND_WRITTEN.replace("demo", "other"));
        let added = changed.with(Key::StoreModels, &["copy".into()]).unwrap();
        assert_eq!(added.text(), changed.text().replace("future = 1\n", "future = 1\nstore.models = \"copy\"\n"));
        assert_eq!(added.settings().store_models, Some(LinkPolicy::Copy));
        assert_eq!(added.without(Key::StoreModels).unwrap().get(Key::StoreModels), [""; 0]);
        let folders = config.with(Key::ModelFolders, &["/a".into(), "/c".into()]).unwrap();
        assert!(folders.text().contains("# both disks"), "{}", folders.text());
        assert_eq!(folders.settings().model_folders, ["/a", "/c"]);
    }

    #[test]
    fn an_empty_file_takes_every_setting() {
        let mut config = parse("").unwrap();
        config = config.with(Key::ModelFolders, &["/m".into()]).unwrap();
        config = config.with(Key::Author, &["Ann".into()]).unwrap();
        config = config.with(Key::Active, &["demo".into()]).unwrap();
        assert_eq!(config.text(), "models.folders = [\"/m\"]\nauthor = \"Ann\"\nactive = \"demo\"\n");
    }

    #[test]
    fn wrong_values_are_named_with_file_and_line() {
        let wrong = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            wrong("# c\n[store]\nmodels = \"move\"\n"),
            "comfrey.toml:3: `store.models` is `move`; auto, reflink, hardlink, copy or reference is wanted"
        );
        assert_eq!(wrong("active = 3\n"), "comfrey.toml:1: `active` is a number; text in quotes is wanted");
        assert!(wrong("active = \"a/b\"\n").starts_with("comfrey.toml:1: `active` is no name:"));
        assert!(wrong("models = 1\n").starts_with("comfrey.toml:1: `models.folders` needs `models` to be a table"));
        assert!(wrong("[models]\nfolders = \"/a\"\n").contains("a list of folders is wanted"));
        assert!(wrong("a = 1\nb = = 2\n").starts_with("comfrey.toml:2: "), "{}", wrong("a = 1\nb = = 2\n"));
    }
}
