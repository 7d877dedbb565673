//! Laws of the evaluator, and the table of Istio's semantics.

use proptest::prelude::*;

use super::*;
use crate::desired as wire;

/// A world of three workloads: the destination, a neighbour of its namespace, and a stranger.
const DESTINATION: u32 = 1;
const NEIGHBOUR: u32 = 2;
const STRANGER: u32 = 3;

fn address(last: u8) -> Address {
    Address::from(std::net::IpAddr::from([10, 0, 0, last]))
}

fn workload(id: u32, namespace: &str, policies: Vec<u32>) -> wire::Workload {
    wire::Workload {
        id,
        namespace: namespace.to_owned(),
        service_account: "web".to_owned(),
        trust_domain: "td".to_owned(),
        addresses: vec![address(u8::try_from(id).unwrap()).bytes().to_vec()],
        local: true,
        captured: true,
        generation: 5,
        policies,
        ..wire::Workload::default()
    }
}

fn snapshot(policies: &[wire::Policy]) -> Snapshot {
    let policies: Vec<wire::Policy> =
        (1..).zip(policies).map(|(id, policy)| wire::Policy { id, ..policy.clone() }).collect();
    let ids = policies.iter().map(|policy| policy.id).collect();
    let workloads =
        vec![workload(DESTINATION, "shop", ids), workload(NEIGHBOUR, "shop", vec![]), workload(STRANGER, "x", vec![])];
    let delta = wire::Delta { workloads, policies, ..wire::Delta::default() };
    Snapshot::default().apply(&prost::Message::encode_to_vec(&delta)).unwrap().snapshot
}

fn question(source_workload: u32, port: u16) -> Question {
    let source = address(if source_workload == 0 { 200 } else { u8::try_from(source_workload).unwrap() });
    Question { source_workload, source, destination_workload: DESTINATION, destination: address(1), port }
}

fn outcome(policies: &[wire::Policy], question: &Question) -> (Action, Reason) {
    let Outcome { action, reason, .. } = authorize(&snapshot(policies), question).enforced;
    (action, reason)
}

fn policy(action: wire::policy::Action, rules: Vec<wire::Rule>) -> wire::Policy {
    wire::Policy { action: action.into(), rules, ..wire::Policy::default() }
}

fn allow(rules: Vec<wire::Rule>) -> wire::Policy {
    policy(wire::policy::Action::Allow, rules)
}

fn deny(rules: Vec<wire::Rule>) -> wire::Policy {
    policy(wire::policy::Action::Deny, rules)
}

fn text(pattern: &str) -> wire::StringMatch {
    use wire::string_match::Match;
    let matching = match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(""), _) => Match::Present(true),
        (Some(suffix), _) => Match::Suffix(suffix.to_owned()),
        (_, Some(prefix)) => Match::Prefix(prefix.to_owned()),
        _ => Match::Exact(pattern.to_owned()),
    };
    wire::StringMatch { r#match: Some(matching) }
}

fn from(source: wire::Source) -> wire::Rule {
    wire::Rule { from: vec![source], ..wire::Rule::default() }
}

fn namespaces(patterns: &[&str]) -> wire::Source {
    wire::Source { namespaces: patterns.iter().map(|p| text(p)).collect(), ..wire::Source::default() }
}

fn ports(ports: &[u32]) -> wire::Rule {
    let to = wire::Operation { ports: ports.to_vec(), not_ports: vec![] };
    wire::Rule { to: vec![to], ..wire::Rule::default() }
}

#[test]
fn without_policies_everything_is_allowed() {
    assert_eq!(outcome(&[], &question(0, 80)), (Action::Allow, Reason::NoPolicy));
}

#[test]
fn a_policy_without_rules_never_matches() {
    assert_eq!(outcome(&[allow(vec![])], &question(NEIGHBOUR, 80)), (Action::Deny, Reason::NoAllowMatch));
    assert_eq!(outcome(&[deny(vec![])], &question(NEIGHBOUR, 80)), (Action::Allow, Reason::NoPolicy));
}

