//! Making environments: from every kind of source, interrupted, and where something is missing.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::documents::{documented, same_fields};
use crate::installation::{collect, difference};
use crate::support::{Run, Sandbox};
use crate::trial::{left_out, links_can_be_made};

/// A sandbox with the workspace `work/` and the stand-in ComfyUI as sources of every kind.
pub struct Sources {
    pub sandbox: Sandbox,
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == "__pycache__" => {}
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

impl Sources {
    /// The folder `plain/`, and the workspace.
    pub fn new() -> Self {
        let sandbox = Sandbox::new();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/comfyui");
        copy(&fixture, &sandbox.join("plain"));
        sandbox.comfrey(["init", "work", "--no-input"]).success();
        Sources { sandbox }
    }

    /// And `clone/`: tags v0.3.60, v0.3.64 and v0.4.0-rc1, and the branch `next` beyond them.
    pub fn with_git() -> Self {
        let sources = Self::new();
        copy(&sources.sandbox.join("plain"), &sources.sandbox.join("clone"));
        sources.git(&["init", "-q", "-b", "main"]);
        for (version, tag) in [("0.3.60", "v0.3.60"), ("0.3.64", "v0.3.64"), ("0.4.0", "v0.4.0-rc1")] {
            sources.release(version);
            sources.git(&["tag", "-a", "-m", tag, tag]);
        }
        sources.git(&["checkout", "-q", "-b", "next"]);
        sources.release("0.5.0");
        sources.git(&["checkout", "-q", "main"]);
        sources
    }

    /// A commit that is another version.
    pub fn release(&self, version: &str) {
        self.sandbox.write("clone/comfyui_version.py", format!("__version__ = \"{version}\"\n"));
        self.sandbox.write(format!("clone/only_in_{}.py", version.replace('.', "_")), "x = 1\n");
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", version]);
    }

    pub fn git(&self, words: &[&str]) {
        self.git_in("clone", words);
    }

    pub fn git_in(&self, folder: &str, words: &[&str]) {
        let mut command = Command::new("git");
        for (name, value) in [("NAME", "Test"), ("EMAIL", "test@example.org"), ("DATE", "2026-01-01T00:00:00Z")] {
            command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
        }
        command.arg("-C").arg(self.sandbox.join(folder)).args(["-c", "core.autocrlf=false"]).args(words);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.sandbox.comfrey_command(words);
        command.current_dir(self.sandbox.join("work"));
        // What the machine's git is set to is not these tests' business.
        command.env("GIT_CONFIG_GLOBAL", self.sandbox.join("gitconfig")).env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    pub fn comfrey(&self, words: &[&str]) -> Run {
        Run::of(self.command(words))
    }

    pub fn json(&self, words: &[&str]) -> Value {
        let run = self.comfrey(&[words, &["--json"]].concat()).success();
        serde_json::from_str(run.line()).unwrap()
    }

    /// `create` without a Python of its own.
    pub fn create(&self, words: &[&str]) -> Run {
        self.comfrey(&[&["create", "--no-python"], words].concat())
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.sandbox.join("work/environments").join(name)
    }

    pub fn version(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name).join("ComfyUI/comfyui_version.py")).unwrap_or_default()
    }

    pub fn manifest(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name).join(".cec/pyproject.toml")).unwrap()
    }

    /// What lies in the folder of environments, and in staging.
    #[track_caller]
    pub fn nothing_is_left(&self) {
        let names = |folder: &str| -> Vec<String> {
            let entries = std::fs::read_dir(self.sandbox.join("work").join(folder)).into_iter().flatten();
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names("environments"), Vec::<String>::new());
        assert_eq!(names(".comfrey/staging"), Vec::<String>::new());
        let settings = String::from_utf8(self.sandbox.read("work/comfrey.toml")).unwrap();
        assert!(!settings.contains("active = "), "{settings}");
    }
}

#[test]
fn a_port_that_someone_listens_at_is_given_to_no_environment() {
    let sources = Sources::new();
    let words = ["create", "demo", "--comfyui", "../plain", "--no-python"];
    let offered = || sources.json(&[&words[..], &["--dry-run"]].concat())["port"].as_u64().unwrap();
    // Another test may be faster at the same port.
    let listening = (0..100).find_map(|_| TcpListener::bind(("127.0.0.1", u16::try_from(offered()).unwrap())).ok());
    let port = listening.as_ref().unwrap().local_addr().unwrap().port();
    assert_ne!(sources.json(&words)["port"].as_u64(), Some(port.into()));
}

