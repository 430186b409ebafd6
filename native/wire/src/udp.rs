//! UDP (RFC 768).

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{fold, sum};
use crate::ipv4::{Ipv4Header, Protocol};

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
    /// Whether the checksum of `datagram` (header and payload, exactly as long as the length field says) is right. A checksum of 0 is
    /// none, and always right (RFC 7348, 5: it must be accepted).
    #[inline]
    pub fn checksum_ok(ip: &Ipv4Header, datagram: &[u8]) -> bool {
        let Ok((header, _)) = Self::ref_from_prefix(datagram) else { return false };
        header.checksum.get() == 0 || Self::sums_up(ip, datagram)
    }

    fn sums_up(ip: &Ipv4Header, datagram: &[u8]) -> bool {
        let pseudo = sum(&ip.source, 0) + sum(&ip.destination, 0) + u64::from(Protocol::UDP) + datagram.len() as u64;
        fold(sum(datagram, pseudo)) == 0xffff
    }
}
