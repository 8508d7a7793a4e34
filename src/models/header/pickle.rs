//! The imports of a pickle, found without running it.
//!
//! The pickle machine (Python's `Lib/pickle.py`, protocols 0 to 5) with a stack of which only texts are known: that is enough to follow
//! `STACK_GLOBAL` through the memo. Nothing is ever imported or called. What the texts of an import really are cannot always be
//! told; then it counts as dangerous, since no program that saves weights writes such a thing.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::rc::Rc;

use super::facts::{Import, PickleScan, Verdict};
use super::imports::judge;
use super::source::{Input, Stop};

/// What is found on the way.
pub trait Finder {
    /// A text that the pickle holds: among them are the names of tensors.
    fn text(&mut self, text: &str);
}

/// Longest text that is remembered. Names of modules are shorter by far.
const LONGEST: u64 = 512;
/// Bytes of texts that are remembered at most.
const TEXTS: usize = 16 << 20;
/// Values on the stack and in the memo at most.
const VALUES: usize = 1 << 18;
const MEMO: usize = 1 << 20;
/// Instructions at most, in all pickles of a file.
const INSTRUCTIONS: u64 = 20_000_000;
/// Different imports at most.
const IMPORTS: usize = 1000;

#[derive(Clone)]
enum Value {
    Mark,
    Text(Rc<str>),
    /// Anything else, or a text that is too long.
    Other,
}

/// Scans pickles, one after the other, and gathers what they import.
pub struct Scanner<'f> {
    finder: &'f mut dyn Finder,
    imports: BTreeSet<Import>,
    left: u64,
    texts: usize,
}

impl<'f> Scanner<'f> {
    pub fn new(finder: &'f mut dyn Finder) -> Self {
        Scanner { finder, imports: BTreeSet::new(), left: INSTRUCTIONS, texts: TEXTS }
    }

    /// What was found, the worst first.
    pub fn finish(self, incomplete: Option<String>) -> PickleScan {
        PickleScan { imports: self.imports.into_iter().collect(), has_code: false, incomplete }
    }

    pub fn imports(&self) -> usize {
        self.imports.len()
    }

    /// Reads one pickle, up to its `STOP`.
    ///
    /// # Errors
    /// It is none, or longer than is read; what was found until then stays found: all of that would have been done before Python noticed.
    pub fn scan(&mut self, input: &mut dyn Input) -> Result<(), Stop> {
        let mut machine = Machine { stack: Vec::new(), memo: HashMap::new(), input };
        while let Some(instruction) = machine.byte()? {
            self.left =
                self.left.checked_sub(1).ok_or_else(|| Stop::broken("it has more instructions than are read"))?;
            if !self.step(instruction, &mut machine)? {
                return Ok(());
            }
        }
        Err(Stop::broken("the pickle has no end"))
    }

    fn import(&mut self, module: Option<&str>, name: Option<&str>) -> Result<(), Stop> {
        let import = match (module, name) {
            (Some(module), Some(name)) => {
                Import { verdict: judge(module, name), module: module.to_owned(), name: name.to_owned() }
            }
            (module, name) => Import {
                verdict: Verdict::Dangerous,
                module: module.unwrap_or("(computed)").to_owned(),
                name: name.unwrap_or("(computed)").to_owned(),
            },
        };
        if self.imports.len() >= IMPORTS && !self.imports.contains(&import) {
            return Err(Stop::broken("it has more imports than are listed"));
        }
        self.imports.insert(import);
        Ok(())
    }

    fn text(&mut self, text: Option<String>) -> Value {
        let Some(text) = text else { return Value::Other };
        self.finder.text(&text);
        match self.texts.checked_sub(text.len()) {
            Some(left) => {
                self.texts = left;
                Value::Text(text.into())
            }
            None => Value::Other,
        }
    }

