//! Subgraphs and groups, as files of the editor have them.

use std::fmt::Write;

use super::graph::{MAX_LEVELS, Reason, Workflow};
use super::{Feed, Widgets, Wires, read};

const LORA: &str = "11111111-1111-4111-8111-111111111111";
const OUTER: &str = "22222222-2222-4222-8222-222222222222";

/// A definition with a LoRA loader, node 7, whose name and strength are inputs of the subgraph.
fn lora_definition() -> String {
    format!(
        r#"{{"id":"{LORA}","version":1,"name":"Style","inputNode":{{"id":-10}},"outputNode":{{"id":-20}},
        "inputs":[{{"name":"model","type":"MODEL","linkIds":[1]}},{{"name":"lora_name","type":"COMBO","linkIds":[2]}},
                  {{"name":"strength","type":"FLOAT","linkIds":[3]}}],
        "outputs":[{{"name":"MODEL","type":"MODEL","linkIds":[4]}}],
        "nodes":[{{"id":7,"type":"LoraLoaderModelOnly","mode":0,"inputs":[
            {{"name":"model","type":"MODEL","link":1}},
            {{"name":"lora_name","type":"COMBO","widget":{{"name":"lora_name"}},"link":2}},
            {{"name":"strength_model","type":"FLOAT","widget":{{"name":"strength_model"}},"link":3}}],
            "outputs":[{{"name":"MODEL","type":"MODEL","links":[4]}}],
            "widgets_values":["inner.safetensors",1]}}],
        "links":[{{"id":1,"origin_id":-10,"origin_slot":0,"target_id":7,"target_slot":0,"type":"MODEL"}},
                 {{"id":2,"origin_id":-10,"origin_slot":1,"target_id":7,"target_slot":1,"type":"COMBO"}},
                 {{"id":3,"origin_id":-10,"origin_slot":2,"target_id":7,"target_slot":2,"type":"FLOAT"}},
                 {{"id":4,"origin_id":7,"origin_slot":0,"target_id":-20,"target_slot":0,"type":"MODEL"}}]}}"#
    )
}

fn file(nodes: &str, definitions: &str) -> String {
    format!(r#"{{"nodes":[{nodes}],"links":[null],"definitions":{{"subgraphs":[{definitions}]}},"version":0.4}}"#)
}

/// Scope and id, and what the first widget says, of every node that is no instance.
fn names(workflow: &Workflow<'_>) -> Vec<(String, String)> {
    let plain = workflow.nodes.iter().filter(|node| node.instance_of.is_none());
    plain
        .map(|node| {
            let values = workflow.values(node);
            let said = values.first().and_then(|held| workflow.value(held.value).text());
            (format!("{}/{}", node.scope.join("/"), node.id), said.unwrap_or_default().into_owned())
        })
        .collect()
}

fn expected(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(place, said)| ((*place).to_owned(), (*said).to_owned())).collect()
}

