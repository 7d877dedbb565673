//! What the node proxy counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Totals since the start, and what is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "src/native/proxy.ts says what each is")]
pub struct Stats {
    pub connections: u64,
    pub connections_total: u64,
    pub refused_total: u64,
    pub dial_failures_total: u64,
    pub revoked_total: u64,
    pub bytes_total: u64,
    pub records_lost_total: u64,
    pub verdict_writes_total: u64,
    pub verdict_write_failures_total: u64,
    pub descriptors: u64,
    pub descriptor_limit: u64,
    pub snapshot_version: u64,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

/// The counters behind Stats that no other part keeps.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: Counter,
    pub(crate) refused: Counter,
    pub(crate) dial_failures: Counter,
    pub(crate) revoked: Counter,
    /// Of connections that have ended.
    pub(crate) bytes: Counter,
    pub(crate) verdict_writes: Counter,
    pub(crate) verdict_write_failures: Counter,
}

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
