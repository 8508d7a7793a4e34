//! JSON with places: a tree over the bytes of a document that knows where each value stands.
//!
//! A rewrite must leave every byte alone but those of the values it changes, so each value keeps its byte range, and
//! nothing is turned into another spelling: numbers stay text, repeated keys stay repeated. The reader is a loop with
//! a stack of its own, bounded in depth and in the number of values (invariant R5); a string costs the same sixteen bytes whatever its
//! length. The grammar is RFC 8259, and beside it `NaN`, `Infinity` and `-Infinity`, which ComfyUI (Python's `json`)
//! writes, and a byte order mark at the start.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// How deep values may be nested: as deep as Python's own reader goes. Real workflows stay below 20.
pub const MAX_DEPTH: usize = 1000;

/// How many values a document may hold: half a gigabyte of tree. A workflow of 100,000 nodes has some 12 million.
pub const MAX_VALUES: usize = 1 << 25;

/// A document that was read, over its bytes.
pub struct Document<'a> {
    text: &'a str,
    cells: Vec<Cell>,
}

/// One value. A container is followed by what it holds; a member of an object is its key, then its value.
#[derive(Clone, Copy)]
struct Cell {
    start: u32,
    end: u32,
    /// The cell after this value and all it holds.
    next: u32,
    kind: Kind,
    /// A string with a backslash in it.
    escaped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    /// `NaN` and the infinities among them.
    Number,
    Text,
    Array,
    Object,
}

impl Kind {
    /// With an article, as it stands in a message.
    pub fn described(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Boolean => "a boolean",
            Kind::Number => "a number",
            Kind::Text => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
        }
    }
}

/// Why bytes are not JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct JsonError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub problem: Problem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the file is empty")]
    Empty,
    #[error("the file ends in the middle of a value")]
    Ends,
    #[error("a value is wanted, not {0}")]
    NoValue(Shown),
    #[error("a key in double quotes is wanted, not {0}")]
    NoKey(Shown),
    #[error("`:` is wanted after a key, not {0}")]
    NoColon(Shown),
    #[error("`,` or `{close}` is wanted after a value, not {found}")]
    NoComma { close: char, found: Shown },
    #[error("more follows after the end of the document: {0}")]
    Trailing(Shown),
    #[error("a string holds a line break or another control character that is not escaped")]
    Control,
    #[error("an escape that JSON does not know")]
    Escape,
    #[error("a number that is cut short or begins with 0")]
    Number,
    #[error("a byte that is not UTF-8")]
    Utf8,
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Deep,
    #[error("more than {MAX_VALUES} values")]
    Many,
    #[error("larger than 4 GiB")]
    Large,
}

/// A character as it stands in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown(char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_control() { write!(f, "{:?}", self.0) } else { write!(f, "`{}`", self.0) }
    }
}

impl<'a> Document<'a> {
    /// Reads `bytes`, all of them.
    ///
    /// # Errors
    /// The first place that is no JSON.
    pub fn read(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let at = |offset: usize, problem| {
            let before = String::from_utf8_lossy(&bytes[..offset.min(bytes.len())]);
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            JsonError {
                line: before.matches('\n').count() + 1,
                column: before[line_start..].trim_start_matches('\u{feff}').chars().count() + 1,
                problem,
            }
        };
        if bytes.len() >= u32::MAX as usize {
            return Err(at(0, Problem::Large));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| at(error.valid_up_to(), Problem::Utf8))?;
        // A value of a workflow takes some ten bytes; more room than a large one needs is not taken beforehand.
        let cells = Vec::with_capacity((bytes.len() / 8).min(1 << 16));
        let mut reader = Reader { text, bytes, at: 0, cells };
        match reader.document() {
            Ok(()) => Ok(Document { text, cells: reader.cells }),
            Err(problem) => Err(at(reader.at, problem)),
        }
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { document: self, cell: 0 }
    }

    /// The bytes that were read.
    pub fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The value with this number, which `Value::id` of this document gave.
    pub fn value(&self, id: ValueId) -> Value<'_> {
        Value { document: self, cell: id.0 }
    }
}

