//! From archives and single files, on a disk or at an address.

use crate::installation::Installation;
use crate::loopback::{Loopback, Reply};

use super::sources::{Registry, alone, archive, at, everything, manifest, tarred, unchanged, zip_of, zipped};

#[test]
fn an_archive_that_is_not_one_or_leaves_its_folder_is_refused_and_nothing_is_changed() {
    let demo = Installation::new();
    let before = everything(&demo);
    let good = zip_of("1.0.0");
    let mut damaged = good.clone();
    let place = damaged.windows(9).position(|bytes| bytes == b"lib/same.").unwrap() + 11;
    damaged[place] ^= 0xff;
    let page = Reply::Whole("200 OK\r\nContent-Type: text/html", b"<html>Log in</html>".to_vec());
    for (reply, code, part) in [
        (archive(zipped(&[("__init__.py", ""), ("../../evil.py", "x")])), 5, "lead elsewhere"),
        (archive(zipped(&[("__init__.py", ""), ("/etc/evil", "x")])), 5, "the name is absolute"),
        (archive(zipped(&[("__init__.py", ""), ("nul.py", "x")])), 5, "a device on Windows"),
        (archive(b"not an archive at all".to_vec()), 5, "no archive"),
        (archive(good[..good.len() - 30].to_vec()), 5, "damaged"),
        (archive(damaged), 5, "damaged"),
        (archive(zipped(&[("README.md", "no node")])), 5, "no __init__.py"),
        (page, 6, "a web page came where a file was expected"),
        (Reply::Whole("404 Not Found", Vec::new()), 6, "there is nothing there"),
    ] {
        std::fs::remove_dir_all(demo.sandbox.join("work/.comfrey/catalog/registry")).ok();
        let registry = Registry::serving("1.0.0", &[("1.0.0", "Active")], reply);
        let run = at(&demo, &registry.url(), &["node", "add", "my-pack"]).fails_with(code);
        registry.end();
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
        unchanged(&demo, &before, &run);
    }
    assert!(!demo.sandbox.join("evil.py").exists() && !demo.sandbox.join("work/evil.py").exists());
}

#[test]
fn an_archive_of_either_kind_and_a_single_file_come_from_a_disk_or_an_address() {
    let demo = Installation::new();
    let files = [("top-1.0/__init__.py", "x = 1\n"), ("top-1.0/sub/a.py", "a = 1\n")];
    demo.sandbox.write("work/disk.tar.gz", tarred(&files));
    demo.sandbox.write("work/disk.zip", zipped(&files));
    demo.sandbox.write("work/single.py", "NODE_CLASS_MAPPINGS = {}\n");
    alone(&demo, &["node", "add", "disk.tar.gz", "--name", "from-tar"]).success();
    alone(&demo, &["node", "add", "./disk.zip"]).success();
    alone(&demo, &["node", "add", "single.py"]).success();
    for path in ["custom_nodes/from-tar/sub/a.py", "custom_nodes/disk/__init__.py", "custom_nodes/single.py"] {
        assert!(demo.exists(path), "{path}");
    }
    let digest = "0".repeat(64);
    let host = Loopback::start(vec![archive(zipped(&files)), archive(zipped(&files))]);
    let url = host.url("/x/far.zip?token=hush");
    let wrong = alone(&demo, &["node", "add", &format!("{url}#sha256={digest}")]).fails_with(5);
    assert!(wrong.stderr.contains("its SHA-256 is") && !demo.exists("custom_nodes/far"), "{}", wrong.stderr);
    let run = alone(&demo, &["node", "add", &url]).success();
    assert!(demo.exists("custom_nodes/far/sub/a.py"));
    host.requests();
    assert!(!manifest(&demo).contains("hush") && !run.stderr.contains("hush") && !wrong.stderr.contains("hush"));
    assert!(manifest(&demo).contains("/x/far.zip\""), "{}", manifest(&demo));
    // What was fetched before serves where the host is gone.
    demo.comfrey(["undo"]).success();
    alone(&demo, &["node", "add", &url]).success();
    demo.comfrey(["commit", "-m", "with archives"]).success();
    assert!(manifest(&demo).contains("/x/far.zip\""), "{}", manifest(&demo));
}

/// What an archive may claim to hold.
enum Claim {
    File(&'static str),
    Link(&'static str, &'static str),
    /// In tar alone.
    HardLink(&'static str, &'static str),
}

/// An archive of a sound node with one entry more; nothing where its format has no such entry.
fn with_claim(claim: &Claim, zip: bool) -> Option<Vec<u8>> {
    if zip {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file("__init__.py", options).unwrap();
        match claim {
            Claim::File(name) => writer.start_file(*name, options).unwrap(),
            Claim::Link(name, target) => writer.add_symlink(*name, *target, options).unwrap(),
            Claim::HardLink(..) => return None,
        }
        return Some(writer.finish().unwrap().into_inner());
    }
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut append = |name: &str, kind: tar::EntryType, target: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o644);
        header.set_entry_type(kind);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        builder.append(&header, std::io::empty()).unwrap();
    };
    append("__init__.py", tar::EntryType::Regular, "");
    match claim {
        Claim::File(name) => append(name, tar::EntryType::Regular, ""),
        Claim::Link(name, target) => append(name, tar::EntryType::Symlink, target),
        Claim::HardLink(name, target) => append(name, tar::EntryType::Link, target),
    }
    Some(builder.into_inner().unwrap().finish().unwrap())
}

#[test]
fn an_archive_that_leads_out_of_its_folder_in_any_way_is_refused_by_the_name_that_does() {
    let demo = Installation::new();
    let before = everything(&demo);
    for (claim, named, rule) in [
        (Claim::File("../evil.py"), "../evil.py", "`..`, which lead elsewhere"),
        (Claim::File("sub/../../evil.py"), "sub/../../evil.py", "`..`, which lead elsewhere"),
        (Claim::File("/evil.py"), "/evil.py", "the name is absolute"),
        (Claim::File("C:/evil.py"), "C:/evil.py", "a drive letter"),
        (Claim::File("..\\evil.py"), "evil.py", "a backslash"),
        (
            Claim::Link("evil.py", "../../../secret"),
            "evil.py",
            "the link leads out of the archive, to `../../../secret`",
        ),
        (Claim::Link("evil.py", "/etc/passwd"), "evil.py", "the link leads out of the archive, to `/etc/passwd`"),
        (Claim::HardLink("evil.py", "../../secret"), "evil.py", "`..`, which lead elsewhere"),
        (Claim::HardLink("evil.py", "secret"), "evil.py", "the hard link names no file that came before it"),
    ] {
        for (zip, name) in [(true, "work/evil.zip"), (false, "work/evil.tar.gz")] {
            let Some(bytes) = with_claim(&claim, zip) else { continue };
            let path = demo.sandbox.write(name, bytes);
            let run = alone(&demo, &["node", "add", path.to_str().unwrap()]).fails_with(5);
            let archive = name.strip_prefix("work/").unwrap();
            for part in [archive, "the archive is refused", named, rule, "nothing was changed"] {
                assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
            }
            unchanged(&demo, &before, &run);
        }
    }
    let all = walkdir::WalkDir::new(demo.sandbox.path()).into_iter().map(|entry| entry.unwrap());
    assert_eq!(all.filter(|entry| entry.file_name() == "evil.py").count(), 0);
}
