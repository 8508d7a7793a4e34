//! Two manifests and the one that both came from: merged by table and key on the text of ours, so that its comments and its order stay.
//!
//! Lists of requirements are merged by package, other lists of texts by entry. What the tables of nodes, workflows and models say
//! depends on which files are taken: who merges those says it entry by entry.

use std::collections::BTreeMap;

use toml_edit::{Item, TableLike, Value};

use crate::history::three_way::{Pick, Side, pick, pick_by};

use super::Manifest;
use super::comfyui::package;
use super::edit::{flag, in_order, keep_only, same_item, take};
use super::requirements::set_list;

/// A value that both changed, and not alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// Its keys, with points; of a requirement in a list the package behind a space.
    pub key: String,
    /// As they are written; nothing where there is none.
    pub base: Option<String>,
    pub ours: Option<String>,
    pub theirs: Option<String>,
}

/// Tables whose entries follow what was chosen for the files that they are about.
const FOLLOWS: [&str; 4] =
    ["tool.comfrey.nodes", "tool.comfrey.workflows", "tool.comfrey.models", "tool.comfrey.environment"];

/// What an environment is called is its own affair.
const OUR_OWN: [&str; 2] = ["project.name", "project.version"];

impl Manifest {
    /// Merges `theirs` into this one. Left alone are the entries of nodes, workflows, models and of ComfyUI itself, and the dependency
    /// groups in `settled`. `decide` is asked of what both changed.
    pub fn merge(
        &mut self,
        base: &Manifest,
        theirs: &Manifest,
        settled: &[String],
        decide: &mut dyn FnMut(&Clash) -> Side,
    ) {
        let is_settled = |path: &str| {
            let group = path.strip_prefix("dependency-groups.");
            FOLLOWS.contains(&path)
                || OUR_OWN.contains(&path)
                || group.is_some_and(|group| settled.iter().any(|settled| settled == group))
        };
        let mut merging = Merging { is_settled: &is_settled, decide };
        merging.table("", Some(base.root()), self.document_mut().as_table_mut(), Some(theirs.root()));
    }

    /// Merges one entry of `[tool.comfrey.PART]`. What both changed stays as we have it: these are facts, which a commit finds out again.
    pub fn merge_entry(&mut self, part: &str, key: &str, base: &Manifest, theirs: &Manifest) {
        let (base, theirs) = (base.entry_of(part, key), theirs.entry_of(part, key));
        let Some(ours) = self.part(part).and_then(|part| part.get_mut(key)).and_then(Item::as_table_like_mut) else {
            return;
        };
        let mut decide = |_: &Clash| Side::Ours;
        let mut merging = Merging { is_settled: &|_| false, decide: &mut decide };
        // Who does not know it any more has nothing to say of it.
        if theirs.is_some() {
            merging.table("", base, ours, theirs);
        }
    }

    /// Makes one entry of `[tool.comfrey.PART]` what it is in another manifest.
    pub fn take_entry(&mut self, part: &str, key: &str, from: &Manifest) {
        let from = from.item(&format!("tool.comfrey.{part}")).and_then(Item::as_table_like);
        let Some(part) = self.part(part) else { return };
        take(part, key, from);
        in_order(part);
    }

    /// Leaves only these entries of `[tool.comfrey.PART]`.
    pub fn keep_entries(&mut self, part: &str, keep: impl Fn(&str) -> bool) {
        if let Some(part) = self.part(part) {
            keep_only(part, |key, _| keep(key));
        }
    }

    /// Makes one dependency group what it is in another manifest.
    pub fn take_group(&mut self, name: &str, from: &Manifest) {
        let from = from.item("dependency-groups").and_then(Item::as_table_like);
        if from.is_none_or(|from| !from.contains_key(name)) {
            self.remove_group(name);
            return;
        }
        let groups = self.document_mut().as_table_mut().entry("dependency-groups").or_insert_with(toml_edit::table);
        if let Some(groups) = groups.as_table_like_mut() {
            take(groups, name, from);
            groups.sort_values();
        }
    }

    /// Makes `[tool.comfrey.environment]` what it is in another manifest.
    pub fn take_environment(&mut self, from: &Manifest) {
        let from = from.item("tool.comfrey").and_then(Item::as_table_like);
        // Made where absent, so that there is a table to put it into.
        if self.part("environment").is_none() {
            return;
        }
        let ours = self.document_mut().get_mut("tool").and_then(|tool| tool.get_mut("comfrey"));
        if let Some(ours) = ours.and_then(Item::as_table_like_mut) {
            take(ours, "environment", from);
        }
    }

