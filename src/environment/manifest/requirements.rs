//! What uv resolves: `[project] dependencies` (ComfyUI's), `[dependency-groups]` (one a node, one for what the user added), and
//! `[tool.uv] constraint-dependencies`.

use std::collections::BTreeMap;

use toml_edit::{Array, Item, Table, TableLike, Value};

use super::Manifest;
use super::edit::{implicit, set};

/// The group of what the user added by hand.
pub const ADDED: &str = "added";

/// The dependency group of a node, by its key in the manifest: `node-` and its name as far as PEP 735 lets it be one.
pub fn group_of_node(node: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = node.chars().map(|c| if is_plain(c) { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<&str> = name.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect();
    let mut group = format!("node-{}", words.join("-"));
    if !node.chars().all(is_plain) || words.is_empty() {
        // Two names that differ only in what cannot stand there are two groups.
        let hash = blake3::hash(node.as_bytes()).to_hex();
        group = format!("{}-{}", group.trim_end_matches('-'), &hash[..6]);
    }
    group
}

impl Manifest {
    /// `[project] requires-python`.
    pub fn requires_python(&self) -> Option<&str> {
        self.item("project.requires-python")?.as_str()
    }

    /// Sets `[project] requires-python`, such as `>=3.11`.
    pub fn set_requires_python(&mut self, text: &str) {
        let project = self.table("project");
        set(project, "requires-python", Some(text.into()));
    }

    /// ComfyUI's own requirements: `[project] dependencies`.
    pub fn comfyui_requirements(&self) -> Vec<String> {
        self.list("project.dependencies")
    }

    /// Makes `[project] dependencies` hold exactly these.
    pub fn set_comfyui_requirements(&mut self, requirements: &[String]) {
        set_list(self.table("project"), "dependencies", requirements);
    }

    /// Every dependency group by its name, without what it includes of others.
    pub fn groups(&self) -> BTreeMap<String, Vec<String>> {
        let table = self.item("dependency-groups").and_then(Item::as_table_like);
        let names = table.into_iter().flat_map(|table| table.iter()).map(|(name, _)| name.to_owned());
        names.map(|name| (name.clone(), self.group(&name))).collect()
    }

    /// One dependency group; empty when there is none of that name.
    pub fn group(&self, name: &str) -> Vec<String> {
        let table = self.item("dependency-groups").and_then(Item::as_table_like);
        table.and_then(|table| table.get(name)).map(texts).unwrap_or_default()
    }

    /// True when there is a group of that name, even an empty one.
    pub fn has_group(&self, name: &str) -> bool {
        self.item("dependency-groups").and_then(Item::as_table_like).is_some_and(|table| table.contains_key(name))
    }

    /// Makes a dependency group hold exactly these. An empty one stays, which says that nothing is required.
    pub fn set_group(&mut self, name: &str, requirements: &[String]) {
        set_list(self.table("dependency-groups"), name, requirements);
        self.table("dependency-groups").sort_values();
    }

    /// Takes a dependency group away. True when there was one.
    pub fn remove_group(&mut self, name: &str) -> bool {
        self.has_group(name) && self.table("dependency-groups").remove(name).is_some()
    }

    /// Makes the group of a node hold exactly these. What the node requires comes from
    /// [`Requirements::of`](crate::environment::python::requirements::Requirements::of).
    pub fn set_node_requirements(&mut self, node: &str, requirements: &[String]) {
        self.set_group(&group_of_node(node), requirements);
    }

    /// Takes away the group of a node that goes.
    pub fn remove_node_requirements(&mut self, node: &str) -> bool {
        self.remove_group(&group_of_node(node))
    }

    /// What holds for every package, whoever wants it: `[tool.uv] constraint-dependencies`.
    pub fn constraints(&self) -> Vec<String> {
        self.list("tool.uv.constraint-dependencies")
    }

    /// Makes `[tool.uv] constraint-dependencies` hold exactly these.
    pub fn set_constraints(&mut self, constraints: &[String]) {
        const KEY: &str = "constraint-dependencies";
        let tool = self.document_mut().as_table_mut().entry("tool").or_insert_with(implicit);
        let Some(tool) = tool.as_table_like_mut() else { return };
        let fresh = || Item::Table(Table::new());
        let Some(uv) = tool.entry("uv").or_insert_with(fresh).as_table_like_mut() else { return };
        match constraints {
            [] => drop(uv.remove(KEY)),
            some => set_list(uv, KEY, some),
        }
        if uv.is_empty() {
            tool.remove("uv");
        }
    }

    fn list(&self, path: &str) -> Vec<String> {
        self.item(path).map(texts).unwrap_or_default()
    }

    /// A table at the top, made when absent. One that is a value was refused when the text was read.
    fn table(&mut self, name: &str) -> &mut dyn TableLike {
        let item = self.document_mut().as_table_mut().entry(name).or_insert_with(|| Item::Table(Table::new()));
        if item.as_table_like().is_none() {
            *item = Item::Table(Table::new());
        }
        match item {
            Item::Value(Value::InlineTable(table)) => table,
            Item::Table(table) => table,
            // Made a table above.
            _ => unreachable!("`{name}` is a table"),
        }
    }
}

fn texts(item: &Item) -> Vec<String> {
    let list = item.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Makes a list hold exactly these texts. Those that are in it keep their place and their comments; new ones come last. What is no text
/// (a group's `include-group`) stays.
pub(super) fn set_list(table: &mut dyn TableLike, key: &str, wanted: &[String]) {
    let Some(list) = table.get_mut(key).and_then(Item::as_array_mut) else {
        let mut list = Array::new();
        wanted.iter().for_each(|text| add(&mut list, text));
        table.insert(key, Item::Value(list.into()));
        return;
    };
    let mut at = 0;
    while at < list.len() {
        let is_wanted = match list.get(at).and_then(Value::as_str) {
            Some(text) => wanted.iter().any(|wanted| wanted == text),
            None => true,
        };
        match is_wanted {
            true => at += 1,
            false => remove(list, at),
        }
    }
    for text in wanted {
        if !list.iter().any(|value| value.as_str() == Some(text)) {
            add(list, text);
        }
    }
}

/// On a line of its own.
fn add(list: &mut Array, text: &str) {
    // A comment behind the last entry stands in what follows it.
    let after = list.trailing().as_str().unwrap_or_default().trim_end_matches([' ', '\t', '\n']).to_owned();
    let mut value = Value::from(text);
    value.decor_mut().set_prefix(format!("{after}\n    "));
    list.push_formatted(value);
    list.set_trailing("\n");
    list.set_trailing_comma(true);
}

/// Takes an entry away, and leaves the comment behind the one before it, which the text has before this one.
fn remove(list: &mut Array, at: usize) {
    let prefix = list.get(at).and_then(|value| value.decor().prefix()?.as_str().map(str::to_owned)).unwrap_or_default();
    list.remove(at);
    let Some((comment, _)) = prefix.split_once('\n').filter(|(line, _)| line.contains('#')) else { return };
    match list.get_mut(at) {
        Some(next) => {
            let own = next.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
            // What stood behind the entry that is gone goes with it.
            let own = own.find('\n').map_or(own.as_str(), |line| &own[line..]);
            let own = if own.contains('\n') { own.to_owned() } else { format!("\n{own}") };
            next.decor_mut().set_prefix(format!("{comment}{own}"));
        }
        None => list.set_trailing(format!("{comment}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_is_set_is_read_back() {
        let mut manifest = Manifest::new("demo");
        manifest.set_comfyui_requirements(&texts(&["torch", "numpy>=1"]));
        manifest.set_node_requirements("ComfyUI-Impact_Pack", &texts(&["opencv-python>=4.5"]));
        manifest.set_node_requirements("b", &[]);
        manifest.set_group(ADDED, &texts(&["rich"]));
        manifest.set_constraints(&texts(&["numpy<2"]));
        manifest.set_requires_python(">=3.11");
        let text = manifest.to_string();
        let manifest = Manifest::parse(&text).unwrap();
        assert_eq!(manifest.comfyui_requirements(), ["torch", "numpy>=1"], "{text}");
        assert_eq!(manifest.group("node-comfyui-impact-pack"), ["opencv-python>=4.5"], "{text}");
        assert_eq!(manifest.groups().into_keys().collect::<Vec<_>>(), ["added", "node-b", "node-comfyui-impact-pack"]);
        assert_eq!(manifest.constraints(), ["numpy<2"]);
        assert_eq!(manifest.requires_python(), Some(">=3.11"));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn comments_and_order_in_a_list_survive_an_edit() {
        let text = "[project]\ndependencies = [\n    \"b\", # about b\n    # above a\n    \"a>=1\",\n    'c', # about c\n    # end\n]\n\
                    [dependency-groups]\nnode-x = [\"one\", { include-group = \"y\" }] # beside\n";
        let mut manifest = Manifest::parse(text).unwrap();
        manifest.set_comfyui_requirements(&texts(&["a>=1", "b", "c"]));
        assert_eq!(manifest.to_string(), text);
        manifest.set_comfyui_requirements(&texts(&["b", "c", "d"]));
        manifest.set_group("node-x", &texts(&["two"]));
        let edited = manifest.to_string();
        for kept in
            ["\"b\", # about b\n    'c', # about c\n    # end\n    \"d\",\n]", "{ include-group = \"y\" }", "# beside"]
        {
            assert!(edited.contains(kept), "{kept} in\n{edited}");
        }
        let again = Manifest::parse(&edited).unwrap();
        assert_eq!(again.comfyui_requirements(), ["b", "c", "d"]);
        assert_eq!(again.group("node-x"), ["two"]);
    }

    #[test]
    fn what_is_taken_away_leaves_no_trace() {
        let before = Manifest::new("demo").to_string();
        let mut manifest = Manifest::parse(&before).unwrap();
        manifest.set_constraints(&texts(&["numpy<2"]));
        manifest.set_constraints(&[]);
        assert_eq!(manifest.to_string(), before);
        manifest.set_node_requirements("x", &texts(&["a"]));
        assert!(manifest.remove_node_requirements("X"));
        assert!(!manifest.remove_node_requirements("x"));
        assert!(manifest.groups().is_empty());
    }

    #[test]
    fn groups_are_named_as_pep_735_wants_it() {
        assert_eq!(group_of_node("ComfyUI_Impact.Pack"), "node-comfyui-impact-pack");
        assert_ne!(group_of_node("a b"), group_of_node("a-b"));
        for odd in ["结", "a b", "--", "x!"] {
            let group = group_of_node(odd);
            assert!(group.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !group.ends_with('-'), "{group}");
        }
    }
}
