//! The user's own `git`, so that credentials, proxies, partial clones and filters are as they have set them up.
//!
//! It never reads standard input. It may ask for a password on the terminal where questions are allowed; otherwise a host
//! that wants one makes it fail at once. When the user asks to stop it is ended, and with it the helpers that it runs.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::observer::{Observer, Unit};

use super::git_refs::{Reference, RemoteRefs, is_commit, without_credentials};

/// Why git did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("the program `git` is not there")]
    Missing,
    #[error("`git` cannot be run: {0}")]
    Start(io::Error),
    /// It ended with an error. `said` are the last lines of what it wrote, without names and passwords.
    #[error("`git {verb}` failed{}{}", place(about), lines(said))]
    Failed { verb: String, about: String, said: Vec<String> },
    #[error("{} has no branch, tag or commit `{reference}`", shown(url))]
    NoSuchRef {
        url: String,
        reference: String,
        /// Names that it has and that look alike, the closest first.
        near: Vec<String>,
    },
    #[error("`{0}` cannot be the name of a branch, tag or commit")]
    BadReference(String),
    #[error("interrupted")]
    Interrupted,
}

fn place(about: &str) -> String {
    if about.is_empty() { String::new() } else { format!(" on {about}") }
}

fn lines(said: &[String]) -> String {
    said.iter().map(|line| format!("\n  {line}")).collect()
}

/// Whether git may ask on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Questions {
    Allowed,
    Never,
}

/// How to run git.
#[derive(Clone, Copy)]
pub struct Git<'a> {
    pub questions: Questions,
    pub observer: &'a dyn Observer,
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The commit that is checked out, 40 (or 64) hex digits.
    pub commit: String,
    /// The branch or tag by its short name; absent where a commit was asked for.
    pub reference: Option<String>,
}

/// So many lines of what git said are worth showing.
const LAST_LINES: usize = 4;
/// How long git has to clean up after itself once it is asked to end.
const PATIENCE: Duration = Duration::from_secs(2);

