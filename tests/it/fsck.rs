//! `fsck`: damage of every sort is named with who needs it, reads of it fail, the rest works, and what can be repaired is.

use std::path::PathBuf;

use comfrey::object::{Encoded, EntryKind, Kind, ObjectId, Time, Tree};
use comfrey::store::{LinkPolicy, Store};

use crate::support::{Run, Sandbox, entry, history_of};

/// A store whose newest operation names a snapshot of `flow.json`, `sub/note.txt` and the model `big.ckpt`.
struct Scene {
    sandbox: Sandbox,
    flow: ObjectId,
    note: ObjectId,
    big: ObjectId,
    sub: ObjectId,
    snapshot: ObjectId,
    operation: ObjectId,
}

const FLOW: &[u8] = b"{\"nodes\": [], \"this is\": \"a workflow\"}";

impl Scene {
    fn new() -> Scene {
        Scene::with(LinkPolicy::Copy)
    }

    fn with(policy: LinkPolicy) -> Scene {
        let sandbox = Sandbox::new();
        let store = Store::create(&sandbox.join(".comfrey")).unwrap();
        let writer = store.writer().unwrap();
        let flow = writer.put(Kind::Blob, FLOW).unwrap();
        let note = writer.put(Kind::Blob, b"a note that somebody wrote").unwrap();
        let model = sandbox.write("models/big.ckpt", vec![9; 2 << 20]);
        let big = writer.put_file(&model, policy, &comfrey::observer::Silent).unwrap().id;
        let sub = Tree::new(vec![entry("note.txt", EntryKind::File, note, 26)]).unwrap();
        writer.put_value(&sub).unwrap();
        let tree = Tree::new(vec![
            entry("big.ckpt", EntryKind::Model, big, 2 << 20),
            entry("flow.json", EntryKind::File, flow, FLOW.len() as u64),
            entry("sub", EntryKind::Tree, sub.id(), 0),
        ])
        .unwrap();
        writer.put_value(&tree).unwrap();
        let time = Time { milliseconds: 1_795_168_000_000, offset_minutes: 0 };
        let (snapshot, operation) = history_of(&tree, None, time);
        writer.put_value(&snapshot).unwrap();
        writer.put_value(&operation).unwrap();
        writer.publish().unwrap();
        drop(writer);
        assert!(store.advance_operation(None, operation.id()).unwrap());
        let (sub, snapshot, operation) = (sub.id(), snapshot.id(), operation.id());
        Scene { sandbox, flow, note, big, sub, snapshot, operation }
    }

    fn fsck<const N: usize>(&self, more: [&str; N]) -> Run {
        self.sandbox.comfrey(["fsck"].into_iter().chain(more))
    }

    fn cat(&self, id: &ObjectId) -> Run {
        self.sandbox.comfrey(["cat-object", "-s", &id.to_hex()]).success();
        let mut command = self.sandbox.comfrey_command(["cat-object", "-p", &id.to_hex()]);
        command.stdout(std::fs::File::create(self.sandbox.join("out")).unwrap());
        Run::of_streaming(command)
    }

    fn segment(&self) -> PathBuf {
        self.sandbox.join(".comfrey/segments/00000001.seg")
    }

    fn large(&self) -> PathBuf {
        let hex = self.big.to_hex();
        self.sandbox.join(format!(".comfrey/large/{}/{}", &hex[..2], &hex[2..]))
    }

    /// Changes a file in place, as a failing disk would, permissions or not.
    fn edit(&self, path: &PathBuf, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(path).unwrap();
        edit(&mut bytes);
        self.remove(path);
        std::fs::write(path, bytes).unwrap();
    }

    fn remove(&self, path: &PathBuf) {
        comfrey::platform::durable::allow_removal(path, &std::fs::metadata(path).unwrap()).unwrap();
        std::fs::remove_file(path).unwrap();
    }

    /// Flips a bit in the payload of an object that is stored as it is.
    fn flip(&self, text: &[u8]) {
        self.edit(&self.segment(), |bytes| {
            let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
            bytes[at] ^= 1;
        });
    }
}

