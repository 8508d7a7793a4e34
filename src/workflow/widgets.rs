//! Which value belongs to which widget.

use std::collections::HashMap;

use super::document::{Value, ValueId};
use super::graph::{Node, Widgets, Workflow};

/// What a seed's companion says: what becomes of the seed after a run. It has a value but no slot.
const AFTER_RUN: [&str; 4] = ["fixed", "increment", "decrement", "randomize"];

/// True for a value that says what becomes of a seed after a run.
pub fn is_after_run(value: Value<'_>) -> bool {
    AFTER_RUN.iter().any(|word| value.says(word))
}

/// A value of a node, as it holds: its own, or what an instance around the node gives in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<'n> {
    /// The widget's name, where the file tells it.
    pub name: Option<&'n str>,
    /// Its position in the node's own `widgets_values`, where that is a list.
    pub at: Option<usize>,
    pub value: ValueId,
    /// True where an instance gives it.
    pub promoted: bool,
}

impl Workflow<'_> {
    /// The values of `node` as they hold, in the order of the file.
    pub fn values<'n>(&self, node: &'n Node) -> Vec<Held<'n>> {
        let mut values: Vec<Held<'n>> = match &node.widgets {
            Widgets::None => Vec::new(),
            Widgets::Named(named) => {
                let held = |(name, value): &'n (String, ValueId)| Held {
                    name: Some(name),
                    at: None,
                    value: *value,
                    promoted: false,
                };
                named.iter().map(held).collect()
            }
            Widgets::Listed(values) => {
                let names = names_of(self, node, values).unwrap_or_default();
                let names: HashMap<usize, &str> = names.into_iter().map(|(name, at)| (at, name)).collect();
                let held = |(at, value): (usize, &ValueId)| Held {
                    name: names.get(&at).copied(),
                    at: Some(at),
                    value: *value,
                    promoted: false,
                };
                values.iter().enumerate().map(held).collect()
            }
        };
        for (name, value) in &node.promoted {
            match values.iter_mut().find(|held| held.name == Some(name)) {
                Some(held) => (held.value, held.promoted) = (*value, true),
                None => values.push(Held { name: Some(name), at: None, value: *value, promoted: true }),
            }
        }
        values
    }

    /// The names of a node's [values](Workflow::values), where the file tells them. An instance's own values are those of the inputs that
    /// stand for widgets, in order.
    pub fn value_names(&self, node: &Node) -> Vec<Option<String>> {
        let held = self.values(node);
        let shown: Vec<&str> = match (node.instance_of, &node.widgets) {
            (Some(at), Widgets::Listed(_)) => {
                let ports = self.definitions[at].inputs.iter();
                ports.filter(|port| !port.widgets.is_empty()).map(|port| port.name.as_str()).collect()
            }
            _ => Vec::new(),
        };
        if shown.len() == held.len() {
            return shown.into_iter().map(|name| Some(name.to_owned())).collect();
        }
        held.into_iter().map(|held| held.name.map(str::to_owned)).collect()
    }
}

/// The position of each named widget in a list of values, where the node's slots tell it.
///
/// Newer editors give every widget a slot, linked or not, in the order of the values. Between them stand values without a
/// slot: after a seed, what becomes of it after a run. Older editors give a slot only to a widget that was turned into
/// an input; the count shows it, and then names say nothing about positions.
pub fn names_of<'n>(workflow: &Workflow<'_>, node: &'n Node, values: &[ValueId]) -> Option<Vec<(&'n str, usize)>> {
    let slots: Vec<&str> = node.inputs.iter().filter_map(|input| input.widget.as_deref()).collect();
    if slots.is_empty() {
        return None;
    }
    let mut names = Vec::with_capacity(slots.len());
    let mut at = 0;
    for name in &slots {
        names.push((*name, at));
        at += 1;
        let unnamed = values.get(at).is_some_and(|value| is_after_run(workflow.value(*value)));
        if unnamed && values.len().checked_sub(at) > slots.len().checked_sub(names.len()) {
            at += 1;
        }
    }
    (at == values.len()).then_some(names)
}
