//! A run from start to end: what ComfyUI says is kept and passed on, and it is watched until it answers, restarts, or ends.

use std::cell::RefCell;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::models::ModelRoot;
use crate::object::Time;
use crate::platform::child::{Child, Ending, Hurry, ProcessId};
use crate::store::Store;

use super::super::environment::Environment;
use super::command::Launch;
use super::learning::Learning;
use super::log::Log;
use super::readiness::Asker;
use super::running::{Claim, Record};
use super::{LaunchError, io_error, restart, stopping};

/// A ComfyUI to be run and watched.
pub struct Watch<'a> {
    pub environment: &'a Environment,
    pub launch: &'a Launch,
    /// What it is asked with for its node classes, once it answers.
    pub learn: Option<(Store, Vec<ModelRoot>)>,
    pub now: &'a dyn Fn() -> Time,
}

/// What happens meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    Started {
        process: u32,
        log: &'a Path,
    },
    /// What ComfyUI prints, as it comes.
    Output(&'a [u8]),
    /// It answers.
    Ready,
    /// It told so many node classes.
    Learned(usize),
    /// It did not tell them, or what it told cannot be kept.
    NotLearned(&'a str),
    /// It asked to be started again.
    Restarting,
}

/// What whoever started the run wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    GoOn,
    Stop,
    /// Without waiting for it.
    StopNow,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By itself, before it answered, and not well.
    Failed { code: i32, log: PathBuf },
    /// By itself.
    Ended { code: i32 },
    /// Because its caller wished it.
    Stopped(Ending),
    /// Because nobody hears any more what happens.
    Unheard(Ending),
    /// Because another command wished it.
    StoppedElsewhere(Ending),
}

/// How often the wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A ComfyUI that asks for a restart so often without having answered is not started again.
const MOST_RESTARTS: u32 = 10;

/// What the threads beside the loop tell it.
enum Told {
    Output(Vec<u8>),
    /// Nobody can print any more.
    Silence,
    Ready,
    Learned(usize),
    NotLearned(String),
}

/// Runs it.
pub fn watch(
    watch: &Watch<'_>,
    wish: &dyn Fn() -> Wish,
    tell: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
) -> Result<End, LaunchError> {
    let folder = watch.environment.folder();
    let record = Record {
        watcher: ProcessId::own(),
        comfyui: None,
        port: watch.launch.address.port,
        url: watch.launch.address.to_string(),
        since: (watch.now)().milliseconds,
        log: PathBuf::new(),
        ready: false,
        restarts: 0,
    };
    let mut claim = Claim::take(watch.environment, record)?;
    watch.launch.models.write().map_err(|(path, source)| io_error(path)(source))?;
    let session = restart::session(folder);
    // What a run that was killed left.
    restart::take_request(&session);
    let mut in_vain = 0;
    loop {
        let (end, was_ready) = once(watch, &mut claim, &session, wish, tell)?;
        in_vain = if was_ready { 0 } else { in_vain + 1 };
        let again = restart::take_request(&session) && in_vain < MOST_RESTARTS;
        if !again || !matches!(end, End::Ended { .. } | End::Failed { .. }) {
            return Ok(end);
        }
        claim.edit(|record| {
            record.restarts += 1;
            record.ready = false;
        })?;
        // Who cannot hear it will notice at the next output.
        drop(tell(Event::Restarting));
    }
}

/// One start. True when it answered.
fn once(
    watch: &Watch<'_>,
    claim: &mut Claim,
    session: &Path,
    wish: &dyn Fn() -> Wish,
    tell: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
) -> Result<(End, bool), LaunchError> {
    let folder = watch.environment.folder();
    let logs = folder.join(super::log::FOLDER);
    let mut log = Log::begin(folder, (watch.now)(), &watch.launch.line()).map_err(io_error(&logs))?;
    let (tell_loop, told) = sync_channel(256);
    let mut child = start(watch.launch, session, &log, &tell_loop)?;
    let process = child.id().clone();
    claim.edit(|record| {
        record.comfyui = Some(process.clone());
        record.log = log.path().to_owned();
    })?;
    let enough = Arc::new(AtomicBool::new(false));
    ask_until_ready(watch, tell_loop, Arc::clone(&enough));

    let mut is_heard = tell(Event::Started { process: process.number, log: log.path() }).is_ok();
    let mut ready = false;
    let tell = RefCell::new(tell);
    let end = loop {
        match told.recv_timeout(LOOK) {
            Ok(Told::Ready) => {
                ready = true;
                claim.edit(|record| record.ready = true)?;
                is_heard &= tell.borrow_mut()(Event::Ready).is_ok();
            }
            Ok(other) => is_heard &= pass_on(other, &tell),
            Err(RecvTimeoutError::Timeout) => {}
            // Both threads are gone: then so is ComfyUI, or will be.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
        }
        if let Some(status) = child.ended().map_err(io_error(&watch.launch.program))? {
            child.end_rest();
            drain(&told, &tell);
            break by_itself(status, ready, &log);
        }
        if !is_heard {
            break End::Unheard(stop(&mut child, stopping::PATIENCE, wish, &told, &tell, watch)?);
        }
        if wish() != Wish::GoOn {
            break End::Stopped(stop(&mut child, stopping::PATIENCE, wish, &told, &tell, watch)?);
        }
        if let Some(patience) = stopping::take_request(folder, &claim.record().watcher) {
            break End::StoppedElsewhere(stop(&mut child, patience, wish, &told, &tell, watch)?);
        }
    };
    enough.store(true, Ordering::Relaxed);
    // A log that cannot be added to has lost its last line only.
    drop(log.note(&epitaph(&end)));
    Ok((end, ready))
}

