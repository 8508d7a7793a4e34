//! Model files: valid safetensors with reproducible content, made about as fast as the disk takes them.
//!
//! Format: eight bytes of header length (little endian), a JSON header, then the tensors' bytes
//! (<https://github.com/huggingface/safetensors#format>).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

/// Bytes written at a time.
const CHUNK: usize = 1 << 20;

/// The tensors of one layer: name and how many of the layer's 16 parts it takes.
const TENSORS: [(&str, u64); 4] =
    [("attn.to_q.weight", 2), ("attn.to_out.weight", 2), ("ff.net.weight", 11), ("norm.bias", 1)];

/// Writes a safetensors file of about `megabytes` (10⁶ bytes) of half-precision weights that depend on `name` alone.
pub fn write(path: &Path, name: &str, megabytes: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let (header, length) = header(name, megabytes * 1_000_000);
    let mut file = BufWriter::with_capacity(CHUNK, File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    let mut numbers = blake3::Hasher::new_derive_key("comfrey demo weights").update(name.as_bytes()).finalize_xof();
    let mut left = length as usize;
    let mut chunk = vec![0u8; CHUNK];
    while left > 0 {
        let part = &mut chunk[..left.min(CHUNK)];
        numbers.fill(part);
        // The top bit of the exponent off: every half-precision number is finite and below two, as weights are.
        for pair in part.chunks_exact_mut(2) {
            pair[1] &= 0xBF;
        }
        file.write_all(part)?;
        left -= part.len();
    }
    file.into_inner()?.sync_all()
}

/// The JSON header, padded to eight bytes, and the length of the data behind it.
fn header(name: &str, bytes: u64) -> (Vec<u8>, u64) {
    let mut tensors = Map::new();
    tensors.insert("__metadata__".into(), json!({ "format": "pt", "modelspec.title": name }));
    let layers = (bytes / 8_000_000).clamp(1, 96);
    let part = (bytes / layers / 16).next_multiple_of(128);
    let mut at = 0;
    for layer in 0..layers {
        for (tensor, parts) in TENSORS {
            let length = part * parts;
            let shape = [length / 128, 64];
            let entry: Value = json!({ "dtype": "F16", "shape": shape, "data_offsets": [at, at + length] });
            tensors.insert(format!("model.diffusion_model.blocks.{layer}.{tensor}"), entry);
            at += length;
        }
    }
    let mut header = Value::Object(tensors).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    (header, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_valid_and_the_same_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("a/one.safetensors"), dir.path().join("two.safetensors"));
        write(&one, "x", 3).unwrap();
        write(&two, "x", 3).unwrap();
        let bytes = std::fs::read(&one).unwrap();
        assert_eq!(bytes, std::fs::read(&two).unwrap());
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let data = (bytes.len() - 8 - length) as u64;
        let mut end = 0;
        for (name, tensor) in header.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__") {
            let offsets: Vec<u64> =
                tensor["data_offsets"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
            let elements: u64 = tensor["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).product();
            assert_eq!((offsets[0], offsets[1] - offsets[0]), (end, elements * 2), "{name}");
            end = offsets[1];
        }
        assert_eq!(end, data);
        assert!((2_900_000..3_100_000).contains(&data), "{data}");
    }
}
