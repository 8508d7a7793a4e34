//! How the library tells its caller what it is doing, and learns that it should stop.
//!
//! The library never prints and never reads the terminal. A terminal, a JSON caller and a test are
//! three implementations of [`Observer`].

/// What an amount counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of content.
    Bytes,
    /// Files, objects, entries: things that are counted one by one.
    Items,
}

/// Receives progress; says whether the work should stop.
///
/// Calls come from many threads at once and must be cheap.
pub trait Observer: Send + Sync {
    /// A stretch of work begins. `total` is absent where it is not known in advance. A new stretch ends the one before.
    fn started(&self, task: &'static str, unit: Unit, total: Option<u64>) {
        let _ = (task, unit, total);
    }
    /// `amount` more of the current stretch is done.
    fn advanced(&self, amount: u64) {
        let _ = amount;
    }
    /// The current stretch is over.
    fn finished(&self) {}
    /// Something the user should know that does not end the work, such as waiting for another program.
    fn noted(&self, message: &str) {
        let _ = message;
    }
    /// True once the user asked to stop. Long work asks between items and between buffers, and returns its
    /// module's `Interrupted` error.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Says nothing and never stops.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {}
