//! What ComfyUI says: one file a start, in the environment's folder, and of the files the newest.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::object::Time;

/// The folder of logs in an environment's folder.
pub const FOLDER: &str = "logs";

/// How many files are kept.
pub const KEPT: usize = 20;

/// What begins a line that is ours and not ComfyUI's.
pub const OURS: &str = "[comfrey] ";

/// The log of one start.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    /// True when the last byte written ends a line.
    at_line: bool,
}

impl Log {
    /// Begins a new file, named for the moment, and takes the oldest away.
    pub fn begin(environment: &Path, now: Time, line: &str) -> io::Result<Log> {
        let folder = environment.join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        let stem = stem(now);
        let earlier = all(environment);
        let number = earlier.iter().filter_map(|path| number_after(path, &stem)).max().unwrap_or(0) + 1;
        for old in earlier.iter().rev().skip(KEPT - 1) {
            // A file that is still read stays until the next time.
            drop(std::fs::remove_file(old));
        }
        let path = folder.join(format!("{stem}-{number:02}.log"));
        let file = File::options().append(true).create_new(true).open(&path)?;
        let mut log = Log { file, path, at_line: true };
        log.note(&format!("{now} {line}"))?;
        Ok(log)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another hand on the same file, for the thread that copies.
    pub fn share(&self) -> io::Result<Log> {
        Ok(Log { file: self.file.try_clone()?, path: self.path.clone(), at_line: self.at_line })
    }

    /// Adds what ComfyUI said.
    pub fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(last) = bytes.last() {
            self.at_line = *last == b'\n';
        }
        self.file.write_all(bytes)
    }

    /// Adds a line of ours.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        let begin = if self.at_line { "" } else { "\n" };
        self.at_line = true;
        self.file.write_all(format!("{begin}{OURS}{text}\n").as_bytes())
    }
}

/// `20261121-144005`, by the clock of the place.
fn stem(now: Time) -> String {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let text = now.to_string();
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    let clock = digits(rest.get(..8).unwrap_or_default());
    format!("{}-{clock}", digits(day))
}

fn number_after(path: &Path, stem: &str) -> Option<u32> {
    path.file_stem()?.to_str()?.strip_prefix(stem)?.strip_prefix('-')?.parse().ok()
}

/// The logs of an environment, oldest first.
pub fn all(environment: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(environment.join(FOLDER)).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "log")).collect();
    found.sort();
    found
}

/// The log of the last start.
pub fn newest(environment: &Path) -> Option<PathBuf> {
    all(environment).pop()
}

/// The end of a log: at most `most` bytes of it, from the beginning of a line.
pub fn end_of(path: &Path, most: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let begin = size.saturating_sub(most);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = if begin > 0 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    Ok(text.to_owned())
}

/// The last lines that ComfyUI printed, without empty ones and those of ours; of a line that was drawn over only what was seen last.
pub fn last_lines(path: &Path, most: usize) -> Vec<String> {
    let text = end_of(path, 64 << 10).unwrap_or_default();
    let seen =
        |line: &str| line.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default().trim_end().to_owned();
    let lines: Vec<String> =
        text.lines().filter(|line| !line.starts_with(OURS)).map(seen).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(most)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn each_start_has_a_file_and_only_the_newest_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let now = at("2026-11-20T10:00:00+00:00");
        for _ in 0..KEPT + 3 {
            Log::begin(dir.path(), now, "started").unwrap();
        }
        let found = all(dir.path());
        assert_eq!(found.len(), KEPT);
        assert_eq!(newest(dir.path()).unwrap().file_name().unwrap(), "20261120-100000-23.log");
        let later = Log::begin(dir.path(), at("2026-11-20T10:00:01+00:00"), "started").unwrap();
        assert_eq!(newest(dir.path()).as_deref(), Some(later.path()));
    }

    #[test]
    fn the_last_lines_are_those_that_a_person_saw() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::begin(dir.path(), at("2026-11-20T10:00:00+00:00"), "started").unwrap();
        log.add(b"one\n\n  0%|\r 50%|\r100%|\ntwo").unwrap();
        log.note("ended").unwrap();
        assert_eq!(last_lines(log.path(), 9), ["one", "100%|", "two"]);
        assert_eq!(last_lines(log.path(), 1), ["two"]);
        let text = std::fs::read_to_string(log.path()).unwrap();
        assert!(text.starts_with("[comfrey] 2026-11-20") && text.ends_with("two\n[comfrey] ended\n"), "{text}");
        assert_eq!(end_of(log.path(), 20).unwrap(), "[comfrey] ended\n");
    }
}