    /// Carries out one instruction. False after `STOP`.
    fn step(&mut self, instruction: u8, machine: &mut Machine<'_>) -> Result<bool, Stop> {
        match instruction {
            b'.' => return Ok(false),
            // Values of a fixed length.
            0x80 => machine.skip(1)?,
            0x95 => machine.skip(8)?,
            b'K' => machine.constant(1)?,
            b'M' => machine.constant(2)?,
            b'J' => machine.constant(4)?,
            b'G' => machine.constant(8)?,
            b'N' | b'}' | b']' | b')' | 0x88 | 0x89 | 0x8f | 0x97 => machine.push(Value::Other)?,
            b'F' | b'I' | b'L' | b'P' => {
                machine.line(0)?;
                machine.push(Value::Other)?;
            }
            // Numbers and bytes that say how long they are.
            0x8a => machine.counted(1)?,
            0x8b | b'B' => machine.counted(4)?,
            0x8e | 0x96 => machine.counted(8)?,
            // Texts. Bytes stand for texts too: Python takes them for names in protocol 2 and older.
            0x8c | b'U' | b'C' => self.counted_text(1, machine)?,
            b'X' | b'T' => self.counted_text(4, machine)?,
            0x8d => self.counted_text(8, machine)?,
            b'S' => {
                let text = machine.line(LONGEST)?.and_then(|line| unquoted(&line));
                let text = self.text(text);
                machine.push(text)?;
            }
            b'V' => {
                let text = machine.line(LONGEST)?.filter(|line| !line.contains('\\'));
                let text = self.text(text);
                machine.push(text)?;
            }
            // Imports.
            b'c' => {
                let (module, name) = (machine.line(LONGEST)?, machine.line(LONGEST)?);
                self.import(module.as_deref(), name.as_deref())?;
                machine.push(Value::Other)?;
            }
            b'i' => {
                let (module, name) = (machine.line(LONGEST)?, machine.line(LONGEST)?);
                self.import(module.as_deref(), name.as_deref())?;
                machine.pop_to_mark()?;
                machine.push(Value::Other)?;
            }
            0x93 => {
                let (name, module) = (machine.pop()?, machine.pop()?);
                self.import(module.as_text(), name.as_text())?;
                machine.push(Value::Other)?;
            }
            0x82..=0x84 => {
                let code = machine.number([1, 2, 4][usize::from(instruction - 0x82)])?;
                self.import(Some("copyreg"), Some(&format!("extension {code}")))?;
                machine.push(Value::Other)?;
            }
            // The memo.
            b'p' => {
                let at = machine.line_number()?;
                machine.put(at)?;
            }
            b'q' => {
                let at = machine.number(1)?;
                machine.put(at)?;
            }
            b'r' => {
                let at = machine.number(4)?;
                machine.put(at)?;
            }
            0x94 => machine.put(machine.memo.len() as u64)?,
            b'g' => {
                let at = machine.line_number()?;
                machine.get(at)?;
            }
            b'h' => {
                let at = machine.number(1)?;
                machine.get(at)?;
            }
            b'j' => {
                let at = machine.number(4)?;
                machine.get(at)?;
            }
            // The stack.
            b'(' => machine.push(Value::Mark)?,
            b'0' => drop(machine.pop()?),
            b'1' => machine.pop_to_mark()?,
            b'2' => {
                let top = machine.stack.last().cloned().ok_or_else(underflow)?;
                machine.push(top)?;
            }
            b't' | b'l' | b'd' | b'o' | 0x91 => {
                machine.pop_to_mark()?;
                machine.push(Value::Other)?;
            }
            b'e' | b'u' | 0x90 => machine.pop_to_mark()?,
            b'a' | b'b' => drop(machine.pop()?),
            b's' => machine.replace(2, 0)?,
            b'Q' | 0x85 => machine.replace(1, 1)?,
            b'R' | 0x81 | 0x86 => machine.replace(2, 1)?,
            0x87 | 0x92 => machine.replace(3, 1)?,
            0x98 => {}
            other => return Err(Stop::Broken(format!("0x{other:02x} is no instruction of a pickle"))),
        }
        Ok(true)
    }

    fn counted_text(&mut self, width: usize, machine: &mut Machine<'_>) -> Result<(), Stop> {
        let length = machine.number(width)?;
        let text = if length <= LONGEST {
            let mut bytes = vec![0; length as usize];
            machine.input.read_exact(&mut bytes)?;
            String::from_utf8(bytes).ok()
        } else {
            machine.skip(length)?;
            None
        };
        let text = self.text(text);
        machine.push(text)
    }
}

fn underflow() -> Stop {
    Stop::broken("a value is taken that was never put there")
}

impl Value {
    fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

struct Machine<'i> {
    stack: Vec<Value>,
    memo: HashMap<u64, Value>,
    input: &'i mut dyn Input,
}

