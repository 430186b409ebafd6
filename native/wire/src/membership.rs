//! What IGMP and MLD say about groups, whatever the version, and the frames that a host sends.
//!
//! MLD is IGMP for IPv6: MLDv1 is what IGMPv2 is, MLDv2 what IGMPv3 is. So a query of either is one type, and so is a record of a report.
//! Only [`igmp`](crate::igmp) and [`mld`](crate::mld) know how they lie on the wire.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ethernet::{ETHERNET_HEADER, EtherType, EthernetHeader};
use crate::multicast::multicast_mac;
use crate::{IntoBytes, igmp, mld};

/// A protocol of group membership.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MembershipProtocol {
    /// RFC 1112, appendix I.
    Igmp1,
    /// RFC 2236.
    Igmp2,
    /// RFC 3376.
    Igmp3,
    /// RFC 2710.
    Mld1,
    /// RFC 3810.
    Mld2,
}

impl MembershipProtocol {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Igmp1 => "igmpv1",
            Self::Igmp2 => "igmpv2",
            Self::Igmp3 => "igmpv3",
            Self::Mld1 => "mldv1",
            Self::Mld2 => "mldv2",
        }
    }

    /// Whether its reports carry records of several groups, and its queries may name sources.
    pub const fn has_records(self) -> bool {
        matches!(self, Self::Igmp3 | Self::Mld2)
    }

    /// Whether leaving a group is said.
    pub const fn has_leave(self) -> bool {
        !matches!(self, Self::Igmp1)
    }
}

/// A query that has passed all checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MembershipQuery<'a> {
    /// The protocol that it belongs to.
    pub protocol: MembershipProtocol,
    /// The group that it is about; `None`: all.
    pub group: Option<IpAddr>,
    /// How long an answer may take, milliseconds.
    pub max_response_ms: u32,
    /// The querier's robustness variable; 0 if it does not tell.
    pub robustness: u8,
    /// Seconds between its queries; 0 if it does not tell.
    pub interval_s: u32,
    /// The addresses of the sources that it asks about, one after the other.
    pub sources: &'a [u8],
}

impl<'a> MembershipQuery<'a> {
    /// The sources that it asks about; none: whoever sends.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = IpAddr> + use<'a> {
        let length = if self.protocol == MembershipProtocol::Mld2 { 16 } else { 4 };
        self.sources.chunks_exact(length).map(address)
    }
}

/// An address of 4 or 16 bytes.
fn address(bytes: &[u8]) -> IpAddr {
    match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (Ok(v4), _) => Ipv4Addr::from(v4).into(),
        (_, Ok(v6)) => Ipv6Addr::from(v6).into(),
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    }
}

/// A code that stands for a longer number: `mantissa` bits with a hidden one, shifted by what is above them and three (RFC 3376, 4.1.1;
/// RFC 3810, 5.1.3).
pub(crate) fn expand(code: u32, bits: u32) -> u32 {
    if code >> (bits + 3) == 0 {
        return code;
    }
    let (mantissa, exponent) = (code & ((1 << bits) - 1), code >> bits & 7);
    (mantissa | 1 << bits) << (exponent + 3)
}

/// What a record of a report says of a group (RFC 3376, 4.2.12; RFC 3810, 5.2.12).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RecordKind {
    /// In answer to a query: only from these sources.
    IsInclude = 1,
    /// In answer to a query: from all but these.
    IsExclude = 2,
    /// News: only from these sources; none: the group is left.
    ToInclude = 3,
    /// News: from all but these; none: the group is joined.
    ToExclude = 4,
}

/// The most sources of one record that we send.
pub const MEMBERSHIP_SOURCES: usize = 32;

/// A record of a report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MembershipRecord {
    /// What it says.
    pub kind: RecordKind,
    /// Of which group.
    pub group: IpAddr,
    /// The sources; what is beyond [`MEMBERSHIP_SOURCES`] makes a record that is not sent.
    pub sources: Vec<IpAddr>,
}

impl MembershipRecord {
    /// Bytes that it takes.
    pub fn length(&self) -> usize {
        let address = if self.group.is_ipv4() { 4 } else { 16 };
        4 + address * (1 + self.sources.len())
    }

    /// Calls `put` with its bytes, piece by piece.
    fn write(&self, mut put: impl FnMut(&[u8])) {
        put(&[self.kind as u8, 0, 0, self.sources.len() as u8]);
        core::iter::once(&self.group).chain(&self.sources).for_each(|ip| match ip {
            IpAddr::V4(ip) => put(&ip.octets()),
            IpAddr::V6(ip) => put(&ip.octets()),
        });
    }
}

