//! `run`, `ps`, `stop`: the real program with the stand-in for ComfyUI.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Command;

use crate::documents::{documented, documented_lines, same_fields};
use crate::standin::{Standin, ask, eventually, free_port, is_alive, python};
use crate::support::Run;
use crate::trial::left_out;

const PROMPT: &str = r#"{"prompt":{"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":1,"color":255}},
 "2":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"it"}}},
 "extra_data":{"extra_pnginfo":{"workflow":{"nodes":[],"links":[],"version":0.4}}}}"#;

const NODE: &str = "\
class Mine:
    @classmethod
    def INPUT_TYPES(cls):
        return {'required': {'image': ('IMAGE',)}}
    RETURN_TYPES = ('IMAGE',)
NODE_CLASS_MAPPINGS = {'MineOwn': Mine}
";

/// Whether that is the log of a run which was stopped. What has no console hears nothing of it on Windows, and is killed after a while.
fn has_been_stopped(log: &str) -> bool {
    log.ends_with("[comfrey] stopped\n") || (cfg!(windows) && log.ends_with("[comfrey] killed\n"))
}

#[test]
fn a_run_is_started_ready_learned_from_and_stopped() {
    let Some(standin) = Standin::new("a_run_is_started_ready_learned_from_and_stopped") else { return };
    standin.node("mine", NODE);
    let mut command = standin.command(["run", "--json"]);
    command.env_remove("COMFREY_TIME");
    let mut run = standin.watched(command);
    let documented = documented_lines("run");
    let started = run.event("started");
    same_fields("started", &documented[0], &started);
    assert_eq!(started["port"], standin.port);
    same_fields("ready", &documented[1], &run.event("ready"));
    let learned = run.event("learned");
    same_fields("learned", &documented[2], &learned);
    assert_eq!(learned["classes"], 8);

    let shown = standin.json(["ps"]);
    assert_eq!(shown.len(), 1);
    same_fields("ps", &crate::documents::documented("ps"), &shown[0]);
    assert_eq!((&shown[0]["environment"], &shown[0]["ready"]), (&"demo".into(), &true.into()));
    assert_eq!(shown[0]["process"], started["process"]);

    // What it learned answers questions.
    let owner = standin.json(["catalog", "show", "MineOwn"]);
    assert_eq!(owner[0]["origin"], "custom", "{owner:?}");

    // A picture can be made, and its workflow is read.
    assert_eq!(standin.ask("POST", "/prompt", PROMPT).unwrap().0, 200);
    let picture = standin.sandbox.join("ComfyUI/output/it_00001_.png");
    eventually("the picture", || {
        let done = standin.ask("GET", "/history", "").unwrap().1.contains("success");
        (done && picture.exists()).then_some(())
    });
    let nodes = standin.comfrey(["parse-workflow", picture.to_str().unwrap()]).success().stdout;
    assert!(nodes.contains("EmptyImage") || nodes.is_empty(), "{nodes}");

    // One at a time, and nothing is rewritten under it.
    let second = standin.comfrey(["run"]).fails_with(4);
    assert!(second.stderr.contains("running already"), "{}", second.stderr);

    let stopped = standin.json(["stop"]);
    same_fields("stop", &documented_of_stop(), &stopped[0]);
    assert_eq!(stopped[0]["process"], started["process"]);
    same_fields("ended", &documented[4], &run.event("ended"));
    let (code, said) = run.end();
    assert_eq!(code, 0, "{said}");
    assert!(!is_alive(started["process"].as_u64().unwrap() as u32));
    assert!(standin.json(["ps"]).is_empty());
    assert!(standin.log().contains("To see the GUI go to") && has_been_stopped(&standin.log()));
    assert_eq!(standin.comfrey(["stop"]).success().stderr, "ComfyUI of demo does not run\n");

    // The same set of nodes is not asked for twice; another one is.
    let again = |expected: bool| {
        let mut run = standin.watched(standin.command(["run", "--json"]));
        run.event("ready");
        if expected {
            run.event("learned");
        }
        standin.comfrey(["stop"]).success();
        let ended = run.event("ended");
        assert_eq!(ended["stopped"], true);
    };
    again(false);
    standin.node("another", &NODE.replace("MineOwn", "Another"));
    again(true);
}

