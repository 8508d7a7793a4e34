//! Running a step as a user would: the command line as typed, its real output, the time it took; and what must be true
//! afterwards, or the demo ends there.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use walkdir::WalkDir;

use crate::platform::shell;
use crate::ui::report::{count, duration};
use crate::ui::{Exit, Failure, Session};

/// Where the demo plays: a folder, and a place in it where commands are run.
pub struct Stage<'s, 'a> {
    session: &'s mut Session<'a>,
    program: PathBuf,
    folder: PathBuf,
    /// Where commands are run.
    at: PathBuf,
    commands: usize,
    checks: usize,
    scenes: usize,
    /// Spent in the commands shown.
    spent: Duration,
}

/// What a command printed, on both outputs in the order in which a terminal shows it.
pub struct Ran {
    pub output: String,
}

/// Paths below a folder and the bytes of the files there.
pub type Contents = BTreeMap<PathBuf, Vec<u8>>;

impl<'s, 'a> Stage<'s, 'a> {
    pub fn new(session: &'s mut Session<'a>, folder: &Path) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|e| Failure::io("this program's own path", &e))?;
        let (folder, at) = (folder.to_owned(), folder.to_owned());
        Ok(Stage { session, program, folder, at, commands: 0, checks: 0, scenes: 0, spent: Duration::ZERO })
    }

    /// A path below the demo's folder.
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.join(below)
    }

    /// What comes next, in a line.
    pub fn scene(&mut self, title: &str) -> Result<(), Failure> {
        self.scenes += 1;
        if self.session.globals.json {
            return Ok(());
        }
        let title = self.session.paint.strong(format!("{}. {title}", self.scenes));
        writeln!(self.session.out, "\n{title}")?;
        Ok(())
    }

    /// Goes to a folder below the demo's, making it.
    pub fn go(&mut self, below: &str, shown: &str) -> Result<(), Failure> {
        self.at = self.path(below);
        std::fs::create_dir_all(&self.at).map_err(|e| Failure::io(self.at.display(), &e))?;
        self.show_line(&format!("cd {shown}"))
    }

    /// Something that happens outside Comfrey, such as an edit in ComfyUI.
    pub fn act(&mut self, told: &str, deed: impl FnOnce() -> io::Result<()>) -> Result<(), Failure> {
        if !self.session.globals.json {
            let told = self.session.paint.faint(format!("# {told}"));
            writeln!(self.session.out, "{told}")?;
        }
        deed().map_err(|e| Failure::io(told, &e))
    }

    /// Runs `comfrey` with these arguments and shows it. It must end with 0.
    pub fn run(&mut self, arguments: &[&str]) -> Result<Ran, Failure> {
        self.run_expecting(Exit::Done, arguments)
    }

    /// The same for a command that must end with another code.
    pub fn run_expecting(&mut self, exit: Exit, arguments: &[&str]) -> Result<Ran, Failure> {
        self.commands += 1;
        let line = command_line(arguments);
        if !self.session.globals.json {
            self.show_line(&line)?;
        }
        self.session.out.flush()?;
        let (code, output, took) = self.spawn_shown(arguments)?;
        self.spent += took;
        if self.session.globals.json {
            self.session.print_json(&json!({
                "kind": "command", "command": line, "exit": code, "seconds": took.as_secs_f64(),
                "output": output,
            }))?;
        } else {
            self.session.out.write_all(output.as_bytes())?;
            let took = self.session.paint.faint(format!("({})", duration(took)));
            writeln!(self.session.out, "{took}")?;
        }
        self.judge(&line, code, exit, &output)?;
        Ok(Ran { output })
    }

    /// Runs `comfrey` without showing it, for a check, and reads the line of JSON that it prints.
    pub fn ask(&mut self, arguments: &[&str]) -> Result<Value, Failure> {
        let line = command_line(arguments);
        let output = self.command(arguments).output().map_err(|e| Failure::io(self.program.display(), &e))?;
        let code = output.status.code().unwrap_or(-1);
        self.judge(&line, code, Exit::Done, &String::from_utf8_lossy(&output.stderr))?;
        serde_json::from_slice(&output.stdout).map_err(|error| failed(&line, &format!("no JSON was printed: {error}")))
    }

    /// Something that must be true now.
    pub fn check(&mut self, what: &str, holds: bool) -> Result<(), Failure> {
        self.checks += 1;
        if self.session.globals.json {
            self.session.print_json(&json!({ "kind": "check", "check": what, "holds": holds }))?;
        } else {
            let paint = self.session.paint;
            let mark = if holds { paint.good("✓") } else { paint.bad("✗") };
            writeln!(self.session.out, "  {mark} {what}")?;
        }
        if holds { Ok(()) } else { Err(failed("the check after it", what)) }
    }

    /// The last lines.
    pub fn end(&mut self, prepared: Duration, kept: Option<&Path>) -> Result<(), Failure> {
        if self.session.globals.json {
            self.session.print_json(&json!({
                "kind": "end", "commands": self.commands, "checks": self.checks,
                "seconds_in_commands": self.spent.as_secs_f64(), "seconds_to_prepare": prepared.as_secs_f64(),
                "kept": kept.map(crate::ui::json::path),
            }))?;
            return Ok(());
        }
        let commands = count(self.commands, "command");
        let checks = count(self.checks, "check");
        let (spent, prepared) = (duration(self.spent), duration(prepared));
        let summary = format!("{commands} in {spent}, {checks}, all well. Making the input took {prepared}.");
        writeln!(self.session.out, "\n{}", self.session.paint.strong(summary))?;
        match kept {
            Some(folder) => writeln!(self.session.out, "Everything is in {}", folder.display())?,
            None => writeln!(
                self.session.out,
                "It ran in a temporary folder, now removed; --keep DIR keeps it to look at."
            )?,
        }
        writeln!(self.session.out, "Your own ComfyUI: comfrey init")?;
        Ok(())
    }

    fn show_line(&mut self, line: &str) -> Result<(), Failure> {
        if self.session.globals.json {
            return Ok(());
        }
        let line = self.session.paint.typed(format!("$ {line}"));
        writeln!(self.session.out, "{line}")?;
        Ok(())
    }

    fn judge(&self, line: &str, code: i32, wanted: Exit, stderr: &str) -> Result<(), Failure> {
        if self.session.observer.interrupted() || code == Exit::Interrupted as i32 {
            return Err(Failure::new(Exit::Interrupted, "interrupted"));
        }
        if code == wanted as i32 {
            return Ok(());
        }
        Err(failed(line, &format!("it ended with {code} instead of {}\n{}", wanted as i32, stderr.trim_end())))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.at)
            // The demo has its own workspaces, wherever the user's is.
            .env_remove("COMFREY_HOME")
            .env_remove("COMFREY_ENVIRONMENT")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command with one pipe for both outputs.
    fn spawn_shown(&self, arguments: &[&str]) -> Result<(i32, String, Duration), Failure> {
        let io = |error| Failure::io(self.program.display(), &error);
        let (mut reader, writer) = io::pipe().map_err(io)?;
        let begun = Instant::now();
        let mut command = self.command(arguments);
        command.stdout(writer.try_clone().map_err(io)?).stderr(writer);
        let mut child = command.spawn().map_err(io)?;
        // The command holds the ends for writing; as long as they are open here too, the pipe has no end.
        drop(command);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(io)?;
        let status = child.wait().map_err(io)?;
        let output = String::from_utf8_lossy(&bytes).into_owned();
        Ok((status.code().unwrap_or(-1), output, begun.elapsed()))
    }
}

