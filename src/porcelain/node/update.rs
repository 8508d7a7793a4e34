//! `node update`: another version of a custom node.

use std::path::Path;

use crate::environment::manifest::{NodeFacts, NodeSource};
use crate::environment::nodes::carried::{Carried, EditsHow};
use crate::environment::nodes::clone::{self, Clone};
use crate::environment::nodes::scripts::{self, INSTALL};
use crate::environment::nodes::{Change, Fetched, Node, NodeError, Request, required, steps};
use crate::object::{Entry, ObjectId};
use crate::ui::online::Network;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

use super::at_work::{self, How};
use super::planned::{self, PackagesHow, Plan, Wants};
use super::shape;

const HELP: &str = "\
Files of a custom node that someone edited are seen, and survive only by choice: without one the command stops before anything is
touched. Whatever gives way, `comfrey undo` brings back.

A node of a repository follows the branch that it was added with; at a tag or a commit it stays until another is named. Of one
that is a git clone, the clone goes along as with `git pull --ff-only`: files that git does not know stay, and so do commits of your own.

Examples:
  comfrey node update comfyui-kjnodes             to the newest version
  comfrey node update comfyui-kjnodes@1.1.0       to this one, which may be older
  comfrey node update mynode@main                 of a repository: to this branch, tag or commit
  comfrey node update mynode@latest               and to the newest of its main branch
  comfrey node update comfyui-kjnodes --keep-edits";

/// Brings another version of a custom node.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Update {
    /// Its folder, id or repository; with @VERSION or @REF to that version [default: the newest]
    #[arg(value_name = "NODE")]
    node: String,
    /// Put the files that were edited over the new ones
    #[arg(long, conflicts_with = "discard_edits")]
    keep_edits: bool,
    /// Let go what was edited
    #[arg(long)]
    discard_edits: bool,
    /// Run its install.py once its files are there
    #[arg(long)]
    allow_scripts: bool,
    /// Ask no host: take what was fetched before
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    packages: PackagesHow,
    #[command(flatten)]
    how: How,
}

impl Command for Update {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let (working, _lock) = at_work::open(session, &self.how)?;
        let around = working.around(session.observer);
        let at_work = at_work::look(&around)?;
        let (node, version) = match at_work.named(&self.node) {
            Ok(node) => (node, None),
            // A repository's address may hold an `@` of its own.
            Err(error) => match self.node.rsplit_once('@') {
                Some((name, version)) if !name.is_empty() && !version.is_empty() => {
                    (at_work.named(name)?, Some(version))
                }
                _ => return Err(error.into()),
            },
        };
        let folder = around.places().of(&node.path).unwrap_or_default();
        let network = if self.offline { Network::Refused } else { Network::Allowed };
        let online = session.online(&working.workspace, network)?;
        let registry = online.registry(session.observer);
        let sources = online.sources(&working.workspace, &registry, session.observer);
        let clone = Clone::of(sources.git, node, &folder)?;
        let request = request(node, version, clone.as_ref())?;
        let carried = Carried::of(&at_work.state, node, clone.as_ref(), &sources, self.edits())?;
        let fetched = sources.get(&request)?;
        let mut warnings = fetched.warnings.clone();
        let new = steps::entry(&node.name.base, &fetched)?;
        let mut facts = NodeFacts { disabled: node.name.disabled, ..steps::facts_of(&fetched, &node.path) };
        let trees = &at_work.state.trees;
        let over = match carried.filter(|carried| !carried.is_empty()) {
            Some(carried) => Some(carried.over(trees, node, &new.id, self.edits())?),
            None => None,
        };
        // Where edits are counted from.
        let base = over.as_ref().map_or(new.id, |over| over.base);
        let entry = match &over {
            Some(over) => {
                over.keep(trees, &folder, session.observer)?;
                if !over.both.is_empty() {
                    let both = over.both.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    warnings.push(format!("the new version changes these too, and yours were kept: {both}"));
                }
                facts = over.facts(facts, new.id);
                Entry { id: over.tree, size: over.size, ..new }
            }
            None => new,
        };
        let follow = match (&clone, clone::of_repository(&fetched)) {
            (Some(clone), Some((reference, commit))) => {
                clone.follow(&node.path, reference, commit, self.discard_edits)?
            }
            _ => None,
        };
        let is_known = |known: &NodeFacts| known.source == facts.source && known.version == facts.version;
        let is_there = clone.is_some() && follow.is_none() || node.known.as_ref().is_some_and(is_known);
        if entry.id == node.entry.id && is_there {
            for warning in &warnings {
                session.warn(warning)?;
            }
            return planned::unchanged(session, vec![node.key.clone()], &as_it_is(node));
        }
        let scripts = match fetched.kept.is_file {
            true => Vec::new(),
            false => scripts::scripts(around.store, &fetched.kept.tree)?,
        };
        warnings.extend(super::add::about_scripts(&node.key, &scripts, self.allow_scripts));
        let version = fetched.kept.version.clone().or_else(|| fetched.kept.commit.clone());
        let tree = entry.id;
        let step = steps::replace(node, entry, facts);
        let mut plan = Plan {
            change: Change::new(&at_work.nodes, &at_work.manifest, &[step])?.with_clone(follow.clone()),
            result: "updated",
            nodes: vec![node.key.clone()],
            what: Some(told(node, &fetched, tree)),
            told: told(node, &fetched, tree),
            version,
            scripts: scripts.clone(),
            warnings,
            question: self.discard_edits.then(|| format!("Let go what was edited in {}?", node.key)),
        };
        if !fetched.kept.is_file && !node.name.disabled {
            let requirements = required::of_tree(around.store, &tree)?;
            plan.require(session, &working, &node.name.base, &Wants::These(&requirements), self.packages)?;
        }
        if let (Some(clone), Some(follow), false) = (&clone, &follow, self.how.dry_run) {
            clone.bring(follow)?;
        }
        let kept = over.map(|over| over.edited).unwrap_or_default();
        let runs = self.allow_scripts && scripts.contains(&INSTALL) && !node.name.disabled;
        let (observer, place) = (session.observer, node.name.base.clone());
        planned::carry_out(session, &working, &at_work.head, &plan, &self.how, || match runs {
            true => {
                super::add::run_install(&working, &place, observer)?;
                scripts::note_installed(&working.around(observer), &node.path, kept.iter(), &base)
            }
            false => Ok(()),
        })
    }
}

