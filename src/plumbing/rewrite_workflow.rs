//! `rewrite-workflow`: the same bytes with a few values changed.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use crate::catalog::{Reference, references};
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};
use crate::workflow::document::Kind;
use crate::workflow::rewrite::{New, rewrite_values};
use crate::workflow::{Node, Workflow};

use super::parse_workflow;

const HELP: &str = "\
Prints the workflow with just these values changed: order, spacing, the spelling of numbers and unknown fields are the bytes that
they were.

--map changes every model whose name is OLD, wherever it stands. --set changes one value: SCOPE are the ids of the subgraph
instances around the node, WIDGET is a name or a position from 0. A number or a boolean can be set to another.

Examples:
  comfrey rewrite-workflow --map old.safetensors=SDXL/new.safetensors flow.json
  comfrey rewrite-workflow --set 12:lora_name=style.safetensors --set 57/3:0=a.pt flow.json";

/// Prints a workflow with a few values changed and every other byte as it is.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct RewriteWorkflow {
    /// Replace the name of a model
    #[arg(long, value_name = "OLD=NEW")]
    map: Vec<String>,
    /// Replace the value of a widget
    #[arg(long, value_name = "[SCOPE/]NODE:WIDGET=VALUE")]
    set: Vec<Setting>,
    /// A workflow; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// One `--set`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    scope: Vec<String>,
    node: String,
    widget: String,
    value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "[SCOPE/]NODE:WIDGET=VALUE is wanted, such as 12:lora_name=a.safetensors".to_owned();
        let (target, value) = text.split_once('=').ok_or_else(wanted)?;
        let (node, widget) = target.rsplit_once(':').ok_or_else(wanted)?;
        // The API format writes the scope with colons.
        let mut scope: Vec<String> = node.split(['/', ':']).map(str::to_owned).collect();
        let node = scope.pop().filter(|node| !node.is_empty()).ok_or_else(wanted)?;
        Ok(Setting { scope, node, widget: widget.to_owned(), value: value.to_owned() })
    }
}

type Change = (Range<usize>, New);

impl Command for RewriteWorkflow {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let shown = self.file.display();
        let held = parse_workflow::open(&self.file, session)?;
        if let Some(container) = held.part.container() {
            let failure = Failure::new(Exit::Usage, format!("{shown}: {container}, and only JSON can be rewritten"));
            return Err(failure.hint("save the workflow from ComfyUI's editor as a file of its own"));
        }
        let bytes = held.document;
        let workflow = crate::workflow::read(&bytes);
        let workflow = workflow.map_err(|error| parse_workflow::no_workflow(&shown, error))?;
        let found = references(&workflow, &session.catalog_at_hand()?);
        let mut changes = Vec::new();
        for map in &self.map {
            changes.extend(mapped(map, &found)?);
        }
        for setting in &self.set {
            let (change, sharing) = set(setting, &workflow, &found)?;
            if sharing > 1 {
                session.warn(format_args!(
                    "node {}: {sharing} instances of its subgraph share this value, and it changes for all of them",
                    setting.place()
                ))?;
            }
            changes.push(change);
        }
        let rewritten = rewrite_values(&bytes, &changes).map_err(|error| {
            Failure::new(Exit::Usage, format!("{shown}: {error}")).hint("one value was given twice")
        })?;
        session.out.write_all(&rewritten)?;
        Ok(Exit::Done)
    }
}

/// The changes that `OLD=NEW` stands for. A name may have a `=` itself, so each is tried as the one between the two.
fn mapped(map: &str, found: &[Reference]) -> Result<Vec<Change>, Failure> {
    let splits: Vec<_> = map.match_indices('=').map(|(at, _)| (&map[..at], &map[at + 1..])).collect();
    let Some((first, _)) = splits.first() else {
        return Err(Failure::new(Exit::Usage, format!("--map {map}: OLD=NEW is wanted")));
    };
    for (old, new) in &splits {
        let meant = found.iter().filter(|reference| reference.value == *old || reference.path == *old);
        let changes: Vec<_> = meant.map(|reference| (reference.place.clone(), New::Text((*new).to_owned()))).collect();
        if !changes.is_empty() {
            return Ok(changes);
        }
    }
    let failure = Failure::new(Exit::NotFound, format!("no node names a model `{first}`"));
    Err(failure.hint("`comfrey parse-workflow FILE` lists the models that it names"))
}

