//! Safetensors: 8 bytes length (little endian), a JSON object of that length, then the tensors.
//!
//! Source: the format's README at huggingface/safetensors. Each entry of the object is a tensor `{dtype, shape, data_offsets}`, but for
//! `__metadata__`, a map of texts.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::facts::{Format, Header};
use super::fingerprint::Fingerprint;
use super::metadata;
use super::source::{Source, Stop};

/// Longer headers are not read: the format allows 100 MB, those of real files have at most a few.
const LONGEST: u64 = 32 << 20;

/// True when the file may be one: its length fits, and an object begins behind it.
pub fn looks_like(source: &Source<'_>) -> Result<bool, Stop> {
    if source.size < 10 {
        return Ok(false);
    }
    let head = source.bytes(0, 9)?;
    Ok(head[8] == b'{' && length(&head) >= 2 && length(&head) <= 1 << 30)
}

fn length(head: &[u8]) -> u64 {
    head.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The header of a file that [`looks_like`] one.
///
/// # Errors
/// The file cannot be read. What is wrong with its content is in the header.
pub fn read(source: &Source<'_>) -> Result<Header, Stop> {
    let damaged = |reason: String| Ok(Header::damaged(Format::Safetensors, reason));
    let length = length(&source.bytes(0, 8)?);
    if length > source.size - 8 {
        return damaged(format!("the file is cut short: its header alone has {length} bytes"));
    }
    if length > LONGEST {
        return damaged(format!("its header has {length} bytes; more than {} MiB are not read", LONGEST >> 20));
    }
    let json = source.bytes(8, length as usize)?;
    let Tensors { count, end, dtypes, names, metadata, overlong } = match serde_json::from_slice(&json) {
        Ok(tensors) => tensors,
        Err(error) => return damaged(format!("its header is not as it should be: {error}")),
    };
    let mut header = Header {
        format: Format::Safetensors,
        tensors: Some(count),
        parameters: Some(dtypes.values().fold(0, |sum: u64, number| sum.saturating_add(*number))),
        dtypes,
        ..Header::default()
    };
    let there = source.size - 8 - length;
    if let Some(name) = overlong {
        header.damage = Some(format!("the tensor {name} does not have the length of its shape"));
    } else if end > there {
        header.damage = Some(format!("the file is cut short: {} bytes of its tensors are missing", end - there));
    }
    metadata::take(metadata, &mut header);
    names.conclude(&mut header);
    Ok(header)
}

#[derive(Default)]
struct Tensors {
    count: u64,
    /// Where the last tensor ends, behind the header.
    end: u64,
    dtypes: BTreeMap<String, u64>,
    names: Fingerprint,
    metadata: BTreeMap<String, String>,
    /// The first tensor whose place contradicts its shape.
    overlong: Option<String>,
}

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// Bits of a number of this type; nothing for a type of later versions of the format.
fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" => 8,
        "I16" | "U16" | "F16" | "BF16" => 16,
        "I32" | "U32" | "F32" => 32,
        "I64" | "U64" | "F64" | "C64" => 64,
        _ => return None,
    })
}

impl Tensors {
    fn take(&mut self, name: &str, tensor: Tensor) {
        let numbers = tensor.shape.iter().fold(1u64, |product, side| product.saturating_mul(*side));
        let (begin, end) = tensor.data_offsets;
        self.count += 1;
        self.end = self.end.max(end);
        let expected = bits(&tensor.dtype).map(|bits| numbers.saturating_mul(bits).div_ceil(8));
        if self.overlong.is_none() && expected.is_some_and(|expected| end.checked_sub(begin) != Some(expected)) {
            self.overlong = Some(name.chars().take(200).collect());
        }
        let sum = self.dtypes.entry(tensor.dtype).or_default();
        *sum = sum.saturating_add(numbers);
        self.names.see(name, &tensor.shape);
    }
}

