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
        "cd a && comfrey update-ref HEAD {snapshot} && \
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

/// Two ComfyUI folders and a workspace for each. The first has a workflow with two models, a node of the user's own, and both models; the
/// second has one of the models under another name.
pub struct Carried {
    pub sandbox: Sandbox,
}

pub const FLOW: &str = r#"{"last_node_id":2,"nodes":[{"id":1,"type":"CheckpointLoaderSimple","mode":0,"inputs":[],"outputs":[],"widgets_values":["sd.safetensors"]},{"id":2,"type":"LoraLoader","mode":0,"inputs":[],"outputs":[],"widgets_values":["gone.safetensors",1,1]}],"links":[],"groups":[],"config":{},"extra":{},"version":0.4}"#;

impl Carried {
    pub fn new() -> Carried {
        let sandbox = Sandbox::new();
        for comfyui in ["one", "two"] {
            for file in ["main.py", "nodes.py", "comfyui_version.py", "comfy/x.py", "models/checkpoints/put_here"] {
                sandbox.write(format!("{comfyui}/{file}"), "");
            }
            std::fs::create_dir_all(sandbox.join(comfyui).join("custom_nodes")).unwrap();
        }
        let model: Vec<u8> = (0..1_200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        sandbox.write("one/models/checkpoints/sd.safetensors", &model);
        sandbox.write("two/models/checkpoints/other/renamed.safetensors", &model);
        sandbox.write("one/models/loras/gone.safetensors", &model[..2_000_000]);
        sandbox.write("one/user/default/workflows/flow.json", FLOW);
        sandbox.write("one/custom_nodes/mine/__init__.py", "print(1)\n");
        sandbox.write("one/custom_nodes/mine/.env", "KEY=secret\n");
        let carried = Carried { sandbox };
        for (workspace, command) in [("a", "init"), ("b", "init")] {
            carried.run(workspace, &[command, "--no-input"]).success();
        }
        carried.run("a", &["adopt", "demo", "one"]).success();
        carried.run("a", &["commit", "-m", "first"]).success();
        carried
    }

    pub fn run(&self, workspace: &str, arguments: &[&str]) -> Run {
        self.sandbox.comfrey([&["--workspace", workspace], arguments].concat())
    }

    pub fn import(&self, file: &str, more: &[&str]) -> Run {
        self.run("b", &[&["import", file, "--name", "new", "--comfyui", "two"], more].concat())
    }

    /// Every file of the second ComfyUI and the names of the second workspace's environments.
    fn second(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![self.sandbox.join("two"), self.sandbox.join("b/environments")];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                found.push(path.display().to_string());
                if path.is_dir() {
                    open.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// Asserts that an import of this file ends with 5 and that nothing has changed.
    fn refused(&self, file: &str, reason: &str) {
        let before = self.second();
        let run = self.import(file, &[]).fails_with(5);
        assert!(run.stderr.contains(reason), "{reason}: {}", run.stderr);
        assert_eq!(self.second(), before, "{reason}");
        let store = Store::open(&self.sandbox.join("b/.comfrey"), &StoreOptions::default()).unwrap();
        assert_eq!(store.index().count().unwrap(), 0, "{reason}");
        assert_eq!(std::fs::read_dir(store.dir().join("staging")).unwrap().count(), 0, "{reason}");
    }
}

#[test]
fn the_same_version_exported_twice_is_the_same_bytes() {
    let carried = Carried::new();
    for suffix in ["tar.zst", "tar.gz", "tar"] {
        for name in ["x", "y"] {
            carried.run("a", &["export", &format!("{name}.{suffix}"), "--models"]).success();
        }
        assert!(carried.sandbox.read(format!("x.{suffix}")) == carried.sandbox.read(format!("y.{suffix}")), "{suffix}");
    }
    carried.run("a", &["export", "x.zip"]).fails_with(2);
}

#[test]
fn a_bundle_holds_what_a_person_expects_and_no_secrets() {
    let carried = Carried::new();
    carried.run("a", &["export", "x.tar"]).success();
    let bytes = carried.sandbox.read("x.tar");
    let mut archive = tar::Archive::new(&bytes[..]);
    let names = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
    let expected = ["comfrey.lock", "nodes/mine/__init__.py", "pyproject.toml", "workflows/flow.json"];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    assert!(!String::from_utf8_lossy(&bytes).contains("KEY=secret"));
    let run = carried.run("a", &["export", "y.tar", "--json"]).success();
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["models"].as_array().unwrap().len(), 2);
    assert!(json["models"].as_array().unwrap().iter().all(|model| model["sha256"].as_str().unwrap().len() == 64));
    assert_eq!(json["nodes"][0]["left_out"][0], "nodes/mine/.env");
    assert!(!run.stderr.contains("commit"), "{}", run.stderr);
    carried.sandbox.write("one/custom_nodes/mine/more.py", "print(3)\n");
    let run = carried.run("a", &["export", "z.tar"]).success();
    assert!(run.stderr.contains("`comfrey commit` first"), "{}", run.stderr);
    assert!(carried.sandbox.read("z.tar") == bytes);
}

/// The other name of the model, as JSON has what ComfyUI's list shows on this system.
const RENAMED: &str = if cfg!(windows) { r"other\\renamed.safetensors" } else { "other/renamed.safetensors" };

#[test]
fn an_imported_environment_names_its_models_where_they_lie() {
    let carried = Carried::new();
    carried.run("a", &["export", "x.tar.zst"]).success();
    let before = carried.second();
    let preview = carried.import("x.tar.zst", &["--preview"]).success();
    assert!(preview.stdout.contains("1 found here, 0 added, 1 missing"), "{}", preview.stdout);
    assert_eq!(carried.second(), before);
    let run = carried.import("x.tar.zst", &[]).success();
    assert!(run.stdout.contains("missing models/loras/gone.safetensors"), "{}", run.stdout);
    let flow = carried.sandbox.read("two/user/default/workflows/flow.json");
    assert_eq!(String::from_utf8(flow).unwrap(), FLOW.replace("sd.safetensors", RENAMED));
    assert_eq!(carried.sandbox.read("two/custom_nodes/mine/__init__.py"), b"print(1)\n");
    let log = carried.run("b", &["log", "--json"]).success();
    let first: Value = serde_json::from_str(log.line()).unwrap();
    assert_eq!((&first["version"], &first["message"]), (&"v1".into(), &"Imported first".into()));
    let status = carried.run("b", &["status", "--json"]).success();
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["clean"], true, "{status}");
}

#[test]
fn a_bundle_with_models_brings_them() {
    let carried = Carried::new();
    carried.run("a", &["export", "x.tar.gz", "--models", "--nodes", "all"]).success();
    carried.import("x.tar.gz", &[]).success();
    let there = carried.sandbox.read("two/models/loras/gone.safetensors");
    assert!(there == carried.sandbox.read("one/models/loras/gone.safetensors"));
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_changed() {
    let carried = Carried::new();
    carried.run("a", &["export", "x.tar.zst"]).success();
    carried.sandbox.write("two/user/default/workflows/flow.json", "{}");
    carried.sandbox.write("two/custom_nodes/mine/__init__.py", "print(2)\n");
    let before = carried.second();
    let run = carried.import("x.tar.zst", &[]).fails_with(4);
    assert!(run.stderr.contains("workflows/flow.json") && run.stderr.contains("custom_nodes/mine"), "{}", run.stderr);
    assert_eq!(carried.second(), before);
    // The same content is not in the way.
    let same = FLOW.replace("sd.safetensors", RENAMED);
    carried.sandbox.write("two/user/default/workflows/flow.json", same);
    carried.sandbox.write("two/custom_nodes/mine/__init__.py", "print(1)\n");
    carried.import("x.tar.zst", &[]).success();
}

/// An entry with this name and type, whatever rules it breaks.
fn raw(name: &[u8], kind: tar::EntryType, link: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = [header.as_bytes().as_slice(), content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn nasty_archives_are_refused_with_name_and_rule() {
    use tar::EntryType as T;
    let carried = Carried::new();
    let good = |name: &[u8]| raw(name, T::Regular, b"", b"x");
    let cases: Vec<(Vec<Vec<u8>>, &str)> = vec![
        (vec![good(b"/etc/x")], "`/etc/x`: the name is absolute"),
        (vec![good(b"a/../../x")], "`a/../../x`: the name holds `.` or `..`"),
        (vec![good(b"C:/x")], "drive letter"),
        (vec![good(b"a\\b")], "backslash"),
        (vec![good(b"nodes/aux.py")], "device on Windows"),
        (vec![raw(b"l", T::Symlink, b"../../x", b"")], "`l`: the link leads out"),
        (vec![raw(b"l", T::Symlink, b"/etc", b"")], "`l`: the link leads out"),
        (vec![raw(b"l", T::Link, b"/etc/passwd", b"")], "absolute"),
        (vec![raw(b"l", T::Symlink, b"d", b""), good(b"l/x")], "its folder `l` is a link"),
        (vec![raw(b"l", T::Symlink, b"m/x", b""), raw(b"m", T::Symlink, b"d", b"")], "through another link"),
        (vec![raw(b"d", T::Block, b"", b"")], "`d`: a block device"),
        (vec![raw(b"d", T::Fifo, b"", b"")], "`d`: a named pipe"),
        (vec![good(b"a"), good(b"a")], "`a`: the same name stands twice"),
        (vec![good(b"Flow"), good(b"flow")], "`flow`: the name equals `Flow`"),
        (vec![good(b"a"), good(b"a/b")], "its folder `a` is a file"),
        (vec![good(b"a")], "no comfrey.lock"),
    ];
    for (entries, reason) in cases {
        let bytes = [entries.concat(), vec![0; 1024]].concat();
        carried.sandbox.write("nasty.tar", &bytes);
        carried.refused("nasty.tar", reason);
    }
    carried.sandbox.write("nasty.tar", "not an archive");
    carried.refused("nasty.tar", "neither zstd, gzip nor tar");
}

#[test]
fn a_thousandfold_bomb_is_refused() {
    let carried = Carried::new();
    let file = std::fs::File::create(carried.sandbox.join("bomb.tar.zst")).unwrap();
    let mut out = zstd::Encoder::new(std::io::BufWriter::new(file), 1).unwrap();
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes().copy_from_slice(&raw(b"models/x", tar::EntryType::Regular, b"", b"")[..512]);
    header.set_size(1 << 30);
    header.set_cksum();
    std::io::Write::write_all(&mut out, header.as_bytes()).unwrap();
    for _ in 0..64 {
        std::io::Write::write_all(&mut out, &vec![0; 1 << 20]).unwrap();
    }
    std::io::Write::flush(&mut out.finish().unwrap()).unwrap();
    carried.refused("bomb.tar.zst", "it unpacks to more than 500 times its size");
}

#[test]
fn a_bundle_whose_bytes_are_not_those_of_its_lock_is_refused() {
    let carried = Carried::new();
    carried.run("a", &["export", "x.tar"]).success();
    let whole = carried.sandbox.read("x.tar");
    let text = |bytes: &[u8], from: &[u8], to: &[u8]| -> Vec<u8> {
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    for (bytes, reason) in [
        (text(&whole, b"print(1)", b"print(2)"), "`nodes/mine/__init__.py` is not what comfrey.lock says"),
        (whole[..whole.len() - 2000].to_vec(), "cut short"),
        ([&raw(b"more", tar::EntryType::Regular, b"", b"x"), &whole[..]].concat(), "`more` is in the archive"),
    ] {
        carried.sandbox.write("bad.tar", &bytes);
        carried.refused("bad.tar", reason);
    }
}
