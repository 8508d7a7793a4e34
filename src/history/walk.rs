//! Snapshots, children before parents.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use crate::object::{ObjectId, Snapshot, Time};
use crate::observer::Observer;

use super::{Error, Objects, Result};

/// Which snapshots a walk visits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WalkOptions {
    /// These and all before them …
    pub include: Vec<ObjectId>,
    /// … but not these and what is before these.
    pub exclude: Vec<ObjectId>,
    /// Follow first parents only.
    pub first_parent: bool,
}

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walked {
    /// Every snapshot once, children before parents; where that leaves a choice, the newer first (invariant H6).
    pub snapshots: Vec<ObjectId>,
    /// Excluded snapshots that are parents of visited ones or were named: what the other side has.
    pub boundary: Vec<ObjectId>,
}

/// What the walk keeps of a snapshot.
struct Node {
    parents: Vec<ObjectId>,
    time: Time,
    /// How many visited children are still to come.
    children: usize,
}

/// Walks. Cost: one read for each snapshot before `include` or `exclude`, and about 150 bytes of memory.
pub fn walk(objects: &dyn Objects, options: &WalkOptions, observer: &dyn Observer) -> Result<Walked> {
    let excluded = before(objects, &options.exclude, observer)?;
    let mut nodes: HashMap<ObjectId, Node> = HashMap::new();
    let mut boundary: HashSet<ObjectId> = options.exclude.iter().copied().collect();
    let mut open = options.include.clone();
    while let Some(id) = open.pop() {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        if excluded.contains(&id) || nodes.contains_key(&id) {
            continue;
        }
        let mut snapshot: Snapshot = objects.read(&id)?;
        if options.first_parent {
            snapshot.parents.truncate(1);
        }
        let (out, inside): (Vec<_>, Vec<_>) = snapshot.parents.into_iter().partition(|id| excluded.contains(id));
        boundary.extend(out);
        open.extend(&inside);
        nodes.insert(id, Node { parents: inside, time: snapshot.time, children: 0 });
    }
    let edges: Vec<ObjectId> = nodes.values().flat_map(|node| node.parents.iter().copied()).collect();
    for parent in edges {
        if let Some(node) = nodes.get_mut(&parent) {
            node.children += 1;
        }
    }
    let key = |id: ObjectId, node: &Node| (node.time.milliseconds, Reverse(id));
    let mut ready: BinaryHeap<_> =
        nodes.iter().filter(|(_, node)| node.children == 0).map(|(id, node)| key(*id, node)).collect();
    let mut snapshots = Vec::with_capacity(nodes.len());
    while let Some((_, Reverse(id))) = ready.pop() {
        snapshots.push(id);
        let parents = nodes.get_mut(&id).map(|node| std::mem::take(&mut node.parents)).unwrap_or_default();
        for parent in parents {
            if let Some(node) = nodes.get_mut(&parent) {
                node.children -= 1;
                if node.children == 0 {
                    ready.push(key(parent, node));
                }
            }
        }
    }
    let mut boundary: Vec<_> = boundary.into_iter().collect();
    boundary.sort_unstable();
    Ok(Walked { snapshots, boundary })
}

/// These snapshots and all before them.
pub(super) fn before(objects: &dyn Objects, from: &[ObjectId], observer: &dyn Observer) -> Result<HashSet<ObjectId>> {
    let mut seen = HashSet::new();
    let mut open = from.to_vec();
    while let Some(id) = open.pop() {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        if seen.insert(id) {
            open.extend(objects.read::<Snapshot>(&id)?.parents);
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::objects::map::Map;
    use super::*;
    use crate::observer::Silent;

    fn visit(map: &Map, include: &[ObjectId], exclude: &[ObjectId]) -> Walked {
        let options = WalkOptions { include: include.to_vec(), exclude: exclude.to_vec(), first_parent: false };
        walk(map, &options, &Silent).unwrap()
    }

    #[test]
    fn excluded_snapshots_and_what_is_before_them_are_left_out() {
        let map = Map::default();
        let line = map.line(5);
        let newest_first: Vec<_> = line.iter().rev().copied().collect();
        assert_eq!(visit(&map, &[line[4], line[2]], &[]).snapshots, newest_first);
        let part = visit(&map, &[line[4]], &[line[1]]);
        assert_eq!((part.snapshots.as_slice(), part.boundary), (&newest_first[..3], vec![line[1]]));
        assert!(visit(&map, &[line[1]], &[line[4]]).snapshots.is_empty());
    }

    #[test]
    fn only_first_parents_are_followed_when_asked() {
        let map = Map::default();
        let line = map.line(2);
        let tree = map.tree(&[]);
        let side = map.snapshot(tree, &[line[0]], 9);
        let merge = map.snapshot(tree, &[line[1], side], 10);
        let options = WalkOptions { include: vec![merge], first_parent: true, ..Default::default() };
        assert_eq!(walk(&map, &options, &Silent).unwrap().snapshots, [merge, line[1], line[0]]);
        assert_eq!(visit(&map, &[merge], &[]).snapshots, [merge, side, line[1], line[0]]);
    }

    proptest! {
        #[test]
        fn children_come_before_parents_whatever_the_clocks_said(
            shape in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..3), 0..5i64), 1..25),
        ) {
            let map = Map::default();
            let tree = map.tree(&[]);
            let mut ids: Vec<ObjectId> = Vec::new();
            for (n, (parents, minute)) in shape.iter().enumerate() {
                let parents: Vec<_> = parents.iter().filter(|_| n > 0).map(|index| *index.get(&ids)).collect();
                ids.push(map.snapshot(tree, &parents, *minute));
            }
            let walked = visit(&map, &ids, &[]).snapshots;
            let at: HashMap<_, _> = walked.iter().enumerate().map(|(at, id)| (*id, at)).collect();
            let distinct: HashSet<_> = ids.iter().collect();
            prop_assert_eq!(walked.len(), distinct.len());
            for id in &ids {
                for parent in (&map as &dyn Objects).read::<Snapshot>(id).unwrap().parents {
                    prop_assert!(at[id] < at[&parent]);
                }
            }
        }
    }
}
