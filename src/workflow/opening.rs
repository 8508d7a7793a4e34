//! Instances opened: behind each the nodes that it stands for, once an instance, with the values that it gives them.
//!
//! A definition can hold instances of others, so that a small file stands for a graph without bound. What opening would cost is
//! known before it is done: sums over the definitions, those first that hold no others (invariant R7). What would be
//! too large, or holds itself, is not opened, and the file says so in [`Workflow::unread`]; the rest is.

use std::collections::{HashMap, HashSet};

use super::document::ValueId;
use super::graph::{Definition, DefinitionKind, MAX_LEVELS, MAX_OPENED, Node, Reason, Unread, Widgets, Workflow};
use super::{class, group, subgraph};

/// What a scope costs for each node and each level of depth, in bytes, beside the node's own JSON.
const LEVEL: u64 = 32;

/// Names the definition of each instance, puts its nodes behind it, and notes what could not be opened.
pub(super) fn open(workflow: &mut Workflow<'_>) {
    let mut definitions = std::mem::take(&mut workflow.definitions);
    let mut nodes = std::mem::take(&mut workflow.nodes);
    let by_id: HashMap<(DefinitionKind, String), usize> =
        definitions.iter().enumerate().map(|(at, held)| ((held.kind, held.id.clone()), at)).collect();
    let name = |node: &mut Node| {
        let group = class::group_of(&node.class).map(|name| (DefinitionKind::Group, name.to_owned()));
        let key = group.unwrap_or_else(|| (DefinitionKind::Subgraph, node.class.clone()));
        node.instance_of = by_id.get(&key).copied();
    };
    definitions.iter_mut().flat_map(|definition| &mut definition.nodes).for_each(name);
    nodes.iter_mut().for_each(name);
    let order = Order::of(&definitions);
    for at in &order.inner_first {
        let widgets = subgraph::find_widgets(&definitions[*at], &definitions);
        definitions[*at].inputs.iter_mut().zip(widgets).for_each(|(port, widgets)| port.widgets = widgets);
    }
    let costs = costs(workflow, &definitions, &order);
    let mut opening = Opening { workflow, definitions: &definitions, order: &order, costs: &costs, spent: 0 };
    let (mut opened, mut unread) = (Vec::with_capacity(nodes.len()), Vec::new());
    for node in nodes {
        opening.node(node, &mut opened, &mut unread);
    }
    let mut ids = HashSet::new();
    for node in opened.iter().filter(|node| !ids.insert((node.within, &node.scope, &node.id))) {
        unread.push(Unread { scope: node.scope.clone(), node: node.id.clone(), reason: Reason::SameId });
    }
    workflow.nodes = opened;
    workflow.unread = unread;
    workflow.definitions = definitions;
}

/// The definitions in an order in which each stands behind those that it holds.
struct Order {
    inner_first: Vec<usize>,
    /// Those that hold themselves, or stand between two that do.
    cyclic: HashSet<usize>,
}

impl Order {
    fn of(definitions: &[Definition]) -> Order {
        let holds: Vec<Vec<usize>> =
            definitions.iter().map(|held| held.nodes.iter().filter_map(|node| node.instance_of).collect()).collect();
        let mut held_by = vec![Vec::new(); definitions.len()];
        for (holder, held) in holds.iter().enumerate() {
            held.iter().for_each(|held| held_by[*held].push(holder));
        }
        let all = vec![true; definitions.len()];
        let mut inner_first = peeled(&all, &holds, &held_by);
        let mut left = all;
        inner_first.iter().for_each(|done| left[*done] = false);
        // Of the rest those that nothing of the rest holds only lead to a circle.
        let leading = peeled(&left, &held_by, &holds);
        leading.iter().for_each(|done| left[*done] = false);
        inner_first.extend(leading.into_iter().rev());
        let cyclic = left.iter().enumerate().filter(|(_, left)| **left).map(|(at, _)| at).collect();
        Order { inner_first, cyclic }
    }
}

/// Those `among` all whose `needs` are gone, again and again; `needed_by` is the same the other way round.
fn peeled(among: &[bool], needs: &[Vec<usize>], needed_by: &[Vec<usize>]) -> Vec<usize> {
    let mut open: Vec<usize> =
        needs.iter().map(|needs| needs.iter().filter(|needed| among[**needed]).count()).collect();
    let mut done: Vec<usize> = (0..among.len()).filter(|at| among[*at] && open[*at] == 0).collect();
    let mut next = 0;
    while let Some(at) = done.get(next).copied() {
        next += 1;
        for other in &needed_by[at] {
            if among[*other] {
                open[*other] -= 1;
                if open[*other] == 0 {
                    done.push(*other);
                }
            }
        }
    }
    done
}

