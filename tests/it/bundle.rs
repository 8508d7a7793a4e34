//! Packs, exports and imports, through the programs.

use std::path::Path;
use std::process::Stdio;

use comfrey::object::{Encoded, Kind, ObjectId, Snapshot, Time, Tree};
use comfrey::store::{Store, StoreOptions};
use serde_json::Value;

use crate::support::{Run, Sandbox};

/// A sandbox with two stores, `a` and `b`, and a snapshot with files in `a`.
struct Two {
    sandbox: Sandbox,
    ids: Vec<ObjectId>,
}

impl Two {
    fn new() -> Two {
        let sandbox = Sandbox::new();
        let a = Store::create(&sandbox.join("a/.comfrey")).unwrap();
        Store::create(&sandbox.join("b/.comfrey")).unwrap();
        let writer = a.writer().unwrap();
        let small = writer.put(Kind::Blob, b"hello\n").unwrap();
        let large = writer.put(Kind::Blob, &vec![7; 3 << 20]).unwrap();
        let entries = format!("file {small} 6\thello.txt\nfile {large} {}\tlarge.bin\n", 3 << 20);
        let tree = writer.put_value(&Tree::parse(&entries).unwrap()).unwrap();
        let snapshot = Snapshot {
            tree,
            parents: vec![],
            environment: String::new(),
            author: "a".into(),
            time: Time { milliseconds: 0, offset_minutes: 0 },
            message: "m".into(),
            tool: "t".into(),
        };
        let snapshot = writer.put_value(&snapshot).unwrap();
        writer.publish().unwrap();
        Two { sandbox, ids: vec![snapshot, tree, small, large] }
    }

    fn lines(&self) -> String {
        self.ids.iter().map(|id| format!("{id} and more words\n")).collect()
    }

    fn pack(&self) -> Vec<u8> {
        let mut command = self.sandbox.comfrey_command(["--workspace", "a", "pack"]);
        bytes_of(&mut command, self.lines().as_bytes())
    }

    fn unpack(&self, more: &[&str], pack: &[u8]) -> Run {
        self.sandbox.comfrey_with_input([&["--workspace", "b", "unpack"], more].concat(), pack)
    }

    fn store(&self, name: &str) -> Store {
        Store::open(&self.sandbox.join(name).join(".comfrey"), &StoreOptions::default()).unwrap()
    }

    fn is_empty(&self, name: &str) -> bool {
        let store = self.store(name);
        let staged = std::fs::read_dir(store.dir().join("staging")).unwrap().count();
        store.index().count().unwrap() == 0 && staged == 0
    }
}

/// Runs a command whose output is no text; it must succeed.
fn bytes_of(command: &mut std::process::Command, input: &[u8]) -> Vec<u8> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut stdin, input));
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    })
}

#[test]
fn what_rev_list_prints_goes_into_another_store() {
    let two = Two::new();
    let snapshot = two.ids[0];
    let script = format!(
        "cd a; comfrey update-ref HEAD {snapshot}; \
         comfrey rev-list --objects HEAD | comfrey pack | comfrey --workspace ../b unpack"
    );
    let run = two.sandbox.shell(&script).success();
    assert!(run.stdout.lines().last().unwrap().starts_with(&format!("tip snapshot {snapshot} ")), "{}", run.stdout);
    assert_eq!(two.store("b").contains(&two.ids).unwrap(), [true; 4]);
}

#[test]
fn a_pack_is_the_same_bytes_whoever_makes_it() {
    let two = Two::new();
    let first = two.pack();
    two.unpack(&[], &first).success();
    let mut command = two.sandbox.comfrey_command(["--workspace", "b", "pack", "--threads", "7"]);
    assert!(bytes_of(&mut command, two.lines().repeat(2).as_bytes()) == first);
}