#[test]
fn a_sound_store_has_no_faults() {
    let scene = Scene::new();
    let run = scene.fsck(["--read-data"]).success();
    assert!(run.stdout.contains("no faults"), "{}", run.stdout);
    let json: serde_json::Value = serde_json::from_str(scene.fsck(["--json"]).success().line()).unwrap();
    assert_eq!((json["clean"].as_bool(), json["objects"].as_u64()), (Some(true), Some(7)));
}

#[test]
fn a_flipped_bit_in_a_segment_is_named_with_ref_and_path_and_the_rest_works() {
    let scene = Scene::new();
    scene.flip(b"a note that somebody wrote");
    let run = scene.fsck(["--read-data"]).fails_with(5);
    assert!(run.stdout.contains(&format!("damaged blob {} in segments/00000001.seg", scene.note)), "{}", run.stdout);
    assert!(run.stdout.contains("needed by ref demo/heads/main"), "{}", run.stdout);
    assert!(run.stdout.contains(": sub/note.txt\n"), "{}", run.stdout);
    assert!(run.stdout.contains("1 fault\n"), "{}", run.stdout);
    scene.cat(&scene.note).fails_with(5);
    scene.cat(&scene.flow).success();
    scene.cat(&scene.big).success();
}

#[test]
fn a_truncated_segment_is_named_with_all_that_was_in_the_lost_part() {
    let scene = Scene::new();
    let length = std::fs::metadata(scene.segment()).unwrap().len();
    scene.edit(&scene.segment(), |bytes| bytes.truncate(length as usize - 1));
    let run = scene.fsck([]).fails_with(5);
    assert!(run.stdout.contains("segment segments/00000001.seg: it is cut short"), "{}", run.stdout);
    let lost: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("damaged ")).collect();
    assert_eq!(lost.len(), 1, "{}", run.stdout);
    let id: ObjectId = lost[0].split(' ').nth(2).unwrap().parse().unwrap();
    scene.sandbox.comfrey(["cat-object", "-p", &id.to_hex()]).fails_with(5);
}

#[test]
fn a_zero_filled_segment_is_named_with_everything_that_was_in_it() {
    let scene = Scene::new();
    scene.edit(&scene.segment(), |bytes| bytes.fill(0));
    let run = scene.fsck([]).fails_with(5);
    for id in [scene.flow, scene.note, scene.sub, scene.snapshot, scene.operation] {
        assert!(run.stdout.contains(&id.to_hex()), "{id} in {}", run.stdout);
        scene.cat(&id).fails_with(5);
    }
    scene.cat(&scene.big).success();
}

#[test]
fn an_absent_segment_is_named() {
    let scene = Scene::new();
    std::fs::remove_file(scene.segment()).unwrap();
    let run = scene.fsck([]).fails_with(5);
    assert!(run.stdout.contains("segment segments/00000001.seg: the file is absent"), "{}", run.stdout);
    scene.cat(&scene.flow).fails_with(5);
    // What is stored now goes into another segment.
    scene.sandbox.write("new", "something new");
    scene.sandbox.comfrey(["hash-object", "-w", "new"]).success();
}

#[test]
fn a_large_file_that_is_flipped_zeroed_truncated_or_gone_is_named_with_its_path() {
    type Edit = fn(&mut Vec<u8>);
    let edits: [Edit; 3] = [|bytes| bytes[1_000_000] ^= 1, |bytes| bytes.fill(0), |bytes| bytes.truncate(1 << 20)];
    for edit in edits {
        let scene = Scene::new();
        scene.edit(&scene.large(), edit);
        let run = scene.fsck([]).fails_with(5);
        assert!(run.stdout.contains(&format!("damaged blob {}", scene.big)), "{}", run.stdout);
        assert!(run.stdout.contains(": big.ckpt\n"), "{}", run.stdout);
        scene.cat(&scene.big).fails_with(5);
        scene.cat(&scene.flow).success();
    }
    let scene = Scene::new();
    scene.remove(&scene.large());
    let run = scene.fsck([]).fails_with(5);
    assert!(run.stdout.contains(": big.ckpt\n"), "{}", run.stdout);
    scene.cat(&scene.big).fails_with(5);
}

