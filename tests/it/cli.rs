//! Manners that every program shares.

use crate::support::Sandbox;

#[test]
fn a_command_that_nobody_has_is_wrong_usage() {
    let run = Sandbox::new().comfrey(["frobnicate-the-store"]);
    assert_eq!(run.code, 2);
    assert!(run.stdout.is_empty());
    assert!(run.stderr.starts_with("error: `frobnicate-the-store` is not a command"), "{}", run.stderr);
}

#[test]
fn the_version_is_one_line() {
    let run = Sandbox::new().comfrey(["--version"]).success();
    assert_eq!(run.stdout, format!("comfrey {}\n", env!("CARGO_PKG_VERSION")));
}
