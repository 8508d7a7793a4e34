//! `node update`: another version of a custom node.

use crate::environment::manifest::{NodeFacts, NodeSource};
use crate::environment::nodes::scripts::{self, INSTALL};
use crate::environment::nodes::{Change, Edits, Node, NodeError, Request, edits, required, steps};
use crate::object::Entry;
use crate::ui::online::Network;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

use super::at_work::{self, How, PackagesHow, Plan, Wants};

const HELP: &str = "\
Files of a custom node that someone edited are seen, and survive only by choice: without one the command stops before anything is
touched. Whatever gives way, `comfrey undo` brings back.

A node of a repository follows the branch that it was added with; at a tag or a commit it stays until another is named.

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
        let request = request(node, version, folder.join(".git").exists())?;
        let edited = match node.edits() {
            Edits::None => None,
            Edits::Since(_) if self.discard_edits => None,
            Edits::Unknown if self.discard_edits => None,
            Edits::Unknown => return Err(NodeError::UnknownEdits(node.key.clone()).into()),
            Edits::Since(came) => match edits::since(&at_work.state, node, &came) {
                Ok(edited) if self.keep_edits => Some((came, edited)),
                Ok(edited) => {
                    let files = edited.keys().map(ToString::to_string).collect();
                    return Err(NodeError::Edited { key: node.key.clone(), files }.into());
                }
                // What came is in no store any more, so nobody can say what is an edit.
                Err(_) => {
                    return Err(NodeError::Edited { key: node.key.clone(), files: vec!["its files".into()] }.into());
                }
            },
        };
        let network = if self.offline { Network::Refused } else { Network::Allowed };
        let online = session.online(&working.workspace, network)?;
        let registry = online.registry(session.observer);
        let fetched = online.sources(&working.workspace, &registry, session.observer).get(&request)?;
        let mut warnings = fetched.warnings.clone();
        let new = steps::entry(&node.name.base, &fetched)?;
        let mut facts = NodeFacts { disabled: node.name.disabled, ..steps::facts_of(&fetched, &node.path) };
        let entry = match &edited {
            None => new,
            Some((came, edited)) => {
                let (id, size, both) = edits::over(&at_work.state.trees, came, &new.id, edited)?;
                edits::keep(&at_work.state.trees, &id)?;
                if !both.is_empty() {
                    let both = both.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    warnings.push(format!("the new version changes these too, and yours were kept: {both}"));
                }
                facts = NodeFacts { tree: id, fetched: Some(new.id), ..facts };
                Entry { id, size, ..new }
            }
        };
        if entry.id == node.entry.id
            && node.known.as_ref().is_some_and(|known| known.source == facts.source && known.version == facts.version)
        {
            for warning in &warnings {
                session.warn(warning)?;
            }
            return at_work::unchanged(session, vec![node.key.clone()], &as_it_is(node));
        }
        let scripts = match fetched.kept.is_file {
            true => Vec::new(),
            false => scripts::scripts(around.store, &fetched.kept.tree)?,
        };
        warnings.extend(super::add::about_scripts(&node.key, &scripts, self.allow_scripts));
        let before = at_work::version(node);
        let version = fetched.kept.version.clone().or_else(|| fetched.kept.commit.clone());
        let short = version.as_deref().map(|text| if text.len() == 40 { &text[..10] } else { text });
        let tree = entry.id;
        let step = steps::replace(node, entry, facts);
        let mut plan = Plan {
            change: Change::new(&at_work.nodes, &at_work.manifest, &[step])?,
            result: "updated",
            nodes: vec![node.key.clone()],
            told: format!("{}: {} -> {}", node.key, or_unknown(&before), or_unknown(short.unwrap_or_default())),
            version,
            scripts: scripts.clone(),
            warnings,
            question: self.discard_edits.then(|| format!("Let go what was edited in {}?", node.key)),
        };
        if !fetched.kept.is_file && !node.name.disabled {
            let requirements = required::of_tree(around.store, &tree)?;
            plan.require(session, &working, &node.name.base, &Wants::These(&requirements), self.packages)?;
        }
        let runs = self.allow_scripts && scripts.contains(&INSTALL) && !node.name.disabled;
        let (observer, place) = (session.observer, node.name.base.clone());
        at_work::carry_out(session, &working, &at_work.head, &plan, &self.how, || match runs {
            true => super::add::run_install(&working, &place, observer),
            false => Ok(()),
        })
    }
}

/// Why nothing came.
fn as_it_is(node: &Node) -> String {
    let (key, version) = (&node.key, at_work::version(node));
    match &node.origin.source {
        NodeSource::Git { reference: Some(reference), commit, .. } if Some(reference) == commit.as_ref() => {
            format!("{key} stays at commit {version}; `comfrey node update {key}@REF` brings another")
        }
        NodeSource::Git { reference: Some(reference), .. } => {
            format!(
                "{key} follows {reference} and is at that version: {version}; `comfrey node update {key}@REF` brings another"
            )
        }
        _ => format!("{key} is at that version: {version}"),
    }
}

fn or_unknown(version: &str) -> &str {
    if version.is_empty() { "an unknown version" } else { version }
}

/// What is to be had, by where the node came from.
fn request(node: &Node, version: Option<&str>, has_repository: bool) -> Result<Request, NodeError> {
    let none = |reason: &str| NodeError::NoSource { key: node.key.clone(), reason: reason.to_owned() };
    // The newest, whatever was asked for before.
    let newest = matches!(version, Some("latest" | "HEAD"));
    let version = version.filter(|_| !newest).map(str::to_owned);
    if node.linked {
        return Err(none("its folder is a link to one in which someone works"));
    }
    if has_repository {
        return Err(none("its folder is a git clone with a history of its own; `git pull` there updates it"));
    }
    match &node.origin.source {
        NodeSource::Registry { id } => Ok(Request::Registry { id: id.clone(), version }),
        NodeSource::Git { url, reference, .. } => {
            let reference = version.or_else(|| reference.clone().filter(|_| !newest));
            Ok(Request::Git { url: url.clone(), reference })
        }
        NodeSource::Archive { .. } if version.is_some() => Err(none("it came as an archive, which has no versions")),
        NodeSource::Archive { url } => match crate::net::address::is_url(url) {
            true => Ok(Request::Download { url: url.clone() }),
            false => Ok(Request::File { path: url.into() }),
        },
        NodeSource::Development => Err(none("it is someone's own work")),
        NodeSource::Manual => Err(none("it was put there by hand, and nobody knows from where")),
    }
}
