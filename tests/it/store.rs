//! The store under many processes, deaths, full disks and odd file systems.
//!
//! `COMFREY_STRESS=1` makes the death rounds long: 8 programs, 20,000 files, 200 rounds. `COMFREY_REQUIRE_ALL=1` makes it an
//! error where a test cannot be done on this machine.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use comfrey::object::{Kind, ObjectId};
use comfrey::observer::Silent;
use comfrey::store::segment::{Frames, START, Stretch};
use comfrey::store::{How, LinkPolicy, Place, Store, StoreOptions};

use crate::support::{Run, Sandbox};

fn open(folder: &Path) -> Store {
    Store::open(&folder.join(".comfrey"), &StoreOptions::default()).unwrap()
}

/// Bytes that compress by two thirds, different for each seed.
fn bytes_of(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let noisy = length.div_ceil(3);
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes[..noisy]);
    bytes
}

fn read(store: &Store, id: &ObjectId) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.open_object(id).unwrap_or_else(|e| panic!("{e}")).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The ids in a program's output so far; a line without its end was not printed.
fn ids(output: &[u8]) -> Vec<ObjectId> {
    let whole = output.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let text = std::str::from_utf8(&output[..whole]).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Everything that the index names is right, and segments are whole as far as it says.
fn check(store: &Store) -> usize {
    store.index().check().unwrap();
    let all = store.index().page(None, usize::MAX).unwrap();
    for (id, locator) in &all {
        assert_eq!(locator.kind.id_of(&read(store, id)), *id);
    }
    for (number, committed) in store.index().segments().unwrap() {
        for stretch in Frames::open(&store.segments().path(number)).unwrap() {
            if let Stretch::Damage { from, to } = stretch.unwrap() {
                assert!(from >= committed.max(START), "segment {number}: damage from {from} to {to}");
            }
        }
    }
    all.len()
}

/// A program that stores the files `paths`, its ids going to the file `out`.
fn storing(sandbox: &Sandbox, paths: &[PathBuf], out: &Path) -> Child {
    let list = out.with_extension("list");
    let lines: Vec<u8> = paths.iter().flat_map(|path| [path.as_os_str().as_encoded_bytes(), b"\n"].concat()).collect();
    std::fs::write(&list, lines).unwrap();
    let mut command = sandbox.comfrey_command(["hash-object", "-w", "--stdin-paths"]);
    command.stdin(File::open(list).unwrap()).stdout(File::create(out).unwrap()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn programs_that_store_the_same_files_at_once_all_succeed() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["--workspace", ".", "init", "--no-input"]).success();
    let paths: Vec<PathBuf> =
        (0..400).map(|n| sandbox.write(format!("files/{n}"), bytes_of(200 + n * 13, n as u64))).collect();
    let outs: Vec<PathBuf> = (0..6).map(|n| sandbox.join(format!("out-{n}"))).collect();
    let children: Vec<Child> =
        outs.iter().enumerate().map(|(n, out)| storing(&sandbox, &paths[n * 40..n * 40 + 200], out)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let store = open(sandbox.path());
    for (n, out) in outs.iter().enumerate() {
        let printed = ids(&std::fs::read(out).unwrap());
        let meant: Vec<ObjectId> =
            paths[n * 40..n * 40 + 200].iter().map(|path| ObjectId::of_blob(&std::fs::read(path).unwrap())).collect();
        assert_eq!(printed, meant);
    }
    assert_eq!(check(&store), 400);
}

/// Kills programs that store overlapping sets of files at random moments; every id that one printed must be there.
fn death_rounds(programs: usize, files: usize, rounds: u64) {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["--workspace", ".", "init", "--no-input"]).success();
    let mut printed: BTreeSet<ObjectId> = BTreeSet::new();
    let paths: Vec<PathBuf> = (0..files).map(|n| sandbox.join(format!("files/{n}"))).collect();
    let (mut completed, mut shown) = (0, 0);
    let begun = Instant::now();
    for round in 0..rounds {
        // A tenth of the files is new in each round, so that there is always something to store.
        for (n, path) in paths.iter().enumerate() {
            if round == 0 || n as u64 % 10 == round % 10 {
                let seed = round * 1_000_000 + n as u64;
                let length = if n % 997 == 0 { 1 << 20 } else { 100 + (seed % 5000) as usize };
                // A large one may be a hard link by now: to write into it would be to damage the store's.
                drop(std::fs::remove_file(path));
                sandbox.write(path, bytes_of(length, seed));
            }
        }
        let outs: Vec<PathBuf> = (0..programs).map(|n| sandbox.join(format!("out-{n}"))).collect();
        let share = files * 2 / (programs + 1);
        let mut children: Vec<Child> = outs
            .iter()
            .enumerate()
            .map(|(n, out)| storing(&sandbox, &paths[n * share / 2..n * share / 2 + share], out))
            .collect();
        // From before the first byte to after the last.
        let dice = blake3::hash(&round.to_le_bytes());
        let longest = 200 + files as u64 / 10;
        let wait = u64::from(u16::from_le_bytes([dice.as_bytes()[0], dice.as_bytes()[1]])) % longest;
        std::thread::sleep(Duration::from_millis(wait));
        for child in &mut children {
            drop(child.kill());
        }
        for child in children {
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            // One may have to wait for another for more than a second, and says so.
            assert!(stderr.lines().all(|line| line.starts_with("waiting for ")), "round {round}: {stderr}");
            completed += usize::from(output.status.success());
        }
        let store = open(sandbox.path());
        for out in &outs {
            let new = ids(&std::fs::read(out).unwrap());
            shown += new.len();
            for id in new {
                if printed.insert(id) {
                    assert_eq!(ObjectId::of_blob(&read(&store, &id)), id, "round {round}");
                }
            }
        }
    }
    let store = open(sandbox.path());
    for id in &printed {
        assert_eq!(ObjectId::of_blob(&read(&store, id)), *id);
    }
    let all = check(&store);
    let segments = store.segments().list().unwrap();
    eprintln!(
        "{rounds} rounds of {programs} programs in {:.0} s: {completed} ended by themselves, {shown} ids printed, {} different, {all} stored, \
         {} segments of {} bytes",
        begun.elapsed().as_secs_f64(),
        printed.len(),
        segments.len(),
        segments.iter().map(|(_, length)| length).sum::<u64>(),
    );
    // Nothing of the dead is left once someone has written again.
    let writer = store.writer().unwrap();
    writer.put(Kind::Blob, b"last").unwrap();
    writer.publish().unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(store.dir().join("staging")).unwrap().count(), 0);
}