#[test]
fn unpack_says_what_arrived_and_what_is_needed() {
    let two = Two::new();
    let [snapshot, tree, small, large] = two.ids[..] else { panic!() };
    let size = Snapshot::decode(&two.store("a").read(&snapshot).unwrap().1).unwrap().encode().len();
    let run = two.unpack(&["--list"], &two.pack()).success();
    let tree_size = two.store("a").read(&tree).unwrap().1.len();
    let expected = format!(
        "object snapshot {snapshot} {size}\nobject tree {tree} {tree_size}\nobject blob {small} 6\n\
         object blob {large} 3145728\ntip snapshot {snapshot} {size}\n"
    );
    assert_eq!(run.stdout, expected);
    assert_eq!(run.stderr, "4 objects, 4 of them new\n");
    let run = two.unpack(&["--json"], &two.pack()).success();
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&json["objects"], &json["new"], &json["needs"]), (&4.into(), &0.into(), &Value::Array(vec![])));
    assert_eq!(json["tips"][0]["id"], snapshot.to_hex());
}

#[test]
fn a_pack_that_needs_what_is_not_there_ends_with_1() {
    let two = Two::new();
    let mut command = two.sandbox.comfrey_command(["--workspace", "a", "pack"]);
    let pack = bytes_of(&mut command, format!("{}\n", two.ids[0]).as_bytes());
    let run = two.unpack(&[], &pack).fails_with(1);
    assert!(run.stdout.ends_with(&format!("needs tree {} 0\n", two.ids[1])), "{}", run.stdout);
    // What arrived is there all the same, and what is missing may follow.
    assert_eq!(two.store("b").contains(&two.ids[..1]).unwrap(), [true]);
}

#[test]
fn an_id_that_is_not_in_the_store_is_named_and_nothing_is_written() {
    let two = Two::new();
    let run = two.sandbox.comfrey_with_input(["--workspace", "b", "pack"], two.lines()).fails_with(3);
    assert!(run.stdout.is_empty() && run.stderr.contains(&two.ids[0].to_hex()), "{}", run.stderr);
    let run = two.sandbox.comfrey_with_input(["--workspace", "a", "pack"], "nonsense\n").fails_with(2);
    assert!(run.stderr.contains("line 1"), "{}", run.stderr);
}

#[test]
fn a_pack_cut_short_flipped_or_followed_by_anything_is_refused_whole() {
    let two = Two::new();
    let whole = two.pack();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let zeroed = [&whole[..middle], &vec![0; whole.len() - middle]].concat();
    let trailing = [whole.as_slice(), b"\n"].concat();
    for (bad, reason) in [
        (&whole[..whole.len() - 1], "cut short"),
        (&whole[..middle], "cut short"),
        (&flipped, "damaged"),
        (&zeroed, ""),
        (&trailing, "bytes behind its end"),
        (b"", "does not begin as one"),
        (b"GIF89a", "does not begin as one"),
    ] {
        let run = two.unpack(&[], bad).fails_with(5);
        assert!(run.stderr.contains(reason) && run.stdout.is_empty(), "{reason}: {}", run.stderr);
        assert!(two.is_empty("b"), "{reason}");
    }
    two.unpack(&["--dry-run"], &whole).success();
    assert!(two.is_empty("b"));
}

#[test]
fn a_thousandfold_bomb_of_a_pack_is_refused_unless_it_is_trusted() {
    let two = Two::new();
    let store = two.store("a");
    let writer = store.writer().unwrap();
    let id = writer.put_stream(&mut std::io::Read::take(std::io::repeat(0), 200 << 20), &comfrey::observer::Silent);
    let id = id.unwrap().id;
    writer.publish().unwrap();
    let mut command = two.sandbox.comfrey_command(["--workspace", "a", "pack"]);
    let pack = bytes_of(&mut command, format!("{id}\n").as_bytes());
    let run = two.unpack(&[], &pack).fails_with(5);
    assert!(run.stderr.contains("more than 500 times") && run.stderr.contains("--max-ratio"), "{}", run.stderr);
    assert!(two.is_empty("b"));
    two.unpack(&["--max-ratio", "100000"], &pack).success();
}

