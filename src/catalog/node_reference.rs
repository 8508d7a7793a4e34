//! The nodes of a workflow, as something that a package has to provide.

use serde::{Deserialize, Serialize};

use crate::workflow::{DefinitionKind, Node, Workflow};

use super::knowledge::Catalog;
use super::origin::Origin;

/// A node of a workflow, with what the file says of where its class comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReference {
    /// The workflow as it was named; nothing where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Ids of the enclosing instances, outermost first.
    #[serde(default)]
    pub scope: Vec<String>,
    pub node: String,
    #[serde(rename = "type")]
    pub node_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub origin: Origin,
    /// False where the node is muted or bypassed, or an instance around it is.
    pub active: bool,
    /// The registry's id of the package; `comfy-core` for ComfyUI's own.
    #[serde(default)]
    pub cnr_id: Option<String>,
    /// A version or a git commit.
    #[serde(default)]
    pub ver: Option<String>,
    /// `owner/repository` of a package outside the registry.
    #[serde(default)]
    pub aux_id: Option<String>,
    /// Its inputs of which the file tells the type, in the order of the file. Older editors leave out those that are widgets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<TypedInput>,
}

/// An input with ComfyUI's type, such as `IMAGE` or `FLOAT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypedInput {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
}

/// Every node of `workflow`, those within each instance too, in the order of [`Workflow::nodes`].
pub fn node_references(workflow: &Workflow<'_>, catalog: &Catalog) -> Vec<NodeReference> {
    let reference = |node: &Node| NodeReference {
        workflow: None,
        scope: node.scope.clone(),
        node: node.id.clone(),
        node_type: node.class.clone(),
        title: node.title.clone(),
        origin: origin(workflow, node, catalog),
        active: node.is_active(),
        cnr_id: node.package.cnr_id.clone(),
        ver: node.package.ver.clone(),
        aux_id: node.package.aux_id.clone(),
        inputs: typed_inputs(node),
    };
    workflow.nodes.iter().map(reference).collect()
}

fn typed_inputs(node: &Node) -> Vec<TypedInput> {
    let typed =
        |input: &crate::workflow::Input| Some(TypedInput { name: input.name.clone(), kind: input.kind.clone()? });
    node.inputs.iter().filter_map(typed).collect()
}

/// An instance is told by its definition, or by its type where that is missing; all else by the class.
fn origin(workflow: &Workflow<'_>, node: &Node, catalog: &Catalog) -> Origin {
    match node.instance_of.map(|at| workflow.definitions[at].kind).or_else(|| DefinitionKind::named_by(&node.class)) {
        Some(DefinitionKind::Subgraph) => Origin::Subgraph,
        Some(DefinitionKind::Group) => Origin::Group,
        None => match catalog.origin(&node.class) {
            Origin::Unknown => declared_origin(node),
            known => known,
        },
    }
}

/// What the editor recorded of a class that the catalog does not know.
fn declared_origin(node: &Node) -> Origin {
    match (&node.package.cnr_id, &node.package.aux_id) {
        (Some(id), _) if id == "comfy-core" => Origin::Builtin,
        (Some(_), _) | (None, Some(_)) => Origin::Custom,
        (None, None) => Origin::Unknown,
    }
}