#[test]
fn every_id_that_a_killed_program_printed_is_there() {
    if std::env::var_os("COMFREY_STRESS").is_some() {
        death_rounds(8, 20_000, 200);
    } else {
        death_rounds(4, 400, 8);
    }
}

#[test]
fn a_program_that_dies_at_any_step_leaves_a_sound_store() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["--workspace", ".", "init", "--no-input"]).success();
    for step in 1.. {
        let small = sandbox.write("small", bytes_of(1000, step));
        let large = sandbox.write("large", bytes_of(1 << 20, step));
        let mut command = sandbox.comfrey_command(["hash-object", "-w"]);
        command.args([small, large]).env("COMFREY_FAULT_AT", format!("{step}!"));
        let run = Run::of(command);
        let store = open(sandbox.path());
        for id in ids(run.stdout.as_bytes()) {
            assert_eq!(ObjectId::of_blob(&read(&store, &id)), id, "step {step}");
        }
        check(&store);
        if run.code == 0 {
            assert!(step > 8, "only {step} steps");
            break;
        }
    }
}

#[test]
fn who_waits_too_long_for_a_lock_is_told_who_holds_it() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["--workspace", ".", "init", "--no-input"]).success();
    sandbox.write("a", "a");
    let mut lock = File::create(sandbox.join(".comfrey/write.lock")).unwrap();
    lock.lock().unwrap();
    lock.write_all(b"comfrey-test (process 1)\n").unwrap();
    let run = sandbox.comfrey(["--lock-timeout", "1.2", "hash-object", "-w", "a"]).fails_with(4);
    assert_eq!(run.stdout, "");
    let told = "waiting for the store's index, held by comfrey-test (process 1)";
    assert!(run.stderr.lines().any(|line| line == told), "{}", run.stderr);
    assert!(run.stderr.contains("is held by comfrey-test (process 1); gave up after 1 s"), "{}", run.stderr);
    drop(lock);
    sandbox.comfrey(["hash-object", "-w", "a"]).success();
}