fn documented_of_stop() -> serde_json::Value {
    documented("stop")
}

// Not on Windows: Ctrl-C comes from a console, and a test under Wine has none.
// Instead: tried by hand in a terminal (docs/portability.md); what a program started ends with it in `platform::child`.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_comfyui_and_what_it_started() {
    let Some(standin) = Standin::new("ctrl_c_ends_comfyui_and_what_it_started") else { return };
    for deaf in [false, true] {
        let note = standin.sandbox.join(format!("child-{deaf}"));
        let mut command = standin.command(["run", "--json"]);
        command.env("STANDIN_CHILD", &note);
        if deaf {
            command.env("STANDIN_DEAF", "1");
        }
        let mut run = standin.watched(command);
        let process = run.event("started")["process"].as_u64().unwrap() as u32;
        run.event("ready");
        let grandchild: u32 = std::fs::read_to_string(&note).unwrap().parse().unwrap();
        assert!(is_alive(process) && is_alive(grandchild));
        run.interrupt();
        if deaf {
            // After the second time it is not waited for.
            eventually("the end of ComfyUI", || {
                run.interrupt();
                (!is_alive(process)).then_some(())
            });
        }
        assert_eq!(run.event("ended")["stopped"], true);
        let (code, said) = run.end();
        assert_eq!(code, 130, "{said}");
        assert!(!is_alive(process));
        eventually("the end of the child", || (!is_alive(grandchild)).then_some(()));
        assert!(!standin.folder().join("running.json").exists());
    }
}

#[test]
fn the_exit_code_is_handed_on_and_a_crash_before_it_answers_shows_the_last_lines() {
    let Some(standin) = Standin::new("the_exit_code_is_handed_on") else { return };
    let mut command = standin.command(["run"]);
    command.env("STANDIN_EXIT_AFTER", "3:5");
    let run = Run::of(command).fails_with(5);
    assert!(run.stdout.contains("To see the GUI go to"), "{}", run.stdout);
    assert!(run.stderr.contains("ComfyUI of demo answers at"), "{}", run.stderr);

    let crash = |arguments: &[&str]| {
        let mut command = standin.command(arguments.iter().copied());
        command.env("STANDIN_CRASH", "3");
        Run::of(command).fails_with(7)
    };
    let seen = crash(&["run"]);
    assert!(seen.stdout.contains("told to fail"), "{}", seen.stdout);
    assert!(seen.stderr.contains("exit code 3") && seen.stderr.contains("comfrey doctor"), "{}", seen.stderr);
    assert!(!seen.stderr.contains("told to fail"), "{}", seen.stderr);
    for arguments in [&["run", "--quiet"][..], &["run", "--wait"]] {
        let unseen = crash(arguments);
        assert!(unseen.stderr.contains("RuntimeError: told to fail"), "{}", unseen.stderr);
        assert_eq!(unseen.stdout, "");
    }
    assert!(standin.log().ends_with("[comfrey] ended with exit code 3 before it answered\n"));
    // What ends well without having answered has not failed.
    standin.comfrey(["run", "--", "--quick-test-for-ci"]).success();
}

#[test]
fn when_nobody_reads_what_it_says_it_is_stopped_quietly() {
    let Some(standin) = Standin::new("when_nobody_reads_what_it_says") else { return };
    let mut command = standin.command(["run"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("To see the GUI")));
    eventually("the answer", || standin.ask("GET", "/system_stats", "").ok());
    drop(lines);
    // What it says next cannot be passed on.
    drop(standin.ask("POST", "/prompt", "{}"));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!said.contains("error"), "{said}");
    assert!(has_been_stopped(&standin.log()));
}

