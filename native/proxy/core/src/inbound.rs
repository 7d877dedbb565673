//! A connection from outside a captured pod that nobody vouches for.

use crate::address::{ClientAddr, Endpoint, OrigDst, ServerAddr};
use crate::authorize::Question;
use crate::route::{Judged, Role, Route};
use crate::snapshot::Snapshot;
use crate::verdict::Reason;

/// `local` is the pod's address and the port that was dialled there.
pub(crate) fn route(snapshot: &Snapshot, workload: u32, peer: Endpoint, local: Endpoint) -> Route {
    let source = snapshot.at(peer.address);
    let question = Question {
        source_workload: 0, // an address never stands for an identity
        source: peer.address,
        destination_workload: workload,
        destination: local.address,
        port: local.port,
    };
    let route = Route {
        role: Role::Arriving,
        client: ClientAddr(peer),
        server: ServerAddr(local),
        dialled: OrigDst(local),
        source_workload: 0,
        destination_workload: workload,
        service: 0,
        // Whoever claims a captured pod's address is asked each time: the kernel must not let the address pass.
        judged: Judged::ByPolicy { question, cached: !source.is_some_and(|workload| workload.captured) },
    };
    if peer.address == local.address {
        // Our own last hop that the kernel could not admit: carrying it would lead here again.
        return route.refused(Reason::TableFull);
    }
    route
}

#[cfg(test)]
#[path = "inbound/tests.rs"]
mod tests;