/// A file system mounted for a test.
pub struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// Runs a program of the system; its complaint when it fails.
pub fn system(program: &str, arguments: &[&str]) -> Result<(), String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// Says loudly that a test was not done, or fails where everything is required.
pub fn skip(test: &str, why: &str) {
    assert!(std::env::var_os("COMFREY_REQUIRE_ALL").is_none(), "{test}: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

pub fn tmpfs(at: &Path, size: &str) -> Result<Mounted, String> {
    std::fs::create_dir_all(at).unwrap();
    let path = at.to_str().unwrap();
    system("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", path])?;
    Ok(Mounted(at.to_owned()))
}

#[test]
fn a_full_disk_is_a_clear_error_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let disk = sandbox.join("disk");
    let _mounted = match tmpfs(&disk, "64m") {
        Ok(mounted) => mounted,
        Err(why) => return skip("a full disk", &why),
    };
    let workspace = disk.to_str().unwrap();
    sandbox.comfrey(["--workspace", workspace, "init", "--no-input"]).success();
    let mut kept = Vec::new();
    let mut failures = 0;
    // Until the disk is full: first segments, then large files (a stream, or a file elsewhere would only be referred to), then what
    // fills the index too.
    for (size, count) in [(900_000, 40), (3_000_000, 1), (100, 4000)] {
        for batch in 0..40 {
            let noise = |n: u64| {
                let mut bytes = vec![0; size];
                let seed = (size as u64) << 32 | batch << 16 | n;
                blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
                bytes
            };
            let mut arguments = vec!["--workspace", workspace, "hash-object", "-w"];
            let input = if count == 1 {
                arguments.push("--stdin");
                noise(0)
            } else {
                arguments.push("--stdin-paths");
                let file = |n| sandbox.write(format!("files/{n}"), noise(n));
                (0..count).flat_map(|n| [file(n).as_os_str().as_encoded_bytes(), b"\n"].concat()).collect()
            };
            let run = sandbox.comfrey_with_input(arguments, input);
            kept.extend(ids(run.stdout.as_bytes()));
            if run.code != 0 {
                assert_eq!(run.code, 3, "{}", run.stderr);
                assert!(run.stderr.contains("the disk is full"), "{}", run.stderr);
                failures += 1;
                break;
            }
        }
        let store = open(&disk);
        for id in &kept {
            assert_eq!(ObjectId::of_blob(&read(&store, id)), *id);
        }
        // What was published when a later publication failed is there, though nobody was told of it.
        assert!(check(&store) >= kept.iter().collect::<BTreeSet<_>>().len());
    }
    assert!(failures >= 2, "the disk was never full");
    system("mount", &["-o", "remount,size=128m", workspace]).unwrap();
    sandbox.write("a", "a");
    sandbox.comfrey(["--workspace", workspace, "hash-object", "-w", "a"]).success();
}

#[test]
fn a_read_only_store_can_be_read() {
    let sandbox = Sandbox::new();
    let disk = sandbox.join("disk");
    let _mounted = match tmpfs(&disk, "64m") {
        Ok(mounted) => mounted,
        Err(why) => return skip("a read-only store", &why),
    };
    let workspace = disk.to_str().unwrap();
    sandbox.comfrey(["--workspace", workspace, "init", "--no-input"]).success();
    let small = sandbox.write("small", "small");
    let large = sandbox.write("large", bytes_of(1 << 20, 1));
    let store = |arguments: &[&str]| sandbox.comfrey([&["--workspace", workspace], arguments].concat());
    let stored = store(&["hash-object", "-w", small.to_str().unwrap(), large.to_str().unwrap()]).success();
    let id = stored.stdout.lines().next().unwrap().to_owned();
    system("mount", &["-o", "remount,ro", workspace]).unwrap();
    assert_eq!(store(&["cat-object", "-p", &id]).success().stdout, "small");
    for id in ids(stored.stdout.as_bytes()) {
        assert_eq!(ObjectId::of_blob(&read(&open(&disk), &id)), id);
    }
    sandbox.write("other", "other");
    let refused = store(&["hash-object", "-w", "other"]).fails_with(3);
    assert!(refused.stderr.contains("ead-only file system"), "{}", refused.stderr);
    // A program that was killed while it had the index open leaves it to be repaired, which needs no writing to read.
    system("mount", &["-o", "remount,rw", workspace]).unwrap();
    let mut command = sandbox.comfrey_command(["--workspace", workspace, "hash-object", "-w", "other"]);
    command.env("COMFREY_FAULT_AT", "12!");
    Run::of(command);
    system("mount", &["-o", "remount,ro", workspace]).unwrap();
    assert_eq!(store(&["cat-object", "-p", &id]).success().stdout, "small");
}

