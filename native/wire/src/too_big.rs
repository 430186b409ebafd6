//! "Packet too big": what tells a sender of a smaller path MTU (RFC 1191, 4; RFC 4443, 3.2), built for a packet that does not fit.
//!
//! A bridge has no address in its tenant's network, so the message comes from whom the packet was for: its receiver is the one
//! address that the sender surely accepts it from.

use core::net::{Ipv4Addr, Ipv6Addr};

use zerocopy::{FromBytes, IntoBytes};

use crate::checksum::{fold, sum};
use crate::ethernet::EtherType;
use crate::ipv4::{IPV4_HEADER, Ipv4Header, Protocol};
use crate::ipv6::{IPV6_HEADER, Ipv6Header};

/// Length of an ICMP or ICMPv6 error's own header, bytes.
const ICMP_HEADER: usize = 8;
/// What goes before the quoted packet, bytes, over IPv4 and over IPv6.
pub const TOO_BIG_V4: usize = IPV4_HEADER + ICMP_HEADER;
/// See [`TOO_BIG_V4`].
pub const TOO_BIG_V6: usize = IPV6_HEADER + ICMP_HEADER;
/// The longest ICMP error (RFC 1812, 4.3.2.3), and the least MTU of IPv6, which bounds an ICMPv6 error (RFC 4443, 3.2).
const LONGEST: [usize; 2] = [576, 1280];
/// What every path of IPv4 takes: nobody is told less (RFC 791, 3.2; RFC 1191, 3).
const LEAST_V4: u16 = 68;
const TTL: u8 = 64;
/// Internetwork control (RFC 1812, 4.3.2.5).
const TOS: u8 = 0xc0;
const ICMPV6: u8 = 58;

/// The headers of the message, and how much of the packet is quoted behind them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TooBig {
    /// ICMP, type 3, code 4.
    V4 {
        /// What goes before the quote.
        headers: [u8; TOO_BIG_V4],
        /// Bytes of the packet.
        quote: usize,
    },
    /// ICMPv6, type 2.
    V6 {
        /// What goes before the quote.
        headers: [u8; TOO_BIG_V6],
        /// Bytes of the packet.
        quote: usize,
    },
}

impl TooBig {
    /// The message for an IP packet of `ether_type` that was to be at most `mtu` bytes long; `None` if nobody may be told: the packet is none
    /// of IP, may be fragmented, is itself an error, or is from or for no single station (RFC 1122, 3.2.2; RFC 4443, 2.4(e)).
    pub fn of(ether_type: u16, packet: &[u8], mtu: u16) -> Option<Self> {
        match ether_type {
            EtherType::IPV4 => v4(packet, mtu),
            EtherType::IPV6 => v6(packet, mtu),
            _ => None,
        }
    }
}

fn v4(packet: &[u8], mtu: u16) -> Option<TooBig> {
    let (ip, _) = Ipv4Header::ref_from_prefix(packet).ok()?;
    let (length, header) = (usize::from(ip.total_length.get()), usize::from(ip.version_ihl & 0x0f) * 4);
    let is_sound = ip.version_ihl >> 4 == 4 && (IPV4_HEADER..=length).contains(&header) && length <= packet.len();
    let fragment = ip.flags_fragment.get();
    if !is_sound || mtu < LEAST_V4 || fragment & 0x1fff != 0 || fragment & Ipv4Header::DF == 0 {
        return None;
    }
    let (source, destination) = (Ipv4Addr::from(ip.source), Ipv4Addr::from(ip.destination));
    if !is_station_v4(source) || !is_station_v4(destination) {
        return None;
    }
    if ip.protocol == Protocol::ICMP && !packet.get(header).is_some_and(|kind| !matches!(kind, 3 | 4 | 5 | 11 | 12)) {
        return None;
    }
    let quote = length.min(LONGEST[0] - TOO_BIG_V4);
    let mut reply = Ipv4Header {
        version_ihl: 0x45,
        tos: TOS,
        total_length: ((TOO_BIG_V4 + quote) as u16).into(),
        identification: 0.into(),
        flags_fragment: Ipv4Header::DF.into(),
        ttl: TTL,
        protocol: Protocol::ICMP,
        checksum: 0.into(),
        source: ip.destination,
        destination: ip.source,
    };
    reply.fill_checksum();
    let mut icmp = [3, 4, 0, 0, 0, 0, 0, 0];
    icmp[6..].copy_from_slice(&mtu.to_be_bytes());
    let checksum = !fold(sum(&packet[..quote], sum(&icmp, 0)));
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut headers = [0; TOO_BIG_V4];
    headers[..IPV4_HEADER].copy_from_slice(reply.as_bytes());
    headers[IPV4_HEADER..].copy_from_slice(&icmp);
    Some(TooBig::V4 { headers, quote })
}

