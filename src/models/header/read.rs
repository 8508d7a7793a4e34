//! Which format is this? And then that format's reader.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::platform::durable;
use crate::platform::identity::FileStamp;

use super::facts::{Format, Header};
use super::fingerprint::Fingerprint;
use super::pickle::Scanner;
use super::source::{Source, Stop};
use super::{archive, gguf, safetensors};

/// The header of the file at `path`, and the stamp under which it was read.
///
/// # Errors
/// The file cannot be read, or changes meanwhile (kind `ResourceBusy`). What is wrong with its content is in the header.
pub fn read(path: &Path) -> io::Result<(Header, FileStamp)> {
    let file = File::open(path)?;
    let before = FileStamp::of_file(&file)?;
    let read_at = |buffer: &mut [u8], offset: u64| durable::read_at(&file, buffer, offset);
    let header = of_source(&Source::new(&read_at, before.size))?;
    if FileStamp::of_file(&file)? != before {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "changed while it was read"));
    }
    Ok((header, before))
}

/// The header of a file's bytes. Errors: they cannot be read.
pub fn of_source(source: &Source<'_>) -> io::Result<Header> {
    match dispatch(source) {
        Ok(header) => Ok(header),
        // No reader lets this through but for what the first bytes are.
        Err(Stop::Broken(reason)) => Ok(Header { damage: Some(reason), ..Header::default() }),
        Err(Stop::Io(error)) => Err(error),
    }
}

fn dispatch(source: &Source<'_>) -> Result<Header, Stop> {
    let head = source.bytes(0, source.size.min(4) as usize)?;
    match head.as_slice() {
        // Torch decides by the same four bytes.
        b"PK\x03\x04" => archive::read(source),
        head if head == gguf::MAGIC => gguf::read(source),
        _ if safetensors::looks_like(source)? => safetensors::read(source),
        _ => pickled(source),
    }
}

/// A file that is pickles: `torch.save` of before 2020 wrote five, the first three of them short, and the weights behind them.
fn pickled(source: &Source<'_>) -> Result<Header, Stop> {
    let mut names = Fingerprint::default();
    let mut scanner = Scanner::new(&mut names);
    let mut input = source.stream(0, source.size);
    let mut whole = 0;
    let mut incomplete = None;
    while whole < 5 && input.position() < source.size {
        match scanner.scan(&mut input) {
            Ok(()) => whole += 1,
            Err(Stop::Broken(reason)) => {
                incomplete = Some(reason);
                break;
            }
            Err(error) => return Err(error),
        }
        // What follows the first pickle is weights, unless that was the mark with which torch begins.
        if whole == 1 && !begins_as_torch(source)? {
            break;
        }
    }
    // Bytes of any sort can begin like a pickle; one that ends, or that imports something, is one.
    if whole == 0 && scanner.imports() == 0 && !source.bytes(0, source.size.min(2) as usize)?.starts_with(b"\x80") {
        return Ok(Header::default());
    }
    let mut header = Header { format: Format::Pickle, ..Header::default() };
    header.pickle = Some(scanner.finish(incomplete));
    names.conclude(&mut header);
    Ok(header)
}

/// Torch's first pickle is its magic number, 0x1950a86a20f9469cfc6c, as a long of ten bytes.
fn begins_as_torch(source: &Source<'_>) -> Result<bool, Stop> {
    const NUMBER: [u8; 12] = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    Ok(source.size >= 14 && source.bytes(2, NUMBER.len())? == NUMBER)
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Kind, Verdict};
    use super::super::source::tests::of;
    use super::*;
    use proptest::prelude::*;

    fn header(bytes: &[u8]) -> Header {
        let at = of(bytes);
        of_source(&Source::new(&at, bytes.len() as u64)).unwrap()
    }

    #[test]
    fn content_decides_and_not_the_name() {
        assert_eq!(header(b"").format, Format::Other);
        assert_eq!(header(b"x").format, Format::Other);
        assert_eq!(header(b"no model at all, but some text").format, Format::Other);
        assert_eq!(header(b"GGUF\x03\0\0\0").format, Format::Gguf);
        assert_eq!(header(b"PK\x03\x04").format, Format::TorchArchive);
        assert_eq!(header(b"\x80\x04N.").format, Format::Pickle);
        assert_eq!(header(b"cos\nsystem\n.").pickle.unwrap().verdict(), Verdict::Dangerous);
    }

    #[test]
    fn an_old_torch_file_is_read_up_to_its_weights() {
        let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
        let version = b"\x80\x02M\xe9\x03.";
        let system = b"\x80\x02}q\x00.";
        let object = b"\x80\x02}X\x0f\x00\x00\x00string_to_paramccollections\nOrderedDict\n)Rs.";
        let keys = b"\x80\x02]q\x00X\x01\x00\x00\x000a.";
        let weights = [0xff; 100];
        let bytes = [&magic[..], version, system, object, keys, &weights].concat();
        let header = header(&bytes);
        let scan = header.pickle.unwrap();
        assert_eq!((scan.verdict(), scan.incomplete), (Verdict::Expected, None));
        assert_eq!(header.kind, Some(Kind::Embedding));
    }

    #[test]
    fn a_file_is_read_from_disk_with_its_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        std::fs::write(&path, super::super::safetensors::tests::file(&[("a", &[2])], &serde_json::json!({}))).unwrap();
        let (header, stamp) = read(&path).unwrap();
        assert_eq!(header.format, Format::Safetensors);
        assert_eq!(stamp, FileStamp::of_path(&path).unwrap());
        assert!(read(&folder.path().join("none")).is_err());
    }

    proptest! {
        /// Invariant R31.
        #[test]
        fn no_bytes_end_the_program(
            begin in prop::sample::select(vec![&b""[..], b"PK\x03\x04", b"GGUF\x03\0\0\0", b"\x80\x04", b"\x10\0\0\0\0\0\0\0{\""]),
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            header(&[begin, &bytes].concat());
        }
    }
}
