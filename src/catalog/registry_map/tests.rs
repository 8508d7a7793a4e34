use std::path::{Path, PathBuf};
use std::time::Instant;

use super::*;
use crate::catalog::reference::tests::shared_data;
use crate::catalog::{Catalog, Layer, Matched, Origin, PackageId, Signature};

const PACKAGES: &str = r#"{"custom_nodes":[
  {"author":"Ann","title":"Ann's Nodes","id":"ann","reference":"https://example.org/about-ann",
   "files":["https://github.com/ann/Comfy-Ann"],"install_type":"git-clone","description":"Scales pictures.","tags":["scale"],
   "nodename_pattern":" \\(ann\\)$"},
  {"author":"Bob","title":"Bob","reference":"https://github.com/bob/nodes","files":["https://github.com/bob/nodes"],
   "install_type":"Git-Clone","description":"Copies.","preemptions":["Mine"]},
  {"author":"Cy","title":"One file","reference":"https://github.com/cy/one",
   "files":["https://raw.githubusercontent.com/cy/one/main/one.py"],"install_type":"copy","description":"One."},
  {"title":"no address","files":[]}, 7, null]}"#;

const NODES: &str = r#"{
  "https://github.com/ann/Comfy-Ann": [["Resize","Shared","Mine"], {"title_aux":"other title"}],
  "https://github.com/bob/nodes.git": [["Shared","Mine"], {"preemptions":["Mine"]}],
  "https://github.com/dee/unlisted": [["Only Dee", 3, "Resize"], {"title_aux":"Dee","nodename_pattern":"("}],
  "https://github.com/comfyanonymous/ComfyUI": [["Brand New","Resize"], {}],
  "broken": "entry"}"#;

const STARS: &str = r#"{"https://github.com/ann/comfy-ann":{"stars":10,"last_update":"2026-01-02"},
  "https://github.com/bob/nodes":{"stars":500},"https://github.com/nobody/knows":{"stars":1},"x":{"stars":"many"}}"#;

const ALTERNATIVES: &str =
    r#"{"items":[{"id":"https://github.com/bob/nodes","tags":"upscale, detail","description":"not taken"}]}"#;

const MODELS: &str = r#"{"models":[{"name":"Thing","type":"checkpoint","base":"SDXL","save_path":"checkpoints/XL","description":"",
  "reference":"","filename":"Thing.safetensors","url":"https://example.org/thing","size":"6.5GB"},{"name":"no file"}]}"#;

const COMFYGIT: &str = r#"{"version":"1","package_aliases":{"anns-old-name":"comfy-ann"},
  "mappings":{"Resize::0523bd3a":[{"package_id":"comfy-ann","versions":["1.1.0","1.0.0"],"rank":2},{"package_id":"resizer","versions":["0.1"],"rank":1}],
    "Resize::_":[{"package_id":"manager_dee_unlisted","versions":[],"rank":3,"source":"manager"}],
    "A::B::ffffffff":[{"package_id":"resizer","versions":[],"rank":1}],"Bad::xyz":[{"package_id":"resizer"}],"Lost::_":[{"package_id":"nobody"}]},
  "packages":{"comfy-ann":{"display_name":"Registered Ann","repository":"https://github.com/ann/Comfy-Ann","github_stars":11,
      "versions":{"1.0.0":{"version":"1.0.0","download_url":"https://example.org/1.zip","deprecated":true},"1.1.0":{"version":"1.1.0"}}},
    "resizer":{"display_name":"Resizer","repository":"","github_stars":1,"versions":{}},
    "manager_dee_unlisted":{"display_name":"Dee","repository":"https://github.com/dee/unlisted","source":"manager","versions":{}}}}"#;

/// A catalog of these lists, through the file.
fn catalog_of(lists: &[&str], folder: &Path) -> Catalog {
    let mut gathered = Gathered::default();
    let sources: Vec<Source> = lists
        .iter()
        .map(|list| Source::new(gathered.take(&List::parse(list.as_bytes()).unwrap()).unwrap(), "here", 5))
        .collect();
    RegistryMap::write(&folder.join(FILE), gathered, &sources).unwrap();
    let opened = Catalog::open(folder);
    assert!(opened.problem.is_none());
    opened.catalog
}

fn take(list: &str) -> Result<Taken, ListError> {
    Gathered::default().take(&List::parse(list.as_bytes())?)
}

