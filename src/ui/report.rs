//! How amounts, times and tables are written for a person: the same everywhere.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use crate::object::Time;

/// An amount of bytes in decimal units, as file hosts and disks count: `999 B`, `1.4 GB`, `142 MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
        if self.0 < 1000 {
            return f.pad(&format!("{} B", self.0));
        }
        let mut value = self.0 as f64 / 1000.0;
        let mut unit = 0;
        // 999.95 would be written as 1000.0 in the smaller unit.
        while value >= 999.5 && unit + 1 < UNITS.len() {
            value /= 1000.0;
            unit += 1;
        }
        let digits = usize::from(value < 99.95);
        f.pad(&format!("{value:.digits$} {}", UNITS[unit]))
    }
}

/// A number of things: `1 workflow`, `3 workflows`, `12,000 files`.
pub fn count(number: usize, thing: &str) -> String {
    let plural = match thing.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if thing.ends_with('s') || thing.ends_with("ch") || thing.ends_with('x') => format!("{thing}es"),
        _ => format!("{thing}s"),
    };
    format!("{} {}", grouped(number as u64), if number == 1 { thing } else { &plural })
}

/// `12000` as `12,000`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How long something took: `0.4 ms`, `12 ms`, `3.2 s`, `2 min 5 s`.
pub fn duration(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    match seconds {
        s if s < 0.01 => format!("{:.1} ms", s * 1e3),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 59.95 => format!("{s:.1} s"),
        s => format!("{} min {:02} s", (s / 60.0) as u64, (s % 60.0) as u64),
    }
}

/// How long ago, in one unit: `just now`, `3 minutes ago`, `2 days ago`, `in 3 hours`.
pub fn ago(then: Time, now: Time) -> String {
    let seconds = (now.milliseconds - then.milliseconds) / 1000;
    let steps = [(60, 1, "second"), (3600, 60, "minute"), (86_400, 3600, "hour"), (30 * 86_400, 86_400, "day")];
    let length = seconds.unsigned_abs();
    if length < 5 {
        return "just now".into();
    }
    let (size, unit) = steps.iter().find(|(limit, ..)| length < *limit).map_or_else(
        || if length < 365 * 86_400 { (30 * 86_400, "month") } else { (365 * 86_400, "year") },
        |(_, size, unit)| (*size, *unit),
    );
    let text = count((length / size) as usize, unit);
    if seconds < 0 { format!("in {text}") } else { format!("{text} ago") }
}

/// On which side of a column its text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Rows of text in aligned columns, two spaces apart. Wide characters count as two.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
    indent: usize,
}

impl Table {
    pub fn new(columns: impl Into<Vec<Align>>) -> Self {
        Table { columns: columns.into(), rows: Vec::new(), indent: 0 }
    }

    /// Puts this many spaces before every row.
    pub fn indent(mut self, spaces: usize) -> Self {
        self.indent = spaces;
        self
    }

    /// Adds a row; cells beyond the columns stand on the left.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the rows; no line ends with spaces.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell_width = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| width(cell));
        let widths: Vec<usize> =
            (0..columns).map(|c| self.rows.iter().map(|row| cell_width(row, c)).max().unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = " ".repeat(self.indent);
            for (column, cell) in row.iter().enumerate() {
                if column > 0 {
                    line.push_str("  ");
                }
                let space = " ".repeat(widths[column] - width(cell));
                match self.columns.get(column) {
                    Some(Align::Right) => line.extend([space.as_str(), cell.as_str()]),
                    _ => line.extend([cell.as_str(), space.as_str()]),
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// How many columns of a terminal `text` takes, colour codes not counted.
fn width(text: &str) -> usize {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\x1b[") {
        plain.push_str(&rest[..start]);
        rest = rest[start..].split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.width()
}

/// Colours, or none. The meaning is named, not the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    pub on: bool,
}

impl Paint {
    fn code(self, code: &str, text: impl fmt::Display) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// Headings and what is active.
    pub fn strong(self, text: impl fmt::Display) -> String {
        self.code("1", text)
    }

    /// What matters less.
    pub fn faint(self, text: impl fmt::Display) -> String {
        self.code("2", text)
    }

    /// New or well.
    pub fn good(self, text: impl fmt::Display) -> String {
        self.code("32", text)
    }

    /// Gone or wrong.
    pub fn bad(self, text: impl fmt::Display) -> String {
        self.code("31", text)
    }

    /// Changed, or to be looked at.
    pub fn changed(self, text: impl fmt::Display) -> String {
        self.code("33", text)
    }

    /// What a user may type or refer to.
    pub fn typed(self, text: impl fmt::Display) -> String {
        self.code("36", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_with_at_most_one_digit_after_the_point() {
        let cases: [(u64, &str); 9] = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (1_400_000_000, "1.4 GB"),
            (4_265_380_512, "4.3 GB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        assert_eq!(format!("{:>8}|", Bytes(5)), "     5 B|");
    }

    #[test]
    fn plurals_and_groups_of_digits() {
        assert_eq!(count(1, "workflow"), "1 workflow");
        assert_eq!(count(0, "workflow"), "0 workflows");
        assert_eq!(count(1_234_567, "entry"), "1,234,567 entries");
        assert_eq!(count(2, "day"), "2 days");
        assert_eq!(count(2, "branch"), "2 branches");
    }

    #[test]
    fn durations_and_times_past() {
        assert_eq!(duration(Duration::from_micros(420)), "0.4 ms");
        assert_eq!(duration(Duration::from_millis(12)), "12 ms");
        assert_eq!(duration(Duration::from_millis(3210)), "3.2 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 05 s");
        let at = |seconds: i64| Time { milliseconds: seconds * 1000, offset_minutes: 0 };
        assert_eq!(ago(at(0), at(2)), "just now");
        assert_eq!(ago(at(0), at(61)), "1 minute ago");
        assert_eq!(ago(at(0), at(2 * 86_400)), "2 days ago");
        assert_eq!(ago(at(0), at(70 * 86_400)), "2 months ago");
        assert_eq!(ago(at(0), at(800 * 86_400)), "2 years ago");
        assert_eq!(ago(at(7200), at(0)), "in 2 hours");
    }

    #[test]
    fn columns_align_by_what_a_terminal_shows() {
        let mut table = Table::new([Align::Left, Align::Right]).indent(1);
        table.row(["a", "10"]);
        table.row(["日本", "9"]);
        table.row([Paint { on: true }.good("ok"), "100".into()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), " a      10\n 日本    9\n \x1b[32mok\x1b[0m    100\n");
    }
}
