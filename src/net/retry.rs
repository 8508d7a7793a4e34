//! When a request is made again, and after what pause.

use std::time::Duration;

use crate::observer::Observer;

use super::address;
use super::fetch::Cause;

/// How often, and how long in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts in all.
    pub attempts: u32,
    /// The pause after the first; each later one is twice as long.
    pub first_pause: Duration,
    /// No pause is longer. A host that asks for more is told of instead.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let (first_pause, longest_pause) = (Duration::from_millis(500), Duration::from_secs(30));
        Patience { attempts: 4, first_pause, longest_pause }
    }
}

/// Passing time and chance, so that tests need neither.
pub trait Wait {
    /// Waits; false if it was interrupted.
    fn wait(&self, pause: Duration, observer: &dyn Observer) -> bool;
    /// A number from 0 up to 1.
    fn chance(&self) -> f64;
    /// The time since some moment that stays the same.
    fn now(&self) -> Duration {
        static BEGIN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
        BEGIN.elapsed()
    }
}

/// The real ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealTime;

impl Wait for RealTime {
    fn wait(&self, pause: Duration, observer: &dyn Observer) -> bool {
        let end = std::time::Instant::now() + pause;
        loop {
            if observer.interrupted() {
                return false;
            }
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    fn chance(&self) -> f64 {
        use std::hash::{BuildHasher, RandomState};
        // Its keys are random; that is all that is needed to keep clients from coming back all at once.
        (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    pub cause: Cause,
    /// True where more is there than after any attempt before: then it counts as the first to fail.
    pub got_further: bool,
}

impl From<Cause> for Setback {
    fn from(cause: Cause) -> Self {
        Setback { cause, got_further: false }
    }
}

/// Makes an attempt at `url` until it succeeds, its failure is one that stays, or patience ends.
pub fn patiently<T, E: Into<Setback>>(
    url: &str,
    patience: Patience,
    wait: &dyn Wait,
    observer: &dyn Observer,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, Cause> {
    let mut made = 0;
    loop {
        let Setback { cause, got_further } = match attempt() {
            Ok(done) => return Ok(done),
            Err(setback) => setback.into(),
        };
        made = if got_further { 1 } else { made + 1 };
        let Some(pause) = pause(patience, made, &cause, wait.chance()) else { return Err(cause) };
        let (url, seconds) = (address::shown(url), pause.as_secs_f64());
        observer.noted(&format!("{url}: {cause}; trying again in {seconds:.1} s"));
        if !wait.wait(pause, observer) {
            return Err(Cause::Interrupted);
        }
    }
}

/// The pause before the next attempt after `made` of them; nothing if there is to be none.
fn pause(patience: Patience, made: u32, cause: &Cause, chance: f64) -> Option<Duration> {
    let passing = match cause {
        Cause::Unreachable(_) | Cause::TimedOut | Cause::Cut(_) | Cause::TooMany { .. } => true,
        Cause::Status(status) => *status == 408 || *status >= 500,
        _ => false,
    };
    if !passing || made >= patience.attempts {
        return None;
    }
    if let Cause::TooMany { after: Some(after) } = cause {
        return (*after <= patience.longest_pause).then_some(*after);
    }
    let doubled = patience.first_pause.saturating_mul(1 << (made - 1).min(16)).min(patience.longest_pause);
    // Between half of it and the whole.
    Some(doubled.mul_f64(0.5 + 0.5 * chance))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::observer::Silent;

    /// Notes the pauses instead of making them.
    #[derive(Default)]
    struct Noted(RefCell<Vec<u64>>);

    impl Wait for Noted {
        fn wait(&self, pause: Duration, _observer: &dyn Observer) -> bool {
            self.0.borrow_mut().push(pause.as_millis() as u64);
            true
        }

        fn chance(&self) -> f64 {
            1.0
        }
    }

    fn run(causes: &[Cause]) -> (Result<usize, Cause>, Vec<u64>) {
        let wait = Noted::default();
        let mut attempts = 0;
        let result = patiently("https://example.org", Patience::default(), &wait, &Silent, || {
            attempts += 1;
            causes.get(attempts - 1).cloned().map_or(Ok(attempts), Err)
        });
        (result, wait.0.into_inner())
    }

    #[test]
    fn what_passes_is_tried_again_with_longer_pauses() {
        let cut = Cause::Cut("x".into());
        assert_eq!(run(&[]), (Ok(1), vec![]));
        assert_eq!(run(&[cut.clone(), Cause::Status(503)]), (Ok(3), vec![500, 1000]));
        let four = [cut.clone(), Cause::TimedOut, cut.clone(), cut.clone()];
        assert_eq!(run(&four), (Err(cut), vec![500, 1000, 2000]));
    }

    #[test]
    fn who_gets_further_each_time_is_not_given_up() {
        let wait = Noted::default();
        let mut attempts = 0;
        let result = patiently("https://example.org", Patience::default(), &wait, &Silent, || {
            attempts += 1;
            let cause = Cause::Cut("x".into());
            if attempts < 9 { Err(Setback { cause, got_further: attempts != 5 }) } else { Ok(attempts) }
        });
        assert_eq!((result, wait.0.into_inner()), (Ok(9), vec![500, 500, 500, 500, 1000, 500, 500, 500]));
    }

    #[test]
    fn what_stays_is_told_at_once() {
        for cause in [Cause::NotFound(404), Cause::Refused(403), Cause::Status(400), Cause::WebPage, Cause::Offline] {
            assert_eq!(run(std::slice::from_ref(&cause)), (Err(cause), vec![]));
        }
    }

    #[test]
    fn a_host_that_asks_for_a_pause_gets_it_unless_it_is_too_long() {
        let asked = |seconds| Cause::TooMany { after: Some(Duration::from_secs(seconds)) };
        assert_eq!(run(&[asked(7)]), (Ok(2), vec![7000]));
        assert_eq!(run(&[asked(3600)]), (Err(asked(3600)), vec![]));
    }

    #[test]
    fn chance_is_between_nothing_and_one() {
        assert!((0..100).map(|_| RealTime.chance()).all(|chance| (0.0..1.0).contains(&chance)));
    }
}