impl<'de> Deserialize<'de> for Tensors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Tensors;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tensors, A::Error> {
                let mut tensors = Tensors::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        // Texts only, by the format; what else someone wrote there does no harm.
                        let found: BTreeMap<String, Text> = map.next_value()?;
                        tensors.metadata = found.into_iter().filter_map(|(key, text)| Some((key, text.0?))).collect();
                    } else {
                        let tensor = map.next_value()?;
                        tensors.take(&name, tensor);
                    }
                }
                Ok(tensors)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A text, or nothing for any other value.
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any {
            Text(String),
            Other(IgnoredAny),
        }
        Ok(match Any::deserialize(deserializer)? {
            Any::Text(text) => Text(Some(text)),
            Any::Other(_) => Text(None),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::facts::Kind;
    use super::super::source::tests::of;
    use super::*;
    use proptest::prelude::*;

    /// A file with these tensors of F16, all zero, and this metadata.
    pub fn file(tensors: &[(&str, &[u64])], metadata: &serde_json::Value) -> Vec<u8> {
        let mut object = serde_json::Map::new();
        object.insert("__metadata__".into(), metadata.clone());
        let mut end = 0;
        for (name, shape) in tensors {
            let begin = end;
            end += shape.iter().product::<u64>() * 2;
            object.insert(
                (*name).into(),
                serde_json::json!({"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}),
            );
        }
        let json = serde_json::to_vec(&object).unwrap();
        [&(json.len() as u64).to_le_bytes(), json.as_slice(), &vec![0; end as usize]].concat()
    }

    pub fn header(bytes: &[u8]) -> Header {
        let at = of(bytes);
        let source = Source::new(&at, bytes.len() as u64);
        assert!(looks_like(&source).unwrap());
        read(&source).unwrap()
    }

    #[test]
    fn a_lora_says_what_it_is() {
        let name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight";
        let metadata = serde_json::json!({
            "format": "pt",
            "ss_network_dim": "8",
            "ss_base_model_version": "sd_v1",
            "sshs_model_hash": "0xAB12",
            "ss_tag_frequency": "{\"10_x\": {\"ink drawing\": 12, \"cat\": 3}, \"y\": {\"cat\": 20}}",
        });
        let header = header(&file(&[(name, &[4, 768]), ("other", &[2, 2])], &metadata));
        assert_eq!((header.kind, header.base.as_deref()), (Some(Kind::Lora), Some("SD 1.5")));
        assert_eq!((header.tensors, header.parameters), (Some(2), Some(4 * 768 + 4)));
        assert_eq!(header.dtypes, BTreeMap::from([("F16".to_owned(), 4 * 768 + 4)]));
        assert_eq!(header.trained_words, ["cat", "ink drawing"]);
        assert_eq!(header.metadata["ss_network_dim"], "8");
        assert_eq!(header.damage, None);
    }

    #[test]
    fn a_file_cut_short_is_told_by_its_header() {
        let bytes = file(&[("a", &[100])], &serde_json::json!({}));
        assert_eq!(header(&bytes).damage, None);
        let cut = header(&bytes[..bytes.len() - 40]);
        assert_eq!(cut.damage.unwrap(), "the file is cut short: 40 bytes of its tensors are missing");
        let cut = header(&bytes[..30]);
        assert!(cut.damage.unwrap().starts_with("the file is cut short"));
    }

    #[test]
    fn a_header_that_contradicts_itself_is_named() {
        let wrong = |json: &str| {
            let bytes = [&(json.len() as u64).to_le_bytes(), json.as_bytes(), &[0; 64]].concat();
            header(&bytes).damage.unwrap()
        };
        let short = "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,8]}}";
        assert_eq!(wrong(short), "the tensor a does not have the length of its shape");
        assert!(wrong("{\"a\":1}").contains("not as it should be"));
        assert!(
            wrong("{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551615,9],\"data_offsets\":[9,0]}}")
                .contains("shape")
        );
    }

    #[test]
    fn odd_metadata_does_no_harm() {
        let metadata = serde_json::json!({"number": 5, "list": [1], "text": "x", "ss_tag_frequency": "not json"});
        let header = header(&file(&[], &metadata));
        assert_eq!(header.damage, None);
        assert_eq!(header.metadata.get("number"), None);
    }

    proptest! {
        #[test]
        fn any_damage_is_survived(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut bytes = file(&[("a.b", &[3, 4])], &serde_json::json!({"k": "v"}));
            let place = at.index(bytes.len());
            bytes[place] = byte;
            for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                let at = of(bytes);
                let source = Source::new(&at, bytes.len() as u64);
                if looks_like(&source).unwrap() {
                    read(&source).unwrap();
                }
            }
        }
    }
}