impl Setting {
    /// `57/3`.
    fn place(&self) -> String {
        self.scope.iter().map(|id| format!("{id}/")).collect::<String>() + &self.node
    }

    fn names(&self, input: Option<&str>, position: Option<usize>) -> bool {
        input == Some(&self.widget) || position.is_some_and(|at| self.widget.parse() == Ok(at))
    }
}

/// The change that a setting stands for, and how many nodes share the value, as those of several instances can.
fn set(setting: &Setting, workflow: &Workflow<'_>, found: &[Reference]) -> Result<(Change, usize), Failure> {
    let place = setting.place();
    let absent = |what: String| {
        let failure = Failure::new(Exit::NotFound, what);
        failure.hint("`comfrey parse-workflow FILE` lists nodes, their scopes and the models that they name")
    };
    let meant: Vec<&Node> =
        workflow.nodes.iter().filter(|node| node.scope == setting.scope && node.id == setting.node).collect();
    let node = match meant.as_slice() {
        [node] => node,
        [] => return Err(absent(format!("there is no node {place}"))),
        _ => return Err(Failure::new(Exit::Conflict, format!("several nodes have the id {place}"))),
    };
    // A model's name first: it may stand in another node that feeds this one, or within an object.
    let is_whole = |place: &Range<usize>| workflow.document().bytes().get(place.start) == Some(&b'"');
    let model = found.iter().find(|reference| {
        (&reference.scope, &reference.node) == (&setting.scope, &setting.node)
            && is_whole(&reference.place)
            && setting.names(reference.input.as_deref(), reference.widget)
    });
    let values = workflow.values(node);
    let own = values.iter().find(|held| setting.names(held.name, held.at));
    let (place, kind) = match (model, own) {
        (Some(reference), _) => (reference.place.clone(), Kind::Text),
        (None, Some(held)) => (workflow.value(held.value).place(), workflow.value(held.value).kind()),
        (None, None) => return Err(absent(format!("node {place} has no value `{}`", setting.widget))),
    };
    let new = match kind {
        Kind::Text => New::Text(setting.value.clone()),
        Kind::Number | Kind::Boolean | Kind::Null => New::Scalar(setting.value.clone()),
        Kind::Array | Kind::Object => {
            let what = format!("the value `{}` of node {} is {}", setting.widget, setting.place(), kind.described());
            return Err(Failure::new(Exit::Usage, what).hint("only strings, numbers and booleans can be set"));
        }
    };
    let shares = |other: &&Node| {
        let value = |held: &crate::workflow::Held<'_>| workflow.value(held.value).place() == place;
        other.value == node.value && workflow.values(other).iter().any(value)
    };
    let sharing = if node.scope.is_empty() { 1 } else { workflow.nodes.iter().filter(shares).count() };
    Ok(((place, new), sharing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_names_scope_node_and_widget() {
        let setting = |text: &str| text.parse::<Setting>().map(|s| (s.place(), s.widget, s.value));
        let expected = |place: &str, widget: &str, value: &str| Ok((place.into(), widget.into(), value.into()));
        assert_eq!(setting("12:lora_name=a=b:c"), expected("12", "lora_name", "a=b:c"));
        assert_eq!(setting("57/3:0="), expected("57/3", "0", ""));
        assert_eq!(setting("57:3:0=x"), expected("57/3", "0", "x"));
        for wrong in ["12=a", "12:x", ":x=1", "57/:x=1"] {
            assert!(setting(wrong).is_err(), "{wrong}");
        }
    }
}
