//! ICMPv6 as far as a host on a link needs it: echo (RFC 4443, 4) and neighbour discovery (RFC 4861, 4.3, 4.4 and 7.1).
//!
//! ```text
//! | type, code, checksum | flags or reserved (4) | target (16) | options: type, length in 8 bytes, … |
//! ```

use core::net::Ipv6Addr;
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{fold, sum, update};
use crate::ethernet::{ETHERNET_HEADER, EtherType, EthernetHeader};
use crate::ipv4::Protocol;
use crate::ipv6::{IPV6_HEADER, Ipv6Header};
use crate::multicast::multicast_mac;

const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Of an advertisement: the sender answers a solicitation.
const SOLICITED: u32 = 1 << 30;
/// Of an advertisement: it replaces what is known.
const OVERRIDE: u32 = 1 << 29;
const SOURCE_LINK: u8 = 1;
const TARGET_LINK: u8 = 2;
/// What only a packet from this very link has (RFC 4861, 7.1).
const HOP_LIMIT: u8 = 255;
/// All nodes on the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The fixed part of a solicitation or an advertisement.
const ND_HEADER: usize = 24;
/// An option that holds a MAC.
const LINK_OPTION: usize = 8;

/// The group in which a host hears solicitations for its address (RFC 4291, 2.7.1).
pub fn solicited_node(ip: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(0xff02_0000_0000_0000_0000_0001_ff00_0000 | ip.to_bits() & 0xff_ffff)
}

/// Whether the checksum of a whole ICMPv6 message is right.
pub fn icmpv6_checksum_ok(ip: &Ipv6Header, message: &[u8]) -> bool {
    fold(sum(message, pseudo(ip, message.len()))) == 0xffff
}

/// The sum of the pseudo header (RFC 8200, 8.1) of a message of `length` bytes.
pub(crate) fn pseudo(ip: &Ipv6Header, length: usize) -> u64 {
    sum(&ip.source, sum(&ip.destination, u64::from(Protocol::ICMPV6) + length as u64))
}

/// Turns an echo request of a right checksum into its reply, in place; false (and untouched) if it is none. The addresses are still to be swapped,
/// which the checksum does not notice.
pub fn echo_to_reply_v6(message: &mut [u8]) -> bool {
    let [ECHO_REQUEST, 0, high, low, _, _, _, _, ..] = *message else { return false };
    let checksum = update(u16::from_be_bytes([high, low]), [ECHO_REQUEST, 0], [ECHO_REPLY, 0]);
    message[0] = ECHO_REPLY;
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    true
}

/// A solicitation or an advertisement that has passed all checks of RFC 4861, 7.1.1 and 7.1.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NdMessage {
    /// Who has the target? From nobody, while the sender makes sure that nobody has (RFC 4862, 5.4).
    Solicitation {
        /// The address that is asked for.
        target: Ipv6Addr,
        /// The sender's MAC, if it is told.
        link: Option<[u8; 6]>,
    },
    /// The target is at this MAC.
    Advertisement {
        /// The address that is told of.
        target: Ipv6Addr,
        /// Its MAC, if it is told.
        link: Option<[u8; 6]>,
        /// Whether it replaces what is known.
        replaces: bool,
    },
}

impl NdMessage {
    /// Whether `message` claims to be a solicitation or an advertisement.
    pub fn is_nd(message: &[u8]) -> bool {
        matches!(message.first(), Some(&SOLICITATION | &ADVERTISEMENT))
    }

    /// Reads a message of a right checksum; `None` if it must be ignored.
    pub fn parse(ip: &Ipv6Header, message: &[u8]) -> Option<Self> {
        let (header, options) = NdHeader::ref_from_prefix(message).ok()?;
        let target = Ipv6Addr::from(header.target);
        let (source, destination) = (ip.source_ip(), ip.destination_ip());
        if ip.hop_limit != HOP_LIMIT || header.code != 0 || target.is_multicast() {
            return None;
        }
        let flags = header.flags.get();
        match header.kind {
            SOLICITATION => {
                let link = link_option(options, SOURCE_LINK)?;
                let from_nobody = source.is_unspecified();
                let to_nodes = destination == solicited_node(target);
                (!from_nobody || to_nodes && link.is_none()).then_some(Self::Solicitation { target, link })
            }
            ADVERTISEMENT => {
                let link = link_option(options, TARGET_LINK)?;
                let to_all_as_answer = destination.is_multicast() && flags & SOLICITED != 0;
                let replaces = flags & OVERRIDE != 0;
                (!to_all_as_answer).then_some(Self::Advertisement { target, link, replaces })
            }
            _ => None,
        }
    }
}

