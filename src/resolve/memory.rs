//! What was said before of a place in a workflow, so that nothing is asked twice.

use std::collections::HashMap;

use crate::catalog::Reference;
use crate::object::ObjectId;

/// A place in a workflow. Several references can stand at one, as in a text that names several LoRAs; their values tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Node ids of the subgraph instances around it, outermost first.
    pub scope: Vec<String>,
    pub node: String,
    pub slot: Slot,
}

/// Where in its node a reference stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// A position in the editor's `widgets_values`.
    Widget(i64),
    /// An input's name, as the API format has it.
    Input(String),
}

impl Slot {
    pub fn of(reference: &Reference) -> Self {
        match (reference.widget.and_then(|at| i64::try_from(at).ok()), &reference.input) {
            (Some(at), _) => Slot::Widget(at),
            (None, input) => Slot::Input(input.clone().unwrap_or_default()),
        }
    }
}

impl Place {
    pub fn of(reference: &Reference) -> Self {
        Place { scope: reference.scope.clone(), node: reference.node.clone(), slot: Slot::of(reference) }
    }
}

/// What was said of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The user chose this model for this value.
    Chosen { model: ObjectId, value: String },
    /// A commit found this model, whose file was called `name`.
    Found { model: ObjectId, name: String },
    /// The user said that this value is not needed.
    Skipped { value: String },
}

impl Said {
    pub fn model(&self) -> Option<ObjectId> {
        match self {
            Said::Chosen { model, .. } | Said::Found { model, .. } => Some(*model),
            Said::Skipped { .. } => None,
        }
    }

    /// Only what was said of the value that stands there now counts.
    fn is_about(&self, reference: &Reference) -> bool {
        match self {
            Said::Chosen { value, .. } | Said::Skipped { value } => same_value(value, reference),
            Said::Found { name, .. } => *name == reference.name,
        }
    }
}

/// The same value, whichever system wrote it.
pub fn same_value(value: &str, reference: &Reference) -> bool {
    value == reference.value || value.replace('\\', "/") == reference.path
}

/// What was said of the places of one workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    places: HashMap<Place, Vec<Said>>,
}

impl Memory {
    pub fn new(said: impl IntoIterator<Item = (Place, Said)>) -> Self {
        let mut memory = Memory::default();
        said.into_iter().for_each(|(place, said)| memory.add(place, said));
        memory
    }

    pub fn add(&mut self, place: Place, said: Said) {
        self.places.entry(place).or_default().push(said);
    }

    /// What was said of the value at this reference's place.
    pub fn recall(&self, reference: &Reference) -> Option<&Said> {
        self.places.get(&Place::of(reference))?.iter().find(|said| said.is_about(reference))
    }
}
