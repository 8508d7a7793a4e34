//! `create` with what cannot be: requirements, a network, a uv and a Comfrey that give way. Nothing of the environment is left, and the
//! message says what would help.

use std::process::Command;

use serde_json::Value;

use crate::create::Sources;
use crate::support::Run;
use crate::wheels::Wheels;

/// Sources with wheels of their own, and the requirements of the ComfyUI in `plain/`.
struct Making {
    sources: Sources,
    wheels: Wheels,
}

impl Making {
    /// Nothing where there is no uv.
    fn new() -> Option<Self> {
        let sources = Sources::new();
        let wheels = Wheels::new(sources.sandbox.path())?;
        for (name, version, requires) in
            [("foo", "1.0", &[] as &[&str]), ("foo", "2.0", &[]), ("baz", "1.0", &["foo>=2"])]
        {
            wheels.add(name, version, requires);
        }
        Some(Making { sources, wheels })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.sources.command(words);
        self.wheels.apply(&mut command);
        command
    }

    fn create(&self, requirements: &str) -> Run {
        self.sources.sandbox.write("plain/requirements.txt", requirements);
        Run::of(self.command(&["create", "demo", "--comfyui", "../plain"]))
    }
}

#[test]
fn requirements_of_comfyui_that_cannot_be_met_are_named_and_nothing_is_made() {
    let Some(making) = Making::new() else { return };
    for (requirements, said) in [
        ("foo>9\n", "ComfyUI wants foo>9\nno foo that can be had satisfies that"),
        ("foo\nnothere\n", "ComfyUI wants nothere\nno nothere that can be had satisfies that"),
        ("foo<2\nbaz\n", "ComfyUI wants foo<2\nComfyUI wants foo>=2, through baz"),
    ] {
        let run = making.create(requirements).fails_with(4);
        assert!(run.stderr.contains(said), "{requirements}: {}", run.stderr);
        for way in ["nothing was made", "--ref", "--python", "--template"] {
            assert!(run.stderr.contains(way), "{way}: {}", run.stderr);
        }
        making.sources.nothing_is_left();
    }
    // A place that does not answer is uv's to tell.
    let run = making.create("foo @ https://127.0.0.1:1/foo-1.0-py3-none-any.whl\n").fails_with(7);
    assert!(
        run.stderr.contains("uv lock failed") && run.stderr.contains("foo @ https://127.0.0.1:1/"),
        "{}",
        run.stderr
    );
    let log = making.sources.sandbox.join("work/.comfrey/logs/create.log");
    assert!(run.stderr.contains("logs/create.log") && log.exists(), "{}", run.stderr);
    making.sources.nothing_is_left();
    let python = ["create", "demo", "--comfyui", "../plain", "--python", "3.99"];
    let run = Run::of(making.command(&python)).fails_with(7);
    assert!(run.stderr.contains("uv python list"), "{}", run.stderr);
    making.sources.nothing_is_left();
}

#[test]
fn requirements_of_comfyui_that_name_a_path_an_index_or_no_package_are_left_out_and_told() {
    let Some(making) = Making::new() else { return };
    let requirements =
        "foo\n./local.whl\n--index-url https://example.org/simple\nhttps://example.org/foo.whl\n-r absent.txt\n";
    let run = making.create(requirements).success();
    for (line, reason) in [
        ("requirements.txt:2: `./local.whl`", "a file or folder of one machine"),
        ("requirements.txt:3: `--index-url https://example.org/simple`", "where packages come from is for you to set"),
        ("requirements.txt:4: `https://example.org/foo.whl`", "a URL that does not say which package it is"),
        ("requirements.txt:5: `absent.txt`", "a file that is not there"),
    ] {
        assert!(run.stderr.contains(&format!("{line} is left out: {reason}")), "{line}: {}", run.stderr);
    }
    let manifest = making.sources.manifest("demo");
    assert!(manifest.contains("dependencies = [\n    \"foo\",\n]"), "{manifest}");
    let words = ["create", "second", "--comfyui", "../plain", "--json"];
    let made: Value = serde_json::from_str(Run::of(making.command(&words)).success().line()).unwrap();
    let reasons: Vec<&str> =
        made["refused"].as_array().unwrap().iter().map(|refused| refused["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["local-path", "index", "no-name", "absent"]);
}

// Not on Windows: the program in uv's place is a script of `sh`.
// Instead: `what_cannot_be_had_is_refused_with_who_wants_it_and_nothing_is_changed`, whose uv fails by itself.
#[cfg(unix)]
#[test]
fn uv_or_comfrey_killed_at_any_step_of_create_leaves_nothing_behind() {
    use std::os::unix::fs::PermissionsExt;
    let Some(making) = Making::new() else { return };
    making.sources.sandbox.write("plain/requirements.txt", "foo\n");
    for (who, victim) in [("uv", "$$"), ("comfrey", "$PPID")] {
        for step in ["lock", "venv", "sync"] {
            // It has done its work, and goes on when Comfrey is gone.
            let script = format!(
                "#!/bin/sh\nUV='{}'\nif [ \"$1\" = {step} ]; then \"$UV\" \"$@\" >/dev/null 2>&1; kill -9 {victim}; fi\nexec \"$UV\" \"$@\"\n",
                making.wheels.uv().display()
            );
            let uv = making.sources.sandbox.write("stand-in/uv", script);
            std::fs::set_permissions(&uv, std::fs::Permissions::from_mode(0o755)).unwrap();
            let mut command = making.command(&["create", "demo", "--comfyui", "../plain"]);
            command.env("COMFREY_UV", &uv);
            let run = Run::of(command);
            if who == "uv" {
                assert_eq!(run.code, 7, "{step}: {run:?}");
                assert!(run.stderr.contains(&format!("uv {step} failed, ended by a signal")), "{}", run.stderr);
            } else {
                assert_eq!(run.code, -1, "{step}: {run:?}");
                let next = making.sources.comfrey(&["list"]).success();
                let said = next.stderr.contains("`comfrey create demo --comfyui ../plain` was interrupted");
                // Before it has its name there is nothing to take away.
                assert_eq!(said, step != "lock", "{step}: {}", next.stderr);
                assert_eq!(next.stdout, "", "{step}");
                making.sources.comfrey(&["gc"]).success();
            }
            making.sources.nothing_is_left();
        }
    }
    making.create("foo\n").success();
}

#[test]
fn without_a_network_create_says_what_could_not_be_reached_and_leaves_nothing() {
    let sources = Sources::with_git();
    let address = format!("http://127.0.0.1:{}/ComfyUI.git", crate::standin::free_port());
    for words in [&["--ref", "v0.3.64"][..], &[]] {
        let words = [&["create", "demo", "--no-python", "--comfyui", &address], words].concat();
        let mut command = sources.command(&words);
        for name in ["HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"] {
            command.env_remove(name);
        }
        let run = Run::of(command).fails_with(7);
        assert!(run.stderr.contains("git ls-remote") && run.stderr.contains(&address), "{}", run.stderr);
        sources.nothing_is_left();
    }
}
