//! A tenant's frame as policy reads it: once, to its last header, and believing nothing.

use tables::{AclKey, Layer4};
use types::MacAddr;
use wire::{ETHERNET_HEADER, EtherType, Protocol, TagStack, UpperLayer};

const MACS: usize = 12;
/// The bytes of TCP's header up to its flags.
const TCP: usize = 14;
/// LLC and SNAP (IEEE 802, 9; RFC 1042): behind an 802.3 length, before an EtherType. Of the second kind (802.1H) are those that Ethernet had first.
const SNAP: [[u8; 6]; 2] = [[0xaa, 0xaa, 3, 0, 0, 0], [0xaa, 0xaa, 3, 0, 0, 0xf8]];
/// What is below is a length.
const FIRST_ETHER_TYPE: u16 = 0x600;

/// A frame inside the VN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantFrame<'f> {
    /// Destination MAC.
    pub destination: MacAddr,
    /// Source MAC.
    pub source: MacAddr,
    /// What is behind all tags.
    pub ether_type: u16,
    /// VID of the outermost tag.
    pub vid: Option<u16>,
    /// What is behind the EtherType.
    pub payload: &'f [u8],
}

impl<'f> TenantFrame<'f> {
    /// Reads `frame` without the first `strip` bytes behind its MACs; `None` if it ends within its tags, or has more than two: behind those
    /// anything could hide.
    #[inline]
    pub fn read(frame: &'f [u8], strip: u8) -> Option<Self> {
        let (macs, _) = frame.split_first_chunk::<MACS>()?;
        let (ether_type, rest) = frame.get(MACS + usize::from(strip)..)?.split_first_chunk::<2>()?;
        let tags = TagStack::parse(u16::from_be_bytes(*ether_type), rest)?;
        let vid = (tags.length != 0).then_some(tags.vid);
        let mac = |at: usize| macs[at..].first_chunk().map_or_else(MacAddr::default, |mac| MacAddr(*mac));
        let (ether_type, payload) = behind_llc(tags.ether_type, rest.get(usize::from(tags.length)..)?)?;
        Some(Self { destination: mac(0), source: mac(6), ether_type, vid, payload })
    }

    /// What the IP packet in it carries; `None` if it is none, or one whose headers are wrong or not all there.
    #[inline]
    pub fn upper_layer(&self) -> Option<UpperLayer<'f>> {
        match self.ether_type {
            EtherType::IPV4 => UpperLayer::of_ipv4(self.payload),
            EtherType::IPV6 => UpperLayer::of_ipv6(self.payload),
            _ => None,
        }
    }

    /// Whether it is IP of either version.
    #[inline]
    pub fn is_ip(&self) -> bool {
        matches!(self.ether_type, EtherType::IPV4 | EtherType::IPV6)
    }
}

/// The EtherType of a frame that has a length in its place, and what is behind it: its receiver looks there, too.
#[inline]
fn behind_llc(ether_type: u16, payload: &[u8]) -> Option<(u16, &[u8])> {
    let found = match payload.split_first_chunk::<8>() {
        Some(([llc @ .., high, low], behind))
            if ether_type < FIRST_ETHER_TYPE && SNAP.iter().any(|snap| snap == llc) =>
        {
            (u16::from_be_bytes([*high, *low]), behind)
        }
        _ => (ether_type, payload),
    };
    (!EtherType::is_tag(found.0)).then_some(found)
}

/// All that an access list can ask of `frame`, without the first `strip` bytes behind its MACs; `None` if that cannot be known.
#[inline]
pub fn acl_key(frame: &[u8], strip: u8) -> Option<AclKey> {
    debug_assert!(frame.len() >= ETHERNET_HEADER);
    let frame = TenantFrame::read(frame, strip)?;
    let key = AclKey::new(frame.destination, frame.source, frame.ether_type, frame.vid);
    if !frame.is_ip() {
        return Some(key);
    }
    let upper = frame.upper_layer()?;
    Some(key.with_ip(upper.source, upper.destination, upper.protocol, layer_4(&upper)?))
}

/// Ports, flags, type: `Some(None)` where there are none, `None` where there should be.
#[inline]
fn layer_4(upper: &UpperLayer<'_>) -> Option<Option<Layer4>> {
    let UpperLayer { protocol, fragment_offset, payload, .. } = *upper;
    if fragment_offset != 0 {
        // One that begins behind 8 bytes of TCP's header overwrites its flags in many a receiver (RFC 3128).
        return (protocol != Protocol::TCP || fragment_offset > 1).then_some(None);
    }
    let word = |at: usize| payload.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    let found = match protocol {
        Protocol::TCP => {
            let tcp_flags = *payload.get(TCP - 1)?;
            Layer4 { source: word(0)?, destination: word(2)?, tcp_flags }
        }
        Protocol::ICMP | Protocol::ICMPV6 => Layer4 { source: word(0)?, ..Layer4::default() },
        protocol if Protocol::has_ports(protocol) => {
            Layer4 { source: word(0)?, destination: word(2)?, ..Layer4::default() }
        }
        _ => return Some(None),
    };
    Some(Some(found))
}
