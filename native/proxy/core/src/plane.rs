//! What everything that carries connections shares.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::connection::Connection;
use crate::connections::Connections;
use crate::descriptors::Descriptors;
use crate::maps::Maps;
use crate::records::Records;
use crate::route::{Judged, Route};
use crate::snapshot::Snapshot;
use crate::stats::{Counters, Stats};
use crate::verdict::Verdict;
use crate::{ahead, authorize::authorize};

pub(crate) struct Plane {
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) connections: Connections,
    pub(crate) records: Records,
    pub(crate) counters: Counters,
    pub(crate) descriptors: Descriptors,
    /// Absent in an evaluator.
    pub(crate) maps: Option<Maps>,
}

impl Plane {
    pub(crate) fn new(maps: Option<Maps>) -> Plane {
        Plane {
            snapshot: ArcSwap::default(),
            connections: Connections::new(),
            records: Records::default(),
            counters: Counters::default(),
            descriptors: Descriptors::default(),
            maps,
        }
    }

    /// Asks policy about a new connection and tells the kernel, for the next one.
    pub(crate) fn judge(&self, connection: &Connection) -> Verdict {
        match connection.route.judged {
            Judged::Fixed(verdict) => connection.judge(|_| verdict),
            Judged::ByPolicy { question, .. } => connection.judge(|_| {
                let snapshot = self.snapshot.load();
                let verdict = authorize(&snapshot, &question);
                self.cache(&snapshot, &connection.route, &verdict);
                verdict
            }),
        }
    }

    fn cache(&self, snapshot: &Snapshot, route: &Route, verdict: &Verdict) {
        let port_sensitive = snapshot.workload(route.destination_workload).is_some_and(|w| w.port_sensitive);
        let (Some(maps), Some(key)) = (&self.maps, route.verdict_key(port_sensitive)) else { return };
        self.counters.verdict_writes.add(1);
        if maps.cache(&key, verdict).is_err() {
            self.counters.verdict_write_failures.add(1);
        }
    }

    /// Fills the kernel's cache for pairs of this node.
    pub(crate) fn cache_ahead(&self, snapshot: &Snapshot, touched: &std::collections::HashSet<u32>) {
        let Some(maps) = &self.maps else { return };
        let rows = ahead::rows(snapshot, touched);
        self.counters.verdict_writes.add(rows.len() as u64);
        self.counters.verdict_write_failures.add(maps.cache_all(&rows) as u64);
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            connections: self.connections.live(),
            connections_total: self.counters.connections.value(),
            refused_total: self.counters.refused.value(),
            dial_failures_total: self.counters.dial_failures.value(),
            revoked_total: self.counters.revoked.value(),
            bytes_total: self.counters.bytes.value() + self.connections.bytes(),
            records_lost_total: self.records.lost_total(),
            verdict_writes_total: self.counters.verdict_writes.value(),
            verdict_write_failures_total: self.counters.verdict_write_failures.value(),
            descriptors: self.descriptors.used(),
            descriptor_limit: self.descriptors.limit(),
            snapshot_version: self.snapshot.load().version(),
        }
    }
}

/// Shared by tasks and threads.
pub(crate) type Shared = Arc<Plane>;
