//! Any bytes are a container or none, and what one holds is read or refused.

#![no_main]

use comfrey::workflow;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(held) = workflow::file::of_bytes(bytes.to_vec()) {
        assert!(held.part.container().is_none() || !held.document.is_empty());
        let _ = workflow::read(&held.document);
    }
});
