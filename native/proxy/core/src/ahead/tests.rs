//! Which pairs get a verdict before anybody asks.

use super::*;
use crate::desired as wire;
use crate::verdict::Action;

fn address(last: u16) -> Address {
    let [high, low] = last.to_be_bytes();
    Address::from(std::net::IpAddr::from([10, 0, high, low]))
}

fn workload(id: u32) -> wire::Workload {
    wire::Workload {
        id,
        addresses: vec![address(u16::try_from(id).unwrap()).bytes().to_vec()],
        local: true,
        captured: true,
        ports: vec![80, 443],
        generation: id,
        ..wire::Workload::default()
    }
}

fn snapshot(workloads: Vec<wire::Workload>) -> Snapshot {
    let deny = wire::Policy { id: 1, action: 1, rules: vec![wire::Rule::default()], ..wire::Policy::default() };
    let delta = wire::Delta { workloads, policies: vec![deny], ..wire::Delta::default() };
    Snapshot::default().apply(&prost::Message::encode_to_vec(&delta)).unwrap().snapshot
}

#[test]
fn a_touched_workload_is_paired_with_each_other_in_both_directions() {
    let snapshot = snapshot(vec![workload(1), workload(2), workload(3)]);
    let rows = rows(&snapshot, &HashSet::from([2]));
    let mut pairs: Vec<(u32, u32, u16)> =
        rows.iter().map(|(key, _)| (key.source_workload, key.destination_workload, key.port)).collect();
    pairs.sort_unstable();
    assert_eq!(pairs, [(1, 2, 0), (2, 1, 0), (2, 3, 0), (3, 2, 0)]);
    assert!(rows.iter().all(|(key, verdict)| verdict.generation == key.destination_workload));
}

#[test]
fn where_policy_names_ports_each_known_port_has_its_row() {
    let guarded = wire::Workload { port_sensitive: true, policies: vec![1], ..workload(1) };
    let rows = rows(&snapshot(vec![guarded, workload(2)]), &HashSet::from([1]));
    let to_guarded: Vec<u16> =
        rows.iter().filter(|(key, _)| key.destination_workload == 1).map(|(key, _)| key.port).collect();
    assert_eq!(to_guarded, [80, 443]);
    assert!(rows.iter().filter(|(key, _)| key.port != 0).all(|(_, v)| v.enforced.action == Action::Deny));
}

#[test]
fn other_nodes_and_other_families_are_left_out() {
    let mut ipv6 = workload(2);
    ipv6.addresses = vec![std::net::Ipv6Addr::LOCALHOST.octets().to_vec()];
    let remote = wire::Workload { local: false, ..workload(3) };
    assert!(rows(&snapshot(vec![workload(1), ipv6, remote]), &HashSet::from([1])).is_empty());
}

#[test]
fn the_budget_holds() {
    let many: Vec<wire::Workload> = (1..=200).map(workload).collect();
    assert_eq!(rows(&snapshot(many), &(1..=200).collect()).len(), ROWS_MAX);
}