impl Git<'_> {
    /// The branches and tags of a repository, which may be a URL or a folder, and the branch that its HEAD names.
    pub fn ls_remote(&self, url: &str) -> Result<RemoteRefs, GitError> {
        let listed = self.ask(url, None, ["ls-remote", "--heads", "--tags", "--", url])?;
        let head = self.ask(url, None, ["ls-remote", "--symref", "--", url, "HEAD"])?;
        Ok(RemoteRefs::parse(&listed, &head))
    }

    /// Makes `folder`, which must be absent or empty, a clone of the repository at `url` with this reference checked out: its files, `.git`,
    /// the remote `origin`, submodules. Of the history it brings the last commit alone where the host can do that.
    ///
    /// # Errors
    /// Something may be left in `folder`.
    pub fn fetch(&self, url: &str, reference: &Reference, folder: &Path) -> Result<Fetched, GitError> {
        let found = self.find(url, reference)?;
        self.fetch_found(url, &found, folder)
    }

    /// [`Git::fetch`] of what [`Git::find`] found.
    pub fn fetch_found(&self, url: &str, wanted: &Found, folder: &Path) -> Result<Fetched, GitError> {
        self.observer.started("fetching with git", Unit::Items, None);
        self.run(url, None, [OsStr::new("init"), OsStr::new("--quiet"), OsStr::new("--"), folder.as_os_str()])?;
        self.ask(url, Some(folder), ["remote", "add", "--", "origin", url])?;
        let fetched = match wanted {
            Found::Branch { name, .. } => {
                let refspec = format!("+refs/heads/{name}:refs/remotes/origin/{name}");
                self.get(url, folder, &refspec)?;
                self.check_out(folder, &["-B", name, "--track", &format!("origin/{name}")])?
            }
            Found::Tag { name, .. } => {
                let tag = format!("refs/tags/{name}");
                self.get(url, folder, &format!("+{tag}:{tag}"))?;
                self.check_out(folder, &["--detach", &tag])?
            }
            Found::Commit(id) => self.commit(url, folder, id)?,
        };
        if folder.join(".gitmodules").exists() {
            self.ask(url, Some(folder), ["submodule", "--quiet", "update", "--init", "--recursive", "--depth", "1"])?;
        }
        self.observer.finished();
        Ok(Fetched { commit: fetched, reference: wanted.name().map(str::to_owned) })
    }

    /// The address of the remote `origin` of a clone, bare or not; nothing where it has none.
    pub fn origin_of(&self, folder: &Path) -> Option<String> {
        let text = self.ask("", Some(folder), ["config", "--get", "remote.origin.url"]).ok()?;
        Some(without_credentials(text.trim())).filter(|url| !url.is_empty())
    }

    /// The commit checked out in a clone.
    pub fn commit_of(&self, folder: &Path) -> Result<String, GitError> {
        let text = self.ask("", Some(folder), ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
        Ok(text.trim().to_owned())
    }

    /// What a reference means in a repository. A commit's id is taken at its word.
    pub fn find(&self, url: &str, reference: &Reference) -> Result<Found, GitError> {
        let text = match reference {
            Reference::Named(name) => Some(name),
            Reference::Head => None,
        };
        if let Some(text) = text.filter(|text| !is_ref_name(text)) {
            return Err(GitError::BadReference(text.clone()));
        }
        let refs = self.ls_remote(url)?;
        let Some(text) = text else {
            return match (&refs.head_branch, &refs.head) {
                (Some(name), Some(commit)) => Ok(Found::Branch { name: name.clone(), commit: commit.clone() }),
                (None, Some(id)) => Ok(Found::Commit(id.clone())),
                (_, None) => {
                    Err(GitError::NoSuchRef { url: url.to_owned(), reference: "HEAD".to_owned(), near: Vec::new() })
                }
            };
        };
        let short = |prefix: &str| text.strip_prefix(prefix).unwrap_or(text);
        if let Some((name, commit)) = refs.tags.get_key_value(short("refs/tags/")) {
            return Ok(Found::Tag { name: name.clone(), commit: commit.clone() });
        }
        if let Some((name, commit)) = refs.branches.get_key_value(short("refs/heads/")) {
            return Ok(Found::Branch { name: name.clone(), commit: commit.clone() });
        }
        if is_commit(text) {
            return Ok(Found::Commit(text.to_ascii_lowercase()));
        }
        Err(GitError::NoSuchRef { url: url.to_owned(), reference: text.clone(), near: refs.near(text) })
    }

    /// Fetches one ref: its last commit alone, or with its history where the host knows no shallow clones.
    fn get(&self, url: &str, folder: &Path, refspec: &str) -> Result<(), GitError> {
        let shallow = self.ask(url, Some(folder), ["fetch", "--quiet", "--no-tags", "--depth=1", "origin", refspec]);
        match shallow {
            Err(GitError::Failed { .. }) => {
                self.ask(url, Some(folder), ["fetch", "--quiet", "--no-tags", "origin", refspec]).map(drop)
            }
            done => done.map(drop),
        }
    }

    /// Fetches a commit by its id, which may be cut short. Not every host hands out commits by id; then it is looked for in everything.
    fn commit(&self, url: &str, folder: &Path, id: &str) -> Result<String, GitError> {
        if matches!(id.len(), 40 | 64) {
            let one = self.ask(url, Some(folder), ["fetch", "--quiet", "--no-tags", "--depth=1", "origin", id]);
            match one {
                Ok(_) => return self.check_out(folder, &["--detach", id]),
                Err(GitError::Failed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.ask(url, Some(folder), ["fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"])?;
        let commit = format!("{id}^{{commit}}");
        match self.ask(url, Some(folder), ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]) {
            Ok(found) => self.check_out(folder, &["--detach", found.trim()]),
            Err(GitError::Failed { .. }) => {
                Err(GitError::NoSuchRef { url: url.to_owned(), reference: id.to_owned(), near: Vec::new() })
            }
            Err(error) => Err(error),
        }
    }

    fn check_out(&self, folder: &Path, how: &[&str]) -> Result<String, GitError> {
        let words = ["checkout", "--quiet", "--force"].into_iter().chain(how.iter().copied());
        self.ask("", Some(folder), words)?;
        self.commit_of(folder)
    }

    pub(super) fn ask<'w>(
        &self,
        about: &str,
        folder: Option<&Path>,
        words: impl IntoIterator<Item = &'w str>,
    ) -> Result<String, GitError> {
        let output = self.run(about, folder, words.into_iter().map(OsStr::new))?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Runs git in `folder` and answers with what it wrote to standard output. `about` is the repository that it works on, for messages.
    fn run<'w>(
        &self,
        about: &str,
        folder: Option<&Path>,
        words: impl IntoIterator<Item = &'w OsStr>,
    ) -> Result<Vec<u8>, GitError> {
        let words: Vec<&OsStr> = words.into_iter().collect();
        let mut command = self.command(about);
        if let Some(folder) = folder {
            command.arg("-C").arg(folder);
        }
        command.args(&words);
        let verb = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        self.carry_out(command, verb, about)
    }

    /// Runs git in `folder` with an index of its own and these settings.
    pub(super) fn run_with_index(
        &self,
        verb: &str,
        settings: &[String],
        folder: &Path,
        index: &Path,
        words: impl IntoIterator<Item = OsString>,
    ) -> Result<Vec<u8>, GitError> {
        let mut command = self.command("");
        command.env("GIT_INDEX_FILE", index).arg("-C").arg(folder);
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        command.args(words);
        self.carry_out(command, verb.to_owned(), "")
    }

    fn carry_out(&self, mut command: Command, verb: String, about: &str) -> Result<Vec<u8>, GitError> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => GitError::Missing,
            _ => GitError::Start(error),
        })?;
        let (status, output, said) = self.watch(child)?;
        if status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&said).into_owned();
        let said = if about.is_empty() { said } else { said.replace(about, &without_credentials(about)) };
        let said: Vec<&str> = said.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let last = said.iter().skip(said.len().saturating_sub(LAST_LINES));
        Err(GitError::Failed { verb, about: shown(about), said: last.map(|line| (*line).to_owned()).collect() })
    }

    fn command(&self, about: &str) -> Command {
        let mut command = Command::new(program());
        // As a hook of another repository sets them; they would lead git there.
        for variable in OF_A_REPOSITORY {
            command.env_remove(variable);
        }
        // The same bytes on every system; names as long as nodes have them; no work left behind in the background.
        for setting in ["core.autocrlf=false", "core.longpaths=true", "gc.auto=0", "maintenance.auto=false"] {
            command.arg("-c").arg(setting);
        }
        command.arg("-c").arg("advice.detachedHead=false");
        if self.questions == Questions::Never {
            command.env("GIT_TERMINAL_PROMPT", "0").env("GCM_INTERACTIVE", "never");
            // ssh asks on the terminal by itself. A command that the user has chosen knows better.
            let chosen = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            if cfg!(unix) && is_ssh(about) && !chosen("GIT_SSH_COMMAND") && !chosen("GIT_SSH") {
                command.env("SSH_ASKPASS_REQUIRE", "force").env("SSH_ASKPASS", "false");
            }
        }
        command
    }

    /// Waits for git, and ends it when the user asks to stop.
    fn watch(&self, mut child: Child) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), GitError> {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            let out = scope.spawn(|| read_all(out));
            let err = scope.spawn(|| read_all(err));
            let mut pause = Duration::from_millis(1);
            let status = loop {
                match child.try_wait() {
                    Ok(Some(status)) => break Ok(status),
                    Ok(None) if self.observer.interrupted() => {
                        end(&mut child);
                        break Err(GitError::Interrupted);
                    }
                    Ok(None) => {
                        std::thread::sleep(pause);
                        pause = (pause * 2).min(Duration::from_millis(40));
                    }
                    Err(error) => {
                        end(&mut child);
                        break Err(GitError::Start(error));
                    }
                }
            };
            let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
            // On a terminal Ctrl-C reaches git as well as us, and git may be the first to end.
            match status {
                Ok(status) if !status.success() && self.observer.interrupted() => Err(GitError::Interrupted),
                Ok(status) => Ok((status, out, err)),
                Err(error) => Err(error),
            }
        })
    }
}

