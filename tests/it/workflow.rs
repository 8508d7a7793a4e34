//! Workflows as they are saved, read and rewritten through the library.

use std::path::Path;

use comfrey::catalog::{Catalog, Reference, references};
use comfrey::workflow::{self, Format};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/workflows").join(name)).unwrap()
}

fn references_in(bytes: &[u8]) -> Vec<Reference> {
    references(&workflow::read(bytes).unwrap(), &Catalog::built_in())
}

/// Node, path, and whether the node runs.
fn summary(bytes: &[u8]) -> Vec<(String, String, bool)> {
    references_in(bytes).into_iter().map(|r| (r.node, r.path, r.active)).collect()
}

fn expected(of: &[(&str, &str, bool)]) -> Vec<(String, String, bool)> {
    of.iter().map(|(node, path, active)| ((*node).into(), (*path).into(), *active)).collect()
}

#[test]
fn what_the_editor_saves_is_read() {
    let bytes = fixture("editor-0.4.json");
    assert_eq!(workflow::read(&bytes).unwrap().format, Format::Editor);
    let found = expected(&[
        ("1", "SDXL/dream.safetensors", true),
        ("2", "styles/ink étude.safetensors", false),
        ("3", "muted.vae.pt", false),
        ("7", "x.safetensors", true),
    ]);
    assert_eq!(summary(&bytes), found);
}

#[test]
fn what_runs_is_read_bare_and_wrapped() {
    let found = expected(&[
        ("4", "SDXL/dream.safetensors", true),
        ("11", "clip_l.safetensors", true),
        ("11", "t5xxl.safetensors", true),
    ]);
    assert_eq!(summary(&fixture("api.json")), found);
    assert_eq!(summary(&fixture("api-wrapped.json")), expected(&[("1", "flux/dev.safetensors", true)]));
}

#[test]
fn what_is_no_workflow_is_refused_with_place_or_reason() {
    let reason = |name| workflow::read(&fixture(name)).err().unwrap().to_string();
    assert_eq!(reason("broken.json"), "not JSON: line 3, column 61: `,` or `]` is wanted after a value, not `}`");
    assert!(reason("not-a-workflow.json").starts_with("JSON, but no workflow: no `nodes` array"));
}

#[test]
fn rewriting_every_reference_and_back_changes_no_byte() {
    for name in ["editor-0.4.json", "api.json", "api-wrapped.json"] {
        let bytes = fixture(name);
        let before = references_in(&bytes);
        let changes: Vec<_> = before.iter().map(|r| (r.place.clone(), format!("new/{}", r.name))).collect();
        let rewritten = workflow::rewrite(&bytes, &changes).unwrap();
        let after = references_in(&rewritten);
        assert!(after.iter().zip(&before).all(|(new, old)| new.path == format!("new/{}", old.name)), "{name}");
        let back: Vec<_> = after.iter().zip(&before).map(|(new, old)| (new.place.clone(), old.value.clone())).collect();
        let restored = workflow::rewrite(&rewritten, &back).unwrap();
        assert_eq!(String::from_utf8(restored).unwrap(), String::from_utf8(bytes).unwrap(), "{name}");
    }
}
