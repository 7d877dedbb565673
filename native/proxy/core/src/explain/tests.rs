//! The sentences `weir why` shows.

use super::*;
use crate::address::Address;
use crate::desired as wire;

fn address(last: u8) -> Address {
    Address::from(std::net::IpAddr::from([10, 0, 0, last]))
}

fn exact(text: &str) -> wire::StringMatch {
    wire::StringMatch { r#match: Some(wire::string_match::Match::Exact(text.to_owned())) }
}

fn snapshot(rule: wire::Rule) -> Snapshot {
    let policy = wire::Policy { id: 9, rules: vec![rule], ..wire::Policy::default() };
    let workload = |id: u32, policies| wire::Workload {
        id,
        namespace: "shop".into(),
        service_account: "web".into(),
        trust_domain: "td".into(),
        addresses: vec![address(u8::try_from(id).unwrap()).bytes().to_vec()],
        captured: true,
        policies,
        ..wire::Workload::default()
    };
    let workloads = vec![workload(1, vec![9]), workload(2, vec![])];
    let delta = wire::Delta { workloads, policies: vec![policy], ..wire::Delta::default() };
    Snapshot::default().apply(&prost::Message::encode_to_vec(&delta)).unwrap().snapshot
}

fn mismatches(rule: wire::Rule, source_workload: u32) -> Vec<(String, String)> {
    let question =
        Question { source_workload, source: address(2), destination_workload: 1, destination: address(1), port: 8080 };
    let considered = explain(&snapshot(rule), &question);
    assert_eq!((considered.len(), considered[0].policy), (1, 9));
    considered[0].clauses.iter().map(|clause| (clause.name.clone(), clause.mismatch.clone())).collect()
}

#[test]
fn every_alternative_says_what_stands_in_its_way() {
    let principals = wire::Source { principals: vec![exact("td/ns/a/sa/b")], ..wire::Source::default() };
    let accounts = wire::Source {
        not_service_accounts: vec![wire::ServiceAccount { namespace: "shop".into(), name: "web".into() }],
        ..wire::Source::default()
    };
    let to = wire::Operation { ports: vec![80, 443], not_ports: vec![] };
    let rule = wire::Rule { from: vec![principals, accounts], to: vec![to], ..wire::Rule::default() };
    let expected = [
        (
            "from".to_owned(),
            "principals: spiffe id td/ns/shop/sa/web is none of td/ns/a/sa/b; \
             notServiceAccounts: service account shop/web is shop/web"
                .to_owned(),
        ),
        ("to".to_owned(), "ports: port 8080 is none of 80, 443".to_owned()),
    ];
    assert_eq!(mismatches(rule, 2), expected);
}

#[test]
fn conditions_are_numbered_and_long_lists_cut() {
    use wire::condition::Key;
    let blocks = (0..10).map(|n| wire::Cidr { address: address(100 + n).bytes().to_vec(), bits: 128 }).collect();
    let met = wire::Condition { key: Key::DestinationPort.into(), not_ports: vec![1], ..Default::default() };
    let unmet = wire::Condition { key: Key::SourceIp.into(), blocks, ..Default::default() };
    let clauses = mismatches(wire::Rule { when: vec![met, unmet], ..wire::Rule::default() }, 2);
    assert_eq!(clauses[0], ("when[0]".to_owned(), String::new()));
    assert!(clauses[1].1.starts_with("source.ip: source address 10.0.0.2 is none of 10.0.0.100/32, "), "{clauses:?}");
    assert!(clauses[1].1.ends_with("10.0.0.107/32 and 2 more"), "{clauses:?}");
}

#[test]
fn a_source_without_identity_is_called_that() {
    let rule = wire::Rule {
        from: vec![wire::Source { namespaces: vec![exact("shop")], ..wire::Source::default() }],
        ..wire::Rule::default()
    };
    assert_eq!(mismatches(rule, 0)[0].1, "namespaces: a source without a proved identity is none of shop");
}
