//! The desired state: immutable, shared, replaced whole. A delta makes the next one without touching what is shared,
//! so that readers never wait and a change costs what it changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;

use crate::address::Address;
use crate::authorize::Question;
use crate::error::{Error, Invalid, each};
use crate::policy::Policy;
use crate::wire::snapshot as wire;
use crate::workload::Workload;

/// What the node proxy knows.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    version: u64,
    workloads: imbl::HashMap<u32, Arc<Workload>>,
    addresses: imbl::HashMap<Address, Arc<Workload>>,
    policies: imbl::HashMap<u32, Arc<Policy>>,
    /// Captured on this node, by id.
    here: imbl::OrdMap<u32, Arc<Workload>>,
    limits: Limits,
}

/// What connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) connections_per_pod: u32,
    pub(crate) dial_timeout: Duration,
}

/// A delta's effect.
#[derive(Debug)]
pub struct Change {
    /// The next state.
    pub snapshot: Snapshot,
    /// Captured workloads of this node that are new or changed.
    pub touched: HashSet<u32>,
}

const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Two descriptors each: one pod alone stays below a limit of 20,000.
const CONNECTIONS_PER_POD: u32 = 8192;

impl Snapshot {
    /// Reads weir.snapshot.Delta. On an error nothing is changed.
    pub fn apply(&self, delta: &[u8]) -> Result<Change, Error> {
        let wire = wire::Delta::decode(delta).map_err(|cause| Error::Undecodable { what: "delta", cause })?;
        Ok(self.next(wire)?)
    }

    fn next(&self, wire: wire::Delta) -> Result<Change, Invalid> {
        let mut next = if wire.reset { Snapshot { limits: self.limits, ..Snapshot::default() } } else { self.clone() };
        next.version = wire.version;
        let policies: Vec<Policy> = each("policies", wire.policies, Policy::parse)?;
        for policy in policies {
            next.policies.insert(policy.id, Arc::new(policy));
        }
        for id in wire.removed_policies {
            next.policies.remove(&id);
        }
        let workloads: Vec<Workload> = each("workloads", wire.workloads, |workload| {
            Workload::parse(workload, |id| next.policies.get(&id).cloned())
        })?;
        for id in wire.removed_workloads {
            next.remove(id);
        }
        let mut touched = HashSet::new();
        for workload in workloads {
            if workload.is_here() {
                touched.insert(workload.id);
            }
            next.insert(Arc::new(workload));
        }
        if let Some(limits) = wire.limits {
            next.limits = Limits::parse(limits);
        }
        Ok(Change { snapshot: next, touched })
    }

    fn insert(&mut self, workload: Arc<Workload>) {
        self.remove(workload.id);
        for address in &workload.addresses {
            self.addresses.insert(*address, workload.clone());
        }
        if workload.is_here() {
            self.here.insert(workload.id, workload.clone());
        }
        self.workloads.insert(workload.id, workload);
    }

    fn remove(&mut self, id: u32) {
        let Some(workload) = self.workloads.remove(&id) else { return };
        self.here.remove(&id);
        for address in &workload.addresses {
            // Another pod may have been given the address already.
            if self.at(*address).is_some_and(|holder| holder.id == id) {
                self.addresses.remove(address);
            }
        }
    }

    /// As the agent counts.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn workload(&self, id: u32) -> Option<&Arc<Workload>> {
        self.workloads.get(&id)
    }

    /// The workload that has an address now.
    pub(crate) fn at(&self, address: Address) -> Option<&Arc<Workload>> {
        self.addresses.get(&address)
    }

    /// The workloads captured on this node, by id.
    pub(crate) fn here(&self) -> impl Iterator<Item = &Arc<Workload>> {
        self.here.values()
    }

    /// Whom a question is about.
    pub(crate) fn destination(&self, question: &Question) -> Option<&Arc<Workload>> {
        match question.destination_workload {
            0 => self.at(question.destination),
            id => self.workload(id),
        }
    }
}

impl Limits {
    fn parse(wire: wire::Limits) -> Limits {
        let unset = Limits::default();
        let connections_per_pod = match wire.connections_per_pod {
            0 => unset.connections_per_pod,
            set => set,
        };
        let dial_timeout = match wire.dial_timeout_ms {
            0 => unset.dial_timeout,
            set => Duration::from_millis(set.into()),
        };
        Limits { connections_per_pod, dial_timeout }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connections_per_pod: CONNECTIONS_PER_POD, dial_timeout: DIAL_TIMEOUT }
    }
}

#[cfg(test)]
#[path = "snapshot/tests.rs"]
mod tests;
