//! Nodes that come and go, and wires laid anew: what the document says of them at each of their ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::workflow::document::{Kind, Value};
use crate::workflow::editor::{id_text, read_link};
use crate::workflow::graph::{INPUT_NODE, OUTPUT_NODE};
use crate::workflow::{Link, Node};

use super::conflict::Beyond;
use super::joined::{From, Key, Side, To, named_inputs};
use super::members::Merger;
use super::splice::Edits;

/// What a graph is to be.
pub(super) struct Laid<'m, 'w> {
    pub base: &'m Side<'w>,
    pub ours: &'m Side<'w>,
    pub theirs: &'m Side<'w>,
    pub present: &'m BTreeSet<Key>,
    pub wires: &'m BTreeMap<To, From>,
}

/// A wire as the document is to have it.
struct Wire<'m> {
    to: &'m To,
    from: &'m From,
    /// The link's number.
    id: u64,
}

/// Lists of link numbers that change: at an output of ours, or at an edge of the subgraph, by the slot's position.
#[derive(Default)]
struct Numbers {
    gone: BTreeSet<String>,
    come: Vec<u64>,
}

/// Writes nodes and wires into ours. Answers with the ids that their nodes have now, and those that they had.
pub(super) fn lay(merger: &mut Merger<'_>, laid: &Laid<'_, '_>) -> Result<BTreeMap<String, String>, Beyond> {
    let mut laying = Laying::new(laid);
    laying.find_ids();
    laying.find_wires();
    laying.write(&mut merger.edits)?;
    let of_theirs =
        laid.theirs.nodes.iter().filter_map(|(key, node)| Some((laying.ids.get(key)?.clone(), node.id.clone())));
    Ok(of_theirs.collect())
}

struct Laying<'m, 'w> {
    laid: &'m Laid<'m, 'w>,
    of_ours: BTreeMap<To, From>,
    /// Our links, in the order of the file.
    links: Vec<Option<Link>>,
    ids: HashMap<Key, String>,
    last_node: u64,
    last_link: u64,
    /// Wires of ours that go, by the link's number.
    gone: BTreeMap<To, String>,
    come: Vec<Wire<'m>>,
}

