//! `resolve`, `workflow resolve`, and what `status` and `commit` make of references.

use serde_json::Value;

use crate::documents::{documented, same_fields};
use crate::installation::Installation;
use crate::support::{Run, listed, listed_in_json};

/// The editor's format, with one node that loads a LoRA.
fn with_lora(lora: &str) -> String {
    format!(
        "{{\"last_node_id\":7,  \"nodes\":[{{\"id\":7,\"type\":\"LoraLoader\",\"widgets_values\":[\"{lora}\",1.0,0.50]}}],\n\
         \"links\":[],\"version\":0.4}}\n"
    )
}

const TWICE: &str = "user/default/workflows/twice.json";

/// An installation with two LoRAs of one name in two folders, and a workflow that names them without a folder.
fn two_of_one_name() -> Installation {
    let demo = Installation::new();
    demo.write_model("loras/x/twice.safetensors", 40_000, 5);
    demo.write_model("loras/y/twice.safetensors", 40_000, 6);
    demo.write(TWICE, with_lora("twice.safetensors"));
    demo
}

fn value(run: &Run) -> Value {
    serde_json::from_str(run.line()).unwrap()
}

/// Status, rule and place of the only reference to a model of `workflow resolve twice`.
fn answer(run: &Run) -> (String, String, String) {
    let found = &value(run)["workflows"][0]["models"][0];
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("rule"), text("local"))
}

fn expected(status: &str, rule: &str, place: &str) -> (String, String, String) {
    (status.to_owned(), rule.to_owned(), place.to_owned())
}

#[test]
fn two_models_of_one_name_are_a_choice_that_is_remembered_and_holds_after_both_move() {
    let demo = two_of_one_name();
    // Nobody to ask: it stays open, for a commit too.
    let run = demo.comfrey(["workflow", "resolve", "twice", "--json"]).fails_with(1);
    assert_eq!(answer(&run), expected("ambiguous", "file-name", ""));
    assert_eq!(value(&run)["workflows"][0]["models"][0]["candidates"].as_array().unwrap().len(), 2);
    demo.commit("first");
    assert_eq!(demo.json(["status"])["unresolved"][0]["status"], "ambiguous");
    // Answers of a file that name nothing here are told, and change nothing.
    let wrong = "[[model]]\nvalue = \"twice.safetensors\"\nuse = \"loras/z/twice.safetensors\"\n";
    demo.sandbox.write("work/wrong.toml", wrong);
    let run = demo.comfrey(["workflow", "resolve", "twice", "--answers", "wrong.toml"]).fails_with(1);
    assert!(run.stderr.contains("no model lies at loras/z/twice.safetensors"), "{}", run.stderr);
    // The right one is used, recorded and remembered.
    let right = "[[model]]\nworkflow = \"twice\"\nnode = 7\nuse = \"loras/y/twice.safetensors\"\n";
    demo.sandbox.write("work/right.toml", right);
    let arguments = ["workflow", "resolve", "twice", "--answers", "right.toml", "--record", "again.toml", "--json"];
    let dry = demo.comfrey(arguments.into_iter().chain(["--dry-run"])).success();
    assert_eq!(answer(&dry), expected("resolved", "chosen", "loras/y/twice.safetensors"));
    let run = demo.comfrey(arguments).success();
    assert_eq!(answer(&run), expected("resolved", "chosen", "loras/y/twice.safetensors"));
    assert_eq!(value(&run)["remembered"], 1);
    let chosen = value(&run)["workflows"][0]["models"][0]["id"].as_str().unwrap().to_owned();
    let recorded = std::fs::read_to_string(demo.sandbox.join("work/again.toml")).unwrap();
    assert!(recorded.contains(&format!("model = \"{chosen}\"")), "{recorded}");
    let manifest = std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap();
    let line = format!("{{ node = \"7\", widget = 0, model = \"{chosen}\", name = \"twice.safetensors\" }}");
    assert!(manifest.contains(&line), "{manifest}");
    assert!(demo.json(["status"])["unresolved"].as_array().unwrap().is_empty());
    // It is not asked again, whatever becomes of the files' places, and a commit keeps it.
    demo.commit("second");
    for (from, to) in [("x", "p/q"), ("y", "r")] {
        let models = demo.comfyui().join("models/loras");
        std::fs::create_dir_all(models.join(to)).unwrap();
        std::fs::rename(models.join(from).join("twice.safetensors"), models.join(to).join("twice.safetensors"))
            .unwrap();
    }
    let run = demo.comfrey(["workflow", "resolve", "twice", "--json"]).success();
    assert_eq!(answer(&run), expected("resolved", "manifest", "loras/r/twice.safetensors"));
    assert_eq!(value(&run)["workflows"][0]["models"][0]["id"], chosen.as_str());
    let status = demo.json(["status"]);
    assert!(status["unresolved"].as_array().unwrap().is_empty(), "{status}");
    assert_eq!(status["models"]["moved"][0]["to"], "loras/r/twice.safetensors", "{status}");
    assert!(status["models"]["missing"].as_array().unwrap().is_empty(), "{status}");
    demo.commit("third");
    let tree = demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout;
    assert!(tree.contains(&format!("{chosen} 40000\tmodels/loras/r/twice.safetensors")), "{tree}");
    // The file of answers that was recorded says the same, so nothing is wrong with it.
    let run = demo.comfrey(["workflow", "resolve", "twice", "--answers", "again.toml"]).success();
    assert_eq!(run.stderr, "");
}

