//! Places of a document that get other bytes, and lists and objects that lose and gain entries; all else stays as it is.

use std::ops::Range;

use crate::workflow::document::{Kind, Value};

/// Changes of one text, to be made at once.
#[derive(Debug, Default)]
pub(super) struct Edits {
    list: Vec<(Range<usize>, String)>,
}

impl Edits {
    pub fn replace(&mut self, place: Range<usize>, text: impl Into<String>) {
        self.list.push((place, text.into()));
    }

    /// The part `of` the text with the changes in it made; nothing where two of them meet.
    pub fn applied(mut self, text: &str, of: Range<usize>) -> Option<String> {
        self.list.sort_by_key(|(place, _)| (place.start, place.end));
        let mut out = String::with_capacity(of.len());
        let mut done = of.start;
        for (place, new) in &self.list {
            out.push_str(text.get(done..place.start)?);
            out.push_str(new);
            done = place.end;
        }
        out.push_str(text.get(done..of.end)?);
        Some(out)
    }

    /// Takes entries out of an array, or members out of an object, by their positions, and puts others behind the last; members with
    /// their keys.
    pub fn entries(&mut self, container: Value<'_>, gone: &[usize], come: &[String]) {
        let places: Vec<Range<usize>> = match container.kind() {
            Kind::Object => container.members().map(|(key, value)| key.place().start..value.place().end).collect(),
            _ => container.items().map(|item| item.place()).collect(),
        };
        let text = |place: Range<usize>| {
            &container.raw()[place.start - container.place().start..place.end - container.place().start]
        };
        let first_kept = (0..places.len()).find(|at| !gone.contains(at));
        for at in gone.iter().copied().filter(|at| *at < places.len()) {
            let place = match first_kept {
                Some(first) if at > first => places[at - 1].end..places[at].end,
                Some(_) => places[at].start..places[at + 1].start,
                None if at == 0 => places[0].clone(),
                None => places[at - 1].end..places[at].end,
            };
            self.replace(place, "");
        }
        if come.is_empty() {
            return;
        }
        let (open, close) = (container.place().start + 1, container.place().end - 1);
        // Between two entries stands what stands between those that are there.
        let space = match places.as_slice() {
            [] => "",
            [only] => text(open..only.start),
            [first, second, ..] => text(first.end..second.start).split_once(',').map_or("", |(_, space)| space),
        };
        let joined = come.join(&format!(",{space}"));
        match (places.last(), first_kept) {
            (Some(last), Some(_)) => self.replace(last.end..last.end, format!(",{space}{joined}")),
            (Some(last), None) => self.replace(last.end..last.end, joined),
            (None, _) => self.replace(open..close, joined),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::workflow::Document;

    fn edited(text: &str, gone: &[usize], come: &[&str]) -> String {
        let document = Document::read(text.as_bytes()).unwrap();
        let come: Vec<String> = come.iter().map(|text| (*text).to_owned()).collect();
        let mut edits = Edits::default();
        edits.entries(document.root(), gone, &come);
        edits.applied(text, 0..text.len()).unwrap()
    }

    #[test]
    fn entries_go_and_come_and_the_spaces_stay() {
        assert_eq!(edited("[1, 2, 3]", &[0], &[]), "[2, 3]");
        assert_eq!(edited("[1, 2, 3]", &[1], &["4"]), "[1, 3, 4]");
        assert_eq!(edited("[\n  1,\n  2\n]", &[0, 1], &["4", "5"]), "[\n  4,\n  5\n]");
        assert_eq!(edited("[ ]", &[], &["4"]), "[4]");
        assert_eq!(edited("{\"a\":1,\"b\":2}", &[1], &["\"c\":3"]), "{\"a\":1,\"c\":3}");
    }

    proptest! {
        #[test]
        fn an_edited_list_holds_what_was_kept_and_what_came(
            held in prop::collection::vec(0..100u32, 0..6), gone in prop::collection::btree_set(0..6usize, 0..6),
            come in prop::collection::vec(0..100u32, 0..3), pretty in any::<bool>(),
        ) {
            let text = if pretty { serde_json::to_string_pretty(&held) } else { serde_json::to_string(&held) }.unwrap();
            let gone: Vec<usize> = gone.into_iter().collect();
            let texts: Vec<String> = come.iter().map(u32::to_string).collect();
            let after = edited(&text, &gone, &texts.iter().map(String::as_str).collect::<Vec<_>>());
            let kept = held.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, value)| *value);
            let wanted: Vec<u32> = kept.chain(come).collect();
            prop_assert_eq!(serde_json::from_str::<Vec<u32>>(&after).unwrap(), wanted);
        }
    }
}
