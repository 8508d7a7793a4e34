//! Many files at once, the answers in the order of the questions.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What the one who asked is told, on the calling thread.
pub enum Answer<R> {
    /// The next answer, in order.
    Next(R),
    /// Nothing for a moment: time to show what was answered.
    Pause,
}

/// Puts `work` to each of `items` on `threads` threads, and gives the answers to `take` in the order of the items, as soon as
/// all before are there. `take` can end it early.
pub fn in_order<T: Sync, R: Send, B>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(Answer<R>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if items.len() <= 1 || threads <= 1 {
        for item in items {
            take(Answer::Next(work(item)))?;
        }
        return ControlFlow::Continue(());
    }
    /// Longest time for which a thread keeps answers to itself.
    const PATIENCE: Duration = Duration::from_millis(30);
    const LARGEST_SHARE: usize = 64;
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (sender, answers) = channel::<(usize, Vec<R>)>();
        for _ in 0..threads.min(items.len()) {
            let sender = sender.clone();
            let (next, stop, work) = (&next, &stop, &work);
            scope.spawn(move || {
                loop {
                    let left = items.len().saturating_sub(next.load(Ordering::Relaxed));
                    // Smaller shares towards the end, so that all threads end together.
                    let share = (left / (threads * 4)).clamp(1, LARGEST_SHARE);
                    let first = next.fetch_add(share, Ordering::Relaxed);
                    if first >= items.len() {
                        return;
                    }
                    let mut done = Vec::with_capacity(share);
                    let mut at = first;
                    let mut since = Instant::now();
                    for item in &items[first..items.len().min(first + share)] {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        done.push(work(item));
                        if since.elapsed() > PATIENCE {
                            let count = done.len();
                            // Nobody listens any more once `take` has ended it.
                            drop(sender.send((at, std::mem::take(&mut done))));
                            at += count;
                            since = Instant::now();
                        }
                    }
                    if !done.is_empty() {
                        drop(sender.send((at, done)));
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut expected = 0;
        loop {
            match answers.recv_timeout(PATIENCE) {
                Ok((first, done)) => drop(early.insert(first, done)),
                Err(RecvTimeoutError::Disconnected) => return ControlFlow::Continue(()),
                Err(RecvTimeoutError::Timeout) => {
                    if let ControlFlow::Break(value) = take(Answer::Pause) {
                        stop.store(true, Ordering::Relaxed);
                        return ControlFlow::Break(value);
                    }
                }
            }
            while let Some(done) = early.remove(&expected) {
                expected += done.len();
                for answer in done {
                    if let ControlFlow::Break(value) = take(Answer::Next(answer)) {
                        stop.store(true, Ordering::Relaxed);
                        return ControlFlow::Break(value);
                    }
                }
                if early.is_empty() {
                    break;
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn answers_come_in_the_order_of_the_questions(count in 0usize..700, threads in 1usize..6) {
            let items: Vec<usize> = (0..count).collect();
            let mut answers = Vec::new();
            let ended: ControlFlow<()> = in_order(&items, threads, |item| item * 2, |answer| {
                if let Answer::Next(answer) = answer {
                    answers.push(answer);
                }
                ControlFlow::Continue(())
            });
            prop_assert!(ended.is_continue());
            prop_assert_eq!(answers, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_one_who_asked_can_end_it() {
        let items: Vec<usize> = (0..10_000).collect();
        let ended = in_order(
            &items,
            3,
            |item| *item,
            |answer| match answer {
                Answer::Next(5) => ControlFlow::Break("enough"),
                _ => ControlFlow::Continue(()),
            },
        );
        assert_eq!(ended, ControlFlow::Break("enough"));
    }
}