#[test]
fn a_port_in_use_is_an_error_if_it_was_asked_for_and_gives_way_otherwise() {
    let Some(standin) = Standin::new("a_port_in_use") else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    let run = standin.comfrey(["run", "--port", &taken.to_string()]).fails_with(4);
    assert!(run.stderr.contains(&format!("port {taken} is in use")), "{}", run.stderr);
    let run = standin.comfrey(["run", "--", &format!("--port={taken}")]).fails_with(4);
    assert!(run.stderr.contains(&format!("port {taken} is in use")), "{}", run.stderr);
    standin.comfrey(["run", "--", "--port", "many"]).fails_with(2);

    standin.fact(&format!("port = {taken}"));
    let shown = standin.json(["run", "--dry-run"]).remove(0);
    same_fields("run", &documented("run --dry-run"), &shown);
    let url = shown["url"].as_str().unwrap();
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    assert!(port >= 8188 && port != taken, "{url}");
    let words: Vec<&str> = shown["arguments"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert!(words[0].ends_with("main.py") && words.contains(&"--port"), "{words:?}");
}

#[test]
fn comfyui_looks_wherever_the_workspace_has_models() {
    let test = "comfyui_looks_wherever_the_workspace_has_models";
    let Some(standin) = Standin::new(test) else { return };
    let system = Command::new(python(test).unwrap()).args(["-c", "import os; print(os.name)"]).output().unwrap();
    if cfg!(windows) && !system.stdout.starts_with(b"nt") {
        // The Python under Wine knows no drives. Instead: `comfyui_reads_what_is_written`.
        return left_out(test, "its Python is one of another system");
    }
    for path in ["more models/checkpoints/b.safetensors", "style/loras/c.safetensors", "named/ckpt/d.safetensors"] {
        standin.sandbox.write(path, "weights");
    }
    standin.sandbox.write("named/paths.yaml", "mine:\n  checkpoints: ckpt\n");
    standin.comfrey(["config", "--add", "models.folders", "../more models", "../style/loras"]).success();
    standin.comfrey(["config", "models.extra_paths", "../named/paths.yaml"]).success();
    standin.comfrey(["run", "--wait"]).success();
    let names = |class: &str, input: &str| {
        let said = standin.ask("GET", "/object_info", "").unwrap().1;
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        said[class]["input"]["required"][input][0].to_string()
    };
    let (checkpoints, loras) =
        (names("CheckpointLoaderSimple", "ckpt_name"), names("LoraLoaderModelOnly", "lora_name"));
    standin.comfrey(["stop"]).success();
    assert!(checkpoints.contains("b.safetensors") && checkpoints.contains("d.safetensors"), "{checkpoints}");
    assert!(loras.contains("c.safetensors"), "{loras}");
    assert!(!standin.sandbox.join("ComfyUI/extra_model_paths.yaml").exists());
}

#[test]
fn arguments_are_passed_on_after_those_of_the_environment() {
    let Some(standin) = Standin::new("arguments_are_passed_on") else { return };
    standin.fact("arguments = [\"--lowvram\"]");
    let port = free_port().to_string();
    standin.comfrey(["run", "--wait", "--", "--port", &port, "--cpu"]).success();
    let port: u16 = port.parse().unwrap();
    let stats = ask(port, "GET", "/system_stats", "").unwrap().1;
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    let argv: Vec<&str> =
        stats["system"]["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(argv[1..], ["--lowvram", "--port", &port.to_string(), "--cpu"]);
    assert_eq!(standin.json(["ps"])[0]["port"], port);
    standin.comfrey(["stop", "demo"]).success();
}

#[test]
fn what_runs_in_the_background_is_shown_and_stopped() {
    let Some(standin) = Standin::new("what_runs_in_the_background") else { return };
    let mut command = standin.command(["run", "--detach", "--json"]);
    command.env("STANDIN_START_SECONDS", "1");
    let run = Run::of(command).success();
    let started: serde_json::Value = serde_json::from_str(run.line()).unwrap();
    same_fields("run", &documented("run --detach"), &started);
    assert_eq!(started["ready"], false);
    let process = started["process"].as_u64().unwrap() as u32;
    eventually("the answer", || (standin.json(["ps"]).first()?["ready"] == true).then_some(()));
    let table = standin.comfrey(["ps"]).success().stdout;
    assert!(table.starts_with("demo  ready  http://127.0.0.1:"), "{table}");
    let run = standin.comfrey(["stop", "--all"]).success();
    assert_eq!(run.stdout, format!("Stopped ComfyUI of demo (process {process})\n"));
    assert!(!is_alive(process));
    assert_eq!(standin.comfrey(["ps"]).success().stderr, "no ComfyUI of this workspace runs\n");

    // One that does not listen to wishes is killed.
    let mut command = standin.command(["run", "--wait", "--timeout", "60"]);
    command.env("STANDIN_DEAF", "1");
    let run = Run::of(command).success();
    assert!(run.stdout.starts_with("ComfyUI of demo answers at"), "{}", run.stdout);
    standin.comfrey(["stop", "--timeout", "0.5"]).success();
    assert!(standin.json(["ps"]).is_empty());
    assert!(standin.log().ends_with(if cfg!(unix) { "[comfrey] killed\n" } else { "\n" }));
}

#[test]
fn a_restart_that_is_asked_for_is_done() {
    let Some(standin) = Standin::new("a_restart_that_is_asked_for_is_done") else { return };
    let mut run = standin.watched(standin.command(["run", "--json"]));
    let first = run.event("started");
    run.event("ready");
    // As ComfyUI-Manager is asked by its button; it ends before it answers.
    drop(standin.ask("GET", "/manager/reboot", ""));
    same_fields("restarting", &documented_lines("run")[3], &run.event("restarting"));
    let second = run.event("started");
    run.event("ready");
    assert_ne!(first["process"], second["process"]);
    assert_ne!(first["log"], second["log"]);
    assert_eq!(standin.json(["ps"])[0]["restarts"], 1);
    standin.comfrey(["stop"]).success();
    assert_eq!(run.event("ended")["stopped"], true);
}

#[test]
fn the_record_of_a_run_that_was_killed_is_swept() {
    let Some(standin) = Standin::new("the_record_of_a_run_that_was_killed_is_swept") else { return };
    let note = standin.sandbox.join("child");
    let mut command = standin.command(["run", "--json"]);
    command.env("STANDIN_CHILD", &note);
    let mut run = standin.watched(command);
    let process = run.event("started")["process"].as_u64().unwrap() as u32;
    run.event("ready");
    let grandchild: u32 = std::fs::read_to_string(&note).unwrap().parse().unwrap();
    assert!(is_alive(process));
    // The Python under Wine tells a number of the machine below; there it is for `platform::child` to show that nothing is left.
    assert!(is_alive(grandchild) || cfg!(windows));
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    eventually("the end of ComfyUI", || (!is_alive(process)).then_some(()));
    eventually("the end of what it started", || (!is_alive(grandchild)).then_some(()));
    let run = standin.comfrey(["ps"]).success();
    assert!(run.stderr.contains("its record is taken away"), "{}", run.stderr);
    assert_eq!(standin.comfrey(["ps"]).success().stderr, "no ComfyUI of this workspace runs\n");
    // And the next run works.
    standin.comfrey(["run", "--wait"]).success();
    standin.comfrey(["stop"]).success();
}

#[test]
fn files_are_not_rewritten_under_a_running_comfyui_unless_that_is_wished() {
    let Some(standin) = Standin::new("files_are_not_rewritten_under_a_running_comfyui") else { return };
    standin.node("mine", NODE);
    standin.comfrey(["commit", "-m", "first"]).success();
    standin.node("mine", &NODE.replace("MineOwn", "Changed"));
    standin.comfrey(["commit", "-m", "second"]).success();
    standin.comfrey(["run", "--wait"]).success();
    let refused = standin.comfrey(["rollback", "v1"]).fails_with(4);
    assert!(refused.stderr.contains("comfrey stop demo") && refused.stderr.contains("--while-running"));
    if cfg!(unix) {
        standin.comfrey(["rollback", "v1", "--while-running"]).success();
        assert_eq!(standin.json(["ps"]).len(), 1);
    }
    standin.comfrey(["rollback", "v2", "--stop"]).success();
    assert!(standin.json(["ps"]).is_empty());
    standin.comfrey(["rollback", "v1", "--stop", "--while-running"]).fails_with(2);
}
