//! `import` as one step: wholly done or not at all, whatever dies when; undone as a whole; models found wherever they lie.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bundle::{Carried, FLOW};
use crate::installation::{StartedByHand, collect, difference};
use crate::support::{Run, listed_in_json};

type Files = BTreeMap<String, Vec<u8>>;

/// A bundle, and the ComfyUI and workspace into which it goes as they were before, to begin again from.
struct Scene {
    carried: Carried,
}

impl Scene {
    fn new() -> Scene {
        let carried = Carried::new();
        carried.run("a", &["export", "x.tar.zst", "--models"]).success();
        carried.sandbox.write("two/user/default/comfy.settings.json", "{}");
        let scene = Scene { carried };
        for name in ["two", "b"] {
            scene.copy(name, &format!("{name}.fresh"));
        }
        scene
    }

    fn copy(&self, from: &str, to: &str) {
        let (from, to) = (self.carried.sandbox.join(from), self.carried.sandbox.join(to));
        for entry in walkdir::WalkDir::new(&from) {
            let entry = entry.unwrap();
            let place = to.join(entry.path().strip_prefix(&from).unwrap());
            match entry.file_type().is_dir() {
                true => std::fs::create_dir(place).unwrap(),
                false => drop(std::fs::copy(entry.path(), place).unwrap()),
            }
        }
    }

    /// All is as before the first import.
    fn begin_again(&self) {
        for name in ["two", "b"] {
            comfrey::platform::durable::remove_folder(&self.carried.sandbox.join(name)).unwrap();
            self.copy(&format!("{name}.fresh"), name);
        }
    }

    /// Everything of ComfyUI, and of the workspace what is an environment's or a setting.
    fn files(&self) -> Files {
        let mut found = BTreeMap::new();
        collect(&self.carried.sandbox.join("two"), "two", &mut found);
        collect(&self.carried.sandbox.join("b/environments"), "environments", &mut found);
        found.insert("comfrey.toml".into(), self.carried.sandbox.read("b/comfrey.toml"));
        found.remove("environments/new/lock");
        // A program that is killed after its work is done leaves its name there.
        found.remove("environments/new/lock.holder");
        found.remove("environments/");
        found
    }

    fn import(&self) -> Command {
        let arguments = ["--workspace", "b", "import", "x.tar.zst", "--name", "new", "--comfyui", "two"];
        self.carried.sandbox.comfrey_command(arguments)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.carried.run("b", arguments)
    }

    /// Whoever writes next sweeps what the dead have left.
    fn sweep(&self) {
        self.run(&["hash-object", "-w", "b/comfrey.toml"]).success();
    }

    /// Before or after, both whole; true if after.
    fn is_done(&self, before: &Files, after: &Files, what: &str) -> bool {
        let now = self.files();
        let (to_before, to_after) = (difference(&now, before), difference(&now, after));
        assert!(
            to_before.is_empty() || to_after.is_empty(),
            "{what}\nto before: {to_before:?}\nto after: {to_after:?}"
        );
        let staging = self.carried.sandbox.join("b/.comfrey/staging");
        let staged: Vec<_> = std::fs::read_dir(staging).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(staged.is_empty(), "{what}: {staged:?}");
        to_after.is_empty()
    }
}

#[test]
fn a_fault_at_every_step_of_an_import_leaves_all_before_or_all_after() {
    let scene = Scene::new();
    let before = scene.files();
    Run::of(scene.import()).success();
    let after = scene.files();
    for (manner, stride) in [("", 1), ("+", 3), ("!", 1)] {
        let mut undone = 0;
        for k in (1..).step_by(stride) {
            scene.begin_again();
            let mut command = scene.import();
            command.env("COMFREY_FAULT_AT", format!("{k}{manner}"));
            let run = Run::of(command);
            // The next command of any kind.
            let next = scene.run(&["list"]).success();
            let fsck = scene.run(&["fsck"]);
            scene.sweep();
            let what = format!("step {k}{manner}: {}\n{}\n{}", run.stderr, next.stderr, fsck.stdout);
            assert!(!run.stderr.contains("panicked") && fsck.code == 0, "{what}");
            let is_done = scene.is_done(&before, &after, &what);
            assert_eq!(next.stdout.contains("new"), is_done, "{what}: {}", next.stdout);
            assert!(is_done || run.code != 0, "{what}");
            undone += u32::from(!is_done);
            if is_done && k % 7 == 0 || run.code == 0 {
                let status: Value = serde_json::from_str(scene.run(&["status", "--json"]).success().line()).unwrap();
                assert_eq!((&status["clean"], &status["head"]["version"]), (&true.into(), &"v1".into()), "{what}");
            }
            if run.code == 0 {
                break;
            }
        }
        assert!(undone > 10, "only {undone} steps of manner `{manner}` were undone");
    }
    scene.begin_again();
    Run::of(scene.import()).success();
}

#[test]
fn an_import_killed_at_random_moments_is_ended_by_the_next_command() {
    let rounds: u64 = std::env::var("COMFREY_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let scene = Scene::new();
    let before = scene.files();
    let begun = std::time::Instant::now();
    Run::of(scene.import()).success();
    let whole = begun.elapsed();
    let after = scene.files();
    let mut seen = [0, 0];
    for round in 0..rounds {
        scene.begin_again();
        let mut child = scene.import().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64((round as f64 * 0.618) % 1.0));
        // The process may have ended by itself.
        drop(child.kill());
        child.wait().unwrap();
        let next = scene.run(&["list"]).success();
        scene.run(&["fsck"]).success();
        scene.sweep();
        let is_done = scene.is_done(&before, &after, &format!("round {round}: {}", next.stderr));
        seen[usize::from(is_done)] += 1;
    }
    eprintln!("{rounds} rounds: {} undone, {} done", seen[0], seen[1]);
}