#[test]
fn an_empty_rule_matches_everything() {
    let anything = || vec![wire::Rule::default()];
    assert_eq!(outcome(&[allow(anything())], &question(0, 80)), (Action::Allow, Reason::AllowRule));
    assert_eq!(outcome(&[deny(anything())], &question(0, 80)), (Action::Deny, Reason::DenyRule));
}

#[test]
fn deny_goes_before_allow_and_custom_before_both() {
    let anything = || vec![wire::Rule::default()];
    let custom = || policy(wire::policy::Action::Custom, anything());
    let all = [allow(anything()), deny(anything()), custom()];
    assert_eq!(outcome(&all[..2], &question(NEIGHBOUR, 80)), (Action::Deny, Reason::DenyRule));
    assert_eq!(outcome(&all, &question(NEIGHBOUR, 80)), (Action::Deny, Reason::Custom));
}

#[test]
fn a_pod_always_reaches_itself() {
    let deny_all = [deny(vec![wire::Rule::default()])];
    assert_eq!(outcome(&deny_all, &question(DESTINATION, 80)), (Action::Allow, Reason::Itself));
}

#[test]
fn the_deciding_policy_and_rule_are_named() {
    let rules = vec![ports(&[80]), wire::Rule { index: 4, ..ports(&[443]) }];
    let verdict = authorize(&snapshot(&[deny(vec![]), allow(rules)]), &question(NEIGHBOUR, 443));
    assert_eq!((verdict.enforced.policy, verdict.enforced.rule, verdict.generation), (2, 4, 5));
}

#[test]
fn identity_comes_from_the_workload_and_never_from_the_address() {
    let policies = [allow(vec![from(namespaces(&["shop"]))])];
    assert_eq!(outcome(&policies, &question(NEIGHBOUR, 80)).0, Action::Allow);
    assert_eq!(outcome(&policies, &question(STRANGER, 80)).0, Action::Deny);
    let forged = Question { source_workload: 0, ..question(NEIGHBOUR, 80) };
    assert_eq!(outcome(&policies, &forged).0, Action::Deny);
}

#[test]
fn principals_match_exactly_by_prefix_by_suffix_and_by_presence() {
    for (pattern, expected) in [
        ("td/ns/shop/sa/web", Action::Allow),
        ("td/ns/shop/*", Action::Allow),
        ("*/sa/web", Action::Allow),
        ("*", Action::Allow),
        ("td/ns/shop/sa/webb", Action::Deny),
        ("td/ns/shop/sa/we", Action::Deny),
    ] {
        let source = wire::Source { principals: vec![text(pattern)], ..wire::Source::default() };
        assert_eq!(outcome(&[allow(vec![from(source)])], &question(NEIGHBOUR, 80)).0, expected, "{pattern}");
    }
}

#[test]
fn no_principal_is_what_only_the_unproved_are() {
    let nobody = wire::Source { not_principals: vec![text("*")], ..wire::Source::default() };
    let strict = [deny(vec![from(nobody)])];
    assert_eq!(outcome(&strict, &question(0, 80)).0, Action::Deny);
    assert_eq!(outcome(&strict, &question(NEIGHBOUR, 80)).0, Action::Allow);
}

#[test]
fn fields_of_a_source_are_anded_and_sources_ored() {
    let mut both = namespaces(&["shop"]);
    both.service_accounts = vec![wire::ServiceAccount { namespace: "shop".into(), name: "db".into() }];
    assert_eq!(outcome(&[allow(vec![from(both.clone())])], &question(NEIGHBOUR, 80)).0, Action::Deny);
    let either = wire::Rule { from: vec![both, namespaces(&["shop"])], ..wire::Rule::default() };
    assert_eq!(outcome(&[allow(vec![either])], &question(NEIGHBOUR, 80)).0, Action::Allow);
}

