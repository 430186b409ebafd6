//! The outer headers: everything is checked before anything is believed.

use tables::{ContextKey, Source, UnderlayPort};
use types::{DropReason, MacAddr, PortId, Vni};
use wire::{
    ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, IPV4_HEADER, Ipv4Header, Protocol, UDP_HEADER, UdpHeader,
    VXLAN_HEADER, VXLAN_PORT, VxlanHeader,
};

use super::host;
use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

/// Both addresses of an IPv4 header.
const IPV4_ADDRESSES: core::ops::Range<usize> = 12..20;

/// Checks the outer headers of every packet; leaves tunnelled packets pending, cut to their UDP length, with their sender noted, and
/// begins to look their VN up. `id` is the port's number.
#[inline(never)]
pub fn outer<P: Packet>(
    pipeline: &Pipeline<'_>,
    port: &UnderlayPort,
    id: PortId,
    burst: &mut Burst<P>,
    metas: &mut [Meta],
) {
    for (packet, meta) in burst.iter_mut().zip(metas) {
        let result = match packet.is_segmented() {
            false => outer_one(pipeline, port, id, packet, meta),
            true => Err(Verdict::Drop(DropReason::Segmented)),
        };
        if let Err(verdict) = result {
            meta.verdict = verdict;
        }
    }
}

#[inline(always)]
fn outer_one<P: Packet>(
    pipeline: &Pipeline<'_>,
    port: &UnderlayPort,
    id: PortId,
    packet: &mut P,
    meta: &mut Meta,
) -> Result<(), Verdict> {
    let drop = |reason| Err(Verdict::Drop(reason));
    let data = packet.data();
    let Ok((ethernet, payload)) = EthernetHeader::ref_from_prefix(data) else { return drop(DropReason::Truncated) };
    let destination = MacAddr(ethernet.destination);
    let to_us = destination == port.mac;
    match ethernet.ether_type.get() {
        EtherType::IPV4 if to_us => {}
        EtherType::ARP if to_us || destination == MacAddr::BROADCAST => return Err(host::arp(port, id, packet)),
        ether_type if EtherType::is_tag(ether_type) => return drop(DropReason::OuterTag),
        _ if to_us => return drop(DropReason::NotOverlay),
        _ => return drop(DropReason::NotForUs),
    }
    let Ok((ip, _)) = Ipv4Header::ref_from_prefix(payload) else { return drop(DropReason::Truncated) };
    if ip.has_options() {
        let is_ipv4 = ip.version_ihl >> 4 == 4 && ip.version_ihl & 0x0f > 5;
        return drop(if is_ipv4 { DropReason::OuterOptions } else { DropReason::OuterInvalid });
    }
    let total_length = usize::from(ip.total_length.get());
    if total_length > payload.len() {
        return drop(DropReason::Truncated);
    }
    if total_length < IPV4_HEADER || !ip.checksum_ok() {
        return drop(DropReason::OuterInvalid);
    }
    if !port.has_v4(ip.destination_ip()) {
        return drop(DropReason::NotForUs);
    }
    if ip.is_fragment() {
        return drop(DropReason::OuterFragment);
    }
    let datagram = &payload[IPV4_HEADER..total_length];
    match ip.protocol {
        Protocol::UDP => {}
        Protocol::ICMP => return Err(host::icmp(port, id, packet, total_length)),
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
    // None is accepted (RFC 7348, 5).
    if udp.checksum.get() != 0 && !UdpHeader::checksum_ok(&payload[IPV4_ADDRESSES], datagram) {
        return drop(DropReason::OuterChecksum);
    }
    let Ok((vxlan, _)) = VxlanHeader::ref_from_prefix(&datagram[UDP_HEADER..]) else {
        return drop(DropReason::Truncated);
    };
    if !vxlan.is_valid() {
        return drop(DropReason::VxlanFlags);
    }
    // VNI 0 is nobody's: its look-up finds nothing.
    if let Ok(vni) = Vni::try_from(vxlan.vni()) {
        meta.source = pipeline.contexts.begin(ContextKey(vni));
    }
    meta.outer_source = Source::V4(ip.source_ip());
    // Ethernet may have padded a short packet; the padding is no part of the tenant's frame.
    packet.truncate(ETHERNET_HEADER + IPV4_HEADER + udp_length);
    Ok(())
}
