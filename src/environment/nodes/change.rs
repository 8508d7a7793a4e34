//! A change of custom nodes: which nodes are to be what, and what the manifest is to say then. A value, to be shown, then carried out as one
//! transaction with a restore point, or dropped.

use std::collections::{BTreeMap, BTreeSet};

use crate::environment::commit::Who;
use crate::environment::head::Head;
use crate::environment::manifest::{Manifest, NodeFacts};
use crate::environment::plan;
use crate::environment::python::Python;
use crate::environment::rollback::{self, Prepared, Target};
use crate::environment::snapshot_tree::{MANIFEST, NODES, UV_LOCK, node_name};
use crate::environment::state::{Keep, Surroundings};
use crate::object::{Entry, EntryKind, EntryName, Kind, NameError, RelativePath};

use super::error::NodeError;
use super::survey::Node;

/// What is to be different.
#[derive(Debug, Clone)]
pub struct Change {
    /// Paths in a snapshot, and what is to be there.
    edits: Vec<(RelativePath, Option<Entry>)>,
    /// The manifest's new text.
    pub manifest: String,
    /// uv's lock, if it is to be another one.
    pub lock: Option<String>,
    /// Nodes that go with what no snapshot holds of them.
    whole: Vec<RelativePath>,
    /// Clones that go along.
    follows: Vec<plan::Step>,
}

/// What becomes of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it is now, if it is.
    pub from: Option<RelativePath>,
    /// Where it will be and as what; nothing where it goes.
    pub to: Option<(RelativePath, Entry)>,
    /// What the manifest is to say of it, its path and whether it is off left aside.
    pub facts: Option<NodeFacts>,
}

impl Change {
    /// The change that these steps make. `nodes` are those that are there, `manifest` what it says so far.
    pub fn new(nodes: &[Node], manifest: &Manifest, steps: &[Step]) -> Result<Self, NodeError> {
        let mut edits: Vec<(RelativePath, Option<Entry>)> = Vec::new();
        for step in steps {
            let to = step.to.as_ref().map(|(path, _)| path);
            if let Some(from) = step.from.as_ref().filter(|from| Some(*from) != to) {
                edits.push((from.clone(), None));
            }
            if let Some((path, entry)) = &step.to {
                edits.push((path.clone(), Some(entry.clone())));
            }
        }
        let mut manifest = manifest.clone();
        manifest.set_nodes(&facts_after(nodes, &manifest, steps)?);
        Ok(Change { edits, manifest: manifest.to_string(), lock: None, whole: Vec::new(), follows: Vec::new() })
    }

    /// The same, in which these nodes go with all that lies in them.
    pub fn taking_whole(self, whole: Vec<RelativePath>) -> Self {
        Change { whole, ..self }
    }

    /// The same, with a clone that goes along.
    pub fn with_clone(self, follows: Option<plan::Step>) -> Self {
        Change { follows: follows.into_iter().collect(), ..self }
    }

    /// What it comes to in files.
    pub fn prepare<'a>(&self, around: &Surroundings<'a>, head: &Head) -> Result<Prepared<'a>, NodeError> {
        Ok(rollback::prepare(around, head, &self.target(around)?, Keep::IdsOnly)?)
    }

    /// Does it. Where [`Change::lock`] is set, `python` installs what it says. `between` is done once the files are in place; where that fails, all is put back. The environment's lock must be held.
    pub fn carry_out<'a>(
        &self,
        around: &Surroundings<'a>,
        head: &Head,
        who: &Who,
        python: Option<&dyn Python>,
        between: impl FnOnce() -> Result<(), NodeError>,
    ) -> Result<Prepared<'a>, NodeError> {
        rollback::carry_out_with(around, head, &self.target(around)?, who, python, |_| between())
    }

    fn target(&self, around: &Surroundings<'_>) -> Result<Target, NodeError> {
        let writer = around.store.writer()?;
        let mut edits = self.edits.clone();
        let texts = [(MANIFEST, Some(&self.manifest)), (UV_LOCK, self.lock.as_ref())];
        for (name, text) in texts {
            let Some(text) = text else { continue };
            let id = writer.put(Kind::Blob, text.as_bytes())?;
            let name = EntryName::new(name)?;
            let path = RelativePath::root().join(&name);
            edits.push((path, Some(Entry { name, kind: EntryKind::File, id, size: text.len() as u64 })));
        }
        writer.publish()?;
        let (whole, follows) = (self.whole.clone(), self.follows.clone());
        Ok(Target { whole, follows, ..Target::edited(edits) })
    }
}

/// What the manifest is to say of nodes once the steps are done: of those in the steps, and of those that it speaks of already.
fn facts_after(nodes: &[Node], manifest: &Manifest, steps: &[Step]) -> Result<BTreeMap<String, NodeFacts>, NameError> {
    let moved: BTreeSet<&RelativePath> = steps.iter().filter_map(|step| step.from.as_ref()).collect();
    let mut after: Vec<(String, NodeFacts)> = Vec::new();
    for node in nodes.iter().filter(|node| !moved.contains(&node.path)) {
        if let Some(known) = &node.known {
            after.push((node.name.base.clone(), NodeFacts { path: node.path.to_string(), ..known.clone() }));
        }
    }
    let above = RelativePath::new(NODES)?;
    for step in steps {
        let (Some((path, entry)), Some(facts)) = (&step.to, &step.facts) else { continue };
        let below = path.strip_prefix(&above).unwrap_or_default();
        // A link is a folder to whoever reads it.
        let kind = if entry.kind == EntryKind::Symlink { EntryKind::Tree } else { entry.kind };
        if let Some(name) = node_name(&below, kind) {
            let facts = NodeFacts { path: path.to_string(), disabled: name.disabled, ..facts.clone() };
            after.push((name.base, facts));
        }
    }
    // As `survey` names them: those that are on take their name first.
    after.sort_by(|(_, a), (_, b)| (a.disabled, &a.path).cmp(&(b.disabled, &b.path)));
    let mut named = BTreeMap::new();
    for (base, facts) in after {
        let below = facts.path.strip_prefix("nodes/").unwrap_or(&facts.path).to_owned();
        let key = if named.contains_key(&base) { below } else { base };
        named.insert(key, facts);
    }
    // Nodes that are not there any more are the next commit's to forget.
    let gone = |facts: &NodeFacts| {
        let same = |path: &RelativePath| path.as_str() == facts.path;
        !nodes.iter().any(|node| same(&node.path)) && !steps.iter().any(|step| step.from.as_ref().is_some_and(same))
    };
    for (key, facts) in manifest.nodes() {
        if gone(&facts) && !named.values().any(|known| known.path == facts.path) {
            named.entry(key).or_insert(facts);
        }
    }
    Ok(named)
}
