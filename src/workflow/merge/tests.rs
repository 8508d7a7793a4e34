//! Merges of small workflows.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::history::Side;
use crate::workflow::{Format, Node, Workflow, read};

/// The merged text and the names of conflicts with what all three have.
fn merged(base: &str, ours: &str, theirs: &str, side: Side) -> (String, Vec<String>) {
    let mut conflicts = Vec::new();
    let found = merge(base.as_bytes(), ours.as_bytes(), theirs.as_bytes(), &mut |conflict| {
        let told = |value: &Option<serde_json::Value>| value.as_ref().map_or("-".into(), ToString::to_string);
        let (base, ours, theirs) = (told(&conflict.base), told(&conflict.ours), told(&conflict.theirs));
        conflicts.push(format!("{} {base} {ours} {theirs}", conflict.name()));
        side
    });
    let text = String::from_utf8(found.unwrap().bytes).unwrap();
    check(&text);
    (text, conflicts)
}

/// Every link is known at both of its ends, and nothing else is; ids are used once and the counters are past them.
fn check(text: &str) {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    if read(text.as_bytes()).unwrap().format == Format::Api {
        return;
    }
    let mut ends = BTreeSet::new();
    for link in value["links"].as_array().unwrap() {
        let number = |at: usize| link[at].as_i64().unwrap();
        let starts = (number(1), number(2), number(3), number(4));
        assert!(ends.insert((number(0), starts)), "{text}");
        assert!(value["last_link_id"].as_i64().is_none_or(|last| last >= number(0)), "{text}");
    }
    let (mut known_in, mut known_out, mut ids) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for node in value["nodes"].as_array().unwrap() {
        let id = node["id"].as_i64().unwrap();
        assert!(ids.insert(id), "{text}");
        assert!(value["last_node_id"].as_i64().is_none_or(|last| last >= id), "{text}");
        for (slot, input) in node["inputs"].as_array().into_iter().flatten().enumerate() {
            known_in.extend(input["link"].as_i64().map(|link| (link, id, slot as i64)));
        }
        for (slot, output) in node["outputs"].as_array().into_iter().flatten().enumerate() {
            known_out.extend(
                output["links"].as_array().into_iter().flatten().map(|link| (link.as_i64().unwrap(), id, slot as i64)),
            );
        }
    }
    let wanted_in: BTreeSet<_> = ends.iter().map(|(link, (_, _, to, slot))| (*link, *to, *slot)).collect();
    let wanted_out: BTreeSet<_> = ends.iter().map(|(link, (from, slot, _, _))| (*link, *from, *slot)).collect();
    assert_eq!((known_in, known_out), (wanted_in, wanted_out), "{text}");
}

/// A loader 4, a sampler 3 fed by it, a note 5.
const BASE: &str = r#"{"last_node_id":5,"last_link_id":1,"nodes":[
  {"id":4,"type":"Loader","pos":[0,0],"inputs":[],"outputs":[{"name":"MODEL","type":"MODEL","links":[1]}],"widgets_values":["a.pt"]},
  {"id":3,"type":"KSampler","pos":[9,0],"title":"T","inputs":[{"name":"model","type":"MODEL","link":1},{"name":"seed","widget":{"name":"seed"},"link":null},
    {"name":"steps","widget":{"name":"steps"},"link":null}],"outputs":[],"widgets_values":[18446744073709551615,"fixed", 20.0]},
  {"id":5,"type":"Note","widgets_values":["text"]}
],"links":[[1,4,0,3,0,"MODEL"]],"groups":[],"extra":{"ds":{"scale":1}},"version":0.4}"#;

