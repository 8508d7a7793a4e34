//! Where custom nodes come from in these tests: a registry on this machine, archives, a repository; and what must hold where they do not come.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;

use serde_json::Value;

use crate::installation::{Installation, collect, difference};
use crate::loopback::{Loopback, Reply};
use crate::support::{Run, file_url};

/// An address at which nobody listens.
pub const NOBODY: &str = "http://127.0.0.1:9";

/// Runs a command with the registry at `base`, and without the machine's proxies.
pub fn at(demo: &Installation, base: &str, arguments: &[&str]) -> Run {
    let mut command = demo.command(arguments.iter().copied());
    command.env("COMFREY_REGISTRY", base).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    command.env("GIT_CONFIG_GLOBAL", demo.sandbox.join("none")).env("GIT_CONFIG_NOSYSTEM", "1");
    Run::of(command)
}

/// Runs a command that asks nobody.
pub fn alone(demo: &Installation, arguments: &[&str]) -> Run {
    at(demo, NOBODY, arguments)
}

pub fn json(run: &Run) -> Value {
    serde_json::from_str(run.line()).unwrap()
}

pub fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub fn tarred(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

pub fn reply(text: impl Into<Vec<u8>>) -> Reply {
    Reply::Whole("200 OK\r\nContent-Type: application/json", text.into())
}

pub fn archive(bytes: Vec<u8>) -> Reply {
    Reply::Whole("200 OK\r\nContent-Type: application/zip", bytes)
}

pub const NODE: &str = r#"{"id":"my-pack","name":"My Pack","author":"Ann","description":"Does things.","repository":"https://github.com/ann/my-pack",
  "downloads":12,"github_stars":3,"status":"NodeStatusActive","latest_version":{"version":"1.1.0","status":"NodeVersionStatusActive"}}"#;

pub fn version(number: &str, status: &str) -> String {
    // The address is the host's own, which is known once it is there; the client asks `install` for it.
    format!(r#"{{"version":"{number}","node_id":"my-pack","status":"NodeVersionStatus{status}","downloadUrl":""}}"#)
}

pub fn pack(number: &str) -> Vec<(&'static str, String)> {
    vec![
        ("__init__.py", format!("NODE_CLASS_MAPPINGS = {{}}\nVERSION = \"{number}\"\n")),
        ("pyproject.toml", format!("[project]\nname = \"my-pack\"\nversion = \"{number}\"\n")),
        ("lib/same.py", "same = 1\n".to_owned()),
    ]
}

pub fn zip_of(number: &str) -> Vec<u8> {
    let files = pack(number);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    zipped(&files)
}

/// A registry whose second host has the archives: the address stands in the first one's answers.
pub struct Registry {
    host: Loopback,
    files: Loopback,
}

impl Registry {
    /// Answers for adding one version, of those that there are.
    pub fn serving(number: &str, versions: &[(&str, &str)], archive_reply: Reply) -> Registry {
        let files = Loopback::start(vec![archive_reply]);
        Registry { host: Registry::with_archive_at(number, versions, &files.url("/node.zip")), files }
    }

    /// The same answers, with the archive elsewhere.
    pub fn with_archive_at(number: &str, versions: &[(&str, &str)], address: &str) -> Loopback {
        let versions: Vec<String> = versions.iter().map(|(number, status)| version(number, status)).collect();
        let address = format!("\"downloadUrl\":\"{address}\"");
        let install = version(number, "Active").replace("\"downloadUrl\":\"\"", &address);
        Loopback::start(vec![reply(NODE), reply(format!("[{}]", versions.join(","))), reply(install)])
    }

    pub fn url(&self) -> String {
        self.host.url("")
    }

    pub fn end(self) {
        self.host.requests();
        self.files.requests();
    }
}

/// Adds version 1.0.0 of `my-pack`.
pub fn with_pack() -> Installation {
    let demo = Installation::new();
    let registry = Registry::serving("1.0.0", &[("1.0.0", "Active")], archive(zip_of("1.0.0")));
    at(&demo, &registry.url(), &["node", "add", "my-pack"]).success();
    registry.end();
    demo
}

pub fn manifest(demo: &Installation) -> String {
    std::fs::read_to_string(demo.cec().join("pyproject.toml")).unwrap()
}

/// All that must not change where a command fails: ComfyUI's folder and the environment's, Python and its stamp included, and what `undo` would take back.
pub fn everything(demo: &Installation) -> BTreeMap<String, Vec<u8>> {
    let mut found = demo.comfyui_files();
    collect(&demo.sandbox.join("work/environments"), "environments", &mut found);
    let is_kept = |name: &String| !name.contains("/logs") && !name.ends_with("/lock") && !name.contains("__pycache__");
    found.retain(|name, _| is_kept(name));
    found.insert("operations".to_owned(), demo.comfrey(["operations"]).success().stdout.into_bytes());
    found
}

/// Nothing has changed since `before` was [`everything`], and nothing is left of the attempt.
#[track_caller]
pub fn unchanged(demo: &Installation, before: &BTreeMap<String, Vec<u8>>, run: &Run) {
    let what = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(difference(&everything(demo), before), Vec::<String>::new(), "{what}");
    let staged = std::fs::read_dir(demo.sandbox.join("work/.comfrey/staging")).map_or(0, Iterator::count);
    assert_eq!(staged, 0, "{what}");
}

/// Runs git in a folder, without the machine's settings.
#[track_caller]
pub fn git(demo: &Installation, place: &Path, words: &[&str]) -> String {
    let mut command = demo.sandbox.command("git");
    for (name, value) in [("NAME", "Test"), ("EMAIL", "test@example.org"), ("DATE", "2026-01-01T00:00:00Z")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    command.env("GIT_CONFIG_GLOBAL", demo.sandbox.join("none")).env("GIT_CONFIG_NOSYSTEM", "1");
    let done = command.arg("-C").arg(place).args(words).output().unwrap();
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
}

/// A repository with the tag `v1` and another commit after it.
pub fn repository(demo: &Installation, name: &str) -> String {
    let place = demo.sandbox.join(name);
    std::fs::create_dir_all(&place).unwrap();
    let git = |words: &[&str]| git(demo, &place, words);
    git(&["init", "-q", "-b", "main"]);
    for (number, tag) in [("1", Some("v1")), ("2", None)] {
        demo.sandbox.write(Path::new(name).join("__init__.py"), format!("NUMBER = {number}\n"));
        demo.sandbox.write(Path::new(name).join("other.py"), "other = 1\n");
        git(&["add", "."]);
        git(&["commit", "-q", "-m", number]);
        if let Some(tag) = tag {
            git(&["tag", tag]);
        }
    }
    file_url(&place)
}
