//! How a store is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::observer::{Observer, Silent};

/// How a store is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// How long to wait for another program before giving up.
    pub lock_timeout: Duration,
    /// Told who is waited for.
    pub observer: Arc<dyn Observer>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { lock_timeout: Duration::from_secs(30), observer: Arc::new(Silent) }
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions").field("lock_timeout", &self.lock_timeout).finish_non_exhaustive()
    }
}