#[test]
fn each_instance_gives_its_own_values() {
    let instance =
        |id, mode, name| format!(r#"{{"id":{id},"type":"{LORA}","mode":{mode},"widgets_values":["{name}",0.5]}}"#);
    let nodes = [instance(1, 0, "a"), instance(2, 4, "b"), instance(3, 0, "c")].join(",");
    let text = file(&nodes, &lora_definition());
    let workflow = read(text.as_bytes()).unwrap();
    assert_eq!(names(&workflow), expected(&[("1/7", "a"), ("2/7", "b"), ("3/7", "c")]));
    let active: Vec<_> = workflow.nodes.iter().map(|node| node.is_active()).collect();
    assert_eq!(active, [true, true, false, false, true, true]);
    assert_eq!((workflow.definitions.len(), workflow.definitions[0].nodes.len()), (1, 1));
    assert_eq!(workflow.definitions[0].inputs[1].widgets, [("7".to_owned(), "lora_name".to_owned())]);
    assert!(workflow.unread.is_empty(), "{:?}", workflow.unread);
}

#[test]
fn values_of_older_frontends_stay_with_the_inner_nodes() {
    let proxies = r#"[["7","lora_name"],["-1","strength"],["7","$$canvas-image-preview"]]"#;
    let empty = format!(r#"{{"id":1,"type":"{LORA}","widgets_values":[],"properties":{{"proxyWidgets":{proxies}}}}}"#);
    let given =
        format!(r#"{{"id":2,"type":"{LORA}","widgets_values":["x",0.1],"properties":{{"proxyWidgets":{proxies}}}}}"#);
    let text = file(&format!("{empty},{given}"), &lora_definition());
    let workflow = read(text.as_bytes()).unwrap();
    assert_eq!(names(&workflow), expected(&[("1/7", "inner.safetensors"), ("2/7", "x")]));
    let strength = workflow.nodes[3].promoted.iter().find(|(name, _)| name == "strength_model").unwrap().1;
    assert_eq!(workflow.value(strength).raw(), "0.1");
}

/// A definition that holds an instance of the one above, whose name it passes on.
fn outer_definition() -> String {
    format!(
        r#"{{"id":"{OUTER}","name":"Outer","inputs":[{{"name":"style","type":"COMBO","linkIds":[1]}}],"outputs":[],
        "nodes":[{{"id":5,"type":"{LORA}","inputs":[{{"name":"lora_name","type":"COMBO","link":1}}],
                   "widgets_values":["middle",1]}}],
        "links":[{{"id":1,"origin_id":-10,"origin_slot":0,"target_id":5,"target_slot":0,"type":"COMBO"}}]}}"#
    )
}

#[test]
fn a_value_is_handed_on_through_nested_instances() {
    let nodes = format!(r#"{{"id":1,"type":"{OUTER}","widgets_values":["top"]}},{{"id":2,"type":"{OUTER}"}}"#);
    // The inner definition stands behind the outer one.
    let text = file(&nodes, &format!("{},{}", outer_definition(), lora_definition()));
    let workflow = read(text.as_bytes()).unwrap();
    assert_eq!(names(&workflow), expected(&[("1/5/7", "top"), ("2/5/7", "middle")]));
}

#[test]
fn another_number_of_values_than_widgets_changes_nothing() {
    let text = file(&format!(r#"{{"id":1,"type":"{LORA}","widgets_values":["a"]}}"#), &lora_definition());
    let workflow = read(text.as_bytes()).unwrap();
    assert_eq!(names(&workflow), expected(&[("1/7", "inner.safetensors")]));
    assert_eq!(workflow.unread[0].reason, Reason::Values("Style".into()));
}

#[test]
fn what_cannot_be_opened_is_named_and_the_rest_is_read() {
    let circle =
        format!(r#"{{"id":"{OUTER}","name":"Circle","nodes":[{{"id":9,"type":"{OUTER}"}},{{"id":8,"type":"A"}}]}}"#);
    let missing = "33333333-3333-4333-8333-333333333333";
    let nodes = format!(
        r#"{{"id":1,"type":"{OUTER}"}},{{"id":2,"type":"{missing}"}},{{"id":3,"type":"{LORA}"}},{{"id":3,"type":"A"}},
        {{"id":4,"type":"workflow>Gone"}}"#
    );
    let text = file(&nodes, &format!("{circle},{}", lora_definition()));
    let workflow = read(text.as_bytes()).unwrap();
    let reasons: Vec<_> = workflow.unread.iter().map(ToString::to_string).collect();
    let expected = [
        "node 1: `Circle` holds itself, at whatever depth, and was not opened".to_owned(),
        format!("node 2: the subgraph {missing} that it stands for is not in the file"),
        "node 4: the subgraph Gone that it stands for is not in the file".to_owned(),
        "node 3: another node has the same id; links to it are ambiguous".to_owned(),
    ];
    assert_eq!(reasons, expected);
    assert!(workflow.nodes.iter().any(|node| node.scope == ["3"] && node.id == "7"));
}

/// Definitions of which each holds so many instances of the next, and the last a node.
fn chain(levels: usize, instances: usize) -> String {
    let id = |level: usize| format!("{level:08}-0000-4000-8000-000000000000");
    let mut definitions = String::new();
    for level in 0..levels {
        let inner = (0..instances).map(|at| format!(r#"{{"id":{at},"type":"{}"}}"#, id(level + 1)));
        let inner =
            if level + 1 < levels { inner.collect::<Vec<_>>().join(",") } else { r#"{"id":0,"type":"A"}"#.into() };
        let comma = if level > 0 { "," } else { "" };
        write!(definitions, r#"{comma}{{"id":"{}","name":"L{level}","nodes":[{inner}]}}"#, id(level)).unwrap();
    }
    file(&format!(r#"{{"id":1,"type":"{}"}},{{"id":2,"type":"B"}}"#, id(0)), &definitions)
}

#[test]
fn a_hundred_levels_are_opened() {
    let text = chain(100, 1);
    let workflow = read(text.as_bytes()).unwrap();
    let deepest = workflow.nodes.iter().find(|node| node.class == "A").unwrap();
    assert_eq!((deepest.scope.len(), workflow.unread.len()), (100, 0));
    let deeper = chain(MAX_LEVELS + 10, 1);
    let workflow = read(deeper.as_bytes()).unwrap();
    assert!(matches!(&workflow.unread[..], [unread] if matches!(unread.reason, Reason::Deep(_))));
}

#[test]
fn instances_without_bound_are_left_closed_with_the_reason() {
    // 2^100 nodes.
    let text = chain(100, 2);
    let workflow = read(text.as_bytes()).unwrap();
    assert_eq!(workflow.nodes.len(), 2);
    assert_eq!(workflow.unread[0].reason, Reason::Large("L0".into()));
    // What fits is opened.
    assert_eq!(read(chain(10, 2).as_bytes()).unwrap().nodes.len(), 2 + (1 << 10) - 2 + (1 << 9));
}

#[test]
fn a_long_text_is_not_handed_out_without_end() {
    let text = "x".repeat(4 << 20);
    let inner = (0..100).map(|id| {
        format!(r#"{{"id":{id},"type":"A","inputs":[{{"name":"t","widget":{{"name":"t"}},"link":{id}}}],"widgets_values":["o"]}}"#)
    });
    let links = (0..100).map(|id| {
        format!(r#"{{"id":{id},"origin_id":-10,"origin_slot":0,"target_id":{id},"target_slot":0,"type":"STRING"}}"#)
    });
    let definition = format!(
        r#"{{"id":"{LORA}","name":"Many","inputs":[{{"name":"t","type":"STRING"}}],"nodes":[{}],"links":[{}]}}"#,
        inner.collect::<Vec<_>>().join(","),
        links.collect::<Vec<_>>().join(",")
    );
    let text = file(&format!(r#"{{"id":1,"type":"{LORA}","widgets_values":["{text}"]}}"#), &definition);
    let workflow = read(text.as_bytes()).unwrap();
    assert_eq!((workflow.nodes.len(), workflow.unread.len()), (1, 1));
}

#[test]
fn a_hundred_thousand_nodes_are_read() {
    let nodes: Vec<String> = (0..100_000)
        .map(|id| {
            format!(
                r#"{{"id":{id},"type":"VAELoader","inputs":[{{"name":"a","link":{id}}}],"widgets_values":["a.pt"]}}"#
            )
        })
        .collect();
    let links: Vec<String> = (0..100_000).map(|id| format!(r#"[{id},{},0,{id},0,"*"]"#, id + 1)).collect();
    let text = format!(r#"{{"nodes":[{}],"links":[{}]}}"#, nodes.join(","), links.join(","));
    let workflow = read(text.as_bytes()).unwrap();
    assert_eq!((workflow.nodes.len(), workflow.links.len()), (100_000, 100_000));
    assert_eq!(workflow.nodes[5].inputs[0].from.as_ref().unwrap().node, "6");
}

/// A group of a checkpoint loader and a LoRA loader, the latter's strength hidden.
fn group(config: &str, values: &str) -> String {
    format!(
        r#"{{"nodes":[{{"id":2,"type":"workflow/Both","widgets_values":{values}}}],"links":[],"extra":{{"groupNodes":{{"Both":{{
        "nodes":[{{"id":-1,"index":0,"type":"CheckpointLoaderSimple","widgets_values":["c.safetensors"]}},
                 {{"id":-1,"index":1,"type":"LoraLoaderModelOnly","inputs":[{{"name":"model","link":null}},
                   {{"name":"lora_name","widget":{{"name":"lora_name"}}}},
                   {{"name":"strength_model","widget":{{"name":"strength_model"}}}}],"widgets_values":["l.safetensors",1]}}],
        "links":[[0,0,1,0,1,"MODEL"],[null,1,1,0,2,"MODEL"]],"external":[],"config":{config}}}}}}}}}"#
    )
}

#[test]
fn a_group_s_values_are_those_of_its_nodes_one_after_the_other() {
    let text = group("{}", r#"["x","y",0.5]"#);
    let workflow = read(text.as_bytes()).unwrap();
    assert_eq!(names(&workflow), expected(&[("2/0", "x"), ("2/1", "y")]));
    let Widgets::Listed(values) = &workflow.nodes[2].widgets else { panic!("a list") };
    assert_eq!(workflow.value(values[1]).raw(), "0.5");
    assert_eq!(workflow.nodes[2].inputs[0].from.as_ref().unwrap().node, "0");
    // One is hidden, and has no value on the instance.
    let hidden = group(r#"{"1":{"input":{"strength_model":{"visible":false}}}}"#, r#"["x","y"]"#);
    let workflow = read(hidden.as_bytes()).unwrap();
    assert_eq!(names(&workflow), expected(&[("2/0", "x"), ("2/1", "y")]));
    // Nothing explains this number.
    let unclear = group("{}", r#"["x"]"#);
    let workflow = read(unclear.as_bytes()).unwrap();
    assert_eq!(names(&workflow), expected(&[("2/0", "c.safetensors"), ("2/1", "l.safetensors")]));
    assert_eq!(workflow.unread[0].reason, Reason::Values("Both".into()));
}

#[test]
fn a_wire_is_followed_through_reroutes_named_wires_and_edges() {
    let nodes = format!(
        r#"{{"id":10,"type":"PrimitiveNode","outputs":[{{"name":"COMBO"}}],"widgets_values":["p.safetensors","fixed"]}},
        {{"id":11,"type":"Reroute","inputs":[{{"name":"","link":1}}]}},
        {{"id":12,"type":"SetNode","inputs":[{{"name":"COMBO","link":2}}],"widgets_values":["w"]}},
        {{"id":13,"type":"GetNode","widgets_values":["w"]}},
        {{"id":1,"type":"{OUTER}","inputs":[{{"name":"style","link":3,"widget":{{"name":"style"}}}}],"widgets_values":["top"]}},
        {{"id":20,"type":"Reroute","inputs":[{{"name":"","link":4}}]}},
        {{"id":21,"type":"X","inputs":[{{"name":"a","link":4}},{{"name":"b","link":5}},{{"name":"gone","link":99}}]}},
        {{"id":30,"type":"{LORA}","widgets_values":["x",1]}}"#
    );
    let text = file(&nodes, &format!("{},{}", outer_definition(), lora_definition())).replace(
        "\"links\":[null]",
        r#""links":[[1,10,0,11,0,"*"],[2,11,0,12,0,"*"],[3,13,0,1,0,"*"],[4,20,0,20,0,"*"],[5,30,0,21,1,"MODEL"]]"#,
    );
    let workflow = read(text.as_bytes()).unwrap();
    let wires = Wires::new(&workflow);
    let at =
        |scope: &[&str], id: &str| workflow.nodes.iter().position(|node| node.scope == scope && node.id == id).unwrap();
    let Feed::Value { node, value } = wires.feed(at(&["1", "5"], "7"), "lora_name") else { panic!("a value") };
    assert_eq!((node, workflow.value(value).raw()), (at(&[], "10"), "\"p.safetensors\""));
    // Not linked from outside: the instance's own value holds.
    assert_eq!(wires.feed(at(&["30"], "7"), "lora_name"), Feed::Own);
    // A circle and a link that is not there lead nowhere; an instance's output is made within it.
    assert_eq!(wires.feed(at(&[], "21"), "a"), Feed::Own);
    assert_eq!(wires.feed(at(&[], "21"), "gone"), Feed::Own);
    assert_eq!(wires.feed(at(&[], "21"), "b"), Feed::Made { node: at(&["30"], "7") });
}
