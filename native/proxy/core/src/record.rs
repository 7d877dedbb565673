//! `struct record` of bpf/abi.h: one end of one connection at one moment.

use crate::address::{ClientAddr, OrigDst, ServerAddr};
use crate::kernel::TcpHealth;
use crate::verdict::Verdict;

/// enum record_kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Open = 1,
    Update = 2,
    Close = 3,
    Deny = 4,
}

/// enum end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Side {
    Source = 1,
    Destination = 2,
}

/// enum record_flag.
pub(crate) const FLAG_FAILED: u8 = 1;
pub(crate) const FLAG_CLEARTEXT: u8 = 2;
pub(crate) const FLAG_RESET: u8 = 4;

/// enum path: the only one the node proxy is on.
const PATH_PROXIED: u8 = 3;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) time_ns: u64,
    pub(crate) connection: u64,
    pub(crate) duration_ns: u64,
    pub(crate) bytes_to_server: u64,
    pub(crate) bytes_to_client: u64,
    pub(crate) client: ClientAddr,
    pub(crate) server: ServerAddr,
    pub(crate) dialled: OrigDst,
    pub(crate) kind: Kind,
    pub(crate) side: Side,
    pub(crate) flags: u8,
    pub(crate) source_workload: u32,
    pub(crate) destination_workload: u32,
    pub(crate) service: u32,
    pub(crate) health: TcpHealth,
    pub(crate) verdict: Verdict,
}

/// Size of `struct record`.
pub const RECORD_BYTES: usize = 152;

/// Name, offset and size of every field, as bpf/abi.h has them.
pub const RECORD_LAYOUT: &[(&str, usize, usize)] = &[
    ("time_ns", 0, 8),
    ("connection", 8, 8),
    ("duration_ns", 16, 8),
    ("bytes_to_server", 24, 8),
    ("bytes_to_client", 32, 8),
    ("source", 40, 16),
    ("destination", 56, 16),
    ("dialled", 72, 16),
    ("source_port", 88, 2),
    ("destination_port", 90, 2),
    ("dialled_port", 92, 2),
    ("kind", 94, 1),
    ("end", 95, 1),
    ("path", 96, 1),
    ("flags", 97, 1),
    ("reserved", 98, 2),
    ("source_workload", 100, 4),
    ("destination_workload", 104, 4),
    ("service", 108, 4),
    ("rtt_us", 112, 4),
    ("retransmits", 116, 4),
    ("verdict", 120, 32),
];

impl Record {
    /// Appends the record, field by field in the layout's order.
    pub(crate) fn encode(&self, rows: &mut Vec<u8>) {
        let (ClientAddr(client), ServerAddr(server), OrigDst(dialled)) = (self.client, self.server, self.dialled);
        for number in [self.time_ns, self.connection, self.duration_ns, self.bytes_to_server, self.bytes_to_client] {
            rows.extend_from_slice(&number.to_ne_bytes());
        }
        for endpoint in [client, server, dialled] {
            rows.extend_from_slice(&endpoint.address.bytes());
        }
        for endpoint in [client, server, dialled] {
            rows.extend_from_slice(&endpoint.port.to_ne_bytes());
        }
        rows.extend_from_slice(&[self.kind as u8, self.side as u8, PATH_PROXIED, self.flags, 0, 0]);
        for number in
            [self.source_workload, self.destination_workload, self.service, self.health.rtt_us, self.health.retransmits]
        {
            rows.extend_from_slice(&number.to_ne_bytes());
        }
        rows.extend_from_slice(&self.verdict.encode());
    }
}

#[cfg(test)]
#[path = "record/tests.rs"]
pub(crate) mod tests;