/// The MAC in the option of this type, if there is one; `None` if an option has no length or is longer than the message.
fn link_option(mut options: &[u8], kind: u8) -> Option<Option<[u8; 6]>> {
    let mut found = None;
    while let [this, length, ..] = *options {
        let length = usize::from(length) * 8;
        if length == 0 || length > options.len() {
            return None;
        }
        if this == kind && length == LINK_OPTION {
            found = options[2..].first_chunk().copied();
        }
        options = &options[length..];
    }
    options.is_empty().then_some(found)
}

/// The fixed part of a solicitation or an advertisement.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
struct NdHeader {
    kind: u8,
    code: u8,
    checksum: U16,
    flags: U32,
    target: [u8; 16],
}

/// A frame with a solicitation or an advertisement of ours.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct NdFrame {
    ethernet: EthernetHeader,
    ip: Ipv6Header,
    message: NdHeader,
    option: [u8; LINK_OPTION],
}

impl NdFrame {
    /// Length of the longest, bytes.
    pub const LENGTH: usize = ETHERNET_HEADER + IPV6_HEADER + ND_HEADER + LINK_OPTION;

    /// Asks who has `target`: everybody who may, or at `to` whoever had it last (RFC 4861, 7.2.2 and 7.3.3).
    pub fn solicitation(source: ([u8; 6], Ipv6Addr), target: Ipv6Addr, to: Option<[u8; 6]>) -> Self {
        let group = solicited_node(target);
        let destination = to.map_or((multicast_mac(group), group), |mac| (mac, target));
        Self::new(source, destination, (SOLICITATION, 0), target, Some(SOURCE_LINK))
    }

    /// Asks whether anybody has `target` already, which is to be ours (RFC 4862, 5.4.2).
    pub fn probe(mac: [u8; 6], target: Ipv6Addr) -> Self {
        let group = solicited_node(target);
        Self::new((mac, Ipv6Addr::UNSPECIFIED), (multicast_mac(group), group), (SOLICITATION, 0), target, None)
    }

    /// Answers a solicitation for `source`; one from nobody is answered to all (RFC 4861, 7.2.4).
    pub fn advertisement(source: ([u8; 6], Ipv6Addr), destination: ([u8; 6], Ipv6Addr)) -> Self {
        let (destination, flags) = match destination.1.is_unspecified() {
            true => ((multicast_mac(ALL_NODES), ALL_NODES), OVERRIDE),
            false => (destination, OVERRIDE | SOLICITED),
        };
        Self::new(source, destination, (ADVERTISEMENT, flags), source.1, Some(TARGET_LINK))
    }

    fn new(
        source: ([u8; 6], Ipv6Addr),
        destination: ([u8; 6], Ipv6Addr),
        (kind, flags): (u8, u32),
        target: Ipv6Addr,
        option: Option<u8>,
    ) -> Self {
        let length = ND_HEADER + if option.is_some() { LINK_OPTION } else { 0 };
        let [a, b, c, d, e, f] = source.0;
        let ethernet =
            EthernetHeader { destination: destination.0, source: source.0, ether_type: EtherType::IPV6.into() };
        let message = NdHeader { kind, code: 0, checksum: 0.into(), flags: flags.into(), target: target.octets() };
        let ip = Ipv6Header::new(source.1, destination.1, Protocol::ICMPV6, HOP_LIMIT, length as u16);
        let option = option.map_or([0; LINK_OPTION], |option| [option, 1, a, b, c, d, e, f]);
        let mut frame = Self { ethernet, ip, message, option };
        let message = &frame.as_bytes()[ETHERNET_HEADER + IPV6_HEADER..];
        frame.message.checksum = (!fold(sum(message, pseudo(&frame.ip, length)))).into();
        frame
    }