#[test]
fn a_damaged_index_is_named_and_made_again() {
    type Edit = fn(&mut Vec<u8>);
    let edits: [Edit; 3] = [|bytes| bytes.fill(0), |bytes| bytes.truncate(5000), |bytes| bytes[..64].fill(0xff)];
    for edit in edits {
        let scene = Scene::new();
        scene.edit(&scene.sandbox.join(".comfrey/store.redb"), edit);
        let run = scene.fsck([]).fails_with(5);
        assert!(run.stdout.contains("index store.redb: "), "{} {}", run.stdout, run.stderr);
        let run = scene.sandbox.comfrey(["cat-object", "-p", &scene.flow.to_hex()]).fails_with(5);
        assert!(run.stderr.contains("--rebuild-index"), "{}", run.stderr);
        let run = scene.fsck(["--repair"]).success();
        assert!(run.stdout.contains("repaired: made again with 7 objects"), "{}", run.stdout);
        scene.cat(&scene.flow).success();
        scene.fsck(["--read-data"]).success();
    }
}

#[test]
fn flipped_bits_anywhere_in_the_index_never_make_a_program_crash() {
    let scene = Scene::new();
    let index = scene.sandbox.join(".comfrey/store.redb");
    let whole = std::fs::read(&index).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40 + 1) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&index, bytes).unwrap();
        let run = scene.fsck(["--read-data"]);
        assert!([0, 5].contains(&run.code), "byte {at}: {} {} {}", run.code, run.stdout, run.stderr);
        if run.code == 5 {
            scene.fsck(["--repair"]).success();
            scene.cat(&scene.note).success();
        }
    }
}

#[test]
fn a_lost_index_is_made_again_with_every_object_ref_operation_and_reference() {
    for policy in [LinkPolicy::Copy, LinkPolicy::Reference] {
        let scene = Scene::with(policy);
        std::fs::remove_file(scene.sandbox.join(".comfrey/store.redb")).unwrap();
        let run = scene.fsck(["--rebuild-index"]).success();
        assert!(run.stdout.contains(&format!("newest operation: {}\n", scene.operation)), "{}", run.stdout);
        for id in [scene.flow, scene.note, scene.big, scene.sub, scene.snapshot, scene.operation] {
            scene.cat(&id).success();
        }
        let run = scene.sandbox.comfrey(["show-ref", "--environment", "demo"]);
        assert!(run.stdout.contains(&scene.snapshot.to_hex()), "{} {}", run.stdout, run.stderr);
        scene.fsck(["--read-data"]).success();
    }
}

#[test]
fn a_format_file_that_is_damaged_stops_every_command_and_is_named() {
    for bytes in [&b""[..], b"\0\0\0\0\0\0", b"comfrey sto", b"comfrey store 1\nrequires: segments-9\n"] {
        let scene = Scene::new();
        scene.sandbox.write(".comfrey/format", bytes);
        let run = scene.fsck([]).fails_with(5);
        assert!(run.stderr.contains("format"), "{}", run.stderr);
        scene.sandbox.comfrey(["cat-object", "-e", &scene.flow.to_hex()]).fails_with(5);
    }
}

