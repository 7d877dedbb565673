//! The node proxy of Weir: carries what the kernel hands over, and is the one place where policy is evaluated.
//!
//! A connection: `accept` takes it inside the pod's namespace, `outbound` or `inbound` says what it is, `authorize`
//! gives a [`Permit`], `dial` reaches the far end, `forward` carries the bytes, `record` tells what happened.
//!
//! A change: `snapshot` turns a delta into the next immutable state, `ahead` puts verdicts into the kernel's cache,
//! `connections` ends what is no longer allowed.

#![deny(unsafe_code)]

mod accept;
mod address;
mod ahead;
mod authorize;
mod cidr;
mod clock;
mod connection;
mod connections;
mod descriptors;
mod dial;
mod error;
mod explain;
mod forward;
mod heartbeat;
mod inbound;
mod kernel;
mod limit;
mod maps;
mod matching;
mod namespace;
mod outbound;
mod pattern;
mod pipe;
mod plane;
mod pod;
mod policy;
mod proxy;
mod questions;
mod record;
mod records;
mod route;
mod serve;
mod snapshot;
mod socket;
mod stats;
mod threads;
mod verdict;
mod wire;
mod workload;

pub use address::{Address, ClientAddr, Endpoint, OrigDst, ServerAddr};
pub use authorize::{Permit, Question, authorize};
pub use error::{Error, Invalid};
pub use explain::explain;
pub use maps::MapDescriptors;
pub use pod::PodOptions;
pub use proxy::{Proxy, ProxyOptions};
pub use questions::answer;
pub use record::{RECORD_BYTES, RECORD_LAYOUT};
pub use records::Deliver;
pub use snapshot::{Change, Snapshot};
pub use stats::Stats;
pub use verdict::{Action, Outcome, Reason, Verdict};
pub use wire::{authorization, snapshot as desired};
