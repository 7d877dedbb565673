//! Verdicts for pairs of this node, before anybody connects: so that a connection pool filled at start is direct too.

use std::collections::HashSet;
use std::sync::Arc;

use crate::address::Address;
use crate::authorize::{Question, authorize};
use crate::snapshot::Snapshot;
use crate::verdict::{Verdict, VerdictKey};
use crate::workload::Workload;

/// A quarter of the kernel's table. What is left out is asked when it is first wanted.
pub(crate) const ROWS_MAX: usize = 16_384;

/// The pairs with a touched workload on either side.
pub(crate) fn rows(snapshot: &Snapshot, touched: &HashSet<u32>) -> Vec<(VerdictKey, Verdict)> {
    let is_touched = |workload: &&Arc<Workload>| touched.contains(&workload.id);
    let touched_here: Vec<&Arc<Workload>> = snapshot.here().filter(is_touched).collect();
    let to_touched = touched_here.iter().flat_map(|to| snapshot.here().map(move |from| (from, *to)));
    let untouched = snapshot.here().filter(|workload| !is_touched(workload));
    let from_touched = untouched.flat_map(|to| touched_here.iter().map(move |from| (*from, to)));
    to_touched
        .chain(from_touched)
        .filter(|(source, destination)| source.id != destination.id)
        .flat_map(|(source, destination)| questions(source, destination))
        .take(ROWS_MAX)
        .map(|question| (VerdictKey::from(question), authorize(snapshot, &question)))
        .collect()
}

/// One for each address of the destination, and for each of its ports where a policy names ports.
fn questions(source: &Workload, destination: &Workload) -> impl Iterator<Item = Question> {
    let ports: &[u16] = if destination.port_sensitive { &destination.ports } else { &[0] };
    let addresses = destination.addresses.iter().filter_map(|to| Some((source.address_like(*to)?, *to)));
    let question = |from: Address, to: Address, port: u16| Question {
        source_workload: source.id,
        source: from,
        destination_workload: destination.id,
        destination: to,
        port,
    };
    addresses.flat_map(move |(from, to)| ports.iter().map(move |port| question(from, to, *port)))
}

impl From<Question> for VerdictKey {
    fn from(question: Question) -> VerdictKey {
        VerdictKey {
            source: question.source,
            destination: question.destination,
            source_workload: question.source_workload,
            destination_workload: question.destination_workload,
            port: question.port,
        }
    }
}

#[cfg(test)]
#[path = "ahead/tests.rs"]
mod tests;
