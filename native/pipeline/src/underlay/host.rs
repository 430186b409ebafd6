//! The underlay's IPv4 addresses as a host: ARP (RFC 826) and ICMP echo (RFC 792).

use core::net::{IpAddr, Ipv4Addr};

use tables::UnderlayPort;
use types::{DropReason, MacAddr, PortId};
use wire::{
    ArpOperation, ArpPacket, ETHERNET_HEADER, EthernetHeader, FromBytes, IPV4_HEADER, IntoBytes, Ipv4Header, Outer,
    echo_to_reply,
};

use super::exception::not_overlay;
use super::vlan::leave;
use crate::meta::Verdict;
use crate::packet::{Packet, PuntClass};

/// Answers a request for our address in place; hands to the control plane what may tell of a neighbour.
#[cold]
pub fn arp<P: Packet>(port: &UnderlayPort, id: PortId, packet: &mut P) -> Verdict {
    let data = packet.data_mut();
    let Some((arp, operation)) = ArpPacket::parse(&data[ETHERNET_HEADER..]) else {
        return Verdict::Drop(DropReason::ArpInvalid);
    };
    let (sender_mac, sender_ip) = (MacAddr(arp.sender_mac), arp.sender_ip);
    // Nobody else may claim our address, and a neighbour is a station (RFC 826 leaves both to the receiver).
    if !sender_mac.is_station() || port.has_v4(sender_ip.into()) {
        return Verdict::Drop(DropReason::ArpInvalid);
    }
    let target_ip = arp.target_ip.into();
    if !port.has_v4(target_ip) {
        // A gratuitous announcement names its sender as target; it may tell of a neighbour's new MAC.
        let gratuitous = target_ip.octets() == sender_ip;
        return if gratuitous { Verdict::Punt(PuntClass::Arp) } else { Verdict::Drop(DropReason::NotForUs) };
    }
    match operation {
        ArpOperation::Reply => Verdict::Punt(PuntClass::Arp),
        ArpOperation::Request => {
            let reply = ArpPacket::new(ArpOperation::Reply, (port.mac.0, target_ip), (sender_mac.0, sender_ip.into()));
            answer(port, data, sender_mac);
            data[ETHERNET_HEADER..ETHERNET_HEADER + reply.as_bytes().len()].copy_from_slice(reply.as_bytes());
            leave(id.0, port.vlan, packet)
        }
    }
}

/// Answers an echo request in place. `total_length` is the IP packet's, already checked against the frame.
#[cold]
pub fn icmp<P: Packet>(port: &UnderlayPort, id: PortId, packet: &mut P, total_length: usize) -> Verdict {
    packet.truncate(ETHERNET_HEADER + total_length);
    let data = packet.data_mut();
    let source = data[ETHERNET_HEADER + 12..].first_chunk().map_or(Ipv4Addr::UNSPECIFIED, |ip| Ipv4Addr::from(*ip));
    if !is_host(source.into()) || !echo_to_reply(&mut data[ETHERNET_HEADER + IPV4_HEADER..]) {
        return not_overlay(port);
    }
    if let Ok((ip, _)) = Ipv4Header::mut_from_prefix(&mut data[ETHERNET_HEADER..]) {
        core::mem::swap(&mut ip.destination, &mut ip.source);
        ip.ttl = Outer::TTL;
        ip.fill_checksum();
    }
    let mut sender = [0; 6];
    sender.copy_from_slice(&data[6..12]);
    answer(port, data, MacAddr(sender));
    leave(id.0, port.vlan, packet)
}

/// Whether somebody can have the address that a packet says it is from (RFC 1122, 3.2.1.3; RFC 4291, 2.5 and 2.7).
pub fn is_host(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.octets()[0] == 0 || ip.is_loopback() || ip.is_multicast() || ip.is_broadcast()),
        IpAddr::V6(ip) => !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast()),
    }
}

fn answer(port: &UnderlayPort, data: &mut [u8], to: MacAddr) {
    if let Ok((ethernet, _)) = EthernetHeader::mut_from_prefix(data) {
        ethernet.destination = to.0;
        ethernet.source = port.mac.0;
    }
}