#[test]
fn blocks_match_on_the_first_bits() {
    let block = |bits| wire::Cidr { address: address(0).bytes().to_vec(), bits };
    for (bits, source, expected) in
        [(120, 0, Action::Allow), (128, 0, Action::Deny), (0, 0, Action::Allow), (126, NEIGHBOUR, Action::Allow)]
    {
        let source_block = wire::Source { ip_blocks: vec![block(bits)], ..wire::Source::default() };
        assert_eq!(outcome(&[allow(vec![from(source_block)])], &question(source, 80)).0, expected, "/{bits}");
    }
}

#[test]
fn all_conditions_must_hold() {
    use wire::condition::Key;
    let port = wire::Condition { key: Key::DestinationPort.into(), ports: vec![80], ..Default::default() };
    let place = wire::Condition { key: Key::SourceNamespace.into(), values: vec![text("shop")], ..Default::default() };
    let rule = wire::Rule { when: vec![port, place], ..wire::Rule::default() };
    assert_eq!(outcome(&[allow(vec![rule.clone()])], &question(NEIGHBOUR, 80)).0, Action::Allow);
    assert_eq!(outcome(&[allow(vec![rule.clone()])], &question(NEIGHBOUR, 81)).0, Action::Deny);
    assert_eq!(outcome(&[allow(vec![rule])], &question(STRANGER, 80)).0, Action::Deny);
}

#[test]
fn dry_run_tells_what_would_be_and_changes_nothing() {
    let trial = wire::Policy { dry_run: true, ..deny(vec![ports(&[80])]) };
    let verdict = authorize(&snapshot(&[allow(vec![wire::Rule::default()]), trial]), &question(NEIGHBOUR, 80));
    assert_eq!((verdict.enforced.action, verdict.dry_run.action), (Action::Allow, Action::Deny));
    assert_eq!(verdict.dry_run.policy, 2);
    let without = authorize(&snapshot(&[allow(vec![])]), &question(NEIGHBOUR, 80));
    assert_eq!(without.dry_run, Outcome::default());
}

#[test]
fn what_is_not_captured_is_not_guarded() {
    let elsewhere = Question { destination_workload: 0, destination: address(99), ..question(NEIGHBOUR, 80) };
    assert_eq!(outcome(&[deny(vec![wire::Rule::default()])], &elsewhere), (Action::Allow, Reason::NotCaptured));
}

fn any_text() -> impl Strategy<Value = wire::StringMatch> {
    prop::sample::select(vec!["shop", "x", "sh*", "*p", "*", "td/ns/shop/sa/web", "td/ns/*", "*web"]).prop_map(text)
}

fn any_texts() -> impl Strategy<Value = Vec<wire::StringMatch>> {
    prop::collection::vec(any_text(), 0..3)
}

fn any_blocks() -> impl Strategy<Value = Vec<wire::Cidr>> {
    let block =
        (0u8..4, 0u32..=128).prop_map(|(last, bits)| wire::Cidr { address: address(last).bytes().into(), bits });
    prop::collection::vec(block, 0..2)
}

prop_compose! {
    fn any_source()(
        principals in any_texts(), not_principals in any_texts(), namespaces in any_texts(),
        not_namespaces in any_texts(), ip_blocks in any_blocks(), not_ip_blocks in any_blocks(),
    ) -> wire::Source {
        wire::Source {
            principals, not_principals, namespaces, not_namespaces, ip_blocks, not_ip_blocks, ..wire::Source::default()
        }
    }
}

/// One that asks for a principal or a namespace.
fn any_named_source() -> impl Strategy<Value = wire::Source> {
    let names = |source: &wire::Source| !source.principals.is_empty() || !source.namespaces.is_empty();
    any_source().prop_filter("asks for no identity", names)
}

