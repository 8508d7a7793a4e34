//! The log of operations, and a change of refs as a transaction.
//!
//! The store names one operation, the newest. Each operation holds its parent and all refs after it, so refs at any
//! moment are those of one object, and a change of refs is: put the new operation, then swap the store's name
//! for it if nobody was faster (invariant H1). That swap is what makes it right; a lock around it all keeps operations that would
//! lose the race from being stored, so that a rebuilt index can tell the newest operation by the chain alone (invariant H8).

use std::collections::BTreeMap;

use crate::object::{ObjectId, Operation, Time};

use super::{Error, Objects, Refs, Result};

/// What is written down of a command beside the refs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The command line as a person would type it, without the program's name.
    pub command: String,
    pub author: String,
    pub time: Time,
    /// By environment, a snapshot of its working state just before the command rewrote files.
    pub restore_points: BTreeMap<String, ObjectId>,
    /// The operation whose effect this one takes back.
    pub undoes: Option<ObjectId>,
}

impl Record {
    /// A command that rewrote no files and takes nothing back.
    pub fn new(command: impl Into<String>, author: impl Into<String>, time: Time) -> Self {
        Record { command: command.into(), author: author.into(), time, restore_points: BTreeMap::new(), undoes: None }
    }
}

/// The refs of now.
pub fn refs(objects: &dyn Objects) -> Result<Refs> {
    match objects.head_operation()? {
        Some(head) => refs_after(objects, &head),
        None => Ok(Refs::default()),
    }
}

/// The refs after an operation.
pub fn refs_after(objects: &dyn Objects, operation: &ObjectId) -> Result<Refs> {
    Ok(Refs::new(objects.read::<Operation>(operation)?.refs))
}

/// Changes refs as one operation: `edit` is given the refs of now. When another program was faster, `edit` is called
/// again with its refs, so it must decide from what it is given alone.
///
/// `edit` must not itself change refs by a transaction. Returns the new operation; nothing when `edit` changed nothing and the record restores and undoes nothing, and then
/// nothing is written. Errors: those of `edit`, and of the store; then nothing has changed.
pub fn transact<E: From<Error>>(
    objects: &dyn Objects,
    record: &Record,
    mut edit: impl FnMut(&mut Refs) -> Result<(), E>,
) -> Result<Option<ObjectId>, E> {
    let _alone = objects.lock_operations()?;
    loop {
        let head = objects.head_operation()?;
        let before = match &head {
            Some(head) => refs_after(objects, head)?,
            None => Refs::default(),
        };
        let mut after = before.clone();
        edit(&mut after)?;
        if after == before && record.restore_points.is_empty() && record.undoes.is_none() {
            return Ok(None);
        }
        let operation = Operation {
            parent: head,
            command: record.command.clone(),
            author: record.author.clone(),
            time: record.time,
            refs: after.into_map(),
            restore_points: record.restore_points.clone(),
            undoes: record.undoes,
        };
        let new = objects.put_value(&operation)?;
        if objects.advance_operation(head, new)? {
            return Ok(Some(new));
        }
    }
}

/// Operations from `start` back to the first.
pub fn operations<'a>(
    objects: &'a dyn Objects,
    start: Option<ObjectId>,
) -> impl Iterator<Item = Result<(ObjectId, Operation)>> + 'a {
    let mut next = start;
    std::iter::from_fn(move || {
        let id = next.take()?;
        let operation = objects.read::<Operation>(&id).map(|operation| {
            next = operation.parent;
            (id, operation)
        });
        Some(operation)
    })
}

/// The operation `n` before the newest, and how many there are if there are too few.
pub fn nth_operation(objects: &dyn Objects, n: u64) -> Result<std::result::Result<(ObjectId, Operation), u64>> {
    let mut there = 0;
    for found in operations(objects, objects.head_operation()?) {
        let found = found?;
        if there == n {
            return Ok(Ok(found));
        }
        there += 1;
    }
    Ok(Err(there))
}

#[cfg(test)]
mod tests {
    use super::super::objects::map::Map;
    use super::super::{RefName, refs::Expected};
    use super::*;

    fn record(command: &str) -> Record {
        Record::new(command, "Test", Time { milliseconds: 0, offset_minutes: 0 })
    }

    fn head() -> RefName {
        RefName::head("e").unwrap()
    }

    #[test]
    fn each_change_is_an_operation_that_follows_the_one_before() {
        let map = Map::default();
        let line = map.line(3);
        for id in &line {
            transact::<Error>(&map, &record("x"), |refs| refs.set(&head(), *id)).unwrap().unwrap();
        }
        let log: Vec<_> = operations(&map, map.head.get()).map(|found| found.unwrap().1).collect();
        let heads: Vec<_> = log.iter().map(|o| Refs::new(o.refs.clone()).resolve("e/HEAD").unwrap().unwrap()).collect();
        assert_eq!(heads, [line[2], line[1], line[0]]);
        assert_eq!(log[2].parent, None);
        assert_eq!(nth_operation(&map, 1).unwrap().unwrap().1, log[1]);
        assert_eq!(nth_operation(&map, 3).unwrap(), Err(3));
    }

    #[test]
    fn a_change_of_nothing_is_no_operation() {
        let map = Map::default();
        let id = map.line(1)[0];
        assert!(transact::<Error>(&map, &record("x"), |_| Ok(())).unwrap().is_none());
        assert_eq!(map.head.get(), None);
        transact::<Error>(&map, &record("x"), |refs| refs.set(&head(), id)).unwrap();
        let before = map.head.get();
        assert!(transact::<Error>(&map, &record("x"), |refs| refs.set(&head(), id)).unwrap().is_none());
        assert_eq!(map.head.get(), before);
        let mut restoring = record("rollback");
        restoring.restore_points.insert("e".into(), id);
        assert!(transact::<Error>(&map, &restoring, |_| Ok(())).unwrap().is_some());
    }

    #[test]
    fn a_lost_race_edits_again_and_loses_nothing() {
        let map = Map::default();
        let line = map.line(2);
        let (first, second) = (line[0], line[1]);
        *map.race.borrow_mut() = Some(Box::new(move |map| {
            let other = RefName::tag("e", "other").unwrap();
            transact::<Error>(map, &record("other"), |refs| refs.set(&other, first)).unwrap();
        }));
        let mut edits = 0;
        transact::<Error>(&map, &record("mine"), |refs| {
            edits += 1;
            refs.set(&head(), second)
        })
        .unwrap();
        assert_eq!(edits, 2);
        let after = refs(&map).unwrap();
        assert_eq!(after.resolve("e/tags/other").unwrap(), Some(first));
        assert_eq!(after.resolve("e/HEAD").unwrap(), Some(second));
    }

    #[test]
    fn of_two_that_expect_the_same_one_is_told_of_the_other() {
        let map = Map::default();
        let line = map.line(2);
        let (first, second) = (line[0], line[1]);
        *map.race.borrow_mut() = Some(Box::new(move |map| {
            transact::<Error>(map, &record("other"), |refs| refs.set(&head(), first)).unwrap();
        }));
        let lost = transact(&map, &record("mine"), |refs| refs.compare_and_set(&head(), second, Expected::Absent));
        assert!(matches!(lost, Err(Error::Moved { found: Some(found), .. }) if found == first));
        assert_eq!(refs(&map).unwrap().resolve("e/HEAD").unwrap(), Some(first));
    }
}
