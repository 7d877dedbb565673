//! Says from the proxy's own threads that they still turn. When one stops, the kernel side takes the agent for hung.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;
use crate::plane::Shared;
use crate::threads::Threads;

const INTERVAL: Duration = Duration::from_millis(500);

/// When each thread was last seen.
type Beats = Arc<[AtomicU64]>;

/// Has every thread tell when it turns, and one of them tell the kernel side.
pub(crate) fn start(plane: &Shared, threads: &Threads) {
    let beats: Beats = threads.handles().map(|_| AtomicU64::new(clock::now_ns())).collect();
    for (index, handle) in threads.handles().enumerate() {
        handle.spawn(turn(beats.clone(), index));
    }
    threads.any().spawn(tell(plane.clone(), beats));
}

async fn turn(beats: Beats, index: usize) {
    while let Some(beat) = beats.get(index) {
        beat.store(clock::now_ns(), Ordering::Relaxed);
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The slowest thread speaks for all.
async fn tell(plane: Shared, beats: Beats) {
    let Some(maps) = &plane.maps else { return };
    loop {
        if let Some(oldest) = beats.iter().map(|beat| beat.load(Ordering::Relaxed)).min() {
            // Cannot fail on a descriptor that is open; were it to, the kernel side would notice.
            let _ = maps.beat(oldest);
        }
        plane.descriptors.refresh();
        tokio::time::sleep(INTERVAL).await;
    }
}