fn failed(step: &str, why: &str) -> Failure {
    Failure::new(Exit::Damaged, format!("the demo failed at `{step}`: {why}"))
        .hint("`comfrey demo --keep DIR` leaves everything there to look at")
}

/// The line as a user types it.
fn command_line(arguments: &[&str]) -> String {
    let words = arguments.iter().map(|word| shell::typed(word));
    std::iter::once("comfrey".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// The files below `folder`, except those in folders that no snapshot holds.
pub fn contents(folder: &Path) -> io::Result<Contents> {
    let mut contents = Contents::new();
    let walk = WalkDir::new(folder).into_iter();
    for entry in walk.filter_entry(|entry| entry.file_name() != ".git" && entry.file_name() != "__pycache__") {
        let entry = entry?;
        if entry.file_type().is_file() {
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned();
            contents.insert(below, std::fs::read(entry.path())?);
        }
    }
    Ok(contents)
}

/// Every path below `folder` with length and time of the last change: enough to see that nothing was touched.
pub fn stamps(folder: &Path) -> io::Result<BTreeMap<PathBuf, (u64, std::time::SystemTime)>> {
    let mut stamps = BTreeMap::new();
    for entry in WalkDir::new(folder) {
        let entry = entry?;
        let metadata = entry.metadata()?;
        stamps.insert(entry.path().to_owned(), (metadata.len(), metadata.modified()?));
    }
    Ok(stamps)
}

#[cfg(test)]
mod tests {
    use super::command_line;

    #[test]
    fn a_command_line_is_shown_as_it_is_typed() {
        assert_eq!(command_line(&["commit", "-m", "as it was"]), "comfrey commit -m \"as it was\"");
        assert_eq!(command_line(&["rollback", "HEAD~1"]), "comfrey rollback HEAD~1");
    }
}
