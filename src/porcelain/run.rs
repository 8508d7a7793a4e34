//! `run`: starts an environment's ComfyUI, shows what it says, and ends with it.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::environment::launch::background::{self, Reached, Until};
use crate::environment::launch::command::{self, Launch, Wishes};
use crate::environment::launch::running::{self, Record};
use crate::environment::launch::supervision::{self, End, Event, Watch, Wish};
use crate::environment::launch::{LaunchError, log};
use crate::environment::{Environment, Workspace, model_roots};
use crate::platform::child::Ending;
use crate::ui::program::Command;
use crate::ui::progress::Minding;
use crate::ui::{Exit, Failure, Session, json};

const HELP: &str = "\
What ComfyUI says is shown, and kept in the environment's folder, logs/. Its exit code is handed on; 7 if it fails before it
answers, 130 after Ctrl-C, which stops it and all that it started; a second Ctrl-C does not wait.

Examples:
  comfrey run                        shows what ComfyUI says until it ends
  comfrey run -- --lowvram           with an argument of ComfyUI's own
  comfrey run --wait && curl …       in the background, once it answers
  comfrey stop                       stops it";

/// Starts the environment's ComfyUI with its own Python, port and models.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Run {
    /// Start it in the background, and return
    #[arg(long)]
    detach: bool,
    /// Start it in the background, and return once it answers
    #[arg(long)]
    wait: bool,
    /// How long to wait for that
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0)]
    timeout: f64,
    /// Listen at this port [default: the environment's own]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Show how it would be started, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Be the one in the background
    #[arg(long, hide = true, conflicts_with_all = ["detach", "wait", "dry_run"])]
    watcher: bool,
    /// Passed to ComfyUI
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<OsString>,
}

impl Command for Run {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let workspace = session.workspace()?;
        let mut environment = session.environment_of(&workspace)?;
        if !self.dry_run
            && let Some(found) = running::of(&environment)
        {
            let (environment, process) = (environment.name().to_string(), found.process());
            return Err(LaunchError::RunningAlready { environment, process }.into());
        }
        let wishes = Wishes { port: self.port, arguments: self.arguments.clone() };
        let launch = command::plan(&workspace, &environment, &wishes)?;
        if self.dry_run {
            return show(&environment, &launch, session);
        }
        settle_port(&mut environment, &launch, session)?;
        if self.detach || self.wait {
            return self.in_background(&workspace, &environment, &launch, session);
        }
        self.in_front(&workspace, &environment, &launch, session)
    }
}

fn show(environment: &Environment, launch: &Launch, session: &mut Session<'_>) -> Result<Exit, Failure> {
    if session.globals.json {
        let words: Vec<_> = launch.arguments.iter().map(|word| word.to_string_lossy()).collect();
        session
            .print_json(&json!({ "environment": environment.name().as_str(), "program": json::path(&launch.program),
            "arguments": words, "folder": json::path(&launch.folder), "url": launch.address.to_string() }))?;
    } else {
        writeln!(session.out, "{}", launch.line())?;
    }
    Ok(Exit::Done)
}

/// Remembers the port of the first start, and says where this start cannot have it.
fn settle_port(environment: &mut Environment, launch: &Launch, session: &mut Session<'_>) -> Result<(), Failure> {
    let port = launch.address.port;
    match environment.facts().port {
        None if launch.port_is_own => {
            // Whoever holds the lock rewrites the same file perhaps; the next start asks again.
            let at_once = crate::environment::lock::Waiting { timeout: Duration::ZERO, ..session.waiting() };
            if let Ok(_lock) = environment.lock(&at_once) {
                environment.give_port(port)?;
            }
            Ok(())
        }
        Some(own) if !launch.port_is_own && own != port => {
            session.note(format_args!("port {own} is in use; ComfyUI listens at {port} this time"))
        }
        _ => Ok(()),
    }
}