    /// True when a model is kept whether a workflow uses it or not.
    pub fn is_pinned(&self, key: &str) -> bool {
        self.entry_of("models", key).is_some_and(|table| flag(table, "pinned"))
    }

    fn entry_of(&self, part: &str, key: &str) -> Option<&dyn TableLike> {
        self.item(&format!("tool.comfrey.{part}"))?.as_table_like()?.get(key)?.as_table_like()
    }
}

struct Merging<'m> {
    is_settled: &'m dyn Fn(&str) -> bool,
    decide: &'m mut dyn FnMut(&Clash) -> Side,
}

impl Merging<'_> {
    fn table(
        &mut self,
        path: &str,
        base: Option<&dyn TableLike>,
        ours: &mut dyn TableLike,
        theirs: Option<&dyn TableLike>,
    ) {
        let keys = |table: Option<&dyn TableLike>| -> Vec<String> {
            table.into_iter().flat_map(|table| table.iter()).map(|(key, _)| key.to_owned()).collect()
        };
        let of_theirs = keys(theirs);
        let gone = keys(base).into_iter().filter(|key| !of_theirs.contains(key)).collect::<Vec<_>>();
        for key in of_theirs.iter().chain(&gone) {
            let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if !(self.is_settled)(&at) {
                self.entry(&at, key, base, ours, theirs);
            }
        }
    }

    fn entry(
        &mut self,
        at: &str,
        key: &str,
        base: Option<&dyn TableLike>,
        ours: &mut dyn TableLike,
        theirs: Option<&dyn TableLike>,
    ) {
        let of = |table: Option<&dyn TableLike>| table.and_then(|table| table.get(key)).cloned();
        let (was, is, other) = (of(base), of(Some(&*ours)), of(theirs));
        let same = |a: &Option<Item>, b: &Option<Item>| match (a, b) {
            (Some(a), Some(b)) => same_item(a, b),
            (None, None) => true,
            _ => false,
        };
        let whole = |item: &Option<Item>| item.as_ref().is_none_or(|item| item.as_table_like().is_none());
        match pick_by(&was, &is, &other, same) {
            Pick::Same | Pick::From(Side::Ours) => return,
            // A table that only they changed may hold what is settled otherwise.
            Pick::From(Side::Theirs) if whole(&is) || whole(&other) => return take(ours, key, theirs),
            _ => {}
        }
        if let (Some(other), Some(ours)) =
            (other.as_ref().and_then(Item::as_table_like), ours.get_mut(key).and_then(Item::as_table_like_mut))
        {
            return self.table(at, was.as_ref().and_then(Item::as_table_like), ours, Some(other));
        }
        if let (Some(was), Some(is), Some(other)) = (texts(&was), texts(&is), texts(&other)) {
            let merged = self.list(at, &was, &is, &other);
            return set_list(ours, key, &merged);
        }
        let told = |item: &Option<Item>| item.as_ref().map(|item| item.to_string().trim().to_owned());
        let clash = Clash { key: at.to_owned(), base: told(&was), ours: told(&is), theirs: told(&other) };
        if (self.decide)(&clash) == Side::Theirs {
            take(ours, key, theirs);
        }
    }

    /// Requirements by package; what is none is a package to itself.
    fn list(&mut self, at: &str, was: &[String], is: &[String], other: &[String]) -> Vec<String> {
        type Entries<'t> = BTreeMap<String, Vec<&'t str>>;
        fn by_package(texts: &[String]) -> Entries<'_> {
            let mut found = Entries::new();
            for text in texts {
                let name = package(text);
                let name = if name.is_empty() || text.contains("://") { text.clone() } else { name };
                found.entry(name).or_default().push(text);
            }
            found
        }
        let (base, ours, theirs) = (by_package(was), by_package(is), by_package(other));
        let mut merged: Vec<String> = is.to_vec();
        let names: std::collections::BTreeSet<&String> = base.keys().chain(theirs.keys()).collect();
        for name in names {
            let of = |entries: &Entries<'_>| entries.get(name).map(|texts| texts.join(", "));
            let (was, is, other) = (of(&base), of(&ours), of(&theirs));
            let side = match pick(&was, &is, &other) {
                Pick::Same | Pick::From(Side::Ours) => continue,
                Pick::From(Side::Theirs) => Side::Theirs,
                Pick::Both => (self.decide)(&Clash { key: format!("{at} {name}"), base: was, ours: is, theirs: other }),
            };
            if side == Side::Theirs {
                let ours = ours.get(name).cloned().unwrap_or_default();
                merged.retain(|text| !ours.contains(&text.as_str()));
                merged.extend(theirs.get(name).into_iter().flatten().map(|text| (*text).to_owned()));
            }
        }
        merged
    }
}