fn id(text: &str) -> PackageId {
    text.parse().unwrap()
}

fn names(owners: &[crate::catalog::Owner]) -> Vec<&str> {
    owners.iter().map(|owner| owner.package.as_str()).collect()
}

#[test]
fn each_list_is_known_by_its_content_and_malformed_entries_are_counted() {
    for (list, kind, entries, skipped) in [
        (PACKAGES, ListKind::ManagerPackages, 3, 3),
        (NODES, ListKind::ManagerNodes, 4, 1),
        (STARS, ListKind::ManagerStars, 3, 1),
        (ALTERNATIVES, ListKind::ManagerAlternatives, 1, 0),
        (MODELS, ListKind::ManagerModels, 1, 1),
        (COMFYGIT, ListKind::ComfyGit, 3, 2),
    ] {
        let taken = take(list).unwrap();
        assert_eq!(taken, Taken { kind, entries, skipped });
    }
    let refused = |list: &str| take(list).unwrap_err();
    assert!(matches!(refused("<html>"), ListError::Syntax(_)));
    assert_eq!((refused("[]"), refused(r#"{"a":1}"#)), (ListError::Unknown, ListError::Unknown));
    assert_eq!(refused(r#"{"custom_nodes":[{}]}"#), ListError::Empty);
}

#[test]
fn managers_lists_are_put_together_by_repository() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog_of(&[NODES, PACKAGES, ALTERNATIVES, STARS, MODELS], folder.path());
    let ann = catalog.package(&id("comfy_ANN")).unwrap();
    assert_eq!(ann.id.as_str(), "ann/Comfy-Ann");
    assert_eq!((ann.title.as_deref(), ann.stars, ann.classes), (Some("Ann's Nodes"), Some(10), 3));
    assert_eq!(catalog.package(&id("ann")).unwrap().id, ann.id, "by what the list calls it");
    assert_eq!(catalog.by_repository("git@github.com:Ann/comfy-ann.git").unwrap().id, ann.id);
    assert_eq!(catalog.package(&id("nobody/knows")), None);
    let bob = catalog.package(&id("bob/nodes")).unwrap();
    assert_eq!((bob.description.as_deref(), bob.tags), (Some("Copies."), vec!["detail".into(), "upscale".into()]));
    let one = catalog.package(&id("cy/one")).unwrap();
    assert_eq!((one.install.as_deref(), one.files.len()), (Some("copy"), 1));
    let model = &catalog.known_models("THING.safetensors")[0];
    assert_eq!((model.directory.as_deref(), model.size), (Some("checkpoints/XL"), Some(6_500_000_000)));
    assert_eq!(catalog.registry().unwrap().sources().len(), 5);
}

#[test]
fn owners_say_what_speaks_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog_of(&[PACKAGES, NODES, STARS], folder.path());
    let shared = catalog.owners("Shared", None);
    assert_eq!(names(&shared.by_class), ["bob/nodes", "ann/Comfy-Ann"], "the one with more stars first");
    let mine = catalog.owners("Mine", None);
    assert_eq!((names(&mine.preempted), mine.by_class.len()), (vec!["bob/nodes"], 2));
    let fits = catalog.owners("Anything (ann)", None);
    assert_eq!((names(&fits.by_pattern), fits.by_class.len()), (vec!["ann/Comfy-Ann"], 0));
    assert_eq!(catalog.origin("Only Dee "), Origin::Custom);
    assert_eq!(catalog.origin("Brand New"), Origin::Builtin, "only ComfyUI has it");
    assert_eq!(catalog.origin("Resize"), Origin::Custom);
    assert_eq!(catalog.origin("Nobody's"), Origin::Unknown);
    assert!(catalog.owners("Resize", None).by_class.iter().all(|owner| owner.layer == Layer::Manager));
}

#[test]
fn a_registry_tells_packages_apart_by_the_inputs_of_a_class() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog_of(&[COMFYGIT, PACKAGES, NODES], folder.path());
    let resize = catalog.owners("Resize", Some(Signature::of([("image", "IMAGE"), ("scale", "FLOAT")])));
    assert_eq!(names(&resize.by_signature), ["resizer", "comfy-ann"], "by rank");
    assert_eq!(resize.by_signature[1].versions, ["1.1.0", "1.0.0"]);
    assert_eq!(names(&resize.by_class), ["resizer", "comfy-ann", "dee/unlisted"]);
    assert!(catalog.owners("Resize", Some(Signature::from_bytes([0; 4]))).by_signature.is_empty());
    assert_eq!(names(&catalog.owners("A::B", None).by_class), ["resizer"]);
    // The registry's id is the name of the package that Manager's list knows by repository.
    for name in ["comfy-ann", "Comfy_Ann", "ann/comfy-ann", "anns-old-name", "ann"] {
        let package = catalog.package(&id(name)).unwrap();
        assert_eq!((package.id.as_str(), package.author.as_deref()), ("comfy-ann", Some("Ann")), "{name}");
        assert_eq!(package.versions[0].version, "1.1.0");
        assert!(package.versions[1].deprecated);
    }
}

#[test]
fn a_search_finds_packages_by_name_title_class_and_words() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog_of(&[PACKAGES, NODES, ALTERNATIVES, STARS], folder.path());
    let first = |text| {
        let found = catalog.search(text);
        found.first().map(|first| (first.package.id.to_string(), first.matched.clone()))
    };
    assert_eq!(first("comfy ann"), Some(("ann/Comfy-Ann".into(), Matched::Name)));
    assert_eq!(first("anns nodez"), Some(("ann/Comfy-Ann".into(), Matched::Title)), "similar");
    assert_eq!(first("nothing like it"), None);
    assert_eq!(first("only dee"), Some(("dee/unlisted".into(), Matched::Class("Only Dee".into()))));
    assert_eq!(first("upscale"), Some(("bob/nodes".into(), Matched::Description)));
    assert_eq!(first("scales pictures"), Some(("ann/Comfy-Ann".into(), Matched::Description)));
    assert_eq!(catalog.search("resize").len(), 2, "one hit a package");
}

#[test]
fn a_damaged_map_is_named_and_leaves_what_is_built_in() {
    let folder = tempfile::tempdir().unwrap();
    catalog_of(&[NODES], folder.path());
    let path = folder.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let opened = Catalog::open(folder.path());
    assert!(opened.problem.unwrap().to_string().contains(FILE));
    assert_eq!(opened.catalog.origin("KSampler"), Origin::Builtin);
    assert!(opened.catalog.registry().is_none());
}

/// Manager's lists as they were in August 2026, where they are at hand.
fn managers_lists() -> Option<Vec<PathBuf>> {
    let kinds = ListKind::ALL.into_iter().filter(|kind| *kind != ListKind::ComfyGit);
    kinds.map(|kind| shared_data(&format!("manager/{}.json", kind.name()))).collect()
}

#[test]
fn the_lists_at_hand_are_read_whole() {
    let Some(lists) = managers_lists() else { return };
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let texts: Vec<String> = lists.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let catalog = catalog_of(&texts, folder.path());
    let counts = catalog.registry().unwrap().counts();
    eprintln!("{counts:?} in {:?}", start.elapsed());
    assert!(counts.classes > 40_000 && counts.packages > 5_800 && counts.models > 550);
    let skipped: u64 = catalog.registry().unwrap().sources().iter().map(|source| source.skipped).sum();
    assert!(skipped < 10, "{skipped}");
    for (class, owner) in [
        ("VHS_VideoCombine", "Kosinkadink/ComfyUI-VideoHelperSuite"),
        ("IPAdapterAdvanced", "cubiq/ComfyUI_IPAdapter_plus"),
        ("ColorMatch", "kijai/ComfyUI-KJNodes"),
    ] {
        let owners = catalog.owners(class, None);
        assert_eq!(owners.by_class[0].package, id(owner), "{class}");
    }
    for name in ["comfyui-kjnodes", "ComfyUI_IPAdapter_plus", "comfyui-impact-pack", "comfyui_instantid"] {
        assert!(catalog.package(&id(name)).unwrap().stars > Some(500), "{name}");
    }
    assert_eq!(catalog.owners("Power Lora Loader (rgthree)", None).by_pattern[0].package, id("rgthree/rgthree-comfy"));
    assert_eq!(catalog.search("impact pack")[0].package.id, id("ltdrdata/ComfyUI-Impact-Pack"));
    assert_eq!(catalog.search("videohelpersuite")[0].package.id, id("Kosinkadink/ComfyUI-VideoHelperSuite"));
}