impl Run {
    fn in_front(
        self,
        workspace: &Workspace,
        environment: &Environment,
        launch: &Launch,
        session: &mut Session<'_>,
    ) -> Result<Exit, Failure> {
        let name = environment.name().to_string();
        let now = session.now()?;
        let fixed = std::env::var_os("COMFREY_TIME").is_some();
        let clock = || if fixed { now } else { crate::object::Time::now() };
        let watch = Watch {
            environment,
            launch,
            learn: Some((workspace.store().clone(), model_roots::of(workspace, Some(environment)).roots)),
            now: &clock,
        };
        let minding = Minding::begin();
        let wish = || match minding.wishes() {
            0 => Wish::GoOn,
            1 => Wish::Stop,
            _ => Wish::StopNow,
        };
        let as_json = session.globals.json;
        let shows = !as_json && !session.globals.quiet;
        let verbose = session.globals.verbose > 0;
        let (out, err) = (&mut *session.out, &mut *session.err);
        let mut tell = |event: Event<'_>| {
            if as_json {
                if let Some(line) = line(&name, launch, event) {
                    writeln!(out, "{line}")?;
                    out.flush()?;
                }
                return Ok(());
            }
            match event {
                Event::Output(bytes) if shows => {
                    out.write_all(bytes)?;
                    out.flush()?;
                }
                Event::Started { process, log } if verbose => {
                    writeln!(err, "ComfyUI of {name}: process {process}, log {}", log.display())?;
                }
                Event::Ready if shows => writeln!(err, "ComfyUI of {name} answers at {}", launch.address)?,
                Event::Restarting if shows => writeln!(err, "ComfyUI of {name} asked for a restart")?,
                Event::Learned(classes) if verbose => writeln!(err, "{classes} node classes learned")?,
                Event::NotLearned(reason) if verbose => {
                    writeln!(err, "warning: its node classes were not learned: {reason}")?;
                }
                _ => {}
            }
            Ok(())
        };
        let end = supervision::watch(&watch, &wish, &mut tell)?;
        drop(minding);
        self.report(&end, &name, shows, session)
    }

    fn report(self, end: &End, name: &str, shown: bool, session: &mut Session<'_>) -> Result<Exit, Failure> {
        if let End::Unheard(_) = end {
            // As any program whose output is cut off: quietly.
            return Ok(Exit::Done);
        }
        if session.globals.json {
            let (exit, stopped) = match end {
                End::Failed { code, .. } | End::Ended { code } => (Some(*code), false),
                End::Stopped(_) | End::StoppedElsewhere(_) | End::Unheard(_) => (None, true),
            };
            session.print_json(&json!({ "event": "ended", "environment": name, "exit": exit, "stopped": stopped }))?;
        }
        match end {
            End::Failed { code, log } => Err(failed(name, *code, log, shown)),
            End::Ended { code } => {
                session.passed_on = Some(*code);
                Ok(Exit::Done)
            }
            End::Stopped(ending) => {
                let how = if *ending == Ending::Killed { " (it had to be killed)" } else { "" };
                Err(Failure::new(Exit::Interrupted, format!("ComfyUI of {name} was stopped{how}")))
            }
            End::Unheard(_) => Ok(Exit::Done),
            End::StoppedElsewhere(_) => {
                session.note(format_args!("ComfyUI of {name} was stopped by `comfrey stop`"))?;
                Ok(Exit::Done)
            }
        }
    }

    fn in_background(
        self,
        workspace: &Workspace,
        environment: &Environment,
        launch: &Launch,
        session: &mut Session<'_>,
    ) -> Result<Exit, Failure> {
        let name = environment.name().to_string();
        let timeout = Duration::try_from_secs_f64(self.timeout).map_err(|_| {
            Failure::new(Exit::Usage, format!("--timeout {}: a number of seconds is wanted", self.timeout))
        })?;
        let program = std::env::current_exe().map_err(|error| Failure::io("comfrey", &error))?;
        let mut words: Vec<OsString> = ["--workspace".into(), workspace.root().into()].into();
        words.extend(["--environment".into(), (&name).into(), "--quiet".into(), "--no-input".into()]);
        words.extend(["run".into(), "--watcher".into()]);
        words.extend(["--port".into(), launch.address.port.to_string().into()]);
        if !self.arguments.is_empty() {
            words.push("--".into());
            words.extend(self.arguments);
        }
        let until = if self.wait { Until::Ready } else { Until::Started };
        let watcher = background::start(environment, &program, &words)?;
        match background::wait(environment, watcher, until, timeout, session.observer)? {
            Reached::There(record) => {
                started(&name, &record, session)?;
                Ok(Exit::Done)
            }
            Reached::NotYet(record) => {
                started(&name, &record, session)?;
                let message = format!("ComfyUI of {name} does not answer yet after {} s; it goes on", self.timeout);
                let hint = format!("its log is {}; `comfrey stop {name}` stops it", record.log.display());
                Err(Failure::new(Exit::Negative, message).hint(hint))
            }
            Reached::Interrupted(record) => {
                let message = format!("interrupted; ComfyUI of {name} goes on (process {})", number(&record));
                Err(Failure::new(Exit::Interrupted, message).hint(format!("`comfrey stop {name}` stops it")))
            }
            Reached::Ended { said, code } => {
                // What a watcher cannot do it says as any command would, in words for a person.
                let said = said.strip_prefix("error: ").unwrap_or(&said);
                let (message, hint) =
                    said.split_once("\nhint: ").map_or((said, None), |(said, hint)| (said, Some(hint)));
                let message = match message {
                    "" => format!("ComfyUI of {name} ended with exit code {} at once", code.unwrap_or(1)),
                    message => message.to_owned(),
                };
                let failure = Failure::new(Exit::Outside, message);
                Err(match hint {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                })
            }
        }
    }
}

