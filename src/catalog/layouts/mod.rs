//! Nodes that keep names of models in a way of their own, and names within texts. One way a file, each a pure function of a
//! node's values.
//!
//! - [`power_lora`]: rgthree's rows of objects
//! - [`lora_manager`]: Lora Manager's array beside its text
//! - [`rows`]: rows that a count or a switch turns off
//! - [`prefix`]: `bbox/…` and `segm/…`, which choose a folder
//! - [`mention`]: nodes that repeat a name, or help to pick one
//! - [`text`]: `embedding:…` and `<lora:…>`

pub(super) mod lora_manager;
pub(super) mod mention;
pub(super) mod power_lora;
pub(super) mod prefix;
pub(super) mod rows;
pub(super) mod text;

use std::collections::HashMap;
use std::ops::Range;

use crate::workflow::{Held, Node, Value, ValueId, Workflow};

use super::reference::{Names, Need};

/// A node and its values as they hold.
pub(super) struct Seen<'s, 'a> {
    pub workflow: &'s Workflow<'a>,
    pub node: &'s Node,
    pub values: &'s [Held<'s>],
    /// By widget name. A node can have very many, so they are not searched one by one.
    by_name: HashMap<&'s str, ValueId>,
}

impl<'s, 'a> Seen<'s, 'a> {
    pub fn new(workflow: &'s Workflow<'a>, node: &'s Node, values: &'s [Held<'s>]) -> Self {
        let by_name = values.iter().rev().filter_map(|held| Some((held.name?, held.value))).collect();
        Seen { workflow, node, values, by_name }
    }

    /// The value of the widget of this name.
    pub fn named(&self, name: &str) -> Option<Value<'s>> {
        self.by_name.get(name).map(|value| self.workflow.value(*value))
    }

    /// What stands at this position of a list.
    pub fn held_at(&self, at: usize) -> Option<&'s Held<'s>> {
        // A list is held in its order, and what is not of the list behind it.
        self.values.get(at).filter(|held| held.at == Some(at))
    }

    /// The value at this position of a list.
    pub fn at(&self, at: usize) -> Option<Value<'s>> {
        self.held_at(at).map(|held| self.workflow.value(held.value))
    }
}

/// A name of a model in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub input: Option<String>,
    pub widget: Option<usize>,
    /// The string that holds the name.
    pub value: ValueId,
    /// The part of what it says that is the name; nothing for all of it.
    pub part: Option<Range<usize>>,
    pub folders: Vec<String>,
    pub names: Names,
    pub need: Need,
    /// False in a row that is switched off.
    pub on: bool,
}

impl Named {
    /// A file that all of `value` names, in the widget `held`.
    pub fn file(held: &Held<'_>, value: ValueId, folders: &[&str]) -> Self {
        Named {
            input: held.name.map(str::to_owned),
            widget: held.at,
            value,
            part: None,
            folders: folders.iter().map(|folder| (*folder).to_owned()).collect(),
            names: Names::File,
            need: Need::Required,
            on: true,
        }
    }
}

/// The names in a node whose class has a layout of its own; nothing for any other class.
pub(super) fn read(seen: &Seen<'_, '_>) -> Option<Vec<Named>> {
    power_lora::read(seen).or_else(|| lora_manager::read(seen))
}
