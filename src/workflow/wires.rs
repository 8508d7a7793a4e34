//! Where the value of an input comes from: along links, through reroutes, named wires and the edges of subgraphs.

use std::borrow::Cow;
use std::collections::HashMap;

use super::api::full_id;
use super::document::ValueId;
use super::graph::{Endpoint, Format, INPUT_NODE, Input, Node, Workflow};

/// How many nodes a wire may run through; a file can lay it in a circle.
const MAX_STEPS: usize = 10_000;

/// Where an input's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The node's own widget: nothing is linked, or the link leads nowhere.
    Own,
    /// A node that does nothing but hold a value; both as positions.
    Value { node: usize, value: ValueId },
    /// What another node makes when it runs. The widget's own value is not used.
    Made { node: usize },
}

/// The links of a workflow, to be followed.
pub struct Wires<'w, 'a> {
    workflow: &'w Workflow<'a>,
    /// By enclosing instance and id.
    nodes: HashMap<(Option<usize>, Cow<'w, str>), usize>,
    /// Nodes that give a wire a name, by enclosing instance and name.
    setters: HashMap<(Option<usize>, Cow<'w, str>), usize>,
}

impl<'w, 'a> Wires<'w, 'a> {
    pub fn new(workflow: &'w Workflow<'a>) -> Self {
        let mut wires = Wires { workflow, nodes: HashMap::new(), setters: HashMap::new() };
        for (at, node) in workflow.nodes.iter().enumerate() {
            let id = match workflow.format {
                Format::Editor => Cow::Borrowed(node.id.as_str()),
                Format::Api => Cow::Owned(full_id(node)),
            };
            wires.nodes.insert((node.within, id), at);
            if let Some(name) = wire_name(workflow, node, &["SetNode", "easy setNode"]) {
                wires.setters.insert((node.within, name), at);
            }
        }
        wires
    }

    /// Where the value of the input called `name`, of the node at this position, comes from.
    pub fn feed(&self, node: usize, name: &str) -> Feed {
        let held = &self.workflow.nodes[node];
        let named = |input: &&Input| input.widget.as_deref() == Some(name) || input.name == name;
        held.inputs.iter().find(named).map_or(Feed::Own, |input| self.feed_of(held, input))
    }

    /// Where the value of an input of `node` comes from.
    pub fn feed_of(&self, node: &Node, input: &'w Input) -> Feed {
        if input.linked { self.follow(node.within, input) } else { Feed::Own }
    }

    fn follow(&self, within: Option<usize>, input: &'w Input) -> Feed {
        let (mut within, mut input) = (within, input);
        for _ in 0..MAX_STEPS {
            let Some(from) = &input.from else { return Feed::Own };
            let next = match self.source(within, from) {
                Source::Nothing => return Feed::Own,
                Source::Node(at) => match self.through(at) {
                    Through::Ends(feed) => return feed,
                    Through::On(on) => on,
                },
                Source::On(on) => on,
            };
            let Some(next) = next else { return Feed::Own };
            (within, input) = next;
        }
        Feed::Own
    }

    /// What stands at the beginning of a link.
    fn source(&self, within: Option<usize>, from: &'w Endpoint) -> Source<'w> {
        // The edge of a subgraph: on with the instance's own input of that name.
        if from.node == INPUT_NODE
            && let Some(instance) = within
        {
            return Source::On(self.input_of(instance, from.slot));
        }
        match self.nodes.get(&(within, Cow::Borrowed(from.node.as_str()))) {
            None => Source::Nothing,
            Some(at) => self.inside(*at, from.slot),
        }
    }

    /// The node that makes output `slot` of the node at `at`: itself, or for an instance one within it.
    fn inside(&self, at: usize, slot: usize) -> Source<'w> {
        let (mut at, mut slot) = (at, slot);
        for _ in 0..MAX_STEPS {
            let Some(definition) = self.workflow.nodes[at].instance_of.map(|held| &self.workflow.definitions[held])
            else {
                return Source::Node(at);
            };
            let Some(end) = definition.outputs.get(slot).and_then(|port| port.ends.first()) else {
                return Source::Node(at);
            };
            if end.node == INPUT_NODE {
                return Source::On(self.input_of(at, end.slot));
            }
            match self.nodes.get(&(Some(at), Cow::Borrowed(end.node.as_str()))) {
                Some(inner) => (at, slot) = (*inner, end.slot),
                // Not opened.
                None => return Source::Node(at),
            }
        }
        Source::Nothing
    }

    /// The input of an instance that feeds input `slot` of its definition, if it is linked.
    fn input_of(&self, instance: usize, slot: usize) -> Option<(Option<usize>, &'w Input)> {
        let node = &self.workflow.nodes[instance];
        let port = self.workflow.definitions[node.instance_of?].inputs.get(slot)?;
        let input = node.inputs.iter().find(|input| input.name == port.name)?;
        input.linked.then_some((node.within, input))
    }

    /// Where a wire goes on behind a node, or what the node puts into it.
    fn through(&self, at: usize) -> Through<'w> {
        let node = &self.workflow.nodes[at];
        if is_reroute(&node.class) {
            return Through::On(node.inputs.first().filter(|input| input.linked).map(|input| (node.within, input)));
        }
        if let Some(name) = wire_name(self.workflow, node, &["GetNode", "easy getNode"]) {
            let setter = self.setters.get(&(node.within, name)).map(|at| &self.workflow.nodes[*at]);
            let input = setter.and_then(|node| Some((node.within, node.inputs.first().filter(|input| input.linked)?)));
            return Through::On(input);
        }
        let Some(widget) = holder(&node.class) else { return Through::Ends(Feed::Made { node: at }) };
        // A holder can be fed itself.
        if let Some(input) = node.inputs.iter().find(|input| input.name == widget && input.linked) {
            return Through::On(Some((node.within, input)));
        }
        let values = self.workflow.values(node);
        let held = values.iter().find(|held| held.name == Some(widget)).or_else(|| values.first());
        Through::Ends(match held {
            Some(held) => Feed::Value { node: at, value: held.value },
            None => Feed::Made { node: at },
        })
    }
}

enum Source<'w> {
    /// A link that leads nowhere.
    Nothing,
    Node(usize),
    /// On with this input and the instance around it; nothing where the wire ends.
    On(Option<(Option<usize>, &'w Input)>),
}

enum Through<'w> {
    On(Option<(Option<usize>, &'w Input)>),
    Ends(Feed),
}

/// The name of a wire that a node of one of these classes sets or gets. KJNodes and Easy-Use have them; they never run.
fn wire_name<'w>(workflow: &'w Workflow<'_>, node: &Node, classes: &[&str]) -> Option<Cow<'w, str>> {
    if !classes.contains(&node.class.as_str()) {
        return None;
    }
    let value = workflow.values(node).first()?.value;
    workflow.value(value).text()
}

/// Classes that hand on what they get.
pub fn is_reroute(class: &str) -> bool {
    class == "Reroute" || class.starts_with("Reroute (") || class.starts_with("ReroutePrimitive")
}

/// The widget of a class that does nothing but hold a text: the editor's own primitive, ComfyUI's, and KJNodes'.
pub fn holder(class: &str) -> Option<&'static str> {
    match class {
        "PrimitiveNode" | "PrimitiveString" | "PrimitiveStringMultiline" => Some("value"),
        "StringConstant" | "StringConstantMultiline" => Some("string"),
        _ => None,
    }
}
