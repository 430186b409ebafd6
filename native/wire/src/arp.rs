//! ARP for IPv4 over Ethernet (RFC 826).

use core::net::Ipv4Addr;
use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// An ARP packet, without its Ethernet header.
///
/// ```text
/// | hardware = 1 | protocol = 0x0800 | 6 | 4 | operation | sender MAC, IP | target MAC, IP |
/// ```
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ArpPacket {
    hardware: U16,
    protocol: U16,
    hardware_length: u8,
    protocol_length: u8,
    operation: U16,
    /// Sender's MAC.
    pub sender_mac: [u8; 6],
    /// Sender's IPv4 address.
    pub sender_ip: [u8; 4],
    /// Target's MAC; zero in a request.
    pub target_mac: [u8; 6],
    /// Target's IPv4 address.
    pub target_ip: [u8; 4],
}

/// The two operations that matter here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArpOperation {
    /// Who has?
    Request,
    /// Is at.
    Reply,
}

impl ArpPacket {
    /// Reads an ARP packet and says what it is; `None` if it is short, or not Ethernet and IPv4, or of another operation.
    pub fn parse(bytes: &[u8]) -> Option<(&Self, ArpOperation)> {
        let (packet, _) = Self::ref_from_prefix(bytes).ok()?;
        let ethernet_ipv4 = packet.hardware.get() == 1
            && packet.protocol.get() == 0x0800
            && packet.hardware_length == 6
            && packet.protocol_length == 4;
        if !ethernet_ipv4 {
            return None;
        }
        match packet.operation.get() {
            1 => Some((packet, ArpOperation::Request)),
            2 => Some((packet, ArpOperation::Reply)),
            _ => None,
        }
    }

    /// Builds an ARP packet.
    pub fn new(operation: ArpOperation, sender: ([u8; 6], Ipv4Addr), target: ([u8; 6], Ipv4Addr)) -> Self {
        Self {
            hardware: 1.into(),
            protocol: 0x0800.into(),
            hardware_length: 6,
            protocol_length: 4,
            operation: match operation {
                ArpOperation::Request => 1.into(),
                ArpOperation::Reply => 2.into(),
            },
            sender_mac: sender.0,
            sender_ip: sender.1.octets(),
            target_mac: target.0,
            target_ip: target.1.octets(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn round_trips_and_refuses_short_or_foreign() {
        let arp = ArpPacket::new(
            ArpOperation::Request,
            ([2, 0, 0, 0, 0, 1], Ipv4Addr::new(192, 0, 2, 1)),
            ([0; 6], Ipv4Addr::new(192, 0, 2, 2)),
        );
        let bytes = arp.as_bytes().to_vec();
        assert_eq!(ArpPacket::parse(&bytes), Some((&arp, ArpOperation::Request)));
        for end in 0..bytes.len() {
            assert_eq!(ArpPacket::parse(&bytes[..end]), None);
        }
        for at in 0..8 {
            let mut foreign = bytes.clone();
            foreign[at] ^= 0x10;
            assert_eq!(ArpPacket::parse(&foreign), None, "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = ArpPacket::parse(&bytes);
        }
    }
}
