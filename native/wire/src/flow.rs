//! The flow hash of a tenant's frame: entropy for the outer source port and for choices among equals.

use crate::ethernet::{ETHERNET_HEADER, EtherType, TagStack};
use crate::ipv4::Protocol;

/// What a tunnel needs to know of a frame, whatever it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// Equal for all frames of one flow: MACs, and for IP the addresses, and for unfragmented TCP and UDP the ports. Fragments leave the
    /// ports out, so that all fragments of a datagram take one path.
    pub hash: u32,
    /// DSCP and ECN of the IP header behind at most two tags; 0 without one.
    pub class: u8,
}

/// The flow that a frame belongs to.
#[inline]
pub fn flow(frame: &[u8]) -> Flow {
    match frame.first_chunk::<PLAIN>() {
        // Nearly every frame there is: fixed offsets, one check of the length.
        Some(start) if read32(&start[12..]).to_le() & 0x00ff_ffff == 0x0045_0008 => {
            let [_, _, _, class] = read32(&start[12..]).to_ne_bytes();
            let [high, low, _, protocol] = read32(&start[20..]).to_ne_bytes();
            let ports = ports(protocol, [high, low], &start[34..]);
            Flow { hash: combine(macs(start), ipv4_addresses(&start[26..]), protocol, ports), class }
        }
        _ => of_any_frame(frame),
    }
}

/// Ethernet, IPv4 without options, and the ports of TCP or UDP.
const PLAIN: usize = ETHERNET_HEADER + 20 + 4;

/// The same of any frame.
fn of_any_frame(frame: &[u8]) -> Flow {
    if frame.len() < 12 {
        return Flow { hash: 0, class: 0 };
    }
    let rest = frame.get(ETHERNET_HEADER..).unwrap_or(&[]);
    let ether_type = frame[12..].first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
    let (network, protocol, ports, class) = match TagStack::parse(ether_type, rest) {
        Some(tags) => match (tags.ether_type, &rest[usize::from(tags.length)..]) {
            (EtherType::IPV4, packet) => ipv4(packet),
            (EtherType::IPV6, packet) => ipv6(packet),
            _ => NO_IP,
        },
        None => NO_IP,
    };
    Flow { hash: combine(macs(frame), network, protocol, ports), class }
}

/// Hash of the addresses, protocol, ports or 0, and class.
type Network = (u64, u8, u32, u8);
const NO_IP: Network = (0, 0, 0, 0);

fn ipv4(packet: &[u8]) -> Network {
    let Some(header) = packet.first_chunk::<20>() else { return NO_IP };
    let (protocol, fragment) = (header[9], [header[6], header[7]]);
    let behind = packet.get(usize::from(header[0] & 0x0f) * 4..).unwrap_or(&[]);
    let class = if header[0] >> 4 == 4 { header[1] } else { 0 };
    (ipv4_addresses(&header[12..]), protocol, ports(protocol, fragment, behind), class)
}

fn ipv6(packet: &[u8]) -> Network {
    let Some(header) = packet.first_chunk::<40>() else { return NO_IP };
    let pairs = [(8, 24), (16, 32)].map(|(a, b)| mix(read64(&header[a..]) ^ KEY[0], read64(&header[b..]) ^ KEY[1]));
    let class = if header[0] >> 4 == 6 { header[0] << 4 | header[1] >> 4 } else { 0 };
    (mix(pairs[0], pairs[1] ^ KEY[2]), header[6], ports(header[6], [0, 0], &packet[40..]), class)
}

const KEY: [u64; 4] = [0x9e37_79b9_7f4a_7c15, 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3];

#[inline(always)]
fn macs(frame: &[u8]) -> u64 {
    mix(read64(frame) ^ KEY[0], u64::from(read32(&frame[8..])) ^ KEY[1])
}

#[inline(always)]
fn ipv4_addresses(addresses: &[u8]) -> u64 {
    mix(read64(addresses) ^ KEY[2], KEY[3])
}

/// The ports of an unfragmented TCP or UDP packet; `fragment` is the IPv4 field of flags and offset.
#[inline(always)]
fn ports(protocol: u8, fragment: [u8; 2], behind: &[u8]) -> u32 {
    let whole = u16::from_be_bytes(fragment) & 0x3fff == 0;
    if whole && (protocol == Protocol::TCP || protocol == Protocol::UDP) { read32(behind) } else { 0 }
}

