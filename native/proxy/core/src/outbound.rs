//! A connection a captured pod made, handed over by its lookup program with its original destination.

use crate::address::{ClientAddr, Endpoint};
use crate::authorize::Question;
use crate::maps::Origin;
use crate::route::{Judged, Role, Route};
use crate::snapshot::Snapshot;
use crate::verdict::{Action, Reason, Verdict};

/// `workload` is the pod whose listener accepted: the kernel proves it, `peer` does not.
pub(crate) fn route(snapshot: &Snapshot, workload: u32, peer: Endpoint, origin: &Origin) -> Route {
    let client = ClientAddr(own_endpoint(snapshot, workload, peer));
    let server = origin.endpoint.0;
    // The id and the address must belong together: an address that has changed hands carries no old rights.
    let destination = snapshot
        .workload(origin.destination_workload)
        .filter(|destination| destination.captured && destination.addresses.contains(&server.address));
    let here = destination.is_some_and(|destination| destination.is_here());
    let route = Route {
        role: if here { Role::Local } else { Role::Departing { cleartext: destination.is_some() } },
        client,
        server: origin.endpoint,
        dialled: origin.dialled,
        source_workload: workload,
        destination_workload: origin.destination_workload,
        service: origin.service,
        judged: Judged::Fixed(Verdict::fixed(
            Action::Allow,
            // The node of a captured destination decides; nobody does for any other.
            if destination.is_some() { Reason::Remote } else { Reason::NotCaptured },
        )),
    };
    if origin.source_workload != workload {
        // The pod was captured anew while the connection was on its way.
        return route.refused(Reason::Revoked);
    }
    if !here {
        return route;
    }
    let question = Question {
        source_workload: workload,
        source: client.0.address,
        destination_workload: origin.destination_workload,
        destination: server.address,
        port: server.port,
    };
    Route { judged: Judged::ByPolicy { question, cached: true }, ..route }
}

/// A pod may bind to any address it gives itself; what counts, and what the app is shown, is one that is its own.
fn own_endpoint(snapshot: &Snapshot, workload: u32, peer: Endpoint) -> Endpoint {
    let address = match snapshot.workload(workload) {
        Some(pod) if !pod.addresses.contains(&peer.address) => pod.address_like(peer.address).unwrap_or(peer.address),
        _ => peer.address,
    };
    Endpoint { address, port: peer.port }
}

#[cfg(test)]
#[path = "outbound/tests.rs"]
mod tests;
