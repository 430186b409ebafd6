//! The outer headers: everything is checked before anything is believed.

use tables::UnderlayPort;
use types::{DropReason, MacAddr};
use wire::{
    ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, IPV4_HEADER, Ipv4Header, Protocol, UDP_HEADER, UdpHeader,
    VXLAN_HEADER, VXLAN_PORT, VxlanHeader,
};

use super::host;
use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

/// Checks the outer headers of every packet; leaves tunnelled packets pending, cut to their UDP length, with VNI and source noted.
pub fn outer<P: Packet>(pipeline: &Pipeline<'_>, port: &UnderlayPort, burst: &mut Burst<P>, metas: &mut [Meta]) {
    for (packet, meta) in burst.iter_mut().zip(metas) {
        let result = if packet.is_segmented() {
            Err(Verdict::Drop(DropReason::Segmented))
        } else {
            outer_one(port, packet, meta)
        };
        if let Err(verdict) = result {
            meta.verdict = verdict;
        } else {
            prefetch_context(pipeline, meta);
        }
    }
}

fn prefetch_context(pipeline: &Pipeline<'_>, meta: &mut Meta) {
    if let Ok(vni) = meta.vni.try_into() {
        meta.source_hash = pipeline.contexts.prefetch(tables::ContextKey(vni));
    }
}

fn outer_one<P: Packet>(port: &UnderlayPort, packet: &mut P, meta: &mut Meta) -> Result<(), Verdict> {
    let drop = |reason| Err(Verdict::Drop(reason));
    let data = packet.data();
    let Ok((ethernet, payload)) = EthernetHeader::ref_from_prefix(data) else { return drop(DropReason::Truncated) };
    let destination = MacAddr(ethernet.destination);
    let to_us = destination == port.mac;
    match ethernet.ether_type.get() {
        EtherType::IPV4 if to_us => {}
        EtherType::ARP if to_us || destination == MacAddr::BROADCAST => return Err(host::arp(port, packet)),
        ether_type if EtherType::is_tag(ether_type) => return drop(DropReason::OuterTag),
        _ if to_us => return drop(DropReason::NotOverlay),
        _ => return drop(DropReason::NotForUs),
    }
    let Ok((ip, _)) = Ipv4Header::ref_from_prefix(payload) else { return drop(DropReason::Truncated) };
    if ip.version_ihl >> 4 != 4 || ip.version_ihl & 0x0f < 5 {
        return drop(DropReason::OuterInvalid);
    }
    if ip.has_options() {
        return drop(DropReason::OuterOptions);
    }
    let total_length = usize::from(ip.total_length.get());
    if total_length > payload.len() {
        return drop(DropReason::Truncated);
    }
    if total_length < IPV4_HEADER || !ip.checksum_ok() {
        return drop(DropReason::OuterInvalid);
    }
    if ip.destination_ip() != port.ip {
        return drop(DropReason::NotForUs);
    }
    if ip.is_fragment() {
        return drop(DropReason::OuterFragment);
    }
    let datagram = &payload[IPV4_HEADER..total_length];
    match ip.protocol {
        Protocol::UDP => {}
        Protocol::ICMP => return Err(host::icmp(port, packet, total_length)),
        _ => return drop(DropReason::NotOverlay),
    }
    let Ok((udp, _)) = UdpHeader::ref_from_prefix(datagram) else { return drop(DropReason::Truncated) };
    if udp.destination.get() != VXLAN_PORT {
        return drop(DropReason::NotOverlay);
    }
    let udp_length = usize::from(udp.length.get());
    if udp_length > datagram.len() || udp_length < UDP_HEADER + VXLAN_HEADER + ETHERNET_HEADER {
        return drop(DropReason::Truncated);
    }
    let datagram = &datagram[..udp_length];
    if !UdpHeader::checksum_ok(ip, datagram) {
        return drop(DropReason::OuterChecksum);
    }
    let Ok((vxlan, _)) = VxlanHeader::ref_from_prefix(&datagram[UDP_HEADER..]) else {
        return drop(DropReason::Truncated);
    };
    if !vxlan.is_valid() {
        return drop(DropReason::VxlanFlags);
    }
    meta.vni = vxlan.vni();
    meta.outer_source = ip.source_ip().to_bits();
    // Ethernet may have padded a short packet; the padding is no part of the tenant's frame.
    packet.truncate(ETHERNET_HEADER + IPV4_HEADER + udp_length);
    Ok(())
}
