//! A folder of its own for each test, and the programs run in it with nothing of the machine's environment.

#![allow(dead_code, reason = "each area uses its part")]

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use comfrey::object::{Encoded, Entry, EntryKind, EntryName, ObjectId, Operation, RefTarget, Snapshot, Time, Tree};

/// A model's path below its folder as ComfyUI lists it on this system, and so as workflows name it.
pub fn listed(path: &str) -> String {
    path.replace('/', std::path::MAIN_SEPARATOR_STR)
}

/// The same as JSON holds it in a text.
pub fn listed_in_json(path: &str) -> String {
    listed(path).replace('\\', "\\\\")
}

/// An entry of a tree.
pub fn entry(name: &str, kind: EntryKind, id: ObjectId, size: u64) -> Entry {
    Entry { name: EntryName::new(name).unwrap(), kind, id, size }
}

/// A snapshot of a tree in the environment `demo`, and the operation that makes it the branch `main` there.
pub fn history_of(tree: &Tree, parent: Option<ObjectId>, time: Time) -> (Snapshot, Operation) {
    let snapshot = Snapshot {
        tree: tree.id(),
        parents: vec![],
        environment: "demo".into(),
        author: "Ann".into(),
        time,
        message: "first".into(),
        tool: "comfrey 0".into(),
    };
    let operation = Operation {
        parent,
        command: "commit -m first".into(),
        author: "Ann".into(),
        time,
        refs: [("demo/heads/main".to_owned(), RefTarget::Snapshot(snapshot.id()))].into(),
        restore_points: Default::default(),
        undoes: None,
    };
    (snapshot, operation)
}

/// A temporary folder that is `HOME` and the working directory of the programs run in it.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

/// What a program did.
#[derive(Debug)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl Sandbox {
    pub fn new() -> Self {
        Sandbox { folder: tempfile::Builder::new().prefix("comfrey-it-").tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn join(&self, below: impl AsRef<Path>) -> PathBuf {
        self.path().join(below)
    }

    /// Writes a file, making the folders above it.
    pub fn write(&self, below: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn read(&self, below: impl AsRef<Path>) -> Vec<u8> {
        std::fs::read(self.join(below)).unwrap()
    }

    /// A command with a clean environment: fixed author and time, no colour, no user settings.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("COMFREY_") {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.path())
            .env("USERPROFILE", self.path())
            .env("COMFREY_TIME", "2026-11-20T10:00:00+00:00")
            .env("COMFREY_AUTHOR", "Test <test@example.org>")
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }

    /// `comfrey` with these arguments, not yet run.
    pub fn comfrey_command<I, S>(&self, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = self.command(env!("CARGO_BIN_EXE_comfrey"));
        command.args(arguments);
        command
    }

    /// Runs `comfrey` with these arguments.
    pub fn comfrey<I, S>(&self, arguments: I) -> Run
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        Run::of(self.comfrey_command(arguments))
    }

    /// Runs `comfrey` with these arguments and this standard input.
    pub fn comfrey_with_input<I, S>(&self, arguments: I, input: impl AsRef<[u8]>) -> Run
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        Run::with_input(self.comfrey_command(arguments), input.as_ref())
    }

    /// A program that is a script of the system's shell: `sh`, on Windows `cmd`.
    pub fn script(&self, name: &str, sh: &str, cmd: &str) -> PathBuf {
        if cfg!(windows) {
            return self.write(format!("{name}.cmd"), format!("@echo off\r\n{}\r\n", cmd.replace('\n', "\r\n")));
        }
        let path = self.write(name, format!("#!/bin/sh\n{sh}\n"));
        comfrey::platform::file_system::make_executable(&path).unwrap();
        path
    }

    /// Runs a script of the system's shell (`sh`, on Windows `cmd`) in which `comfrey` is the program under test.
    pub fn shell(&self, script: &str) -> Run {
        self.shell_in("", script)
    }

    /// The same in a folder of the sandbox.
    pub fn shell_in(&self, folder: &str, script: &str) -> Run {
        let programs = Path::new(env!("CARGO_BIN_EXE_comfrey")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&path));
        let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-ec") };
        let mut command = self.command(shell);
        command.current_dir(self.join(folder)).env("PATH", std::env::join_paths(paths).unwrap()).arg(option);
        #[cfg(unix)]
        command.arg(script);
        #[cfg(windows)]
        std::os::windows::process::CommandExt::raw_arg(&mut command, script);
        Run::of(command)
    }
}

impl Run {
    pub fn of(mut command: Command) -> Run {
        let output = output(&mut command);
        Run {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: messages(&output.stderr),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Runs a command whose standard output goes elsewhere.
    pub fn of_streaming(mut command: Command) -> Run {
        command.stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        Run { stdout: String::new(), stderr: messages(&output.stderr), code: output.status.code().unwrap_or(-1) }
    }

    pub fn with_input(mut command: Command, input: &[u8]) -> Run {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // A program may end without reading all of it.
            scope.spawn(move || drop(stdin.write_all(input)));
            let output = child.wait_with_output().unwrap();
            Run {
                stdout: String::from_utf8(output.stdout).unwrap(),
                stderr: messages(&output.stderr),
                code: output.status.code().unwrap_or(-1),
            }
        })
    }

    /// This run, which must have ended with 0.
    #[track_caller]
    pub fn success(self) -> Run {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// This run, which must have ended with `code`.
    #[track_caller]
    pub fn fails_with(self, code: i32) -> Run {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The only line of standard output.
    #[track_caller]
    pub fn line(&self) -> &str {
        let line = self.stdout.strip_suffix('\n').unwrap_or(&self.stdout);
        assert!(!line.is_empty() && !line.contains('\n'), "one line is wanted: {:?}", self.stdout);
        line
    }
}

/// The address of a folder of this machine.
pub fn file_url(folder: &Path) -> String {
    let place = folder.display().to_string().replace('\\', "/");
    format!("file:///{}", place.trim_start_matches('/'))
}

/// What a program wrote. Wine at times starts nothing when much is started at once (ERROR_INTERNAL_ERROR): then it is tried again.
fn output(command: &mut Command) -> std::process::Output {
    const ERROR_INTERNAL_ERROR: i32 = 1359;
    for _ in 0..5 {
        match command.output() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(ERROR_INTERNAL_ERROR) => {
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            done => return done.unwrap(),
        }
    }
    command.output().unwrap()
}

/// What was said on standard error, with `/` in the system's paths so that a test can quote them.
fn messages(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr).into_owned();
    if cfg!(windows) { text.replace('\\', "/") } else { text }
}
