//! The outer headers: everything is checked before anything is believed.

use core::net::Ipv4Addr;

use tables::{ContextKey, Source, UnderlayPort};
use types::{DropReason, MacAddr, PortId, Vni};
use wire::{
    ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, IPV4_HEADER, IPV6_HEADER, Ipv4Header, Ipv6Header, Protocol,
};

use super::exception::{fragment, not_overlay};
use super::tunnelled::{Tunnelled, tunnelled};
use super::vlan::untag;
use super::{host, host_v6};
use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

/// Both addresses of an IPv4 header.
const IPV4_ADDRESSES: core::ops::Range<usize> = 12..20;
/// The same of an IPv6 header.
const IPV6_ADDRESSES: core::ops::Range<usize> = 8..40;

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
        let result = match packet.is_segmented() || port.vlan != 0 {
            false => outer_one(pipeline, port, id, packet, meta),
            true => odd(pipeline, port, id, packet, meta),
        };
        if let Err(verdict) = result {
            meta.verdict = verdict;
        }
    }
}

/// The same for a frame that is tagged, or must be.
#[inline(never)]
fn odd<P: Packet>(
    pipeline: &Pipeline<'_>,
    port: &UnderlayPort,
    id: PortId,
    packet: &mut P,
    meta: &mut Meta,
) -> Result<(), Verdict> {
    if packet.is_segmented() {
        return Err(Verdict::Drop(DropReason::Segmented));
    }
    untag(port, packet).map_err(Verdict::Drop)?;
    outer_one(pipeline, port, id, packet, meta)
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
        EtherType::IPV6 if to_us || destination.is_group() => return ipv6(pipeline, port, id, packet, meta),
        // It may be a priority tag. Behind one that was taken off there is none.
        ether_type if EtherType::is_tag(ether_type) => return odd(pipeline, port, id, packet, meta),
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
        return Err(fragment(port, ip.protocol == Protocol::UDP));
    }
    let datagram = &payload[IPV4_HEADER..total_length];
    match ip.protocol {
        Protocol::UDP => {}
        Protocol::ICMP => return Err(host::icmp(port, id, packet, total_length)),
        _ => return Err(not_overlay(port)),
    }
    // No checksum is accepted (RFC 7348, 5).
    let Some(tunnelled) = tunnelled(&payload[IPV4_ADDRESSES], datagram, || true).map_err(Verdict::Drop)? else {
        return Err(not_overlay(port));
    };
    note(pipeline, packet, meta, Source::V4(ip.source_ip()), ip.tos, ETHERNET_HEADER + IPV4_HEADER, tunnelled);
    Ok(())
}

/// Notes what the outer headers of a tunnelled packet said; `before_udp` is the length of those before UDP.
#[inline(always)]
fn note<P: Packet>(
    pipeline: &Pipeline<'_>,
    packet: &mut P,
    meta: &mut Meta,
    source: Source,
    class: u8,
    before_udp: usize,
    tunnelled: Tunnelled,
) {
    // VNI 0 is nobody's: its look-up finds nothing.
    if let Ok(vni) = Vni::try_from(tunnelled.vni) {
        meta.source = pipeline.contexts.begin(ContextKey(vni));
    }
    meta.outer_source = source;
    meta.outer_class = class;
    meta.outer_length = (before_udp + tunnelled.headers) as u16;
    meta.reserved = tunnelled.has_reserved;
    // Ethernet may have padded a short packet; the padding is no part of the tenant's frame.
    packet.truncate(before_udp + tunnelled.length);
}

/// The same of an IPv6 packet to our MAC or to a group.
#[inline(never)]
fn ipv6<P: Packet>(
    pipeline: &Pipeline<'_>,
    port: &UnderlayPort,
    id: PortId,
    packet: &mut P,
    meta: &mut Meta,
) -> Result<(), Verdict> {
    let drop = |reason| Err(Verdict::Drop(reason));
    let to_us = packet.data().starts_with(&port.mac.0);
    let payload = &packet.data()[ETHERNET_HEADER..];
    let Ok((ip, rest)) = Ipv6Header::ref_from_prefix(payload) else { return drop(DropReason::Truncated) };
    if !ip.is_version_6() {
        return drop(DropReason::OuterInvalid);
    }
    let Some(datagram) = rest.get(..ip.payload_length.get().into()) else { return drop(DropReason::Truncated) };
    if ip.next_header == Protocol::ICMPV6 {
        let length = IPV6_HEADER + datagram.len();
        return Err(host_v6::icmpv6(port, id, packet, length, to_us));
    }
    if !to_us || !port.has_v6(ip.destination_ip()) {
        return drop(DropReason::NotForUs);
    }
    match ip.next_header {
        Protocol::UDP => {}
        Ipv6Header::FRAGMENT => return drop(DropReason::OuterFragment),
        _ if ip.has_extension() => return drop(DropReason::OuterExtension),
        _ => return Err(not_overlay(port)),
    }
    // Only where it was agreed (RFC 6935, 5; RFC 6936, 5), and even then from permitted senders only.
    let may_lack_checksum = || port.zero_checksum.contains(&ip.destination_ip());
    let tunnelled = tunnelled(&payload[IPV6_ADDRESSES], datagram, may_lack_checksum).map_err(Verdict::Drop)?;
    let Some(tunnelled) = tunnelled else { return Err(not_overlay(port)) };
    let class = ip.traffic_class();
    let source = match ip.source_ip() {
        // No NVE is there (RFC 4291, 2.5.2, 2.5.3 and 2.7), nor at the other family's unspecified address.
        ip if ip.is_multicast() || ip.is_unspecified() || ip.is_loopback() => Source::V4(Ipv4Addr::UNSPECIFIED),
        ip => Source::V6(pipeline.snapshot.peers.number(ip)),
    };
    note(pipeline, packet, meta, source, class, ETHERNET_HEADER + IPV6_HEADER, tunnelled);
    Ok(())
}