/// The longest IP packet that we send: every link takes it (RFC 8200, 5).
const LONGEST: usize = 1280;

/// A frame of IGMP or MLD that a host sends.
pub struct MembershipFrame {
    bytes: [u8; ETHERNET_HEADER + LONGEST],
    length: usize,
}

impl MembershipFrame {
    /// A report of IGMPv3 or MLDv2, as the records' groups are IPv4 or IPv6, from a port's MAC and an address on it, with as many of `records`
    /// as an IP packet of `mtu` bytes takes; and how many those are.
    pub fn report(from: ([u8; 6], IpAddr), mtu: u16, records: &[MembershipRecord]) -> (Self, usize) {
        let before = if from.1.is_ipv4() { igmp::BEFORE_RECORDS } else { mld::BEFORE_RECORDS };
        let mut left = usize::from(mtu).min(LONGEST).saturating_sub(before);
        let fits = |record: &&MembershipRecord| {
            let rest = left.checked_sub(record.length());
            left = rest.unwrap_or(0);
            rest.is_some()
        };
        let count = records.iter().take_while(fits).count();
        let records = &records[..count];
        let frame = Self::new(from, |message| {
            message.put(&match from.1 {
                IpAddr::V4(_) => [igmp::REPORT_V3, 0, 0, 0, 0, 0],
                IpAddr::V6(_) => [mld::REPORT_V2, 0, 0, 0, 0, 0],
            });
            message.put(&(count as u16).to_be_bytes());
            records.iter().for_each(|record| record.write(|bytes| message.put(bytes)));
            match from.1 {
                IpAddr::V4(_) => igmp::ALL_REPORTS.into(),
                IpAddr::V6(_) => mld::ALL_REPORTS.into(),
            }
        });
        (frame, count)
    }

    /// The report of one group by a protocol without records.
    pub fn old_report(protocol: MembershipProtocol, from: ([u8; 6], IpAddr), group: IpAddr) -> Self {
        let kind = match (protocol, group) {
            (MembershipProtocol::Igmp1, _) => igmp::REPORT_V1,
            (_, IpAddr::V4(_)) => igmp::REPORT_V2,
            (_, IpAddr::V6(_)) => mld::REPORT_V1,
        };
        Self::about(from, kind, group, group)
    }

    /// Says by IGMPv2 or MLDv1 that a group is left.
    pub fn leave(from: ([u8; 6], IpAddr), group: IpAddr) -> Self {
        match group {
            IpAddr::V4(_) => Self::about(from, igmp::LEAVE, group, igmp::ALL_ROUTERS.into()),
            IpAddr::V6(_) => Self::about(from, mld::DONE, group, mld::ALL_ROUTERS.into()),
        }
    }

    fn about(from: ([u8; 6], IpAddr), kind: u8, group: IpAddr, to: IpAddr) -> Self {
        Self::new(from, |message| {
            match group {
                IpAddr::V4(ip) => [&[kind, 0, 0, 0][..], &ip.octets()].into_iter().for_each(|bytes| message.put(bytes)),
                IpAddr::V6(ip) => {
                    [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &ip.octets()].into_iter().for_each(|bytes| message.put(bytes));
                }
            }
            to
        })
    }

    /// The frame around the message that `write` writes; what it returns is where the packet goes.
    fn new((mac, source): ([u8; 6], IpAddr), write: impl FnOnce(&mut Message<'_>) -> IpAddr) -> Self {
        let mut frame = Self { bytes: [0; ETHERNET_HEADER + LONGEST], length: 0 };
        let start = ETHERNET_HEADER + if source.is_ipv4() { igmp::BEFORE } else { mld::BEFORE };
        let mut message = Message { room: &mut frame.bytes[start..], length: 0 };
        let to = write(&mut message);
        let length = message.length;
        let ether_type = if source.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
        let packet = &mut frame.bytes[ETHERNET_HEADER..start + length];
        match (source, to) {
            (IpAddr::V4(source), IpAddr::V4(to)) => igmp::finish(packet, source, to),
            (IpAddr::V6(source), IpAddr::V6(to)) => mld::finish(packet, source, to),
            _ => {}
        }
        let ethernet = EthernetHeader { destination: multicast_mac(to), source: mac, ether_type: ether_type.into() };
        frame.bytes[..ETHERNET_HEADER].copy_from_slice(ethernet.as_bytes());
        frame.length = start + length;
        frame
    }

    /// The frame.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A message that is being written.
struct Message<'a> {
    room: &'a mut [u8],
    length: usize,
}

impl Message<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.room.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests;
