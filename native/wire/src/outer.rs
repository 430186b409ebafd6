//! The outer header of a next hop: all that goes before a tenant's frame, made ready once.
//!
//! ```text
//! | Ethernet (14) | [C-TAG (4)] | IPv4 (20) or IPv6 (40) | UDP (8) | VXLAN or Geneve (8) | [Geneve options] | inner Ethernet frame …
//! ```

use core::net::IpAddr;
use types::{MacAddr, Vni};
use zerocopy::IntoBytes;

use crate::checksum::{fold, sum};
use crate::ethernet::{ETHERNET_HEADER, EtherType, EthernetHeader, VLAN_TAG, VlanTag};
use crate::geneve::{GENEVE_HEADER, GENEVE_PORT, GeneveHeader, GeneveOptions};
use crate::ipv4::{IPV4_HEADER, Ipv4Header, Protocol};
use crate::ipv6::{IPV6_HEADER, Ipv6Header};
use crate::udp::{UDP_HEADER, UdpHeader};
use crate::vxlan::{VXLAN_HEADER, VXLAN_PORT, VxlanHeader};

/// The shortest outer header, bytes: VXLAN or plain Geneve over IPv4, untagged.
pub const OUTER_MIN: usize = ETHERNET_HEADER + IPV4_HEADER + UDP_HEADER + VXLAN_HEADER;
/// The most bytes of Geneve options that we send.
pub const OPTIONS_MAX: usize = 32;
/// The longest outer header, bytes.
pub const OUTER_MAX: usize = ETHERNET_HEADER + VLAN_TAG + IPV6_HEADER + UDP_HEADER + GENEVE_HEADER + OPTIONS_MAX;

/// How a tenant's frame is carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encap {
    /// VXLAN (RFC 7348).
    Vxlan,
    /// Geneve (RFC 8926).
    Geneve,
}

impl Encap {
    /// The UDP port that it is sent to.
    pub const fn port(self) -> u16 {
        match self {
            Self::Vxlan => VXLAN_PORT,
            Self::Geneve => GENEVE_PORT,
        }
    }
}

/// What an outer header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outer<'a> {
    /// The underlay port's MAC and this NVE's address on it.
    pub source: (MacAddr, IpAddr),
    /// The neighbour's MAC and the remote NVE's address, of the same family.
    pub destination: (MacAddr, IpAddr),
    /// The C-TAG's PCP, DEI and VID, if there is a tag.
    pub tag: Option<u16>,
    /// DSCP (6 bits), and ECN (2 bits).
    pub class: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IPv4: whether routers must not fragment it.
    pub dont_fragment: bool,
    /// How the frame is carried.
    pub encap: Encap,
    /// The Context ID.
    pub vni: Vni,
    /// Geneve options, well formed ([`are_sendable`]); empty for VXLAN.
    pub options: &'a [u8],
}

/// Whether these are Geneve options that we can send: not too long, and their lengths sum up.
pub fn are_sendable(options: &[u8]) -> bool {
    options.len() <= OPTIONS_MAX && GeneveOptions(options).all(|option| option.is_some())
}

