//! GGUF: magic, version, counts, then keys with values, then tensors by name, shape and type.
//!
//! Source: `docs/gguf.md` and `gguf-py/gguf/constants.py` of ggml-org. Versions 2 and 3 in little endian; version 1 had shorter counts and
//! is in no use.

use std::collections::BTreeMap;
use std::io::Read;

use super::facts::{Format, Header, Kind};
use super::fingerprint::Fingerprint;
use super::metadata::cut;
use super::source::{Input, Source, Stop, Stream};

pub const MAGIC: &[u8; 4] = b"GGUF";

/// Longest text that is looked at; longer ones are passed over.
const LONGEST: u64 = 4096;
/// How many keys, and how many tensors, are read at most.
const MOST: u64 = 200_000;

/// The header of a file that begins with [`MAGIC`].
///
/// # Errors
/// The file cannot be read. What is wrong with its content is in the header.
pub fn read(source: &Source<'_>) -> Result<Header, Stop> {
    let mut header = Header { format: Format::Gguf, ..Header::default() };
    let mut names = Fingerprint::default();
    match fill(source, &mut header, &mut names) {
        Ok(()) => {}
        Err(Stop::Broken(reason)) => header.damage = Some(reason),
        Err(error) => return Err(error),
    }
    names.conclude(&mut header);
    Ok(header)
}

fn fill(source: &Source<'_>, header: &mut Header, names: &mut Fingerprint) -> Result<(), Stop> {
    let mut input = source.stream(4, source.size);
    let version = u32_of(&mut input)?;
    header.version = Some(version);
    if !(2..=3).contains(&version) {
        return Err(Stop::Broken(format!("version {version} of GGUF is not read")));
    }
    let (tensors, keys) = (u64_of(&mut input)?, u64_of(&mut input)?);
    if tensors > MOST || keys > MOST {
        return Err(Stop::broken("it has more keys or tensors than any model"));
    }
    let mut file_type = None;
    let mut alignment = 32;
    for _ in 0..keys {
        let key = text(&mut input)?;
        let value = value(&mut input, 0)?;
        match (key.as_deref(), value) {
            (Some("general.architecture"), Some(Value::Text(text))) => header.architecture = Some(cut(&text)),
            (Some("general.file_type"), Some(Value::Number(number))) => file_type = Some(number),
            (Some("general.alignment"), Some(Value::Number(number))) if number > 0 => alignment = number,
            (Some(key), Some(value)) if key.starts_with("general.") => {
                let text = match value {
                    Value::Text(text) => cut(&text),
                    Value::Number(number) => number.to_string(),
                };
                header.metadata.insert(cut(key), text);
            }
            _ => {}
        }
    }
    header.tensors = Some(tensors);
    let (mut dtypes, mut last): (BTreeMap<&'static str, u64>, u64) = (BTreeMap::new(), 0);
    for _ in 0..tensors {
        let name = text(&mut input)?.unwrap_or_default();
        let dimensions = u32_of(&mut input)?;
        if dimensions > 8 {
            return Err(Stop::broken("a tensor has more than 8 dimensions"));
        }
        // Here the innermost dimension comes first.
        let mut shape = (0..dimensions).map(|_| u64_of(&mut input)).collect::<Result<Vec<u64>, Stop>>()?;
        shape.reverse();
        let numbers = shape.iter().fold(1u64, |product, side| product.saturating_mul(*side));
        let kind = u32_of(&mut input)?;
        let offset = u64_of(&mut input)?;
        let known = TYPES.iter().find(|(number, ..)| *number == kind);
        let sum = dtypes.entry(known.map_or("unknown", |(_, name, ..)| name)).or_default();
        *sum = sum.saturating_add(numbers);
        if let Some((_, _, block, bytes)) = known {
            last = last.max(offset.saturating_add((numbers / block).saturating_mul(*bytes)));
        }
        names.see(&name, &shape);
    }
    let data = input.position().checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
    let end = data.saturating_add(last);
    if end > source.size {
        header.damage = Some(format!("the file is cut short: {} bytes of its tensors are missing", end - source.size));
    }
    header.parameters = Some(dtypes.values().fold(0, |sum: u64, number| sum.saturating_add(*number)));
    let most = dtypes.iter().max_by_key(|(_, number)| **number).map(|(name, _)| (*name).to_owned());
    let named = file_type.and_then(|number| FILE_TYPES.iter().find(|(known, _)| u64::from(*known) == number));
    header.quantisation = named.map(|(_, name)| (*name).to_owned()).or(most);
    header.dtypes = dtypes.into_iter().map(|(name, number)| (name.to_owned(), number)).collect();
    if let Some((_, kind, base)) =
        header.architecture.as_deref().and_then(|a| ARCHITECTURES.iter().find(|(n, ..)| *n == a))
    {
        header.kind = Some(*kind);
        header.base = base.map(str::to_owned);
    }
    Ok(())
}

enum Value {
    Text(String),
    Number(u64),
}

/// A value of a key; nothing for one that is passed over.
fn value(input: &mut Stream<'_, '_>, depth: usize) -> Result<Option<Value>, Stop> {
    let kind = u32_of(input)?;
    typed(input, kind, depth)
}

fn typed(input: &mut Stream<'_, '_>, kind: u32, depth: usize) -> Result<Option<Value>, Stop> {
    match kind {
        // Unsigned, signed, truth, real: only whole numbers are of interest.
        0 | 1 | 7 => Ok(Some(Value::Number(number(input, 1)?))),
        2 | 3 => Ok(Some(Value::Number(number(input, 2)?))),
        4 | 5 => Ok(Some(Value::Number(number(input, 4)?))),
        10 | 11 => Ok(Some(Value::Number(number(input, 8)?))),
        6 => Ok(input.skip(4).map(|()| None)?),
        12 => Ok(input.skip(8).map(|()| None)?),
        8 => Ok(text(input)?.map(Value::Text)),
        9 => {
            if depth > 4 {
                return Err(Stop::broken("its lists are nested deeper than is read"));
            }
            let (kind, length) = (u32_of(input)?, u64_of(input)?);
            let width = match kind {
                0 | 1 | 7 => 1,
                2 | 3 => 2,
                4..=6 => 4,
                10..=12 => 8,
                _ => 0,
            };
            if width > 0 {
                input.skip(length.checked_mul(width).ok_or_else(|| Stop::broken("a list is longer than the file"))?)?;
            } else {
                // Each has at least its length, so the file's size and the budget bound this.
                for _ in 0..length {
                    typed(input, kind, depth + 1)?;
                }
            }
            Ok(None)
        }
        other => Err(Stop::Broken(format!("a value has the type {other}, which is none"))),
    }
}

fn number(input: &mut Stream<'_, '_>, width: usize) -> Result<u64, Stop> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes[..width])?;
    Ok(u64::from_le_bytes(bytes))
}

