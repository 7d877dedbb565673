//! How near the process is to its descriptor limit. Beyond the reserve new connections are refused, so that opening a
//! map, a file or a namespace never fails for want of a descriptor.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, getrlimit};

/// Refreshed by the heartbeat; between two beats the connections made since are added.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    used: AtomicU64,
    opened_since: AtomicU64,
    limit: AtomicU64,
}

/// The reserve is one tenth.
const RESERVE_DIVISOR: u64 = 10;
const DIRECTORY: &str = "/proc/self/fd";

impl Descriptors {
    pub(crate) fn refresh(&self) {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        self.limit.store(limit, Ordering::Relaxed);
        // What is opened while we count is counted twice at worst.
        self.opened_since.store(0, Ordering::Relaxed);
        self.used.store(count(), Ordering::Relaxed);
    }

    pub(crate) fn opened(&self, descriptors: u64) {
        self.opened_since.fetch_add(descriptors, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed) + self.opened_since.load(Ordering::Relaxed)
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn is_in_reserve(&self) -> bool {
        let limit = self.limit();
        let allowed = limit - limit / RESERVE_DIVISOR;
        if self.used() < allowed {
            return false;
        }
        self.refresh(); // what was closed since the last beat is not known yet
        self.used() >= allowed
    }
}

/// Since Linux 6.2 the directory's size is the number of open descriptors; before, it is 0 and the entries are counted.
fn count() -> u64 {
    let size = fs::metadata(DIRECTORY).map_or(0, |metadata| metadata.len());
    if size > 0 {
        return size;
    }
    fs::read_dir(DIRECTORY).map_or(0, |entries| entries.count() as u64)
}