/// With a node between loader and sampler.
fn with_lora(id: u32, name: &str) -> String {
    let lora = format!(
        r#",
  {{"id":{id},"type":"Lora","inputs":[{{"name":"model","type":"MODEL","link":1}}],"outputs":[{{"name":"MODEL","type":"MODEL","links":[2]}}],"widgets_values":["{name}"]}}
]"#
    );
    BASE.replace("\n]", &lora)
        .replace(r#"[1,4,0,3,0,"MODEL"]"#, &format!(r#"[1,4,0,{id},0,"MODEL"],[2,{id},0,3,0,"MODEL"]"#))
        .replace(r#""type":"MODEL","link":1},{"name":"seed""#, r#""type":"MODEL","link":2},{"name":"seed""#)
        .replace(r#""last_node_id":5,"last_link_id":1"#, &format!(r#""last_node_id":{id},"last_link_id":2"#))
}

fn sampler_is_fed_by(text: &str) -> String {
    let workflow = read(text.as_bytes()).unwrap();
    let sampler = workflow.nodes.iter().find(|node| node.class == "KSampler").unwrap();
    let from = sampler.inputs[0].from.clone().unwrap();
    let node = workflow.nodes.iter().find(|node| node.id == from.node).unwrap();
    format!("{} {}", node.id, node.class)
}

#[test]
fn values_of_both_sides_are_put_into_the_bytes_of_ours() {
    let ours = BASE.replace("a.pt", "b.pt").replace("[9,0]", "[7, 7]");
    let theirs = BASE.replace("20.0", "25").replace(r#""title":"T""#, r#""title":"ü""#).replace("[9,0]", "[8,8]");
    let (text, conflicts) = merged(BASE, &ours, &theirs, Side::Ours);
    assert_eq!((text, conflicts), (ours.replace("20.0", "25").replace(r#""title":"T""#, r#""title":"ü""#), vec![]));
    // The seed is kept to the last digit, and other spellings are no changes.
    let spelled = BASE.replace("20.0", "20").replace("\"a.pt\"", "\"\\u0061.pt\"");
    assert_eq!(merged(BASE, &ours, &spelled, Side::Ours), (ours, vec![]));
}

#[test]
fn one_widget_changed_on_both_sides_is_a_conflict_with_all_three_values() {
    let (ours, theirs) = (BASE.replace("20.0", "25"), BASE.replace("20.0", "30").replace("\"fixed\"", "\"randomize\""));
    let (text, conflicts) = merged(BASE, &ours, &theirs, Side::Ours);
    assert_eq!(conflicts, ["3:steps 20.0 25 30"]);
    assert_eq!(text, ours.replace("\"fixed\"", "\"randomize\""));
    assert_eq!(merged(BASE, &ours, &theirs, Side::Theirs).0, theirs);
    assert_eq!(merged(BASE, &ours, &ours, Side::Theirs), (ours.clone(), vec![]));
    assert_eq!(merged(BASE, BASE, &theirs, Side::Ours).0, theirs, "a side that changed nothing gives the other");
    // A seed is a value like any other; a widget without a name goes by its position.
    let seed = |last: &str| BASE.replace("551615", last).replace("a.pt", last);
    let conflicts = merged(BASE, &seed("551614"), &seed("551613"), Side::Ours).1;
    assert_eq!(conflicts[1], "4:0 \"a.pt\" \"551614\" \"551613\"");
    assert!(conflicts[0].starts_with("3:seed 18446744073709551615 18446744073709551614"), "{conflicts:?}");
}

#[test]
fn mode_title_and_what_a_package_notes_are_values_and_the_version_of_a_package_is_none() {
    let with = |more: &str| BASE.replace(r#""title":"T""#, more);
    let ours = with(r#""mode":4,"title":"ours","properties":{"ver":"2","x":{"a":1,"b":0}}"#);
    let theirs = with(r#""mode":2,"title":"theirs","properties":{"ver":"3","x":{"a":0,"b":1}}"#);
    let base = with(r#""mode":0,"title":"T","properties":{"ver":"1","x":{"a":0,"b":0}}"#);
    let (text, conflicts) = merged(&base, &ours, &theirs, Side::Ours);
    assert_eq!(conflicts, ["3:mode 0 4 2", "3:title \"T\" \"ours\" \"theirs\""]);
    assert_eq!(text, ours.replace("\"b\":0", "\"b\":1"));
}

#[test]
fn a_node_that_came_into_a_wire_is_wired_in_ours_too() {
    let ours = BASE.replace("20.0", "25");
    let (text, conflicts) = merged(BASE, &ours, &with_lora(6, "ink"), Side::Ours);
    assert_eq!((conflicts, sampler_is_fed_by(&text)), (vec![], "6 Lora".to_owned()));
    assert!(text.contains("25]") && text.contains("\"ink\""), "{text}");
    let (text, conflicts) = merged(BASE, &with_lora(6, "ink"), &ours, Side::Ours);
    assert_eq!((text, conflicts), (with_lora(6, "ink").replace("20.0", "25"), vec![]));
}

#[test]
fn nodes_that_both_gave_one_number_are_two_and_their_wires_are_a_conflict() {
    let (ours, theirs) = (with_lora(6, "ink"), with_lora(6, "oil"));
    let (text, conflicts) = merged(BASE, &ours, &theirs, Side::Theirs);
    assert_eq!(conflicts, ["3:model \"4 Loader MODEL\" \"6 Lora MODEL\" \"6 Lora MODEL\""]);
    assert_eq!(sampler_is_fed_by(&text), "7 Lora");
    assert!(text.contains("\"ink\"") && text.contains("\"oil\"") && text.contains("\"last_node_id\":7"), "{text}");
    let found = merge(BASE.as_bytes(), ours.as_bytes(), theirs.as_bytes(), &mut |_| Side::Ours).unwrap();
    assert_eq!(found.ids["7"], "6");
    // The same node on both sides is one.
    assert_eq!(merged(BASE, &ours, &with_lora(6, "ink").replace("20.0", "1"), Side::Ours).0, ours.replace("20.0", "1"));
}

#[test]
fn a_node_that_one_took_away_goes_unless_the_other_changed_or_needs_it() {
    let note = ",\n  {\"id\":5,\"type\":\"Note\",\"widgets_values\":[\"text\"]}";
    let without_note = BASE.replace(note, "");
    let (text, conflicts) = merged(BASE, BASE, &without_note, Side::Ours);
    assert_eq!((text, conflicts), (without_note.clone(), vec![]));
    let changed = BASE.replace("\"text\"", "\"more\"");
    assert_eq!(
        merged(BASE, &changed, &without_note, Side::Ours),
        (changed.clone(), vec!["5 \"there\" \"changed\" -".into()])
    );
    assert_eq!(merged(BASE, &changed, &without_note, Side::Theirs).0, without_note);
    let back = merged(BASE, &without_note, &changed, Side::Theirs);
    assert_eq!(back.1, ["5 \"there\" - \"changed\""]);
    assert!(back.0.contains("\"more\""), "{}", back.0);
    assert_eq!(merged(BASE, &without_note, &changed, Side::Ours).0, without_note);
    // Its wires go along: the loader is gone from under the sampler.
    let loose = BASE
        .replace("\n  {\"id\":4,\"type\":\"Loader\",\"pos\":[0,0],\"inputs\":[],\"outputs\":[{\"name\":\"MODEL\",\"type\":\"MODEL\",\"links\":[1]}],\"widgets_values\":[\"a.pt\"]},", "")
        .replace("\"link\":1}", "\"link\":null}")
        .replace("[1,4,0,3,0,\"MODEL\"]", "");
    let ours = BASE.replace("20.0", "25");
    let (text, conflicts) = merged(BASE, &ours, &loose, Side::Ours);
    assert!(conflicts.is_empty() && !text.contains("Loader") && text.contains("\"links\":[]"), "{conflicts:?} {text}");
    // The node that came into its wire needs it.
    let (text, conflicts) = merged(BASE, &with_lora(6, "ink"), &loose, Side::Ours);
    assert_eq!(conflicts[0], "3:model \"4 Loader MODEL\" \"6 Lora MODEL\" -");
    assert!(conflicts[1].starts_with("4 \"there\" \"feeds 6 Lora\" -") && conflicts.len() == 2, "{conflicts:?}");
    assert!(text.contains("Loader") && sampler_is_fed_by(&text) == "6 Lora", "{text}");
    let (text, _) = merged(BASE, &with_lora(6, "ink"), &loose, Side::Theirs);
    assert!(!text.contains("Loader") && text.contains("Lora"), "{text}");
}

/// An instance of a subgraph, whose inner node has two widgets.
fn with_subgraph(value: &str, inner: &str, other: &str) -> String {
    format!(
        r#"{{"nodes":[{{"id":7,"type":"0f7c9c6e-0000-4000-8000-000000000001","inputs":[{{"name":"lora","link":null,"widget":{{"name":"lora"}}}}],"widgets_values":["{value}"]}}],
        "links":[],"definitions":{{"subgraphs":[{{"id":"0f7c9c6e-0000-4000-8000-000000000001","version":1,"name":"Style",
        "inputs":[{{"name":"lora","linkIds":[1]}}],"outputs":[],"nodes":[{{"id":2,"type":"LoraLoader","inputs":[{{"name":"lora_name","link":1,"widget":{{"name":"lora_name"}}}},{{"name":"strength","link":null,"widget":{{"name":"strength"}}}}],
        "widgets_values":["{inner}",{other}]}}],
        "links":[{{"id":1,"origin_id":-10,"origin_slot":0,"target_id":2,"target_slot":0,"type":"COMBO"}}]}}]}}}}"#
    )
}

#[test]
fn subgraphs_are_merged_by_their_definitions_and_instances_by_their_values() {
    let base = with_subgraph("a", "a", "1");
    let (text, conflicts) = merged(&base, &with_subgraph("b", "b", "1"), &with_subgraph("a", "a", "2"), Side::Ours);
    assert_eq!((text, conflicts), (with_subgraph("b", "b", "2"), vec![]));
    let (_, conflicts) = merged(&base, &with_subgraph("b", "b", "1"), &with_subgraph("c", "c", "1"), Side::Ours);
    assert_eq!(conflicts, ["7:lora \"a\" \"b\" \"c\"", "Style/2:lora_name \"a\" \"b\" \"c\""]);
    // What the subgraph shows outside is not merged.
    let shows = |name: &str| {
        base.replace(
            r#"[{"name":"lora","linkIds":[1]}]"#,
            &format!(r#"[{{"name":"lora","linkIds":[1]}},{{"name":"{name}","linkIds":[]}}]"#),
        )
    };
    assert!(merge(base.as_bytes(), shows("x").as_bytes(), shows("y").as_bytes(), &mut |_| Side::Ours).is_err());
    // Only one side has them at all.
    let plain = r#"{"nodes":[],"links":[]}"#;
    let (text, _) = merged(plain, r#"{"nodes":[],"links":[], "version":1}"#, &base, Side::Ours);
    assert_eq!(read(text.as_bytes()).unwrap().definitions.len(), 1);
}

#[test]
fn what_runs_is_merged_by_input() {
    let base = r#"{"4":{"class_type":"L","inputs":{"name":"a"}},"3":{"class_type":"K","inputs":{"model":["4",0],"cfg":8,"steps":1}}}"#;
    let ours = base.replace("\"cfg\":8", "\"cfg\":7").replace("\"a\"", "\"b\"");
    let theirs = base
        .replace("\"cfg\":8", "\"cfg\":6")
        .replace("\"steps\":1}}", "\"steps\":2}},\"9\":{\"class_type\":\"S\",\"inputs\":{}}");
    let (text, conflicts) = merged(base, &ours, &theirs, Side::Ours);
    assert_eq!(conflicts, ["3:cfg 8 7 6"]);
    assert_eq!(text, theirs.replace("\"cfg\":6", "\"cfg\":7").replace("\"a\"", "\"b\""));
}

#[test]
fn what_is_not_understood_is_not_merged() {
    let twice = BASE.replace("\"id\":5", "\"id\":4");
    let prompt = r#"{"4":{"class_type":"L","inputs":{}}}"#;
    for other in ["no workflow", "{}", prompt, &twice] {
        for (ours, theirs) in [(BASE, other), (other, BASE)] {
            assert!(
                merge(BASE.as_bytes(), ours.as_bytes(), theirs.as_bytes(), &mut |_| Side::Ours).is_err(),
                "{other}"
            );
        }
    }
}

/// A workflow of nodes of one class with two widgets and two inputs.
#[derive(Debug, Clone, Default)]
struct Made {
    /// Values by id.
    nodes: BTreeMap<u32, [u32; 2]>,
    /// What feeds an input, by node and slot.
    wires: BTreeMap<(u32, usize), u32>,
}

#[derive(Debug, Clone)]
enum Edit {
    Set(prop::sample::Index, usize, u32),
    Remove(prop::sample::Index),
    /// A node fed by another.
    Add(prop::sample::Index, u32),
    Wire(prop::sample::Index, usize, prop::sample::Index),
    Cut(prop::sample::Index, usize),
}

fn edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    let node = any::<prop::sample::Index>;
    let edit = prop_oneof![
        (node(), 0..2usize, 10..20u32).prop_map(|(node, widget, value)| Edit::Set(node, widget, value)),
        node().prop_map(Edit::Remove),
        (node(), 10..20u32).prop_map(|(node, value)| Edit::Add(node, value)),
        (node(), 0..2usize, node()).prop_map(|(node, slot, from)| Edit::Wire(node, slot, from)),
        (node(), 0..2usize).prop_map(|(node, slot)| Edit::Cut(node, slot)),
    ];
    prop::collection::vec(edit, 0..most)
}

impl Made {
    fn new(nodes: u32) -> Self {
        let all = (1..=nodes).map(|id| (id, [id, 0])).collect();
        Made { nodes: all, wires: (2..=nodes).map(|id| ((id, 0), id - 1)).collect() }
    }

    fn edited(&self, edits: &[Edit]) -> Self {
        let mut made = self.clone();
        for edit in edits {
            let ids: Vec<u32> = made.nodes.keys().copied().collect();
            if ids.is_empty() {
                break;
            }
            let id = |index: &prop::sample::Index| *index.get(&ids);
            match edit {
                Edit::Set(node, widget, value) => made.nodes.get_mut(&id(node)).unwrap()[*widget] = *value,
                Edit::Remove(node) => {
                    let gone = id(node);
                    made.nodes.remove(&gone);
                    made.wires.retain(|(to, _), from| *to != gone && *from != gone);
                }
                Edit::Add(node, value) => {
                    let new = ids.last().unwrap() + 1;
                    made.wires.insert((new, 0), id(node));
                    made.nodes.insert(new, [*value, *value]);
                }
                Edit::Wire(node, slot, from) => drop(made.wires.insert((id(node), *slot), id(from))),
                Edit::Cut(node, slot) => drop(made.wires.remove(&(id(node), *slot))),
            }
        }
        made
    }

    fn text(&self) -> String {
        let numbers: BTreeMap<_, _> = self.wires.keys().enumerate().map(|(at, to)| (*to, at + 1)).collect();
        let node = |(id, values): (&u32, &[u32; 2])| {
            let inputs = [0, 1].map(
                |slot| serde_json::json!({"name": format!("in{slot}"), "type": "X", "link": numbers.get(&(*id, slot))}),
            );
            let links: Vec<_> = self.wires.iter().filter(|(_, from)| *from == id).map(|(to, _)| numbers[to]).collect();
            serde_json::json!({"id": id, "type": "N", "inputs": inputs, "outputs": [{"name": "X", "type": "X", "links": links}], "widgets_values": values})
        };
        let nodes: Vec<_> = self.nodes.iter().map(node).collect();
        let link = |(to, from): (&(u32, usize), &u32)| serde_json::json!([numbers[to], from, 0, to.0, to.1, "X"]);
        let links: Vec<_> = self.wires.iter().map(link).collect();
        let last = self.nodes.keys().last().copied().unwrap_or(0);
        serde_json::json!({"last_node_id": last, "last_link_id": links.len(), "nodes": nodes, "links": links, "version": 0.4}).to_string()
    }
}

/// A workflow in a form that does not depend on which numbers new nodes have.
fn form(text: &str, known: u32) -> Vec<String> {
    fn told(workflow: &Workflow<'_>, node: &Node, known: u32, depth: usize) -> String {
        let id = if node.id.parse::<u32>().unwrap() <= known { node.id.as_str() } else { "new" };
        let values: Vec<&str> = workflow.values(node).iter().map(|held| workflow.value(held.value).raw()).collect();
        let fed = node.inputs.iter().map(|input| match input.from.as_ref().filter(|_| depth < 3) {
            Some(from) => {
                let from = workflow.nodes.iter().find(|node| node.id == from.node).unwrap();
                told(workflow, from, known, depth + 1)
            }
            None => format!("{}", input.linked),
        });
        format!("{id}{values:?}<{}>", fed.collect::<Vec<_>>().join(","))
    }
    let workflow = read(text.as_bytes()).unwrap();
    let mut form: Vec<String> = workflow.nodes.iter().map(|node| told(&workflow, node, known, 0)).collect();
    form.sort();
    form
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever both did, what comes of it is a workflow; where nothing is in conflict it does not matter who merges whom, and what each
    /// changed is in it.
    #[test]
    fn merges_are_whole_and_commute(nodes in 1..6u32, ours in edits(5), theirs in edits(5)) {
        let base = Made::new(nodes);
        let (ours, theirs) = (base.edited(&ours), base.edited(&theirs));
        let [base_text, our_text, their_text] = [&base, &ours, &theirs].map(Made::text);
        let (there, conflicts) = merged(&base_text, &our_text, &their_text, Side::Ours);
        let (back, others) = merged(&base_text, &their_text, &our_text, Side::Ours);
        merged(&base_text, &our_text, &their_text, Side::Theirs);
        prop_assert_eq!(conflicts.is_empty(), others.is_empty());
        prop_assert_eq!(&merged(&base_text, &our_text, &our_text, Side::Ours).0, &our_text);
        prop_assert_eq!(&merged(&base_text, &our_text, &base_text, Side::Ours).0, &our_text);
        prop_assert_eq!(form(&merged(&base_text, &base_text, &their_text, Side::Ours).0, nodes), form(&their_text, nodes));
        if conflicts.is_empty() {
            prop_assert_eq!(form(&there, nodes), form(&back, nodes));
            let workflow = read(there.as_bytes()).unwrap();
            for (id, values) in &base.nodes {
                let (Some(o), Some(t)) = (ours.nodes.get(id), theirs.nodes.get(id)) else { continue };
                let node = workflow.nodes.iter().find(|node| node.id == id.to_string()).unwrap();
                let held = workflow.values(node);
                for widget in 0..2 {
                    let wanted = if o[widget] == values[widget] { t[widget] } else { o[widget] };
                    prop_assert_eq!(workflow.value(held[widget].value).raw(), wanted.to_string());
                }
            }
        }
    }
}
