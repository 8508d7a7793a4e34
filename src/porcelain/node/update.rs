//! `node update`: another version of a custom node.

use crate::environment::manifest::{NodeFacts, NodeSource};
use crate::environment::nodes::clone::{self, Clone};
use crate::environment::nodes::edits::{self, Edited};
use crate::environment::nodes::scripts::{self, INSTALL};
use crate::environment::nodes::{Change, Edits, Node, NodeError, Request, Sources, required, steps};
use crate::object::{Entry, ObjectId};
use crate::ui::online::Network;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};
use crate::worktree::{Trees, tree_at};

use super::at_work::{self, AtWork, How, PackagesHow, Plan, Wants};

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
        let carried = self.carried(&at_work, node, clone.as_ref(), &sources)?;
        let fetched = sources.get(&request)?;
        let mut warnings = fetched.warnings.clone();
        let new = steps::entry(&node.name.base, &fetched)?;
        let mut facts = NodeFacts { disabled: node.name.disabled, ..steps::facts_of(&fetched, &node.path) };
        // The new version with what its install script had made before; edits are counted from there.
        let mut base = new.id;
        let mut kept = Vec::new();
        let entry = match carried {
            Some(carried) if !carried.is_empty() => {
                let trees = &at_work.state.trees;
                let made = made_over(trees, &carried, &new.id)?;
                (base, ..) = edits::over(trees, &carried.came, &new.id, &made)?;
                edits::keep_trees(trees, &base)?;
                let mut over = made.clone();
                over.extend(self.over(trees, node, &carried, &new.id)?);
                let (id, size, both) = edits::over(trees, &carried.came, &new.id, &over)?;
                edits::keep(trees, &id, &over, &folder, session.observer)?;
                if !both.is_empty() {
                    let both = both.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    warnings.push(format!("the new version changes these too, and yours were kept: {both}"));
                }
                // What only lies beside is no edit.
                let differs = !carried.changed.is_empty() || !made.is_empty();
                let installed = (!made.is_empty()).then_some(base);
                facts = NodeFacts { tree: id, fetched: differs.then_some(new.id), installed, ..facts };
                kept.extend(carried.changed.into_keys());
                Entry { id, size, ..new }
            }
            _ => new,
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
            change: Change::new(&at_work.nodes, &at_work.manifest, &[step])?.with_clone(follow.clone()),
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
        if let (Some(clone), Some(follow), false) = (&clone, &follow, self.how.dry_run) {
            clone.bring(follow, &node.entry.id, &tree)?;
        }
        let runs = self.allow_scripts && scripts.contains(&INSTALL) && !node.name.disabled;
        let (observer, place) = (session.observer, node.name.base.clone());
        at_work::carry_out(session, &working, &at_work.head, &plan, &self.how, || match runs {
            true => {
                super::add::run_install(&working, &place, observer)?;
                scripts::note_installed(&working.around(observer), &node.path, kept.iter(), &base)
            }
            false => Ok(()),
        })
    }
}

/// What is put over the new version.
struct Carried {
    /// The tree that what was edited was edited from.
    came: ObjectId,
    /// What was edited, and is to be kept.
    changed: Edited,
    /// What lies beside the files of a clone.
    beside: Edited,
    /// What the install script of the version before made.
    made: Edited,
}

impl Carried {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.beside.is_empty() && self.made.is_empty()
    }
}

impl Update {
    /// What was edited since the node came, as far as it is to be kept.
    ///
    /// # Errors
    /// It was, and nobody has said what becomes of that.
    fn carried(
        &self,
        at_work: &AtWork<'_>,
        node: &Node,
        clone: Option<&Clone<'_>>,
        sources: &Sources<'_>,
    ) -> Result<Option<Carried>, NodeError> {
        let trees = &at_work.state.trees;
        if let Some(clone) = clone {
            // git knows what its files were.
            let came = clone.came(sources)?;
            let (changed, beside) = clone::beside(trees, &came, edits::since(&at_work.state, node, &came)?)?;
            return self.chosen(Carried { came, changed, beside, made: Edited::new() }, node).map(Some);
        }
        let changed = match node.edits() {
            Edits::None => Edited::new(),
            _ if self.discard_edits => Edited::new(),
            Edits::Unknown => return Err(NodeError::UnknownEdits(node.key.clone())),
            // What came may be in no store any more; then nobody can say what is an edit.
            Edits::Since(base) => match edits::since(&at_work.state, node, &base) {
                Ok(edited) => edited,
                Err(_) => return Err(NodeError::Edited { key: node.key.clone(), files: vec!["its files".into()] }),
            },
        };
        let Some(known) = &node.known else { return Ok(None) };
        let came = known.fetched.unwrap_or(known.tree);
        let made = match &known.installed {
            Some(installed) => edits::between(trees, &came, installed).unwrap_or_default(),
            None => Edited::new(),
        };
        self.chosen(Carried { came, changed, beside: Edited::new(), made }, node).map(Some)
    }

    /// The same as far as it is to be kept.
    fn chosen(&self, carried: Carried, node: &Node) -> Result<Carried, NodeError> {
        if carried.changed.is_empty() || self.keep_edits {
            return Ok(carried);
        }
        if self.discard_edits {
            return Ok(Carried { changed: Edited::new(), ..carried });
        }
        let files = carried.changed.keys().map(ToString::to_string).collect();
        Err(NodeError::Edited { key: node.key.clone(), files })
    }

    /// All that is put over the new version. What lies beside gives way where that has a file of the name, by choice like an edit.
    fn over(&self, trees: &impl Trees, node: &Node, carried: &Carried, new: &ObjectId) -> Result<Edited, NodeError> {
        let mut over = carried.changed.clone();
        let mut in_the_way = Vec::new();
        for (path, now) in &carried.beside {
            let other = tree_at(trees, new, path)?;
            let differs =
                other.is_some_and(|other| now.as_ref().is_none_or(|now| (now.kind, now.id) != (other.kind, other.id)));
            if differs && !self.keep_edits {
                in_the_way.push(path.to_string());
                continue;
            }
            over.insert(path.clone(), now.clone());
        }
        match in_the_way.is_empty() || self.discard_edits {
            true => Ok(over),
            false => Err(NodeError::Edited { key: node.key.clone(), files: in_the_way }),
        }
    }
}

/// What the install script of the version before made, as far as the new version has no file of its own there.
fn made_over(trees: &impl Trees, carried: &Carried, new: &ObjectId) -> Result<Edited, NodeError> {
    let id = |entry: Option<Entry>| entry.map(|entry| (entry.kind, entry.id));
    let mut over = Edited::new();
    for (path, now) in &carried.made {
        if id(tree_at(trees, new, path)?) == id(tree_at(trees, &carried.came, path)?) {
            over.insert(path.clone(), now.clone());
        }
    }
    Ok(over)
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
fn request(node: &Node, version: Option<&str>, clone: Option<&Clone<'_>>) -> Result<Request, NodeError> {
    let none = |reason: &str| NodeError::NoSource { key: node.key.clone(), reason: reason.to_owned() };
    // The newest, whatever was asked for before.
    let newest = matches!(version, Some("latest" | "HEAD"));
    let version = version.filter(|_| !newest).map(str::to_owned);
    let followed = |followed: Option<String>| version.clone().or(followed.filter(|_| !newest));
    if node.linked {
        return Err(none("its folder is a link to one in which someone works"));
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
            false => Ok(Request::File { path: url.into() }),
        },
        (None, NodeSource::Development) => Err(none("it is someone's own work")),
        (None, NodeSource::Manual) => Err(none("it was put there by hand, and nobody knows from where")),
    }
}
