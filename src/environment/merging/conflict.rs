//! What both sides changed, and not alike: named, with all three versions, and whose was taken.

use serde::Serialize;
use serde_json::Value;

use crate::history::Side;

/// What a conflict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A workflow as a whole.
    Workflow,
    /// A widget of a node in a workflow, its mode, its title, or another value of the file.
    Value,
    /// What feeds an input of a node in a workflow.
    Input,
    /// A node of a workflow, which one removed and the other changed or needs.
    WorkflowNode,
    /// Another file.
    File,
    /// A custom node.
    Node,
    /// ComfyUI's own program.
    Comfyui,
    /// Which model has a name.
    Model,
    /// A value of the manifest.
    Manifest,
}

/// One conflict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conflict {
    /// What `--take-ours` and `--take-theirs` are given. It begins with a path of a snapshot.
    pub name: String,
    pub kind: Kind,
    /// Of a workflow: the node's id, its class and title, and the widget or input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widget: Option<String>,
    /// What each has; absent where it has nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ours: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Value>,
    /// Whose was taken, as was asked; null while nobody has decided.
    pub taken: Option<Side>,
}

impl Conflict {
    /// One about something with a path, of which the versions are told in words.
    pub fn of(kind: Kind, name: impl Into<String>, [base, ours, theirs]: [Option<String>; 3]) -> Self {
        let (base, ours, theirs) = (base.map(Value::from), ours.map(Value::from), theirs.map(Value::from));
        Conflict {
            name: name.into(),
            kind,
            node: None,
            class: None,
            title: None,
            widget: None,
            base,
            ours,
            theirs,
            taken: None,
        }
    }
}

/// Who wins where both changed something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Everywhere else.
    pub all: Option<Side>,
    /// For what has this name, and what belongs to it.
    pub named: Vec<(String, Side)>,
}

/// Conflicts as they are met, decided as far as was said.
pub(super) struct Deciding<'c> {
    choices: &'c Choices,
    pub conflicts: Vec<Conflict>,
}

impl<'c> Deciding<'c> {
    pub fn new(choices: &'c Choices) -> Self {
        Deciding { choices, conflicts: Vec::new() }
    }

    /// Notes a conflict and answers with the side to go on with: ours where nobody decided.
    pub fn decide(&mut self, conflict: Conflict) -> Side {
        let taken = self.choices.of(&conflict.name);
        self.conflicts.push(Conflict { taken, ..conflict });
        taken.unwrap_or(Side::Ours)
    }
}

impl Choices {
    fn of(&self, name: &str) -> Option<Side> {
        self.named.iter().find(|(given, _)| covers(given, name)).map(|(_, side)| *side).or(self.all)
    }

    /// Names that were given and that no conflict has.
    pub fn idle<'n>(&'n self, conflicts: &[Conflict]) -> Vec<&'n str> {
        let is_idle = |given: &&str| !conflicts.iter().any(|conflict| covers(given, &conflict.name));
        self.named.iter().map(|(given, _)| given.as_str()).filter(is_idle).collect()
    }
}

/// True where `given` is the name of a conflict, or of what the conflict is in: its node, its file. The short forms that other
/// commands take (`portrait`, `Impact`) count too.
fn covers(given: &str, name: &str) -> bool {
    let given = given.replace('\\', "/");
    let begins = |name: &str| {
        let rest = name.strip_prefix(given.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['#', ':']))
    };
    begins(name) || begins(&short(name))
}

/// `portrait#3:steps` for `workflows/portrait.json#3:steps`, `Impact` for `nodes/Impact`.
fn short(name: &str) -> String {
    let (path, rest) = name.split_once('#').map_or((name, ""), |(path, _)| (path, &name[path.len()..]));
    let path = path.strip_prefix("workflows/").or_else(|| path.strip_prefix("nodes/")).unwrap_or(path);
    format!("{}{rest}", path.strip_suffix(".json").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_covers_what_has_its_name_and_what_belongs_to_it() {
        for given in [
            "workflows/a.json#3:steps",
            "workflows/a.json#3",
            "workflows/a.json",
            "a#3:steps",
            "a#3",
            "a",
            "workflows\\a.json#3",
        ] {
            assert!(covers(given, "workflows/a.json#3:steps"), "{given}");
        }
        for given in ["workflows/a.json#30", "workflows", "a#3:step", "b", "", "steps"] {
            assert!(!covers(given, "workflows/a.json#3:steps"), "{given}");
        }
        assert!(covers("Impact", "nodes/Impact") && !covers("Impac", "nodes/Impact"));
    }

    #[test]
    fn the_first_choice_that_fits_wins_and_those_that_fit_nothing_are_told() {
        let named =
            vec![("a#3:steps".to_owned(), Side::Theirs), ("a".to_owned(), Side::Ours), ("b".to_owned(), Side::Ours)];
        let choices = Choices { all: None, named };
        let mut deciding = Deciding::new(&choices);
        let conflict = |name: &str| Conflict::of(Kind::Value, name, [None, None, None]);
        assert_eq!(deciding.decide(conflict("workflows/a.json#3:steps")), Side::Theirs);
        assert_eq!(deciding.decide(conflict("workflows/a.json#3:cfg")), Side::Ours);
        assert_eq!(deciding.decide(conflict("nodes/c")), Side::Ours);
        let taken: Vec<_> = deciding.conflicts.iter().map(|conflict| conflict.taken).collect();
        assert_eq!(taken, [Some(Side::Theirs), Some(Side::Ours), None]);
        assert_eq!(choices.idle(&deciding.conflicts), ["b"]);
    }
}
