//! Built-in tables: sorted lines with tabs between their columns, part of the program. Nothing is built from them at the start, as
//! most runs ask for a few lines; a line is found by halving.

/// The lines of a table, sorted by bytes, whose first column is `key`.
pub(super) fn lines_of<'t>(table: &'t str, key: &str) -> impl Iterator<Item = &'t str> + use<'t> {
    let (mut low, mut high) = (0, table.len());
    while low < high {
        // The middle may lie within a character; the start of its line never does.
        let middle = low + (high - low) / 2;
        let start = table.as_bytes()[low..middle].iter().rposition(|b| *b == b'\n').map_or(low, |at| low + at + 1);
        let line = table[start..high].lines().next().unwrap_or_default();
        if first_column(line) < key {
            low = start + line.len() + 1;
        } else {
            high = start;
        }
    }
    // The last line may lack its end.
    let rest = table.get(low..).unwrap_or_default();
    rest.lines().take_while({
        let key = key.to_owned();
        move |line| first_column(line) == key
    })
}

fn first_column(line: &str) -> &str {
    line.split('\t').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_of_a_key_are_found_and_no_others() {
        let table = "a\t1\nb\t1\nb\t2\nb\t3\nbb\nc\nä";
        let found = |key| lines_of(table, key).collect::<Vec<_>>();
        assert_eq!(found("a"), ["a\t1"]);
        assert_eq!(found("b"), ["b\t1", "b\t2", "b\t3"]);
        assert_eq!((found("c"), found("ä")), (vec!["c"], vec!["ä"]));
        assert!(found("").is_empty() && found("d").is_empty() && found("ba").is_empty());
        assert!(lines_of("", "a").next().is_none());
    }
}
