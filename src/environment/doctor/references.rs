//! Models and nodes that workflows want and that are absent.

use std::collections::BTreeMap;

use super::super::status::Status;
use super::finding::{Check, Finding, Severity};

const SHOWN: usize = 10;

/// What `status` knows of it.
pub fn look(status: &Status) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut absent: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for open in &status.unresolved {
        absent.entry(&open.value).or_default().push(&open.workflow);
    }
    if !absent.is_empty() {
        let lines = absent.iter().map(|(value, workflows)| format!("{value}, for {}", workflows[0])).collect();
        let message =
            format!("{} that workflows use cannot be told for certain, or are absent", count(absent.len(), "model"));
        found.push(listed(
            Finding::new(Check::Models, Severity::Warning, message).command("comfrey workflow resolve"),
            lines,
        ));
    }
    if !status.models.missing.is_empty() {
        let lines = status.models.missing.iter().map(|model| model.path.clone()).collect();
        let message = format!("{} of the last version are gone", count(status.models.missing.len(), "model"));
        found.push(listed(
            Finding::new(Check::Models, Severity::Warning, message).command("comfrey rollback HEAD --dry-run"),
            lines,
        ));
    }
    if !status.missing_nodes.is_empty() {
        let lines = status.missing_nodes.iter().map(|node| match &node.package {
            Some(package) => format!("{} of {package}, for {}", node.node_type, node.workflows.join(", ")),
            None => format!("{}, for {}", node.node_type, node.workflows.join(", ")),
        });
        let message =
            format!("{} that workflows use are not installed", count(status.missing_nodes.len(), "node type"));
        let finding = Finding::new(Check::Nodes, Severity::Warning, message);
        let packages: Vec<&str> = status.missing_nodes.iter().filter_map(|node| node.package.as_deref()).collect();
        let finding = match packages.first() {
            Some(package) => finding.command(format!("comfrey node add {package}")),
            None => finding.command("comfrey workflow show"),
        };
        found.push(listed(finding, lines.collect()));
    }
    for file in &status.unreadable {
        found.push(
            Finding::new(Check::Models, Severity::Note, "a file among the workflows is none")
                .evidence(format!("{}: {}", file.path, file.reason)),
        );
    }
    found
}

fn listed(finding: Finding, lines: Vec<String>) -> Finding {
    let more = lines.len().saturating_sub(SHOWN);
    let finding = lines.into_iter().take(SHOWN).fold(finding, Finding::evidence);
    if more > 0 { finding.evidence(format!("and {more} more")) } else { finding }
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
