//! `parse-workflow` and `rewrite-workflow`.

use serde_json::{Value, json};

use crate::documents::{documented, same_fields};
use crate::support::{Run, Sandbox};

const STYLE: &str = "11111111-1111-4111-8111-111111111111";

/// Three instances of one subgraph, each with another LoRA, spaced and spelled as nobody would.
fn three_instances() -> String {
    let instance = |id: u32, name: &str| {
        format!(r#"{{"id" :{id}, "type":"{STYLE}","mode":0,"widgets_values":["{name}",1.50],"properties":{{}}}}"#)
    };
    format!(
        r#"{{ "nodes": [{},
  {},{}], "links":[null], "definitions":{{"subgraphs":[{{"id":"{STYLE}","name":"Style","unknown":[1.0,"\u00e9"],
  "inputs":[{{"name":"lora_name","type":"COMBO"}},{{"name":"strength","type":"FLOAT"}}],"outputs":[],
  "nodes":[{{"id":7,"type":"LoraLoaderModelOnly","inputs":[
      {{"name":"lora_name","type":"COMBO","widget":{{"name":"lora_name"}},"link":1}},
      {{"name":"strength_model","type":"FLOAT","widget":{{"name":"strength_model"}},"link":2}}],
    "widgets_values":["inner.safetensors",1],"properties":{{"cnr_id":"comfy-core","ver":"0.3.64",
    "models":[{{"name":"b.safetensors","url":"https://example.org/b.safetensors","directory":"loras","hash":"00","hash_type":"SHA256"}}]}}}}],
  "links":[{{"id":1,"origin_id":-10,"origin_slot":0,"target_id":7,"target_slot":0,"type":"COMBO"}},
           {{"id":2,"origin_id":-10,"origin_slot":1,"target_id":7,"target_slot":1,"type":"FLOAT"}}]}}]}},"version":0.4}}
"#,
        instance(1, "a.safetensors"),
        instance(2, "b.safetensors"),
        instance(3, "c.safetensors")
    )
}

fn lines(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Scope, node and value of each model.
fn models(run: &Run) -> Vec<Value> {
    let models = lines(run).into_iter().filter(|line| line["kind"] == "model");
    models.map(|line| json!([line["scope"], line["node"], line["value"]])).collect()
}

#[test]
fn models_come_first_then_nodes_in_the_documented_shape() {
    let sandbox = Sandbox::new();
    sandbox.write("flow.json", three_instances());
    let run = sandbox.comfrey(["parse-workflow", "flow.json"]).success();
    let lines = lines(&run);
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["model", "model", "model", "node", "node", "node", "node", "node", "node"]);
    let model = &lines[1];
    assert_eq!((&model["workflow"], &model["scope"]), (&json!("flow.json"), &json!(["2"])));
    assert_eq!((&model["widget"], &model["folders"]), (&json!(0), &json!(["loras"])));
    let mut documented_model = documented("parse-workflow");
    for rare in ["names", "need"] {
        assert!(documented_model.as_object_mut().unwrap().remove(rare).is_some());
    }
    same_fields("model", &documented_model, model);
    let origins: Vec<_> = lines[3..].iter().map(|line| line["origin"].as_str().unwrap()).collect();
    assert_eq!(origins, ["subgraph", "builtin", "subgraph", "builtin", "subgraph", "builtin"]);
    let mut documented_node = documented("parse-workflow, nodes");
    assert!(documented_node.as_object_mut().unwrap().remove("title").is_some());
    same_fields("node", &documented_node, &lines[4]);
}

