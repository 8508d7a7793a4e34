//! Which node of the one graph is which of the other.
//!
//! 1. The same id and the same class: the same node.
//! 2. Of the others, those of one class that say the same: values, title, what feeds them. They were only renumbered.
//! 3. Of the rest, those of one class that agree in half of that or more, the most similar first.
//!
//! What is left was added or removed.

use std::collections::{HashMap, VecDeque};

/// From which share of equal facts on two nodes of one class with different ids are one that was changed.
const SIMILAR: f64 = 0.5;

/// How many facts are compared in the third step; thousands of nodes of one class that all changed would be millions of pairs.
const MOST_COMPARED: usize = 20_000_000;

/// What is known of a node for finding it again.
pub(super) struct Traits<'n> {
    pub id: String,
    pub class: &'n str,
    /// Hashes of what the node says, sorted.
    pub facts: Vec<u64>,
}

/// For each node of the new graph the position of the same node in the old one.
pub(super) fn matched(old: &[Traits<'_>], new: &[Traits<'_>]) -> Vec<Option<usize>> {
    let mut pairs = Pairs { of_new: vec![None; new.len()], taken: vec![false; old.len()] };
    by_id(old, new, &mut pairs);
    by_equal_facts(old, new, &mut pairs);
    by_similar_facts(old, new, &mut pairs);
    pairs.of_new
}

struct Pairs {
    of_new: Vec<Option<usize>>,
    /// Old nodes that were found again.
    taken: Vec<bool>,
}

impl Pairs {
    fn pair(&mut self, old: usize, new: usize) {
        self.of_new[new] = Some(old);
        self.taken[old] = true;
    }

    /// Positions of old and new nodes that are still alone.
    fn alone(&self) -> (impl Iterator<Item = usize> + '_, impl Iterator<Item = usize> + '_) {
        let old = self.taken.iter().enumerate().filter(|(_, taken)| !**taken).map(|(at, _)| at);
        let new = self.of_new.iter().enumerate().filter(|(_, old)| old.is_none()).map(|(at, _)| at);
        (old, new)
    }
}

fn by_id(old: &[Traits<'_>], new: &[Traits<'_>], pairs: &mut Pairs) {
    let mut ids: HashMap<(&str, &str), usize> = HashMap::new();
    for (at, node) in old.iter().enumerate() {
        ids.entry((&node.id, node.class)).or_insert(at);
    }
    for (at, node) in new.iter().enumerate() {
        // Two nodes can have one id.
        if let Some(was) = ids.remove(&(node.id.as_str(), node.class)) {
            pairs.pair(was, at);
        }
    }
}

fn by_equal_facts(old: &[Traits<'_>], new: &[Traits<'_>], pairs: &mut Pairs) {
    let mut known: HashMap<(&str, &[u64]), VecDeque<usize>> = HashMap::new();
    let (of_old, of_new) = pairs.alone();
    of_old.for_each(|at| known.entry((old[at].class, &old[at].facts)).or_default().push_back(at));
    let found: Vec<(usize, usize)> = of_new
        .filter_map(|at| Some((known.get_mut(&(new[at].class, new[at].facts.as_slice()))?.pop_front()?, at)))
        .collect();
    found.into_iter().for_each(|(old, new)| pairs.pair(old, new));
}

fn by_similar_facts(old: &[Traits<'_>], new: &[Traits<'_>], pairs: &mut Pairs) {
    let mut by_class: HashMap<&str, Vec<usize>> = HashMap::new();
    let (of_old, of_new) = pairs.alone();
    of_old.for_each(|at| by_class.entry(old[at].class).or_default().push(at));
    let (mut left, mut candidates) = (MOST_COMPARED, Vec::new());
    for at in of_new {
        for was in by_class.get(new[at].class).into_iter().flatten() {
            let Some(rest) = left.checked_sub(1 + old[*was].facts.len() + new[at].facts.len()) else { break };
            left = rest;
            let score = similarity(&old[*was].facts, &new[at].facts);
            if score >= SIMILAR {
                candidates.push((score, *was, at));
            }
        }
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    for (_, was, at) in candidates {
        if !pairs.taken[was] && pairs.of_new[at].is_none() {
            pairs.pair(was, at);
        }
    }
}

/// The share of facts that both have, from 0 to 1; both are sorted.
fn similarity(a: &[u64], b: &[u64]) -> f64 {
    let most = a.len().max(b.len());
    if most == 0 {
        return 1.0;
    }
    let (mut of_a, mut of_b, mut both) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(of_a), b.get(of_b)) {
        both += usize::from(x == y);
        of_a += usize::from(x <= y);
        of_b += usize::from(y <= x);
    }
    both as f64 / most as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, class: &'static str, facts: &[u64]) -> Traits<'static> {
        Traits { id: id.to_owned(), class, facts: facts.to_vec() }
    }

    #[test]
    fn ids_come_first_then_what_nodes_say_then_what_is_similar() {
        let old = [node("1", "A", &[1, 2]), node("2", "A", &[3, 4]), node("3", "B", &[5, 6]), node("4", "C", &[])];
        let new = [
            node("1", "A", &[9]),
            node("12", "A", &[3, 4]),
            node("13", "B", &[5, 7]),
            node("4", "B", &[8]),
            node("14", "D", &[]),
        ];
        assert_eq!(matched(&old, &new), [Some(0), Some(1), Some(2), None, None]);
    }

    #[test]
    fn the_most_similar_are_one_and_each_node_is_found_once() {
        let old = [node("1", "A", &[1, 2, 3, 4]), node("2", "A", &[1, 2, 7, 8])];
        let new = [node("5", "A", &[1, 2, 3, 9]), node("6", "A", &[1, 2, 7, 9]), node("7", "A", &[1, 2, 3, 9])];
        assert_eq!(matched(&old, &new), [Some(0), Some(1), None]);
    }

    #[test]
    fn equal_ids_in_one_file_are_nodes_of_their_own() {
        let old = [node("1", "A", &[1]), node("1", "A", &[2])];
        let new = [node("1", "A", &[1]), node("1", "A", &[2])];
        assert_eq!(matched(&old, &new), [Some(0), Some(1)]);
    }
}
