//! Blocks of addresses.

use std::fmt;

use crate::address::Address;
use crate::error::Invalid;
use crate::wire::snapshot as wire;

const ADDRESS_BITS: u32 = 128;
const IPV4_PREFIX_BITS: u32 = 96;

/// All addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    address: Address,
    bits: u32,
}

impl Cidr {
    pub(crate) fn parse(wire: wire::Cidr) -> Result<Cidr, Invalid> {
        if wire.bits > ADDRESS_BITS {
            return Err(Invalid::new("bits", format_args!("{} is more than 128", wire.bits)));
        }
        let address = Address::parse(&wire.address).map_err(|e| Invalid::new("address", e))?;
        Ok(Cidr { address, bits: wire.bits })
    }

    pub(crate) fn contains(&self, address: Address) -> bool {
        let differing = self.address.bits() ^ address.bits();
        differing.leading_zeros() >= self.bits
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ipv4 = self.address.is_ipv4() && self.bits >= IPV4_PREFIX_BITS;
        let bits = if ipv4 { self.bits - IPV4_PREFIX_BITS } else { self.bits };
        write!(f, "{}/{bits}", self.address)
    }
}
