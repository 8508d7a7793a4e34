//! What goes wrong on the way: all before or all after.

use std::process::Command;

use crate::installation::{Installation, difference};
use crate::loopback::Loopback;
use crate::support::Run;

use super::sources::{NOBODY, Registry, alone, at, everything, unchanged, with_pack, zip_of};

#[test]
fn a_manifest_that_is_no_toml_is_named_with_its_line_and_nothing_is_changed() {
    let demo = with_pack();
    std::fs::write(demo.cec().join("pyproject.toml"), "[project]\nname = \n").unwrap();
    let before = everything(&demo);
    for arguments in [
        &["node", "disable", "my-pack"][..],
        &["node", "add", "my-pack@1.0.0"],
        &["node", "remove", "my-pack", "--delete"],
    ] {
        let run = alone(&demo, arguments).fails_with(4);
        assert!(run.stderr.contains("pyproject.toml, line 2"), "{}", run.stderr);
        unchanged(&demo, &before, &run);
    }
}

#[test]
fn a_fault_at_every_step_of_an_addition_leaves_all_before_or_all_after() {
    let demo = Installation::new();
    demo.sandbox.write("work/pack.zip", zip_of("1.0.0"));
    let before = demo.files();
    alone(&demo, &["node", "add", "./pack.zip"]).success();
    let after = demo.files();
    demo.comfrey(["undo"]).success();
    let command = |fault: String| -> Command {
        let mut command = demo.command(["node", "add", "./pack.zip"]);
        command.env("COMFREY_FAULT_AT", fault);
        command
    };
    for (manner, stride) in [("", 3), ("+", 5), ("!", 3)] {
        let (mut undone, mut passed) = (0, 0);
        for k in (1..).step_by(stride) {
            let run = Run::of(command(format!("{k}{manner}")));
            let next = demo.comfrey(["list"]).success();
            let what = format!("step {k}{manner}: {}\n{}", run.stderr, next.stderr);
            assert!(!run.stderr.contains("panicked"), "{what}");
            let files = demo.files();
            let is_done = difference(&files, &after).is_empty();
            assert!(is_done || difference(&files, &before).is_empty(), "{what}\n{:?}", difference(&files, &before));
            assert!(is_done || run.code != 0, "{what}");
            undone += u32::from(!is_done);
            if is_done {
                demo.comfrey(["undo"]).success();
                assert_eq!(difference(&demo.files(), &before), Vec::<String>::new(), "{what}");
            }
            // What is only remembered for another time may fail to be, and the command goes on.
            passed = if run.code == 0 { passed + 1 } else { 0 };
            if passed == 8 {
                break;
            }
        }
        assert!(undone > 3, "only {undone} steps of manner `{manner}` were undone");
    }
}

/// A node of this many bytes that nothing makes smaller.
fn heavy(demo: &Installation, bytes: usize) {
    let mut noise = vec![0; bytes];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    demo.sandbox.write("heavy/__init__.py", "x = 1\n");
    for (n, part) in noise.chunks(900_000).enumerate() {
        demo.sandbox.write(format!("heavy/data{n}.bin"), part);
    }
}

/// A small disk in the place of a folder, with all that lay in it.
fn on_a_small_disk(folder: &std::path::Path, size: &str) -> Result<crate::store::Mounted, String> {
    let kept = folder.with_extension("kept");
    // Where there is no such disk, the folder stays.
    drop(crate::store::tmpfs(&kept, size)?);
    std::fs::remove_dir(&kept).unwrap();
    std::fs::rename(folder, &kept).unwrap();
    let mounted = crate::store::tmpfs(folder, size).unwrap();
    crate::store::system("cp", &["-a", &format!("{}/.", kept.display()), folder.to_str().unwrap()])?;
    std::fs::remove_dir_all(&kept).unwrap();
    Ok(mounted)
}

#[test]
fn a_disk_that_is_full_where_the_store_or_comfyui_lies_ends_an_addition_with_all_as_it_was() {
    for full in ["work/.comfrey", "ComfyUI"] {
        let demo = Installation::new();
        heavy(&demo, 8_000_000);
        let before = everything(&demo);
        let disk = demo.sandbox.join(full);
        let _mounted = match on_a_small_disk(&disk, "7m") {
            Ok(mounted) => mounted,
            Err(why) => return crate::store::skip("node add on a full disk", &why),
        };
        let run = alone(&demo, &["node", "add", "../heavy"]).fails_with(3);
        assert!(run.stderr.contains("the disk is full"), "{full}: {}", run.stderr);
        unchanged(&demo, &before, &run);
        demo.comfrey(["fsck"]).success();
        crate::store::system("mount", &["-o", "remount,size=64m", disk.to_str().unwrap()]).unwrap();
        alone(&demo, &["node", "add", "../heavy"]).success();
        assert!(demo.exists("custom_nodes/heavy/data0.bin"));
    }
}

#[test]
fn without_a_network_each_step_says_which_host_it_wanted_and_changes_nothing() {
    let demo = with_pack();
    let before = everything(&demo);
    let files = Loopback::start(Vec::new());
    let gone = files.url("/node.zip");
    files.requests();
    let said = |run: &Run, parts: &[&str]| {
        for part in parts {
            assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
        }
        unchanged(&demo, &before, run);
    };
    // The registry is asked for the package, or for its newest version.
    let run = alone(&demo, &["node", "add", "another"]).fails_with(6);
    said(&run, &[NOBODY, "/nodes/another: no host could be reached", "check the network"]);
    demo.sandbox.write("work/another/__init__.py", "");
    let run = alone(&demo, &["node", "add", "another"]).fails_with(6);
    said(&run, &["The folder here of that name is `comfrey node add ./another`"]);
    // What the registry says is known, and the archive's host does not answer.
    let registry = Registry::with_archive_at("1.1.0", &[("1.0.0", "Active"), ("1.1.0", "Active")], &gone);
    std::fs::remove_dir_all(demo.sandbox.join("work/.comfrey/catalog/registry")).unwrap();
    let run = at(&demo, &registry.url(""), &["node", "update", "my-pack"]).fails_with(6);
    registry.requests();
    said(&run, &["/node.zip: no host could be reached", "check the network"]);
    let run = alone(&demo, &["node", "add", &gone]).fails_with(6);
    said(&run, &["/node.zip: no host could be reached"]);
    let run = alone(&demo, &["node", "add", "http://127.0.0.1:9/ann/pack.git"]).fails_with(7);
    said(&run, &["`git ls-remote` failed on http://127.0.0.1:9/ann/pack.git", "127.0.0.1", "nothing was changed"]);
    // What is in the store serves where the registry cannot be asked for something newer.
    std::fs::remove_dir_all(demo.sandbox.join("work/.comfrey/catalog/registry")).unwrap();
    let run = alone(&demo, &["node", "update", "my-pack"]).success();
    said(&run, &["the registry was not asked", "my-pack is at that version: 1.0.0"]);
    let run = alone(&demo, &["node", "update", "my-pack@1.1.0"]).fails_with(6);
    said(&run, &["/nodes/my-pack: no host could be reached"]);
}
