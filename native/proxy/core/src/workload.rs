//! A pod as the evaluator knows it.

use std::sync::Arc;

use crate::address::Address;
use crate::error::{Invalid, each};
use crate::policy::Policy;
use crate::wire::snapshot as wire;

#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) id: u32,
    pub(crate) identity: Identity,
    /// The first of each family is the pod's address in that family.
    pub(crate) addresses: Box<[Address]>,
    /// Runs on this node.
    pub(crate) local: bool,
    pub(crate) captured: bool,
    /// Of the policy that guards it.
    pub(crate) generation: u32,
    /// In order of evaluation, dry-run ones included.
    pub(crate) policies: Box<[Arc<Policy>]>,
    pub(crate) port_sensitive: bool,
    /// Ports it is known to serve.
    pub(crate) ports: Box<[u16]>,
}

/// Who a proved source is.
#[derive(Debug)]
pub(crate) struct Identity {
    /// TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT
    pub(crate) principal: Box<str>,
    pub(crate) namespace: Box<str>,
    pub(crate) service_account: Box<str>,
}

impl Workload {
    pub(crate) fn parse(
        wire: wire::Workload,
        policy: impl Fn(u32) -> Option<Arc<Policy>>,
    ) -> Result<Workload, Invalid> {
        if wire.id == 0 {
            return Err(Invalid::new("id", "0 means unknown"));
        }
        let mut policies: Vec<Arc<Policy>> = each("policies", wire.policies, |id| {
            policy(id).ok_or_else(|| Invalid::new("", format_args!("no policy has the id {id}")))
        })?;
        policies.sort_by(|a, b| (a.action, &a.namespace, &a.name, a.id).cmp(&(b.action, &b.namespace, &b.name, b.id)));
        Ok(Workload {
            id: wire.id,
            identity: Identity {
                principal: format!("{}/ns/{}/sa/{}", wire.trust_domain, wire.namespace, wire.service_account).into(),
                namespace: wire.namespace.into(),
                service_account: wire.service_account.into(),
            },
            addresses: each("addresses", wire.addresses, |bytes| Address::parse(&bytes))?,
            local: wire.local,
            captured: wire.captured,
            generation: wire.generation,
            policies: policies.into(),
            port_sensitive: wire.port_sensitive,
            ports: each("ports", wire.ports, |port| {
                u16::try_from(port).map_err(|_| Invalid::new("", format_args!("{port} is no port")))
            })?,
        })
    }

    /// Whether this node's kernel vouches for it.
    pub(crate) fn is_here(&self) -> bool {
        self.local && self.captured
    }

    /// The pod's own address in the family of another.
    pub(crate) fn address_like(&self, other: Address) -> Option<Address> {
        self.addresses.iter().copied().find(|address| address.is_ipv4() == other.is_ipv4())
    }
}
