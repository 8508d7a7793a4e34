//! What answering references costs: 500 of them against 20,000 indexed files.
//!
//! `cargo bench --bench resolve`

use std::path::Path;
use std::sync::Arc;

use comfrey::catalog::{Names, Need, Reference};
use comfrey::digest::QuickHash;
use comfrey::models::{FileState, IndexedFile, Inventory, ModelRoot};
use comfrey::object::ObjectId;
use comfrey::platform::identity::FileStamp;
use comfrey::resolve::{Known, Sources, resolve_each};

const FILES: usize = 20_000;
const REFERENCES: usize = 500;

const WORDS: [&str; 24] = [
    "dream", "shaper", "real", "vision", "anime", "ink", "style", "detail", "portrait", "flux", "sdxl", "turbo",
    "light", "film", "grain", "water", "colour", "sketch", "epic", "photo", "noir", "pixel", "mix", "base",
];

fn main() {
    divan::main();
}

/// Names as they are in the wild: a few words of a small vocabulary, a version, a number.
fn name(number: usize) -> String {
    let word = |at: usize| WORDS[at % WORDS.len()];
    let (a, b, c) = (word(number), word(number / 7 + 3), word(number / 61 + 11));
    format!("{a}_{b}-{c}_v{}.{number}.safetensors", number % 9)
}

fn folder(number: usize) -> &'static str {
    ["checkpoints", "loras", "vae", "controlnet", "text_encoders"][number % 5]
}

fn files() -> Vec<IndexedFile> {
    let root = Arc::new(ModelRoot::models(Path::new("/models")));
    let file = |number: usize| {
        let id = ObjectId::of_blob(&number.to_le_bytes());
        IndexedFile {
            root: Arc::clone(&root),
            path: format!("{}/{}/{}", folder(number), WORDS[number % 13], name(number)),
            stamp: FileStamp { device: 1, inode: number as u64, size: 1, modified: 0, changed: 0 },
            quick: Some(QuickHash(id.0)),
            id: Some(id),
            sha256: None,
            state: FileState::Unchanged,
        }
    };
    (0..FILES).map(file).collect()
}

fn reference(number: usize, path: String) -> Reference {
    Reference {
        workflow: None,
        scope: Vec::new(),
        node: number.to_string(),
        node_type: "X".into(),
        input: None,
        widget: Some(0),
        value: path.clone(),
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        path,
        folders: vec![folder(number).to_owned()],
        names: Names::File,
        need: Need::Required,
        active: true,
        declared: None,
        place: 0..0,
    }
}

/// Half at their path, a quarter by name, an eighth in another case, an eighth not there.
fn mixed() -> Vec<Reference> {
    let one = |at: usize| {
        let number = at * 37 % FILES;
        let exact = format!("{}/{}", WORDS[number % 13], name(number));
        reference(
            number,
            match at % 8 {
                0..4 => exact,
                4 | 5 => name(number),
                6 => exact.to_uppercase(),
                _ => name(number).replace("_v", "-rev"),
            },
        )
    };
    (0..REFERENCES).map(one).collect()
}

/// None of them is there: the dearest case, in which each is compared with names like it.
fn absent() -> Vec<Reference> {
    (0..REFERENCES).map(|at| reference(at, name(at * 37 % FILES).replace("_v", "-rev"))).collect()
}

/// With the maps that only questions need, as in one run of a command.
fn resolve(inventory: &Inventory, references: &[Reference]) -> usize {
    let known = Known::new(inventory, Sources::none());
    resolve_each(references, None, &known).iter().filter(|found| found.chosen.is_some()).count()
}

#[divan::bench]
fn inventory_of_20_000(bencher: divan::Bencher<'_, '_>) {
    bencher.with_inputs(files).bench_values(Inventory::new);
}

#[divan::bench]
fn mixed_500_against_20_000(bencher: divan::Bencher<'_, '_>) {
    let (inventory, references) = (Inventory::new(files()), mixed());
    assert!(resolve(&inventory, &references) >= REFERENCES * 7 / 8 - 1);
    bencher.bench(|| resolve(&inventory, &references));
}

#[divan::bench]
fn absent_500_against_20_000(bencher: divan::Bencher<'_, '_>) {
    let (inventory, references) = (Inventory::new(files()), absent());
    bencher.bench(|| resolve(&inventory, &references));
}
