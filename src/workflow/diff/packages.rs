//! Which packages, in which versions, two workflows were saved with.

use std::collections::{BTreeMap, BTreeSet};

use crate::workflow::Workflow;

use super::change::{Change, PackageDiff};

/// The packages that differ. A version is no property of one node: an update changes all of them.
pub(super) fn compare(old: &Workflow<'_>, new: &Workflow<'_>) -> Vec<PackageDiff> {
    let (old, new) = (versions(old), versions(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let of = |all: &BTreeMap<String, BTreeSet<String>>, name: &String| -> Vec<String> {
        all.get(name).into_iter().flatten().cloned().collect()
    };
    let differ = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    differ
        .map(|name| PackageDiff {
            change: match (old.contains_key(name), new.contains_key(name)) {
                (false, _) => Change::Added,
                (_, false) => Change::Removed,
                _ => Change::Changed,
            },
            package: name.clone(),
            old: of(&old, name),
            new: of(&new, name),
        })
        .collect()
}

fn versions(workflow: &Workflow<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in workflow.nodes.iter().map(|node| &node.package) {
        if let Some(name) = package.cnr_id.as_ref().or(package.aux_id.as_ref()) {
            found.entry(name.clone()).or_default().extend(package.ver.clone());
        }
    }
    found
}
