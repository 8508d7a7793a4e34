//! The stand-in for ComfyUI of `fixtures/comfyui`, adopted into a workspace and ready to be run with the machine's Python.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Run, Sandbox};

/// A sandbox with `ComfyUI/` and the workspace `work/`, in which it is the environment `demo`.
pub struct Standin {
    pub sandbox: Sandbox,
    pub port: u16,
}

/// How long is waited for what must come.
const PATIENCE: Duration = Duration::from_secs(120);

/// The machine's Python; without one the test cannot be made, which is said, or is a failure where all must be tried.
pub fn python(test: &str) -> Option<PathBuf> {
    let names: &[&str] = if cfg!(windows) { &["python.exe", "py.exe"] } else { &["python3", "python"] };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    let works = |python: &PathBuf| {
        let version = Command::new(python).args(["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = found.filter(|path| path.is_file()).find(works);
    if found.is_none() {
        let why = "no Python 3.9 or newer is on the PATH";
        assert!(std::env::var_os("COMFREY_REQUIRE_ALL").is_none(), "{test}: {why}");
        eprintln!("{test}: left out, {why}");
    }
    found
}

/// The stand-in's folder in the source tree.
pub fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("comfyui")
}

/// Copies a folder, bytecode left out.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_name() == "__pycache__" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What `found` finds, once it does.
#[track_caller]
pub fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Standin {
    /// Nothing if the machine has no Python to run it with.
    pub fn new(test: &str) -> Option<Self> {
        let python = python(test)?;
        let sandbox = Sandbox::new();
        copy(&fixture(), &sandbox.join("ComfyUI"));
        sandbox.comfrey(["init", "work", "--no-input"]).success();
        let standin = Standin { sandbox, port: free_port() };
        standin.comfrey(["adopt", "demo", "../ComfyUI"]).success();
        standin.fact(&format!("python = '{}'", python.display()));
        standin.fact(&format!("port = {}", standin.port));
        Some(standin)
    }

    /// Adds a line to `environment.toml`.
    pub fn fact(&self, line: &str) {
        let path = self.folder().join("environment.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let name = line.split_once(" = ").unwrap().0;
        let others = text.lines().filter(|other| !other.starts_with(&format!("{name} = ")));
        let text: String = others.chain([line]).map(|line| format!("{line}\n")).collect();
        std::fs::write(path, text).unwrap();
    }

    /// The environment's folder.
    pub fn folder(&self) -> PathBuf {
        self.sandbox.join("work/environments/demo")
    }

    /// A custom node package of one file.
    pub fn node(&self, name: &str, text: &str) {
        self.sandbox.write(format!("ComfyUI/custom_nodes/{name}/__init__.py"), text);
    }

    /// `comfrey` in the workspace, not yet run.
    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.sandbox.comfrey_command(arguments);
        command.current_dir(self.sandbox.join("work")).env("PYTHONDONTWRITEBYTECODE", "1");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("STANDIN_") {
                command.env_remove(name);
            }
        }
        command
    }

    pub fn comfrey<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        Run::of(self.command(arguments))
    }

    /// The JSON values that a command prints, one a line.
    pub fn json<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
        let mut command = self.command(arguments);
        command.arg("--json");
        let run = Run::of(command);
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Starts `comfrey` and reads its lines as JSON, one after the other.
    pub fn watched(&self, mut command: Command) -> Watched {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Watched { child, lines }
    }

    /// What the newest log holds.
    pub fn log(&self) -> String {
        let mut logs: Vec<_> =
            std::fs::read_dir(self.folder().join("logs")).unwrap().map(|entry| entry.unwrap().path()).collect();
        logs.retain(|path| path.extension().is_some_and(|kind| kind == "log"));
        logs.sort();
        std::fs::read_to_string(logs.pop().unwrap()).unwrap()
    }

    /// A request to the stand-in: status and body.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
        ask(self.port, method, path, body)
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        // Nothing goes on when a test has failed.
        drop(self.command(["stop", "--all", "--timeout", "0"]).output());
    }
}

/// A plain HTTP request to this machine.
pub fn ask(port: u16, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}

/// A `comfrey run --json` that goes on.
pub struct Watched {
    pub child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Watched {
    /// The next event of this name; others before it are passed over.
    #[track_caller]
    pub fn event(&mut self, name: &str) -> Value {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                let mut said = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("{name} never came, but\n{seen}\n{said}");
            }
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["event"] == name {
                return value;
            }
            seen.push_str(&line);
        }
    }

    /// Waits for its end: exit code and what it said on standard error.
    pub fn end(mut self) -> (i32, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), said)
    }

    /// What Ctrl-C in a terminal does: the signal goes to the process group.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        let process = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    }
}

/// True while the process runs.
pub fn is_alive(process: u32) -> bool {
    comfrey::platform::child::ProcessId::of(process).is_some()
}