/// The number of a value in its document: a value that outlives a borrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(u32);

/// One value of a document.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document<'d>,
    cell: u32,
}

impl<'d> Value<'d> {
    fn cell(self) -> Cell {
        self.document.cells[self.cell as usize]
    }

    pub fn id(self) -> ValueId {
        ValueId(self.cell)
    }

    pub fn kind(self) -> Kind {
        self.cell().kind
    }

    /// Where the value stands in the document's bytes; a string with its quotes.
    pub fn place(self) -> Range<usize> {
        let cell = self.cell();
        cell.start as usize..cell.end as usize
    }

    /// Where a part of what a string says stands in the document's bytes; the part is in bytes of [`Value::text`]. Nothing for
    /// another kind, or where the part's ends are within a character.
    pub fn place_within(self, part: Range<usize>) -> Option<Range<usize>> {
        let cell = self.cell();
        if cell.kind != Kind::Text || part.start > part.end {
            return None;
        }
        let (first, last) = (cell.start as usize + 1, cell.end as usize - 1);
        let inner = &self.document.text[first..last];
        if !cell.escaped {
            inner.get(part.clone())?;
            return Some(first + part.start..first + part.end);
        }
        let (mut said, mut at) = (0, 0);
        let mut start = None;
        loop {
            if said == part.start && start.is_none() {
                start = Some(first + at);
            }
            if said == part.end {
                return Some(start?..first + at);
            }
            let length = piece(&inner[at..])?;
            said += unescaped(&inner[at..at + length]).len();
            at += length;
        }
    }

    /// The value as it is written.
    pub fn raw(self) -> &'d str {
        &self.document.text[self.place()]
    }

    /// What a string says, escapes undone; nothing for another kind. Half a surrogate pair, which cannot stand in UTF-8,
    /// is read as U+FFFD.
    pub fn text(self) -> Option<Cow<'d, str>> {
        let cell = self.cell();
        if cell.kind != Kind::Text {
            return None;
        }
        let inner = &self.document.text[cell.start as usize + 1..cell.end as usize - 1];
        Some(if cell.escaped { Cow::Owned(unescaped(inner)) } else { Cow::Borrowed(inner) })
    }

    /// True for a string that says `text`.
    pub fn says(self, text: &str) -> bool {
        let cell = self.cell();
        if cell.kind != Kind::Text {
            return false;
        }
        if cell.escaped {
            return self.text().is_some_and(|said| said == text);
        }
        // Most keys that are compared differ in length.
        (cell.end - cell.start) as usize == text.len() + 2
            && self.document.text.as_bytes()[cell.start as usize + 1..cell.end as usize - 1] == *text.as_bytes()
    }

    /// A whole number that fits; nothing otherwise, `1.0` included.
    pub fn integer(self) -> Option<i64> {
        if self.kind() == Kind::Number { self.raw().parse().ok() } else { None }
    }

    pub fn boolean(self) -> Option<bool> {
        if self.kind() == Kind::Boolean { Some(self.raw() == "true") } else { None }
    }

    /// The values of an array, in order; none for another kind.
    pub fn items(self) -> Items<'d> {
        let cell = self.cell();
        let held = if cell.kind == Kind::Array { self.cell + 1..cell.next } else { 0..0 };
        Items { document: self.document, held }
    }

    /// The keys and values of an object, in order, repeated keys repeated; none for another kind.
    pub fn members(self) -> impl Iterator<Item = (Value<'d>, Value<'d>)> {
        let cell = self.cell();
        let held = if cell.kind == Kind::Object { self.cell + 1..cell.next } else { 0..0 };
        let mut items = Items { document: self.document, held };
        std::iter::from_fn(move || Some((items.next()?, items.next()?)))
    }

    /// The value of a key; of a repeated key the last, as Python and JavaScript read it.
    pub fn get(self, key: &str) -> Option<Value<'d>> {
        self.members().filter(|(name, _)| name.says(key)).last().map(|(_, value)| value)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw())
    }
}

/// The values of an array.
pub struct Items<'d> {
    document: &'d Document<'d>,
    held: Range<u32>,
}

