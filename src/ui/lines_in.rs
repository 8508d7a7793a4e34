//! Lines on standard input, or paths each ended by NUL, answered as they come.

use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use crate::platform::paths;

/// Reads lines as they come: all that have arrived at once, waiting only when there is none.
pub struct LinesIn<R> {
    input: BufReader<R>,
    separator: u8,
    /// The beginning of a line whose end has not arrived.
    begun: Vec<u8>,
}

impl<R: Read> LinesIn<R> {
    /// `nul`: each line ends with a NUL byte instead of a line feed.
    pub fn new(input: R, nul: bool) -> Self {
        let separator = if nul { 0 } else { b'\n' };
        LinesIn { input: BufReader::with_capacity(256 * 1024, input), separator, begun: Vec::new() }
    }

    /// The lines that have arrived, at least one; none at the end. Empty ones are passed over.
    pub fn arrived(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        while lines.is_empty() {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                lines.push(std::mem::take(&mut self.begun));
                lines.retain(|line| !line.is_empty());
                break;
            }
            let length = bytes.len();
            let mut parts = bytes.split(|byte| *byte == self.separator);
            // `split` gives at least one part, and the last of them has no separator behind it.
            let last = parts.next_back().unwrap_or_default();
            for part in parts {
                self.begun.extend_from_slice(part);
                lines.push(std::mem::take(&mut self.begun));
            }
            lines.retain(|line| !line.is_empty());
            self.begun.extend_from_slice(last);
            self.input.consume(length);
        }
        Ok(lines)
    }

    /// The same lines as paths.
    pub fn arrived_paths(&mut self) -> io::Result<Vec<PathBuf>> {
        Ok(self.arrived()?.into_iter().map(path).collect())
    }
}

/// Programs of Windows end a line with both characters.
fn path(mut bytes: Vec<u8>) -> PathBuf {
    if cfg!(windows) && bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    paths::from_line(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one piece a read.
    struct Pieces(Vec<&'static [u8]>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            buffer[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    fn all(pieces: Vec<&'static [u8]>, nul: bool) -> Vec<Vec<PathBuf>> {
        let mut paths = LinesIn::new(Pieces(pieces), nul);
        std::iter::from_fn(|| Some(paths.arrived_paths().unwrap()).filter(|arrived| !arrived.is_empty())).collect()
    }

    #[test]
    fn what_has_arrived_is_given_before_more_is_waited_for() {
        let found = all(vec![b"a\nb", b"c\n", b"d", b"e"], false);
        assert_eq!(found, [vec![PathBuf::from("a")], vec!["bc".into()], vec!["de".into()]]);
    }

    #[test]
    fn nul_lets_a_path_hold_a_line_feed() {
        assert_eq!(all(vec![b"a\nb\0", b"\0c\0"], true), [vec![PathBuf::from("a\nb")], vec!["c".into()]]);
    }
}
