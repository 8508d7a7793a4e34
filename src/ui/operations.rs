//! Operations as lines and as JSON: the same in `operations`, `show` and `undo`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::history::{Objects, RefChange, Refs, operations::refs_after};
use crate::object::{Kind, ObjectId, Operation, RefTarget};

use super::report::Paint;
use super::{Failure, Session};

/// An operation and what it changed.
pub struct Told {
    pub id: ObjectId,
    pub operation: Operation,
    pub changes: Vec<RefChange>,
    /// The operation whose effect this one took back.
    undone: Option<Operation>,
}

/// An operation in JSON.
#[derive(Debug, Serialize)]
pub struct OperationShape<'a> {
    /// `operation`, where other kinds could stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// How many operations came after it: the number in `@{n}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    pub id: ObjectId,
    pub parent: Option<ObjectId>,
    pub command: &'a str,
    pub author: &'a str,
    pub time: String,
    pub changes: Vec<ChangeShape<'a>>,
    pub restore_points: &'a BTreeMap<String, ObjectId>,
    pub undoes: Option<ObjectId>,
}

/// A change of a ref in JSON: ids, or `-> NAME` for a ref that points at another; null where it was not there.
#[derive(Debug, Serialize)]
pub struct ChangeShape<'a> {
    #[serde(rename = "ref")]
    name: &'a str,
    old: Option<String>,
    new: Option<String>,
}

impl Told {
    pub fn of(objects: &dyn Objects, id: ObjectId, operation: Operation) -> Result<Self, Failure> {
        let before = match &operation.parent {
            Some(parent) => refs_after(objects, parent)?,
            None => Refs::default(),
        };
        let changes = Refs::new(operation.refs.clone()).changes_since(&before);
        let undone = operation.undoes.as_ref().map(|undone| objects.read(undone)).transpose()?;
        Ok(Told { id, operation, changes, undone })
    }

    /// True when it changed refs or files of the environment.
    pub fn concerns(&self, environment: &str) -> bool {
        let of = |name: &str| name.strip_prefix(environment).is_some_and(|rest| rest.starts_with('/'));
        self.operation.restore_points.contains_key(environment) || self.changes.iter().any(|change| of(&change.name))
    }

    /// `@{0} 9f8e7d6c5b 2026-11-20 10:00 commit -m first`, without the number where it is not known.
    pub fn title(&self, number: Option<u64>, paint: Paint) -> String {
        let number = number.map(|n| format!("{} ", paint.strong(format_args!("@{{{n}}}")))).unwrap_or_default();
        let (id, time) = (paint.typed(self.id.short()), paint.faint(self.operation.time.to_minutes()));
        // A message may have many lines; here a command has one.
        let mut lines = self.operation.command.lines();
        let (first, more) = (lines.next().unwrap_or(""), if lines.next().is_some() { " …" } else { "" });
        format!("{number}{id} {time} {first}{more}")
    }

    /// The title, then a line a ref that changed: its name, what it was, what it is.
    pub fn print(&self, session: &mut Session<'_>, number: Option<u64>) -> Result<(), Failure> {
        writeln!(session.out, "{}", self.title(number, session.paint))?;
        for change in &self.changes {
            writeln!(session.out, "    {}: {} -> {}", change.name, short(&change.old), short(&change.new))?;
        }
        for (environment, id) in &self.operation.restore_points {
            writeln!(session.out, "    {environment}: its files before it: {}", id.short())?;
        }
        if let (Some(id), Some(undone)) = (&self.operation.undoes, &self.undone) {
            match undone.undoes {
                None => writeln!(session.out, "    took back {} {}", id.short(), undone.command)?,
                Some(first) => {
                    writeln!(session.out, "    brought back {} by taking back {}", first.short(), id.short())?
                }
            }
        }
        Ok(())
    }
}

/// A target for people.
fn short(target: &Option<RefTarget>) -> String {
    match target {
        None => "nothing".into(),
        Some(RefTarget::Snapshot(id)) => id.short(),
        Some(RefTarget::Symbolic(name)) => name.clone(),
    }
}

impl<'a> OperationShape<'a> {
    pub fn of(told: &'a Told, n: Option<u64>) -> Self {
        let Told { id, operation, changes, .. } = told;
        let text = |target: &Option<RefTarget>| target.as_ref().map(RefTarget::to_string);
        let change = |c: &'a RefChange| ChangeShape { name: &c.name, old: text(&c.old), new: text(&c.new) };
        OperationShape {
            kind: if n.is_none() { Some(Kind::Operation) } else { None },
            n,
            id: *id,
            parent: operation.parent,
            command: &operation.command,
            author: &operation.author,
            time: operation.time.to_string(),
            changes: changes.iter().map(change).collect(),
            restore_points: &operation.restore_points,
            undoes: operation.undoes,
        }
    }
}