#[test]
fn an_environment_is_made_of_a_folder_with_all_that_belongs_to_it() {
    let sources = Sources::new();
    let made = sources.json(&["create", "demo", "--comfyui", "../plain", "--no-python"]);
    let mut documented = documented("create");
    assert!(documented["python"].is_string());
    for absent in ["url", "ref", "commit", "python"] {
        documented.as_object_mut().unwrap().remove(absent);
    }
    same_fields("create", &documented, &made);
    assert_eq!(made["version"].as_str(), Some("0.3.64"));
    // Which one depends on what else listens on this machine.
    let port = made["port"].as_u64().unwrap();
    assert!(port >= 8188, "{port}");
    let comfyui = sources.at("demo").join("ComfyUI");
    assert!(comfyui.join("main.py").exists() && comfyui.join("custom_nodes").is_dir());
    let manifest = sources.manifest("demo");
    assert!(manifest.contains("source = \"folder\"") && manifest.contains("dependencies = [\n    \""), "{manifest}");
    assert!(!manifest.contains(sources.sandbox.path().to_str().unwrap()), "{manifest}");
    // The workspace had no models folder yet: now it has, and the environment leads there.
    std::fs::write(sources.sandbox.join("work/models/checkpoints/a.safetensors"), "x").unwrap();
    let is_linked = links_can_be_made("an_environment_is_made_of_a_folder, with a link to the models");
    assert_eq!(comfyui.join("models/checkpoints/a.safetensors").exists(), is_linked);
    assert_eq!(comfyui.join("extra_model_paths.yaml").exists(), !is_linked);
    assert_eq!(made["models"].as_str(), Some(if is_linked { "link" } else { "file" }));
    let status = sources.json(&["status"]);
    assert_eq!(status["clean"].as_bool(), Some(true), "{status:#}");
    let log = sources.comfrey(&["log"]).success();
    assert!(log.stdout.contains("Created with ComfyUI 0.3.64"), "{}", log.stdout);
    let list = sources.json(&["list"]);
    assert_eq!(list["environments"][0]["kind"].as_str(), Some("created"));
    // The next one has a port of its own and the same models.
    let second = sources.json(&["create", "second", "--comfyui", "../plain", "--no-python", "--models", "file"]);
    assert_eq!(second["models"].as_str(), Some("file"));
    assert_ne!(second["port"].as_u64(), Some(port));
    let paths = std::fs::read_to_string(sources.at("second").join("ComfyUI/extra_model_paths.yaml")).unwrap();
    assert!(paths.contains("checkpoints: checkpoints"), "{paths}");
    let found = sources.comfrey(&["-E", "second", "models", "list", "--json"]).success();
    assert!(found.line().contains("checkpoints/a.safetensors"), "{found:?}");
    sources.comfrey(&["fsck"]).success();
}

#[test]
fn a_folder_in_use_gives_its_program_and_nothing_of_its_user() {
    let sources = Sources::new();
    for file in ["models/checkpoints/big.safetensors", "user/default/workflows/a.json", "output/a.png", "input/b.png"] {
        sources.sandbox.write(Path::new("plain").join(file), "mine");
    }
    sources.sandbox.write("plain/custom_nodes/pack/__init__.py", "");
    sources.sandbox.write("plain/venv/pyvenv.cfg", "");
    sources.sandbox.write("plain/venv/bin/python", "");
    sources.create(&["demo", "--comfyui", "../plain"]).success();
    let comfyui = sources.at("demo").join("ComfyUI");
    for absent in ["user/default/workflows", "output/a.png", "input/b.png", "custom_nodes/pack", "venv"] {
        assert!(!comfyui.join(absent).exists(), "{absent}");
    }
    assert!(!comfyui.join("models/checkpoints/big.safetensors").exists());
    assert!(sources.sandbox.join("work/models/checkpoints/put_checkpoints_here").exists());
}

#[test]
fn git_gives_a_tag_a_branch_a_commit_or_head() {
    let sources = Sources::with_git();
    let first = sources.json(&["create", "a", "--comfyui", "../clone", "--ref", "v0.3.60", "--no-python"]);
    assert_eq!((first["version"].as_str(), first["ref"].as_str()), (Some("0.3.60"), Some("v0.3.60")));
    assert_eq!(first["fetched"].as_str(), Some("now"));
    let commit = first["commit"].as_str().unwrap().to_owned();
    assert!(sources.manifest("a").contains(&format!("ref = \"v0.3.60\", commit = \"{commit}\"")));
    for (name, reference, version) in [("b", "next", "0.5.0"), ("c", &commit[..12], "0.3.60"), ("d", "main", "0.4.0")] {
        sources.create(&[name, "--comfyui", "../clone", "--ref", reference]).success();
        assert!(sources.version(name).contains(version), "{name}");
        assert!(!sources.at(name).join("ComfyUI/.git").exists());
    }
    sources.create(&["e", "--comfyui", "../clone"]).success();
    assert!(sources.version("e").contains("0.4.0"));
}