#[test]
fn a_file_that_is_no_workflow_stops_no_other() {
    let sandbox = Sandbox::new();
    sandbox.write("flow.json", three_instances());
    sandbox.write("bad.json", "{\"nodes\": [\n}");
    sandbox.write("list.json", "[1]");
    sandbox.comfrey(["parse-workflow", "flow.json", "gone.json", "bad.json"]).fails_with(3);
    let run = sandbox.comfrey(["parse-workflow", "bad.json", "gone.json", "list.json", "flow.json"]).fails_with(5);
    assert_eq!(models(&run).len(), 3);
    for message in [
        "error: bad.json: not JSON: line 2, column 1: a value is wanted, not `}`",
        "error: gone.json:",
        "error: list.json: JSON, but no workflow: the document is an array",
    ] {
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
}

#[test]
fn what_could_not_be_opened_is_a_warning() {
    let sandbox = Sandbox::new();
    sandbox
        .write("flow.json", format!(r#"{{"nodes":[{{"id":5,"type":"{STYLE}"}},{{"id":6,"type":"A"}}],"links":[]}}"#));
    let run = sandbox.comfrey(["parse-workflow", "flow.json"]).success();
    assert!(run.stderr.contains("warning: flow.json: node 5: the subgraph 11111111"), "{}", run.stderr);
    assert_eq!(lines(&run).len(), 2);
}

#[test]
fn a_picture_says_what_ran() {
    let sandbox = Sandbox::new();
    let prompt = r#"{"4":{"class_type":"LoraLoader","inputs":{"lora_name":"ran.safetensors"}}}"#;
    let drawing = r#"{"nodes":[{"id":4,"type":"LoraLoader","widgets_values":["drawn.safetensors",1,1],
        "properties":{"models":[{"name":"ran.safetensors","url":"https://example.org/r","directory":"loras"}]}}],"links":[]}"#;
    let svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg"><metadata><![CDATA[{{"prompt":{prompt},"workflow":{drawing}}}]]></metadata></svg>"#
    );
    sandbox.write("picture.json", &svg);
    let run = sandbox.comfrey(["parse-workflow", "picture.json"]).success();
    assert_eq!(models(&run), [json!([[], "4", "ran.safetensors"])]);
    assert_eq!(lines(&run)[0]["declared"]["url"], "https://example.org/r");
    let piped = sandbox.comfrey_with_input(["parse-workflow", "-"], &svg).success();
    assert_eq!(models(&piped), models(&run));
    let refused = sandbox.comfrey(["rewrite-workflow", "--map", "a=b", "picture.json"]).fails_with(2);
    assert!(refused.stderr.contains("only JSON can be rewritten"), "{}", refused.stderr);
}

#[test]
fn one_of_three_instances_is_rewritten_and_no_other_byte() {
    let sandbox = Sandbox::new();
    let text = three_instances();
    sandbox.write("flow.json", &text);
    let run = sandbox
        .comfrey(["rewrite-workflow", "--set", "2/7:lora_name=styles\\tinte é.safetensors", "flow.json"])
        .success();
    assert_eq!(run.stdout, text.replace("\"b.safetensors\",1.50", r#""styles\\tinte \u00e9.safetensors",1.50"#));
    sandbox.write("new.json", &run.stdout);
    let found = models(&sandbox.comfrey(["parse-workflow", "new.json"]).success());
    let expected = [("1", "a.safetensors"), ("2", "styles\\tinte é.safetensors"), ("3", "c.safetensors")];
    assert_eq!(found, expected.map(|(scope, value)| json!([[scope], "7", value])));
    assert_eq!(sandbox.read("flow.json"), text.as_bytes());
    // Without a change, and by a map from standard input.
    assert_eq!(sandbox.comfrey(["rewrite-workflow", "flow.json"]).success().stdout, text);
    let mapped =
        sandbox.comfrey_with_input(["rewrite-workflow", "--map", "c.safetensors=x=y.pt", "-"], &text).success();
    assert_eq!(mapped.stdout, text.replace("c.safetensors", "x=y.pt"));
}

#[test]
fn numbers_are_set_by_position_and_shared_values_are_named() {
    let sandbox = Sandbox::new();
    let text = three_instances();
    sandbox.write("flow.json", &text);
    let run = sandbox.comfrey(["rewrite-workflow", "--set", "3/7:1=0.75", "flow.json"]).success();
    assert_eq!(run.stdout, text.replace(r#""c.safetensors",1.50"#, r#""c.safetensors",0.75"#));
    // The values stay within the definition, so all instances have the one.
    let older =
        text.replace(r#""widgets_values":["#, r#""was":["#).replace(r#""was":["inner"#, r#""widgets_values":["inner"#);
    sandbox.write("older.json", &older);
    let run = sandbox.comfrey(["rewrite-workflow", "--set", "1/7:lora_name=n.pt", "older.json"]).success();
    assert_eq!(run.stdout, older.replace("inner.safetensors", "n.pt"));
    assert!(run.stderr.contains("warning: node 1/7: 3 instances"), "{}", run.stderr);
}

#[test]
fn what_is_not_there_is_not_rewritten() {
    let sandbox = Sandbox::new();
    sandbox.write("flow.json", three_instances());
    for (change, code, message) in [
        (["--set", "9:0=x"], 3, "there is no node 9"),
        (["--set", "2/7:seed=1"], 3, "node 2/7 has no value `seed`"),
        (["--map", "z.safetensors=x"], 3, "no node names a model `z.safetensors`"),
        (["--map", "z"], 2, "OLD=NEW is wanted"),
        (["--set", "7=x"], 2, "NODE:WIDGET=VALUE"),
        (["--set", "2/7:1=text"], 2, "no value that can be replaced so"),
    ] {
        let run = sandbox.comfrey(["rewrite-workflow", change[0], change[1], "flow.json"]).fails_with(code);
        assert!(run.stderr.contains(message), "{message}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}