    /// The frame.
    pub fn bytes(&self) -> &[u8] {
        &self.as_bytes()[..ETHERNET_HEADER + IPV6_HEADER + usize::from(self.ip.payload_length.get())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const THERE: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn address(host: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0xabcd, host)
    }

    fn parts(frame: &[u8]) -> (Ipv6Header, Vec<u8>) {
        (*Ipv6Header::ref_from_prefix(&frame[14..]).unwrap().0, frame[54..].to_vec())
    }

    /// Mends the checksum of a changed message and reads it.
    fn read((mut ip, mut message): (Ipv6Header, Vec<u8>)) -> Option<NdMessage> {
        ip.payload_length = (message.len() as u16).into();
        if message.len() >= 4 {
            message[2..4].copy_from_slice(&[0, 0]);
            let checksum = !fold(sum(&message, pseudo(&ip, message.len())));
            message[2..4].copy_from_slice(&checksum.to_be_bytes());
        }
        assert!(message.len() < 4 || icmpv6_checksum_ok(&ip, &message));
        NdMessage::parse(&ip, &message)
    }

    #[test]
    fn what_we_emit_is_what_the_rfcs_say() {
        let ask = NdFrame::solicitation((MAC, address(1)), address(0x1234), None);
        assert_eq!(ask.bytes()[..6], [0x33, 0x33, 0xff, 0xcd, 0x12, 0x34]);
        let (ip, message) = parts(ask.bytes());
        assert_eq!((ip.hop_limit, ip.destination_ip().to_string().as_str()), (255, "ff02::1:ffcd:1234"));
        assert!(icmpv6_checksum_ok(&ip, &message));
        let expected = NdMessage::Solicitation { target: address(0x1234), link: Some(MAC) };
        assert_eq!(NdMessage::parse(&ip, &message), Some(expected));

        let probe = NdFrame::probe(MAC, address(1));
        assert_eq!(probe.bytes().len(), 78, "no option");
        let (ip, message) = parts(probe.bytes());
        assert!(ip.source_ip().is_unspecified() && icmpv6_checksum_ok(&ip, &message));
        assert_eq!(NdMessage::parse(&ip, &message), Some(NdMessage::Solicitation { target: address(1), link: None }));

        let answer = NdFrame::advertisement((MAC, address(1)), (THERE, address(2)));
        let (ip, message) = parts(answer.bytes());
        assert_eq!((&answer.bytes()[..6], &message[4..8]), (&THERE[..], &[0x60, 0, 0, 0][..]));
        let told = Some(NdMessage::Advertisement { target: address(1), link: Some(MAC), replaces: true });
        assert_eq!((icmpv6_checksum_ok(&ip, &message), NdMessage::parse(&ip, &message)), (true, told));
        let to_all = NdFrame::advertisement((MAC, address(1)), (THERE, Ipv6Addr::UNSPECIFIED));
        let (ip, message) = parts(to_all.bytes());
        assert_eq!((ip.destination_ip(), &message[4..8]), (ALL_NODES, &[0x20, 0, 0, 0][..]));
        assert_eq!(NdMessage::parse(&ip, &message), told);
    }

    #[test]
    fn what_rfc_4861_says_must_be_ignored_is_ignored() {
        let ask = || parts(NdFrame::solicitation((MAC, address(1)), address(2), None).bytes());
        let probe = || parts(NdFrame::probe(MAC, address(2)).bytes());
        let answer = || parts(NdFrame::advertisement((MAC, address(1)), (THERE, address(2))).bytes());
        let with = |(mut ip, mut message): (Ipv6Header, Vec<u8>), change: fn(&mut Ipv6Header, &mut Vec<u8>)| {
            change(&mut ip, &mut message);
            (ip, message)
        };
        assert!([ask(), probe(), answer()].into_iter().all(|one| read(one).is_some()));
        let bad: [(&str, (Ipv6Header, Vec<u8>)); 11] = [
            ("from behind a router", with(ask(), |ip, _| ip.hop_limit = 254)),
            ("an answer from behind a router", with(answer(), |ip, _| ip.hop_limit = 254)),
            ("code", with(ask(), |_, message| message[1] = 1)),
            ("short", with(ask(), |_, message| message.truncate(23))),
            ("a group as target", with(ask(), |_, message| message[8] = 0xff)),
            ("an option of no length", with(ask(), |_, message| message[25] = 0)),
            ("an option beyond the end", with(answer(), |_, message| message[25] = 2)),
            ("half an option", with(answer(), |_, message| message.push(2))),
            ("from nobody to one", with(probe(), |ip, _| ip.destination = address(2).octets())),
            ("from nobody with a MAC", with(ask(), |ip, _| ip.source = [0; 16])),
            ("an answer to all", with(answer(), |ip, _| ip.destination = ALL_NODES.octets())),
        ];
        for (name, message) in bad {
            assert_eq!(read(message), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn the_reply_has_a_right_checksum(payload in proptest::collection::vec(any::<u8>(), 4..100)) {
            let mut ip = Ipv6Header::new(address(1), address(2), 58, 64, 0);
            let mut message = [&[128, 0, 0, 0], &payload[..]].concat();
            let checksum = !fold(sum(&message, pseudo(&ip, message.len())));
            message[2..4].copy_from_slice(&checksum.to_be_bytes());
            prop_assert!(echo_to_reply_v6(&mut message));
            core::mem::swap(&mut ip.source, &mut ip.destination);
            prop_assert!(icmpv6_checksum_ok(&ip, &message));
            prop_assert_eq!((message[0], &message[4..]), (129, &payload[..]));
            prop_assert!(!echo_to_reply_v6(&mut message), "a reply is no request");
        }

        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80), kind in 133u8..138) {
            let mut ip = Ipv6Header::new(address(1), address(2), 58, 255, 0);
            let _ = NdMessage::parse(&ip, &[&[kind, 0], &bytes[..]].concat());
            ip.source = [0; 16];
            let _ = NdMessage::parse(&ip, &[&[kind, 0], &bytes[..]].concat());
        }
    }
}
