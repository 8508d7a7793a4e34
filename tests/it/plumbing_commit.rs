//! The script in `docs/plumbing.md` and `comfrey commit` make the same snapshot.

use std::path::Path;

use crate::installation::{Installation, workflow};
use crate::support::Run;

/// The documented script.
fn script() -> &'static str {
    let text = include_str!("../../docs/plumbing.md");
    let (_, rest) = text.split_once("```sh commit\n").unwrap();
    rest.split_once("```").unwrap().0
}

// Not on Windows: the documented script is one of `sh`.
// Instead: its pipelines were tried by hand in `cmd` (docs/portability.md).
#[cfg(unix)]
#[test]
fn plumbing_makes_the_same_snapshot_as_commit() {
    let demo = Installation::new();
    demo.commit("first");
    demo.write("user/default/workflows/portrait.json", workflow("sub/xl.safetensors"));
    demo.write("custom_nodes/Added/weights.pth", vec![1; 100_000]);
    let mut command = demo.sandbox.command("sh");
    let programs = Path::new(env!("CARGO_BIN_EXE_comfrey")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(programs).chain(std::env::split_paths(&path));
    command
        .current_dir(demo.sandbox.join("work"))
        .env("PATH", std::env::join_paths(paths).unwrap())
        .env("comfyui", demo.comfyui())
        .env("message", "second")
        .args(["-ec", script()]);
    Run::of(command).success();
    let by_hand = demo.comfrey(["rev-parse", "HEAD"]).success().line().to_owned();
    demo.comfrey(["undo"]).success();
    let run = demo.comfrey(["commit", "-m", "second"]).success();
    let differs = demo.comfrey(["diff", &by_hand, "HEAD"]).success().stdout;
    let snapshots = [&by_hand, "HEAD"].map(|id| demo.comfrey(["show", id]).stdout).concat();
    let made = demo.comfrey(["rev-parse", "HEAD"]).success();
    assert_eq!(made.line(), by_hand, "{}\n{differs}\n{snapshots}", run.stdout);
}
