//! What two snapshots have in common: the best of the snapshots that both come from.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::object::{ObjectId, Snapshot};
use crate::observer::Observer;

use super::walk::before;
use super::{Objects, Result};

/// The best common ancestors of two snapshots, over all parents: common ones that no other common one comes from. One of the two itself
/// where the other comes from it; none where they have no history in common.
///
/// Branches that were merged into each other crosswise have several. They stand in an order that is always the same, the newest first
/// and of one time the smaller id; who merges takes the first. (git merges them into one that never was; a conflict
/// that this makes is one that a person can follow.)
///
/// Cost: one read for each snapshot before either.
pub fn merge_bases(
    objects: &dyn Objects,
    ours: ObjectId,
    theirs: ObjectId,
    observer: &dyn Observer,
) -> Result<Vec<ObjectId>> {
    let of_ours = before(objects, &[ours], observer)?;
    let of_theirs = before(objects, &[theirs], observer)?;
    let common: Vec<ObjectId> = of_ours.intersection(&of_theirs).copied().collect();
    // What is before a common one is common too, so it is enough to look at parents.
    let mut times = Vec::with_capacity(common.len());
    let mut passed = HashSet::new();
    for id in common {
        let snapshot: Snapshot = objects.read(&id)?;
        passed.extend(snapshot.parents);
        times.push((Reverse(snapshot.time.milliseconds), id));
    }
    times.retain(|(_, id)| !passed.contains(id));
    times.sort_unstable();
    Ok(times.into_iter().map(|(_, id)| id).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::objects::map::Map;
    use super::*;
    use crate::observer::Silent;

    fn bases(map: &Map, a: ObjectId, b: ObjectId) -> Vec<ObjectId> {
        merge_bases(map, a, b, &Silent).unwrap()
    }

    #[test]
    fn the_last_common_one_is_found_over_all_parents() {
        let map = Map::default();
        let (line, tree) = (map.line(3), map.tree(&[]));
        let side = map.snapshot(tree, &[line[0]], 10);
        assert_eq!(bases(&map, line[2], side), [line[0]]);
        assert_eq!(bases(&map, line[2], line[1]), [line[1]], "one of them comes from the other");
        assert_eq!(bases(&map, side, side), [side]);
        let merge = map.snapshot(tree, &[side, line[1]], 11);
        assert_eq!(bases(&map, line[2], merge), [line[1]], "by way of a second parent");
    }

    #[test]
    fn of_several_the_newest_comes_first_and_strangers_have_none() {
        let map = Map::default();
        let tree = map.tree(&[]);
        let root = map.snapshot(tree, &[], 0);
        let (a, b) = (map.snapshot(tree, &[root], 1), map.snapshot(tree, &[root], 2));
        let (x, y) = (map.snapshot(tree, &[a, b], 3), map.snapshot(tree, &[b, a], 4));
        assert_eq!(bases(&map, x, y), [b, a]);
        assert_eq!(bases(&map, y, x), [b, a]);
        let stranger = map.snapshot(map.tree(&[("a", "1")]), &[], 0);
        assert!(bases(&map, x, stranger).is_empty());
    }

    proptest! {
        #[test]
        fn each_is_common_and_none_is_before_another(
            shape in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..3), 0..5i64), 2..20),
            one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(),
        ) {
            let map = Map::default();
            let tree = map.tree(&[]);
            let mut ids: Vec<ObjectId> = Vec::new();
            for (n, (parents, minute)) in shape.iter().enumerate() {
                let parents: Vec<_> = parents.iter().filter(|_| n > 0).map(|index| *index.get(&ids)).collect();
                ids.push(map.snapshot(tree, &parents, *minute));
            }
            let (a, b) = (*one.get(&ids), *other.get(&ids));
            let found = bases(&map, a, b);
            prop_assert_eq!(&found, &bases(&map, b, a));
            let all = |id| before(&map, &[id], &Silent).unwrap();
            let (of_a, of_b) = (all(a), all(b));
            prop_assert_eq!(found.is_empty(), of_a.is_disjoint(&of_b));
            for id in &found {
                prop_assert!(of_a.contains(id) && of_b.contains(id));
                prop_assert!(found.iter().all(|other| other == id || !all(*other).contains(id)));
            }
            for id in of_a.intersection(&of_b) {
                prop_assert!(found.iter().any(|best| all(*best).contains(id)));
            }
        }
    }
}
