//! Which inputs of which node classes name a model file: class, input, position among the widgets, folders.
//!
//! Read from ComfyUI's node sources, version 0.3.64, for newer classes from the node definitions of frontend 1.58.1, and for
//! packages of custom nodes from their sources and from the workflows that use them.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A line an input, its parts between tabs: class, input, position, folders, what it reads, and values that stand for no file.
/// `#` begins the name of the package that the lines below it belong to. Folders stand between commas, values between `|`; `-`
/// stands for none. In an input `*` is a number; the position is then that of the first, `+`, and the distance to the next, or
/// `-` where rows are added by the user.
const TABLE: &str = include_str!("data/loaders.tsv");

static BUILT_IN: LazyLock<HashMap<&'static str, Vec<Loader>>> = LazyLock::new(|| {
    let mut loaders: HashMap<&str, Vec<Loader>> = HashMap::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.split('\t');
        let (Some(class), Some(loader)) = (parts.next(), Loader::of_line(parts)) else { continue };
        loaders.entry(class).or_default().push(loader);
    }
    loaders
});

/// Choices that stand for no file on any node.
const SENTINELS: &[&str] = &["", "None", "none", "[None]", "disabled", "Baked VAE", "Default"];

/// An input that names a model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loader {
    /// The input's name; `*` stands for a number.
    pub input: String,
    /// Where the editor keeps its value when it keeps a list.
    pub widget: WidgetIndex,
    /// Keys of the folders whose files it lists, in order; none for files that do not lie among the models.
    pub folders: Vec<String>,
    pub reads: Reads,
    /// Choices that stand for no file.
    pub sentinels: Vec<String>,
}

/// The position of a widget in `widgets_values`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WidgetIndex {
    At(usize),
    /// Of an input with a number, from 1.
    Rows {
        first: usize,
        step: usize,
    },
    /// The user adds rows, so that only names tell.
    Varies,
}

/// What stands in an input, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reads {
    #[default]
    File,
    Directory,
    Either,
    /// A file, in `content` of an object that has its picture too.
    Content,
    /// A file behind `bbox/` or `segm/`, which choose the folder whose key ends alike.
    Prefixed,
    /// A file in a row that can be switched off.
    Row,
    /// A file that the node keeps with itself and fetches where it is missing.
    Private,
    /// A file that the node fetches where it is missing.
    Fetched,
    /// A repository of a model host, fetched as a directory.
    Repository,
}

/// The inputs of a class that are known from the start.
pub fn built_in(class: &str) -> &'static [Loader] {
    BUILT_IN.get(class).map_or(&[], Vec::as_slice)
}

impl Loader {
    fn of_line<'t>(mut parts: impl Iterator<Item = &'t str>) -> Option<Loader> {
        let list = |text: &str, between| match text {
            "-" => Vec::new(),
            text => text.split(between).map(str::to_owned).collect(),
        };
        Some(Loader {
            input: parts.next()?.to_owned(),
            widget: WidgetIndex::of_text(parts.next()?)?,
            folders: list(parts.next()?, ','),
            reads: Reads::of_word(parts.next()?)?,
            sentinels: list(parts.next().unwrap_or("-"), '|'),
        })
    }

    /// True when the loader has this input.
    pub fn has_input(&self, name: &str) -> bool {
        self.input == name || self.row_of(name).is_some()
    }

    /// The number in the name of an input that the loader has in rows.
    pub fn row_of(&self, name: &str) -> Option<usize> {
        let (before, after) = self.input.split_once('*')?;
        let number = name.strip_prefix(before)?.strip_suffix(after)?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
    }

    /// True for a choice that stands for no file.
    pub fn is_sentinel(&self, value: &str) -> bool {
        is_sentinel(value) || self.sentinels.iter().any(|sentinel| sentinel == value)
    }
}

/// True for a choice that stands for no file on any node.
pub fn is_sentinel(value: &str) -> bool {
    SENTINELS.contains(&value.trim())
}

