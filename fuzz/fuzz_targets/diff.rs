//! Any two workflows are compared or are of two forms; one with itself differs in nothing.

#![no_main]

use comfrey::workflow::{
    self,
    diff::{Layout, diff},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|both: (&[u8], &[u8])| {
    let (Ok(old), Ok(new)) = (workflow::read(both.0), workflow::read(both.1)) else { return };
    if let Ok(found) = diff(&old, &new, Layout::Compared) {
        let _ = found.lines();
    }
    if let Ok(found) = diff(&old, &old, Layout::Compared) {
        assert!(found.lines().is_empty());
    }
});
