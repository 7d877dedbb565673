//! The proxy's threads. Each has a loop of its own and keeps the connections it is given: a message wakes the one thread
//! that carries it and no other, which is what keeps round trips short.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use crate::error::Error;

/// Handles to all of them.
pub(crate) struct Threads {
    threads: Vec<Thread>,
    next: AtomicUsize,
}

struct Thread {
    handle: Handle,
    load: Arc<AtomicU64>,
}

/// What ends the threads.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// A connection's place on a thread; given back when dropped.
pub(crate) struct Seat(Arc<AtomicU64>);

const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
/// How often close looks whether they have ended.
const CLOSE_POLL: Duration = Duration::from_millis(5);

impl Threads {
    /// Starts them.
    pub(crate) fn start(count: usize) -> Result<(Threads, Running), Error> {
        let (stop, stopped) = watch::channel(false);
        let mut running = Running { stop, threads: Vec::new() };
        let mut threads = Vec::new();
        for index in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_io().enable_time().build();
            let runtime = runtime.map_err(Error::system("make an event loop for the node proxy"))?;
            threads.push(Thread { handle: runtime.handle().clone(), load: Arc::default() });
            let mut stopped = stopped.clone();
            let run = move || {
                // Ends with the word, or with the one who could say it.
                let _ = runtime.block_on(stopped.wait_for(|stop| *stop));
            };
            let thread = thread::Builder::new().name(format!("weir-proxy-{index}")).spawn(run);
            running.threads.push(thread.map_err(Error::system("start a thread of the node proxy"))?);
        }
        Ok((Threads { threads, next: AtomicUsize::new(0) }, running))
    }

    /// All of them, for what each must do.
    pub(crate) fn handles(&self) -> impl Iterator<Item = &Handle> {
        self.threads.iter().map(|thread| &thread.handle)
    }

    /// One for a task that is not a connection, each in turn.
    pub(crate) fn any(&self) -> &Handle {
        &self.at(self.next.fetch_add(1, Ordering::Relaxed)).handle
    }

    /// The one with the fewest connections.
    pub(crate) fn seat(&self) -> (&Handle, Seat) {
        let load = |index: &usize| self.at(*index).load.load(Ordering::Relaxed);
        let thread = self.at((0..self.threads.len()).min_by_key(load).unwrap_or(0));
        thread.load.fetch_add(1, Ordering::Relaxed);
        (&thread.handle, Seat(thread.load.clone()))
    }

    #[allow(clippy::indexing_slicing, reason = "a remainder of its length, and there is at least one")]
    fn at(&self, index: usize) -> &Thread {
        &self.threads[index % self.threads.len()]
    }
}

impl Running {
    /// Ends the threads and with them their connections; waits a while for one in the middle of something.
    pub(crate) fn close(self) {
        self.stop.send_replace(true);
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < deadline {
            thread::sleep(CLOSE_POLL);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "threads/tests.rs"]
mod tests;