impl<'d> Iterator for Items<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        if self.held.is_empty() {
            return None;
        }
        let value = Value { document: self.document, cell: self.held.start };
        self.held.start = value.cell().next;
        Some(value)
    }
}

/// How many bytes the first character takes as it is written, two escapes for one outside the basic plane.
fn piece(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if first != '\\' {
        return Some(first.len_utf8());
    }
    let Some(digits) = text.strip_prefix("\\u") else { return Some(2) };
    let second = digits.get(4..)?.strip_prefix("\\u").map(code_unit);
    match (code_unit(digits).0, second) {
        (0xd800..=0xdbff, Some((0xdc00..=0xdfff, _))) => Some(12),
        _ => Some(6),
    }
}

/// Undoes the escapes of a string that the reader has accepted.
fn unescaped(inner: &str) -> String {
    let mut said = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(backslash) = rest.find('\\') {
        said.push_str(&rest[..backslash]);
        let escape = rest.as_bytes().get(backslash + 1).copied().unwrap_or(b'\\');
        rest = rest.get(backslash + 2..).unwrap_or("");
        match escape {
            b'b' => said.push('\u{8}'),
            b'f' => said.push('\u{c}'),
            b'n' => said.push('\n'),
            b'r' => said.push('\r'),
            b't' => said.push('\t'),
            b'u' => {
                let (unit, after) = code_unit(rest);
                rest = after;
                let second = rest.strip_prefix("\\u").map(code_unit);
                match (unit, second) {
                    (0xd800..=0xdbff, Some((low @ 0xdc00..=0xdfff, after))) => {
                        rest = after;
                        let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        said.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    _ => said.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)),
                }
            }
            itself => said.push(char::from(itself)),
        }
    }
    said.push_str(rest);
    said
}

