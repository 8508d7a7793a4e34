//! The zip archives that `torch.save` writes: a folder with `data.pkl` and a file for each storage.
//!
//! A walk of the central directory (PKWARE's APPNOTE, sections 4.3 and 4.5) of our own rather than a zip library's: it takes bounded memory
//! for any number of entries, and it goes on where a library would rightly refuse (wrong sums, encryption flags), as torch's own reader
//! does. A scanner that gives up there would be blind to just the files that are made to fool it.

use std::io::Read;

use flate2::read::DeflateDecoder;

use super::facts::{Format, Header};
use super::fingerprint::Fingerprint;
use super::pickle::{Finder, Scanner};
use super::source::{Input, Source, Stop, Unpacked};

const END: &[u8; 4] = b"PK\x05\x06";
const END_64: &[u8; 4] = b"PK\x06\x06";
const ENTRY: &[u8; 4] = b"PK\x01\x02";
const LOCAL: &[u8; 4] = b"PK\x03\x04";

/// Pickles of one archive that are read at most; torch writes one or two.
const PICKLES: usize = 64;
/// Longest name of an entry that is looked at.
const LONGEST_NAME: usize = 1024;

/// The header of an archive.
///
/// # Errors
/// The file cannot be read. What is wrong with the archive is in the header.
pub fn read(source: &Source<'_>) -> Result<Header, Stop> {
    let mut names = Fingerprint::default();
    let mut scanner = Scanner::new(&mut names);
    let mut header = Header { format: Format::TorchArchive, ..Header::default() };
    let listed = match entries(source) {
        Ok(listed) => listed,
        Err(Stop::Broken(reason)) => {
            header.damage = Some(reason.clone());
            Listed { incomplete: Some(reason), ..Listed::default() }
        }
        Err(error) => return Err(error),
    };
    let Listed { pickles, storages, has_code, mut incomplete } = listed;
    header.tensors = (storages > 0 && incomplete.is_none()).then_some(storages);
    for entry in &pickles {
        match scan(source, entry, &mut scanner) {
            Ok(()) => {}
            Err(Stop::Broken(reason)) => incomplete = Some(format!("{}: {reason}", entry.name)),
            Err(error) => return Err(error),
        }
    }
    let mut scan = scanner.finish(incomplete);
    scan.has_code = has_code;
    header.pickle = Some(scan);
    names.conclude(&mut header);
    Ok(header)
}

/// A pickle in an archive.
struct Pickle {
    name: String,
    method: u16,
    /// Stored length, in bytes.
    length: u64,
    /// Of its local header.
    offset: u64,
}

