//! Not too many requests in a short time.

use std::cell::Cell;
use std::time::Duration;

use crate::observer::Observer;

use super::retry::Wait;

/// How fast a host may be asked: `burst` requests at once, and one more each `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub burst: u32,
    pub every: Duration,
}

/// Requests of one program to one host, spaced out.
pub struct Pace {
    rate: Rate,
    wait: Box<dyn Wait>,
    /// When the last request that was let through would have come, had all been evenly spaced.
    spent: Cell<Duration>,
}

impl Pace {
    pub fn new(rate: Rate, wait: Box<dyn Wait>) -> Self {
        Pace { rate, wait, spent: Cell::new(Duration::ZERO) }
    }

    /// Waits until a request may be made; false if that was interrupted.
    pub fn turn(&self, observer: &dyn Observer) -> bool {
        let Rate { burst, every } = self.rate;
        let now = self.wait.now();
        let saved = every * burst;
        // Time that was not used counts for a burst and no more.
        let spent = self.spent.get().max(now.saturating_sub(saved)) + every;
        let pause = spent.saturating_sub(now);
        self.spent.set(spent);
        pause.is_zero() || self.wait.wait(pause, observer)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::observer::Silent;

    /// A clock that stands still but for what is waited.
    #[derive(Clone, Default)]
    struct Clock(Rc<(Cell<Duration>, RefCell<Vec<u64>>)>);

    impl Wait for Clock {
        fn wait(&self, pause: Duration, _observer: &dyn Observer) -> bool {
            self.0.0.set(self.0.0.get() + pause);
            self.0.1.borrow_mut().push(pause.as_millis() as u64);
            true
        }
        fn chance(&self) -> f64 {
            0.0
        }
        fn now(&self) -> Duration {
            self.0.0.get()
        }
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_one_by_one() {
        let clock = Clock::default();
        clock.0.0.set(Duration::from_secs(100));
        let pace = Pace::new(Rate { burst: 3, every: Duration::from_millis(200) }, Box::new(clock.clone()));
        (0..5).for_each(|_| assert!(pace.turn(&Silent)));
        assert_eq!(*clock.0.1.borrow(), [200, 200]);
        clock.0.0.set(clock.now() + Duration::from_secs(60));
        (0..4).for_each(|_| assert!(pace.turn(&Silent)));
        assert_eq!(*clock.0.1.borrow(), [200, 200, 200], "an hour of rest is no right to a hundred requests");
    }
}