#[test]
fn reflinks_share_the_disk_where_the_file_system_can() {
    let sandbox = Sandbox::new();
    let (image, disk) = (sandbox.join("image"), sandbox.join("disk"));
    std::fs::create_dir(&disk).unwrap();
    let made = File::create(&image).and_then(|file| file.set_len(320 << 20)).map_err(|e| e.to_string());
    let mounted = made
        .and_then(|()| system("mkfs.xfs", &["-q", "-m", "reflink=1", image.to_str().unwrap()]))
        .and_then(|()| system("mount", &["-o", "loop", image.to_str().unwrap(), disk.to_str().unwrap()]));
    if let Err(why) = mounted {
        return skip("reflinks", &why);
    }
    let _mounted = Mounted(disk.clone());
    let store = Store::create(&disk.join(".comfrey")).unwrap();
    let model = disk.join("model.safetensors");
    let bytes = bytes_of(64 << 20, 1);
    std::fs::write(&model, &bytes).unwrap();
    File::open(&model).unwrap().sync_all().unwrap();
    let free = || {
        let output = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(&disk).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        numbers[0] * numbers[1]
    };
    let before = free();
    let writer = store.writer().unwrap();
    for policy in [LinkPolicy::Auto, LinkPolicy::Reflink, LinkPolicy::Copy] {
        let stored = writer.put_file(&model, policy, &Silent).unwrap();
        let expected = if policy == LinkPolicy::Auto { How::Reflinked } else { How::AlreadyThere };
        assert_eq!(stored.how, expected);
    }
    writer.publish().unwrap();
    let id = ObjectId::of_blob(&bytes);
    assert_eq!(store.info(&id).unwrap().unwrap().place, Place::Large);
    let out = disk.join("out");
    assert_eq!(store.materialize(&id, &out, LinkPolicy::Auto).unwrap(), How::Reflinked);
    assert!(before.abs_diff(free()) < 32 << 20, "the bytes are there once");
    // The user's files are theirs to change, and the store keeps its own bytes.
    for path in [&model, &out] {
        let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all(b"changed").unwrap();
    }
    assert_eq!(read(&store, &id), bytes);
}

#[test]
fn a_file_on_another_file_system_is_referred_to_unless_a_copy_is_wanted() {
    let sandbox = Sandbox::new();
    let disk = sandbox.join("disk");
    let _mounted = match tmpfs(&disk, "64m") {
        Ok(mounted) => mounted,
        Err(why) => return skip("another file system", &why),
    };
    let model = disk.join("model.safetensors");
    let bytes = bytes_of(2 << 20, 1);
    std::fs::write(&model, &bytes).unwrap();
    let store = Store::create(&sandbox.join(".comfrey")).unwrap();
    let writer = store.writer().unwrap();
    let error = writer.put_file(&model, LinkPolicy::Hardlink, &Silent).unwrap_err();
    assert!(error.to_string().contains("cannot be hard-linked"), "{error}");
    let stored = writer.put_file(&model, LinkPolicy::Auto, &Silent).unwrap();
    assert_eq!(stored.how, How::Referenced);
    writer.publish().unwrap();
    let place = store.info(&stored.id).unwrap().unwrap().place;
    assert_eq!(place, Place::Reference(model.canonicalize().unwrap()));
    let again = store.writer().unwrap();
    assert_eq!(again.put_file(&model, LinkPolicy::Auto, &Silent).unwrap().how, How::AlreadyThere);
    assert_eq!(store.writer().unwrap().put_file(&model, LinkPolicy::Copy, &Silent).unwrap().how, How::Copied);
    assert_eq!(read(&store, &stored.id), bytes);
}
