//! Deltas: what they change, what they leave, and what they refuse.

use proptest::prelude::*;
use prost::Message as _;

use super::*;

fn bytes(last: u8) -> Vec<u8> {
    address(last).bytes().to_vec()
}

fn address(last: u8) -> Address {
    Address::from(std::net::IpAddr::from([10, 0, 0, last]))
}

fn workload(id: u32, last: u8) -> wire::Workload {
    wire::Workload { id, addresses: vec![bytes(last)], local: true, captured: true, ..wire::Workload::default() }
}

fn apply(snapshot: &Snapshot, delta: &wire::Delta) -> Change {
    snapshot.apply(&delta.encode_to_vec()).unwrap()
}

fn refusal(delta: &wire::Delta) -> String {
    Snapshot::default().apply(&delta.encode_to_vec()).unwrap_err().to_string()
}

#[test]
fn a_delta_changes_what_it_names_and_leaves_the_old_snapshot_alone() {
    let first = apply(
        &Snapshot::default(),
        &wire::Delta { version: 1, workloads: vec![workload(1, 1), workload(2, 2)], ..wire::Delta::default() },
    );
    assert_eq!(first.touched, HashSet::from([1, 2]));
    let second = apply(
        &first.snapshot,
        &wire::Delta { version: 2, workloads: vec![workload(2, 22)], removed_workloads: vec![1], ..Default::default() },
    );
    assert_eq!(second.touched, HashSet::from([2]));
    assert!(second.snapshot.workload(1).is_none() && second.snapshot.at(address(1)).is_none());
    assert_eq!(second.snapshot.at(address(22)).unwrap().id, 2);
    assert!(second.snapshot.at(address(2)).is_none());
    assert_eq!(first.snapshot.at(address(1)).unwrap().id, 1);
    assert_eq!((first.snapshot.version(), second.snapshot.version()), (1, 2));
}

#[test]
fn an_address_that_changed_hands_stays_with_its_new_holder() {
    let first = apply(&Snapshot::default(), &wire::Delta { workloads: vec![workload(1, 1)], ..wire::Delta::default() });
    let reused = apply(&first.snapshot, &wire::Delta { workloads: vec![workload(2, 1)], ..wire::Delta::default() });
    let gone = apply(&reused.snapshot, &wire::Delta { removed_workloads: vec![1], ..wire::Delta::default() });
    assert_eq!(gone.snapshot.at(address(1)).unwrap().id, 2);
}

