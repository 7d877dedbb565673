//! What waits, what is lost, and that the count of it is exact.

use std::sync::Arc;

use super::*;
use crate::record::tests::record;

/// Of each batch: the records in it, and those lost before it.
type Batches = Arc<Mutex<Vec<(usize, u64)>>>;

/// Takes batches, or refuses them.
fn collector(accepts: bool) -> (Deliver, Batches) {
    let seen = Batches::default();
    let batches = seen.clone();
    let deliver = move |rows: Vec<u8>, lost| {
        batches.lock().unwrap().push((rows.len() / RECORD_BYTES, lost));
        accepts
    };
    (Box::new(deliver), seen)
}

#[test]
fn a_full_queue_loses_the_newest_and_counts_them() {
    let records = Records::default();
    for _ in 0..QUEUE_BYTES / RECORD_BYTES + 7 {
        records.push(&record());
    }
    let (deliver, seen) = collector(true);
    records.hand_over(&deliver);
    records.hand_over(&deliver);
    assert_eq!(*seen.lock().unwrap(), [(QUEUE_BYTES / RECORD_BYTES, 7)]);
    assert_eq!(records.lost_total(), 7);
}

#[test]
fn a_refused_batch_is_lost_and_told_with_the_next() {
    let records = Records::default();
    records.push(&record());
    records.push(&record());
    records.hand_over(&collector(false).0);
    records.push(&record());
    records.hand_over(&collector(false).0);
    let (deliver, seen) = collector(true);
    records.hand_over(&deliver);
    assert_eq!(*seen.lock().unwrap(), [(0, 3)]);
    assert_eq!(records.lost_total(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_single_record_waits_no_longer_than_the_batch_delay() {
    let records = Arc::new(Records::default());
    let (deliver, seen) = collector(true);
    let task = tokio::spawn({
        let records = records.clone();
        async move { records.deliver(deliver).await }
    });
    records.push(&record());
    tokio::time::sleep(BATCH_DELAY * 2).await;
    assert_eq!(*seen.lock().unwrap(), [(1, 0)]);
    task.abort();
}