/// The four hex digits at the start of `text`, and what follows them.
fn code_unit(text: &str) -> (u32, &str) {
    let unit = text.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    (unit.unwrap_or(0xfffd), text.get(4..).unwrap_or(""))
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    cells: Vec<Cell>,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<(), Problem> {
        if self.text.starts_with('\u{feff}') {
            self.at = '\u{feff}'.len_utf8();
        }
        self.blank();
        if self.at == self.bytes.len() {
            return Err(Problem::Empty);
        }
        let mut open: Vec<u32> = Vec::new();
        loop {
            // Here a value begins.
            self.blank();
            let container = self.value()?;
            if let Some(container) = container {
                if open.len() == MAX_DEPTH {
                    return Err(Problem::Deep);
                }
                open.push(container);
                self.blank();
                let kind = self.cells[container as usize].kind;
                if self.peek()? != closing(kind) {
                    if kind == Kind::Object {
                        self.key()?;
                    }
                    continue;
                }
            }
            // Here a value has ended, or an empty container is about to.
            loop {
                self.blank();
                let Some(&container) = open.last() else {
                    return if self.at == self.bytes.len() { Ok(()) } else { Err(Problem::Trailing(self.shown())) };
                };
                let kind = self.cells[container as usize].kind;
                let next = self.peek()?;
                if next == closing(kind) {
                    self.at += 1;
                    let after = self.cells.len() as u32;
                    let cell = &mut self.cells[container as usize];
                    (cell.end, cell.next) = (self.at as u32, after);
                    open.pop();
                } else if next == b',' {
                    self.at += 1;
                    self.blank();
                    if kind == Kind::Object {
                        self.key()?;
                    }
                    break;
                } else {
                    return Err(Problem::NoComma { close: char::from(closing(kind)), found: self.shown() });
                }
            }
        }
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Result<u8, Problem> {
        self.bytes.get(self.at).copied().ok_or(Problem::Ends)
    }

    fn shown(&self) -> Shown {
        Shown(self.text.get(self.at..).and_then(|rest| rest.chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn push(&mut self, start: usize, kind: Kind, escaped: bool) -> Result<u32, Problem> {
        if self.cells.len() == MAX_VALUES {
            return Err(Problem::Many);
        }
        let cell = self.cells.len() as u32;
        self.cells.push(Cell { start: start as u32, end: self.at as u32, next: cell + 1, kind, escaped });
        Ok(cell)
    }

    fn key(&mut self) -> Result<(), Problem> {
        if self.peek()? != b'"' {
            return Err(Problem::NoKey(self.shown()));
        }
        self.string()?;
        self.blank();
        if self.peek()? != b':' {
            return Err(Problem::NoColon(self.shown()));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a simple value, or the opening of a container, whose number it returns.
    fn value(&mut self) -> Result<Option<u32>, Problem> {
        let start = self.at;
        match self.peek()? {
            b'{' | b'[' => {
                let kind = if self.bytes[start] == b'{' { Kind::Object } else { Kind::Array };
                self.at += 1;
                return self.push(start, kind, false).map(Some);
            }
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word("true", Kind::Boolean)?,
            b'f' => self.word("false", Kind::Boolean)?,
            b'n' => self.word("null", Kind::Null)?,
            b'N' => self.word("NaN", Kind::Number)?,
            b'I' => self.word("Infinity", Kind::Number)?,
            _ => return Err(Problem::NoValue(self.shown())),
        }
        Ok(None)
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), Problem> {
        let start = self.at;
        let rest = &self.bytes[start..];
        if !rest.starts_with(word.as_bytes()) {
            return Err(if word.as_bytes().starts_with(rest) { Problem::Ends } else { Problem::NoValue(self.shown()) });
        }
        self.at += word.len();
        self.push(start, kind, false).map(drop)
    }

    fn number(&mut self) -> Result<(), Problem> {
        let start = self.at;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
            if self.bytes.get(self.at) == Some(&b'I') {
                self.word("Infinity", Kind::Number)?;
                // The sign belongs to it.
                if let Some(cell) = self.cells.last_mut() {
                    cell.start = start as u32;
                }
                return Ok(());
            }
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            return Err(Problem::Number);
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.push(start, Kind::Number, false).map(drop)
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Problem> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(Problem::Number) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<(), Problem> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    let kind = *self.bytes.get(self.at + 1).ok_or(Problem::Ends)?;
                    match kind {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
                        b'u' => {
                            let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or(Problem::Ends)?;
                            if !digits.iter().all(u8::is_ascii_hexdigit) {
                                return Err(Problem::Escape);
                            }
                            self.at += 6;
                        }
                        _ => return Err(Problem::Escape),
                    }
                }
                0..0x20 => return Err(Problem::Control),
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.push(start, Kind::Text, escaped).map(drop)
    }
}

fn closing(container: Kind) -> u8 {
    if container == Kind::Object { b'}' } else { b']' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The value as serde_json has it, for comparison.
    fn told(value: Value<'_>) -> serde_json::Value {
        match value.kind() {
            Kind::Null => serde_json::Value::Null,
            Kind::Boolean => value.boolean().unwrap().into(),
            Kind::Number => serde_json::from_str(value.raw()).unwrap(),
            Kind::Text => value.text().unwrap().into_owned().into(),
            Kind::Array => value.items().map(told).collect(),
            Kind::Object => value.members().map(|(k, v)| (k.text().unwrap().into_owned(), told(v))).collect(),
        }
    }

    /// The document written anew from its values and what stands between them.
    fn written(document: &Document<'_>) -> Vec<u8> {
        fn write(value: Value<'_>, at: &mut usize, bytes: &[u8], out: &mut Vec<u8>) {
            let place = value.place();
            out.extend_from_slice(&bytes[*at..place.start]);
            *at = place.start;
            for (key, held) in value.members() {
                write(key, at, bytes, out);
                write(held, at, bytes, out);
            }
            for held in value.items() {
                write(held, at, bytes, out);
            }
            out.extend_from_slice(&bytes[*at..place.end]);
            *at = place.end;
        }
        let (mut at, mut out) = (0, Vec::new());
        write(document.root(), &mut at, document.bytes(), &mut out);
        out.extend_from_slice(&document.bytes()[at..]);
        out
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            (-1e300..1e300).prop_map(|n: f64| n.into()),
            ".{0,12}".prop_map(Into::into),
            "[\\\\\"/\u{8}\n\u{1f600}ä]{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec((".{0,6}", inner), 0..6)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_alike_and_keeps_its_bytes(value in json(), pretty in any::<bool>()) {
            let bytes = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
            let document = Document::read(&bytes).unwrap();
            prop_assert_eq!(told(document.root()), value);
            prop_assert_eq!(written(&document), bytes);
        }

        #[test]
        fn what_serde_json_refuses_is_refused(text in "[\\[\\]{}\",:0-9eE.+\\-\\\\tfnrualse \n]{0,16}") {
            let ours = Document::read(text.as_bytes());
            match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(value) => prop_assert_eq!(told(ours.unwrap().root()), value),
                // Half a surrogate pair is refused there, and read here.
                Err(_) => prop_assert!(ours.is_err() || text.contains("\\u"), "{}", text),
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            drop(Document::read(&bytes));
        }
    }

    fn problem(text: &str) -> String {
        Document::read(text.as_bytes()).err().unwrap().to_string()
    }

    #[test]
    fn an_error_names_line_and_column() {
        assert_eq!(problem("{\n  \"ä\": 1,\n  \"ä\" 2}"), "line 3, column 7: `:` is wanted after a key, not `2`");
        assert_eq!(problem("[1,]"), "line 1, column 4: a value is wanted, not `]`");
        assert_eq!(problem("{\"a\":1 \"b\"}"), "line 1, column 8: `,` or `}` is wanted after a value, not `\"`");
        assert_eq!(problem("[1] x"), "line 1, column 5: more follows after the end of the document: `x`");
        assert_eq!(problem("{\"a\": [tru"), "line 1, column 8: the file ends in the middle of a value");
        assert_eq!(problem(" \n"), "line 2, column 1: the file is empty");
        let cut = Document::read(b"[\"a\xff\"]").err().unwrap();
        assert_eq!((cut.line, cut.column, cut.problem), (1, 4, Problem::Utf8));
    }

    #[test]
    fn numbers_that_python_writes_are_read() {
        let document = Document::read(b"\xef\xbb\xbf[NaN, Infinity, -Infinity, 18446744073709551615, 1.0]").unwrap();
        let raw: Vec<_> = document.root().items().map(Value::raw).collect();
        assert_eq!(raw, ["NaN", "Infinity", "-Infinity", "18446744073709551615", "1.0"]);
        for refused in ["[01]", "[1.]", "[.5]", "[1e]", "[-]", "[+1]", "[-Inf]"] {
            assert!(Document::read(refused.as_bytes()).is_err(), "{refused}");
        }
    }

    #[test]
    fn of_a_repeated_key_the_last_counts_and_all_are_kept() {
        let document = Document::read(br#"{"a":1,"b":2,"\u0061":3}"#).unwrap();
        assert_eq!(document.root().get("a").unwrap().raw(), "3");
        assert_eq!(document.root().members().count(), 3);
    }

    #[test]
    fn half_a_surrogate_pair_is_read_as_the_replacement_character() {
        let document = Document::read(br#"["\ud83d\ude00", "\ud83dx", "\ude00", "\ud83d\u0041"]"#).unwrap();
        let texts: Vec<_> = document.root().items().map(|v| v.text().unwrap().into_owned()).collect();
        assert_eq!(texts, ["\u{1f600}", "\u{fffd}x", "\u{fffd}", "\u{fffd}A"]);
    }

    #[test]
    fn deep_nesting_is_refused_and_not_a_crash() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(Document::read(deep.as_bytes()).err().unwrap().problem, Problem::Deep);
        let allowed = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(Document::read(allowed.as_bytes()).is_ok());
    }

    #[test]
    fn a_string_of_fifty_megabytes_is_one_value() {
        let long = format!("[\"{}\"]", "x".repeat(50_000_000));
        let document = Document::read(long.as_bytes()).unwrap();
        assert_eq!(document.cells.len(), 2);
        assert_eq!(document.root().items().next().unwrap().text().unwrap().len(), 50_000_000);
    }
}
