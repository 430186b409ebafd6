//! MLD as a host speaks it: version 2 (RFC 3810), and version 1 (RFC 2710).
//!
//! ```text
//! query:  | 130 | 0 | checksum | max response (2) | 0 (2) | group (16) | S, robustness | interval | sources: count (2), addresses | (end: v2)
//! report: | 143 | 0 | checksum | 0 (2) | records: count (2), | kind | 0 | sources (2) | group | addresses |, … |
//! older:  | 131: report; 132: done | 0 | checksum | 0 (4) | group |
//! ```

use core::net::Ipv6Addr;

use crate::checksum::{fold, sum};
use crate::icmpv6::{icmpv6_checksum_ok, pseudo};
use crate::ipv4::Protocol;
use crate::ipv6::{IPV6_HEADER, Ipv6Header};
use crate::membership::{MembershipProtocol, MembershipQuery, expand};
use crate::{FromBytes, IntoBytes};

const QUERY: u8 = 130;
pub(crate) const REPORT_V1: u8 = 131;
pub(crate) const DONE: u8 = 132;
pub(crate) const REPORT_V2: u8 = 143;
/// A hop-by-hop header before ICMPv6 with Router Alert for MLD (RFC 2711, 2.1), padded.
const ROUTER_ALERT: [u8; 8] = [Protocol::ICMPV6, 0, 5, 2, 0, 0, 1, 0];
/// The option of that header.
const ALERT_OPTION: u8 = 5;
/// Bytes before a message of ours.
pub(crate) const BEFORE: usize = IPV6_HEADER + ROUTER_ALERT.len();
/// Bytes before the records of a report.
pub(crate) const BEFORE_RECORDS: usize = BEFORE + 8;
pub(crate) const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
pub(crate) const ALL_REPORTS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Reads an IPv6 packet whose first extension header is hop-by-hop: the query that it is; `Some(None)` if it is a message of MLD for routers;
/// `None` if it must be ignored (RFC 3810, 6.2: MLD comes from a link-local address with a hop limit of 1 and Router Alert), or is no MLD.
pub fn read_mld(packet: &[u8]) -> Option<Option<MembershipQuery<'_>>> {
    let (ip, rest) = Ipv6Header::ref_from_prefix(packet).ok()?;
    let rest = rest.get(..ip.payload_length.get().into())?;
    let [next, units, ..] = *rest else { return None };
    let (options, message) = rest.split_at_checked((usize::from(units) + 1) * 8)?;
    let is_mld = ip.next_header == Ipv6Header::HOP_BY_HOP && next == Protocol::ICMPV6 && has_alert(options.get(2..)?);
    if !is_mld || ip.hop_limit != 1 || !icmpv6_checksum_ok(ip, message) {
        return None;
    }
    let kind = *message.first()?;
    if matches!(kind, REPORT_V1 | DONE | REPORT_V2) {
        return Some(None);
    }
    if kind != QUERY || !ip.source_ip().is_unicast_link_local() {
        return None;
    }
    let (head, rest) = message.split_at_checked(24)?;
    let group = Ipv6Addr::from(*head.last_chunk::<16>()?);
    let group = Some(group).filter(|group| !group.is_unspecified());
    // About a group Linux's bridge asks all nodes, others the group (RFC 3810, 5.1.15: wherever it comes).
    if ip.destination_ip() != ALL_NODES && group.filter(Ipv6Addr::is_multicast) != Some(ip.destination_ip()) {
        return None;
    }
    let code = u32::from(u16::from_be_bytes([head[4], head[5]]));
    let old = MembershipQuery {
        protocol: MembershipProtocol::Mld1,
        group: group.map(Into::into),
        max_response_ms: code,
        robustness: 0,
        interval_s: 0,
        sources: &[],
    };
    // RFC 3810, 8.1: the length tells the versions apart, and any other is nobody's.
    match rest {
        [] => Some(Some(old)),
        [flags, interval, high, low, rest @ ..] => {
            let sources = rest.get(..16 * usize::from(u16::from_be_bytes([*high, *low])))?;
            (sources.is_empty() || group.is_some()).then_some(Some(MembershipQuery {
                protocol: MembershipProtocol::Mld2,
                max_response_ms: expand(code, 12),
                robustness: flags & 7,
                interval_s: expand((*interval).into(), 4),
                sources,
                ..old
            }))
        }
        _ => None,
    }
}

/// Whether there is a Router Alert for MLD among these options, all of which are whole.
fn has_alert(mut options: &[u8]) -> bool {
    let mut found = false;
    while let [kind, rest @ ..] = options {
        if *kind == 0 {
            options = rest;
            continue;
        }
        let Some((length, rest)) = rest.split_first() else { return false };
        let Some((value, rest)) = rest.split_at_checked((*length).into()) else { return false };
        found |= *kind == ALERT_OPTION && value == [0, 0];
        options = rest;
    }
    found
}

/// Puts the headers before a message of ours, and its checksum in.
pub(crate) fn finish(packet: &mut [u8], source: Ipv6Addr, destination: Ipv6Addr) {
    let Some((header, message)) = packet.split_at_mut_checked(BEFORE) else { return };
    let payload = (ROUTER_ALERT.len() + message.len()) as u16;
    let ip = Ipv6Header::new(source, destination, Ipv6Header::HOP_BY_HOP, 1, payload);
    let checksum = !fold(sum(message, pseudo(&ip, message.len())));
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    header[..IPV6_HEADER].copy_from_slice(ip.as_bytes());
    header[IPV6_HEADER..].copy_from_slice(&ROUTER_ALERT);
}
