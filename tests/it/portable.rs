//! What was made on one system and comes to another: the same ids, and nothing half done.

use comfrey::platform::folder::HAS_EXECUTABLE_FILES;

use crate::installation::Installation;
use crate::support::{Run, Sandbox};

/// A tree of these lines, as `ls-tree` prints them.
fn tree_of(demo: &Sandbox, lines: &str) -> String {
    demo.comfrey_with_input(["--workspace", "work", "make-tree"], lines).success().line().to_owned()
}

/// The tree `tree` with the file at a path executable, as another system may have made it.
fn with_executable(demo: &Installation, tree: &str, path: &str) -> String {
    let (name, rest) = path.split_once('/').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let listed = demo.comfrey(["ls-tree", tree]).success().stdout;
    let line = listed.lines().find(|line| line.ends_with(&format!("\t{name}"))).unwrap();
    let changed = match rest {
        None => line.replacen("file ", "executable ", 1),
        Some(rest) => {
            let id = line.split(' ').nth(1).unwrap();
            line.replace(id, &with_executable(demo, id, rest))
        }
    };
    tree_of(&demo.sandbox, &listed.replace(line, &changed))
}

#[test]
fn trees_made_elsewhere_come_back_with_the_same_ids() {
    let demo = Installation::new();
    let first = demo.commit("first");
    let tree = with_executable(&demo, "HEAD", "nodes/Impact/sub/deep.py");
    let made = demo.comfrey(["commit-tree", &tree, "-p", &first, "-m", "from elsewhere"]).success();
    demo.comfrey(["update-ref", "demo/heads/main", made.line()]).success();
    demo.comfrey(["rollback", "HEAD"]).success();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = std::fs::metadata(demo.comfyui().join("custom_nodes/Impact/sub/deep.py")).unwrap();
        assert!(file.permissions().mode() & 0o100 != 0);
    }
    demo.comfrey(["status", "--exit-code"]).success();
    let listed = || demo.comfrey(["ls-tree", "-r", "HEAD"]).success().stdout;
    let before = listed();
    demo.comfrey(["commit", "-m", "again"]).success();
    let nodes = |listed: &str| -> Vec<String> {
        listed.lines().filter(|line| line.contains("\tnodes/")).map(str::to_owned).collect()
    };
    assert_eq!(nodes(&listed()), nodes(&before));
    // What is edited is what changes.
    demo.write("custom_nodes/Impact/sub/deep.py", "x = 2\n");
    demo.commit("edited");
    let tree = listed();
    let line = tree.lines().find(|line| line.ends_with("\tnodes/Impact/sub/deep.py")).unwrap();
    assert!(line.starts_with("executable "), "{line}");
}

#[test]
fn a_pack_gives_the_same_snapshot_in_another_workspace() {
    let (from, to) = (Installation::new(), Installation::new());
    from.commit("first");
    let tree = with_executable(&from, "HEAD", "nodes/Impact/sub/deep.py");
    let id = from.comfrey(["commit-tree", &tree, "-m", "to be carried"]).success().line().to_owned();
    let listed = |of: &Installation| of.comfrey(["ls-tree", "-r", &id]).success().stdout;
    let ids: String = from.comfrey(["rev-list", "--objects", &id]).success().stdout;
    let pack = from.sandbox.join("carried.pack");
    let mut command = from.command(["pack"]);
    command.stdout(std::fs::File::create(&pack).unwrap()).stdin(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), ids.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let mut command = to.command(["unpack"]);
    command.stdin(std::fs::File::open(&pack).unwrap());
    Run::of(command).success();
    assert_eq!(listed(&to), listed(&from));
    let checked_out = |of: &Installation| {
        of.comfrey(["checkout-tree", &format!("{id}:nodes"), "../out"]).success();
        of.comfrey(["write-tree", "../out"]).success().line().to_owned()
    };
    let (there, here) = (checked_out(&to), checked_out(&from));
    assert_eq!(there, here);
    let nodes = from.comfrey(["rev-parse", &format!("{id}:nodes")]).success().line().to_owned();
    assert_eq!(there == nodes, HAS_EXECUTABLE_FILES, "plumbing writes what it sees");
}

#[test]
fn names_that_this_system_cannot_hold_are_named_before_anything_is_written() {
    let sandbox = Sandbox::new();
    comfrey::store::Store::create(&sandbox.join("work/.comfrey")).unwrap();
    sandbox.write("x", "x");
    let comfrey = |words: &[&str]| sandbox.comfrey([&["--workspace", "work"], words].concat());
    let blob = comfrey(&["hash-object", "-w", "x"]).success().line().to_owned();
    sandbox.write("out/good", "mine");
    for name in ["aux.py", "a:b", "dot.", "space ", "what?", "COM1"] {
        let file = format!("file {blob} 1\t");
        let as_file = tree_of(&sandbox, &format!("{file}{name}\n"));
        let as_folder = tree_of(&sandbox, &format!("tree {} 1\t{name}\n", tree_of(&sandbox, &format!("{file}x\n"))));
        for below in [as_file, as_folder] {
            let tree = tree_of(&sandbox, &format!("{file}good\ntree {below} 1\tsub\n"));
            drop(std::fs::remove_dir_all(sandbox.join("out/sub")));
            sandbox.write("out/good", "mine");
            let run = comfrey(&["checkout-tree", &tree, "out"]);
            if cfg!(windows) {
                let run = run.fails_with(4);
                assert!(run.stderr.contains(&format!("sub/{name}")), "{}", run.stderr);
                assert_eq!(sandbox.read("out/good"), b"mine", "{name}");
                assert_eq!(std::fs::read_dir(sandbox.join("out")).unwrap().count(), 1, "{name}");
            } else {
                run.success();
                assert!(sandbox.join("out/sub").join(name).exists());
            }
        }
    }
}
