//! What the catalog costs: opening it, asking for a class, a package, a text.
//!
//! `cargo bench --bench catalog`. With made-up lists of the size that ComfyUI-Manager's had in August 2026: 5,900 packages and
//! 40,000 classes. `COMFREY_LISTS=DIR` names a folder with the real ones.

use std::sync::OnceLock;

use comfrey::catalog::registry_map::{FILE, Gathered, List, RegistryMap, Source};
use comfrey::catalog::{Catalog, PackageId};

const PACKAGES: usize = 5_900;
const CLASSES_EACH: usize = 7;

struct World {
    folder: tempfile::TempDir,
    catalog: Catalog,
    classes: Vec<String>,
}

fn main() {
    divan::main();
}

/// Real lists, or one made up.
fn lists() -> Vec<String> {
    if let Some(folder) = std::env::var_os("COMFREY_LISTS") {
        let names = ["custom-node-list", "extension-node-map", "alter-list", "model-list", "github-stats"];
        let path = |name| std::path::Path::new(&folder).join(format!("{name}.json"));
        return names.iter().map(|name| std::fs::read_to_string(path(name)).expect("a list")).collect();
    }
    let package = |n: usize| {
        let classes: Vec<String> = (0..CLASSES_EACH).map(|class| format!("\"{}\"", class_name(n, class))).collect();
        format!(
            "\"https://github.com/owner{n}/ComfyUI-Package-{n}\":[[{}],{{\"title_aux\":\"Package {n}\"}}]",
            classes.join(",")
        )
    };
    vec![format!("{{{}}}", (0..PACKAGES).map(package).collect::<Vec<_>>().join(","))]
}

fn class_name(package: usize, class: usize) -> String {
    format!("Node {package} {}", ["Load", "Save", "Crop", "Scale", "Mask", "Sample", "Preview"][class % 7])
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut gathered = Gathered::default();
        let mut sources = Vec::new();
        for list in lists() {
            let list = List::parse(list.as_bytes()).expect("a list");
            sources.push(Source::new(gathered.take(&list).expect("entries"), "bench", 0));
        }
        RegistryMap::write(&folder.path().join(FILE), gathered, &sources).expect("a map");
        let catalog = Catalog::open(folder.path()).catalog;
        let mut classes: Vec<String> =
            ["VHS_VideoCombine", "SetNode", "KSampler", "ColorMatch"].map(str::to_owned).into();
        classes.extend((0..100).map(|n| class_name(n * 50, n)));
        World { folder, catalog, classes }
    })
}

#[divan::bench]
fn open(bencher: divan::Bencher<'_, '_>) {
    let world = world();
    bencher.bench(|| Catalog::open(world.folder.path()));
}

/// Of 104 classes.
#[divan::bench]
fn owners_of_a_hundred_classes(bencher: divan::Bencher<'_, '_>) {
    let world = world();
    bencher.bench(|| world.classes.iter().filter(|class| world.catalog.owners(class, None).is_empty()).count());
}

#[divan::bench]
fn package_by_id(bencher: divan::Bencher<'_, '_>) {
    let id: PackageId = "comfyui-kjnodes".parse().expect("an id");
    bencher.bench(|| world().catalog.package(&id));
}

#[divan::bench]
fn search(bencher: divan::Bencher<'_, '_>) {
    bencher.bench(|| world().catalog.search("video combine"));
}