#[test]
fn reset_forgets_everything_before() {
    let first = apply(&Snapshot::default(), &wire::Delta { workloads: vec![workload(1, 1)], ..wire::Delta::default() });
    let reset =
        apply(&first.snapshot, &wire::Delta { reset: true, workloads: vec![workload(2, 2)], ..wire::Delta::default() });
    assert!(reset.snapshot.workload(1).is_none());
    assert_eq!(reset.snapshot.here().map(|w| w.id).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_removed_policy_guards_until_its_workload_is_told_otherwise() {
    let policy = wire::Policy { id: 4, action: 1, rules: vec![wire::Rule::default()], ..wire::Policy::default() };
    let guarded = wire::Workload { policies: vec![4], ..workload(1, 1) };
    let first = apply(
        &Snapshot::default(),
        &wire::Delta { policies: vec![policy], workloads: vec![guarded], ..wire::Delta::default() },
    );
    let second = apply(&first.snapshot, &wire::Delta { removed_policies: vec![4], ..wire::Delta::default() });
    assert_eq!(second.snapshot.workload(1).unwrap().policies.len(), 1);
}

#[test]
fn limits_stay_until_they_are_given_again() {
    let limits = wire::Limits { connections_per_pod: 3, dial_timeout_ms: 250, drain_ms: 0 };
    let first = apply(&Snapshot::default(), &wire::Delta { limits: Some(limits), ..wire::Delta::default() });
    let second = apply(&first.snapshot, &wire::Delta { reset: true, ..wire::Delta::default() });
    let expected = Limits { connections_per_pod: 3, dial_timeout: Duration::from_millis(250) };
    assert_eq!(second.snapshot.limits(), expected);
}

#[test]
fn what_cannot_be_is_refused_by_the_name_of_its_field() {
    let with_rule = |rule| wire::Delta {
        policies: vec![wire::Policy { id: 1, rules: vec![wire::Rule::default(), rule], ..wire::Policy::default() }],
        ..wire::Delta::default()
    };
    let block = |address, bits| wire::Cidr { address, bits };
    let source = |ip_blocks| wire::Source { ip_blocks, ..wire::Source::default() };
    let cases = [
        (wire::Delta { workloads: vec![workload(0, 1)], ..Default::default() }, "workloads[0].id: 0 means unknown"),
        (
            wire::Delta {
                workloads: vec![wire::Workload { addresses: vec![bytes(1), vec![1, 2]], ..workload(1, 1) }],
                ..Default::default()
            },
            "workloads[0].addresses[1]: 2 bytes",
        ),
        (
            wire::Delta {
                workloads: vec![wire::Workload { policies: vec![8], ..workload(1, 1) }],
                ..Default::default()
            },
            "workloads[0].policies[0]: no policy has the id 8",
        ),
        (
            with_rule(wire::Rule { from: vec![source(vec![block(bytes(1), 129)])], ..Default::default() }),
            "policies[0].rules[1].from[0].ip_blocks[0].bits: 129 is more than 128",
        ),
        (
            with_rule(wire::Rule {
                to: vec![wire::Operation { ports: vec![65536], ..Default::default() }],
                ..Default::default()
            }),
            "policies[0].rules[1].to[0].ports[0]: 65536 is no port",
        ),
        (
            with_rule(wire::Rule { when: vec![wire::Condition::default()], ..Default::default() }),
            "policies[0].rules[1].when[0].key: SOURCE_IP needs values of its own kind",
        ),
    ];
    for (delta, expected) in cases {
        let message = refusal(&delta);
        assert!(message.contains(expected), "{message} lacks {expected}");
    }
}

proptest! {
    /// Stands in for a fuzzer: whatever the bytes, an error or a snapshot that can be asked.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        if let Ok(change) = Snapshot::default().apply(&bytes) {
            ask_everything(&change.snapshot);
        }
    }

    /// Bytes that nearly are a delta get further than noise.
    #[test]
    fn damaged_deltas_never_panic(at in 0usize..400, byte in any::<u8>(), cut in 0usize..400) {
        let mut bytes = sample().encode_to_vec();
        if let Some(target) = bytes.get_mut(at) {
            *target = byte;
        }
        bytes.truncate(bytes.len().min(cut));
        if let Ok(change) = Snapshot::default().apply(&bytes) {
            ask_everything(&change.snapshot);
        }
    }
}

fn sample() -> wire::Delta {
    use wire::condition::Key;
    let source = wire::Source {
        ip_blocks: vec![wire::Cidr { address: bytes(0), bits: 120 }],
        namespaces: vec![wire::StringMatch { r#match: Some(wire::string_match::Match::Prefix("sh".into())) }],
        ..wire::Source::default()
    };
    let when = wire::Condition { key: Key::DestinationPort.into(), ports: vec![80], ..wire::Condition::default() };
    let rule = wire::Rule {
        from: vec![source],
        to: vec![wire::Operation { ports: vec![80], not_ports: vec![81] }],
        when: vec![when],
        ..wire::Rule::default()
    };
    let policy = wire::Policy { id: 1, rules: vec![rule], ..wire::Policy::default() };
    let guarded = wire::Workload { policies: vec![1], port_sensitive: true, ports: vec![80], ..workload(1, 1) };
    wire::Delta { version: 3, policies: vec![policy], workloads: vec![guarded, workload(2, 2)], ..Default::default() }
}

fn ask_everything(snapshot: &Snapshot) {
    let ids = snapshot.workloads.keys().copied().chain([0]).collect::<Vec<u32>>();
    for destination_workload in ids.iter().copied() {
        for source_workload in ids.iter().copied() {
            let question = Question {
                source_workload,
                source: address(2),
                destination_workload,
                destination: address(1),
                port: 80,
            };
            crate::authorize(snapshot, &question);
            crate::explain(snapshot, &question);
        }
    }
    crate::ahead::rows(snapshot, &ids.into_iter().collect());
}
