//! Records on their way up: bounded, in batches, with an exact count of what was lost.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;

use crate::record::{RECORD_BYTES, Record};

/// Takes a batch of rows and the number of records lost before it; false when it cannot take them.
pub type Deliver = Box<dyn Fn(Vec<u8>, u64) -> bool + Send + Sync>;

#[derive(Default)]
pub(crate) struct Records {
    queue: Mutex<Queue>,
    /// The queue is not empty any more.
    started: Notify,
    /// There is enough for a batch.
    full: Notify,
}

#[derive(Default)]
struct Queue {
    rows: Vec<u8>,
    /// Since the last batch that was taken.
    lost: u64,
    lost_total: u64,
}

/// How long a record waits at most.
const BATCH_DELAY: Duration = Duration::from_millis(50);
const BATCH_BYTES: usize = 64 * 1024;
/// About 16,000 records: half a second of all a node can make.
const QUEUE_BYTES: usize = 16_384 * RECORD_BYTES;

impl Records {
    pub(crate) fn push(&self, record: &Record) {
        let mut queue = self.lock();
        if queue.rows.len() >= QUEUE_BYTES {
            queue.lose(1);
            return;
        }
        let before = queue.rows.len();
        record.encode(&mut queue.rows);
        let after = queue.rows.len();
        drop(queue);
        if before == 0 {
            self.started.notify_one();
        }
        if before < BATCH_BYTES && after >= BATCH_BYTES {
            self.full.notify_one();
        }
    }

    pub(crate) fn lost_total(&self) -> u64 {
        self.lock().lost_total
    }

    /// Hands batches over, for ever.
    pub(crate) async fn deliver(&self, deliver: Deliver) {
        loop {
            self.started.notified().await;
            // Either there is enough, or the oldest has waited long enough.
            let _ = tokio::time::timeout(BATCH_DELAY, self.full.notified()).await;
            self.hand_over(&deliver);
        }
    }

    /// Hands over what there is now.
    pub(crate) fn hand_over(&self, deliver: &Deliver) {
        let (rows, lost) = {
            let mut queue = self.lock();
            (std::mem::take(&mut queue.rows), std::mem::take(&mut queue.lost))
        };
        let records = (rows.len() / RECORD_BYTES) as u64;
        if records == 0 && lost == 0 {
            return;
        }
        if !deliver(rows, lost) {
            let mut queue = self.lock();
            queue.lost += lost; // told again with the next batch
            queue.lose(records);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Queue {
    fn lose(&mut self, records: u64) {
        self.lost += records;
        self.lost_total += records;
    }
}

#[cfg(test)]
#[path = "records/tests.rs"]
mod tests;
