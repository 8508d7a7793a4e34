//! Built-in tables: sorted lines with tabs between their columns, part of the program. Only where the lines are is found out, by the first
//! question; most runs look at a few of them.

use std::sync::OnceLock;

/// A table, its lines sorted by bytes.
pub(super) struct Table {
    text: &'static str,
    lines: OnceLock<Vec<&'static str>>,
}

impl Table {
    pub const fn new(text: &'static str) -> Self {
        Table { text, lines: OnceLock::new() }
    }

    /// All lines, in their order.
    pub fn lines(&self) -> &[&'static str] {
        self.lines.get_or_init(|| self.text.lines().collect())
    }

    /// The lines whose first column is `key`.
    pub fn lines_of(&self, key: &str) -> impl Iterator<Item = &'static str> + use<'_> {
        let lines = self.lines();
        let first = lines.partition_point(|line| first_column(line) < key);
        let count = lines[first..].iter().take_while(|line| first_column(line) == key).count();
        lines[first..first + count].iter().copied()
    }
}

fn first_column(line: &str) -> &str {
    line.split_once('\t').map_or(line, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_of_a_key_are_found_and_no_others() {
        let table = Table::new("a\t1\nb\t1\nb\t2\nb\t3\nbb\nc\nä");
        let found = |key| table.lines_of(key).collect::<Vec<_>>();
        assert_eq!(found("a"), ["a\t1"]);
        assert_eq!(found("b"), ["b\t1", "b\t2", "b\t3"]);
        assert_eq!((found("c"), found("ä")), (vec!["c"], vec!["ä"]));
        assert!(found("").is_empty() && found("d").is_empty() && found("ba").is_empty());
        assert!(Table::new("").lines_of("a").next().is_none());
    }
}