#[test]
fn a_bare_mirror_serves_like_a_clone_and_its_origin_is_what_is_written_down() {
    let sources = Sources::with_git();
    let mirror = sources.sandbox.join("mirror.git");
    sources.git(&["clone", "-q", "--mirror", ".", mirror.to_str().unwrap()]);
    let config = mirror.join("config");
    let text = std::fs::read_to_string(&config).unwrap();
    let url = text.lines().find(|line| line.contains("url =")).unwrap();
    std::fs::write(&config, text.replace(url, "\turl = https://me:secret@example.org/ComfyUI.git")).unwrap();
    sources.create(&["demo", "--comfyui", "../mirror.git", "--ref", "v0.3.64"]).success();
    let manifest = sources.manifest("demo");
    assert!(manifest.contains("url = \"https://example.org/ComfyUI.git\""), "{manifest}");
}

#[test]
fn the_default_is_the_newest_release_of_comfyuis_own_repository() {
    let sources = Sources::with_git();
    let git = Command::new("git").arg("--version").output().unwrap();
    if cfg!(windows) && !String::from_utf8_lossy(&git.stdout).contains("windows") {
        return left_out("the_default_is_the_newest_release", "this git is not one for Windows and knows no drives");
    }
    let place = sources.sandbox.join("clone").to_string_lossy().replace('\\', "/");
    let official = "https://github.com/comfyanonymous/ComfyUI.git";
    sources.sandbox.write("gitconfig", format!("[url \"{place}\"]\n\tinsteadOf = {official}\n"));
    let made = sources.json(&["create", "demo", "--no-python"]);
    assert_eq!((made["ref"].as_str(), made["url"].as_str()), (Some("v0.3.64"), Some(official)));
    // A newer one is found when it is asked for again; without a network what was fetched serves, and that is said.
    sources.release("0.3.65");
    sources.git(&["tag", "v0.3.65"]);
    assert_eq!(sources.json(&["create", "second", "--no-python"])["version"].as_str(), Some("0.3.65"));
    std::fs::rename(sources.sandbox.join("clone"), sources.sandbox.join("away")).unwrap();
    let third = sources.json(&["create", "third", "--no-python"]);
    assert_eq!((third["version"].as_str(), third["fetched"].as_str()), (Some("0.3.65"), Some("earlier-unasked")));
    let run = sources.create(&["fourth"]).success();
    assert!(run.stderr.contains("could not be asked"), "{}", run.stderr);
    let run = sources.create(&["fifth", "--ref", "v0.3.60"]).fails_with(7);
    assert!(
        run.stderr.contains("git ls-remote failed") || run.stderr.contains("`git ls-remote` failed"),
        "{}",
        run.stderr
    );
    assert!(!sources.at("fifth").exists());
}

#[test]
fn what_was_fetched_once_needs_neither_git_nor_a_network_again() {
    let sources = Sources::with_git();
    sources.create(&["a", "--comfyui", "../clone", "--ref", "v0.3.64"]).success();
    sources.comfrey(&["gc", "--now"]).success();
    let mut command = sources.command(&["create", "b", "--no-python", "--comfyui", "../clone", "--ref", "v0.3.64"]);
    command.env("PATH", "");
    assert!(Run::of(command).success().stdout.contains("fetched earlier"));
    assert!(sources.version("b").contains("0.3.64"));
}

#[test]
fn a_reference_that_is_not_there_names_those_near_it() {
    let sources = Sources::with_git();
    let run = sources.create(&["demo", "--comfyui", "../clone", "--ref", "v0.3.6"]).fails_with(3);
    assert!(run.stderr.contains("has no branch, tag or commit `v0.3.6`"), "{}", run.stderr);
    assert!(run.stderr.contains("did you mean v0.3.64, v0.3.60"), "{}", run.stderr);
    sources.create(&["demo", "--comfyui", "../clone", "--ref", "--upload-pack=x"]).fails_with(2);
    sources.create(&["demo", "--comfyui", "../clone", "--ref=--upload-pack=x"]).fails_with(2);
    sources.create(&["demo", "--comfyui", "../plain", "--ref", "v1"]).fails_with(2);
    sources.nothing_is_left();
}

