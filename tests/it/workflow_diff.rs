//! `workflow diff`, and what `diff` says of workflows.

use crate::documents::{documented, same_fields};
use crate::installation::{Installation, workflow};

/// A sampler behind a loader.
fn graph(steps: &str, sampler: u32, pos: &str, more: &str) -> String {
    format!(
        r#"{{"nodes":[{{"id":4,"type":"CheckpointLoaderSimple","outputs":[{{"name":"MODEL"}}],"widgets_values":["sd15.safetensors"]}},
        {{"id":{sampler},"type":"KSampler","title":"T","pos":{pos},"properties":{{"cnr_id":"comfy-core","ver":"0.3.{steps}"}},
          "inputs":[{{"name":"model","link":1}},{{"name":"steps","widget":{{"name":"steps"}}}}],"widgets_values":[{steps}]}}{more}],
        "links":[[1,4,0,{sampler},0,"MODEL"]],"version":0.4}}"#
    )
}

const ADDED: &str = r#",{"id":9,"type":"Note","widgets_values":["hello"]}"#;

#[test]
fn two_files_are_compared_by_node_and_widget() {
    let demo = Installation::new();
    demo.sandbox.write("work/a.json", graph("20", 3, "[0,0]", ""));
    demo.sandbox.write("work/b.json", graph("30", 5, "[1,1]", ADDED));
    let run = demo.comfrey(["workflow", "diff", "a.json", "b.json"]).success();
    let expected = "~ 5 KSampler \"T\" (was 3)\n    steps: 20 → 30\n+ 9 Note\n    widget 0: \"hello\"\n\
                    ~ package comfy-core 0.3.20 → 0.3.30\n";
    assert_eq!(run.stdout, expected);
    demo.comfrey(["workflow", "diff", "a.json", "b.json", "--exit-code"]).fails_with(1);
    demo.sandbox.write("work/b.json", graph("20", 3, "[1,1]", ""));
    let run = demo.comfrey(["workflow", "diff", "a.json", "b.json", "--exit-code"]).success();
    assert_eq!((run.stdout.as_str(), run.stderr.contains("layout")), ("", true));
    let run = demo.comfrey(["workflow", "diff", "--layout", "a.json", "b.json"]).success();
    assert_eq!(run.stdout, "~ 3 KSampler \"T\"\n    pos: [0,0] → [1,1]\n");
}

#[test]
fn the_json_has_the_documented_shape() {
    let demo = Installation::new();
    // Half of what it says stays, so it is known again under its new number.
    let named = |text: String, steps: &str| {
        let values = format!("{{\"steps\":{steps},\"cfg\":8,\"sampler_name\":\"euler\",\"denoise\":1}}");
        text.replace(&format!("[{steps}]"), &values)
    };
    let old = graph("20", 3, "[0,0]", "").replace("\"KSampler\"", "\"KSampler\",\"mode\":4");
    demo.sandbox.write("work/a.json", named(old, "20"));
    let lora = r#",{"id":12,"type":"LoraLoader","outputs":[{"name":"MODEL"}],"widgets_values":["x","y","z","w"]}"#;
    let new = graph("30", 30, "[0,0]", lora).replace("[1,4,0,30", "[1,12,0,30").replace("\"T\"", "\"U\"");
    demo.sandbox.write("work/b.json", named(new, "30"));
    let printed = demo.json(["workflow", "diff", "a.json", "b.json"]);
    let (documented, sampler) = (documented("workflow diff"), &printed["graphs"][0]["nodes"][0]);
    same_fields("workflow diff.node", &documented["graphs"][0]["nodes"][0], sampler);
    for part in ["old", "new", "same", "packages"] {
        same_fields(part, &documented[part], &printed[part]);
    }
    assert_eq!((&sampler["was"], &sampler["mode"]["old"]), (&"3".into(), &"bypassed".into()));
}

#[test]
fn one_name_is_compared_with_the_last_version_and_a_revision_with_a_name() {
    let demo = Installation::new();
    demo.commit("first");
    let path = "user/default/workflows/portrait.json";
    demo.write(path, workflow("sub/xl.safetensors"));
    let expected = "~ 4 CheckpointLoaderSimple\n    widget 0: \"sd15.safetensors\" → \"sub/xl.safetensors\"\n";
    let file = demo.comfyui().join(path);
    for name in ["portrait", "portrait.json", "workflows/portrait.json"] {
        assert_eq!(demo.comfrey(["workflow", "diff", name]).success().stdout, expected, "{name}");
    }
    assert_eq!(demo.comfrey(["workflow", "diff", file.to_str().unwrap()]).success().stdout, expected);
    let run = demo.comfrey(["workflow", "diff", "v1:workflows/portrait.json", "portrait"]).success();
    assert_eq!(run.stdout, expected);
    let run = demo.comfrey(["workflow", "diff", "portrai"]).fails_with(3);
    assert!(run.stderr.contains("did you mean `portrait`?"), "{}", run.stderr);
    demo.sandbox.write("work/broken.json", "{\"nodes\": [\n}");
    let run = demo.comfrey(["workflow", "diff", "broken.json", "portrait"]).fails_with(5);
    assert!(run.stderr.contains("broken.json: not JSON: line 2"), "{}", run.stderr);
}

