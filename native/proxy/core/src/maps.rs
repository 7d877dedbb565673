//! The kernel tables the node proxy reads and writes, typed: layouts of bpf/abi.h.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::address::{Address, ClientAddr, Endpoint, OrigDst, ServerAddr};
use crate::error::Error;
use crate::kernel;
use crate::verdict::{VERDICT_BYTES, VERDICT_KEY_BYTES, Verdict, VerdictKey};

/// Descriptors of the pinned maps, owned by the datapath.
#[derive(Clone, Copy, Debug)]
pub struct MapDescriptors {
    /// Cached verdicts.
    pub verdicts: RawFd,
    /// Slot -> listener.
    pub listeners: RawFd,
    /// When the proxy last said it was alive.
    pub heartbeat: RawFd,
    /// Accepted socket -> where it was going.
    pub sk_origin: RawFd,
    /// The node proxy's own sockets.
    pub sk_exempt: RawFd,
}

pub(crate) struct Maps {
    verdicts: OwnedFd,
    listeners: OwnedFd,
    heartbeat: OwnedFd,
    sk_origin: OwnedFd,
    sk_exempt: OwnedFd,
}

/// struct origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) dialled: OrigDst,
    /// What the kernel chose for it. Final.
    pub(crate) endpoint: ServerAddr,
    pub(crate) source_workload: u32,
    pub(crate) destination_workload: u32,
    pub(crate) service: u32,
}

/// struct exemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exemption {
    /// What the app is told its peer is.
    pub(crate) client: Option<ClientAddr>,
    /// The connection is the last hop to an app on this node.
    pub(crate) admit: bool,
    pub(crate) source_workload: u32,
    pub(crate) destination_workload: u32,
}

pub(crate) const ORIGIN_BYTES: usize = 48;
pub(crate) const EXEMPTION_BYTES: usize = 32;
const EXEMPTION_ADMIT: u32 = 1;

impl Maps {
    /// Takes duplicates, so that either side may close first.
    pub(crate) fn open(descriptors: &MapDescriptors) -> Result<Maps, Error> {
        let take = |name: &str, descriptor: RawFd| {
            kernel::duplicate(descriptor)
                .map_err(Error::system(format!("take the descriptor {descriptor} of map {name}")))
        };
        Ok(Maps {
            verdicts: take("verdicts", descriptors.verdicts)?,
            listeners: take("listeners", descriptors.listeners)?,
            heartbeat: take("heartbeat", descriptors.heartbeat)?,
            sk_origin: take("sk_origin", descriptors.sk_origin)?,
            sk_exempt: take("sk_exempt", descriptors.sk_exempt)?,
        })
    }

    /// Where an accepted socket was going; None for one that came from outside the pod.
    pub(crate) fn origin(&self, socket: BorrowedFd<'_>) -> io::Result<Option<Origin>> {
        let row = kernel::map_lookup::<4, ORIGIN_BYTES>(self.sk_origin.as_fd(), &descriptor_key(socket))?;
        Ok(row.map(|bytes| Origin::decode(&bytes)))
    }

    /// Marks a socket as the node proxy's own. Before connect or listen.
    pub(crate) fn exempt(&self, socket: BorrowedFd<'_>, exemption: &Exemption) -> io::Result<()> {
        kernel::map_update(self.sk_exempt.as_fd(), &descriptor_key(socket), &exemption.encode())
    }

    /// Makes a listener the one its pod's lookup program hands SYNs to.
    pub(crate) fn listen(&self, index: u32, listener: BorrowedFd<'_>) -> io::Result<()> {
        let value = u64::try_from(listener.as_raw_fd()).unwrap_or(u64::MAX);
        kernel::map_update(self.listeners.as_fd(), &index.to_ne_bytes(), &value.to_ne_bytes())
    }

    pub(crate) fn beat(&self, now_ns: u64) -> io::Result<()> {
        kernel::map_update(self.heartbeat.as_fd(), &0u32.to_ne_bytes(), &now_ns.to_ne_bytes())
    }

    pub(crate) fn cache(&self, key: &VerdictKey, verdict: &Verdict) -> io::Result<()> {
        kernel::map_update(self.verdicts.as_fd(), &key.encode(), &verdict.encode())
    }

    /// Writes many verdicts; answers how many could not be written.
    pub(crate) fn cache_all(&self, rows: &[(VerdictKey, Verdict)]) -> usize {
        let keys: Vec<[u8; VERDICT_KEY_BYTES]> = rows.iter().map(|(key, _)| key.encode()).collect();
        let values: Vec<[u8; VERDICT_BYTES]> = rows.iter().map(|(_, verdict)| verdict.encode()).collect();
        let (mut from, mut failed) = (0, 0);
        while let (Some(keys), Some(values)) = (keys.get(from..), values.get(from..)) {
            if keys.is_empty() {
                break;
            }
            let Err((written, _)) = kernel::map_update_batch(self.verdicts.as_fd(), keys, values) else { break };
            failed += 1;
            from += written + 1; // the one that failed is left out
        }
        failed
    }
}

impl Origin {
    fn decode(bytes: &[u8; ORIGIN_BYTES]) -> Origin {
        let (head, words) = bytes.split_at(36);
        let (addresses, ports) = head.split_at(32);
        let (dialled, endpoint) = addresses.split_at(16);
        let word = |index: usize| number(words, index * 4, u32::from_ne_bytes);
        Origin {
            dialled: OrigDst(Endpoint { address: address(dialled), port: number(ports, 0, u16::from_ne_bytes) }),
            endpoint: ServerAddr(Endpoint { address: address(endpoint), port: number(ports, 2, u16::from_ne_bytes) }),
            source_workload: word(0),
            destination_workload: word(1),
            service: word(2),
        }
    }
}

impl Exemption {
    /// For sockets that are not the last hop.
    pub(crate) const PLAIN: Exemption =
        Exemption { client: None, admit: false, source_workload: 0, destination_workload: 0 };

    fn encode(&self) -> [u8; EXEMPTION_BYTES] {
        let mut bytes = [0; EXEMPTION_BYTES];
        if let Some(ClientAddr(client)) = self.client {
            bytes[..16].copy_from_slice(&client.address.bytes());
            bytes[16..18].copy_from_slice(&client.port.to_ne_bytes());
        }
        let flags = if self.admit { EXEMPTION_ADMIT } else { 0 };
        bytes[20..24].copy_from_slice(&flags.to_ne_bytes());
        bytes[24..28].copy_from_slice(&self.source_workload.to_ne_bytes());
        bytes[28..32].copy_from_slice(&self.destination_workload.to_ne_bytes());
        bytes
    }
}

fn descriptor_key(socket: BorrowedFd<'_>) -> [u8; 4] {
    socket.as_raw_fd().to_ne_bytes()
}

fn address(bytes: &[u8]) -> Address {
    Address::from(<[u8; 16]>::try_from(bytes).unwrap_or_default())
}

fn number<const N: usize, T>(bytes: &[u8], at: usize, read: fn([u8; N]) -> T) -> T {
    let field = bytes.get(at..at + N).and_then(|field| field.try_into().ok());
    read(field.unwrap_or([0; N]))
}

#[cfg(test)]
#[path = "maps/tests.rs"]
mod tests;