impl Machine<'_> {
    fn byte(&mut self) -> Result<Option<u8>, Stop> {
        let mut byte = [0];
        loop {
            match self.input.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(byte[0])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn skip(&mut self, count: u64) -> Result<(), Stop> {
        Ok(self.input.skip(count)?)
    }

    /// A number of `width` bytes, little endian.
    fn number(&mut self, width: usize) -> Result<u64, Stop> {
        let mut bytes = [0; 8];
        self.input.read_exact(&mut bytes[..width])?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// A line without its end. Nothing if it is longer than `longest` or not UTF-8.
    fn line(&mut self, longest: u64) -> Result<Option<String>, Stop> {
        let mut line = Vec::new();
        let mut length = 0;
        loop {
            match self.byte()?.ok_or_else(|| Stop::broken("the file ends too early"))? {
                b'\n' => break,
                byte => {
                    length += 1;
                    if length <= longest {
                        line.push(byte);
                    }
                }
            }
        }
        let line = if length <= longest { String::from_utf8(line).ok() } else { None };
        // Python strips nothing but the line feed; a carriage return would be part of the name.
        Ok(line)
    }

    fn line_number(&mut self) -> Result<u64, Stop> {
        let line = self.line(32)?;
        line.and_then(|line| line.trim().parse().ok()).ok_or_else(|| Stop::broken("a number of the memo is wanted"))
    }

    fn constant(&mut self, width: u64) -> Result<(), Stop> {
        self.skip(width)?;
        self.push(Value::Other)
    }

    fn counted(&mut self, width: usize) -> Result<(), Stop> {
        let length = self.number(width)?;
        self.skip(length)?;
        self.push(Value::Other)
    }

    fn push(&mut self, value: Value) -> Result<(), Stop> {
        if self.stack.len() >= VALUES {
            return Err(Stop::broken("its stack is deeper than is followed"));
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, Stop> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn replace(&mut self, taken: usize, put: usize) -> Result<(), Stop> {
        let left = self.stack.len().checked_sub(taken).ok_or_else(underflow)?;
        self.stack.truncate(left);
        for _ in 0..put {
            self.push(Value::Other)?;
        }
        Ok(())
    }

    fn pop_to_mark(&mut self) -> Result<(), Stop> {
        let mark = self.stack.iter().rposition(|value| matches!(value, Value::Mark)).ok_or_else(underflow)?;
        self.stack.truncate(mark);
        Ok(())
    }

    fn put(&mut self, at: u64) -> Result<(), Stop> {
        let top = self.stack.last().cloned().ok_or_else(underflow)?;
        if self.memo.len() >= MEMO {
            return Err(Stop::broken("its memo is larger than is followed"));
        }
        self.memo.insert(at, top);
        Ok(())
    }

    fn get(&mut self, at: u64) -> Result<(), Stop> {
        let value = self.memo.get(&at).cloned().ok_or_else(underflow)?;
        self.push(value)
    }
}

/// A text in Python's quotation marks; nothing where it holds escapes other than `\xNN`.
fn unquoted(line: &str) -> Option<String> {
    let line = line.trim();
    let quote = line.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let inner = line.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let digits = rest[at..].strip_prefix("\\x")?.get(..2)?;
        text.push(char::from(u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)?));
        rest = &rest[at + 4..];
    }
    Some(text + rest)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::source::{Source, tests::of};
    use super::*;
    use proptest::prelude::*;

    struct Nobody;
    impl Finder for Nobody {
        fn text(&mut self, _: &str) {}
    }

    /// What a scan of one pickle finds, and why it stopped.
    pub fn scanned(bytes: &[u8]) -> (Vec<String>, Option<String>) {
        let mut nobody = Nobody;
        let mut scanner = Scanner::new(&mut nobody);
        let read = of(bytes);
        let source = Source::new(&read, bytes.len() as u64);
        let stopped = match scanner.scan(&mut source.stream(0, bytes.len() as u64)) {
            Ok(()) => None,
            Err(Stop::Broken(reason)) => Some(reason),
            Err(Stop::Io(error)) => panic!("{error}"),
        };
        let found = scanner.finish(None).imports;
        (found.iter().map(|import| format!("{} {import}", import.verdict.as_str())).collect(), stopped)
    }

    fn imports(bytes: &[u8]) -> Vec<String> {
        let (found, stopped) = scanned(bytes);
        assert_eq!(stopped, None);
        found
    }

    /// `os.system("x")` as each protocol writes it.
    #[test]
    fn an_import_is_found_in_every_protocol() {
        let dangerous = ["dangerous os.system"];
        assert_eq!(imports(b"cos\nsystem\n(S'x'\ntR."), dangerous);
        assert_eq!(imports(b"\x80\x02cos\nsystem\nq\x00X\x01\x00\x00\x00x\x85q\x01R."), dangerous);
        assert_eq!(imports(b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c\x01x\x94\x85\x94R\x94."), dangerous);
        assert_eq!(imports(b"(S'x'\nios\nsystem\n."), dangerous);
    }

    #[test]
    fn names_are_followed_through_memo_stack_and_escapes() {
        let dangerous = ["dangerous os.system"];
        // Put in the memo, dropped, and got again in the other order.
        assert_eq!(imports(b"\x80\x04\x8c\x06system\x94\x8c\x02os\x9400h\x01h\x00\x93."), dangerous);
        // Through the memo's number as text, and protocol 0's quotation marks.
        assert_eq!(imports(b"S'o\\x73'\np9\n0S'system'\np7\n0g9\ng7\n\x93."), dangerous);
        // Doubled on the stack, then dropped.
        assert_eq!(imports(b"\x80\x04\x8c\x02os\x8c\x06system20\x93."), dangerous);
    }

    #[test]
    fn a_name_that_cannot_be_told_is_dangerous() {
        assert_eq!(imports(b"\x80\x04NN\x93."), ["dangerous (computed).(computed)"]);
        assert_eq!(imports(b"S'\\157s'\nS'system'\n\x93."), ["dangerous (computed).system"]);
        assert_eq!(imports(b"\x82\x07."), ["unknown copyreg.extension 7"]);
        let long = [b"\x80\x04X\x00\x10\x00\x00".as_slice(), &[b'a'; 4096], b"\x8c\x01x\x93."].concat();
        assert_eq!(imports(&long), ["dangerous (computed).x"]);
    }

    #[test]
    fn what_comes_before_the_damage_is_found() {
        let (found, stopped) = scanned(b"cos\nsystem\n(S'x'\ntR\xff");
        assert_eq!(found, ["dangerous os.system"]);
        assert_eq!(stopped.unwrap(), "0xff is no instruction of a pickle");
        assert!(scanned(b"R").1.is_some() && scanned(b"").1.is_some() && scanned(b"h\x05.").1.is_some());
    }

    #[test]
    fn weights_as_torch_saves_them_import_what_is_expected() {
        let mut bytes = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x08\x00\x00\x00a.weightq\x02".to_vec();
        bytes.extend(
            b"ctorch._utils\n_rebuild_tensor_v2\nq\x03((X\x07\x00\x00\x00storageq\x04ctorch\nFloatStorage\nq\x05",
        );
        bytes.extend(b"X\x01\x00\x00\x000q\x06X\x03\x00\x00\x00cpuq\x07K\x02tq\x08QK\x00K\x02\x85q\x09K\x01\x85q\x0a\x89h\x00)Rq\x0btq\x0cRq\x0ds.");
        let expected = ["collections.OrderedDict", "torch.FloatStorage", "torch._utils._rebuild_tensor_v2"];
        assert_eq!(imports(&bytes), expected.map(|name| format!("expected {name}")));
    }

    #[test]
    fn time_and_memory_are_bounded() {
        assert!(scanned(&[b'('; VALUES + 1]).1.unwrap().contains("stack"));
        assert!(scanned(&[b"N".as_slice(), &[0x94; MEMO + 1]].concat()).1.unwrap().contains("memo"));
        assert!(scanned(b"B\xff\xff\xff\xff").1.is_some());
        assert!(scanned(b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff").1.is_some());
    }

    proptest! {
        /// No bytes end the program.
        #[test]
        fn any_bytes_are_scanned(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            scanned(&bytes);
        }

        /// Nor do instructions in any order.
        #[test]
        fn any_instructions_are_scanned(
            steps in prop::collection::vec(prop::sample::select(
                b"(.012FIJKLMNPQRSTUVXabcdegh}ij]lopqrst)uGBC\n\x80\x81\x82\x85\x86\x87\x88\x8a\x8c\x90\x91\x92\x93\x94\x95\x97\x98os".to_vec(),
            ), 0..200),
        ) {
            scanned(&steps);
        }
    }
}
