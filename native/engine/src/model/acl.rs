//! Access lists on their way from what was written to what decides: rules that cannot be meant are refused, with the rule and the reason.

use std::net::IpAddr;

use tables::{Acl, AclRule};
use types::MacAddr;
use wire::{EtherType, Protocol};

use crate::error::EngineError;
use crate::schema::{Action, Rule};

/// Lists that there can be.
pub const ACLS: u32 = 4_096;
/// Rules of one list.
const RULES: usize = 1_024;
/// Rules of all lists.
pub const ALL_RULES: usize = 65_536;

/// A list to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclSpec {
    /// What becomes of a frame that no rule matches.
    pub default: Action,
    /// The rules, in their order.
    pub rules: Vec<Rule>,
}

impl AclSpec {
    /// A list of these rules, if each of them can match something.
    pub fn check(default: Action, rules: Vec<Rule>) -> Result<Self, EngineError> {
        if rules.len() > RULES {
            return Err(EngineError::TableFull { table: "rules of an acl", capacity: RULES });
        }
        let wrong = rules.iter().enumerate().find_map(|(at, rule)| Some((at, fault(rule)?)));
        match wrong {
            Some((at, (field, expected))) => {
                Err(EngineError::OutOfRange { field, got: format!("in rule {at}"), expected })
            }
            None => Ok(Self { default, rules }),
        }
    }

    /// The list as frames meet it.
    pub fn build(&self) -> Acl {
        Acl::new(self.rules.iter().map(decoded), action(self.default))
    }
}

const fn action(action: Action) -> tables::Action {
    match action {
        Action::Permit => tables::Action::Permit,
        Action::Deny => tables::Action::Deny,
    }
}

/// The field of a rule that cannot be, and what it could be.
fn fault(rule: &Rule) -> Option<(&'static str, &'static str)> {
    let bits = |ip: IpAddr| if ip.is_ipv4() { 32 } else { 128 };
    let too_long =
        |prefix: &Option<_>| prefix.as_ref().is_some_and(|(ip, length): &(crate::schema::Ip, u8)| *length > bits(ip.0));
    let families = [&rule.src_ip, &rule.dst_ip].into_iter().flatten().map(|(ip, _)| ip.0.is_ipv4());
    let (v4, v6) = families.fold((false, false), |(v4, v6), is_v4| (v4 || is_v4, v6 || !is_v4));
    let looks_at_ip = v4 || v6 || rule.protocol.is_some();
    let ether_type_fits = match rule.ether_type {
        None => true,
        Some(EtherType::IPV4) => !v6,
        Some(EtherType::IPV6) => !v4,
        Some(_) => !looks_at_ip,
    };
    let is_reversed = |ports: Option<(u16, u16)>| ports.is_some_and(|(first, last)| first > last);
    let has_ports = rule.protocol.is_some_and(Protocol::has_ports);
    let is_icmp = matches!(rule.protocol, Some(Protocol::ICMP | Protocol::ICMPV6));
    let faults = [
        (rule.vid.is_some_and(|vid| !(1..=4094).contains(&vid)), "vid", "1 to 4094"),
        (too_long(&rule.src_ip), "src_ip", "a prefix of at most 32 bits, or 128 of IPv6"),
        (too_long(&rule.dst_ip), "dst_ip", "a prefix of at most 32 bits, or 128 of IPv6"),
        (v4 && v6, "dst_ip", "an address of the family of src_ip"),
        (!ether_type_fits, "ether_type", "that of the IP packets which the rule asks for, or none"),
        (is_reversed(rule.src_port), "src_port", "the first port and then the last"),
        (is_reversed(rule.dst_port), "dst_port", "the first port and then the last"),
        (rule.src_port.is_some() && !has_ports, "src_port", "with protocol 6, 17, 33, 132 or 136"),
        (rule.dst_port.is_some() && !has_ports, "dst_port", "with protocol 6, 17, 33, 132 or 136"),
        (rule.tcp_flags.is_some() && rule.protocol != Some(Protocol::TCP), "tcp_flags", "with protocol 6"),
        (rule.icmp_type.is_some() && !is_icmp, "icmp_type", "with protocol 1 or 58"),
        (rule.icmp_code.is_some() && rule.icmp_type.is_none(), "icmp_code", "with an icmp_type"),
    ];
    faults.into_iter().find(|(is_wrong, ..)| *is_wrong).map(|(_, field, expected)| (field, expected))
}

/// A rule as frames meet it.
fn decoded(rule: &Rule) -> AclRule {
    let mut decoded = AclRule::any(action(rule.action));
    rule.src_mac.inspect(|(mac, mask)| decoded.source_mac(MacAddr(mac.0), MacAddr(mask.0)));
    rule.dst_mac.inspect(|(mac, mask)| decoded.destination_mac(MacAddr(mac.0), MacAddr(mask.0)));
    rule.ether_type.inspect(|ether_type| decoded.ether_type(*ether_type));
    rule.vid.inspect(|vid| decoded.vid(*vid));
    if let Some((ip, length)) = &rule.src_ip {
        let (ether_type, ip, mask) = prefix(ip.0, *length);
        decoded.ether_type(ether_type);
        decoded.source_ip(ip, mask);
    }
    if let Some((ip, length)) = &rule.dst_ip {
        let (ether_type, ip, mask) = prefix(ip.0, *length);
        decoded.ether_type(ether_type);
        decoded.destination_ip(ip, mask);
    }
    rule.protocol.inspect(|protocol| decoded.protocol(*protocol));
    rule.src_port.inspect(|ports| decoded.source_ports(*ports));
    rule.dst_port.inspect(|ports| decoded.destination_ports(*ports));
    rule.tcp_flags.inspect(|(flags, mask)| decoded.tcp_flags(*flags, *mask));
    if let Some(kind) = rule.icmp_type {
        let of = |code: u8| u16::from_be_bytes([kind, code]);
        decoded.source_ports(rule.icmp_code.map_or((of(0), of(0xff)), |code| (of(code), of(code))));
    }
    decoded
}

/// EtherType, address and mask of a prefix; IPv4 in the last 32 bits.
fn prefix(ip: IpAddr, length: u8) -> (u16, u128, u128) {
    let mask = |bits: u32| u128::MAX.checked_shl(bits - u32::from(length)).unwrap_or(0);
    match ip {
        IpAddr::V4(ip) => (EtherType::IPV4, u32::from(ip).into(), mask(32) & u128::from(u32::MAX)),
        IpAddr::V6(ip) => (EtherType::IPV6, ip.to_bits(), mask(128)),
    }
}

#[cfg(test)]
mod tests;
