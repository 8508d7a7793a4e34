//! First parents, and the numbers v1, v2, … along them: v1 is the root, the newest is the branch's head.

use std::collections::HashMap;

use crate::object::{ObjectId, Snapshot};

use super::{Objects, Result};

/// A snapshot and the first parents before it, newest first.
pub fn first_parents<'a>(
    objects: &'a dyn Objects,
    start: ObjectId,
) -> impl Iterator<Item = Result<(ObjectId, Snapshot)>> + 'a {
    let mut next = Some(start);
    std::iter::from_fn(move || {
        let id = next.take()?;
        let snapshot = objects.read::<Snapshot>(&id).map(|snapshot| {
            next = snapshot.parents.first().copied();
            (id, snapshot)
        });
        Some(snapshot)
    })
}

/// The versions of a branch.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    /// Oldest first: v1 stands at 0.
    line: Vec<ObjectId>,
    numbers: HashMap<ObjectId, u64>,
}

impl Versions {
    /// The versions along the first parents of `head`; none without a head. Cost: a read a version.
    pub fn of(objects: &dyn Objects, head: Option<ObjectId>) -> Result<Self> {
        let mut line = Vec::new();
        if let Some(head) = head {
            for found in first_parents(objects, head) {
                line.push(found?.0);
            }
        }
        line.reverse();
        let numbers = line.iter().enumerate().map(|(at, id)| (*id, at as u64 + 1)).collect();
        Ok(Versions { line, numbers })
    }

    /// The number of a snapshot, if it is on the line.
    pub fn number(&self, id: &ObjectId) -> Option<u64> {
        self.numbers.get(id).copied()
    }

    /// `v3` for the third.
    pub fn name(&self, id: &ObjectId) -> Option<String> {
        self.number(id).map(|n| format!("v{n}"))
    }

    /// The snapshot with this number.
    pub fn get(&self, number: u64) -> Option<ObjectId> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.line.get(at).copied()
    }

    /// The number of the newest; 0 when there is none.
    pub fn newest(&self) -> u64 {
        self.line.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::map::Map;
    use super::*;

    #[test]
    fn versions_count_from_the_root_along_first_parents() {
        let map = Map::default();
        let line = map.line(3);
        let tree = map.tree(&[]);
        let side = map.snapshot(tree, &[line[0]], 10);
        let merge = map.snapshot(tree, &[line[2], side], 11);
        let versions = Versions::of(&map, Some(merge)).unwrap();
        assert_eq!((versions.newest(), versions.get(1), versions.get(4)), (4, Some(line[0]), Some(merge)));
        assert_eq!((versions.get(0), versions.get(5), versions.number(&side)), (None, None, None));
        assert_eq!(versions.name(&line[1]).as_deref(), Some("v2"));
        assert_eq!(Versions::of(&map, None).unwrap().newest(), 0);
    }
}