impl Update {
    /// What becomes of what someone edited.
    fn edits(&self) -> EditsHow {
        match (self.keep_edits, self.discard_edits) {
            (true, _) => EditsHow::Keep,
            (_, true) => EditsHow::Discard,
            _ => EditsHow::Unsaid,
        }
    }
}

/// Why nothing came.
fn as_it_is(node: &Node) -> String {
    let (key, version) = (&node.key, shape::version(node));
    match &node.origin.source {
        NodeSource::Git { reference: Some(reference), commit, .. } if Some(reference) == commit.as_ref() => {
            format!("{key} stays at commit {version}; `comfrey node update {key}@REF` brings another")
        }
        NodeSource::Git { reference: Some(reference), .. } => {
            format!(
                "{key} follows {reference} and is at that version: {version}; `comfrey node update {key}@REF` brings another"
            )
        }
        NodeSource::Archive { url } if version.is_empty() => format!("{key} is as it is at {url}"),
        _ => format!("{key} is at that version: {version}"),
    }
}

/// What came in the place of what.
fn told(node: &Node, fetched: &Fetched, tree: ObjectId) -> String {
    let key = &node.key;
    let commit = |source: &NodeSource| match source {
        NodeSource::Git { commit: Some(commit), .. } => Some(commit.chars().take(10).collect::<String>()),
        _ => None,
    };
    let (before, after) = (commit(&node.origin.source), commit(&fetched.source));
    match &fetched.source {
        NodeSource::Git { reference, .. } if tree == node.entry.id && before == after => match reference {
            Some(reference) => format!("{key} follows {reference} from now on; its files are the same"),
            None => format!("{key} follows its main branch from now on; its files are the same"),
        },
        _ => {
            let (old, new) = (&node.origin.version, &fetched.kept.version);
            let text = |version: &Option<String>, commit: Option<String>| match (version, commit) {
                // A version alone would not tell them apart.
                (Some(version), Some(commit)) if old == new => format!("{version} ({commit})"),
                (Some(version), _) => version.clone(),
                (None, Some(commit)) => commit,
                (None, None) => "an unknown version".to_owned(),
            };
            match (new, &after) {
                (Some(version), None) if old == new => format!("{key}: other files of version {version}"),
                _ => format!("{key}: {} -> {}", text(old, before), text(new, after)),
            }
        }
    }
}

/// What is to be had, by where the node came from.
fn request(node: &Node, version: Option<&str>, clone: Option<&Clone<'_>>) -> Result<Request, NodeError> {
    let none = |reason: &str| NodeError::NoSource { key: node.key.clone(), reason: reason.to_owned() };
    // The newest, whatever was asked for before.
    let newest = matches!(version, Some("latest" | "HEAD"));
    let version = version.filter(|_| !newest).map(str::to_owned);
    let followed = |followed: Option<String>| version.clone().or(followed.filter(|_| !newest));
    if node.linked {
        return Err(none("its folder is a link to one in which someone works, and is what that is"));
    }
    match (clone, &node.origin.source) {
        (Some(clone), source) => {
            let of_clone = || clone.stand.branch.clone().unwrap_or_else(|| clone.stand.commit.clone());
            let reference = match source {
                NodeSource::Git { reference: Some(reference), .. } => reference.clone(),
                _ => of_clone(),
            };
            Ok(Request::Git { url: clone.remote.url.clone(), reference: followed(Some(reference)) })
        }
        (None, NodeSource::Registry { id }) => Ok(Request::Registry { id: id.clone(), version }),
        (None, NodeSource::Git { url, reference, .. }) => {
            Ok(Request::Git { url: url.clone(), reference: followed(reference.clone()) })
        }
        (None, NodeSource::Archive { .. }) if version.is_some() => {
            Err(none("it came as an archive, which has no versions"))
        }
        (None, NodeSource::Archive { url }) => match crate::net::address::is_url(url) {
            true => Ok(Request::Download { url: url.clone() }),
            false if Path::new(url).is_dir() => Ok(Request::Folder { path: url.into() }),
            false => Ok(Request::File { path: url.into() }),
        },
        (None, NodeSource::Development) => Err(none("it is someone's own work")),
        (None, NodeSource::Manual) => Err(none("it was put there by hand, and nobody knows from where")),
    }
}
