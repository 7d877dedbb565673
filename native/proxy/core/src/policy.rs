//! Policies as types that cannot be wrong. `matching` decides, `explain` tells why.

use std::fmt;

use crate::cidr::Cidr;
use crate::error::{Invalid, each};
use crate::pattern::Pattern;
use crate::wire::snapshot as wire;

/// In order of evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PolicyAction {
    Custom,
    Deny,
    Allow,
}

#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) id: u32,
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) action: PolicyAction,
    pub(crate) dry_run: bool,
    pub(crate) rules: Box<[Rule]>,
}

/// All of from (any one), to (any one) and when (every one) must match. Empty means any.
#[derive(Debug)]
pub(crate) struct Rule {
    /// In the policy as the user wrote it.
    pub(crate) index: u32,
    pub(crate) from: Box<[Source]>,
    pub(crate) to: Box<[Operation]>,
    pub(crate) when: Box<[Condition]>,
}

#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) principals: Wanted<Pattern>,
    pub(crate) namespaces: Wanted<Pattern>,
    pub(crate) service_accounts: Wanted<ServiceAccount>,
    pub(crate) ip_blocks: Wanted<Cidr>,
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) ports: Wanted<u16>,
}

#[derive(Debug)]
pub(crate) enum Condition {
    SourceIp(Wanted<Cidr>),
    SourceNamespace(Wanted<Pattern>),
    SourcePrincipal(Wanted<Pattern>),
    DestinationIp(Wanted<Cidr>),
    DestinationPort(Wanted<u16>),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServiceAccount {
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
}

/// One of these (any, when empty), and none of those.
#[derive(Debug)]
pub(crate) struct Wanted<T> {
    pub(crate) any_of: Box<[T]>,
    pub(crate) none_of: Box<[T]>,
}

impl Policy {
    pub(crate) fn parse(wire: wire::Policy) -> Result<Policy, Invalid> {
        let action = match wire.action() {
            _ if wire::policy::Action::try_from(wire.action).is_err() => {
                return Err(Invalid::new("action", format_args!("{} is unknown", wire.action)));
            }
            wire::policy::Action::Allow => PolicyAction::Allow,
            wire::policy::Action::Deny => PolicyAction::Deny,
            wire::policy::Action::Custom => PolicyAction::Custom,
        };
        if wire.id == 0 {
            return Err(Invalid::new("id", "0 means none"));
        }
        Ok(Policy {
            id: wire.id,
            namespace: wire.namespace.into(),
            name: wire.name.into(),
            action,
            dry_run: wire.dry_run,
            rules: each("rules", wire.rules, Rule::parse)?,
        })
    }
}

impl Rule {
    fn parse(wire: wire::Rule) -> Result<Rule, Invalid> {
        Ok(Rule {
            index: wire.index,
            from: each("from", wire.from, Source::parse)?,
            to: each("to", wire.to, Operation::parse)?,
            when: each("when", wire.when, Condition::parse)?,
        })
    }
}

impl Source {
    fn parse(wire: wire::Source) -> Result<Source, Invalid> {
        Ok(Source {
            principals: Wanted {
                any_of: each("principals", wire.principals, Pattern::parse)?,
                none_of: each("not_principals", wire.not_principals, Pattern::parse)?,
            },
            namespaces: Wanted {
                any_of: each("namespaces", wire.namespaces, Pattern::parse)?,
                none_of: each("not_namespaces", wire.not_namespaces, Pattern::parse)?,
            },
            service_accounts: Wanted {
                any_of: each("service_accounts", wire.service_accounts, ServiceAccount::parse)?,
                none_of: each("not_service_accounts", wire.not_service_accounts, ServiceAccount::parse)?,
            },
            ip_blocks: Wanted {
                any_of: each("ip_blocks", wire.ip_blocks, Cidr::parse)?,
                none_of: each("not_ip_blocks", wire.not_ip_blocks, Cidr::parse)?,
            },
        })
    }
}

impl Operation {
    fn parse(wire: wire::Operation) -> Result<Operation, Invalid> {
        let ports =
            Wanted { any_of: each("ports", wire.ports, port)?, none_of: each("not_ports", wire.not_ports, port)? };
        Ok(Operation { ports })
    }
}

impl Condition {
    fn parse(wire: wire::Condition) -> Result<Condition, Invalid> {
        use wire::condition::Key;
        let key = Key::try_from(wire.key).map_err(|_| Invalid::new("key", format_args!("{} is unknown", wire.key)))?;
        let texts = Wanted {
            any_of: each("values", wire.values, Pattern::parse)?,
            none_of: each("not_values", wire.not_values, Pattern::parse)?,
        };
        let blocks = Wanted {
            any_of: each("blocks", wire.blocks, Cidr::parse)?,
            none_of: each("not_blocks", wire.not_blocks, Cidr::parse)?,
        };
        let ports =
            Wanted { any_of: each("ports", wire.ports, port)?, none_of: each("not_ports", wire.not_ports, port)? };
        // A condition without values of its key's kind would match everything, or nothing: never what was meant.
        match (key, texts.is_empty(), blocks.is_empty(), ports.is_empty()) {
            (Key::SourceIp, true, false, true) => Ok(Condition::SourceIp(blocks)),
            (Key::DestinationIp, true, false, true) => Ok(Condition::DestinationIp(blocks)),
            (Key::SourceNamespace, false, true, true) => Ok(Condition::SourceNamespace(texts)),
            (Key::SourcePrincipal, false, true, true) => Ok(Condition::SourcePrincipal(texts)),
            (Key::DestinationPort, true, true, false) => Ok(Condition::DestinationPort(ports)),
            _ => Err(Invalid::new("key", format_args!("{} needs values of its own kind", key.as_str_name()))),
        }
    }
}

impl ServiceAccount {
    fn parse(wire: wire::ServiceAccount) -> Result<ServiceAccount, Invalid> {
        Ok(ServiceAccount { namespace: wire.namespace.into(), name: wire.name.into() })
    }
}

impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl<T> Wanted<T> {
    fn is_empty(&self) -> bool {
        self.any_of.is_empty() && self.none_of.is_empty()
    }
}

fn port(wire: u32) -> Result<u16, Invalid> {
    u16::try_from(wire).map_err(|_| Invalid::new("", format_args!("{wire} is no port")))
}
