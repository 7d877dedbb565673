//! The live connections: re-judged when policy changes, reported while they grow, reset when the time is up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::authorize::authorize;
use crate::connection::Connection;
use crate::route::Judged;
use crate::snapshot::Snapshot;
use crate::verdict::Reason;

pub(crate) struct Connections {
    shards: [Mutex<HashMap<u64, Arc<Connection>>>; SHARDS],
    next_id: AtomicU64,
    live: AtomicU64,
    none_left: Notify,
}

const SHARDS: usize = 16;
/// The kernel's socket cookies never get here, and TypeScript counts exactly up to 2^53.
const FIRST_ID: u64 = 1 << 52;
/// How often the grown ones are looked for; each is reported at most once in UPDATE_INTERVAL.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
const UPDATE_INTERVAL: Duration = Duration::from_secs(9); // with the sweep, within 10 s

impl Connections {
    pub(crate) fn new() -> Connections {
        Connections {
            shards: Default::default(),
            next_id: AtomicU64::new(FIRST_ID),
            live: AtomicU64::new(0),
            none_left: Notify::new(),
        }
    }

    /// An id for each end.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(2, Ordering::Relaxed)
    }

    pub(crate) fn live(&self) -> u64 {
        self.live.load(Ordering::SeqCst)
    }

    pub(crate) fn insert(&self, connection: Arc<Connection>) {
        self.live.fetch_add(1, Ordering::SeqCst);
        self.with_shard(connection.id, |shard| shard.insert(connection.id, connection));
    }

    pub(crate) fn remove(&self, id: u64) {
        if self.with_shard(id, |shard| shard.remove(&id)).is_some() && self.live.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.none_left.notify_waiters();
        }
    }

    /// Resets what is no longer allowed; answers how many. Comes after the snapshot is published: a connection that is
    /// not in here yet will ask the new one.
    pub(crate) fn judge_again(&self, snapshot: &Snapshot) -> u64 {
        // Asked without a lock: many policies take long, and connections come and go meanwhile.
        let guarded = self.collect(|connection| matches!(connection.route.judged, Judged::ByPolicy { .. }));
        guarded.iter().filter(|c| !is_still_allowed(c, snapshot) && c.reset()).count() as u64
    }

    /// Resets all, or those of one pod; answers how many.
    pub(crate) fn reset(&self, pod: Option<u32>) -> u64 {
        let chosen = self.collect(|connection| pod.is_none_or(|pod| connection.pod == pod));
        chosen.iter().filter(|connection| connection.reset()).count() as u64
    }

    /// Those that have grown since they were last reported.
    pub(crate) fn due(&self, now_ns: u64) -> Vec<Arc<Connection>> {
        let interval_ns = u64::try_from(UPDATE_INTERVAL.as_nanos()).unwrap_or(u64::MAX);
        self.collect(|connection| connection.is_due(now_ns, interval_ns))
    }

    pub(crate) fn bytes(&self) -> u64 {
        let shards = self.shards.iter().map(|shard| lock(shard).values().map(|c| c.bytes()).sum::<u64>());
        shards.sum()
    }

    /// Ends when no connection is left.
    pub(crate) async fn none_left(&self) {
        loop {
            let left = self.none_left.notified();
            tokio::pin!(left);
            left.as_mut().enable(); // before looking, or the last one could go unseen
            if self.live() == 0 {
                return;
            }
            left.await;
        }
    }

    fn collect(&self, wanted: impl Fn(&Connection) -> bool) -> Vec<Arc<Connection>> {
        let mut found = Vec::new();
        for shard in &self.shards {
            found.extend(lock(shard).values().filter(|connection| wanted(connection)).cloned());
        }
        found
    }

    fn with_shard<T>(&self, id: u64, work: impl FnOnce(&mut HashMap<u64, Arc<Connection>>) -> T) -> T {
        let index = usize::try_from(id / 2).unwrap_or(0) % SHARDS;
        #[allow(clippy::indexing_slicing, reason = "a remainder of its length")]
        work(&mut lock(&self.shards[index]))
    }
}

/// Also keeps the new verdict, for the records to come.
fn is_still_allowed(connection: &Connection, snapshot: &Snapshot) -> bool {
    let Judged::ByPolicy { question, .. } = connection.route.judged else { return true };
    if snapshot.destination(&question).is_none_or(|destination| !destination.captured) {
        return true; // leaving the mesh breaks nothing
    }
    let verdict = connection.judge(|before| {
        if !before.is_allow() {
            return before; // its task has yet to ask, and will see this snapshot; or it is ending
        }
        let verdict = authorize(snapshot, &question);
        if verdict.is_allow() { verdict } else { verdict.because(Reason::Revoked) }
    });
    verdict.enforced.reason != Reason::Revoked
}

fn lock(shard: &Mutex<HashMap<u64, Arc<Connection>>>) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
