//! `[tool.comfrey.nodes]`: the custom nodes.

use std::collections::BTreeMap;

use toml_edit::{TableLike, Value};

use super::edit::{entry, flag, in_order, keep_only, set, text};
use super::{Manifest, NodeFacts, NodeSource};

impl Manifest {
    /// Every node by its key. Entries without a readable tree are left out.
    pub fn nodes(&self) -> BTreeMap<String, NodeFacts> {
        self.entries("nodes").filter_map(|(key, table)| Some((key.to_owned(), node_facts(key, table)?))).collect()
    }

    /// Makes `[tool.comfrey.nodes]` hold exactly these.
    pub fn set_nodes(&mut self, nodes: &BTreeMap<String, NodeFacts>) {
        let Some(part) = self.part("nodes") else { return };
        keep_only(part, |key, _| nodes.contains_key(key));
        for (key, facts) in nodes {
            set_node(part, key, facts);
        }
        in_order(part);
    }

    /// Makes one entry of `[tool.comfrey.nodes]` say this, and leaves the others.
    pub fn set_node(&mut self, key: &str, facts: &NodeFacts) {
        let Some(part) = self.part("nodes") else { return };
        set_node(part, key, facts);
        in_order(part);
    }

    /// Takes one entry of `[tool.comfrey.nodes]` away.
    pub fn remove_node(&mut self, key: &str) {
        if let Some(part) = self.part("nodes") {
            part.remove(key);
        }
    }
}

fn set_node(part: &mut dyn TableLike, key: &str, facts: &NodeFacts) {
    let Some(table) = entry(part, key) else { return };
    let (source, id, url) = match &facts.source {
        NodeSource::Registry { id } => ("registry", Some(id), None),
        NodeSource::Git { url, .. } => ("git", None, Some(url)),
        NodeSource::Development => ("development", None, None),
        NodeSource::Archive { url } => ("manual", None, Some(url)),
        NodeSource::Manual => ("manual", None, None),
    };
    let (reference, commit) = match &facts.source {
        NodeSource::Git { reference, commit, .. } => (reference.as_deref(), commit.as_deref()),
        _ => (None, None),
    };
    set(table, "source", Some(source.into()));
    set(table, "id", id.filter(|id| *id != key).map(|id| id.as_str().into()));
    set(table, "url", url.map(|url| url.as_str().into()));
    set(table, "ref", reference.map(Value::from));
    set(table, "commit", commit.map(Value::from));
    set(table, "version", facts.version.as_deref().map(Value::from));
    let usual = facts.path == format!("nodes/{key}");
    set(table, "path", (!usual).then(|| facts.path.as_str().into()));
    set(table, "disabled", facts.disabled.then(|| true.into()));
    set(table, "tree", Some(facts.tree.to_hex().into()));
    let edited = facts.fetched.filter(|fetched| *fetched != facts.tree);
    set(table, "fetched", edited.map(|fetched| fetched.to_hex().into()));
    set(table, "installed", facts.installed.map(|installed| installed.to_hex().into()));
}

fn node_facts(key: &str, table: &dyn TableLike) -> Option<NodeFacts> {
    let source = match text(table, "source").as_deref() {
        Some("registry") => NodeSource::Registry { id: text(table, "id").unwrap_or_else(|| key.to_owned()) },
        Some("git") => NodeSource::Git {
            url: text(table, "url").unwrap_or_default(),
            reference: text(table, "ref"),
            commit: text(table, "commit"),
        },
        Some("development") => NodeSource::Development,
        _ => text(table, "url").map_or(NodeSource::Manual, |url| NodeSource::Archive { url }),
    };
    Some(NodeFacts {
        path: text(table, "path").unwrap_or_else(|| format!("nodes/{key}")),
        source,
        version: text(table, "version"),
        disabled: flag(table, "disabled"),
        tree: text(table, "tree")?.parse().ok()?,
        fetched: text(table, "fetched").and_then(|text| text.parse().ok()),
        installed: text(table, "installed").and_then(|text| text.parse().ok()),
    })
}