/// What can be had of the snapshot's objects from store `b`: each is whole or absent, and all are there after a success.
fn assert_sound(two: &Two, done: bool, at: &str) {
    let store = two.store("b");
    for id in &two.ids {
        match store.open_object(id) {
            Ok(mut reader) => drop(std::io::copy(&mut reader, &mut std::io::sink()).unwrap()),
            Err(comfrey::store::Error::NotFound(_)) => assert!(!done, "{at}: {id} is missing"),
            Err(error) => panic!("{at}: {error}"),
        }
    }
}

#[test]
fn a_fault_at_every_step_of_unpack_leaves_the_store_sound() {
    for manner in ["", "+", "!"] {
        for step in 1.. {
            assert!(step < 200, "it never passes");
            let two = Two::new();
            let pack = two.pack();
            let mut command = two.sandbox.comfrey_command(["--workspace", "b", "unpack", "--threads", "1"]);
            command.env("COMFREY_FAULT_AT", format!("{step}{manner}"));
            let run = Run::with_input(command, &pack);
            let at = format!("step {step}{manner}: {}", run.stderr);
            assert_sound(&two, run.code == 0, &at);
            assert!(!run.stderr.contains("panicked"), "{at}");
            // The next one sweeps what the dead have left.
            two.unpack(&[], &pack).success();
            assert_sound(&two, true, &at);
            let staging = two.sandbox.join("b/.comfrey/staging");
            assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0, "{at}");
            if run.code == 0 {
                assert!(step > 8, "only {step} steps");
                break;
            }
        }
    }
}

#[test]
fn unpack_killed_at_any_moment_leaves_the_store_sound() {
    let two = Two::new();
    let pack = two.pack();
    for round in 0..20 {
        let mut command = two.sandbox.comfrey_command(["--workspace", "b", "unpack"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| drop(std::io::Write::write_all(&mut stdin, &pack)));
            std::thread::sleep(std::time::Duration::from_millis(round * 2));
            drop(child.kill());
        });
        child.wait().unwrap();
        assert_sound(&two, false, &format!("round {round}"));
    }
    two.unpack(&[], &pack).success();
    assert_sound(&two, true, "at last");
}

/// The bytes of the block that begins with this line in `docs/formats.md`, written as hex digits.
fn documented(title: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
    let text = std::fs::read_to_string(path).unwrap();
    let block = text.split(&format!("```hex {title}\n")).nth(1).unwrap().split("```").next().unwrap();
    let digits: String = block.lines().map(|line| line.split("  ").next().unwrap()).collect();
    let digits: Vec<char> = digits.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

#[test]
fn the_documented_pack_is_what_pack_writes() {
    let sandbox = Sandbox::new();
    let store = Store::create(&sandbox.join(".comfrey")).unwrap();
    let writer = store.writer().unwrap();
    let hello = writer.put(Kind::Blob, b"hello\n").unwrap();
    let model = ObjectId::of_blob(b"a model that is not here");
    let entries = format!("file {hello} 6\thello.txt\nmodel {model} 24\tm.safetensors\n");
    let tree = writer.put_value(&Tree::parse(&entries).unwrap()).unwrap();
    writer.publish().unwrap();
    let pack = bytes_of(&mut sandbox.comfrey_command(["pack"]), format!("{tree}\n{hello}\n").as_bytes());
    let frame = documented("pack frame");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let unpacked = zstd::decode_all(&pack[8..pack.len() - 32]).unwrap();
    assert_eq!(hex(&unpacked), hex(&frame));
    assert_eq!(pack[..8], documented("pack magic"));
    assert_eq!(pack[pack.len() - 32..], *blake3::hash(&pack[..pack.len() - 32]).as_bytes());
}
