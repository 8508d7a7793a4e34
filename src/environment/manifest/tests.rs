use std::collections::BTreeMap;

use crate::object::ObjectId;
use crate::resolve::NodeChoice;

use super::*;

fn id(text: &str) -> ObjectId {
    ObjectId::of_blob(text.as_bytes())
}

fn node(key: &str) -> (String, NodeFacts) {
    let facts = NodeFacts {
        path: format!("nodes/{key}"),
        source: NodeSource::Registry { id: key.to_lowercase() },
        version: Some("8.22.2".into()),
        disabled: false,
        tree: id(key),
        fetched: None,
        installed: None,
    };
    (key.to_owned(), facts)
}

fn workflow() -> WorkflowFacts {
    let first = ModelUse { scope: vec![], node: "3".into(), slot: Slot::Widget(0), answer: Answer::Model(id("sd15")) };
    let second = ModelUse {
        scope: vec!["57".into()],
        node: "7".into(),
        slot: Slot::Input("lora_name".into()),
        answer: Answer::Open { status: "missing".into(), name: "x.safetensors".into() },
    };
    let third = ModelUse {
        scope: vec![],
        node: "9".into(),
        slot: Slot::Widget(0),
        answer: Answer::Chosen { model: id("sd15"), name: "other.safetensors".into() },
    };
    let fourth = ModelUse { slot: Slot::Widget(1), answer: Answer::Folder("diffusers/x".into()), ..third.clone() };
    let nodes =
        [("A|B", NodeChoice::Package("pack".into())), ("Open", NodeChoice::Open), ("Unused", NodeChoice::Skipped)];
    WorkflowFacts {
        path: "workflows/portrait.json".into(),
        models: vec![first, second, third, fourth],
        nodes: nodes.into_iter().map(|(node_type, choice)| (node_type.to_owned(), choice)).collect(),
    }
}

fn model() -> ModelFacts {
    ModelFacts {
        filename: "sd15.safetensors".into(),
        path: "checkpoints/sd15.safetensors".into(),
        size: 4_265_380_512,
        quick: Some("ab".into()),
        sha256: None,
        sources: vec!["https://example.org/a".into()],
        pinned: false,
    }
}

fn filled(mut manifest: Manifest) -> Manifest {
    manifest.set_environment(
        &ComfyUiFacts { source: "git".into(), commit: Some("abc".into()), ..Default::default() },
        Some("3.11"),
    );
    manifest.set_nodes(&BTreeMap::from([node("Impact"), node("b-node"), node("z.py")]));
    manifest.set_workflows(&BTreeMap::from([("portrait".into(), workflow()), ("sub/dir/x".into(), workflow())]));
    manifest.set_models(&BTreeMap::from([(id("sd15"), model())]));
    manifest
}

#[test]
fn a_new_manifest_is_read_back() {
    let manifest = Manifest::new("demo");
    assert_eq!(manifest.project_name(), Some("comfrey-env-demo"));
    assert_eq!(Manifest::parse(&manifest.to_string()).unwrap().to_string(), manifest.to_string());
    assert_eq!(project_name("my env!"), "comfrey-env-my-env");
}

#[test]
fn what_is_set_is_read_back() {
    let text = filled(Manifest::new("demo")).to_string();
    let manifest = Manifest::parse(&text).unwrap();
    assert_eq!(manifest.nodes(), BTreeMap::from([node("Impact"), node("b-node"), node("z.py")]), "{text}");
    assert_eq!(manifest.workflows()["sub/dir/x"], workflow(), "{text}");
    assert_eq!(manifest.models(), BTreeMap::from([(id("sd15"), model())]), "{text}");
    assert_eq!(manifest.comfyui().and_then(|facts| facts.commit), Some("abc".into()));
    insta::assert_snapshot!(text);
}

#[test]
fn the_same_facts_change_nothing_a_second_time() {
    let first = filled(Manifest::new("demo")).to_string();
    assert_eq!(filled(Manifest::parse(&first).unwrap()).to_string(), first);
}

#[test]
fn the_way_to_the_facts_does_not_show_in_the_text() {
    let straight = filled(Manifest::new("demo")).to_string();
    let mut manifest = Manifest::new("demo");
    manifest.set_nodes(&BTreeMap::from([node("zebra"), node("b-node")]));
    manifest.set_workflows(&BTreeMap::from([("sub/dir/x".into(), workflow())]));
    let manifest = Manifest::parse(&manifest.to_string()).unwrap();
    // Parts that were there first stand first; within a part the order is that of the names.
    let text = filled(Manifest::parse(&manifest.to_string()).unwrap()).to_string();
    let part = |text: &str, name: &str| -> Vec<String> {
        let header = format!("[tool.comfrey.{name}.");
        text.lines().filter(|line| line.starts_with(&header)).map(str::to_owned).collect()
    };
    for name in ["nodes", "workflows", "models"] {
        assert_eq!(part(&text, name), part(&straight, name), "{text}");
    }
}

#[test]
fn comments_order_and_unknown_keys_survive_an_edit() {
    let text = concat!(
        "# top\n[tool.other]\nkeep = 1 # beside\n\n",
        "[project]\nname='comfrey-env-demo' # mine\nversion = \"1.0.0\"\n\n",
        "[tool.comfrey.nodes.Impact] # header\n# above\nsource = 'registry'\nid = 'impact'\nmine = true\n",
        "version = \"1.0\" # old\n\n# about b\n[tool.comfrey.nodes.b-node]\nsource = \"manual\"\n",
    );
    let mut manifest = Manifest::parse(text).unwrap();
    assert_eq!(manifest.to_string(), text);
    manifest.set_nodes(&BTreeMap::from([node("Impact"), node("Aaa"), node("b-node")]));
    let edited = manifest.to_string();
    for kept in [
        "# top",
        "keep = 1 # beside",
        "name='comfrey-env-demo' # mine",
        "[tool.comfrey.nodes.Impact] # header",
        "# above\nsource = 'registry'",
        "mine = true",
        "version = \"8.22.2\" # old",
        "# about b\n[tool.comfrey.nodes.b-node]",
    ] {
        assert!(edited.contains(kept), "{kept} in\n{edited}");
    }
    assert!(edited.find("[tool.other]") < edited.find("[project]"), "{edited}");
    assert!(edited.find("nodes.Aaa]") < edited.find("nodes.Impact]"), "{edited}");
    Manifest::parse(&edited).unwrap();
}

#[test]
fn a_pinned_model_and_sources_added_by_hand_stay() {
    let text = format!(
        "[tool.comfrey.models.\"{}\"]\npinned = true\npath = \"a\"\n[tool.comfrey.models.\"{}\"]\nsources = [\"https://mine\"]\n\
         [tool.comfrey.models.\"{}\"]\npath = \"gone\"\n",
        id("pinned"),
        id("sd15"),
        id("gone")
    );
    let mut manifest = Manifest::parse(&text).unwrap();
    manifest.set_models(&BTreeMap::from([(id("sd15"), model())]));
    let models = manifest.models();
    assert_eq!(models.len(), 2);
    assert!(models[&id("pinned")].pinned);
    assert_eq!(models[&id("sd15")].sources, ["https://mine", "https://example.org/a"]);
}

#[test]
fn what_is_no_manifest_is_named_with_its_line() {
    let error = Manifest::parse("[project]\nname = \n").unwrap_err();
    assert_eq!((error.line, error.column), (2, 8), "{error}");
    let error = Manifest::parse("[tool]\ncomfrey = 3\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2, column 11: `tool.comfrey` is a number; a table is wanted");
}
