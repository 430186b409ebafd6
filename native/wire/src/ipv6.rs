//! IPv6 (RFC 8200).
//!
//! ```text
//! | version:4 class:8 flow label:20 | payload length | next header | hop limit | source (16) | destination (16) |
//! ```

use core::net::Ipv6Addr;
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length of an IPv6 header without extension headers, bytes.
pub const IPV6_HEADER: usize = 40;

/// The fixed part of an IPv6 header.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Ipv6Header {
    /// Version (4 bits), traffic class (8; DSCP and ECN), flow label (20).
    pub version_class_flow: U32,
    /// Length of what follows this header, bytes.
    pub payload_length: U16,
    /// Protocol of the payload, or an extension header.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub source: [u8; 16],
    /// Destination address.
    pub destination: [u8; 16],
}

impl Ipv6Header {
    /// The extension headers that may stand where a protocol does (RFC 8200, 4; RFC 7045, 4): hop-by-hop, routing, fragment, ESP, AH,
    /// destination options, mobility, HIP, shim6, and two for experiments.
    const EXTENSIONS: [u8; 11] = [Self::HOP_BY_HOP, 43, Self::FRAGMENT, 50, 51, 60, 135, 139, 140, 253, 254];
    /// The extension header that every router looks at (RFC 8200, 4.3).
    pub const HOP_BY_HOP: u8 = 0;
    /// The extension header of a fragment (RFC 8200, 4.5).
    pub const FRAGMENT: u8 = 44;

    /// The header of a packet of `payload_length` bytes, of traffic class 0 and without a flow label.
    pub fn new(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, hop_limit: u8, payload_length: u16) -> Self {
        Self {
            version_class_flow: (6 << 28).into(),
            payload_length: payload_length.into(),
            next_header,
            hop_limit,
            source: source.octets(),
            destination: destination.octets(),
        }
    }

    /// Whether `protocol` is an extension header that says its own length in units of 8 bytes (RFC 6564, 4): not that of a fragment, nor AH, and
    /// behind ESP nobody sees anything.
    #[inline]
    pub const fn has_length(protocol: u8) -> bool {
        matches!(protocol, 0 | 43 | 60 | 135 | 139 | 140 | 253 | 254)
    }

    /// Whether the version is 6.
    #[inline]
    pub fn is_version_6(&self) -> bool {
        self.version_class_flow.get() >> 28 == 6
    }

    /// DSCP (6 bits) and ECN (2 bits).
    #[inline]
    pub fn traffic_class(&self) -> u8 {
        (self.version_class_flow.get() >> 20) as u8
    }

    /// Whether what follows is an extension header.
    #[inline]
    pub fn has_extension(&self) -> bool {
        Self::EXTENSIONS.contains(&self.next_header)
    }

    /// Source address.
    #[inline]
    pub fn source_ip(&self) -> Ipv6Addr {
        self.source.into()
    }

    /// Destination address.
    #[inline]
    pub fn destination_ip(&self) -> Ipv6Addr {
        self.destination.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_are_those_of_rfc_8200() {
        let header = Ipv6Header::new("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), 17, 64, 300);
        let bytes = header.as_bytes();
        assert_eq!(bytes[..8], [0x60, 0, 0, 0, 1, 44, 17, 64]);
        assert_eq!(bytes[8..12], [0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!((bytes[23], bytes[39]), (1, 2));
        assert!(header.is_version_6());
        assert!(!header.has_extension());
    }

    #[test]
    fn extensions_are_told_from_protocols() {
        let mut header = Ipv6Header::read_from_bytes(&[0; IPV6_HEADER]).unwrap();
        for (next, extension) in [(0, true), (6, false), (17, false), (44, true), (58, false), (59, false), (60, true)]
        {
            header.next_header = next;
            assert_eq!(header.has_extension(), extension, "{next}");
        }
        assert!(!header.is_version_6());
    }

    proptest! {
        #[test]
        fn the_traffic_class_lies_between_version_and_flow_label(class in any::<u8>(), flow in 0u32..1 << 20) {
            let mut header = Ipv6Header::new(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, 17, 1, 0);
            header.version_class_flow = (6 << 28 | u32::from(class) << 20 | flow).into();
            prop_assert_eq!(header.traffic_class(), class);
            prop_assert!(header.is_version_6());
        }
    }
}