/// A reference that a repository has, with the commit that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Branch {
        name: String,
        commit: String,
    },
    Tag {
        name: String,
        commit: String,
    },
    /// Perhaps cut short.
    Commit(String),
}

impl Found {
    /// The short name of the branch or tag.
    pub fn name(&self) -> Option<&str> {
        match self {
            Found::Branch { name, .. } | Found::Tag { name, .. } => Some(name),
            Found::Commit(_) => None,
        }
    }

    /// The commit, perhaps cut short.
    pub fn commit(&self) -> &str {
        match self {
            Found::Branch { commit, .. } | Found::Tag { commit, .. } | Found::Commit(commit) => commit,
        }
    }
}

/// Variables that name a repository, from `git rev-parse --local-env-vars`.
const OF_A_REPOSITORY: [&str; 10] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_QUARANTINE_PATH",
];

/// `COMFREY_GIT`, else the `git` on PATH.
fn program() -> OsString {
    std::env::var_os("COMFREY_GIT").filter(|value| !value.is_empty()).unwrap_or_else(|| "git".into())
}

fn is_ssh(url: &str) -> bool {
    url.starts_with("ssh://") || url.starts_with("git+ssh://") || (!url.contains("://") && url.contains('@'))
}

/// A URL without its password; a path as it is.
fn shown(url: &str) -> String {
    without_credentials(url)
}

/// What `git check-ref-format` lets through, and nothing that git takes for an option or for several refs.
fn is_ref_name(text: &str) -> bool {
    let refused = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    !text.is_empty()
        && !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && !text.contains("..")
        && !text.contains("@{")
        && !text.contains("//")
        && !text.chars().any(refused)
}

fn read_all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is still worth showing.
    drop(pipe.map(|mut pipe| pipe.read_to_end(&mut bytes)));
    bytes
}

