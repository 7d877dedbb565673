//! Why a verdict is what it is: every rule that was looked at, and what stood in its way.

use std::fmt::{self, Display, Write as _};

use crate::authorize::{Question, subject};
use crate::matching::{Clause, Field, Subject, Values};
use crate::policy::Rule;
use crate::snapshot::Snapshot;
use crate::wire::authorization as wire;

/// How many values a sentence lists before it says how many more there are.
const VALUES_SHOWN: usize = 8;

/// Every rule of every policy that selects the destination, in order of evaluation.
pub fn explain(snapshot: &Snapshot, question: &Question) -> Vec<wire::Considered> {
    let Some(destination) = snapshot.destination(question).filter(|workload| workload.captured) else {
        return Vec::new();
    };
    if destination.id == question.source_workload {
        return Vec::new();
    }
    let subject = subject(snapshot, question);
    let rules = destination.policies.iter().flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)));
    rules
        .map(|(policy, rule)| wire::Considered {
            policy: policy.id,
            rule: rule.index,
            matched: rule.matches(&subject),
            clauses: clauses(rule, &subject),
        })
        .collect()
}

fn clauses(rule: &Rule, subject: &Subject<'_>) -> Vec<wire::Clause> {
    rule.clauses()
        .map(|clause| {
            let matched = clause.matches(subject);
            let mismatch = if matched { String::new() } else { sentence(&clause, subject) };
            wire::Clause { name: clause.to_string(), matched, mismatch }
        })
        .collect()
}

fn sentence(clause: &Clause<'_>, subject: &Subject<'_>) -> String {
    let mut text = String::new();
    for mismatch in clause.mismatches(subject) {
        let separator = if text.is_empty() { "" } else { "; " };
        let field = mismatch.field.name(mismatch.unwanted);
        let had = mismatch.field.had(subject);
        let relation = if mismatch.unwanted { "is" } else { "is none of" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{field}: {had} {relation} {}", mismatch.wanted);
    }
    text
}

impl Display for Clause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clause::From(_) => f.write_str("from"),
            Clause::To(_) => f.write_str("to"),
            Clause::When(index, _) => write!(f, "when[{index}]"),
        }
    }
}

impl Field {
    /// As users write it.
    fn name(self, unwanted: bool) -> &'static str {
        match (self, unwanted) {
            (Field::Principals, false) => "principals",
            (Field::Principals, true) => "notPrincipals",
            (Field::Namespaces, false) => "namespaces",
            (Field::Namespaces, true) => "notNamespaces",
            (Field::ServiceAccounts, false) => "serviceAccounts",
            (Field::ServiceAccounts, true) => "notServiceAccounts",
            (Field::IpBlocks, false) => "ipBlocks",
            (Field::IpBlocks, true) => "notIpBlocks",
            (Field::Ports, false) => "ports",
            (Field::Ports, true) => "notPorts",
            (Field::SourceIp, _) => "source.ip",
            (Field::SourceNamespace, _) => "source.namespace",
            (Field::SourcePrincipal, _) => "source.principal",
            (Field::DestinationIp, _) => "destination.ip",
            (Field::DestinationPort, _) => "destination.port",
        }
    }

    /// What the connection has there.
    fn had(self, subject: &Subject<'_>) -> String {
        match (self, subject.identity) {
            (Field::IpBlocks | Field::SourceIp, _) => format!("source address {}", subject.source),
            (Field::DestinationIp, _) => format!("destination address {}", subject.destination),
            (Field::Ports | Field::DestinationPort, _) => format!("port {}", subject.port),
            (Field::Principals | Field::SourcePrincipal, Some(identity)) => format!("spiffe id {}", identity.principal),
            (Field::Namespaces | Field::SourceNamespace, Some(identity)) => format!("namespace {}", identity.namespace),
            (Field::ServiceAccounts, Some(identity)) => {
                format!("service account {}/{}", identity.namespace, identity.service_account)
            }
            (_, None) => "a source without a proved identity".to_owned(),
        }
    }
}

impl Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Values::Patterns(list) => write_list(f, list),
            Values::ServiceAccounts(list) => write_list(f, list),
            Values::Blocks(list) => write_list(f, list),
            Values::Ports(list) => write_list(f, list),
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, list: &[impl Display]) -> fmt::Result {
    for (index, value) in list.iter().take(VALUES_SHOWN).enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(f, "{separator}{value}")?;
    }
    match list.len().saturating_sub(VALUES_SHOWN) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

#[cfg(test)]
#[path = "explain/tests.rs"]
mod tests;
