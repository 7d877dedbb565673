//! The one evaluator. The kernel caches what it says; nobody else decides.

use std::sync::Arc;

use crate::address::Address;
use crate::matching::Subject;
use crate::policy::{Policy, PolicyAction};
use crate::snapshot::Snapshot;
use crate::verdict::{Action, Outcome, Reason, Verdict};
use crate::workload::Workload;

/// May this connection be made?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// 0: not proved, so without identity whatever its address is.
    pub source_workload: u32,
    /// Where it comes from.
    pub source: Address,
    /// 0: whoever has the destination address.
    pub destination_workload: u32,
    /// The endpoint, not the Service.
    pub destination: Address,
    /// The endpoint's.
    pub port: u16,
}

/// Proof that a connection was allowed; the forwarder takes it. Only a verdict gives one.
#[derive(Debug)]
pub struct Permit(());

impl Verdict {
    /// What lets the forwarder go ahead.
    pub(crate) fn permit(&self) -> Option<Permit> {
        self.is_allow().then_some(Permit(()))
    }
}

/// Decides in Istio's order: CUSTOM, DENY, then ALLOW. Pure.
pub fn authorize(snapshot: &Snapshot, question: &Question) -> Verdict {
    let Some(destination) = snapshot.destination(question).filter(|workload| workload.captured) else {
        return Verdict::fixed(Action::Allow, Reason::NotCaptured);
    };
    if destination.id == question.source_workload {
        return Verdict::fixed(Action::Allow, Reason::Itself);
    }
    let subject = subject(snapshot, question);
    let enforced = destination.policies.iter().filter(|policy| !policy.dry_run);
    Verdict {
        enforced: decide(enforced, &subject),
        dry_run: dry_run(destination, &subject),
        generation: destination.generation,
    }
}

/// What the rules get to see.
pub(crate) fn subject<'a>(snapshot: &'a Snapshot, question: &Question) -> Subject<'a> {
    Subject {
        identity: snapshot.workload(question.source_workload).map(|workload| &workload.identity),
        source: question.source,
        destination: question.destination,
        port: question.port,
    }
}

/// The policies are in order of evaluation, so that the first rule that matches decides.
fn decide<'a>(policies: impl Iterator<Item = &'a Arc<Policy>>, subject: &Subject<'_>) -> Outcome {
    let mut guarded = false;
    for policy in policies {
        if let Some(rule) = policy.rules.iter().find(|rule| rule.matches(subject)) {
            let (action, reason) = match policy.action {
                PolicyAction::Custom => (Action::Deny, Reason::Custom),
                PolicyAction::Deny => (Action::Deny, Reason::DenyRule),
                PolicyAction::Allow => (Action::Allow, Reason::AllowRule),
            };
            return Outcome { action, reason, policy: policy.id, rule: rule.index };
        }
        guarded |= policy.action == PolicyAction::Allow;
    }
    if guarded {
        Outcome::new(Action::Deny, Reason::NoAllowMatch)
    } else {
        Outcome::new(Action::Allow, Reason::NoPolicy)
    }
}

/// What it would be, were the dry-run policies enforced together with the others.
fn dry_run(destination: &Workload, subject: &Subject<'_>) -> Outcome {
    if destination.policies.iter().any(|policy| policy.dry_run) {
        decide(destination.policies.iter(), subject)
    } else {
        Outcome::default()
    }
}

#[cfg(test)]
#[path = "authorize/tests.rs"]
mod tests;
