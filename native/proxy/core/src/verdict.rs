//! What policy said: `struct verdict` and `struct verdict_key` of bpf/abi.h.

use crate::address::Address;

/// enum action of bpf/abi.h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// Not decided.
    #[default]
    None = 0,
    /// Go ahead.
    Allow = 1,
    /// Refused.
    Deny = 2,
}

/// enum reason of bpf/abi.h, those the node proxy gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    /// No verdict.
    #[default]
    None = 0,
    /// No ALLOW policy selects the destination.
    NoPolicy = 1,
    /// An ALLOW rule matched.
    AllowRule = 2,
    /// A pod to itself.
    Itself = 3,
    /// The destination is not in the mesh.
    NotCaptured = 4,
    /// A DENY rule matched.
    DenyRule = 6,
    /// ALLOW policies select the destination, none matches.
    NoAllowMatch = 7,
    /// A CUSTOM policy cannot be asked yet.
    Custom = 8,
    /// The pod is at its connection limit.
    ConnectionLimit = 12,
    /// The far end refused or did not answer.
    DialFailed = 13,
    /// A policy change ended the connection.
    Revoked = 14,
    /// A table of the kernel or the descriptor limit is full.
    TableFull = 16,
    /// The node of the captured destination decides.
    Remote = 18,
}

/// One evaluation's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Allow or deny; none where nothing was evaluated.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The policy that decided, 0 when none did.
    pub policy: u32,
    /// Its rule, as the user counted.
    pub rule: u32,
}

/// The decision, and what the dry-run policies would have said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is in force.
    pub enforced: Outcome,
    /// With the dry-run policies in force too; action none when no dry-run policy selects the destination.
    pub dry_run: Outcome,
    /// Of the policy that guards the destination.
    pub generation: u32,
}

/// Size of `struct verdict`.
pub(crate) const VERDICT_BYTES: usize = 32;
/// Size of `struct verdict_key`.
pub(crate) const VERDICT_KEY_BYTES: usize = 48;

/// Which connections share a cached verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VerdictKey {
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) source_workload: u32,
    pub(crate) destination_workload: u32,
    /// 0 unless a policy on the destination names ports.
    pub(crate) port: u16,
}

impl Outcome {
    pub(crate) const fn new(action: Action, reason: Reason) -> Outcome {
        Outcome { action, reason, policy: 0, rule: 0 }
    }
}

impl Verdict {
    /// A verdict that no policy was asked for.
    pub(crate) const fn fixed(action: Action, reason: Reason) -> Verdict {
        let dry_run = Outcome::new(Action::None, Reason::None);
        Verdict { enforced: Outcome::new(action, reason), dry_run, generation: 0 }
    }

    /// The same, ended for another reason.
    pub(crate) fn because(mut self, reason: Reason) -> Verdict {
        self.enforced.reason = reason;
        self
    }

    pub(crate) fn is_allow(&self) -> bool {
        self.enforced.action == Action::Allow
    }

    /// struct verdict.
    pub(crate) fn encode(&self) -> [u8; VERDICT_BYTES] {
        let words = [
            self.enforced.action as u32,
            self.enforced.reason as u32,
            self.enforced.policy,
            self.enforced.rule,
            self.dry_run.action as u32,
            self.dry_run.policy,
            self.dry_run.rule,
            self.generation,
        ];
        let mut bytes = [0; VERDICT_BYTES];
        for (slot, word) in bytes.chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }
}

impl VerdictKey {
    /// struct verdict_key.
    pub(crate) fn encode(&self) -> [u8; VERDICT_KEY_BYTES] {
        let mut bytes = [0; VERDICT_KEY_BYTES];
        bytes[..16].copy_from_slice(&self.source.bytes());
        bytes[16..32].copy_from_slice(&self.destination.bytes());
        bytes[32..36].copy_from_slice(&self.source_workload.to_ne_bytes());
        bytes[36..40].copy_from_slice(&self.destination_workload.to_ne_bytes());
        bytes[40..42].copy_from_slice(&self.port.to_ne_bytes());
        bytes
    }
}