type Tell<'a, 't> = RefCell<&'a mut (dyn FnMut(Event<'_>) -> io::Result<()> + 't)>;

/// True when someone heard it.
fn pass_on(told: Told, tell: &Tell<'_, '_>) -> bool {
    let mut tell = tell.borrow_mut();
    match told {
        Told::Output(bytes) => tell(Event::Output(&bytes)).is_ok(),
        Told::Learned(classes) => tell(Event::Learned(classes)).is_ok(),
        Told::NotLearned(reason) => tell(Event::NotLearned(&reason)).is_ok(),
        Told::Ready | Told::Silence => true,
    }
}

/// Passes on what was printed before the end.
fn drain(told: &Receiver<Told>, tell: &Tell<'_, '_>) {
    // Someone may have kept the pipe open who is out of our reach.
    const LONGEST: Duration = Duration::from_secs(1);
    let begun = Instant::now();
    while let Some(left) = LONGEST.checked_sub(begun.elapsed()) {
        match told.recv_timeout(left) {
            Ok(Told::Silence) | Err(_) => return,
            Ok(other) => {
                pass_on(other, tell);
            }
        }
    }
}

fn stop(
    child: &mut Child,
    patience: Duration,
    wish: &dyn Fn() -> Wish,
    told: &Receiver<Told>,
    tell: &Tell<'_, '_>,
    watch: &Watch<'_>,
) -> Result<Ending, LaunchError> {
    let mut hurry = || {
        // What it still prints must not keep it from ending.
        while let Ok(one) = told.try_recv() {
            pass_on(one, tell);
        }
        if wish() == Wish::StopNow { Hurry::Now } else { Hurry::Patient }
    };
    let (_, ending) = child.stop(patience, &mut hurry).map_err(io_error(&watch.launch.program))?;
    drain(told, tell);
    Ok(ending)
}

fn by_itself(status: ExitStatus, ready: bool, log: &Log) -> End {
    match code(status) {
        code if code != 0 && !ready => End::Failed { code, log: log.path().to_owned() },
        code => End::Ended { code },
    }
}

/// The exit code, or what shells make of a signal.
fn code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().unwrap_or(1)
}

fn epitaph(end: &End) -> String {
    match end {
        End::Failed { code, .. } => format!("ended with exit code {code} before it answered"),
        End::Ended { code } => format!("ended with exit code {code}"),
        End::Stopped(ending) | End::Unheard(ending) | End::StoppedElsewhere(ending) => match ending {
            Ending::Asked => "stopped".to_owned(),
            Ending::Killed => "killed".to_owned(),
        },
    }
}

/// Starts it, with both outputs in one pipe, whose other end a thread keeps in the log and passes on.
fn start(launch: &Launch, session: &Path, log: &Log, tell_loop: &SyncSender<Told>) -> Result<Child, LaunchError> {
    let not_started = |source| LaunchError::NotStarted { program: launch.program.clone(), source };
    let (mut printed, pipe) = io::pipe().map_err(not_started)?;
    let mut command = launch.command(session);
    command.stdin(Stdio::null()).stdout(pipe.try_clone().map_err(not_started)?).stderr(pipe);
    let child = Child::start(&mut command).map_err(not_started)?;
    // Our hands on the pipe, without which its end would never come.
    drop(command);
    let mut log = log.share().map_err(not_started)?;
    let tell_loop = tell_loop.clone();
    std::thread::spawn(move || {
        let mut piece = vec![0; 1 << 16];
        loop {
            match printed.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => {
                    // A full disk must not end a run that works.
                    drop(log.add(&piece[..count]));
                    if tell_loop.send(Told::Output(piece[..count].to_vec())).is_err() {
                        // Nobody listens; it is still kept.
                        continue;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        drop(tell_loop.send(Told::Silence));
    });
    Ok(child)
}

/// Asks in a thread of its own until it answers, and then for its node classes.
fn ask_until_ready(watch: &Watch<'_>, tell_loop: SyncSender<Told>, enough: Arc<AtomicBool>) {
    let address = watch.launch.address.clone();
    let comfyui = watch.launch.folder.clone();
    let environment = watch.environment.clone();
    let learn = watch.learn.clone();
    std::thread::spawn(move || {
        let asker = match Asker::new(&address) {
            Ok(asker) => asker,
            Err(error) => return drop(tell_loop.send(Told::NotLearned(error.to_string()))),
        };
        let mut pause = Duration::from_millis(50);
        while !asker.is_ready(&comfyui) {
            std::thread::sleep(pause);
            pause = (pause * 5 / 4).min(Duration::from_millis(500));
            if enough.load(Ordering::Relaxed) {
                return;
            }
        }
        if tell_loop.send(Told::Ready).is_err() {
            return;
        }
        let Some((store, models)) = learn else { return };
        let learned = Learning::of(&environment, &store, &models).and_then(|learning| {
            if learning.is_known() {
                return Ok(None);
            }
            asker.object_info().map(|answer| learning.learn(&answer)).transpose()
        });
        match learned {
            Ok(Some(learned)) => drop(tell_loop.send(Told::Learned(learned.len()))),
            Ok(None) => {}
            Err(error) => drop(tell_loop.send(Told::NotLearned(error.to_string()))),
        }
    });
}
