//! A workflow in a few lines: what it is for, which models and packages it uses, what is missing.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::catalog::purpose::{Purpose, purpose};
use crate::catalog::{Catalog, NodeReference, Origin, node_references};
use crate::environment::needs::Needs;
use crate::environment::uses::{Use, WorkflowUses};
use crate::resolve::{NodeResolution, Status};
use crate::workflow::{Format, Workflow};

/// A workflow, and what it needs.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// `editor` or `api`.
    pub format: &'static str,
    /// Nodes, those within each instance of a subgraph too.
    pub nodes: usize,
    /// Definitions of subgraphs and groups.
    pub subgraphs: usize,
    pub purpose: Purpose,
    pub models: Vec<Model>,
    pub packages: Vec<Package>,
    pub missing: Missing,
    /// Parts that were passed over, and why.
    pub unread: Vec<String>,
}

/// A model that the workflow names, with every node that does.
#[derive(Debug, PartialEq, Serialize)]
pub struct Model {
    pub value: String,
    /// `TYPE ID` with the ids of enclosing instances, in the order of the file.
    pub used_by: Vec<String>,
    /// False where none of these nodes runs.
    pub active: bool,
    /// Absent where it was not looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// Where ComfyUI sees it below `models/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    pub sources: Vec<String>,
}

/// A package of nodes that the workflow uses.
#[derive(Debug, PartialEq, Serialize)]
pub struct Package {
    /// `comfy-core` for ComfyUI's own; absent where it is not known.
    pub package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Absent where it was not looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed: Option<bool>,
    pub nodes: usize,
    /// How many nodes of each type.
    pub types: BTreeMap<String, usize>,
}

/// What has to be had before the workflow runs.
#[derive(Debug, Default, Serialize)]
pub struct Missing {
    /// Values of models that nodes which run name.
    pub models: Vec<String>,
    /// Packages that are known and not installed.
    pub packages: Vec<String>,
    /// Types of nodes of which no package is known.
    pub types: Vec<String>,
}

impl Missing {
    pub fn is_empty(&self) -> bool {
        self.models.is_empty() && self.packages.is_empty() && self.types.is_empty()
    }
}

impl Summary {
    /// Of `workflow`. Without `needs` nothing was looked up.
    pub fn of(workflow: &Workflow<'_>, catalog: &Catalog, needs: Option<&Needs>) -> Self {
        let none = WorkflowUses::default();
        let uses = needs.and_then(|needs| needs.as_ref().ok());
        let references = crate::catalog::references(workflow, catalog);
        let models = match uses {
            Some(uses) => models(uses.models.iter().map(|used| (&used.reference, Some(used)))),
            None => models(references.iter().map(|reference| (reference, None))),
        };
        let nodes = node_references(workflow, catalog);
        let packages = packages(&nodes, uses.unwrap_or(&none), uses.is_some());
        let missing = if uses.is_some() { missing(&models, &packages) } else { Missing::default() };
        Summary {
            format: match workflow.format {
                Format::Editor => "editor",
                Format::Api => "api",
            },
            nodes: workflow.nodes.len(),
            subgraphs: workflow.definitions.len(),
            purpose: purpose(workflow),
            models,
            packages,
            missing,
            unread: workflow.unread.iter().map(ToString::to_string).collect(),
        }
    }
}

fn models<'u>(used: impl Iterator<Item = (&'u crate::catalog::Reference, Option<&'u Use>)>) -> Vec<Model> {
    let mut found: Vec<Model> = Vec::new();
    for (reference, used) in used {
        let scope: String = reference.scope.iter().map(|id| format!("{id}/")).collect();
        let by = format!("{} {scope}{}", reference.node_type, reference.node);
        let resolution = used.map(|used| &used.resolution);
        let status = resolution.map(|resolution| resolution.status.as_str());
        let local = resolution.and_then(|resolution| resolution.local());
        // One value can mean different files to different loaders.
        let same = found.iter_mut().find(|m| m.value == reference.value && m.status == status && m.local == local);
        if let Some(model) = same {
            model.used_by.push(by);
            model.active |= reference.active;
            continue;
        }
        found.push(Model {
            value: reference.value.clone(),
            used_by: vec![by],
            active: reference.active,
            status,
            local,
            size: resolution.and_then(|resolution| resolution.chosen.as_ref()).map(|chosen| chosen.file.size()),
            sources: resolution.map(|resolution| resolution.sources.clone()).unwrap_or_default(),
        });
    }
    found
}

fn packages(nodes: &[NodeReference], uses: &WorkflowUses, looked_up: bool) -> Vec<Package> {
    let mut found: BTreeMap<(bool, Option<String>), Package> = BTreeMap::new();
    for node in nodes {
        let resolution = uses.nodes.iter().find(|(need, _)| {
            need.node_type == node.node_type && (&need.cnr_id, &need.aux_id) == (&node.cnr_id, &node.aux_id)
        });
        let resolution: Option<&NodeResolution> = resolution.map(|(_, found)| found);
        let is_core = node.origin == Origin::Builtin;
        let package = match node.origin {
            Origin::Builtin => Some("comfy-core".to_owned()),
            Origin::Frontend | Origin::Subgraph | Origin::Group => continue,
            Origin::Custom | Origin::Unknown => {
                let declared = || node.cnr_id.clone().or_else(|| node.aux_id.clone());
                resolution.and_then(|found| found.package.clone()).or_else(declared)
            }
        };
        let installed = if is_core { true } else { resolution.is_some_and(|found| found.installed) };
        let entry = found.entry((!is_core, package.clone())).or_insert_with(|| Package {
            package,
            version: resolution.and_then(|found| found.version.clone()).or_else(|| node.ver.clone()),
            installed: looked_up.then_some(installed),
            nodes: 0,
            types: BTreeMap::new(),
        });
        entry.nodes += 1;
        *entry.types.entry(node.node_type.clone()).or_default() += 1;
    }
    found.into_values().collect()
}

fn missing(models: &[Model], packages: &[Package]) -> Missing {
    let is_here = |status: Option<&str>| [Status::Resolved, Status::Skipped].iter().any(|s| status == Some(s.as_str()));
    let absent = packages.iter().filter(|package| package.installed == Some(false));
    let mut missing = Missing::default();
    for package in absent {
        match &package.package {
            Some(name) => missing.packages.push(name.clone()),
            None => missing.types.extend(package.types.keys().cloned()),
        }
    }
    let open = models.iter().filter(|model| model.active && !is_here(model.status));
    missing.models.extend(open.map(|model| model.value.clone()));
    missing
}