fn number(record: &Record) -> u32 {
    record.comfyui.as_ref().unwrap_or(&record.watcher).number
}

fn started(name: &str, record: &Record, session: &mut Session<'_>) -> Result<(), Failure> {
    if session.globals.json {
        return session.print_json(&json!({ "environment": name, "process": number(record), "port": record.port,
            "url": record.url, "log": json::path(&record.log), "ready": record.ready }));
    }
    let does = if record.ready { "answers" } else { "starts" };
    writeln!(session.out, "ComfyUI of {name} {does} at {} (process {})", record.url, number(record))?;
    session.note(format_args!("its log is {}", record.log.display()))
}

/// An event as a line of JSON; what ComfyUI says stands in its log.
fn line(name: &str, launch: &Launch, event: Event<'_>) -> Option<serde_json::Value> {
    Some(match event {
        Event::Started { process, log } => {
            json!({ "event": "started", "environment": name, "process": process, "port": launch.address.port,
                "url": launch.address.to_string(), "log": json::path(log) })
        }
        Event::Ready => json!({ "event": "ready", "environment": name, "url": launch.address.to_string() }),
        Event::Learned(classes) => json!({ "event": "learned", "environment": name, "classes": classes }),
        Event::Restarting => json!({ "event": "restarting", "environment": name }),
        Event::Output(_) | Event::NotLearned(_) => return None,
    })
}

/// How many of ComfyUI's last lines are shown with a failure.
const LAST_LINES: usize = 12;

fn failed(name: &str, code: i32, log: &Path, shown: bool) -> Failure {
    let mut message = format!("ComfyUI of {name} ended with exit code {code} before it answered");
    if !shown {
        for line in log::last_lines(log, LAST_LINES) {
            message.push_str("\n  ");
            message.push_str(&line);
        }
    }
    Failure::new(Exit::Outside, message)
        .hint(format!("`comfrey doctor -E {name}` looks for the cause; the whole log is {}", log.display()))
}