fn is_station_v4(ip: Ipv4Addr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || ip.is_broadcast())
}

fn v6(packet: &[u8], mtu: u16) -> Option<TooBig> {
    let (ip, _) = Ipv6Header::ref_from_prefix(packet).ok()?;
    let length = IPV6_HEADER + usize::from(ip.payload_length.get());
    let (source, destination) = (ip.source_ip(), ip.destination_ip());
    let is_station = |ip: Ipv6Addr| !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast());
    // A link of IPv6 takes 1,280 bytes (RFC 8200, 5), and nobody heeds a message that says less.
    if !ip.is_version_6() || length > packet.len() || usize::from(mtu) < LONGEST[1] {
        return None;
    }
    if !is_station(source) || !is_station(destination) || is_icmpv6_error(ip.next_header, &packet[IPV6_HEADER..length])
    {
        return None;
    }
    let quote = length.min(LONGEST[1] - TOO_BIG_V6);
    let payload = (ICMP_HEADER + quote) as u16;
    let reply = Ipv6Header::new(destination, source, ICMPV6, TTL, payload);
    let mut icmp = [2, 0, 0, 0, 0, 0, 0, 0];
    icmp[6..].copy_from_slice(&mtu.to_be_bytes());
    let pseudo = sum(&source.octets(), sum(&destination.octets(), u64::from(payload) + u64::from(ICMPV6)));
    let checksum = !fold(sum(&packet[..quote], sum(&icmp, pseudo)));
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut headers = [0; TOO_BIG_V6];
    headers[..IPV6_HEADER].copy_from_slice(reply.as_bytes());
    headers[IPV6_HEADER..].copy_from_slice(&icmp);
    Some(TooBig::V6 { headers, quote })
}

