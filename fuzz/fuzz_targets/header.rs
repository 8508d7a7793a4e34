//! Any bytes have a header or say what is wrong with them, and nothing of them runs.

#![no_main]

use comfrey::models::header::{read::of_source, source::Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let read_at = |buffer: &mut [u8], offset: u64| {
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    };
    let found = of_source(&Source::new(&read_at, bytes.len() as u64));
    assert!(found.is_ok(), "reading memory does not fail");
});
