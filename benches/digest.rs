//! What hashing costs: one file by one thread and by all, with SHA-256, its samples only, a stream; beside the `blake3` crate on bytes
//! in memory.
//!
//! `cargo bench --bench digest`

use std::io::Write;
use std::sync::OnceLock;

use comfrey::digest::{self, Threads, Wanted};
use comfrey::observer::Silent;
use divan::counter::BytesCount;
use tempfile::NamedTempFile;

const MIB: u64 = 1 << 20;
/// Larger than a core's caches, small enough to stay in the page cache.
const LARGE: u64 = 256 * MIB;

fn main() {
    // Made before anything is measured.
    large();
    divan::main();
}

fn bytes(length: u64) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length / 8).flat_map(|_| next()).collect()
}

fn file_of(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn large() -> &'static (Vec<u8>, NamedTempFile) {
    static LARGE_FILE: OnceLock<(Vec<u8>, NamedTempFile)> = OnceLock::new();
    LARGE_FILE.get_or_init(|| {
        let bytes = bytes(LARGE);
        let file = file_of(&bytes);
        (bytes, file)
    })
}

fn file(bencher: divan::Bencher, wanted: Wanted, threads: Threads, read: u64) {
    let path = large().1.path();
    bencher.counter(BytesCount::new(read)).bench(|| digest::file(path, wanted, threads, &Silent).unwrap());
}

#[divan::bench]
fn one_file_one_thread(bencher: divan::Bencher) {
    file(bencher, Wanted::ID, Threads::One, LARGE);
}

#[divan::bench]
fn one_file_all_threads(bencher: divan::Bencher) {
    file(bencher, Wanted::ID, Threads::All, LARGE);
}

#[divan::bench]
fn one_file_with_sha256(bencher: divan::Bencher) {
    file(bencher, Wanted { sha256: true, ..Wanted::ID }, Threads::All, LARGE);
}

#[divan::bench]
fn quick_hash(bencher: divan::Bencher) {
    file(bencher, Wanted::QUICK, Threads::One, 15 * MIB);
}

#[divan::bench]
fn small_file(bencher: divan::Bencher) {
    let small = file_of(&bytes(4096));
    bencher
        .counter(BytesCount::new(4096u64))
        .bench(|| digest::file(small.path(), Wanted::ID, Threads::One, &Silent).unwrap());
}

#[divan::bench]
fn stream(bencher: divan::Bencher) {
    let bytes = &large().0;
    bencher
        .counter(BytesCount::new(LARGE))
        .bench(|| digest::stream(&mut &bytes[..], Wanted::ID, Threads::One, &Silent).unwrap());
}

/// The crate on bytes that are all in memory: what there is to win or lose.
#[divan::bench]
fn blake3_crate_from_memory(bencher: divan::Bencher) {
    let bytes = &large().0;
    bencher.counter(BytesCount::new(LARGE)).bench(|| blake3::hash(bytes));
}

/// The crate on bytes that stay in the core's own cache: the arithmetic alone.
#[divan::bench]
fn blake3_crate_from_cache(bencher: divan::Bencher) {
    let bytes = &large().0[..256 << 10];
    bencher.counter(BytesCount::of_slice(bytes)).bench(|| blake3::hash(divan::black_box(bytes)));
}
