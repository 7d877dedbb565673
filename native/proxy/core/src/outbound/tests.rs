//! What a redirected connection is taken for.

use super::*;
use crate::address::{Address, OrigDst, ServerAddr};
use crate::desired as wire;

const CLIENT: u32 = 1;
const HERE: u32 = 2;
const ELSEWHERE: u32 = 3;

fn endpoint(last: u8, port: u16) -> Endpoint {
    Endpoint { address: Address::from(std::net::IpAddr::from([10, 0, 0, last])), port }
}

fn snapshot() -> Snapshot {
    let workload = |id: u32, local| wire::Workload {
        id,
        addresses: vec![endpoint(u8::try_from(id).unwrap(), 0).address.bytes().to_vec()],
        local,
        captured: true,
        ..wire::Workload::default()
    };
    let workloads = vec![workload(CLIENT, true), workload(HERE, true), workload(ELSEWHERE, false)];
    let delta = wire::Delta { workloads, ..wire::Delta::default() };
    Snapshot::default().apply(&prost::Message::encode_to_vec(&delta)).unwrap().snapshot
}

fn origin(last: u8, destination_workload: u32) -> Origin {
    Origin {
        dialled: OrigDst(endpoint(100, 80)),
        endpoint: ServerAddr(endpoint(last, 8080)),
        source_workload: CLIENT,
        destination_workload,
        service: 4,
    }
}

#[test]
fn a_destination_of_this_node_is_asked_about_with_the_proved_identity() {
    let route = route(&snapshot(), CLIENT, endpoint(1, 5000), &origin(2, HERE));
    assert_eq!(route.role, Role::Local);
    let Judged::ByPolicy { question, cached } = route.judged else { panic!("{route:?}") };
    assert_eq!((question.source_workload, question.destination_workload, question.port), (CLIENT, HERE, 8080));
    assert!(cached && route.exemption().admit);
    assert_eq!(route.exemption().client, Some(ClientAddr(endpoint(1, 5000))));
}

#[test]
fn a_destination_of_another_node_is_for_that_node_to_judge() {
    let route = route(&snapshot(), CLIENT, endpoint(1, 5000), &origin(3, ELSEWHERE));
    assert_eq!(route.role, Role::Departing { cleartext: true });
    assert_eq!(route.judged, Judged::Fixed(Verdict::fixed(Action::Allow, Reason::Remote)));
    assert!(!route.exemption().admit);
}

#[test]
fn an_id_and_an_address_that_do_not_belong_together_give_no_rights() {
    let route = route(&snapshot(), CLIENT, endpoint(1, 5000), &origin(9, HERE));
    assert_eq!(route.role, Role::Departing { cleartext: false });
    assert!(!route.exemption().admit);
}

#[test]
fn a_source_address_the_pod_gave_itself_is_not_shown_to_anybody() {
    let route = route(&snapshot(), CLIENT, endpoint(77, 5000), &origin(2, HERE));
    assert_eq!(route.client, ClientAddr(endpoint(1, 5000)));
}

#[test]
fn a_connection_of_a_pod_captured_anew_meanwhile_is_refused() {
    let stale = Origin { source_workload: 55, ..origin(2, HERE) };
    let route = route(&snapshot(), CLIENT, endpoint(1, 5000), &stale);
    assert_eq!(route.judged, Judged::Fixed(Verdict::fixed(Action::Deny, Reason::Revoked)));
}
