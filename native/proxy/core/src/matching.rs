//! Whether a rule matches a connection, and if not, which field of it does not. The only place that decides.
//!
//! A source that is not proved has no identity. No positive identity field matches it, not even `*`; every negative
//! one does: "not in namespace shop" is true of somebody who is in no namespace. That is ztunnel's reading too.

use std::fmt::Display;

use crate::address::Address;
use crate::cidr::Cidr;
use crate::pattern::Pattern;
use crate::policy::{Condition, Operation, Rule, ServiceAccount, Source, Wanted};
use crate::workload::Identity;

/// What a rule may look at.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// Absent: not proved.
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) port: u16,
}

/// A part of a rule as the user wrote it.
#[derive(Clone, Copy)]
pub(crate) enum Clause<'a> {
    From(&'a [Source]),
    To(&'a [Operation]),
    When(usize, &'a Condition),
}

/// The first field that stands in the way.
pub(crate) struct Mismatch<'a> {
    pub(crate) field: Field,
    pub(crate) wanted: Values<'a>,
    /// The connection has one of the unwanted values, rather than none of the wanted ones.
    pub(crate) unwanted: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum Field {
    Principals,
    Namespaces,
    ServiceAccounts,
    IpBlocks,
    Ports,
    SourceIp,
    SourceNamespace,
    SourcePrincipal,
    DestinationIp,
    DestinationPort,
}

pub(crate) enum Values<'a> {
    Patterns(&'a [Pattern]),
    ServiceAccounts(&'a [ServiceAccount]),
    Blocks(&'a [Cidr]),
    Ports(&'a [u16]),
}

impl Rule {
    pub(crate) fn matches(&self, subject: &Subject<'_>) -> bool {
        self.clauses().all(|clause| clause.matches(subject))
    }

    /// The clauses that are there; one that is not stands in nobody's way.
    pub(crate) fn clauses(&self) -> impl Iterator<Item = Clause<'_>> {
        let from = (!self.from.is_empty()).then_some(Clause::From(&self.from));
        let to = (!self.to.is_empty()).then_some(Clause::To(&self.to));
        let when = self.when.iter().enumerate().map(|(index, condition)| Clause::When(index, condition));
        from.into_iter().chain(to).chain(when)
    }
}

impl<'a> Clause<'a> {
    pub(crate) fn matches(&self, subject: &Subject<'_>) -> bool {
        match self {
            Clause::From(sources) => sources.iter().any(|source| source.mismatch(subject).is_none()),
            Clause::To(operations) => operations.iter().any(|operation| operation.mismatch(subject).is_none()),
            Clause::When(_, condition) => condition.mismatch(subject).is_none(),
        }
    }

    /// What stands in the way of each alternative.
    pub(crate) fn mismatches(&self, subject: &Subject<'_>) -> Vec<Mismatch<'a>> {
        match self {
            Clause::From(sources) => sources.iter().filter_map(|source| source.mismatch(subject)).collect(),
            Clause::To(operations) => operations.iter().filter_map(|operation| operation.mismatch(subject)).collect(),
            Clause::When(_, condition) => condition.mismatch(subject).into_iter().collect(),
        }
    }
}

impl Source {
    fn mismatch(&self, subject: &Subject<'_>) -> Option<Mismatch<'_>> {
        let identity = subject.identity;
        let namespace = |pattern: &Pattern| identity.is_some_and(|i| pattern.matches(&i.namespace));
        self.principals
            .mismatch(Field::Principals, |pattern| identity.is_some_and(|i| pattern.matches(&i.principal)))
            .or_else(|| self.namespaces.mismatch(Field::Namespaces, namespace))
            .or_else(|| {
                self.service_accounts
                    .mismatch(Field::ServiceAccounts, |account| identity.is_some_and(|i| account.names(i)))
            })
            .or_else(|| self.ip_blocks.mismatch(Field::IpBlocks, |block| block.contains(subject.source)))
    }
}

impl Operation {
    fn mismatch(&self, subject: &Subject<'_>) -> Option<Mismatch<'_>> {
        self.ports.mismatch(Field::Ports, |port| *port == subject.port)
    }
}

impl Condition {
    fn mismatch(&self, subject: &Subject<'_>) -> Option<Mismatch<'_>> {
        let identity = subject.identity;
        match self {
            Condition::SourceIp(blocks) => blocks.mismatch(Field::SourceIp, |block| block.contains(subject.source)),
            Condition::SourceNamespace(patterns) => patterns
                .mismatch(Field::SourceNamespace, |pattern| identity.is_some_and(|i| pattern.matches(&i.namespace))),
            Condition::SourcePrincipal(patterns) => patterns
                .mismatch(Field::SourcePrincipal, |pattern| identity.is_some_and(|i| pattern.matches(&i.principal))),
            Condition::DestinationIp(blocks) => {
                blocks.mismatch(Field::DestinationIp, |block| block.contains(subject.destination))
            }
            Condition::DestinationPort(ports) => ports.mismatch(Field::DestinationPort, |port| *port == subject.port),
        }
    }
}

impl ServiceAccount {
    fn names(&self, identity: &Identity) -> bool {
        self.namespace == identity.namespace && self.name == identity.service_account
    }
}

impl<T: Listed> Wanted<T> {
    fn mismatch(&self, field: Field, matches: impl Fn(&T) -> bool) -> Option<Mismatch<'_>> {
        if let Some(unwanted) = self.none_of.iter().find(|value| matches(value)) {
            return Some(Mismatch { field, wanted: T::values(std::slice::from_ref(unwanted)), unwanted: true });
        }
        if self.any_of.is_empty() || self.any_of.iter().any(matches) {
            return None;
        }
        Some(Mismatch { field, wanted: T::values(&self.any_of), unwanted: false })
    }
}

/// Values that a rule lists.
pub(crate) trait Listed: Display + Sized {
    fn values(list: &[Self]) -> Values<'_>;
}

impl Listed for Pattern {
    fn values(list: &[Pattern]) -> Values<'_> {
        Values::Patterns(list)
    }
}

impl Listed for ServiceAccount {
    fn values(list: &[ServiceAccount]) -> Values<'_> {
        Values::ServiceAccounts(list)
    }
}

impl Listed for Cidr {
    fn values(list: &[Cidr]) -> Values<'_> {
        Values::Blocks(list)
    }
}

impl Listed for u16 {
    fn values(list: &[u16]) -> Values<'_> {
        Values::Ports(list)
    }
}