/// What opening a definition comes to: bytes of JSON, and nodes.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    bytes: u64,
    nodes: u64,
}

fn costs(workflow: &Workflow<'_>, definitions: &[Definition], order: &Order) -> Vec<Cost> {
    let mut costs = vec![Cost::default(); definitions.len()];
    for at in &order.inner_first {
        let mut sum = Cost::default();
        for node in &definitions[*at].nodes {
            // What a circle holds costs nothing: it is not opened.
            let inner = node.instance_of.map(|inner| costs[inner]).unwrap_or_default();
            let own = workflow.value(node.value).place().len() as u64 + LEVEL;
            let deeper = LEVEL.saturating_mul(inner.nodes);
            sum.bytes = sum.bytes.saturating_add(own).saturating_add(inner.bytes).saturating_add(deeper);
            sum.nodes = sum.nodes.saturating_add(1).saturating_add(inner.nodes);
        }
        costs[*at] = sum;
    }
    costs
}

struct Opening<'o, 'a> {
    workflow: &'o Workflow<'a>,
    definitions: &'o [Definition],
    order: &'o Order,
    costs: &'o [Cost],
    /// Bytes, by all instances of the root together.
    spent: u64,
}

impl Opening<'_, '_> {
    /// Adds `node`, and behind it what it stands for. No deeper than [`MAX_LEVELS`], so the recursion is bounded.
    fn node(&mut self, node: Node, opened: &mut Vec<Node>, unread: &mut Vec<Unread>) {
        let instance = opened.len();
        let refuse = |node: &Node, reason| Unread { scope: node.scope.clone(), node: node.id.clone(), reason };
        let Some(at) = node.instance_of else {
            if class::is_subgraph_id(&node.class) {
                unread.push(refuse(&node, Reason::MissingDefinition(node.class.clone())));
            } else if let Some(name) = class::group_of(&node.class) {
                unread.push(refuse(&node, Reason::MissingDefinition(name.to_owned())));
            }
            opened.push(node);
            return;
        };
        let definition = &self.definitions[at];
        let name = || definition.name.clone();
        let refusal = if self.order.cyclic.contains(&at) {
            Some(Reason::Cycle(name()))
        } else if node.scope.len() >= MAX_LEVELS {
            Some(Reason::Deep(name()))
        } else if node.scope.is_empty() && self.spent.saturating_add(self.costs[at].bytes) > MAX_OPENED {
            Some(Reason::Large(name()))
        } else {
            None
        };
        if let Some(reason) = refusal {
            unread.push(refuse(&node, reason));
            opened.push(node);
            return;
        }
        if node.scope.is_empty() {
            self.spent += self.costs[at].bytes;
        }
        let mut scope = node.scope.clone();
        scope.push(node.id.clone());
        let mut inner: Vec<Node> = definition.nodes.clone();
        for held in &mut inner {
            held.scope.clone_from(&scope);
            held.within = Some(instance);
            held.silenced = !node.is_active();
        }
        let clear = match definition.kind {
            DefinitionKind::Subgraph => {
                let proxies = subgraph::proxies(self.workflow.value(node.value));
                let mut given = subgraph::given(&node, proxies, definition);
                // A value counts once a widget that it is given to, so that a long one cannot be handed out without end.
                let length = |value: &ValueId| self.workflow.value(*value).place().len() as u64;
                let handed: u64 = given.values.values().flatten().map(|(_, value)| length(value)).sum();
                self.spent = self.spent.saturating_add(handed);
                if self.spent > MAX_OPENED {
                    unread.push(refuse(&node, Reason::Large(name())));
                    opened.push(node);
                    return;
                }
                for held in &mut inner {
                    held.promoted = given.take(&held.id);
                }
                !given.unclear
            }
            DefinitionKind::Group => self.group(&node, definition, &mut inner),
        };
        if !clear {
            unread.push(refuse(&node, Reason::Values(name())));
        }
        opened.push(node);
        for held in inner {
            self.node(held, opened, unread);
        }
    }

    /// Gives the nodes of a group the values of its instance; false where they cannot be told apart.
    fn group(&self, instance: &Node, definition: &Definition, inner: &mut [Node]) -> bool {
        let is_empty = |values: &Vec<ValueId>| values.is_empty();
        if !matches!(&instance.widgets, Widgets::Listed(values) if !is_empty(values)) {
            return true;
        }
        let Some(given) = group::given(self.workflow, instance, definition) else { return false };
        inner.iter_mut().zip(given).for_each(|(node, widgets)| node.widgets = widgets);
        true
    }
}
