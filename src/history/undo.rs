//! Which operation `undo` takes back when it is given again and again, and which one `redo` brings back.
//!
//! Every operation leaves two stacks behind: what is done (its top is what `undo` takes back) and what is undone (its
//! top is what `redo` brings back). They need not be stored; they follow from the operation itself:
//!
//! | operation | done after it | undone after it |
//! | --- | --- | --- |
//! | any other command `c` | done before it, then `c` | nothing |
//! | `u`, which takes back a command `c` | what was done before `c` | undone before it, then `u` |
//! | `r`, which takes back an undo `u` (a redo) | what was done before `u` | what was undone before `u` |
//!
//! An environment has its own two stacks: an operation that changed none of its refs and rewrote none of its files
//! does not stand in them (invariant H4). So `undo` in one environment never touches another.

use std::collections::BTreeMap;

use crate::object::{ObjectId, Operation};

use super::{Error, Objects, Refs, Result};

/// What `undo` or `redo` does: makes an environment what it was just before `operation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// For `undo` the command that is taken back, for `redo` the undo that is. Goes into `Record::undoes`.
    pub operation: ObjectId,
    /// The command line of the command taken back or brought back.
    pub command: String,
    /// All refs as they were before `operation`; those of the environment are the refs after this step.
    pub refs: Refs,
    /// Snapshots of working states just before `operation`, by environment; an environment that is not here keeps its files.
    pub restore: BTreeMap<String, ObjectId>,
}

/// What an operation did, as the stacks see it.
enum Role {
    Command,
    /// Took back this command.
    Undo(ObjectId),
    /// Took back this undo.
    Redo(ObjectId),
}

/// The stacks of one environment, or with `None` of the whole workspace, as the newest operation leaves them.
pub struct Stacks<'a> {
    objects: &'a dyn Objects,
    environment: Option<&'a str>,
    head: Option<ObjectId>,
}

impl<'a> Stacks<'a> {
    pub fn new(objects: &'a dyn Objects, environment: Option<&'a str>) -> Result<Self> {
        Ok(Stacks { objects, environment, head: objects.head_operation()? })
    }

    /// The command that `undo` takes back next; nothing when all is undone.
    pub fn undo(&self) -> Result<Option<Step>> {
        match self.top_done(self.head)? {
            Some(id) => self.before(id, &self.objects.read(&id)?).map(Some),
            None => Ok(None),
        }
    }

    /// Takes back everything from `operation` on, as one step. Errors: it is not among what is done.
    pub fn undo_from(&self, operation: ObjectId) -> Result<Step> {
        let mut restore = BTreeMap::new();
        for done in self.done() {
            let (id, value) = done?;
            // The oldest working state wins: it is the one from before everything taken back.
            restore.extend(value.restore_points.clone());
            if id == operation {
                return Ok(Step { restore, ..self.before(id, &value)? });
            }
        }
        let reason = "it is undone already, takes back another, or changed another environment";
        Err(Error::NotUndoable { operation: operation.short(), reason })
    }

    /// What `redo` brings back next: the newest undo that no other command came after.
    pub fn redo(&self) -> Result<Option<Step>> {
        let Some(id) = self.top_undone(self.head)? else { return Ok(None) };
        let undo: Operation = self.objects.read(&id)?;
        let step = self.before(id, &undo)?;
        let command = match undo.undoes {
            Some(undone) => self.objects.read::<Operation>(&undone)?.command,
            None => step.command,
        };
        Ok(Some(Step { command, ..step }))
    }

