//! Ethernet and VLAN tags (IEEE 802.3; 802.1Q, 9.6).
//!
//! ```text
//! | destination (6) | source (6) | [ TPID (2) | PCP:3 DEI:1 VID:12 ]* | EtherType (2) | payload
//! ```

use types::MacBits;
use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length of an untagged Ethernet header, bytes.
pub const ETHERNET_HEADER: usize = 14;
/// The shortest frame that Ethernet carries, bytes without FCS (802.3, 3.2.8).
pub const SHORTEST_FRAME: usize = 60;
/// Length of one VLAN tag, bytes.
pub const VLAN_TAG: usize = 4;

/// EtherTypes that the data plane knows.
pub struct EtherType;

impl EtherType {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// C-TAG.
    pub const C_TAG: u16 = 0x8100;
    /// S-TAG.
    pub const S_TAG: u16 = 0x88a8;
    /// LLDP (802.1AB).
    pub const LLDP: u16 = 0x88cc;
    /// ECP (802.1Q, clause 43).
    pub const ECP: u16 = 0x8940;

    /// Whether this EtherType is the TPID of a VLAN tag.
    #[inline]
    pub const fn is_tag(value: u16) -> bool {
        value == Self::C_TAG || value == Self::S_TAG
    }
}

/// The first 14 bytes of a frame.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct EthernetHeader {
    /// Destination MAC.
    pub destination: [u8; 6],
    /// Source MAC.
    pub source: [u8; 6],
    /// EtherType, or the TPID of the outermost tag.
    pub ether_type: U16,
}

/// The MACs that a frame begins with, destination and source, as integers: two loads, where their bytes take six.
#[inline(always)]
pub fn macs(start: &[u8; ETHERNET_HEADER]) -> (MacBits, MacBits) {
    let word = |at: usize| start[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    (MacBits::new(word(0) >> 16), MacBits::new(word(4)))
}

/// What follows a TPID: PCP, DEI, VID, and the next EtherType.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct VlanTag {
    /// PCP (3 bits), DEI (1), VID (12).
    pub tci: U16,
    /// EtherType of what the tag precedes.
    pub ether_type: U16,
}

/// The VLAN tags at the front of a frame, two at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagStack {
    /// TPID of the outermost tag; meaningless if there is none.
    pub tpid: u16,
    /// VID of the outermost tag.
    pub vid: u16,
    /// Bytes of all of them.
    pub length: u8,
    /// What follows them.
    pub ether_type: u16,
}

impl TagStack {
    /// Reads the tags from an EtherType and what is behind it; `None` if the frame ends within a tag.
    #[inline]
    pub fn parse(ether_type: u16, rest: &[u8]) -> Option<Self> {
        let mut stack = Self { tpid: ether_type, vid: 0, length: 0, ether_type };
        if EtherType::is_tag(ether_type) {
            let (outer, rest) = VlanTag::ref_from_prefix(rest).ok()?;
            (stack.vid, stack.length, stack.ether_type) = (outer.vid(), VLAN_TAG as u8, outer.ether_type.get());
            if EtherType::is_tag(stack.ether_type) {
                let (inner, _) = VlanTag::ref_from_prefix(rest).ok()?;
                (stack.length, stack.ether_type) = (2 * VLAN_TAG as u8, inner.ether_type.get());
            }
        }
        Some(stack)
    }
}

impl VlanTag {
    /// The raw VID, 0 to 4095.
    #[inline]
    pub fn vid(&self) -> u16 {
        self.tci.get() & 0x0fff
    }
}