prop_compose! {
    fn any_rule()(
        from in prop::collection::vec(any_source(), 0..3),
        ports in prop::collection::vec(79u32..82, 0..2), not_ports in prop::collection::vec(79u32..82, 0..2),
        limited in any::<bool>(),
    ) -> wire::Rule {
        let to = if limited { vec![wire::Operation { ports, not_ports }] } else { vec![] };
        wire::Rule { from, to, ..wire::Rule::default() }
    }
}

prop_compose! {
    fn any_policy()(
        action in 0..3i32, dry_run in any::<bool>(), rules in prop::collection::vec(any_rule(), 0..3),
    ) -> wire::Policy {
        wire::Policy { action, dry_run, rules, ..wire::Policy::default() }
    }
}

fn any_policies() -> impl Strategy<Value = Vec<wire::Policy>> {
    prop::collection::vec(any_policy(), 0..5)
}

fn any_question() -> impl Strategy<Value = Question> {
    (0u32..4, 79u16..82).prop_map(|(source, port)| question(source, port))
}

fn allowed(policies: &[wire::Policy], question: &Question) -> bool {
    outcome(policies, question).0 == Action::Allow
}

proptest! {
    #[test]
    fn adding_a_deny_never_allows(policies in any_policies(), rule in any_rule(), question in any_question()) {
        let mut more = policies.clone();
        more.push(deny(vec![rule]));
        prop_assert!(allowed(&policies, &question) || !allowed(&more, &question));
    }

    #[test]
    fn adding_an_allow_rule_beside_an_allow_policy_never_denies(
        policies in any_policies(), rule in any_rule(), question in any_question(),
    ) {
        let mut guarded = policies;
        guarded.push(allow(vec![]));
        let mut more = guarded.clone();
        more.push(allow(vec![rule]));
        prop_assert!(!allowed(&guarded, &question) || allowed(&more, &question));
    }

    #[test]
    fn the_order_of_policies_is_irrelevant(
        (policies, shuffled) in any_policies().prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
        question in any_question(),
    ) {
        prop_assert_eq!(outcome(&policies, &question), outcome(&shuffled, &question));
    }

    #[test]
    fn without_identity_no_positive_identity_field_is_satisfied(source in any_named_source(), port in 79u16..82) {
        prop_assert!(!allowed(&[allow(vec![from(source)])], &question(0, port)));
    }

    #[test]
    fn dry_run_policies_never_change_the_outcome(policies in any_policies(), question in any_question()) {
        let enforced: Vec<_> = policies.iter().filter(|policy| !policy.dry_run).cloned().collect();
        prop_assert_eq!(outcome(&policies, &question), outcome(&enforced, &question));
    }

    #[test]
    fn dry_run_is_the_outcome_were_they_enforced(policies in any_policies(), question in any_question()) {
        let all: Vec<_> = policies.iter().map(|p| wire::Policy { dry_run: false, ..p.clone() }).collect();
        let verdict = authorize(&snapshot(&policies), &question);
        if policies.iter().any(|policy| policy.dry_run) && question.source_workload != DESTINATION {
            prop_assert_eq!((verdict.dry_run.action, verdict.dry_run.reason), outcome(&all, &question));
        } else {
            prop_assert_eq!(verdict.dry_run, Outcome::default());
        }
    }

    #[test]
    fn an_explanation_agrees_with_the_verdict(policies in any_policies(), question in any_question()) {
        let snapshot = snapshot(&policies);
        let outcome = authorize(&snapshot, &question).enforced;
        for considered in crate::explain(&snapshot, &question) {
            prop_assert_eq!(considered.matched, considered.clauses.iter().all(|clause| clause.matched));
            for clause in &considered.clauses {
                prop_assert_eq!(clause.matched, clause.mismatch.is_empty());
            }
            if considered.policy == outcome.policy && considered.rule == outcome.rule && policies.len() == 1 {
                prop_assert!(considered.matched || policies[0].rules.len() > 1);
            }
        }
    }
}
