//! What an accepted connection is: who to whom, what policy is to be asked, and where the far end is.

use crate::address::{ClientAddr, OrigDst, ServerAddr};
use crate::authorize::Question;
use crate::maps::Exemption;
use crate::record::{FLAG_CLEARTEXT, Side};
use crate::verdict::{Action, Reason, Verdict, VerdictKey};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) role: Role,
    pub(crate) client: ClientAddr,
    pub(crate) server: ServerAddr,
    pub(crate) dialled: OrigDst,
    /// 0 unless proved.
    pub(crate) source_workload: u32,
    pub(crate) destination_workload: u32,
    pub(crate) service: u32,
    pub(crate) judged: Judged,
}

/// Which ends of the connection are this node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Both apps run here.
    Local,
    /// The client runs here.
    Departing {
        /// To a captured pod of another node, which is what the flow warns of.
        cleartext: bool,
    },
    /// The server runs here.
    Arriving,
}

/// How the verdict comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Policy is asked, now and at each change.
    ByPolicy {
        question: Question,
        /// Whether the kernel may let the next connection of this kind pass by itself.
        cached: bool,
    },
    /// Nothing to ask.
    Fixed(Verdict),
}

impl Route {
    /// How the socket to the far end is marked.
    pub(crate) fn exemption(&self) -> Exemption {
        match self.role {
            Role::Departing { .. } => Exemption {
                source_workload: self.source_workload,
                destination_workload: self.destination_workload,
                ..Exemption::PLAIN
            },
            Role::Local | Role::Arriving => Exemption {
                client: Some(self.client),
                admit: true,
                source_workload: self.source_workload,
                destination_workload: self.destination_workload,
            },
        }
    }

    /// For the kernel's cache.
    pub(crate) fn verdict_key(&self, port_sensitive: bool) -> Option<VerdictKey> {
        match self.judged {
            Judged::ByPolicy { question, cached: true } => Some(VerdictKey {
                source: question.source,
                destination: question.destination,
                source_workload: question.source_workload,
                destination_workload: question.destination_workload,
                port: if port_sensitive { question.port } else { 0 },
            }),
            _ => None,
        }
    }

    /// The same connection, refused whatever policy says.
    pub(crate) fn refused(mut self, reason: Reason) -> Route {
        self.judged = Judged::Fixed(Verdict::fixed(Action::Deny, reason));
        self
    }
}

impl Role {
    /// The ends that this node records.
    pub(crate) fn sides(self) -> &'static [Side] {
        match self {
            Role::Local => &[Side::Source, Side::Destination],
            Role::Departing { .. } => &[Side::Source],
            Role::Arriving => &[Side::Destination],
        }
    }

    /// The end that records a refusal: policy guards the destination, so its denials are told from there.
    pub(crate) fn refusing_side(self) -> Side {
        match self {
            Role::Local | Role::Arriving => Side::Destination,
            Role::Departing { .. } => Side::Source,
        }
    }

    pub(crate) fn record_flags(self) -> u8 {
        match self {
            Role::Departing { cleartext: true } => FLAG_CLEARTEXT,
            _ => 0,
        }
    }
}
