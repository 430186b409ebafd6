//! Neighbour discovery for IPv6 over Ethernet: solicitations and advertisements (RFC 4861, 4.3 and 4.4).

use core::net::Ipv6Addr;
use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{fold, sum, verify_ones};
use crate::ipv6::Ipv6Header;

/// A neighbour solicitation or advertisement without its options.
///
/// ```text
/// | type = 135, 136 | code = 0 | checksum | R S O, reserved | target |
/// ```
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
struct Message {
    kind: u8,
    code: u8,
    checksum: U16,
    flags: u8,
    reserved: [u8; 3],
    target: [u8; 16],
}

/// A link-layer address option of Ethernet (RFC 4861, 4.6.1; RFC 2464, 6).
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
struct LinkOption {
    kind: u8,
    /// In units of 8 bytes.
    length: u8,
    mac: [u8; 6],
}

const MESSAGE: usize = 24;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK: u8 = 1;
const TARGET_LINK: u8 = 2;

/// ICMPv6 as IPv6 names it (RFC 4443, 2.1).
pub const ICMPV6: u8 = 58;
/// What neighbour discovery is sent with, so that no router can have passed it on (RFC 4861, 3.1).
pub const ND_HOP_LIMIT: u8 = 255;

/// Who has?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighbourSolicitation {
    /// The address that is asked for.
    pub target: Ipv6Addr,
    /// The asker's MAC; `None` when it tries whether an address is free (RFC 4862, 5.4.2), or knows who will answer.
    pub source_mac: Option<[u8; 6]>,
}

impl NeighbourSolicitation {
    /// Reads the ICMPv6 `message` of a packet; `None` if it is no solicitation, or one that must be discarded (RFC 4861, 7.1.1).
    pub fn parse(ip: &Ipv6Header, message: &[u8]) -> Option<Self> {
        let (header, mut options) = Message::ref_from_prefix(message).ok()?;
        let target = Ipv6Addr::from(header.target);
        let is_valid = (header.kind, header.code) == (SOLICITATION, 0)
            && ip.hop_limit == ND_HOP_LIMIT
            && !target.is_multicast()
            && verify_ones(message, pseudo_header(&ip.source, &ip.destination, message.len()));
        if !is_valid {
            return None;
        }
        let mut source_mac = None;
        while !options.is_empty() {
            let length = usize::from(*options.get(1)?) * 8;
            if length == 0 || length > options.len() {
                return None;
            }
            let (option, rest) = options.split_at(length);
            if let (SOURCE_LINK, Ok(link)) = (option[0], LinkOption::ref_from_bytes(option)) {
                source_mac = Some(link.mac);
            }
            options = rest;
        }
        // Who has no address yet has no neighbours.
        (source_mac.is_none() || !ip.source_ip().is_unspecified()).then_some(Self { target, source_mac })
    }
}

/// An advertisement, and the IPv6 header before it.
pub struct NeighbourAdvertisement {
    /// The address and who has it.
    pub target: (Ipv6Addr, [u8; 6]),
    /// Who is told.
    pub to: Ipv6Addr,
    /// R: the target is a router.
    pub router: bool,
    /// S: `to` has asked.
    pub solicited: bool,
    /// O: it replaces what is known.
    pub overrides: bool,
}

impl NeighbourAdvertisement {
    /// Bytes of the IPv6 packet.
    pub const LENGTH: usize = 40 + MESSAGE + 8;

    /// The IPv6 packet.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let (target, mac) = self.target;
        let payload = (MESSAGE + 8) as u16;
        let ip = Ipv6Header::new(target, self.to, ICMPV6, ND_HOP_LIMIT, payload);
        let flags = u8::from(self.router) << 7 | u8::from(self.solicited) << 6 | u8::from(self.overrides) << 5;
        let message = Message {
            kind: ADVERTISEMENT,
            code: 0,
            checksum: 0.into(),
            flags,
            reserved: [0; 3],
            target: target.octets(),
        };
        let option = LinkOption { kind: TARGET_LINK, length: 1, mac };
        let mut bytes = [0; Self::LENGTH];
        bytes[..40].copy_from_slice(ip.as_bytes());
        bytes[40..40 + MESSAGE].copy_from_slice(message.as_bytes());
        bytes[40 + MESSAGE..].copy_from_slice(option.as_bytes());
        let start = pseudo_header(&target.octets(), &self.to.octets(), payload.into());
        let checksum = !fold(sum(&bytes[40..], start));
        bytes[42..44].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }
}