#[test]
fn a_damaged_format_file_is_written_again_if_the_store_shows_what_it_was() {
    let whole = Scene::new().sandbox.read(".comfrey/format");
    for bytes in [Some(&b""[..]), Some(b"\0\0\0\0\0\0"), Some(b"comfrey sto"), None] {
        let scene = Scene::new();
        match bytes {
            Some(bytes) => drop(scene.sandbox.write(".comfrey/format", bytes)),
            None => std::fs::remove_file(scene.sandbox.join(".comfrey/format")).unwrap(),
        }
        let run = scene.fsck(["--repair"]).success();
        assert!(
            run.stdout.contains("format format: it is ") && run.stdout.contains("repaired: written"),
            "{}",
            run.stdout
        );
        assert_eq!(scene.sandbox.read(".comfrey/format"), whole);
        scene.fsck(["--read-data"]).success();
    }
    // What a newer program may have written is left alone, and so is a store in which nothing speaks for this one.
    let scene = Scene::new();
    scene.sandbox.write(".comfrey/format", "comfrey store 2\nrequires:\n");
    scene.fsck(["--repair"]).fails_with(5);
    for damage in [".comfrey/store.redb", ".comfrey/segments/00000001.seg"] {
        let scene = Scene::new();
        scene.sandbox.write(".comfrey/format", "");
        scene.edit(&scene.sandbox.join(damage), |bytes| bytes.fill(0));
        let run = scene.fsck(["--repair"]).fails_with(5);
        assert!(run.stderr.contains("format"), "{}", run.stderr);
        assert_eq!(scene.sandbox.read(".comfrey/format"), b"");
    }
}

/// A workspace with an installation whose two workflows and one model are committed and whose model is in the store as a copy.
fn committed() -> (crate::installation::Installation, PathBuf) {
    let demo = crate::installation::Installation::new();
    demo.comfrey(["config", "store.models", "copy"]).success();
    demo.commit("first");
    let id =
        demo.comfrey(["hash-object", "../ComfyUI/models/checkpoints/sd15.safetensors"]).success().line().to_owned();
    let large = demo.sandbox.join(format!("work/.comfrey/large/{}/{}", &id[..2], &id[2..]));
    assert!(large.exists());
    (demo, large)
}

fn flip(path: &PathBuf) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    comfrey::platform::durable::allow_removal(path, &std::fs::metadata(path).unwrap()).unwrap();
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_large_file_is_taken_from_a_model_folder() {
    let (demo, large) = committed();
    // Under another name, known to the index by size and quick hash alone.
    let models = demo.comfyui().join("models/checkpoints");
    std::fs::rename(models.join("sd15.safetensors"), models.join("renamed.safetensors")).unwrap();
    demo.comfrey(["models", "index"]).success();
    flip(&large);
    let run = demo.comfrey(["fsck", "--read-data"]).fails_with(5);
    assert!(run.stdout.contains("damaged blob"), "{}", run.stdout);
    let run = demo.comfrey(["fsck", "--read-data", "--repair"]).success();
    assert!(
        run.stdout.contains("repaired: taken from") && run.stdout.contains("renamed.safetensors"),
        "{}",
        run.stdout
    );
    demo.comfrey(["fsck", "--read-data"]).success();
}

#[test]
fn a_model_that_only_seems_the_same_repairs_nothing() {
    let (demo, large) = committed();
    let model = demo.comfyui().join("models/checkpoints/sd15.safetensors");
    let mut bytes = std::fs::read(&model).unwrap();
    bytes[7] ^= 1;
    std::fs::write(&model, bytes).unwrap();
    flip(&large);
    let run = demo.comfrey(["fsck", "--read-data", "--repair"]).fails_with(5);
    assert!(run.stdout.contains("set aside") && !run.stdout.contains("taken from"), "{}", run.stdout);
}