#[test]
fn a_missing_git_is_said_clearly() {
    let sources = Sources::with_git();
    let mut command = sources.command(&["create", "demo", "--no-python", "--comfyui", "../clone"]);
    command.env("PATH", "");
    let run = Run::of(command).fails_with(7);
    assert!(run.stderr.contains("the program `git` is not there"), "{}", run.stderr);
    assert!(run.stderr.contains("install git"), "{}", run.stderr);
    sources.nothing_is_left();
}

#[test]
fn what_is_no_comfyui_and_what_is_not_there_are_refused() {
    let sources = Sources::new();
    sources.sandbox.write("other/README.md", "x");
    let run = sources.create(&["demo", "--comfyui", "../other"]).fails_with(3);
    assert!(run.stderr.contains("this is no ComfyUI"), "{}", run.stderr);
    sources.create(&["demo", "--comfyui", "../absent"]).fails_with(3);
    sources.create(&["no/name", "--comfyui", "../plain"]).fails_with(2);
    sources.nothing_is_left();
}

/// `plain/` as a tar.gz with a folder around it.
fn tar_gz(sources: &Sources, name: &str, evil: Option<&str>) {
    let file = std::fs::File::create(sources.sandbox.join(name)).unwrap();
    let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    builder.append_dir_all("ComfyUI-0.3.64", sources.sandbox.join("plain")).unwrap();
    if let Some(evil) = evil {
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        header.as_old_mut().name[..evil.len()].copy_from_slice(evil.as_bytes());
        header.set_cksum();
        builder.append(&header, &b"evil"[..]).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap();
}

fn zip(sources: &Sources, name: &str, evil: Option<&str>) {
    let file = std::fs::File::create(sources.sandbox.join(name)).unwrap();
    let mut writer = zip::ZipWriter::new(file);
    let plain = sources.sandbox.join("plain");
    let mut files = std::collections::BTreeMap::new();
    collect(&plain, "ComfyUI-0.3.64", &mut files);
    for (path, bytes) in files.iter().filter(|(path, _)| !path.ends_with('/')) {
        writer.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, bytes).unwrap();
    }
    if let Some(evil) = evil {
        writer.start_file(evil, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, b"evil").unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn archives_of_both_kinds_make_the_same_environment_as_the_folder() {
    let sources = Sources::new();
    tar_gz(&sources, "release.tar.gz", None);
    zip(&sources, "release.zip", None);
    for (name, source) in [("a", "../plain"), ("b", "../release.tar.gz"), ("c", "../release.zip")] {
        sources.create(&[name, "--comfyui", source]).success();
    }
    let files = |name: &str| {
        let mut found = std::collections::BTreeMap::new();
        collect(&sources.at(name).join("ComfyUI"), "ComfyUI", &mut found);
        // A link to the workspace's, or what the release brings where links cannot be made.
        found.retain(|file, _| !file.starts_with("ComfyUI/models"));
        found
    };
    assert_eq!(difference(&files("a"), &files("b")), Vec::<String>::new());
    assert_eq!(difference(&files("a"), &files("c")), Vec::<String>::new());
    assert!(sources.manifest("b").contains("source = \"archive\""));
}

#[test]
fn an_archive_that_leaves_its_folder_is_refused() {
    let sources = Sources::new();
    tar_gz(&sources, "evil.tar.gz", Some("../../evil.py"));
    zip(&sources, "evil.zip", Some("../../evil.py"));
    for source in ["../evil.tar.gz", "../evil.zip"] {
        let run = sources.create(&["demo", "--comfyui", source]).fails_with(5);
        assert!(run.stderr.contains("the archive is refused") && run.stderr.contains("`..`"), "{}", run.stderr);
        sources.nothing_is_left();
    }
    let bytes = sources.sandbox.read("evil.zip");
    sources.sandbox.write("cut.zip", &bytes[..bytes.len() / 2]);
    sources.sandbox.write("page.zip", "<html>not found</html>");
    sources.create(&["demo", "--comfyui", "../cut.zip"]).fails_with(5);
    sources.create(&["demo", "--comfyui", "../page.zip"]).fails_with(5);
    sources.nothing_is_left();
}

#[test]
fn a_name_that_is_taken_stops_before_anything_is_fetched() {
    let sources = Sources::new();
    sources.create(&["demo", "--comfyui", "../plain"]).success();
    let run = sources.create(&["demo", "--comfyui", "../absent-too"]).fails_with(4);
    assert!(run.stderr.contains("taken"), "{}", run.stderr);
    sources.create(&["Demo", "--comfyui", "../plain"]).fails_with(4);
    sources.comfrey(&["create", "other", "--dry-run"]).success();
    assert!(!sources.at("other").exists());
}

#[test]
fn a_template_is_where_the_manifest_begins() {
    let sources = Sources::new();
    sources.sandbox.write(
        "template.toml",
        "# my own\n[project]\nname = \"mine\"\nversion = \"2\"\nrequires-python = \">=3.12\"\ndependencies = [\"extra-one\"]\n",
    );
    sources.create(&["demo", "--comfyui", "../plain", "--template", "../template.toml"]).success();
    let manifest = sources.manifest("demo");
    assert!(manifest.starts_with("# my own\n") && manifest.contains(">=3.12"), "{manifest}");
    assert!(manifest.contains("\"extra-one\""), "{manifest}");
    sources.sandbox.write("broken.toml", "[project\n");
    let run = sources.create(&["other", "--comfyui", "../plain", "--template", "../broken.toml"]).fails_with(2);
    assert!(run.stderr.contains("the template is no manifest: line 1"), "{}", run.stderr);
    assert!(!sources.at("other").exists());
}

#[test]
fn a_version_of_one_environment_is_the_beginning_of_another() {
    let sources = Sources::with_git();
    sources.create(&["first", "--comfyui", "../clone", "--ref", "v0.3.60"]).success();
    let comfyui = sources.at("first").join("ComfyUI");
    for (file, text) in [
        ("user/default/workflows/a.json", "{\"nodes\":[],\"links\":[],\"version\":0.4}"),
        ("custom_nodes/pack/__init__.py", "x = 1\n"),
    ] {
        std::fs::create_dir_all(comfyui.join(file).parent().unwrap()).unwrap();
        std::fs::write(comfyui.join(file), text).unwrap();
    }
    sources.comfrey(&["commit", "-m", "with a node"]).success();
    // Neither git nor the source is needed.
    std::fs::rename(sources.sandbox.join("clone"), sources.sandbox.join("away")).unwrap();
    let made = sources.json(&["create", "second", "--from-snapshot", "HEAD", "--no-python"]);
    assert_eq!(made["version"].as_str(), Some("0.3.60"));
    let second = sources.at("second").join("ComfyUI");
    for file in ["main.py", "user/default/workflows/a.json", "custom_nodes/pack/__init__.py", "only_in_0_3_60.py"] {
        assert!(second.join(file).exists(), "{file}");
    }
    let trees = |name: &str| -> Value {
        let show = sources.json(&["-E", name, "show", "HEAD"]);
        show["tree"].clone()
    };
    assert_eq!(trees("first"), trees("second"));
    // With another ComfyUI: nodes and workflows of the version, the program that was named.
    sources
        .create(&["third", "--from-snapshot", "first/heads/main", "--comfyui", "../away", "--ref", "v0.3.64"])
        .success();
    assert!(sources.version("third").contains("0.3.64"));
    assert!(sources.at("third").join("ComfyUI/custom_nodes/pack/__init__.py").exists());
}

#[test]
fn killed_at_any_step_it_leaves_an_environment_or_nothing() {
    let sources = Sources::new();
    let files = |name: &str| {
        let mut found = std::collections::BTreeMap::new();
        collect(&sources.at(name).join("ComfyUI"), "ComfyUI", &mut found);
        // A link to the workspace's, or what the release brings where links cannot be made.
        found.retain(|file, _| !file.starts_with("ComfyUI/models"));
        found
    };
    sources.create(&["whole", "--comfyui", "../plain"]).success();
    let whole = files("whole");
    let mut was_killed = 0;
    // Every step costs a second of testing; a few of each kind tell.
    for step in (1..).step_by(7) {
        let mut command = sources.command(&["create", "demo", "--no-python", "--comfyui", "../plain"]);
        command.env("COMFREY_FAULT_AT", format!("{step}!"));
        let run = Run::of(command);
        let names = sources.json(&["list"]);
        let there = names["environments"].as_array().unwrap().iter().any(|found| found["name"] == "demo");
        if there {
            assert_eq!(difference(&whole, &files("demo")), Vec::<String>::new(), "step {step}");
            let status = sources.json(&["-E", "demo", "status"]);
            assert_eq!(status["clean"].as_bool(), Some(true), "step {step}");
        } else {
            assert!(!sources.at("demo").exists(), "step {step}");
        }
        sources.comfrey(&["fsck"]).success();
        if run.code == 0 {
            break;
        }
        was_killed += 1;
        assert!(!there || step > 20, "step {step}");
        if there {
            break;
        }
    }
    assert!(was_killed > 3, "only {was_killed}");
}

#[test]
fn a_full_disk_ends_it_with_a_clear_error_and_nothing_left() {
    let sources = Sources::new();
    let disk = sources.sandbox.join("disk");
    let _mounted = match crate::store::tmpfs(&disk, "10m") {
        Ok(mounted) => mounted,
        Err(why) => return crate::store::skip("create on a full disk", &why),
    };
    let mut noise = vec![0; 900_000];
    for n in 0..6u8 {
        blake3::Hasher::new().update(&[n]).finalize_xof().fill(&mut noise);
        sources.sandbox.write(format!("plain/data{n}.bin"), &noise);
    }
    let workspace = disk.to_str().unwrap();
    sources.sandbox.comfrey(["--workspace", workspace, "init", "--no-input"]).success();
    let plain = sources.sandbox.join("plain");
    let words = ["--workspace", workspace, "create", "demo", "--no-python", "--comfyui", plain.to_str().unwrap()];
    let run = sources.sandbox.comfrey(words).fails_with(3);
    assert!(run.stderr.contains("the disk is full"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(disk.join("environments")).map_or(0, Iterator::count), 0);
    sources.sandbox.comfrey(["--workspace", workspace, "fsck"]).success();
    crate::store::system("mount", &["-o", "remount,size=64m", workspace]).unwrap();
    sources.sandbox.comfrey(words).success();
}

impl Sources {
    /// Everything in an environment's folder but its lock.
    fn environment_files(&self, name: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
        let mut found = std::collections::BTreeMap::new();
        collect(&self.at(name), "", &mut found);
        found.retain(|path, _| !path.starts_with("/lock"));
        found
    }

    fn names(&self) -> Vec<String> {
        let list = self.json(&["list"]);
        let rows = list["environments"].as_array().unwrap();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_deleted_environment_is_brought_back_as_it_was() {
    let sources = Sources::new();
    sources.create(&["demo", "--comfyui", "../plain"]).success();
    sources.create(&["other", "--comfyui", "../plain"]).success();
    std::fs::write(sources.at("demo").join("ComfyUI/custom_nodes/mine.py"), "x = 1\n").unwrap();
    let before = sources.environment_files("demo");
    let refused = sources.comfrey(&["delete", "demo"]).fails_with(1);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    sources.comfrey(&["delete", "demo", "--dry-run"]).success();
    assert_eq!(sources.names(), ["demo", "other"]);
    let deleted = sources.json(&["delete", "demo", "--yes"]);
    same_fields("delete", &documented("delete"), &deleted);
    assert_eq!(sources.names(), ["other"]);
    assert!(!sources.comfrey(&["show-ref"]).success().stdout.contains("demo/"));
    // Nothing of it is lost while it is in the trash.
    sources.comfrey(&["gc", "--now"]).success();
    sources.comfrey(&["undo"]).success();
    assert_eq!(sources.names(), ["demo", "other"]);
    assert_eq!(difference(&before, &sources.environment_files("demo")), Vec::<String>::new());
    let list = sources.json(&["list"]);
    assert_eq!(list["environments"][0]["active"].as_bool(), Some(true), "{list:#}");
    assert!(sources.comfrey(&["log"]).success().stdout.contains("Created with"));
    sources.comfrey(&["fsck"]).success();
    // And away again.
    sources.comfrey(&["redo", "-E", "demo"]).success();
    assert_eq!(sources.names(), ["other"]);
    sources.create(&["demo", "--comfyui", "../plain"]).success();
    let refused = sources.comfrey(&["undo", "-E", "demo"]).success();
    assert!(refused.stdout.contains("create"), "{}", refused.stdout);
}

#[test]
fn what_made_an_environment_can_be_undone_and_done_again() {
    let sources = Sources::new();
    sources.create(&["demo", "--comfyui", "../plain"]).success();
    let before = sources.environment_files("demo");
    sources.comfrey(&["undo"]).success();
    assert_eq!(sources.names(), Vec::<String>::new());
    sources.comfrey(&["redo"]).success();
    assert_eq!(difference(&before, &sources.environment_files("demo")), Vec::<String>::new());
    let status = sources.json(&["status"]);
    assert_eq!(status["clean"].as_bool(), Some(true), "{status:#}");
}

#[test]
fn deleting_an_adopted_environment_leaves_its_comfyui_alone() {
    let sources = Sources::new();
    sources.comfrey(&["adopt", "mine", "../plain"]).success();
    let files = || {
        let mut found = std::collections::BTreeMap::new();
        collect(&sources.sandbox.join("plain"), "plain", &mut found);
        found
    };
    let before = files();
    let deleted = sources.json(&["delete", "mine", "--yes"]);
    assert_eq!(deleted["with_comfyui"].as_bool(), Some(false));
    assert_eq!(difference(&before, &files()), Vec::<String>::new());
    assert_eq!(sources.names(), Vec::<String>::new());
    // It had no version yet, so no operation tells of it; it comes back all the same.
    sources.comfrey(&["undo", "-E", "mine"]).success();
    assert_eq!(sources.names(), ["mine"]);
}

#[test]
fn a_deletion_killed_at_any_step_is_brought_to_its_end() {
    for step in 1.. {
        assert!(step < 60, "it never passes");
        let sources = Sources::new();
        sources.create(&["demo", "--comfyui", "../plain"]).success();
        let before = sources.environment_files("demo");
        let mut command = sources.command(&["delete", "demo", "--yes"]);
        command.env("COMFREY_FAULT_AT", format!("{step}!"));
        let run = Run::of(command);
        if sources.names().is_empty() {
            assert!(!sources.comfrey(&["show-ref"]).stdout.contains("demo/"), "step {step}");
            let mut command = sources.command(&["undo", "-E", "demo"]);
            command.env("COMFREY_FAULT_AT", format!("{step}!"));
            if Run::of(command).code != 0 && sources.names().is_empty() {
                sources.comfrey(&["undo", "-E", "demo"]).success();
            }
        }
        assert_eq!(sources.names(), ["demo"], "step {step}");
        assert_eq!(difference(&before, &sources.environment_files("demo")), Vec::<String>::new(), "step {step}");
        let log = sources.comfrey(&["-E", "demo", "log"]).success();
        assert!(log.stdout.contains("Created with"), "step {step}: {}", log.stdout);
        sources.comfrey(&["fsck"]).success();
        if run.code == 0 {
            return;
        }
    }
}

#[test]
fn a_copy_has_what_the_original_has_now_and_a_port_of_its_own() {
    let sources = Sources::new();
    sources.create(&["demo", "--comfyui", "../plain"]).success();
    let comfyui = sources.at("demo").join("ComfyUI");
    for file in [
        "custom_nodes/pack/.git/HEAD",
        "custom_nodes/pack/a.py",
        "input/b.png",
        "output/c.png",
        "user/default/comfy.settings.json",
    ] {
        std::fs::create_dir_all(comfyui.join(file).parent().unwrap()).unwrap();
        std::fs::write(comfyui.join(file), "mine").unwrap();
    }
    let cloned = sources.json(&["clone", "demo", "try"]);
    same_fields("clone", &documented("clone"), &cloned);
    assert_ne!(cloned["port"], sources.json(&["list"])["environments"][0]["port"], "{cloned}");
    let copy = sources.at("try").join("ComfyUI");
    for file in ["main.py", "custom_nodes/pack/.git/HEAD", "custom_nodes/pack/a.py", "input/b.png"] {
        assert!(copy.join(file).exists(), "{file}");
    }
    assert!(!copy.join("output/c.png").exists());
    if links_can_be_made("a_copy_has_what_the_original_has_now, with its link") {
        assert!(std::fs::symlink_metadata(copy.join("models")).unwrap().is_symlink());
    }
    // Neither hears of what happens to the other.
    std::fs::write(copy.join("custom_nodes/pack/a.py"), "changed").unwrap();
    assert_eq!(std::fs::read(comfyui.join("custom_nodes/pack/a.py")).unwrap(), b"mine");
    let log = sources.comfrey(&["-E", "try", "log"]).success();
    assert!(log.stdout.contains("Cloned from demo"), "{}", log.stdout);
    sources.comfrey(&["clone", "demo", "try"]).fails_with(4);
    sources.comfrey(&["clone", "absent", "more"]).fails_with(3);
    // An adopted one becomes one of its own.
    sources.comfrey(&["adopt", "mine", "../plain"]).success();
    sources.comfrey(&["clone", "mine", "ours"]).success();
    assert!(sources.at("ours").join("ComfyUI/main.py").exists());
}

#[test]
fn rollback_brings_back_the_comfyui_of_a_version_and_undo_the_newer_one() {
    let sources = Sources::with_git();
    sources.create(&["demo", "--comfyui", "../clone", "--ref", "v0.3.60"]).success();
    sources.create(&["newer", "--comfyui", "../clone", "--ref", "v0.3.64"]).success();
    let comfyui = sources.at("demo").join("ComfyUI");
    // As `git pull` or an unpacked release would do it.
    copy(&sources.at("newer").join("ComfyUI/comfy"), &comfyui.join("comfy"));
    for file in ["comfyui_version.py", "only_in_0_3_64.py"] {
        std::fs::copy(sources.at("newer").join("ComfyUI").join(file), comfyui.join(file)).unwrap();
    }
    std::fs::write(comfyui.join("output/mine.png"), "mine").unwrap();
    let status = sources.json(&["status"]);
    assert_eq!((status["comfyui"]["changed"].as_bool(), status["clean"].as_bool()), (Some(true), Some(false)));
    assert_eq!(status["comfyui"]["to"].as_str().map(|text| text.starts_with("0.3.64")), Some(true));
    sources.comfrey(&["commit", "-m", "newer"]).success();
    let run = sources.comfrey(&["rollback", "v1", "--yes"]).success();
    assert!(run.stdout.contains("comfyui/only_in_0_3_64.py"), "{}", run.stdout);
    assert!(sources.version("demo").contains("0.3.60") && !comfyui.join("only_in_0_3_64.py").exists());
    assert!(comfyui.join("output/mine.png").exists());
    sources.comfrey(&["undo"]).success();
    assert!(sources.version("demo").contains("0.3.64") && comfyui.join("only_in_0_3_64.py").exists());
    assert_eq!(sources.json(&["status"])["clean"].as_bool(), Some(true));
    // An edit of ComfyUI itself is seen, and kept.
    std::fs::write(comfyui.join("main.py"), "# mine\n").unwrap();
    let run = sources.comfrey(&["status"]).success();
    assert!(run.stdout.contains("files of ComfyUI"), "{}", run.stdout);
    sources.comfrey(&["rollback", "HEAD", "--yes"]).success();
    sources.comfrey(&["undo"]).success();
    assert_eq!(std::fs::read(comfyui.join("main.py")).unwrap(), b"# mine\n");
}

#[test]
fn another_comfyui_of_an_adopted_environment_is_named_with_the_command_that_brings_it_back() {
    let sources = Sources::with_git();
    sources.git(&["checkout", "-q", "v0.3.60"]);
    sources.comfrey(&["adopt", "mine", "../clone"]).success();
    sources.comfrey(&["commit", "-m", "first"]).success();
    sources.git(&["checkout", "-q", "v0.3.64"]);
    sources.comfrey(&["commit", "-m", "second"]).success();
    let run = sources.comfrey(&["rollback", "v1", "--yes"]).success();
    assert!(
        run.stderr.contains("v1 had ComfyUI 0.3.60 (") && run.stderr.contains("stays at 0.3.64 ("),
        "{}",
        run.stderr
    );
    let commit = sources.manifest("mine").split("commit = \"").nth(1).unwrap()[..40].to_owned();
    assert!(run.stderr.contains(&format!("checkout {commit}")), "{}", run.stderr);
    let version = String::from_utf8(sources.sandbox.read("clone/comfyui_version.py")).unwrap();
    assert!(version.contains("0.3.64"), "{version}");
}

/// A uv that locks, makes an empty folder of a virtual environment, and fails at `step`.
fn failing_uv(sources: &Sources, step: &str) -> PathBuf {
    let sh = format!(
        "case \"$1\" in\n--version) echo 'uv 0.9.0'; exit 0;;\n{step}) echo 'no room for torch' >&2; exit 2;;\n\
         lock) echo 'version = 1' > uv.lock;;\nvenv) for last; do :; done; mkdir -p \"$last\";;\nesac\nexit 0"
    );
    let cmd = format!(
        "if \"%1\"==\"--version\" echo uv 0.9.0\nif \"%1\"==\"{step}\" goto fail\nif \"%1\"==\"lock\" echo version = 1> uv.lock\n\
         if \"%1\"==\"venv\" goto venv\nexit /b 0\n:fail\necho no room for torch 1>&2\nexit /b 2\n\
         :venv\nset last=%~1\nshift\nif not \"%~1\"==\"\" goto venv\nmkdir \"%last%\"\nexit /b 0"
    );
    sources.sandbox.script(&format!("uv-{step}"), &sh, &cmd)
}

#[test]
fn a_python_that_cannot_be_made_takes_the_environment_with_it() {
    let sources = Sources::new();
    for step in ["lock", "venv", "sync"] {
        let mut command = sources.command(&["create", "demo", "--comfyui", "../plain"]);
        command.env("COMFREY_UV", failing_uv(&sources, step));
        let run = Run::of(command).fails_with(7);
        assert!(run.stderr.contains(&format!("uv {step} failed")), "{step}: {}", run.stderr);
        assert!(run.stderr.contains("no room for torch"), "{step}: {}", run.stderr);
        sources.nothing_is_left();
    }
    let mut command = sources.command(&["create", "demo", "--comfyui", "../plain"]);
    command.env("COMFREY_UV", failing_uv(&sources, "never"));
    Run::of(command).success();
    assert!(sources.at("demo").join(".cec/uv.lock").exists());
}
