//! Differences of small workflows, as lines.

use super::*;
use crate::workflow::read;

fn compared(old: &str, new: &str, layout: Layout) -> WorkflowDiff {
    diff(&read(old.as_bytes()).unwrap(), &read(new.as_bytes()).unwrap(), layout).unwrap()
}

/// The lines, two spaces a level, with a sign for what happened.
fn told(old: &str, new: &str) -> Vec<String> {
    let diff = compared(old, new, Layout::LeftOut);
    let sign = |change| match change {
        Some(Change::Added) => "+ ",
        Some(Change::Removed) => "- ",
        Some(Change::Changed) => "~ ",
        None => "",
    };
    diff.lines().iter().map(|line| format!("{}{}{}", "  ".repeat(line.depth), sign(line.change), line.text)).collect()
}

/// The editor's format.
fn editor(nodes: &str, links: &str) -> String {
    format!(r#"{{"nodes":[{nodes}],"links":[{links}],"version":0.4}}"#)
}

fn sampler(id: u32, steps: &str, pos: &str, more: &str) -> String {
    format!(
        r#"{{"id":{id},"type":"KSampler","pos":{pos},"inputs":[{{"name":"model","link":1}},
            {{"name":"seed","link":null,"widget":{{"name":"seed"}}}},{{"name":"steps","link":null,"widget":{{"name":"steps"}}}}],
            "widgets_values":[18446744073709551615,"fixed",{steps}]{more}}}"#
    )
}

fn loader(id: u32, name: &str) -> String {
    format!(
        r#"{{"id":{id},"type":"CheckpointLoaderSimple","outputs":[{{"name":"MODEL"}}],"widgets_values":["{name}"]}}"#
    )
}

const LINK: &str = r#"[1,4,0,3,0,"MODEL"]"#;