#[test]
fn diff_says_below_a_workflow_what_differs_in_it() {
    let demo = Installation::new();
    demo.commit("first");
    let path = "user/default/workflows/portrait.json";
    demo.write(path, workflow("sub/xl.safetensors"));
    let inside =
        "        ~ 4 CheckpointLoaderSimple\n            widget 0: \"sd15.safetensors\" → \"sub/xl.safetensors\"\n";
    let line = "M\tworkflows/portrait.json\n";
    let run = demo.comfrey(["diff", "--", "workflows"]).success();
    assert_eq!(run.stdout, format!("{line}{inside}"));
    assert_eq!(demo.comfrey(["diff", "--name-status", "--", "workflows"]).success().stdout, line);
    assert_eq!(demo.comfrey(["diff", "-z", "--", "workflows"]).success().stdout, line.replace('\n', "\0"));
    let run = demo.comfrey(["diff", "--json", "--", "workflows"]).success();
    let json: serde_json::Value = serde_json::from_str(run.line()).unwrap();
    assert_eq!(json["workflow"]["graphs"][0]["nodes"][0]["values"][0]["new"], "sub/xl.safetensors");
    demo.commit("second");
    let run = demo.comfrey(["diff", "v1", "v2", "--", "workflows"]).success();
    assert_eq!(run.stdout, format!("{line}{inside}"));
    demo.write(path, workflow("sub/xl.safetensors").replace("{\"id\":4", "{ \"pos\": [1, 2], \"id\":4"));
    let run = demo.comfrey(["diff", "--", "workflows"]).success();
    assert_eq!(run.stdout, format!("{line}\t  only its layout or form\n"));
    let run = demo.comfrey(["diff", "--layout", "--", "workflows"]).success();
    assert!(run.stdout.contains("pos: [1,2]"), "{}", run.stdout);
    demo.write(path, "{\"nodes\": [\n}");
    assert_eq!(demo.comfrey(["diff", "--", "workflows"]).success().stdout, line);
}

#[test]
fn workflows_inside_media_are_compared_by_what_ran() {
    let demo = Installation::new();
    let drawing = |steps: u32| {
        format!(
            "<svg><metadata><![CDATA[{{\"prompt\":{{\"3\":{{\"class_type\":\"KSampler\",\"inputs\":{{\"steps\":{steps}}}}}}},\
             \"workflow\":{}}}]]></metadata></svg>",
            graph(&steps.to_string(), 3, "[0,0]", "")
        )
    };
    demo.sandbox.write("work/a.png", drawing(20));
    demo.sandbox.write("work/b.png", drawing(30));
    let run = demo.comfrey(["workflow", "diff", "a.png", "b.png"]).success();
    assert_eq!(run.stdout, "~ 3 KSampler\n    steps: 20 → 30\n");
    // With a file of the editor's format, the editor's graph of the other.
    demo.sandbox.write("work/c.json", graph("20", 3, "[5,5]", ADDED));
    let run = demo.comfrey(["workflow", "diff", "a.png", "c.json"]).success();
    assert!(run.stdout.starts_with("+ 9 Note\n"), "{}", run.stdout);
    demo.sandbox.write("work/d.json", r#"{"3":{"class_type":"KSampler","inputs":{}}}"#);
    let run = demo.comfrey(["workflow", "diff", "c.json", "d.json"]).fails_with(2);
    assert!(run.stderr.contains("what the editor saves"), "{}", run.stderr);
}

/// ComfyUI's own lock and the workflows of people who paste pictures into them are larger than what the store keeps together.
#[test]
fn texts_of_more_than_a_mebibyte_are_read_as_others_are() {
    let demo = crate::installation::Installation::new();
    let flow = |seed: &str| {
        let note = "x".repeat(1_200_000);
        format!(
            "{{\"nodes\":[{{\"id\":1,\"type\":\"Note\",\"widgets_values\":[\"{note}\"]}},\
             {{\"id\":2,\"type\":\"KSampler\",\"widgets_values\":[{seed},\"fixed\"]}}],\"links\":[]}}"
        )
    };
    demo.write("user/default/workflows/large.json", flow("1"));
    let lock = format!("version = 1\n# {}\n", "y".repeat(1_200_000));
    std::fs::write(demo.cec().join("uv.lock"), &lock).unwrap();
    demo.commit("first");
    demo.write("user/default/workflows/large.json", flow("2"));
    std::fs::write(demo.cec().join("uv.lock"), "version = 1\n").unwrap();
    demo.commit("second");
    let told = demo.comfrey(["diff", "v1", "v2"]).success().stdout;
    assert!(told.contains("widget 0: 1 → 2"), "{told}");
    demo.comfrey(["workflow", "show", "v1:workflows/large.json"]).success();
    demo.comfrey(["rollback", "v1", "--yes"]).success();
    assert_eq!(std::fs::read_to_string(demo.cec().join("uv.lock")).unwrap(), lock);
    demo.comfrey(["export", "out.tar.zst"]).success();
}