impl<'m, 'w> Laying<'m, 'w> {
    fn new(laid: &'m Laid<'m, 'w>) -> Self {
        let sides = [laid.base, laid.ours, laid.theirs];
        let number = |text: &str| text.parse::<u64>().ok();
        let counter = |key: &str, inner: &str| {
            let of = |side: &Side<'_>| {
                let held = side.value.get(key).or_else(|| side.value.get("state")?.get(inner))?;
                u64::try_from(held.integer()?).ok()
            };
            sides.iter().filter_map(|side| of(side)).max().unwrap_or(0)
        };
        let nodes = sides.iter().flat_map(|side| side.nodes.values()).filter_map(|node| number(&node.id));
        let links = |side: &Side<'w>| -> Vec<Option<Link>> {
            side.value.get("links").into_iter().flat_map(Value::items).map(read_link).collect()
        };
        let numbers = sides.iter().flat_map(|side| links(side)).flatten().filter_map(|link| number(&link.id));
        Laying {
            laid,
            of_ours: laid.ours.wires(),
            links: links(laid.ours),
            ids: HashMap::new(),
            last_node: nodes.chain([counter("last_node_id", "lastNodeId")]).max().unwrap_or(0),
            last_link: numbers.chain([counter("last_link_id", "lastLinkId")]).max().unwrap_or(0),
            gone: BTreeMap::new(),
            come: Vec::new(),
        }
    }

    /// A node that comes keeps its number unless one of ours has it.
    fn find_ids(&mut self) {
        let Laid { ours, theirs, present, .. } = self.laid;
        let mut used: BTreeSet<String> = ours.nodes.values().map(|node| node.id.clone()).collect();
        for key in present.iter() {
            let id = match (ours.node(key), theirs.node(key)) {
                (Some(node), _) => node.id.clone(),
                (None, Some(node)) if !used.contains(&node.id) => node.id.clone(),
                _ => {
                    self.last_node += 1;
                    self.last_node.to_string()
                }
            };
            used.insert(id.clone());
            self.ids.insert(key.clone(), id);
        }
    }

    /// The number of the link that ends there, in ours.
    fn link_at(&self, to: &To) -> Option<String> {
        if to.0 == Key::Edge(OUTPUT_NODE) {
            let slot = self.laid.ours.definition?.outputs.iter().position(|port| port.name == to.1)?;
            let ends = |link: &&Link| link.to.node == OUTPUT_NODE && link.to.slot == slot;
            return self.links.iter().flatten().find(ends).map(|link| link.id.clone());
        }
        self.input_at(to)?.get("link").map(id_text)
    }

    /// The input slot in ours.
    fn input_at(&self, to: &To) -> Option<Value<'w>> {
        let at = position(self.laid.ours.node(&to.0)?, to)?;
        self.laid.ours.node_value(&to.0)?.get("inputs")?.items().nth(at)
    }

    fn find_wires(&mut self) {
        let Laid { wires, .. } = self.laid;
        for (to, from) in &self.of_ours {
            let stays = wires.get(to).is_some_and(|merged| merged.is(from));
            if let (false, Some(id)) = (stays, self.link_at(to)) {
                self.gone.insert(to.clone(), id);
            }
        }
        for (to, from) in wires.iter() {
            if !self.of_ours.get(to).is_some_and(|ours| ours.is(from)) {
                self.last_link += 1;
                self.come.push(Wire { to, from, id: self.last_link });
            }
        }
    }

    fn write(&self, edits: &mut Edits) -> Result<(), Beyond> {
        let Laid { ours, present, .. } = self.laid;
        self.write_counters(edits);
        let changes = !self.gone.is_empty() || !self.come.is_empty();
        let listed = ours.value.get("nodes").ok_or(Beyond)?;
        let gone_values: BTreeSet<_> =
            ours.nodes.iter().filter(|(key, _)| !present.contains(*key)).map(|(_, node)| node.value).collect();
        let gone: Vec<usize> =
            listed.items().enumerate().filter(|(_, node)| gone_values.contains(&node.id())).map(|(at, _)| at).collect();
        let added = present.iter().filter(|key| ours.node(key).is_none());
        let come = added.map(|key| self.added(key)).collect::<Result<Vec<String>, Beyond>>()?;
        edits.entries(listed, &gone, &come);
        self.write_new_inputs(edits)?;
        if changes {
            self.write_inputs(edits)?;
            self.write_links(edits)?;
            self.write_outputs(edits)?;
        }
        Ok(())
    }

    /// The editor's counters are past what came.
    fn write_counters(&self, edits: &mut Edits) {
        let Laid { ours, present, .. } = self.laid;
        let state = ours.value.get("state");
        let comes = present.iter().any(|key| ours.node(key).is_none());
        let node =
            (comes, self.last_node, [ours.value.get("last_node_id"), state.and_then(|state| state.get("lastNodeId"))]);
        let link = (
            !self.come.is_empty(),
            self.last_link,
            [ours.value.get("last_link_id"), state.and_then(|state| state.get("lastLinkId"))],
        );
        for (_, last, held) in [node, link].into_iter().filter(|(comes, ..)| *comes) {
            let is_less = |value: &Value<'_>| value.integer().is_some_and(|held| held.unsigned_abs() < last);
            for value in held.into_iter().flatten().filter(is_less) {
                edits.replace(value.place(), last.to_string());
            }
        }
    }

    /// A node of theirs as it is to stand in ours.
    fn added(&self, key: &Key) -> Result<String, Beyond> {
        let theirs = self.laid.theirs;
        let (node, value) = (theirs.node(key).ok_or(Beyond)?, theirs.node_value(key).ok_or(Beyond)?);
        let mut edits = Edits::default();
        let id = value.get("id").ok_or(Beyond)?;
        if node.id != self.ids[key] {
            let text = &self.ids[key];
            edits.replace(id.place(), if id.kind() == Kind::Text { format!("\"{text}\"") } else { text.clone() });
        }
        for ((name, nth, _), slot) in named_inputs(node).zip(value.get("inputs").into_iter().flat_map(Value::items)) {
            let to = (key.clone(), name.to_owned(), nth);
            let link = self.come.iter().find(|wire| *wire.to == to).map(|wire| wire.id);
            set_link(&mut edits, slot, link);
        }
        for (at, slot) in value.get("outputs").into_iter().flat_map(Value::items).enumerate() {
            let from = self.come.iter().filter(|wire| wire.from.key == *key && wire.from.slot == at);
            let numbers: Vec<String> = from.map(|wire| wire.id.to_string()).collect();
            let text = format!("[{}]", numbers.join(","));
            match slot.get("links") {
                Some(links) if links.kind() == Kind::Null && numbers.is_empty() => {}
                Some(links) => edits.replace(links.place(), text),
                None if numbers.is_empty() => {}
                None => edits.entries(slot, &[], &[format!("\"links\":{text}")]),
            }
        }
        let text = std::str::from_utf8(theirs.workflow.document().bytes()).map_err(|_| Beyond)?;
        edits.applied(text, value.place()).ok_or(Beyond)
    }

    /// Inputs that they gave a node of ours: the slots come along.
    fn write_new_inputs(&self, edits: &mut Edits) -> Result<(), Beyond> {
        for key in self.laid.present {
            let texts = self.new_inputs(key);
            if texts.is_empty() {
                continue;
            }
            let node = self.laid.ours.node_value(key).ok_or(Beyond)?;
            let texts: Vec<String> = texts.into_iter().map(|(_, text)| text).collect();
            match node.get("inputs") {
                Some(inputs) if inputs.kind() == Kind::Array => edits.entries(inputs, &[], &texts),
                _ => return Err(Beyond),
            }
        }
        Ok(())
    }

    /// Those with their text.
    fn new_inputs(&self, key: &Key) -> Vec<(To, String)> {
        let Laid { base, ours, theirs, .. } = self.laid;
        let (Some(here), Some(there)) = (ours.node(key), theirs.node(key)) else { return Vec::new() };
        let slots = theirs.node_value(key).and_then(|node| node.get("inputs")).into_iter().flat_map(Value::items);
        let mut found = Vec::new();
        for ((name, nth, _), slot) in named_inputs(there).zip(slots) {
            let to = (key.clone(), name.to_owned(), nth);
            let was = base.node(key).is_some_and(|node| position(node, &to).is_some());
            let is_wired = self.come.iter().any(|wire| *wire.to == to);
            if position(here, &to).is_some() || (was && !is_wired) {
                continue;
            }
            let mut edits = Edits::default();
            set_link(&mut edits, slot, self.come.iter().find(|wire| *wire.to == to).map(|wire| wire.id));
            let place = slot.place();
            let text = std::str::from_utf8(theirs.workflow.document().bytes()).unwrap_or_default();
            found.extend(edits.applied(text, place).map(|text| (to, text)));
        }
        found
    }

    /// Our input slots name other links, or none.
    fn write_inputs(&self, edits: &mut Edits) -> Result<(), Beyond> {
        let ends: BTreeSet<&To> = self.gone.keys().chain(self.come.iter().map(|wire| wire.to)).collect();
        for to in ends {
            if !self.laid.present.contains(&to.0) {
                continue;
            }
            if let Some(slot) = self.input_at(to) {
                set_link(edits, slot, self.come.iter().find(|wire| wire.to == to).map(|wire| wire.id));
            }
        }
        Ok(())
    }

    fn write_links(&self, edits: &mut Edits) -> Result<(), Beyond> {
        let listed = self.laid.ours.value.get("links").filter(|links| links.kind() == Kind::Array).ok_or(Beyond)?;
        let numbers: BTreeSet<&String> = self.gone.values().collect();
        let is_gone = |link: &Option<Link>| link.as_ref().is_some_and(|link| numbers.contains(&link.id));
        let gone: Vec<usize> =
            self.links.iter().enumerate().filter(|(_, link)| is_gone(link)).map(|(at, _)| at).collect();
        let first = listed.items().find(|link| link.kind() != Kind::Null);
        let as_object = first.map_or(self.laid.ours.definition.is_some(), |link| link.kind() == Kind::Object);
        let come = self.come.iter().map(|wire| self.link(wire, as_object)).collect::<Result<Vec<_>, Beyond>>()?;
        edits.entries(listed, &gone, &come);
        Ok(())
    }

    fn link(&self, wire: &Wire<'_>, as_object: bool) -> Result<String, Beyond> {
        let (from, kind) = self.start_of(wire.from)?;
        let to = self.end_of(wire.to)?;
        let kind = serde_json::to_string(&kind).map_err(|_| Beyond)?;
        let number = |id: &str| if id.parse::<i64>().is_ok() { id.to_owned() } else { format!("\"{id}\"") };
        let (id, origin, target) = (wire.id, number(&from.0), number(&to.0));
        Ok(match as_object {
            true => format!(
                "{{\"id\":{id},\"origin_id\":{origin},\"origin_slot\":{},\"target_id\":{target},\"target_slot\":{},\"type\":{kind}}}",
                from.1, to.1
            ),
            false => format!("[{id},{origin},{},{target},{},{kind}]", from.1, to.1),
        })
    }

    /// Where a wire begins in the merged graph, by id and position, and the type that it carries.
    fn start_of(&self, from: &From) -> Result<((String, usize), String), Beyond> {
        let slot = self.start_slot(from).ok_or(Beyond)?;
        if let Key::Edge(id) = from.key {
            let port = self.laid.ours.definition.and_then(|held| held.inputs.get(slot));
            let kind = port.and_then(|port| port.kind.clone()).unwrap_or_else(|| "*".to_owned());
            return Ok((((*id).to_owned(), slot), kind));
        }
        let node = self.laid.ours.node(&from.key).or_else(|| self.laid.theirs.node(&from.key)).ok_or(Beyond)?;
        let kind = node.outputs.get(slot).and_then(|output| output.kind.clone()).unwrap_or_else(|| "*".to_owned());
        Ok(((self.ids.get(&from.key).ok_or(Beyond)?.clone(), slot), kind))
    }

    /// The position of an output in ours, or in a node that comes.
    fn start_slot(&self, from: &From) -> Option<usize> {
        let names: Vec<&str> = match &from.key {
            Key::Edge(_) => self.laid.ours.definition?.inputs.iter().map(|port| port.name.as_str()).collect(),
            key => match self.laid.ours.node(key) {
                Some(node) => node.outputs.iter().map(|output| output.name.as_str()).collect(),
                None => return Some(from.slot),
            },
        };
        if names.get(from.slot).is_some_and(|name| *name == from.name) {
            return Some(from.slot);
        }
        names.iter().position(|name| !name.is_empty() && *name == from.name)
    }

    fn end_of(&self, to: &To) -> Result<(String, usize), Beyond> {
        if to.0 == Key::Edge(OUTPUT_NODE) {
            let slot =
                self.laid.ours.definition.and_then(|held| held.outputs.iter().position(|port| port.name == to.1));
            return Ok((OUTPUT_NODE.to_owned(), slot.ok_or(Beyond)?));
        }
        let id = self.ids.get(&to.0).ok_or(Beyond)?.clone();
        let slot = match self.laid.ours.node(&to.0) {
            Some(node) => position(node, to).or_else(|| {
                let come = self.new_inputs(&to.0).iter().position(|(new, _)| new == to)?;
                Some(node.inputs.len() + come)
            }),
            None => self.laid.theirs.node(&to.0).and_then(|node| position(node, to)),
        };
        Ok((id, slot.ok_or(Beyond)?))
    }

    /// Our output slots, and the edges of a subgraph, list other links.
    fn write_outputs(&self, edits: &mut Edits) -> Result<(), Beyond> {
        let mut outputs: BTreeMap<(Key, usize), Numbers> = BTreeMap::new();
        for (to, number) in &self.gone {
            let from = &self.of_ours[to];
            outputs.entry((from.key.clone(), from.slot)).or_default().gone.insert(number.clone());
            if to.0 == Key::Edge(OUTPUT_NODE) {
                let slot = self.edge_slot(to)?;
                outputs.entry((to.0.clone(), slot)).or_default().gone.insert(number.clone());
            }
        }
        for wire in &self.come {
            let slot = self.start_slot(wire.from).ok_or(Beyond)?;
            outputs.entry((wire.from.key.clone(), slot)).or_default().come.push(wire.id);
            if wire.to.0 == Key::Edge(OUTPUT_NODE) {
                let slot = self.edge_slot(wire.to)?;
                outputs.entry((wire.to.0.clone(), slot)).or_default().come.push(wire.id);
            }
        }
        for ((key, slot), numbers) in outputs {
            let ours = self.laid.ours;
            let (held, name) = match &key {
                Key::Edge(INPUT_NODE) => (ours.value.get("inputs"), "linkIds"),
                Key::Edge(_) => (ours.value.get("outputs"), "linkIds"),
                key if !self.laid.present.contains(key) || ours.node(key).is_none() => continue,
                key => (ours.node_value(key).and_then(|node| node.get("outputs")), "links"),
            };
            let held = held.and_then(|held| held.items().nth(slot)).ok_or(Beyond)?;
            let come: Vec<String> = numbers.come.iter().map(u64::to_string).collect();
            match held.get(name) {
                Some(list) if list.kind() == Kind::Array => {
                    let is_gone = |link: Value<'_>| numbers.gone.contains(&id_text(link));
                    let gone: Vec<usize> =
                        list.items().enumerate().filter(|(_, link)| is_gone(*link)).map(|(at, _)| at).collect();
                    edits.entries(list, &gone, &come);
                }
                Some(other) if !come.is_empty() => edits.replace(other.place(), format!("[{}]", come.join(","))),
                None if !come.is_empty() => {
                    edits.entries(held, &[], &[format!("\"{name}\":[{}]", come.join(","))]);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn edge_slot(&self, to: &To) -> Result<usize, Beyond> {
        self.end_of(to).map(|(_, slot)| slot)
    }
}

/// The position of an input in a node.
fn position(node: &Node, to: &To) -> Option<usize> {
    named_inputs(node).position(|(name, nth, _)| (name, nth) == (to.1.as_str(), to.2))
}

/// Makes an input slot name this link, or none.
fn set_link(edits: &mut Edits, slot: Value<'_>, link: Option<u64>) {
    let text = link.map_or_else(|| "null".to_owned(), |link| link.to_string());
    match slot.get("link") {
        Some(held) if held.raw() == text => {}
        Some(held) => edits.replace(held.place(), text),
        None if link.is_none() => {}
        None => edits.entries(slot, &[], &[format!("\"link\":{text}")]),
    }
}
