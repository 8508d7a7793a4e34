//! `node repair`: the files of custom nodes made what they were.

use crate::environment::manifest::{NodeFacts, NodeSource};
use crate::environment::nodes::kept::is_whole;
use crate::environment::nodes::{Change, NodeError, Request, Sources, Step};
use crate::object::{Entry, EntryKind, EntryName, ObjectId, RelativePath};
use crate::ui::online::Network;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};
use crate::worktree::Trees;

use super::at_work::{self, How};
use super::planned::{self, Plan};

const HELP: &str = "\
A custom node is made again what the manifest says, from the store, or from where it came if the store has not all of it. With
--original it is made what it was when it came, where it was edited since.

Examples:
  comfrey node repair                       all that differ, and all that are gone
  comfrey node repair comfyui-kjnodes --original";

/// Makes the files of custom nodes what they were.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Repair {
    /// Their folders, ids or repositories [default: all that differ]
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// As they came, without what was edited and committed since
    #[arg(long)]
    original: bool,
    /// Ask no host
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    how: How,
}

/// A node that is not what it was.
struct Broken {
    key: String,
    path: RelativePath,
    facts: NodeFacts,
    wanted: ObjectId,
    /// What is there.
    entry: Option<Entry>,
}

impl Command for Repair {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let (working, _lock) = at_work::open(session, &self.how)?;
        let around = working.around(session.observer);
        let at_work = at_work::look(&around)?;
        let broken = self.broken(&at_work)?;
        if broken.is_empty() {
            return planned::unchanged(session, Vec::new(), "every custom node is what the manifest says");
        }
        let network = if self.offline { Network::Refused } else { Network::Allowed };
        let online = session.online(&working.workspace, network)?;
        let registry = online.registry(session.observer);
        let sources = online.sources(&working.workspace, &registry, session.observer);
        let mut chosen = Vec::new();
        let mut keys = Vec::new();
        for broken in broken {
            let entry = whole(&sources, &broken)?;
            let facts = NodeFacts { tree: entry.id, ..broken.facts };
            let from = broken.entry.map(|_| broken.path.clone());
            chosen.push(Step { from, to: Some((broken.path, entry)), facts: Some(facts) });
            keys.push(broken.key);
        }
        let plan = Plan {
            change: Change::new(&at_work.nodes, &at_work.manifest, &chosen)?,
            result: "repaired",
            question: Some(format!("Make {} what the manifest says?", keys.join(", "))),
            what: None,
            told: format!("Repaired: {}", keys.join(", ")),
            nodes: keys,
            version: None,
            scripts: Vec::new(),
            warnings: Vec::new(),
        };
        planned::carry_out(session, &working, &at_work.head, &plan, &self.how, || Ok(()))
    }
}

impl Repair {
    /// The nodes that are to be repaired: those named, or all that differ.
    fn broken(&self, at_work: &at_work::AtWork<'_>) -> Result<Vec<Broken>, NodeError> {
        let known = at_work.manifest.nodes();
        let wanted =
            |facts: &NodeFacts| facts.installed.or(facts.fetched).filter(|_| self.original).unwrap_or(facts.tree);
        let mut all = Vec::new();
        for (key, facts) in known {
            let node = at_work.nodes.iter().find(|node| node.path.as_str() == facts.path);
            if facts.source == NodeSource::Development || node.is_some_and(|node| node.linked) {
                // Its files are whoever's who works there.
                continue;
            }
            let path = RelativePath::new(facts.path.as_str())?;
            let (wanted, entry) = (wanted(&facts), node.map(|node| node.entry.clone()));
            all.push(Broken { key, path, facts, wanted, entry });
        }
        let differs = |broken: &Broken| broken.entry.as_ref().is_none_or(|entry| entry.id != broken.wanted);
        if self.nodes.is_empty() {
            return Ok(all.into_iter().filter(differs).collect());
        }
        for name in &self.nodes {
            let is_it = |broken: &&Broken| broken.key.eq_ignore_ascii_case(name);
            match at_work.named(name) {
                Ok(node) if node.known.is_none() => return Err(NodeError::UnknownEdits(node.key.clone())),
                Ok(_) => {}
                Err(error) if !all.iter().any(|broken| is_it(&broken)) => return Err(error),
                Err(_) => {}
            }
        }
        let is_named = |broken: &Broken| {
            self.nodes.iter().any(|name| {
                broken.key.eq_ignore_ascii_case(name) || at_work.named(name).is_ok_and(|node| node.path == broken.path)
            })
        };
        Ok(all.into_iter().filter(|broken| is_named(broken) && differs(broken)).collect())
    }
}

/// The entry that is wanted, with all of it in the store.
fn whole(sources: &Sources<'_>, broken: &Broken) -> Result<Entry, NodeError> {
    let is_file = broken.path.as_str().ends_with(".py");
    if !is_whole(sources.store, &broken.wanted, is_file)? {
        let lost = || NodeError::Lost { key: broken.key.clone(), tree: broken.wanted };
        let request = match &broken.facts.source {
            NodeSource::Registry { id } => Request::Registry { id: id.clone(), version: broken.facts.version.clone() },
            NodeSource::Git { url, commit: Some(commit), .. } => {
                Request::Git { url: url.clone(), reference: Some(commit.clone()) }
            }
            NodeSource::Archive { url } if crate::net::address::is_url(url) => Request::Download { url: url.clone() },
            _ => return Err(lost()),
        };
        if sources.get(&request)?.kept.tree != broken.wanted {
            return Err(lost());
        }
    }
    let name = EntryName::new(broken.path.as_str().rsplit('/').next().unwrap_or_default())?;
    let (kind, size) = match is_file {
        true => (EntryKind::File, sources.store.info(&broken.wanted)?.map_or(0, |info| info.size)),
        false => (EntryKind::Tree, sources.store.tree(&broken.wanted)?.size()),
    };
    Ok(Entry { name, kind, id: broken.wanted, size })
}