#[test]
fn an_import_is_one_operation_that_undo_takes_back_and_redo_brings_back() {
    let scene = Scene::new();
    let before = scene.files();
    Run::of(scene.import()).success();
    let after = scene.files();
    assert_eq!(scene.run(&["operations", "--json"]).success().stdout.lines().count(), 1);
    let run = scene.run(&["undo"]).success();
    assert!(run.stdout.contains("undone"), "{}", run.stdout);
    let now = scene.files();
    // Models stay, as they do with every command, and the empty folders that ComfyUI makes itself.
    let is_file = |path: &&String| path.starts_with("two/") && !path.ends_with('/') && !path.contains("/models/");
    let left: Vec<_> = now.keys().filter(is_file).collect();
    assert_eq!(left, before.keys().filter(is_file).collect::<Vec<_>>());
    assert_eq!(scene.run(&["log"]).stdout, "");
    scene.run(&["redo"]).success();
    assert_eq!(difference(&scene.files(), &after), Vec::<String>::new());
}

#[test]
fn while_its_comfyui_runs_nothing_is_imported_unless_it_is_stopped() {
    let scene = Scene::new();
    let comfyui = scene.carried.sandbox.join("two");
    let Some(_running) = StartedByHand::new("while_its_comfyui_runs_nothing_is_imported", &comfyui) else { return };
    let before = scene.files();
    let refused = Run::of(scene.import()).fails_with(4);
    assert!(refused.stderr.contains("is running") && refused.stderr.contains("--stop"), "{}", refused.stderr);
    assert_eq!(difference(&scene.files(), &before), Vec::<String>::new());
    let mut stopping = scene.import();
    stopping.arg("--stop");
    let done = Run::of(stopping).success();
    // Nothing asks a program of another terminal on Windows.
    let ended = if cfg!(windows) { "did not end and was killed" } else { "stopped ComfyUI of new" };
    assert!(done.stderr.contains(ended), "{}", done.stderr);
}

#[test]
fn what_is_missing_is_no_failure_unless_it_is_asked_for() {
    let carried = Carried::new();
    carried.run("a", &["export", "x.tar.zst"]).success();
    carried.import("x.tar.zst", &["--preview"]).success();
    carried.import("x.tar.zst", &["-n", "--exit-code"]).fails_with(1);
    let run = carried.import("x.tar.zst", &["--exit-code"]).fails_with(1);
    assert!(run.stdout.starts_with("Imported x.tar.zst as `new`"), "{}", run.stdout);
    carried.run("b", &["log"]).success();
}

/// A third ComfyUI, adopted into the second workspace, that has the model which the bundle only names.
fn with_a_third() -> Carried {
    let carried = Carried::new();
    carried.run("a", &["export", "x.tar.zst"]).success();
    for file in ["main.py", "nodes.py", "comfyui_version.py", "comfy/x.py", "custom_nodes/x"] {
        carried.sandbox.write(Path::new("three").join(file), "");
    }
    let model = carried.sandbox.read("one/models/loras/gone.safetensors");
    carried.sandbox.write("three/models/loras/their name.safetensors", model);
    carried.run("b", &["adopt", "third", "three"]).success();
    carried.run("b", &["models", "index"]).success();
    carried
}

#[test]
fn a_model_where_this_comfyui_does_not_look_is_told_and_no_workflow_names_it() {
    let carried = with_a_third();
    let run = carried.import("x.tar.zst", &[]).success();
    let place = Path::new("three").join("models").join("loras").join("their name.safetensors");
    assert!(run.stdout.contains("1 found here, 0 added, 1 where it does not look, 0 missing"), "{}", run.stdout);
    assert!(run.stdout.contains(place.to_str().unwrap()), "{}", run.stdout);
    assert!(run.stderr.contains("extra_model_paths.yaml"), "{}", run.stderr);
    let flow = carried.sandbox.read("two/user/default/workflows/flow.json");
    assert_eq!(
        String::from_utf8(flow).unwrap(),
        FLOW.replace("sd.safetensors", &listed_in_json("other/renamed.safetensors"))
    );
    let shown = carried.import("x.tar.zst", &["--json"]);
    assert_eq!(shown.code, 4, "{}", shown.stderr);
}

#[test]
fn a_folder_that_this_comfyui_is_told_of_counts_as_its_own() {
    let carried = with_a_third();
    let folder = carried.sandbox.join("three/models");
    let text = format!("shared:\n  base_path: {}\n  loras: loras\n", folder.display());
    carried.sandbox.write("two/extra_model_paths.yaml", text);
    let run = carried.import("x.tar.zst", &["--exit-code"]).success();
    assert!(run.stdout.contains("2 found here, 0 added, 0 missing"), "{}", run.stdout);
    let flow = String::from_utf8(carried.sandbox.read("two/user/default/workflows/flow.json")).unwrap();
    assert!(flow.contains("their name.safetensors"), "{flow}");
}

#[test]
fn a_model_that_the_store_holds_is_put_where_this_comfyui_looks() {
    let carried = with_a_third();
    let model = carried.sandbox.join("three/models/loras/their name.safetensors");
    carried.run("b", &["hash-object", "-w", model.to_str().unwrap()]).success();
    let run = carried.import("x.tar.zst", &[]).success();
    assert!(run.stdout.contains("1 found here, 1 added, 0 missing"), "{}", run.stdout);
    let put = carried.sandbox.read("two/models/loras/gone.safetensors");
    assert!(put == std::fs::read(&model).unwrap());
}
