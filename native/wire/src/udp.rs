//! UDP (RFC 768).

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{fold, sum};
use crate::ipv4::Protocol;

/// Length of a UDP header, bytes.
pub const UDP_HEADER: usize = 8;

/// A UDP header.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct UdpHeader {
    /// Source port.
    pub source: U16,
    /// Destination port.
    pub destination: U16,
    /// Length of header and payload, bytes.
    pub length: U16,
    /// Checksum over pseudo header, header and payload; 0 = none (IPv4).
    pub checksum: U16,
}

impl UdpHeader {
    /// Whether the checksum of `datagram` (header and payload, exactly as long as the length field says) is right. `addresses` are the IP
    /// header's, source before destination, as they lie there: 8 or 32 bytes. A checksum of 0 is none, and is not right by itself: who may
    /// leave it out depends on the family.
    #[inline]
    pub fn checksum_ok(addresses: &[u8], datagram: &[u8]) -> bool {
        fold(sum(datagram, pseudo(addresses, datagram.len()))) == 0xffff
    }

    /// The checksum of a datagram of `length` bytes whose bytes, with a checksum field of 0, sum up to `datagram_sum`
    /// ([`sum`](crate::sum)). Never 0, which would say that there is none (RFC 768).
    #[inline]
    pub fn checksum_of(addresses: &[u8], length: usize, datagram_sum: u64) -> u16 {
        match !fold(datagram_sum + pseudo(addresses, length)) {
            0 => 0xffff,
            checksum => checksum,
        }
    }
}

/// The sum of the pseudo header; for IPv6 (RFC 8200, 8.1) it differs from IPv4's (RFC 768) by the addresses only.
fn pseudo(addresses: &[u8], length: usize) -> u64 {
    sum(addresses, u64::from(Protocol::UDP) + length as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A query of 9 bytes; the sums were done by hand.
    #[test]
    fn the_sums_are_those_of_rfc_768_and_rfc_8200() {
        let datagram = [0xc0, 0x00, 0x12, 0xb5, 0x00, 0x09, 0x00, 0x00, 0xab];
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2];
        // c000 + 12b5 + 0009 + ab00 = 17dbe; pseudo: c000 + 0201 + c000 + 0202 + 0011 + 0009 = 1841d; together 301db, folded 01de.
        assert_eq!(UdpHeader::checksum_of(&v4, 9, sum(&datagram, 0)), !0x01de);
        let mut v6 = [0; 32];
        (v6[0], v6[1], v6[15], v6[16], v6[17], v6[31]) = (0x20, 0x01, 1, 0x20, 0x01, 2);
        // 2001 + 1 + 2001 + 2 + 11 + 9 = 401f; with 17dbe 1bddd, folded bdde.
        assert_eq!(UdpHeader::checksum_of(&v6, 9, sum(&datagram, 0)), !0xbdde);
    }

    proptest! {
        #[test]
        fn what_is_made_verifies_and_any_flipped_bit_breaks_it(
            (payload, flip) in (proptest::collection::vec(any::<u8>(), 0..80), any::<usize>()),
            (addresses, is_v6) in (any::<[u8; 32]>(), any::<bool>()),
        ) {
            let addresses = if is_v6 { &addresses[..] } else { &addresses[..8] };
            let mut datagram = [&[0, 1, 0, 2, 0, payload.len() as u8 + 8, 0, 0][..], &payload].concat();
            let checksum = UdpHeader::checksum_of(addresses, datagram.len(), sum(&datagram, 0));
            prop_assert_ne!(checksum, 0);
            datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
            prop_assert!(UdpHeader::checksum_ok(addresses, &datagram));
            let flip = flip % (datagram.len() * 8);
            datagram[flip / 8] ^= 1 << (flip % 8);
            prop_assert!(!UdpHeader::checksum_ok(addresses, &datagram));
        }
    }
}