/// What an ICMPv6 checksum covers besides the message (RFC 8200, 8.1), summed up.
fn pseudo_header(source: &[u8; 16], destination: &[u8; 16], length: usize) -> u64 {
    let mut rest = [0; 8];
    rest[..4].copy_from_slice(&(length as u32).to_be_bytes());
    rest[7] = ICMPV6;
    sum(&rest, sum(destination, sum(source, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn address(last: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)
    }

    /// A solicitation for host 2 with these options, and its IPv6 header.
    fn asking(from: Ipv6Addr, options: &[u8]) -> (Ipv6Header, Vec<u8>) {
        let to = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 2);
        let ip = Ipv6Header::new(from, to, ICMPV6, 255, (MESSAGE + options.len()) as u16);
        let mut message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &address(2).octets(), options].concat();
        let checksum = !fold(sum(&message, pseudo_header(&from.octets(), &to.octets(), message.len())));
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        (ip, message)
    }

    #[test]
    fn a_solicitation_is_read_with_its_option_and_refused_if_it_must_be_discarded() {
        let link = [1, 1, 2, 0, 0, 0, 0, 1];
        let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
        let (ip, message) = asking(address(1), &[nonce, link].concat());
        let expected = NeighbourSolicitation { target: address(2), source_mac: Some(MAC) };
        assert_eq!(NeighbourSolicitation::parse(&ip, &message), Some(expected));
        let trying = NeighbourSolicitation { target: address(2), source_mac: None };
        let (unspecified, dad) = asking(Ipv6Addr::UNSPECIFIED, &nonce);
        assert_eq!(NeighbourSolicitation::parse(&unspecified, &dad), Some(trying));

        for end in 0..message.len() {
            assert_eq!(NeighbourSolicitation::parse(&ip, &message[..end]), None, "{end} bytes");
        }
        for at in 0..message.len() {
            let mut wrong = message.clone();
            wrong[at] ^= 0x10;
            assert_eq!(NeighbourSolicitation::parse(&ip, &wrong), None, "the checksum covers byte {at}");
        }
        let routed = Ipv6Header { hop_limit: 254, ..ip };
        assert_eq!(NeighbourSolicitation::parse(&routed, &message), None);
        let (nobody, claims) = asking(Ipv6Addr::UNSPECIFIED, &link);
        assert_eq!(NeighbourSolicitation::parse(&nobody, &claims), None, "no address, but a link-layer one");
        let (endless, zero) = asking(address(1), &[1, 0, 2, 0, 0, 0, 0, 1]);
        assert_eq!(NeighbourSolicitation::parse(&endless, &zero), None, "an option of length 0");
    }

    #[test]
    fn an_advertisement_is_what_the_rfc_says_byte_for_byte() {
        let advertisement = NeighbourAdvertisement {
            target: (address(2), MAC),
            to: address(1),
            router: false,
            solicited: true,
            overrides: true,
        };
        let bytes = advertisement.to_bytes();
        assert_eq!(bytes[..8], [0x60, 0, 0, 0, 0, 32, 58, 255]);
        assert_eq!((&bytes[8..24], &bytes[24..40]), (&address(2).octets()[..], &address(1).octets()[..]));
        assert_eq!((&bytes[40..42], &bytes[44..48]), (&[136, 0][..], &[0x60, 0, 0, 0][..]));
        assert_eq!((&bytes[48..64], &bytes[64..]), (&address(2).octets()[..], &[2, 1, 2, 0, 0, 0, 0, 1][..]));
        let start = pseudo_header(&address(2).octets(), &address(1).octets(), 32);
        assert!(verify_ones(&bytes[40..], start));
    }

    proptest! {
        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..96)) {
            let (ip, _) = asking(address(1), &[]);
            let _ = NeighbourSolicitation::parse(&ip, &bytes);
        }
    }
}