/// Asks the process to end, which lets git end its helpers; then makes it.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(id) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // One that has ended by itself is waited for below.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if matches!(child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    #[cfg(windows)]
    let _ = (PATIENCE, Instant::now);
    drop(child.kill());
    drop(child.wait());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;

    const GIT: Git<'static> = Git { questions: Questions::Never, observer: &Silent };

    /// A repository with the branches `main` and `side`, an annotated tag `v1.0.0` and a plain one `v1.1.0`.
    fn repository() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let git = |words: &[&str]| {
            let mut command = Command::new("git");
            for (name, value) in [("NAME", "Test"), ("EMAIL", "test@example.org"), ("DATE", "2026-01-01T00:00:00Z")] {
                command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
            }
            let done = command.arg("-C").arg(dir.path()).args(words).output().unwrap();
            assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        git(&["init", "-q", "-b", "main"]);
        for (text, tag) in [("one", Some("v1.0.0")), ("two", Some("v1.1.0")), ("three", None)] {
            std::fs::write(dir.path().join("file.txt"), text).unwrap();
            git(&["add", "."]);
            git(&["commit", "-q", "-m", text]);
            match tag {
                Some("v1.0.0") => git(&["tag", "-a", "-m", "first", "v1.0.0"]),
                Some(tag) => git(&["tag", tag]),
                None => {}
            }
        }
        git(&["branch", "side/line", "v1.1.0"]);
        dir
    }

    fn named(name: &str) -> Reference {
        Reference::Named(name.to_owned())
    }

    #[test]
    fn a_branch_a_tag_a_commit_and_head_are_fetched_with_their_files() {
        let from = repository();
        let url = from.path().to_str().unwrap();
        let refs = GIT.ls_remote(url).unwrap();
        assert_eq!(refs.head_branch.as_deref(), Some("main"));
        let first = refs.tags["v1.0.0"].clone();
        for (reference, text, name) in [
            (Reference::Head, "three", Some("main")),
            (named("main"), "three", Some("main")),
            (named("side/line"), "two", Some("side/line")),
            (named("refs/tags/v1.1.0"), "two", Some("v1.1.0")),
            (named("v1.0.0"), "one", Some("v1.0.0")),
            (named(&first), "one", None),
            (named(&first[..10]), "one", None),
        ] {
            let to = tempfile::tempdir().unwrap();
            let fetched = GIT.fetch(url, &reference, to.path()).unwrap();
            assert_eq!(std::fs::read_to_string(to.path().join("file.txt")).unwrap(), text, "{reference:?}");
            assert_eq!(fetched.reference.as_deref(), name);
            assert_eq!(GIT.commit_of(to.path()).unwrap(), fetched.commit);
        }
        assert_eq!(GIT.commit_of(from.path()).unwrap(), refs.branches["main"]);
    }

    #[test]
    fn a_reference_that_is_not_there_names_those_near_it() {
        let from = repository();
        let url = from.path().to_str().unwrap();
        let to = tempfile::tempdir().unwrap();
        match GIT.fetch(url, &named("v1.1"), to.path()) {
            Err(GitError::NoSuchRef { near, .. }) => assert_eq!(near.first().map(String::as_str), Some("v1.1.0")),
            other => panic!("{other:?}"),
        }
        let absent = "0123456789abcdef0123456789abcdef01234567";
        assert!(matches!(GIT.fetch(url, &named(absent), to.path()), Err(GitError::NoSuchRef { .. })));
        assert!(matches!(GIT.fetch(url, &named("--upload-pack=x"), to.path()), Err(GitError::BadReference(_))));
        assert!(matches!(GIT.fetch(url, &named("a:b"), to.path()), Err(GitError::BadReference(_))));
    }

    #[test]
    fn what_git_says_is_handed_on_without_the_password() {
        let to = tempfile::tempdir().unwrap();
        let absent = to.path().join("absent");
        let error = GIT.ls_remote(absent.to_str().unwrap()).unwrap_err();
        assert!(matches!(&error, GitError::Failed { said, .. } if !said.is_empty()), "{error}");
        // No program listens on the port of TCP's multiplexer.
        let error = GIT.ls_remote("http://me:secret@127.0.0.1:1/repo.git").unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:1/repo.git") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn git_ends_when_the_user_asks_to_stop() {
        struct Stop;
        impl Observer for Stop {
            fn interrupted(&self) -> bool {
                true
            }
        }
        let git = Git { questions: Questions::Never, observer: &Stop };
        // It waits for standard input of its own, which nobody writes to.
        let mut command = git.command("");
        command.args(["hash-object", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        assert!(matches!(git.watch(command.spawn().unwrap()), Err(GitError::Interrupted)));
    }
}