#[derive(Default)]
struct Listed {
    pickles: Vec<Pickle>,
    /// Files with numbers for weights.
    storages: u64,
    has_code: bool,
    incomplete: Option<String>,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// Where the central directory begins and ends.
fn directory(source: &Source<'_>) -> Result<(u64, u64), Stop> {
    const LONGEST: u64 = 22 + 65_535;
    let length = source.size.min(LONGEST);
    let tail_at = source.size - length;
    let tail = source.bytes(tail_at, length as usize)?;
    let end = tail.windows(22).rposition(|window| window.starts_with(END));
    let end = end.ok_or_else(|| Stop::broken("the archive has no directory; the file is probably cut short"))?;
    let record = &tail[end..];
    let (mut size, mut offset) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
    let end_at = tail_at + end as u64;
    if size == u64::from(u32::MAX) || offset == u64::from(u32::MAX) || u16_at(record, 10) == u16::MAX {
        let locator = source.bytes(end_at.checked_sub(20).ok_or_else(misplaced)?, 20)?;
        if locator.starts_with(b"PK\x06\x07") {
            let record = source.bytes(u64_at(&locator, 8), 56)?;
            if !record.starts_with(END_64) {
                return Err(misplaced());
            }
            (size, offset) = (u64_at(&record, 40), u64_at(&record, 48));
        }
    }
    let end = offset.checked_add(size).filter(|end| *end <= end_at).ok_or_else(misplaced)?;
    Ok((offset, end))
}

fn misplaced() -> Stop {
    Stop::broken("the archive's directory is not where it should be")
}

fn entries(source: &Source<'_>) -> Result<Listed, Stop> {
    let (begin, end) = directory(source)?;
    let mut stream = source.stream(begin, end);
    let mut listed = Listed::default();
    while stream.position() < end {
        let mut fixed = [0; 46];
        stream.read_exact(&mut fixed)?;
        if !fixed.starts_with(ENTRY) {
            return Err(misplaced());
        }
        let [name_length, extra_length, comment] = [28, 30, 32].map(|at| usize::from(u16_at(&fixed, at)));
        if name_length > LONGEST_NAME {
            stream.skip((name_length + extra_length + comment) as u64)?;
            continue;
        }
        let mut name = vec![0; name_length];
        stream.read_exact(&mut name)?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let mut extra = vec![0; extra_length];
        stream.read_exact(&mut extra)?;
        stream.skip(comment as u64)?;
        let in_folder = name.split_once('/').map_or(name.as_str(), |(_, rest)| rest);
        if in_folder.starts_with("data/") && !name.ends_with('/') {
            listed.storages += 1;
        } else if in_folder.starts_with("code/") && name.ends_with(".py") {
            listed.has_code = true;
        }
        let is_pickle = [".pkl", ".pickle"].iter().any(|end| name.to_ascii_lowercase().ends_with(end));
        if !is_pickle {
            continue;
        }
        if listed.pickles.len() >= PICKLES {
            listed.incomplete = Some(format!("it holds more than {PICKLES} pickles"));
            continue;
        }
        let (length, offset) = placed(&fixed, &extra);
        listed.pickles.push(Pickle { name, method: u16_at(&fixed, 10), length, offset });
    }
    Ok(listed)
}

/// Stored length and offset of an entry, from its 64-bit extra field where the plain ones are full.
fn placed(fixed: &[u8], extra: &[u8]) -> (u64, u64) {
    let (mut length, mut offset) = (u64::from(u32_at(fixed, 20)), u64::from(u32_at(fixed, 42)));
    let full = u64::from(u32::MAX);
    let mut rest = extra;
    while rest.len() >= 4 {
        let size = usize::from(u16_at(rest, 2)).min(rest.len() - 4);
        let (field, after) = rest[4..].split_at(size);
        if u16_at(rest, 0) == 1 {
            // Only those that are full above are here: unpacked length, stored length, offset.
            let mut at = if u32_at(fixed, 24) == u32::MAX { 8 } else { 0 };
            for number in [&mut length, &mut offset] {
                if *number == full && at + 8 <= field.len() {
                    *number = u64_at(field, at);
                    at += 8;
                }
            }
        }
        rest = after;
    }
    (length, offset)
}

fn scan(source: &Source<'_>, entry: &Pickle, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
    let local = source.bytes(entry.offset, 30)?;
    if !local.starts_with(LOCAL) {
        return Err(Stop::broken("it is not where the directory says"));
    }
    let begin = entry.offset + 30 + u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
    let end = begin.checked_add(entry.length).filter(|end| *end <= source.size);
    let end = end.ok_or_else(|| Stop::broken("the file ends too early"))?;
    let mut stream = source.stream(begin, end);
    match entry.method {
        0 => scanner.scan(&mut stream),
        8 => scanner.scan(&mut Unpacked::new(DeflateDecoder::new(stream))),
        other => Err(Stop::Broken(format!("it is compressed by method {other}, which is not read"))),
    }
}

impl Finder for Fingerprint {
    fn text(&mut self, text: &str) {
        self.see(text, &[]);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::facts::{Kind, Verdict};
    use super::super::source::tests::of;
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    /// A zip archive of these entries; deflated ones where asked for.
    pub fn archive(entries: &[(&str, &[u8])], deflated: bool) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in entries {
            let stored = if deflated {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            } else {
                content.to_vec()
            };
            let offset = bytes.len() as u32;
            let mut common = vec![20, 0, 0, 0, if deflated { 8 } else { 0 }, 0, 0, 0, 0, 0];
            common.extend([0; 4]);
            common.extend((stored.len() as u32).to_le_bytes());
            common.extend((content.len() as u32).to_le_bytes());
            common.extend((name.len() as u16).to_le_bytes());
            common.extend([0, 0]);
            bytes.extend(LOCAL);
            bytes.extend(&common);
            bytes.extend(name.as_bytes());
            bytes.extend(stored);
            directory.extend(ENTRY);
            directory.extend([20, 0]);
            directory.extend(&common);
            directory.extend([0; 10]);
            directory.extend(offset.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let (offset, size) = (bytes.len() as u32, directory.len() as u32);
        bytes.extend(directory);
        bytes.extend(END);
        bytes.extend([0; 4]);
        bytes.extend([entries.len() as u8, 0, entries.len() as u8, 0]);
        bytes.extend(size.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    fn header(bytes: &[u8]) -> Header {
        let at = of(bytes);
        read(&Source::new(&at, bytes.len() as u64)).unwrap()
    }

    /// A dictionary with this key and nothing else.
    fn with_key(key: &str) -> Vec<u8> {
        [b"\x80\x02}X".as_slice(), &(key.len() as u32).to_le_bytes(), key.as_bytes(), b"Ns."].concat()
    }

    #[test]
    fn the_pickle_of_an_archive_is_read_stored_or_deflated() {
        let pickle = [b"cos\nsystem\n0".as_slice(), &with_key("model.1.sub.0.RDB1.conv1.0.weight")].concat();
        for deflated in [false, true] {
            let bytes = archive(&[("x/data.pkl", &pickle), ("x/data/0", &[0; 40]), ("x/version", b"3\n")], deflated);
            let header = header(&bytes);
            let scan = header.pickle.unwrap();
            assert_eq!(scan.verdict(), Verdict::Dangerous);
            assert_eq!((scan.imports[0].to_string().as_str(), scan.incomplete), ("os.system", None));
            assert_eq!((header.tensors, header.kind), (Some(1), Some(Kind::Upscaler)));
        }
    }

    #[test]
    fn an_archive_cut_short_is_damaged_and_code_is_told() {
        let bytes = archive(&[("x/data.pkl", b"N."), ("x/code/__torch__.py", b"pass")], false);
        assert!(header(&bytes).pickle.unwrap().has_code);
        let cut = header(&bytes[..bytes.len() - 30]);
        assert!(cut.damage.is_some() && cut.pickle.unwrap().verdict() == Verdict::Unknown);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = vec![b'N'; 80 << 20];
        let bytes = archive(&[("x/data.pkl", &zeros)], true);
        assert!(header(&bytes).pickle.unwrap().incomplete.is_some());
    }

    proptest! {
        #[test]
        fn any_damage_to_an_archive_is_survived(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut bytes = archive(&[("x/data.pkl", &with_key("a.b")), ("x/data/0", b"1234")], true);
            let place = at.index(bytes.len());
            bytes[place] = byte;
            header(&bytes);
            header(&bytes[..cut.index(bytes.len())]);
        }
    }
}
