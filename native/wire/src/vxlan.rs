//! VXLAN over IPv4 (RFC 7348, 5), and the ready-made outer header of a next hop.
//!
//! ```text
//! | Ethernet (14) | IPv4 (20) | UDP (8) | flags = 0x08, reserved (3) | VNI (3), reserved (1) | inner Ethernet frame …
//! ```

use core::net::Ipv4Addr;
use types::{MacAddr, Vni};
use zerocopy::byteorder::big_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{fold, sum};
use crate::ethernet::{ETHERNET_HEADER, EtherType, EthernetHeader};
use crate::ipv4::{IPV4_HEADER, Ipv4Header, Protocol};
use crate::udp::{UDP_HEADER, UdpHeader};

/// The UDP port of VXLAN.
pub const VXLAN_PORT: u16 = 4789;
/// Length of the VXLAN header, bytes.
pub const VXLAN_HEADER: usize = 8;
/// What VXLAN over IPv4 puts before a frame, bytes.
pub const VXLAN_OVERHEAD: usize = ETHERNET_HEADER + IPV4_HEADER + UDP_HEADER + VXLAN_HEADER;

/// A VXLAN header.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct VxlanHeader {
    /// Flags (8 bits) and reserved bits, which a receiver ignores.
    pub flags: U32,
    /// VNI (24 bits) and 8 reserved bits, which a receiver ignores.
    pub vni: U32,
}

impl VxlanHeader {
    /// The I flag: the VNI is valid.
    pub const I: u32 = 0x0800_0000;

    /// Whether the I flag is set; all other bits are ignored, as RFC 7348 asks.
    #[inline]
    pub fn is_valid(&self) -> bool {
        self.flags.get() & Self::I != 0
    }

    /// The raw VNI, 0 to 2^24 - 1.
    #[inline]
    pub fn vni(&self) -> u32 {
        self.vni.get() >> 8
    }
}

/// All that goes before a tenant's frame, ready but for lengths, source port and checksum.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct OuterHeader {
    /// Outer Ethernet.
    pub ethernet: EthernetHeader,
    /// Outer IPv4; in a template, its checksum field holds the folded sum of the header with length and checksum zero.
    pub ip: Ipv4Header,
    /// Outer UDP, checksum 0 (RFC 7348, 5: should be zero).
    pub udp: UdpHeader,
    /// VXLAN.
    pub vxlan: VxlanHeader,
}

impl OuterHeader {
    /// Time to live of what we send; independent of the inner one (RFC 8014, 3.1.2).
    pub const TTL: u8 = 64;

    /// The template of one next hop.
    pub fn template(source: (MacAddr, Ipv4Addr), destination: (MacAddr, Ipv4Addr), vni: Vni) -> Self {
        let mut ip = Ipv4Header {
            version_ihl: 0x45,
            tos: 0,
            total_length: 0.into(),
            identification: 0.into(),
            // A VTEP must not fragment, and nobody on the way should (RFC 7348, 4.3). An atomic datagram needs no
            // identification (RFC 6864, 4.1).
            flags_fragment: Ipv4Header::DF.into(),
            ttl: Self::TTL,
            protocol: Protocol::UDP,
            checksum: 0.into(),
            source: source.1.octets(),
            destination: destination.1.octets(),
        };
        ip.checksum = fold(sum(ip.as_bytes(), 0)).into();
        Self {
            ethernet: EthernetHeader {
                destination: destination.0.0,
                source: source.0.0,
                ether_type: EtherType::IPV4.into(),
            },
            ip,
            udp: UdpHeader { source: 0.into(), destination: VXLAN_PORT.into(), length: 0.into(), checksum: 0.into() },
            vxlan: VxlanHeader { flags: VxlanHeader::I.into(), vni: (vni.get() << 8).into() },
        }
    }

    /// Writes this template for an inner frame of `inner` bytes into `target`, the first 50 bytes of the outer frame.
    /// The source port is 49152 to 65535 by flow (RFC 7348, 5), so that the underlay spreads flows and keeps each in order.
    #[inline]
    pub fn emit(&self, target: &mut [u8; VXLAN_OVERHEAD], inner: usize, flow_hash: u32) {
        target.copy_from_slice(self.as_bytes());
        let udp_length = (inner + VXLAN_HEADER + UDP_HEADER) as u16;
        let total_length = udp_length + IPV4_HEADER as u16;
        let checksum = u32::from(self.ip.checksum.get()) + u32::from(total_length);
        let checksum = !((checksum & 0xffff) + (checksum >> 16)) as u16;
        let port = 0xc000 | (flow_hash >> 18) as u16;
        target[16..18].copy_from_slice(&total_length.to_be_bytes());
        target[24..26].copy_from_slice(&checksum.to_be_bytes());
        target[34..36].copy_from_slice(&port.to_be_bytes());
        target[38..40].copy_from_slice(&udp_length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template() -> OuterHeader {
        OuterHeader::template(
            (MacAddr([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(192, 0, 2, 1)),
            (MacAddr([2, 0, 0, 0, 0, 2]), Ipv4Addr::new(192, 0, 2, 2)),
            Vni::try_from(0x0012_3456).unwrap(),
        )
    }

    #[test]
    fn bytes_are_those_of_rfc_7348() {
        let mut bytes = [0; VXLAN_OVERHEAD];
        template().emit(&mut bytes, 64, 0);
        assert_eq!(&bytes[12..14], &[0x08, 0x00]);
        assert_eq!(&bytes[14..20], &[0x45, 0, 0, 100, 0, 0]);
        assert_eq!(&bytes[20..24], &[0x40, 0, 64, 17]);
        assert_eq!(&bytes[34..42], &[0xc0, 0, 0x12, 0xb5, 0, 80, 0, 0]);
        assert_eq!(&bytes[42..50], &[0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0]);
    }

    proptest! {
        #[test]
        fn emitted_headers_verify_for_every_length(inner in 14usize..9000, hash in any::<u32>()) {
            let mut bytes = [0; VXLAN_OVERHEAD];
            template().emit(&mut bytes, inner, hash);
            let outer = OuterHeader::read_from_bytes(&bytes).unwrap();
            prop_assert!(outer.ip.checksum_ok());
            prop_assert_eq!(usize::from(outer.ip.total_length.get()), inner + 36);
            prop_assert_eq!(usize::from(outer.udp.length.get()), inner + 16);
            prop_assert!(outer.udp.source.get() >= 49152);
            prop_assert!(outer.vxlan.is_valid());
            prop_assert_eq!(outer.vxlan.vni(), 0x123456);
        }
    }
}