#[test]
fn a_damaged_workflow_is_taken_from_the_working_files() {
    let (demo, _) = committed();
    let id = demo.comfrey(["hash-object", "../ComfyUI/custom_nodes/one.py"]).success().line().to_owned();
    let segment = demo.sandbox.join("work/.comfrey/segments/00000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(6).position(|window| window == b"z = 1\n").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    demo.comfrey(["cat-object", "-p", &id]).fails_with(5);
    let run = demo.comfrey(["fsck", "--read-data", "--repair"]).success();
    assert!(run.stdout.contains("repaired: taken from") && run.stdout.contains("one.py"), "{}", run.stdout);
    assert_eq!(demo.comfrey(["cat-object", "-p", &id]).success().stdout, "z = 1\n");
}

#[test]
fn an_object_that_is_missing_is_named_with_every_path() {
    let scene = Scene::new();
    // The whole frame goes, and the index forgets it.
    let store = Store::open(&scene.sandbox.join(".comfrey"), &Default::default()).unwrap();
    let corrections = comfrey::store::index::Corrections { removed: vec![scene.note], ..Default::default() };
    store.index().correct(&corrections).unwrap();
    let run = scene.fsck([]).fails_with(5);
    assert!(run.stdout.contains(&format!("missing blob {}: it is needed, and not in the store", scene.note)));
    assert!(run.stdout.contains(": sub/note.txt\n"), "{}", run.stdout);
    // Its frame is still there, so it can be had again.
    let run = scene.fsck(["--repair"]).success();
    assert!(run.stdout.contains("repaired: found again in a segment"), "{}", run.stdout);
    scene.fsck(["--read-data"]).success();
    // A model may be absent.
    let corrections = comfrey::store::index::Corrections { removed: vec![scene.big], ..Default::default() };
    store.index().correct(&corrections).unwrap();
    scene.fsck([]).success();
}

#[test]
fn a_users_file_that_changed_under_a_reference_is_named_and_never_served() {
    let scene = Scene::with(LinkPolicy::Reference);
    scene.cat(&scene.big).success();
    scene.sandbox.write("models/big.ckpt", vec![8; 2 << 20]);
    let run = scene.fsck([]).fails_with(5);
    assert!(run.stdout.contains(&format!("changed blob {}", scene.big)), "{}", run.stdout);
    assert!(run.stdout.contains("models/big.ckpt"), "{}", run.stdout);
    scene.cat(&scene.big).fails_with(5);
    scene.sandbox.write("models/big.ckpt", vec![9; 2 << 20]);
    scene.fsck([]).success();
    scene.cat(&scene.big).success();
}

#[test]
fn what_cannot_be_repaired_is_set_aside_so_that_it_can_be_stored_again() {
    let scene = Scene::new();
    scene.flip(FLOW);
    scene.edit(&scene.large(), |bytes| bytes[7] ^= 1);
    let run = scene.fsck(["--read-data", "--repair"]).fails_with(5);
    assert!(run.stdout.contains("set aside"), "{}", run.stdout);
    assert!(scene.large().with_extension("damaged").exists());
    scene.fsck([]).fails_with(5);
    scene.sandbox.write("flow.json", FLOW);
    scene.sandbox.comfrey(["hash-object", "-w", "flow.json", "models/big.ckpt"]).success();
    scene.fsck(["--read-data"]).success();
    assert_eq!(scene.cat(&scene.flow).success().code, 0);
}

#[test]
fn a_segment_with_damage_is_given_up_and_what_is_whole_in_it_moves() {
    let scene = Scene::new();
    scene.edit(&scene.segment(), |bytes| bytes[16 + 20] ^= 1); // the first frame's header
    let run = scene.fsck([]).fails_with(5);
    assert!(run.stdout.contains("segment segments/00000001.seg: bytes 16 to "), "{}", run.stdout);
    scene.fsck(["--repair"]);
    assert!(scene.segment().with_extension("damaged").exists());
    let run = scene.fsck(["--read-data"]).fails_with(5);
    assert!(
        run.stdout.contains("1 fault\n") && run.stdout.contains("\nmissing ") || run.stdout.starts_with("missing ")
    );
}

#[test]
fn contents_are_read_least_recently_checked_first() {
    let scene = Scene::new();
    let json = |run: Run| -> serde_json::Value { serde_json::from_str(run.success().line()).unwrap() };
    let first = json(scene.fsck(["--json", "--read-data=0.001%"]));
    assert_eq!(first["read"]["objects"], 1);
    let none = json(scene.fsck(["--json", "--read-data", "--max-duration", "0"]));
    assert_eq!(none["read"], serde_json::json!({ "objects": 0, "bytes": 0, "objects_left": 7 }));
    // Small objects come first; the large one is what is left.
    let all = json(scene.fsck(["--json", "--read-data"]));
    assert_eq!(all["read"]["objects"], 7);
}
