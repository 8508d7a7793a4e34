//! Many model files read at once: the large ones by all threads, one after the other, the small ones side by side.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::digest::{self, Digests, Threads, Wanted};
use crate::observer::Observer;

use super::error::Error;

/// A file to read.
pub(super) struct Work {
    /// The caller's number for it.
    pub at: usize,
    pub path: PathBuf,
    pub size: u64,
    pub wanted: Wanted,
}

impl Work {
    /// True when only samples are read, of which the digest floor reports no progress.
    fn samples(&self) -> bool {
        !self.wanted.id && !self.wanted.sha256
    }

    /// How much is read.
    pub fn bytes(&self) -> u64 {
        if self.samples() { self.size.min(3 * digest::quick::SAMPLE) } else { self.size }
    }
}

/// What became of one file.
pub(super) type Done = (usize, Result<Digests, digest::Error>);

/// Reads all of `work`. `take` gets each file's digests, and `None` every few seconds and at the end: time to make
/// them durable. It runs on the calling thread.
pub(super) fn in_parallel(
    work: &[Work],
    observer: &dyn Observer,
    mut take: impl FnMut(Option<Done>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (sender, receiver) = channel::<Done>();
    let mut collect = |receiver: Receiver<Done>| -> Result<(), Error> {
        /// How much work a power cut may cost.
        const PATIENCE: Duration = Duration::from_secs(5);
        let mut since = Instant::now();
        loop {
            match receiver.recv_timeout(PATIENCE.saturating_sub(since.elapsed())) {
                Ok(done) => take(Some(done))?,
                Err(RecvTimeoutError::Timeout) => {
                    take(None)?;
                    since = Instant::now();
                }
                Err(RecvTimeoutError::Disconnected) => return take(None),
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // One huge file keeps all cores busy by itself; many files are read side by side.
            let alone = |work: &&Work| work.size >= HUGE && work.wanted.id && !work.wanted.sha256;
            let (huge, many): (Vec<&Work>, Vec<&Work>) = work.iter().partition(alone);
            let one = |work: &Work, threads| {
                let done = digest::file(&work.path, work.wanted, threads, observer);
                if work.samples() {
                    observer.advanced(work.bytes());
                }
                (work.at, done)
            };
            for work in huge {
                if observer.interrupted() || sender.send(one(work, Threads::All)).is_err() {
                    return;
                }
            }
            let ended = many.par_iter().try_for_each_with(sender, |sender, work| {
                if observer.interrupted() {
                    return Err(());
                }
                sender.send(one(work, Threads::One)).map_err(drop)
            });
            // An error says that nobody listens any more, or that the user wants to stop.
            let _ = ended;
        });
        collect(receiver)
    })
}

/// From this size on a file is worth all threads at once, in bytes.
const HUGE: u64 = 256 * 1024 * 1024;
