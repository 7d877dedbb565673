//! Addresses in the one form the kernel side uses, and newtypes that say whose they are.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::error::Invalid;

/// 16 bytes in network order, IPv4 as ::ffff:a.b.c.d.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address([u8; 16]);

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Where.
    pub address: Address,
    /// In host order.
    pub port: u16,
}

/// The true client: what the app is told its peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddr(pub Endpoint);

/// Where the app that serves listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerAddr(pub Endpoint);

/// What the client dialled: the Service address, or the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrigDst(pub Endpoint);

impl Address {
    /// From the wire.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Address, Invalid> {
        let bytes = bytes.try_into().map_err(|_| {
            Invalid::new("", format_args!("{} bytes, an address has 16 (IPv4 as ::ffff:a.b.c.d)", bytes.len()))
        })?;
        Ok(Address(bytes))
    }

    /// In network order.
    pub const fn bytes(&self) -> [u8; 16] {
        self.0
    }

    /// As one number, the first bit the highest.
    pub(crate) const fn bits(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// Whether it is an IPv4 address.
    pub fn is_ipv4(&self) -> bool {
        self.ip().is_ipv4()
    }

    /// As the standard library has it, IPv4 unmapped.
    pub fn ip(&self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(self.0)).to_canonical()
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Address {
        match ip {
            IpAddr::V4(ip) => Address(ip.to_ipv6_mapped().octets()),
            IpAddr::V6(ip) => Address(ip.octets()),
        }
    }
}

impl From<[u8; 16]> for Address {
    fn from(bytes: [u8; 16]) -> Address {
        Address(bytes)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip().fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip().fmt(f)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint { address: address.ip().into(), port: address.port() }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> SocketAddr {
        SocketAddr::new(endpoint.address.ip(), endpoint.port)
    }
}