fn u32_of(input: &mut Stream<'_, '_>) -> Result<u32, Stop> {
    Ok(number(input, 4)? as u32)
}

fn u64_of(input: &mut Stream<'_, '_>) -> Result<u64, Stop> {
    number(input, 8)
}

/// A text with its length before it; nothing if it is too long or not UTF-8.
fn text(input: &mut Stream<'_, '_>) -> Result<Option<String>, Stop> {
    let length = u64_of(input)?;
    if length > LONGEST {
        input.skip(length)?;
        return Ok(None);
    }
    let mut bytes = vec![0; length as usize];
    input.read_exact(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok())
}

/// Number, name, numbers in a block, bytes of a block.
const TYPES: &[(u32, &str, u64, u64)] = &[
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
];

/// `general.file_type`: what most of the tensors are, as llama.cpp numbers it.
const FILE_TYPES: &[(u32, &str)] = &[
    (0, "F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (7, "Q8_0"),
    (8, "Q5_0"),
    (9, "Q5_1"),
    (10, "Q2_K"),
    (11, "Q3_K_S"),
    (12, "Q3_K_M"),
    (13, "Q3_K_L"),
    (14, "Q4_K_S"),
    (15, "Q4_K_M"),
    (16, "Q5_K_S"),
    (17, "Q5_K_M"),
    (18, "Q6_K"),
    (19, "IQ2_XXS"),
    (20, "IQ2_XS"),
    (21, "Q2_K_S"),
    (22, "IQ3_XS"),
    (23, "IQ3_XXS"),
    (24, "IQ1_S"),
    (25, "IQ4_NL"),
    (26, "IQ3_S"),
    (27, "IQ3_M"),
    (28, "IQ2_S"),
    (29, "IQ2_M"),
    (30, "IQ4_XS"),
    (31, "IQ1_M"),
    (32, "BF16"),
];

/// `general.architecture` of the files that ComfyUI's GGUF loaders take.
const ARCHITECTURES: &[(&str, Kind, Option<&str>)] = &[
    ("flux", Kind::DiffusionModel, Some("Flux.1")),
    ("sd1", Kind::DiffusionModel, Some("SD 1.5")),
    ("sdxl", Kind::DiffusionModel, Some("SDXL")),
    ("sd3", Kind::DiffusionModel, Some("SD 3")),
    ("aura", Kind::DiffusionModel, Some("AuraFlow")),
    ("ltxv", Kind::DiffusionModel, Some("LTX")),
    ("hyvid", Kind::DiffusionModel, Some("Hunyuan")),
    ("wan", Kind::DiffusionModel, Some("Wan")),
    ("hidream", Kind::DiffusionModel, Some("HiDream")),
    ("cosmos", Kind::DiffusionModel, Some("Cosmos")),
    ("lumina2", Kind::DiffusionModel, Some("Lumina 2")),
    ("qwen_image", Kind::DiffusionModel, Some("Qwen Image")),
    ("t5", Kind::TextEncoder, None),
    ("t5encoder", Kind::TextEncoder, None),
    ("llama", Kind::TextEncoder, None),
    ("qwen2vl", Kind::TextEncoder, None),
    ("qwen3", Kind::TextEncoder, None),
    ("qwen3vl", Kind::TextEncoder, None),
    ("gemma2", Kind::TextEncoder, None),
    ("gemma3", Kind::TextEncoder, None),
];

#[cfg(test)]
mod tests {
    use super::super::source::tests::of;
    use super::*;
    use proptest::prelude::*;

    fn string(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }

    fn file() -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(2u64.to_le_bytes());
        bytes.extend(4u64.to_le_bytes());
        for (key, value) in [("general.architecture", "flux"), ("general.name", "a name")] {
            bytes.extend(string(key));
            bytes.extend(8u32.to_le_bytes());
            bytes.extend(string(value));
        }
        bytes.extend(string("general.file_type"));
        bytes.extend(4u32.to_le_bytes());
        bytes.extend(15u32.to_le_bytes());
        bytes.extend(string("tokens"));
        bytes.extend(9u32.to_le_bytes());
        bytes.extend(8u32.to_le_bytes());
        bytes.extend(2u64.to_le_bytes());
        bytes.extend([string("x"), string("y")].concat());
        for (name, shape, kind, offset) in [("img_in.weight", [64u64, 3], 1u32, 0u64), ("b", [256, 2], 12, 384)] {
            bytes.extend(string(name));
            bytes.extend(2u32.to_le_bytes());
            shape.iter().for_each(|side| bytes.extend(side.to_le_bytes()));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(32) + 384 + 288, 0);
        bytes
    }

    fn header(bytes: &[u8]) -> Header {
        let at = of(bytes);
        read(&Source::new(&at, bytes.len() as u64)).unwrap()
    }

    #[test]
    fn a_file_says_what_it_is() {
        let header = header(&file());
        assert_eq!(header.damage, None);
        assert_eq!((header.version, header.tensors, header.parameters), (Some(3), Some(2), Some(192 + 512)));
        assert_eq!(header.dtypes, BTreeMap::from([("F16".to_owned(), 192), ("Q4_K".to_owned(), 512)]));
        assert_eq!(header.quantisation.as_deref(), Some("Q4_K_M"));
        assert_eq!((header.kind, header.base.as_deref()), (Some(Kind::DiffusionModel), Some("Flux.1")));
        assert_eq!(header.metadata["general.name"], "a name");
    }

    #[test]
    fn a_file_cut_short_is_told_by_its_header() {
        let bytes = file();
        let damage = header(&bytes[..bytes.len() - 10]).damage.unwrap();
        assert_eq!(damage, "the file is cut short: 10 bytes of its tensors are missing");
        assert!(header(&bytes[..60]).damage.is_some());
    }

    #[test]
    fn counts_that_no_model_has_are_refused_at_once() {
        let mut bytes = file();
        bytes[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(header(&bytes).damage.unwrap().contains("more keys or tensors"));
    }

    proptest! {
        #[test]
        fn any_damage_is_survived(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut bytes = file();
            let place = at.index(bytes.len());
            bytes[place] = byte;
            header(&bytes);
            header(&bytes[..cut.index(bytes.len()).max(4)]);
        }
    }
}
