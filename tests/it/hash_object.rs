//! `hash-object` as scripts use it.

use comfrey::store::Store;

use crate::support::Sandbox;

const EMPTY: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
const HELLO: &str = "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f";
const HELLO_SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const HELLO_QUICK: &str = "e54cdbe48197e60ade8f5afc90b76cdca239954a52859b6938400b8180a93674";

#[test]
fn ids_come_a_line_each_in_the_order_of_the_paths() {
    let sandbox = Sandbox::new();
    sandbox.write("empty", "");
    sandbox.write("hello", "hello");
    let run = sandbox.comfrey(["hash-object", "hello", "empty", "hello"]).success();
    assert_eq!(run.stdout, format!("{HELLO}\n{EMPTY}\n{HELLO}\n"));
}

#[test]
fn a_path_that_cannot_be_read_is_missing_from_the_lines_and_named() {
    let sandbox = Sandbox::new();
    sandbox.write("hello", "hello");
    std::fs::create_dir(sandbox.join("folder")).unwrap();
    let run = sandbox.comfrey(["hash-object", "absent", "hello", "folder"]).fails_with(3);
    assert_eq!(run.stdout, format!("{HELLO}\n"));
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("error: absent: "), "{}", run.stderr);
    assert_eq!(lines[1], "error: folder: is a directory");
}

#[test]
fn paths_on_standard_input_end_with_a_line_feed_or_nul() {
    let sandbox = Sandbox::new();
    sandbox.write("hello", "hello");
    // Windows has no such names.
    let odd = if cfg!(windows) { "with 'line" } else { "with\nline" };
    sandbox.write(odd, "");
    let lines = sandbox.comfrey_with_input(["hash-object", "--stdin-paths"], "hello\nhello\n").success();
    assert_eq!(lines.stdout, format!("{HELLO}\n{HELLO}\n"));
    let nul = sandbox.comfrey_with_input(["hash-object", "-z", "--stdin-paths"], format!("{odd}\0hello\0")).success();
    assert_eq!(nul.stdout, format!("{EMPTY}\n{HELLO}\n"));
}

#[test]
fn standard_input_is_hashed_with_all_that_is_asked_for() {
    let sandbox = Sandbox::new();
    let run = sandbox.comfrey_with_input(["hash-object", "--stdin"], "hello").success();
    assert_eq!(run.line(), HELLO);
    let run = sandbox.comfrey_with_input(["hash-object", "--stdin", "--sha256", "--quick"], "hello").success();
    assert_eq!(run.line(), format!("{HELLO} {HELLO_SHA256} {HELLO_QUICK}"));
}

#[test]
fn json_is_one_object_a_line() {
    let sandbox = Sandbox::new();
    sandbox.write("a.bin", "hello");
    let run = sandbox.comfrey(["hash-object", "--json", "--sha256", "--quick", "a.bin"]).success();
    let expected =
        format!(r#"{{"path":"a.bin","size":5,"id":"{HELLO}","sha256":"{HELLO_SHA256}","quick":"{HELLO_QUICK}"}}"#);
    assert_eq!(run.line(), expected);
    let run = sandbox.comfrey(["hash-object", "--json", "a.bin"]).success();
    assert_eq!(run.line(), format!(r#"{{"path":"a.bin","size":5,"id":"{HELLO}"}}"#));
}

#[test]
fn a_tree_is_hashed_as_a_tree_only_if_it_is_one() {
    let sandbox = Sandbox::new();
    sandbox.write("tree", [1, 0]);
    sandbox.write("blob", "x");
    let id = sandbox.comfrey(["hash-object", "-t", "tree", "tree"]).success();
    assert_ne!(id.line(), sandbox.comfrey(["hash-object", "tree"]).success().line());
    let run = sandbox.comfrey(["hash-object", "-t", "tree", "blob"]).fails_with(5);
    assert!(run.stderr.starts_with("error: blob: "), "{}", run.stderr);
    sandbox.comfrey(["hash-object", "-t", "shrub", "blob"]).fails_with(2);
}

#[test]
fn a_thousand_files_of_all_sizes_hash_alike_on_one_thread_and_on_many() {
    let sandbox = Sandbox::new();
    let mut paths = String::new();
    for i in 0..1000_usize {
        let name = format!("file{i}");
        sandbox.write(&name, vec![i as u8; (i * i) % 70_000]);
        paths += &format!("{name}\n");
    }
    sandbox.write("large", vec![7; 9 << 20]);
    paths += "large\n";
    let one = sandbox.comfrey_with_input(["hash-object", "--stdin-paths", "--threads", "1"], &paths).success();
    let many = sandbox.comfrey_with_input(["hash-object", "--stdin-paths", "--threads", "7"], &paths).success();
    assert_eq!(one.stdout, many.stdout);
    assert_eq!(one.stdout.lines().count(), 1001);
}

#[test]
fn one_path_is_answered_before_the_next_is_waited_for() {
    use std::io::{BufRead, BufReader, Write};
    let sandbox = Sandbox::new();
    sandbox.write("hello", "hello");
    sandbox.write("empty", "");
    let mut command = sandbox.comfrey_command(["hash-object", "--stdin-paths"]);
    let piped = std::process::Stdio::piped;
    let mut child = command.stdin(piped()).stdout(piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for (name, id) in [("hello", HELLO), ("empty", EMPTY)] {
        writeln!(input, "{name}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), id);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn no_path_at_all_is_wrong_usage() {
    let run = Sandbox::new().comfrey(["hash-object"]).fails_with(2);
    assert!(run.stderr.contains("--stdin-paths"), "{}", run.stderr);
}

#[test]
fn what_is_stored_is_printed_after_it_is_safe_and_can_be_had_again() {
    let sandbox = Sandbox::new();
    Store::create(&sandbox.join(".comfrey")).unwrap();
    sandbox.write("hello", "hello");
    sandbox.write("large", vec![7; 3 << 20]);
    std::fs::create_dir(sandbox.join("folder")).unwrap();
    let run = sandbox.comfrey(["hash-object", "-w", "hello", "folder", "large", "absent"]).fails_with(3);
    let hashed = sandbox.comfrey(["hash-object", "hello", "large"]).success();
    assert_eq!(run.stdout, hashed.stdout);
    assert_eq!(run.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 2, "{}", run.stderr);
    let run = sandbox.comfrey(["hash-object", "-w", "--json", "--sha256", "--quick", "hello", "large"]).success();
    assert!(run.stdout.contains(HELLO_SHA256) && run.stdout.contains(HELLO_QUICK), "{}", run.stdout);
    let run = sandbox.comfrey_with_input(["hash-object", "-w", "--stdin", "--quick"], "hello").success();
    assert_eq!(run.line(), format!("{HELLO} {HELLO_QUICK}"));
}