    /// What is done and can be taken back, newest first.
    pub fn done(&self) -> impl Iterator<Item = Result<(ObjectId, Operation)>> + '_ {
        let mut from = self.head;
        std::iter::from_fn(move || {
            let id = self.top_done(from.take()).transpose()?;
            Some(id.and_then(|id| {
                let operation: Operation = self.objects.read(&id)?;
                from = operation.parent;
                Ok((id, operation))
            }))
        })
    }

    fn before(&self, id: ObjectId, operation: &Operation) -> Result<Step> {
        let refs = self.refs_before(operation)?;
        Ok(Step { operation: id, command: operation.command.clone(), refs, restore: operation.restore_points.clone() })
    }

    fn refs_before(&self, operation: &Operation) -> Result<Refs> {
        match &operation.parent {
            Some(parent) => super::operations::refs_after(self.objects, parent),
            None => Ok(Refs::default()),
        }
    }

    fn role(&self, operation: &Operation) -> Result<Role> {
        let Some(undone) = operation.undoes else { return Ok(Role::Command) };
        let undone_too = self.objects.read::<Operation>(&undone)?.undoes;
        Ok(if undone_too.is_some() { Role::Redo(undone) } else { Role::Undo(undone) })
    }

    /// True when the operation changed refs or files of the environment.
    fn concerns(&self, operation: &Operation) -> Result<bool> {
        let Some(environment) = self.environment else { return Ok(true) };
        if operation.restore_points.contains_key(environment) {
            return Ok(true);
        }
        let (before, after) = (self.refs_before(operation)?, Refs::new(operation.refs.clone()));
        Ok(!before.of_environment(environment).eq(after.of_environment(environment)))
    }

    /// The top of what is done after the operation `at`.
    fn top_done(&self, mut at: Option<ObjectId>) -> Result<Option<ObjectId>> {
        while let Some(id) = at {
            let operation: Operation = self.objects.read(&id)?;
            at = match self.role(&operation)? {
                _ if !self.concerns(&operation)? => operation.parent,
                Role::Command => return Ok(Some(id)),
                Role::Undo(taken_back) | Role::Redo(taken_back) => self.objects.read::<Operation>(&taken_back)?.parent,
            };
        }
        Ok(None)
    }

    /// The top of what is undone after the operation `at`.
    fn top_undone(&self, mut at: Option<ObjectId>) -> Result<Option<ObjectId>> {
        while let Some(id) = at {
            let operation: Operation = self.objects.read(&id)?;
            at = match self.role(&operation)? {
                _ if !self.concerns(&operation)? => operation.parent,
                Role::Command => return Ok(None),
                Role::Undo(_) => return Ok(Some(id)),
                Role::Redo(undo) => self.objects.read::<Operation>(&undo)?.parent,
            };
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::objects::map::Map;
    use super::super::{Record, RefName, refs, transact};
    use super::*;
    use crate::object::Time;

    fn record(command: &str) -> Record {
        Record::new(command, "Test", Time { milliseconds: 0, offset_minutes: 0 })
    }

    fn commit(map: &Map, environment: &str, id: ObjectId) -> ObjectId {
        let head = RefName::head(environment).unwrap();
        transact::<Error>(map, &record("commit"), |refs| refs.set(&head, id)).unwrap().unwrap()
    }

    fn carry_out(map: &Map, environment: &str, step: &Step, command: &str) -> ObjectId {
        let record = Record { undoes: Some(step.operation), ..record(command) };
        transact::<Error>(map, &record, |refs| {
            refs.take_environment(environment, &step.refs);
            Ok(())
        })
        .unwrap()
        .unwrap()
    }

    fn head(map: &Map, environment: &str) -> Option<ObjectId> {
        refs(map).unwrap().resolve(&format!("{environment}/HEAD")).unwrap()
    }

    fn undo(map: &Map, environment: &str) -> bool {
        let step = Stacks::new(map, Some(environment)).unwrap().undo().unwrap();
        step.map(|step| carry_out(map, environment, &step, "undo")).is_some()
    }

    fn redo(map: &Map, environment: &str) -> bool {
        let step = Stacks::new(map, Some(environment)).unwrap().redo().unwrap();
        step.map(|step| carry_out(map, environment, &step, "redo")).is_some()
    }

    #[test]
    fn undo_goes_further_back_each_time_and_redo_comes_forward_again() {
        let map = Map::default();
        let line = map.line(4);
        for id in &line[..3] {
            commit(&map, "e", *id);
        }
        assert!(undo(&map, "e") && undo(&map, "e"));
        assert_eq!(head(&map, "e"), Some(line[0]));
        assert!(redo(&map, "e"));
        assert_eq!(head(&map, "e"), Some(line[1]));
        assert!(undo(&map, "e") && undo(&map, "e"));
        assert_eq!(head(&map, "e"), None);
        assert!(!undo(&map, "e"));
        assert!(redo(&map, "e") && redo(&map, "e") && redo(&map, "e") && !redo(&map, "e"));
        assert_eq!(head(&map, "e"), Some(line[2]));
        assert!(undo(&map, "e"));
        commit(&map, "e", line[3]);
        assert!(!redo(&map, "e"), "a new command leaves nothing to bring back");
        assert!(undo(&map, "e"));
        assert_eq!(head(&map, "e"), Some(line[1]));
    }

    #[test]
    fn undo_in_one_environment_leaves_the_other_alone() {
        let map = Map::default();
        let line = map.line(4);
        commit(&map, "a", line[0]);
        commit(&map, "b", line[1]);
        commit(&map, "a", line[2]);
        commit(&map, "b", line[3]);
        assert!(undo(&map, "a"));
        assert_eq!((head(&map, "a"), head(&map, "b")), (Some(line[0]), Some(line[3])));
        assert!(undo(&map, "b") && undo(&map, "b") && !undo(&map, "b"));
        assert_eq!((head(&map, "a"), head(&map, "b")), (Some(line[0]), None));
        assert!(redo(&map, "a") && !redo(&map, "a"));
        assert_eq!((head(&map, "a"), head(&map, "b")), (Some(line[2]), None));
    }

    #[test]
    fn everything_from_an_operation_on_is_taken_back_in_one_step() {
        let map = Map::default();
        let line = map.line(3);
        commit(&map, "e", line[0]);
        let mut rollback = record("rollback");
        rollback.restore_points.insert("e".into(), line[1]);
        let second = transact::<Error>(&map, &rollback, |_| Ok(())).unwrap().unwrap();
        commit(&map, "e", line[2]);
        let step = Stacks::new(&map, Some("e")).unwrap().undo_from(second).unwrap();
        assert_eq!(step.restore.get("e"), Some(&line[1]));
        carry_out(&map, "e", &step, "undo");
        assert_eq!(head(&map, "e"), Some(line[0]));
        assert!(Stacks::new(&map, Some("e")).unwrap().undo_from(second).is_err());
        assert!(redo(&map, "e"));
        assert_eq!(head(&map, "e"), Some(line[2]));
    }

    proptest! {
        /// The stacks computed from the log are those of two plain vectors.
        #[test]
        fn the_log_behaves_like_two_plain_stacks(moves in prop::collection::vec((0..4u8, any::<bool>()), 1..40)) {
            let map = Map::default();
            let mut models = [(vec![], vec![]), (vec![], vec![])];
            let tree = map.tree(&[]);
            for (n, (what, second)) in moves.into_iter().enumerate() {
                let environment = if second { "b" } else { "a" };
                let (done, undone): &mut (Vec<ObjectId>, Vec<ObjectId>) = &mut models[usize::from(second)];
                match what {
                    0 | 1 => {
                        let id = map.snapshot(tree, &[], n as i64);
                        commit(&map, environment, id);
                        done.push(id);
                        undone.clear();
                    }
                    2 => {
                        prop_assert_eq!(undo(&map, environment), !done.is_empty());
                        undone.extend(done.pop());
                    }
                    _ => {
                        prop_assert_eq!(redo(&map, environment), !undone.is_empty());
                        done.extend(undone.pop());
                    }
                }
                prop_assert_eq!(head(&map, "a"), models[0].0.last().copied());
                prop_assert_eq!(head(&map, "b"), models[1].0.last().copied());
            }
        }
    }
}
