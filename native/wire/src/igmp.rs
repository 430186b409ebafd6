//! IGMP as a host speaks it: version 3 (RFC 3376), and what is older (RFC 2236; RFC 1112, appendix I).
//!
//! ```text
//! query:  | 0x11 | max response | checksum | group | S, robustness | interval | sources: count (2), addresses | (the latter half: version 3)
//! report: | 0x22 | 0 | checksum | 0 (2) | records: count (2), | kind | 0 | sources (2) | group | addresses |, … |
//! older:  | 0x12, 0x16: report; 0x17: leave | 0 | checksum | group |
//! ```

use core::net::Ipv4Addr;

use crate::checksum::{fold, sum};
use crate::ipv4::{IPV4_HEADER, Ipv4Header, Protocol};
use crate::membership::{MembershipProtocol, MembershipQuery, expand};
use crate::{FromBytes, IntoBytes};

const QUERY: u8 = 0x11;
pub(crate) const REPORT_V1: u8 = 0x12;
pub(crate) const REPORT_V2: u8 = 0x16;
pub(crate) const LEAVE: u8 = 0x17;
pub(crate) const REPORT_V3: u8 = 0x22;
/// Router Alert (RFC 2113, 2.1): routers look at the packet though it is not for them.
const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];
/// Internetwork Control, which all IGMP is sent with (RFC 3376, 4).
const CONTROL: u8 = 0xc0;
/// Bytes before a message of ours.
pub(crate) const BEFORE: usize = IPV4_HEADER + ROUTER_ALERT.len();
/// Bytes before the records of a report.
pub(crate) const BEFORE_RECORDS: usize = BEFORE + 8;
pub(crate) const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
pub(crate) const ALL_REPORTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
/// How long an answer to a query of version 1 may take, milliseconds (RFC 3376, 7.2.1).
const RESPONSE_V1_MS: u32 = 10_000;

/// Reads an IPv4 packet of IGMP, header and options included: the query that it is; `Some(None)` if it is a message for routers; `None` if it
/// must be ignored. General queries are for all systems, those of a group for the group or for all.
pub fn read_igmp(packet: &[u8]) -> Option<Option<MembershipQuery<'_>>> {
    let (ip, _) = Ipv4Header::ref_from_prefix(packet).ok()?;
    let header = usize::from(ip.version_ihl & 0xf) * 4;
    let total = usize::from(ip.total_length.get());
    let is_header = ip.version_ihl >> 4 == 4 && header >= IPV4_HEADER && header <= total;
    let packet = packet.get(..total).filter(|_| is_header && !ip.is_fragment() && ip.protocol == Protocol::IGMP)?;
    let (options, message) = packet.split_at_checked(header)?;
    if fold(sum(options, 0)) != 0xffff || fold(sum(message, 0)) != 0xffff {
        return None;
    }
    let [kind, code, _, _, a, b, c, d, rest @ ..] = message else { return None };
    if *kind != QUERY {
        return Some(None);
    }
    let group = Some(Ipv4Addr::new(*a, *b, *c, *d)).filter(|group| !group.is_unspecified());
    if ip.destination_ip() != ALL_SYSTEMS && group.filter(Ipv4Addr::is_multicast) != Some(ip.destination_ip()) {
        return None;
    }
    let old = |protocol, max_response_ms| MembershipQuery {
        protocol,
        group: group.map(Into::into),
        max_response_ms,
        robustness: 0,
        interval_s: 0,
        sources: &[],
    };
    // RFC 3376, 7.1: the length tells version 3 from older ones, and any other length is nobody's.
    match (rest, code) {
        ([], 0) => Some(Some(MembershipQuery { group: None, ..old(MembershipProtocol::Igmp1, RESPONSE_V1_MS) })),
        ([], code) => Some(Some(old(MembershipProtocol::Igmp2, u32::from(*code) * 100))),
        ([flags, interval, high, low, rest @ ..], code) => {
            let sources = rest.get(..4 * usize::from(u16::from_be_bytes([*high, *low])))?;
            (sources.is_empty() || group.is_some()).then_some(Some(MembershipQuery {
                robustness: flags & 7,
                interval_s: expand((*interval).into(), 4),
                sources,
                ..old(MembershipProtocol::Igmp3, expand((*code).into(), 4) * 100)
            }))
        }
        _ => None,
    }
}

/// Puts the header before a message of ours, and both checksums in.
pub(crate) fn finish(packet: &mut [u8], source: Ipv4Addr, destination: Ipv4Addr) {
    let length = packet.len();
    let Some((header, message)) = packet.split_at_mut_checked(BEFORE) else { return };
    let checksum = !fold(sum(message, 0));
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    let mut ip = Ipv4Header {
        version_ihl: 0x40 | (BEFORE / 4) as u8,
        tos: CONTROL,
        total_length: (length as u16).into(),
        identification: 0.into(),
        flags_fragment: Ipv4Header::DF.into(),
        ttl: 1,
        protocol: Protocol::IGMP,
        checksum: 0.into(),
        source: source.octets(),
        destination: destination.octets(),
    };
    ip.checksum = (!fold(sum(ip.as_bytes(), sum(&ROUTER_ALERT, 0)))).into();
    header[..IPV4_HEADER].copy_from_slice(ip.as_bytes());
    header[IPV4_HEADER..].copy_from_slice(&ROUTER_ALERT);
}