/// Whether what follows is an ICMPv6 error, or may be one that cannot be seen.
fn is_icmpv6_error(mut next_header: u8, mut rest: &[u8]) -> bool {
    // More extension headers than anybody sends: what is behind them is not looked for.
    for _ in 0..8 {
        let length = match next_header {
            ICMPV6 => return rest.first().is_none_or(|kind| *kind < 128),
            // Hop-by-hop options, routing, destination options: length in words of 8 bytes behind the first (RFC 8200, 4).
            0 | 43 | 60 => rest.get(1).map_or(0, |words| (usize::from(*words) + 1) * 8),
            // A fragment that is not the first one hides what it is of.
            44 if rest.get(2..4).is_none_or(|offset| u16::from_be_bytes([offset[0], offset[1]]) & 0xfff8 != 0) => {
                return true;
            }
            44 => 8,
            _ => return false,
        };
        let Some(behind) = rest.get(length..).filter(|_| length != 0) else { return true };
        (next_header, rest) = (rest[0], behind);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::verify_ones;
    use proptest::prelude::*;

    fn udp_v4(length: usize, fragment: u16) -> Vec<u8> {
        let mut packet = vec![0x45, 0, (length >> 8) as u8, length as u8, 0, 1];
        packet.extend_from_slice(&fragment.to_be_bytes());
        packet.extend_from_slice(&[64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        packet.resize(length, 0xab);
        packet
    }

    fn udp_v6(length: usize) -> Vec<u8> {
        let payload = length - IPV6_HEADER;
        let mut packet = vec![0x60, 0, 0, 0, (payload >> 8) as u8, payload as u8, 17, 64];
        packet.extend_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        packet.extend_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        packet.resize(length, 0xab);
        packet
    }

    #[test]
    fn says_the_mtu_to_the_sender_in_the_receivers_name() {
        let packet = udp_v4(1500, Ipv4Header::DF);
        let Some(TooBig::V4 { headers, quote }) = TooBig::of(EtherType::IPV4, &packet, 1450) else { panic!() };
        assert_eq!((quote, &headers[12..20]), (548, &[10, 0, 0, 2, 10, 0, 0, 1][..]));
        assert_eq!((&headers[20..22], &headers[26..28]), (&[3, 4][..], &1450u16.to_be_bytes()[..]));
        let packet = udp_v6(1500);
        let Some(TooBig::V6 { headers, quote }) = TooBig::of(EtherType::IPV6, &packet, 1430) else { panic!() };
        assert_eq!((quote, headers[23], headers[39]), (1232, 2, 1));
        assert_eq!((&headers[40..42], &headers[46..48]), (&[2, 0][..], &1430u16.to_be_bytes()[..]));
    }

    #[test]
    fn nobody_is_told_what_must_not_be_told() {
        let told_v4 = |change: fn(&mut Vec<u8>)| {
            let mut packet = udp_v4(1500, Ipv4Header::DF);
            change(&mut packet);
            TooBig::of(EtherType::IPV4, &packet, 1450).is_some()
        };
        assert!(told_v4(|_| {}));
        let least = [67, 68].map(|mtu| TooBig::of(EtherType::IPV4, &udp_v4(1500, Ipv4Header::DF), mtu).is_some());
        assert_eq!(least, [false, true], "nobody does with less than 68");
        assert!(!told_v4(|packet| packet[6] = 0), "it may be fragmented");
        assert!(!told_v4(|packet| packet[7] = 1), "a later fragment");
        assert!(told_v4(|packet| packet[6] |= 0x20), "the first fragment");
        assert!(!told_v4(|packet| packet[12] = 224), "from a group");
        assert!(!told_v4(|packet| packet[16] = 239), "for a group");
        assert!(!told_v4(|packet| packet[16..20].fill(255)), "for everybody");
        assert!(!told_v4(|packet| packet[12..16].fill(0)), "from nobody");
        assert!(told_v4(|packet| (packet[9], packet[20]) = (1, 8)), "an echo request");
        assert!(!told_v4(|packet| (packet[9], packet[20]) = (1, 3)), "an error");
        assert!(!told_v4(|packet| packet[0] = 0x44), "no header");
        assert!(!told_v4(|packet| packet.truncate(1499)), "cut");

        let told_v6 = |mtu, change: fn(&mut Vec<u8>)| {
            let mut packet = udp_v6(1500);
            change(&mut packet);
            TooBig::of(EtherType::IPV6, &packet, mtu).is_some()
        };
        assert!(told_v6(1280, |_| {}));
        assert!(!told_v6(1279, |_| {}), "nobody heeds it");
        assert!(!told_v6(1430, |packet| packet[24] = 0xff), "for a group");
        assert!(!told_v6(1430, |packet| packet[8..24].fill(0)), "from nobody");
        assert!(told_v6(1430, |packet| (packet[6], packet[40]) = (58, 128)), "an echo request");
        assert!(!told_v6(1430, |packet| (packet[6], packet[40]) = (58, 1)), "an error");
        assert!(told_v6(1430, |packet| (packet[6], packet[40], packet[41], packet[48]) = (60, 58, 0, 128)));
        assert!(
            !told_v6(1430, |packet| (packet[6], packet[40], packet[41], packet[48]) = (60, 58, 0, 2)),
            "an error behind options"
        );
        assert!(!told_v6(1430, |packet| (packet[6], packet[42], packet[43]) = (44, 0, 8)), "a later fragment");
        assert!(!told_v6(1430, |packet| (packet[6], packet[41]) = (0, 255)), "options beyond the end");
        assert_eq!(TooBig::of(EtherType::ARP, &[0; 1500], 1450), None);
    }

    proptest! {
        #[test]
        fn checksums_are_right_and_the_length_is_bounded(length in 600usize..9000, mtu in 1280u16..9000) {
            let packet = udp_v4(length, Ipv4Header::DF);
            let Some(TooBig::V4 { headers, quote }) = TooBig::of(EtherType::IPV4, &packet, mtu) else { panic!() };
            prop_assert!(verify_ones(&headers[..20], 0));
            prop_assert!(verify_ones(&[&headers[20..], &packet[..quote]].concat(), 0));
            prop_assert!(headers.len() + quote <= 576);
            let packet = udp_v6(length);
            let Some(TooBig::V6 { headers, quote }) = TooBig::of(EtherType::IPV6, &packet, mtu) else { panic!() };
            let message = [&headers[40..], &packet[..quote]].concat();
            prop_assert!(verify_ones(&[&headers[8..40], &message[..]].concat(), message.len() as u64 + 58));
            prop_assert!(headers.len() + quote <= 1280);
        }

        #[test]
        fn noise_never_panics(packet in proptest::collection::vec(any::<u8>(), 0..120), mtu in any::<u16>()) {
            let _ = TooBig::of(EtherType::IPV4, &packet, mtu);
            let _ = TooBig::of(EtherType::IPV6, &packet, mtu);
        }
    }
}
