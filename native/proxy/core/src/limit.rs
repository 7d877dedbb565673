//! How many connections a pod may have, so that its neighbours feel nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A pod's connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge(Arc<AtomicU32>);

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicU32>);

impl Gauge {
    /// None at the limit.
    pub(crate) fn take(&self, limit: u32) -> Option<Place> {
        if self.0.fetch_add(1, Ordering::Relaxed) < limit {
            return Some(Place(self.0.clone()));
        }
        self.0.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "limit/tests.rs"]
mod tests;
