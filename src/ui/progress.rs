//! Progress for a person: bars with rate and time left on a terminal, plain lines with `-v` elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::observer::{Observer, Unit};

use super::report::Bytes;

/// How often Ctrl-C was pressed; the second time ends the process at once.
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);

/// True while another program is watched, which has to be ended before us.
static MINDING: AtomicBool = AtomicBool::new(false);

/// True while a question waits for its answer: then nothing is half-done, and nobody would notice the wish to stop.
static ASKING: AtomicBool = AtomicBool::new(false);

/// While it lives, Ctrl-C ends the program at once.
pub(super) struct Asking(());

impl Asking {
    pub(super) fn begin() -> Self {
        ASKING.store(true, Ordering::SeqCst);
        Asking(())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKING.store(false, Ordering::SeqCst);
    }
}

/// While it lives, no Ctrl-C ends the program at once: whoever watches another program asks how many there were.
pub struct Minding(());

impl Minding {
    pub fn begin() -> Self {
        MINDING.store(true, Ordering::SeqCst);
        Minding(())
    }

    /// How often the wish to stop was expressed.
    pub fn wishes(&self) -> u32 {
        INTERRUPTS.load(Ordering::SeqCst)
    }
}

impl Drop for Minding {
    fn drop(&mut self) {
        MINDING.store(false, Ordering::SeqCst);
    }
}

/// Makes Ctrl-C (and a termination request) a wish to stop that long work notices.
pub fn catch_interrupts() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let caught = ctrlc::set_handler(|| {
            let again = INTERRUPTS.fetch_add(1, Ordering::SeqCst) > 0;
            if (again && !MINDING.load(Ordering::SeqCst)) || ASKING.load(Ordering::SeqCst) {
                eprintln!();
                std::process::exit(130);
            }
        });
        // Without a handler Ctrl-C simply ends the process, which the store survives.
        drop(caught);
    });
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A bar that redraws itself.
    Bar,
    /// A line on standard error every few seconds.
    Lines,
    Nothing,
    /// Not even notes.
    Quiet,
}

impl Style {
    /// A bar on a terminal, lines elsewhere with `-v`, nothing with `-q`.
    pub fn choose(quiet: bool, verbose: u8) -> Style {
        match (quiet, std::io::stderr().is_terminal(), verbose) {
            (true, _, _) => Style::Quiet,
            (_, true, _) => Style::Bar,
            (_, _, 0) => Style::Nothing,
            _ => Style::Lines,
        }
    }
}

struct Stretch {
    task: &'static str,
    unit: Unit,
    total: Option<u64>,
    begun: Instant,
    bar: Option<ProgressBar>,
}

/// Shows progress on standard error.
pub struct Progress {
    style: Style,
    done: AtomicU64,
    /// Milliseconds since `start` at which something is to be shown next.
    next: AtomicU64,
    start: Instant,
    stretch: Mutex<Option<Stretch>>,
}

/// Work shorter than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

impl Progress {
    pub fn new(style: Style) -> Self {
        Progress {
            style,
            done: AtomicU64::new(0),
            next: AtomicU64::new(u64::MAX),
            start: Instant::now(),
            stretch: Mutex::new(None),
        }
    }

    fn show(&self) {
        let mut guard = self.stretch.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stretch) = guard.as_mut() else { return };
        let done = self.done.load(Ordering::Relaxed);
        if self.style == Style::Bar {
            stretch.bar.get_or_insert_with(|| bar(stretch.task, stretch.unit, stretch.total)).set_position(done);
            return;
        }
        let amount = |n| match stretch.unit {
            Unit::Bytes => Bytes(n).to_string(),
            Unit::Items => indicatif::HumanCount(n).to_string(),
        };
        let seconds = stretch.begun.elapsed().as_secs();
        match stretch.total {
            Some(total) => eprintln!("{}: {} of {} ({seconds} s)", stretch.task, amount(done), amount(total)),
            None => eprintln!("{}: {} ({seconds} s)", stretch.task, amount(done)),
        }
    }
}

fn bar(task: &'static str, unit: Unit, total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let form = match (unit, total) {
        (Unit::Bytes, Some(_)) => {
            "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left"
        }
        (Unit::Bytes, None) => "{msg} {spinner} {decimal_bytes} {decimal_bytes_per_sec}",
        (Unit::Items, Some(_)) => "{msg} {wide_bar} {human_pos}/{human_len} {eta} left",
        (Unit::Items, None) => "{msg} {spinner} {human_pos}",
    };
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style);
    }
    bar.set_message(task);
    bar
}

impl Observer for Progress {
    fn started(&self, task: &'static str, unit: Unit, total: Option<u64>) {
        self.finished();
        if matches!(self.style, Style::Nothing | Style::Quiet) {
            return;
        }
        self.done.store(0, Ordering::Relaxed);
        let mut stretch = self.stretch.lock().unwrap_or_else(PoisonError::into_inner);
        *stretch = Some(Stretch { task, unit, total, begun: Instant::now(), bar: None });
        self.next.store((self.start.elapsed() + PATIENCE).as_millis() as u64, Ordering::Relaxed);
    }

    fn advanced(&self, amount: u64) {
        if matches!(self.style, Style::Nothing | Style::Quiet) {
            return;
        }
        self.done.fetch_add(amount, Ordering::Relaxed);
        let now = self.start.elapsed().as_millis() as u64;
        let next = self.next.load(Ordering::Relaxed);
        let pause = if self.style == Style::Bar { 100 } else { 5000 };
        let won =
            now >= next && self.next.compare_exchange(next, now + pause, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if won {
            self.show();
        }
    }

    fn finished(&self) {
        let ended = self.stretch.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(bar) = ended.and_then(|stretch| stretch.bar) {
            bar.finish_and_clear();
        }
    }

    fn noted(&self, message: &str) {
        // A script's log should say what was waited for, too.
        if self.style != Style::Quiet {
            eprintln!("{message}");
        }
    }

    fn interrupted(&self) -> bool {
        INTERRUPTS.load(Ordering::Relaxed) > 0
    }
}