#[test]
fn a_value_that_changed_is_named_by_its_widget() {
    let old = editor(&format!("{},{}", loader(4, "a.pt"), sampler(3, "20", "[0,0]", "")), LINK);
    let new = editor(&format!("{},{}", loader(4, "b.pt"), sampler(3, "30", "[9,9]", r#","mode":4,"title":"T""#)), LINK);
    let expected = [
        "~ 4 CheckpointLoaderSimple",
        "  widget 0: \"a.pt\" → \"b.pt\"",
        "~ 3 KSampler \"T\"",
        "  mode: always → bypassed",
        "  title: none → \"T\"",
        "  steps: 20 → 30",
    ];
    assert_eq!(told(&old, &new), expected);
}

#[test]
fn places_and_the_spelling_of_numbers_are_no_difference_unless_layout_is_asked_for() {
    let old = editor(&sampler(3, "20", "[0,0]", r#","color":"red""#), "");
    let new = editor(&sampler(3, "20.0", "[5.5,1]", ""), "").replace("\"nodes\"", "\"extra\":{\"ds\":{}}, \"nodes\"");
    assert!(compared(&old, &new, Layout::LeftOut).is_empty());
    let layout = compared(&old, &new, Layout::Compared);
    let names: Vec<&str> = layout.graphs[0].nodes[0].layout.iter().map(|value| value.name.as_str()).collect();
    assert_eq!(names, ["pos", "color"]);
    // Two seeds that are one floating point number are two seeds.
    let other = old.replace("18446744073709551615", "18446744073709551614");
    assert_eq!(told(&old, &other)[1], "  seed: 18446744073709551615 → 18446744073709551614");
}

#[test]
fn wires_that_were_laid_anew_say_from_where() {
    let nodes = |more: &str| format!("{},{}{more}", loader(4, "a.pt"), sampler(3, "20", "[0,0]", ""));
    let lora = r#",{"id":12,"type":"LoraLoader","inputs":[{"name":"model","link":2}],"outputs":[{"name":"MODEL"}],
        "widgets_values":{"lora_name":"ink.pt"}}"#;
    let old = editor(&nodes(""), LINK);
    let new = editor(&nodes(lora), r#"[2,4,0,12,0,"MODEL"],[1,12,0,3,0,"MODEL"],null"#);
    let expected = [
        "~ 3 KSampler",
        "  model: from 4 CheckpointLoaderSimple MODEL → from 12 LoraLoader MODEL",
        "+ 12 LoraLoader",
        "  lora_name: \"ink.pt\"",
        "  model: from 4 CheckpointLoaderSimple MODEL",
    ];
    assert_eq!(told(&old, &new), expected);
    let back = told(&new, &old);
    assert_eq!(back[2..], ["- 12 LoraLoader"]);
    let loose = editor(&nodes("").replace("\"link\":1", "\"link\":null"), "");
    assert_eq!(told(&old, &loose), ["~ 3 KSampler", "  model: no longer from 4 CheckpointLoaderSimple MODEL"]);
}

#[test]
fn nodes_that_only_have_other_ids_are_the_same() {
    let old = editor(&format!("{},{}", loader(4, "a.pt"), sampler(3, "20", "[0,0]", "")), LINK);
    let new = editor(&format!("{},{}", loader(40, "a.pt"), sampler(30, "20", "[0,0]", "")), r#"[1,40,0,30,0,"MODEL"]"#);
    assert!(told(&old, &new).is_empty());
    let new = new.replace(",20]", ",25]");
    let expected = ["~ 30 KSampler (was 3)", "  steps: 20 → 25", "1 node only has another number"];
    assert_eq!(told(&old, &new), expected);
}

#[test]
fn what_runs_is_compared_by_input_and_across_scopes() {
    let old = r#"{"4":{"class_type":"L","inputs":{"name":"a"}},"57:3":{"class_type":"K","inputs":{"model":["4",0],"cfg":NaN}}}"#;
    let new = r#"{"4":{"class_type":"L","inputs":{"name":"a"}},"57:3":{"class_type":"K","inputs":{"model":["4",1],"cfg":8}}}"#;
    let expected = ["~ 57:3 K", "  cfg: \"NaN\" → 8", "  model: from 4 L output 0 → from 4 L output 1"];
    assert_eq!(told(old, new), expected);
    assert!(diff(&read(old.as_bytes()).unwrap(), &read(editor("", "").as_bytes()).unwrap(), Layout::LeftOut).is_err());
}

#[test]
fn objects_are_compared_key_by_key_and_long_texts_where_they_differ() {
    let text = |end: &str| format!("{}{end}", "a long prompt ".repeat(20));
    let node = |strength: &str, prompt: &str| {
        editor(
            &format!(r#"{{"id":1,"type":"P","widgets_values":[{{"on":true,"strength":{strength}}},"{prompt}"]}}"#),
            "",
        )
    };
    let lines = told(&node("1", &text("red")), &node("0.5", &text("blue \\n")));
    assert_eq!(lines[1], "  widget 0.strength: 1 → 0.5");
    assert_eq!(lines[2], "  widget 1: \"…t a long prompt red\" → \"…t a long prompt blue \\n\"");
}

/// An instance of the subgraph, with its own value for the promoted widget.
fn with_subgraph(value: &str, inner: &str, name: &str, more: &str) -> String {
    format!(
        r#"{{"nodes":[{{"id":7,"type":"0f7c9c6e-0000-4000-8000-000000000001","inputs":[{{"name":"lora","widget":{{"name":"lora"}}}}],"widgets_values":["{value}"]}}],
        "links":[],"definitions":{{"subgraphs":[{{"id":"0f7c9c6e-0000-4000-8000-000000000001","version":1,"name":"{name}",
        "inputs":[{{"name":"lora","linkIds":[1]}}],"outputs":[],"nodes":[{{"id":2,"type":"LoraLoader","inputs":[{{"name":"lora_name","link":1,"widget":{{"name":"lora_name"}}}}],
        "widgets_values":["{inner}"]}}{more}],
        "links":[{{"id":1,"origin_id":-10,"origin_slot":0,"target_id":2,"target_slot":0,"type":"COMBO"}}]}}]}}}}"#
    )
}

#[test]
fn subgraphs_are_compared_by_their_definitions_and_instances_by_their_values() {
    let old = with_subgraph("a.pt", "a.pt", "Style", "");
    assert_eq!(told(&old, &with_subgraph("b.pt", "a.pt", "Style", "")), ["~ 7 Style", "  lora: \"a.pt\" → \"b.pt\""]);
    let more = r#",{"id":3,"type":"Note","widgets_values":["hello"]}"#;
    let expected = [
        "~ subgraph Style",
        "  ~ 2 LoraLoader",
        "    lora_name: \"a.pt\" → \"c.pt\"",
        "  + 3 Note",
        "    widget 0: \"hello\"",
    ];
    assert_eq!(told(&old, &with_subgraph("a.pt", "c.pt", "Style", more)), expected);
    let gone = told(&old, &editor("", ""));
    assert_eq!(gone, ["- 7 Style", "- subgraph Style"]);
}

#[test]
fn a_package_that_was_updated_is_one_line_and_no_change_of_its_nodes() {
    let old = editor(&sampler(3, "20", "[0,0]", r#","properties":{"cnr_id":"comfy-core","ver":"0.3.40"}"#), "");
    let new = old.replace("0.3.40", "0.3.64");
    assert_eq!(told(&old, &new), ["~ package comfy-core 0.3.40 → 0.3.64"]);
    assert_eq!(told(&old, &editor("", "")), ["- 3 KSampler", "- package comfy-core 0.3.40"]);
}

#[test]
fn a_workflow_does_not_differ_from_itself() {
    for text in [with_subgraph("a", "b", "S", ""), editor(&sampler(3, "1", "[0]", ""), LINK)] {
        let diff = compared(&text, &text, Layout::Compared);
        assert_eq!((diff.is_empty(), diff.counts()), (true, [0, 0, 0]));
    }
    let mut many: Vec<String> = (0..3000).map(|id| sampler(id, &id.to_string(), "[0,0]", "")).collect();
    let old = editor(&many.join(","), "");
    many.reverse();
    assert!(compared(&old, &editor(&many.join(","), ""), Layout::LeftOut).is_empty());
}