impl Outer<'_> {
    /// TTL of what we send unless told otherwise; independent of the inner one (RFC 8014, 3.1.2).
    pub const TTL: u8 = 64;

    /// An untagged header of class 0 that nobody may fragment: a VTEP must not, and nobody on the way should (RFC 7348, 4.3).
    pub fn new(source: (MacAddr, IpAddr), destination: (MacAddr, IpAddr), encap: Encap, vni: Vni) -> Self {
        let (ttl, dont_fragment) = (Self::TTL, true);
        Self { source, destination, tag: None, class: 0, ttl, dont_fragment, encap, vni, options: &[] }
    }

    /// Writes the header to the end of `room`, ready but for what depends on the frame: the lengths, the source port, the UDP checksum and
    /// the flow label are 0, and an IPv4 header's checksum is the folded sum of the header with a length and checksum of 0. Returns how many
    /// bytes it takes; `None` if the families differ or the options are not sendable.
    pub fn write(&self, room: &mut [u8; OUTER_MAX]) -> Option<usize> {
        if !are_sendable(self.options) {
            return None;
        }
        let mut end = OUTER_MAX;
        let mut before = |bytes: &[u8]| {
            let start = end - bytes.len();
            room[start..end].copy_from_slice(bytes);
            end = start;
        };
        match self.encap {
            Encap::Vxlan => before(VxlanHeader::new(self.vni).as_bytes()),
            Encap::Geneve => {
                before(self.options);
                before(GeneveHeader::new(self.vni, self.options).as_bytes());
            }
        }
        let [zero, to] = [0, self.encap.port()].map(Into::into);
        before(UdpHeader { source: zero, destination: to, length: zero, checksum: zero }.as_bytes());
        let ether_type = match (self.source.1, self.destination.1) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut ip = Ipv4Header {
                    version_ihl: 0x45,
                    tos: self.class,
                    total_length: zero,
                    // An atomic datagram needs no identification (RFC 6864, 4.1).
                    identification: zero,
                    flags_fragment: if self.dont_fragment { Ipv4Header::DF } else { 0 }.into(),
                    ttl: self.ttl,
                    protocol: Protocol::UDP,
                    checksum: zero,
                    source: source.octets(),
                    destination: destination.octets(),
                };
                ip.checksum = fold(sum(ip.as_bytes(), 0)).into();
                before(ip.as_bytes());
                EtherType::IPV4
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut ip = Ipv6Header::new(source, destination, Protocol::UDP, self.ttl, 0);
                ip.version_class_flow = (6 << 28 | u32::from(self.class) << 20).into();
                before(ip.as_bytes());
                EtherType::IPV6
            }
            _ => return None,
        };
        let tagged = self.tag.map(|tci| VlanTag { tci: tci.into(), ether_type: ether_type.into() });
        if let Some(tag) = tagged {
            before(tag.as_bytes());
        }
        let ether_type = if tagged.is_some() { EtherType::C_TAG } else { ether_type }.into();
        before(EthernetHeader { destination: self.destination.0.0, source: self.source.0.0, ether_type }.as_bytes());
        Some(OUTER_MAX - end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

    fn v4() -> Outer<'static> {
        let end = |last| (MacAddr([2, 0, 0, 0, 0, last]), IpAddr::from([192, 0, 2, last]));
        Outer::new(end(1), end(2), Encap::Vxlan, Vni::try_from(0x0012_3456).unwrap())
    }

    fn v6() -> Outer<'static> {
        let ip = |last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        Outer { source: (v4().source.0, ip(1)), destination: (v4().destination.0, ip(2)), ..v4() }
    }

    fn written(outer: &Outer<'_>) -> Vec<u8> {
        let mut room = [0xa5; OUTER_MAX];
        let length = outer.write(&mut room).unwrap();
        assert!(room[..OUTER_MAX - length].iter().all(|byte| *byte == 0xa5));
        room[OUTER_MAX - length..].to_vec()
    }

    #[test]
    fn vxlan_over_ipv4_is_as_rfc_7348_has_it() {
        // 4500 + 4000 + 4011 + c000 + 0201 + c000 + 0202 = 2_4914; folded 4916.
        let ip = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0x49, 0x16, 192, 0, 2, 1, 192, 0, 2, 2];
        let udp = [0, 0, 0x12, 0xb5, 0, 0, 0, 0];
        let vxlan = [0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0];
        let expected = [&MACS[..], &[0x08, 0x00], &ip, &udp, &vxlan].concat();
        assert_eq!(written(&v4()), expected);
        assert_eq!(expected.len(), OUTER_MIN);
    }

    #[test]
    fn tag_class_ttl_and_df_are_where_they_belong() {
        let bytes = written(&Outer { tag: Some(0xa00c), class: 0xb9, ttl: 7, dont_fragment: false, ..v4() });
        assert_eq!(bytes[12..18], [0x81, 0x00, 0xa0, 0x0c, 0x08, 0x00]);
        assert_eq!((bytes[19], &bytes[24..28], bytes.len()), (0xb9, &[0, 0, 7, 17][..], 54));
        let bytes = written(&Outer { class: 0xb9, ttl: 7, ..v6() });
        assert_eq!(bytes[12..22], [0x86, 0xdd, 0x6b, 0x90, 0, 0, 0, 0, 17, 7]);
        assert_eq!((&bytes[22..26], bytes[37], bytes[53], bytes.len()), (&[0x20, 0x01, 0x0d, 0xb8][..], 1, 2, 70));
    }

    #[test]
    fn geneve_carries_its_options_and_tells_of_a_critical_one() {
        let options = [1, 2, 0x80, 1, 9, 9, 9, 9];
        let bytes = written(&Outer { encap: Encap::Geneve, options: &options, ..v6() });
        assert_eq!(bytes[54..62], [0, 0, 0x17, 0xc1, 0, 0, 0, 0]);
        assert_eq!(bytes[62..], [&[2, 0x40, 0x65, 0x58, 0x12, 0x34, 0x56, 0][..], &options].concat());
        let longest = [0, 0, 0, 7].into_iter().chain([0; 28]).collect::<Vec<u8>>();
        let bytes = written(&Outer { encap: Encap::Geneve, options: &longest, tag: Some(1), ..v6() });
        assert_eq!(bytes.len(), OUTER_MAX);
    }

    #[test]
    fn what_cannot_be_a_header_is_refused() {
        let mut room = [0; OUTER_MAX];
        assert_eq!(Outer { destination: v6().destination, ..v4() }.write(&mut room), None);
        for options in [&[0; 36][..], &[0, 0, 0, 1][..], &[0; 3][..]] {
            assert!(!are_sendable(options));
            assert_eq!(Outer { encap: Encap::Geneve, options, ..v4() }.write(&mut room), None);
        }
    }
}