#[test]
fn a_rewrite_changes_the_value_alone_and_undo_takes_it_back() {
    let demo = two_of_one_name();
    demo.commit("first");
    std::fs::remove_file(demo.comfyui().join("models/loras/x/twice.safetensors")).unwrap();
    let before = demo.files();
    let run = demo.comfrey(["workflow", "resolve", "twice", "--rewrite", "--dry-run"]).success();
    let wanted = listed("y/twice.safetensors");
    let said = |how: &str| format!("node 7 {how} {wanted} instead of twice.safetensors");
    assert!(run.stdout.contains(&said("would say")), "{}", run.stdout);
    assert_eq!(demo.files(), before);
    let run = demo.comfrey(["workflow", "resolve", "twice", "--rewrite"]).success();
    assert!(run.stdout.contains(&said("says")), "{}", run.stdout);
    let text = std::fs::read_to_string(demo.comfyui().join(TWICE)).unwrap();
    assert_eq!(text, with_lora(&listed_in_json("y/twice.safetensors")));
    let mut others = demo.comfyui_files();
    assert_eq!(others.insert(format!("ComfyUI/{TWICE}"), with_lora("twice.safetensors").into()), Some(text.into()));
    assert_eq!(others.iter().filter(|(name, bytes)| before.get(*name) != Some(bytes)).count(), 0);
    // Nothing is left to do.
    let again = demo.comfrey(["workflow", "resolve", "twice", "--rewrite", "--json"]).success();
    same_fields("workflow resolve", &documented("workflow resolve"), &value(&again));
    assert!(
        value(&again)["workflows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["rewritten"].as_array().unwrap().is_empty())
    );
    demo.comfrey(["undo"]).success();
    assert_eq!(demo.files(), before);
}

#[test]
fn a_mistyped_workflow_and_an_unreadable_file_of_answers_are_named() {
    let demo = two_of_one_name();
    let run = demo.comfrey(["workflow", "resolve", "twise"]).fails_with(3);
    assert!(run.stderr.contains("did you mean `twice`?"), "{}", run.stderr);
    demo.sandbox.write("work/a.toml", "[[model]]\nvalue = \"a\"\n");
    let run = demo.comfrey(["workflow", "resolve", "--answers", "a.toml"]).fails_with(2);
    assert!(run.stderr.contains("a.toml: [[model]] number 1: an answer is wanted"), "{}", run.stderr);
}

#[test]
fn references_in_a_pipe_come_out_with_their_answers_in_order() {
    let demo = two_of_one_name();
    let model = |node: &str, value: &str| {
        format!(
            "{{\"kind\":\"model\",\"workflow\":\"flow.json\",\"scope\":[],\"node\":\"{node}\",\"type\":\"LoraLoader\",\"widget\":0,\
             \"value\":\"{value}\",\"path\":\"{value}\",\"name\":\"{value}\",\"folders\":[\"loras\"],\"active\":true,\"own\":1.50}}\n"
        )
    };
    let node = |class: &str, origin: &str, more: &str| {
        format!(
            "{{\"kind\":\"node\",\"workflow\":\"flow.json\",\"scope\":[],\"node\":\"3\",\"type\":\"{class}\",\"origin\":\"{origin}\",\"active\":true{more}}}\n"
        )
    };
    demo.write("custom_nodes/Other/nodes.py", "NODE_CLASS_MAPPINGS = {\"OnlyHere\": object}\n");
    let input = [
        model("1", "y/twice.safetensors"),
        node("KSampler", "builtin", ""),
        model("2", "twice.safetensors"),
        node("SAMLoader", "custom", ",\"cnr_id\":\"comfyui-impact-pack\",\"ver\":\"8.22.2\""),
        node("OnlyHere", "unknown", ""),
        node("Nowhere", "unknown", ""),
    ];
    let mut command = demo.command(["resolve"]);
    command.env("COMFREY_ENVIRONMENT", "demo");
    let run = Run::with_input(command, input.concat().as_bytes()).fails_with(1);
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let rows: Vec<_> = lines.iter().map(|line| (of(line, "status"), of(line, "rule"))).collect();
    let wanted = [
        ("resolved", "exact-path"),
        ("resolved", "built-in"),
        ("ambiguous", "file-name"),
        ("resolved", "cnr-id"),
        ("resolved", "installed"),
        ("missing", ""),
    ];
    assert_eq!(rows, wanted.map(|(status, rule)| (status.to_owned(), rule.to_owned())));
    assert!(run.stdout.lines().next().unwrap().contains("\"own\":1.50"), "fields that are not ours stay");
    assert_eq!((&lines[3]["package"], &lines[3]["version"]), (&"comfyui-impact-pack".into(), &"8.22.2".into()));
    assert_eq!((&lines[3]["installed"], &lines[4]["package"]), (&true.into(), &"Other".into()));
    // Without what is open the exit code says so.
    let run = Run::with_input(demo.command(["resolve"]), input[0].as_bytes()).success();
    assert_eq!(run.stdout.lines().count(), 1);
    let run = Run::with_input(demo.command(["resolve"]), b"{\"kind\":\"model\"}\n").fails_with(2);
    assert!(run.stderr.contains("line 1 of standard input is no reference"), "{}", run.stderr);
    let answers = "[[model]]\nvalue = \"twice.safetensors\"\nskip = true\n[[node]]\ntype = \"Nowhere\"\npackage = \"some/where\"\n";
    demo.sandbox.write("work/answers.toml", answers);
    let run =
        Run::with_input(demo.command(["resolve", "--answers", "answers.toml"]), input.concat().as_bytes()).success();
    assert!(run.stdout.contains("\"status\":\"skipped\",\"rule\":\"chosen\""), "{}", run.stdout);
    assert!(run.stdout.contains("\"package\":\"some/where\""), "{}", run.stdout);
}

#[test]
fn status_lists_packages_that_workflows_want_and_says_it_once() {
    let demo = Installation::new();
    let custom = |cnr: &str| {
        format!(
            "{{\"nodes\":[{{\"id\":1,\"type\":\"SomeNode\",\"properties\":{{\"cnr_id\":\"{cnr}\",\"ver\":\"1.2.3\"}}}}],\"links\":[]}}"
        )
    };
    demo.write("user/default/workflows/has.json", custom("comfyui_impact-pack"));
    demo.write("user/default/workflows/lacks.json", custom("some-pack"));
    demo.commit("first");
    for _ in 0..2 {
        let status = demo.json(["status"]);
        let missing = status["missing_nodes"].as_array().unwrap();
        assert_eq!(missing.len(), 1, "{status}");
        assert_eq!((&missing[0]["package"], &missing[0]["version"]), (&"some-pack".into(), &"1.2.3".into()));
        assert_eq!(missing[0]["workflows"][0], "workflows/lacks.json");
    }
    let run = demo.comfrey(["status"]).success();
    assert!(run.stdout.contains("  some-pack 1.2.3: 1 node type, wanted by workflows/lacks.json"), "{}", run.stdout);
    // Said not to be needed, it is not asked for again.
    demo.sandbox.write("work/a.toml", "[[node]]\ntype = \"SomeNode\"\nskip = true\n");
    let run = demo.comfrey(["workflow", "resolve", "lacks", "--answers", "a.toml"]).success();
    assert!(
        run.stderr.contains("not needed: it is some-pack"),
        "what the workflow declares is no question: {}",
        run.stderr
    );
    // Installed, it is not missing any more.
    demo.write("custom_nodes/Some/pyproject.toml", "[project]\nname = \"some-pack\"\nversion = \"1.2.3\"\n");
    assert!(demo.json(["status"])["missing_nodes"].as_array().unwrap().is_empty());
}

#[test]
fn a_file_that_is_no_workflow_is_told_each_time_and_read_once() {
    let demo = Installation::new();
    demo.write("user/default/workflows/broken.json", "{\"nodes\": [\n}");
    demo.commit("first");
    for _ in 0..2 {
        let status = demo.json(["status"]);
        assert_eq!(status["unreadable"][0]["path"], "workflows/broken.json", "{status}");
    }
}

/// The pipeline as it is promised.
#[test]
fn what_parse_workflow_prints_is_what_resolve_reads() {
    let demo = two_of_one_name();
    demo.sandbox.write("work/flow.json", with_lora("y/twice.safetensors"));
    let shell = |script: &str| demo.sandbox.shell_in("work", script);
    let run = shell("comfrey parse-workflow flow.json | comfrey resolve").success();
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["status"], &lines[0]["rule"]), (2, &"resolved".into(), &"exact-path".into()));
    assert_eq!((&lines[1]["kind"], &lines[1]["rule"]), (&"node".into(), &"built-in".into()), "{run:?}");
    if shell("jq --version").code != 0 {
        eprintln!("SKIPPED: jq is not installed");
        return;
    }
    let open = match cfg!(windows) {
        true => r#""select(.status != \"resolved\")""#,
        false => "'select(.status != \"resolved\")'",
    };
    let pipeline = &format!("comfrey parse-workflow flow.json | comfrey resolve | jq {open}");
    assert_eq!(shell(pipeline).success().stdout, "");
    demo.sandbox.write("work/flow.json", with_lora("twice.safetensors"));
    let run = shell(pipeline).success();
    assert!(run.stdout.contains("\"status\": \"ambiguous\""), "{}", run.stdout);
}
