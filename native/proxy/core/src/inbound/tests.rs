//! What a connection from outside is taken for.

use super::*;
use crate::address::Address;
use crate::desired as wire;
use crate::verdict::{Action, Verdict};

const SERVER: u32 = 1;
const CAPTURED: u32 = 2;
const PLAIN: u32 = 3;

fn endpoint(last: u8, port: u16) -> Endpoint {
    Endpoint { address: Address::from(std::net::IpAddr::from([10, 0, 0, last])), port }
}

fn arriving(from: u8) -> Route {
    let workload = |id: u32, captured| wire::Workload {
        id,
        addresses: vec![endpoint(u8::try_from(id).unwrap(), 0).address.bytes().to_vec()],
        local: id == SERVER,
        captured,
        ..wire::Workload::default()
    };
    let workloads = vec![workload(SERVER, true), workload(CAPTURED, true), workload(PLAIN, false)];
    let delta = wire::Delta { workloads, ..wire::Delta::default() };
    let snapshot = Snapshot::default().apply(&prost::Message::encode_to_vec(&delta)).unwrap().snapshot;
    route(&snapshot, SERVER, endpoint(from, 5000), endpoint(1, 8080))
}

#[test]
fn an_address_never_stands_for_an_identity() {
    for (from, kept) in [(2, false), (3, true), (99, true)] {
        let route = arriving(from);
        assert_eq!((route.role, route.source_workload), (Role::Arriving, 0));
        let Judged::ByPolicy { question, cached } = route.judged else { panic!("{route:?}") };
        assert_eq!((question.source_workload, question.destination_workload, cached), (0, SERVER, kept));
        assert_eq!(route.exemption().client, Some(ClientAddr(endpoint(from, 5000))));
        assert!(route.exemption().admit);
    }
}

#[test]
fn an_own_last_hop_that_came_back_is_not_carried_round() {
    assert_eq!(arriving(1).judged, Judged::Fixed(Verdict::fixed(Action::Deny, Reason::TableFull)));
}
