//! What is behind an IP header: the upper-layer protocol, past IPv4's options and IPv6's extension headers.

use crate::ipv4::{IPV4_HEADER, Protocol};
use crate::ipv6::{IPV6_HEADER, Ipv6Header};

/// The most extension headers that are followed; real packets have one or two.
const EXTENSIONS: usize = 8;

/// An IP packet as its receiver sees it: addresses, and what it carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpperLayer<'p> {
    /// Source address; of IPv4 in the last 32 bits.
    pub source: u128,
    /// Destination address, likewise.
    pub destination: u128,
    /// The protocol; of an IPv6 packet without any 59, of a later fragment what its fragment header says.
    pub protocol: u8,
    /// Where in its datagram a fragment begins, in 8 bytes; 0 for a first fragment and for what is none.
    pub fragment_offset: u16,
    /// What follows the headers, up to the packet's own length.
    pub payload: &'p [u8],
}

impl<'p> UpperLayer<'p> {
    /// Of an IPv4 packet; `None` if its header is wrong or not all there.
    #[inline]
    pub fn of_ipv4(packet: &'p [u8]) -> Option<Self> {
        let header = packet.first_chunk::<IPV4_HEADER>()?;
        let length = usize::from(header[0] & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] >> 4 != 4 || length < IPV4_HEADER {
            return None;
        }
        let address =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]).into();
        Some(Self {
            source: address(12),
            destination: address(16),
            protocol: header[9],
            fragment_offset: u16::from_be_bytes([header[6], header[7]]) & 0x1fff,
            payload: packet.get(length..total)?,
        })
    }

    /// Of an IPv6 packet; `None` if its header is wrong, or its chain of headers is longer than the packet or than any real one (RFC 7112).
    #[inline]
    pub fn of_ipv6(packet: &'p [u8]) -> Option<Self> {
        let header = packet.first_chunk::<IPV6_HEADER>()?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let payload = packet.get(IPV6_HEADER..IPV6_HEADER + length)?;
        let address = |at: usize| header[at..].first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
        let first =
            Self { source: address(8), destination: address(24), protocol: header[6], fragment_offset: 0, payload };
        if header[0] >> 4 == 6 { first.behind_extensions() } else { None }
    }

    /// RFC 8200, 4: every extension header begins with what follows it, and, but for that of a fragment, its own length.
    #[inline]
    fn behind_extensions(mut self) -> Option<Self> {
        for _ in 0..=EXTENSIONS {
            let length = match self.protocol {
                Ipv6Header::FRAGMENT => 8,
                // AH counts in 4 bytes, and less 2 of them (RFC 4302, 2.2).
                Protocol::AH => (usize::from(*self.payload.get(1)?) + 2) * 4,
                protocol if Ipv6Header::has_length(protocol) => (usize::from(*self.payload.get(1)?) + 1) * 8,
                _ => return Some(self),
            };
            let (extension, behind) = self.payload.split_at_checked(length)?;
            if self.protocol == Ipv6Header::FRAGMENT {
                self.fragment_offset = u16::from_be_bytes([extension[2], extension[3]]) >> 3;
            }
            (self.protocol, self.payload) = (extension[0], behind);
            if self.fragment_offset != 0 {
                return Some(self);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ipv4(options: usize, flags: u16, payload: &[u8]) -> Vec<u8> {
        let length = 20 + 4 * options;
        let mut packet = vec![0x40 | (length / 4) as u8, 0];
        packet.extend_from_slice(&((length + payload.len()) as u16).to_be_bytes());
        packet.extend_from_slice(&[0, 1]);
        packet.extend_from_slice(&flags.to_be_bytes());
        packet.extend_from_slice(&[64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        packet.resize(length, 1);
        [&packet[..], payload].concat()
    }

    fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u16).to_be_bytes();
        [&[0x60, 0, 0, 0, length[0], length[1], next_header, 64][..], &[1; 16], &[2; 16], payload].concat()
    }

    #[test]
    fn ipv4_ends_where_it_says_and_options_are_passed() {
        for options in [0, 1, 10] {
            let packet = [&ipv4(options, 0x4000, b"payload")[..], b"padding"].concat();
            let upper = UpperLayer::of_ipv4(&packet).unwrap();
            assert_eq!((upper.source, upper.destination), (0x0a00_0001, 0x0a00_0002));
            assert_eq!((upper.protocol, upper.fragment_offset, upper.payload), (17, 0, &b"payload"[..]));
        }
        assert_eq!(UpperLayer::of_ipv4(&ipv4(0, 0x20b9, b"")).unwrap().fragment_offset, 0xb9);
        assert_eq!(UpperLayer::of_ipv4(&ipv4(0, 0x2000, b"")).unwrap().fragment_offset, 0, "the first of several");
    }

    #[test]
    fn an_ipv4_header_that_cannot_be_is_none() {
        let good = ipv4(0, 0, b"payload");
        let with = |at: usize, byte: u8| [&good[..at], &[byte], &good[at + 1..]].concat();
        for bad in [with(0, 0x65), with(0, 0x44), with(0, 0x4f), with(3, 19), with(3, 28), good[..19].to_vec()] {
            assert_eq!(UpperLayer::of_ipv4(&bad), None, "{bad:02x?}");
        }
    }

    #[test]
    fn extension_headers_are_followed_to_the_protocol() {
        let options = |next: u8| [next, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let fragment = |next: u8, offset: u16| [&[next, 0][..], &(offset << 3 | 1).to_be_bytes(), &[0; 4]].concat();
        let ah = |next: u8| [&[next, 1][..], &[0; 10]].concat();
        let chain = |payload: &[&[u8]]| payload.concat();
        for (next, payload) in [
            (6, chain(&[b"tcp"])),
            (0, chain(&[&options(6), b"tcp"])),
            (0, chain(&[&options(43), &options(60), &options(6), b"tcp"])),
            (44, chain(&[&fragment(60, 0), &options(51), &ah(6), b"tcp"])),
        ] {
            let packet = [&ipv6(next, &payload)[..], b"padding"].concat();
            let upper = UpperLayer::of_ipv6(&packet).unwrap();
            assert_eq!((upper.protocol, upper.fragment_offset, upper.payload), (6, 0, &b"tcp"[..]));
            assert_eq!((upper.source, upper.destination), (u128::from_be_bytes([1; 16]), u128::from_be_bytes([2; 16])));
        }
        let packet = ipv6(0, &chain(&[&options(44), &fragment(60, 3), b"not a header"]));
        let upper = UpperLayer::of_ipv6(&packet).unwrap();
        assert_eq!((upper.protocol, upper.fragment_offset, upper.payload), (60, 3, &b"not a header"[..]));
    }

    #[test]
    fn a_chain_that_does_not_end_is_none() {
        let link = [60u8, 0, 0, 0, 0, 0, 0, 0];
        let chain = |links: usize| ipv6(60, &[link.repeat(links - 1), [6u8, 0, 0, 0, 0, 0, 0, 0].to_vec()].concat());
        assert_eq!(UpperLayer::of_ipv6(&chain(8)).unwrap().protocol, 6);
        assert_eq!(UpperLayer::of_ipv6(&chain(9)), None, "longer than any real one");
        assert_eq!(UpperLayer::of_ipv6(&ipv6(60, &[6, 1, 0, 0, 0, 0, 0, 0])), None, "longer than the packet");
        assert_eq!(UpperLayer::of_ipv6(&ipv6(0, &[6])), None);
        let cut = ipv6(6, b"tcp");
        assert_eq!(UpperLayer::of_ipv6(&cut[..cut.len() - 1]), None);
        assert_eq!(UpperLayer::of_ipv6(&[&[0x40], &cut[1..]].concat()), None, "of another version");
    }

    proptest! {
        #[test]
        fn noise_is_read_within_its_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..100), version in 0usize..3) {
            let mut packet = bytes;
            if let Some(first) = packet.first_mut() {
                *first = [*first, 0x45, 0x60][version];
            }
            for upper in [UpperLayer::of_ipv4(&packet), UpperLayer::of_ipv6(&packet)].into_iter().flatten() {
                prop_assert!(upper.payload.len() + 20 <= packet.len());
            }
        }
    }
}