/// The entries of a list that holds nothing but texts; none where there is no list.
fn texts(item: &Option<Item>) -> Option<Vec<String>> {
    let Some(item) = item else { return Some(Vec::new()) };
    item.as_array()?.iter().map(|value: &Value| value.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, ours: &str, theirs: &str) -> (String, Vec<String>) {
        let [base, mut ours, theirs] = [base, ours, theirs].map(|text| Manifest::parse(text).unwrap());
        let mut clashes = Vec::new();
        ours.merge(&base, &theirs, &["node-mine".to_owned()], &mut |clash| {
            let told = |text: &Option<String>| text.clone().unwrap_or_default();
            clashes.push(format!(
                "{}: {} | {} | {}",
                clash.key,
                told(&clash.base),
                told(&clash.ours),
                told(&clash.theirs)
            ));
            Side::Theirs
        });
        Manifest::parse(&ours.to_string()).unwrap();
        (ours.to_string(), clashes)
    }

    const BASE: &str = "# top\n[project]\nname = \"a\"\nrequires-python = \">=3.10\"\ndependencies = [\n    \"torch\", # as ever\n    \"numpy\",\n]\n\n\
                        [dependency-groups]\nadded = [\"rich\"]\nnode-mine = [\"x\"]\n";

    #[test]
    fn a_side_that_changed_nothing_gives_way_and_our_comments_stay() {
        let theirs = BASE
            .replace(">=3.10", ">=3.11")
            .replace("\"numpy\"", "\"numpy>=2\"")
            .replace("name = \"a\"", "name = \"b\"");
        let (text, clashes) = merged(BASE, BASE, &theirs);
        assert_eq!(clashes, Vec::<String>::new());
        assert!(text.contains("name = \"a\"") && text.contains(">=3.11"), "{text}");
        assert!(
            text.contains("\"torch\", # as ever") && text.contains("\"numpy>=2\"") && !text.contains("\"numpy\","),
            "{text}"
        );
        assert_eq!(merged(BASE, &theirs, BASE).0, theirs);
        assert_eq!(merged(BASE, &theirs, &theirs).0, theirs);
    }

    #[test]
    fn lists_are_merged_by_package_and_tables_by_key() {
        let ours = BASE.replace("\"rich\"", "\"rich\", \"ours\"").replace("\"x\"", "\"y\"");
        let theirs = BASE.replace("\"rich\"", "\"theirs\"").replace("\"x\"", "\"z\"")
            + "\n# why\n[tool.other]\nkey = 1 # because\n";
        let (text, clashes) = merged(BASE, &ours, &theirs);
        assert_eq!(clashes, Vec::<String>::new());
        let manifest = Manifest::parse(&text).unwrap();
        assert_eq!(manifest.group("added"), ["ours", "theirs"]);
        assert_eq!(manifest.group("node-mine"), ["y"], "settled elsewhere");
        assert!(text.contains("# why\n[tool.other]\nkey = 1 # because"), "{text}");
        let back = merged(BASE, &theirs, &ours).0;
        let mut added = Manifest::parse(&back).unwrap().group("added");
        added.sort();
        assert_eq!(added, ["ours", "theirs"]);
    }

    #[test]
    fn what_both_changed_is_named_by_key_and_package() {
        let ours = BASE.replace("\"numpy\"", "\"numpy<2\"").replace(">=3.10", ">=3.12");
        let theirs = BASE.replace("\"numpy\"", "\"numpy>=2\"").replace(">=3.10", ">=3.11");
        let (text, clashes) = merged(BASE, &ours, &theirs);
        assert_eq!(
            clashes,
            [
                "project.requires-python: \">=3.10\" | \">=3.12\" | \">=3.11\"",
                "project.dependencies numpy: numpy | numpy<2 | numpy>=2"
            ]
        );
        assert_eq!(Manifest::parse(&text).unwrap().comfyui_requirements(), ["torch", "numpy>=2"]);
    }
}
