//! The flow hash of a tenant's frame: entropy for the outer source port and for choices among equals.

use crate::ethernet::{EtherType, TagStack};
use crate::ipv4::Protocol;

/// A 32-bit hash that is equal for all frames of one flow: MACs, and for IP the addresses, and for unfragmented TCP and UDP the ports.
/// Fragments leave the ports out, so that all fragments of a datagram take one path.
#[inline]
pub fn flow_hash(frame: &[u8]) -> u32 {
    let Some((macs, rest)) = frame.split_first_chunk::<12>() else { return 0 };
    let mut hash = mix(read64(&macs[..8]), 0x9e37_79b9_7f4a_7c15);
    hash = mix(hash ^ u64::from(read32(&macs[8..])), 0xa076_1d64_78bd_642f);
    if let Some((ether_type, rest)) = rest.split_first_chunk::<2>()
        && let Some(tags) = TagStack::parse(u16::from_be_bytes(*ether_type), rest)
    {
        let payload = &rest[usize::from(tags.length)..];
        match tags.ether_type {
            EtherType::IPV4 => hash = ipv4(payload, hash),
            EtherType::IPV6 => hash = ipv6(payload, hash),
            _ => {}
        }
    }
    (hash >> 32) as u32 ^ hash as u32
}

#[inline]
fn ipv4(packet: &[u8], hash: u64) -> u64 {
    let Some(header) = packet.first_chunk::<20>() else { return hash };
    let hash = mix(hash ^ read64(&header[12..]), 0xe703_7ed1_a0b4_28db);
    let whole = u16::from_be_bytes([header[6], header[7]]) & 0x3fff == 0;
    let ports = usize::from(header[0] & 0x0f) * 4;
    with_ports(packet, header[9], ports, whole, hash)
}

#[inline]
fn ipv6(packet: &[u8], hash: u64) -> u64 {
    let Some(header) = packet.first_chunk::<40>() else { return hash };
    let mut hash = hash;
    for at in [8, 16, 24, 32] {
        hash = mix(hash ^ read64(&header[at..]), 0xe703_7ed1_a0b4_28db);
    }
    with_ports(packet, header[6], 40, true, hash)
}

#[inline]
fn with_ports(packet: &[u8], protocol: u8, at: usize, whole: bool, hash: u64) -> u64 {
    let has_ports = whole && (protocol == Protocol::TCP || protocol == Protocol::UDP);
    match packet.get(at..at + 4) {
        Some(ports) if has_ports => {
            mix(hash ^ u64::from(read32(ports)) ^ u64::from(protocol) << 32, 0x8ebc_6af0_9c88_c6e3)
        }
        _ => mix(hash ^ u64::from(protocol) << 32, 0x8ebc_6af0_9c88_c6e3),
    }
}

/// Multiplies to 128 bits and folds: every input bit reaches every output bit.
#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[inline]
fn read64(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |chunk| u64::from_ne_bytes(*chunk))
}

#[inline]
fn read32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |chunk| u32::from_ne_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

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

    proptest! {
        #[test]
        fn noise_of_any_length_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = flow_hash(&bytes);
        }
    }
}