impl WidgetIndex {
    fn of_text(text: &str) -> Option<Self> {
        match text.split_once('+') {
            Some((first, step)) => Some(WidgetIndex::Rows { first: first.parse().ok()?, step: step.parse().ok()? }),
            None if text == "-" => Some(WidgetIndex::Varies),
            None => Some(WidgetIndex::At(text.parse().ok()?)),
        }
    }
}

impl Reads {
    fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "file" => Reads::File,
            "directory" => Reads::Directory,
            "either" => Reads::Either,
            "content" => Reads::Content,
            "prefixed" => Reads::Prefixed,
            "row" => Reads::Row,
            "private" => Reads::Private,
            "fetched" => Reads::Fetched,
            "repository" => Reads::Repository,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_an_input() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(BUILT_IN.values().map(Vec::len).sum::<usize>(), lines);
        assert!(lines > 220, "{lines}");
    }

    #[test]
    fn inputs_that_are_numbered_match_any_number() {
        let loader = &built_in("LoadLoraModel")[0];
        assert!(loader.has_input("loras.0.lora_name") && loader.has_input("loras.19.lora_name"));
        assert!(!loader.has_input("loras.x.lora_name") && !loader.has_input("loras..lora_name"));
        let stacker = &built_in("LoRA Stacker")[0];
        assert_eq!((stacker.widget, stacker.row_of("lora_name_3")), (WidgetIndex::Rows { first: 2, step: 4 }, Some(3)));
    }

    /// The facts were gathered by reading sources; where the gathered table is at hand, ours must agree with it.
    #[test]
    fn the_table_agrees_with_the_facts_it_was_made_from() {
        let Some(facts) = crate::catalog::reference::tests::shared_data("model-loaders.json") else { return };
        let facts: serde_json::Value = serde_json::from_slice(&std::fs::read(facts).unwrap()).unwrap();
        let texts = |value: &serde_json::Value| -> Vec<String> {
            value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let mut rows = 0;
        for fact in facts["loaders"].as_array().unwrap() {
            let reads = match fact["kind"].as_str().unwrap_or("filename") {
                "filename" | "dynamic-group" => Reads::File,
                "directory" => Reads::Directory,
                "file-or-directory" => Reads::Either,
                "dict-content" => Reads::Content,
                "typed-prefix" => Reads::Prefixed,
                "stack" => Reads::Row,
                "node-private" => Reads::Private,
                "auto-download" => Reads::Fetched,
                "hf-repo" => Reads::Repository,
                // Presets name no file; the others have readers of their own in `layouts`.
                "preset" | "ui-helper" | "loramanager-list" | "rgthree-power" => continue,
                kind => panic!("{kind}"),
            };
            let (class, input) = (fact["node"].as_str().unwrap(), fact["input"].as_str().unwrap());
            let loader = built_in(class).iter().find(|loader| loader.has_input(input)).expect(class);
            assert_eq!((loader.reads, &loader.folders), (reads, &texts(&fact["folders"])), "{class}");
            let position = match (loader.widget, loader.row_of(input)) {
                (WidgetIndex::At(at), _) => Some(at),
                (WidgetIndex::Rows { first, step }, Some(row)) => Some(first + step * (row - 1)),
                _ => None,
            };
            assert_eq!(position, fact["widget_index"].as_u64().map(|at| at as usize), "{class} {input}");
            assert!(texts(&fact["sentinels"]).iter().all(|sentinel| loader.is_sentinel(sentinel)), "{class}");
            rows += 1;
        }
        assert!(rows > 300, "{rows}");
        for (key, folder) in facts["folders"].as_object().unwrap() {
            assert_eq!(crate::catalog::folders::directories(key), texts(&folder["dirs"]), "{key}");
        }
        for (key, directories) in facts["custom_folders"].as_object().unwrap() {
            assert_eq!(crate::catalog::folders::directories(key), texts(directories), "{key}");
        }
    }
}
