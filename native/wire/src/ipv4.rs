//! IPv4 (RFC 791), and what the length field of an IP packet claims.

use core::net::Ipv4Addr;
use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{fold, sum};
use crate::ethernet::EtherType;

/// Length of an IPv4 header without options, bytes.
pub const IPV4_HEADER: usize = 20;

/// IP protocol numbers that the data plane knows.
pub struct Protocol;

impl Protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IGMP.
    pub const IGMP: u8 = 2;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// AH.
    pub const AH: u8 = 51;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDP_LITE: u8 = 136;

    /// Whether it begins with a source and a destination port.
    #[inline]
    pub const fn has_ports(protocol: u8) -> bool {
        matches!(protocol, Self::TCP | Self::UDP | Self::DCCP | Self::SCTP | Self::UDP_LITE)
    }
}

/// The fixed part of an IPv4 header.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Ipv4Header {
    /// Version (4 bits) and header length in words (4 bits).
    pub version_ihl: u8,
    /// DSCP (6 bits) and ECN (2 bits).
    pub tos: u8,
    /// Length of header and payload, bytes.
    pub total_length: U16,
    /// Identification.
    pub identification: U16,
    /// Reserved, DF, MF, and the fragment offset in 8-byte units.
    pub flags_fragment: U16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Header checksum.
    pub checksum: U16,
    /// Source address.
    pub source: [u8; 4],
    /// Destination address.
    pub destination: [u8; 4],
}

impl Ipv4Header {
    /// Do not fragment.
    pub const DF: u16 = 0x4000;

    /// Whether the packet is a fragment: MF set or an offset.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.flags_fragment.get() & 0x3fff != 0
    }

    /// Whether the header has options.
    #[inline]
    pub fn has_options(&self) -> bool {
        self.version_ihl != 0x45
    }

    /// Source address.
    #[inline]
    pub fn source_ip(&self) -> Ipv4Addr {
        self.source.into()
    }

    /// Destination address.
    #[inline]
    pub fn destination_ip(&self) -> Ipv4Addr {
        self.destination.into()
    }

    /// Whether the header checksum (of a header without options) is right.
    #[inline]
    pub fn checksum_ok(&self) -> bool {
        // Whether a sum is all ones does not depend on the order of bytes (RFC 1071, 2(B)).
        let mut sum = 0;
        for word in self.as_bytes().as_chunks::<4>().0 {
            sum += u64::from(u32::from_ne_bytes(*word));
        }
        all_ones(sum)
    }

    /// Computes and stores the header checksum.
    #[inline]
    pub fn fill_checksum(&mut self) {
        self.checksum = 0.into();
        self.checksum = (!fold(sum(self.as_bytes(), 0))).into();
    }
}

/// Whether a sum of words folds to all ones, that is, whether it is a multiple of 0xffff and not 0. Since 0xffff times `ONES` is -1, what is
/// the `n`-th multiple times `ONES` is -n, and what is none gives a number that is no such small one's.
#[inline(always)]
fn all_ones(sum: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xffff;
    !sum.wrapping_mul(ONES) < ONES
}

/// How many bytes after the EtherType an IP packet claims to have, by its own length field: the shortest payload that can hold it.
/// `None` when `payload` is not IP or is too short to say. A frame may be longer (Ethernet padding), never shorter.
#[inline]
pub fn claimed_ip_length(ether_type: u16, payload: &[u8]) -> Option<usize> {
    match ether_type {
        EtherType::IPV4 if payload.len() >= IPV4_HEADER => {
            Some(usize::from(u16::from_be_bytes([payload[2], payload[3]])))
        }
        EtherType::IPV6 if payload.len() >= 40 => Some(40 + usize::from(u16::from_be_bytes([payload[4], payload[5]]))),
        EtherType::IPV4 => Some(IPV4_HEADER),
        EtherType::IPV6 => Some(40),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_checksum_verifies_and_any_flipped_bit_breaks_it() {
        let mut header = Ipv4Header {
            version_ihl: 0x45,
            tos: 0,
            total_length: 84.into(),
            identification: 7.into(),
            flags_fragment: Ipv4Header::DF.into(),
            ttl: 64,
            protocol: Protocol::ICMP,
            checksum: 0.into(),
            source: [192, 0, 2, 1],
            destination: [192, 0, 2, 2],
        };
        header.fill_checksum();
        assert!(header.checksum_ok());
        for bit in 0..160 {
            let mut bytes = [0; IPV4_HEADER];
            bytes.copy_from_slice(header.as_bytes());
            bytes[bit / 8] ^= 1 << (bit % 8);
            let broken = Ipv4Header::read_from_bytes(&bytes).unwrap();
            assert!(!broken.checksum_ok(), "bit {bit}");
        }
    }

    proptest::proptest! {
        #[test]
        fn all_ones_is_what_folding_says(sum in 0..u64::MAX, multiple in 0..u64::MAX / 0xffff, off in 0u64..3) {
            for sum in [sum, multiple * 0xffff + off, off, sum >> 30] {
                proptest::prop_assert_eq!(all_ones(sum), fold(sum) == 0xffff);
            }
        }
    }

    #[test]
    fn fragments_are_told_by_mf_or_offset_not_by_df() {
        let mut header = Ipv4Header::read_from_bytes(&[0; 20]).unwrap();
        for (flags, fragment) in [(0, false), (0x4000, false), (0x2000, true), (0x0001, true), (0x4001, true)] {
            header.flags_fragment = flags.into();
            assert_eq!(header.is_fragment(), fragment, "{flags:#x}");
        }
    }

    #[test]
    fn claimed_length_is_at_least_a_header() {
        assert_eq!(claimed_ip_length(EtherType::IPV4, &[0x45, 0, 0]), Some(20));
        assert_eq!(claimed_ip_length(EtherType::IPV6, &[0x60; 39]), Some(40));
        assert_eq!(claimed_ip_length(EtherType::ARP, &[0; 28]), None);
        let mut ipv4 = [0; 20];
        ipv4[2..4].copy_from_slice(&1500u16.to_be_bytes());
        assert_eq!(claimed_ip_length(EtherType::IPV4, &ipv4), Some(1500));
    }
}