/// The two products before this one do not wait for each other.
#[inline(always)]
fn combine(macs: u64, network: u64, protocol: u8, ports: u32) -> u32 {
    let hash = mix(macs ^ network, (u64::from(protocol) << 32 | u64::from(ports)) ^ KEY[3]);
    (hash >> 32) as u32 ^ hash as u32
}

/// Multiplies to 128 bits and folds: every input bit reaches every output bit.
#[inline(always)]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
fn read64(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |chunk| u64::from_ne_bytes(*chunk))
}

#[inline(always)]
fn read32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |chunk| u32::from_ne_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InnerIp;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn flow_hash(frame: &[u8]) -> u32 {
        flow(frame).hash
    }

    fn udp(source_port: u16, fragment: u16) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        frame.extend_from_slice(&[0x45, 0, 0, 46, 0, 1]);
        frame.extend_from_slice(&fragment.to_be_bytes());
        frame.extend_from_slice(&[64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend_from_slice(&source_port.to_be_bytes());
        frame.extend_from_slice(&[0; 24]);
        frame
    }

    #[test]
    fn flows_spread_over_the_source_ports() {
        let ports: HashSet<u32> = (0..4096).map(|port| flow_hash(&udp(port, 0)) >> 18).collect();
        // 4,096 balls into 16,384 bins fill about 3,630 of them.
        assert!(ports.len() > 3400, "{} distinct", ports.len());
    }

    #[test]
    fn a_tenants_tags_do_not_hide_the_flow() {
        let tagged = |port| [&udp(port, 0)[..12], &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7], &udp(port, 0)[12..]].concat();
        assert_eq!(flow_hash(&tagged(1)), flow_hash(&udp(1, 0)));
        assert_ne!(flow_hash(&tagged(1)), flow_hash(&tagged(2)));
    }

    #[test]
    fn all_fragments_of_a_datagram_share_a_hash() {
        assert_eq!(flow_hash(&udp(1, 0x2000)), flow_hash(&udp(2, 0x00b9)));
        assert_ne!(flow_hash(&udp(1, 0)), flow_hash(&udp(2, 0)));
    }

    #[test]
    fn every_part_of_a_flow_counts() {
        let base = udp(1, 0);
        // MACs, addresses, ports, protocol; not the length, identification, TTL or checksum.
        for at in (0..12).chain([23]).chain(26..38) {
            let mut other = base.clone();
            other[at] ^= 0x40;
            assert_ne!(flow_hash(&other), flow_hash(&base), "byte {at}");
        }
        for at in [15, 16, 17, 18, 19, 22, 24, 25, 38, 41] {
            let mut other = base.clone();
            other[at] ^= 0x40;
            assert_eq!(flow_hash(&other), flow_hash(&base), "byte {at}");
        }
        let v6 = |at: usize| {
            let mut frame =
                [&base[..12], &[0x86, 0xdd], &[0x60, 0, 0, 0, 0, 8, 17, 64], &[1; 32], &[0, 1, 0, 2, 0, 8, 0, 0]]
                    .concat();
            frame[at] ^= 0x40;
            flow_hash(&frame)
        };
        let (changed, same): (Vec<_>, Vec<_>) =
            (0..62).filter(|at| ![12, 13].contains(at)).partition(|at| v6(*at) != v6(61));
        assert_eq!(changed, (0..12).chain([20]).chain(22..58).collect::<Vec<_>>());
        assert_eq!(same, [14, 15, 16, 17, 18, 19, 21, 58, 59, 60, 61]);
    }

    proptest! {
        #[test]
        fn the_short_way_and_the_long_way_agree(bytes in proptest::collection::vec(any::<u8>(), 0..100), start in 0usize..4) {
            let ip: [&[u8]; 4] = [&[], &[8, 0, 0x45], &[8, 0, 0x46], &[0x86, 0xdd, 0x60]];
            let mut frame = bytes;
            let end = frame.len().min(12 + ip[start].len());
            if let Some(place) = frame.get_mut(12..end) {
                place.copy_from_slice(&ip[start][..place.len()]);
            }
            prop_assert_eq!(flow(&frame), of_any_frame(&frame));
            prop_assert_eq!(flow(&frame).class, InnerIp::find(&frame).map_or(0, |ip| ip.class(&frame)));
        }

        #[test]
        fn noise_of_any_length_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = flow_hash(&bytes);
        }
    }
}
