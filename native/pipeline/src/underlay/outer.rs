//! The outer headers: everything is checked before anything is believed.

use core::net::Ipv4Addr;

use tables::{Beginnings, ContextKey, Source, SourceKey, UnderlayPort};
use types::{DropReason, MacAddr, MacBits, PortId, Vni};
use wire::{
    ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, GENEVE_PORT, GeneveHeader, IPV4_HEADER, IPV6_HEADER,
    Ipv4Header, Ipv6Header, Protocol, UDP_HEADER, UdpHeader, VXLAN_HEADER, VXLAN_PORT, VxlanHeader, macs,
};

use super::exception::{fragment, not_overlay};
use super::tunnelled::{SHORTEST, Tunnelled, tunnelled};
use super::vlan::untag;
use super::{host, host_v6, multicast};
use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

/// Both addresses of an IPv4 header.
pub(super) const IPV4_ADDRESSES: core::ops::Range<usize> = 12..20;
/// The same of an IPv6 header.
pub(super) const IPV6_ADDRESSES: core::ops::Range<usize> = 8..40;

/// Checks the outer headers of every packet; leaves tunnelled packets pending, cut to their UDP length, with their sender noted, and
/// begins to look their VN up. `id` is the port's number. Returns whether one of them came to a group.
#[inline(never)]
pub fn outer<'a, P: Packet>(
    pipeline: &Pipeline<'a>,
    port: &UnderlayPort,
    id: PortId,
    burst: &mut Burst<P>,
    metas: &mut [Meta<'a>],
) -> bool {
    let mut to_group = false;
    let (contexts, mac) = (pipeline.contexts.beginnings(), port.mac.bits());
    for (packet, meta) in burst.iter_mut().zip(metas) {
        let is_odd = packet.is_segmented() || port.vlan != 0;
        if !is_odd && let Some((source, class, tunnelled)) = plain(port, mac, packet.data()) {
            let source = SourceKey::new(0, Source::V4(source));
            note(&contexts, packet, meta, source, class, ETHERNET_HEADER + IPV4_HEADER, tunnelled);
        } else {
            match any(pipeline, port, id, packet, meta) {
                Ok(to_a_group) => to_group |= to_a_group,
                Err(verdict) => meta.verdict = verdict,
            }
        }
    }
    to_group
}

/// An EtherType, and version and length of the header behind it.
const ETHERNET_AND_IP: [u8; 3] = [0x08, 0x00, 0x45];

/// What the outer headers of most packets say: IPv4 without anything odd, VXLAN or Geneve without options, no reserved bits. `None` is no verdict.
#[inline(always)]
fn plain(port: &UnderlayPort, mac: MacBits, data: &[u8]) -> Option<(Ipv4Addr, u8, Tunnelled)> {
    const IP: usize = ETHERNET_HEADER;
    const UDP: usize = IP + IPV4_HEADER;
    const TUNNEL: usize = UDP + UDP_HEADER;
    let start = data.first_chunk::<{ TUNNEL + VXLAN_HEADER + ETHERNET_HEADER }>()?;
    let (ethernet, _) = start.split_first_chunk()?;
    let ip = Ipv4Header::ref_from_bytes(&start[IP..UDP]).ok()?;
    let udp = UdpHeader::ref_from_bytes(&start[UDP..TUNNEL]).ok()?;
    let (tunnel, _) = VxlanHeader::ref_from_prefix(&start[TUNNEL..]).ok()?;
    if macs(ethernet).0 != mac || start[IP - 2..=IP] != ETHERNET_AND_IP {
        return None;
    }
    if ip.is_fragment() || ip.protocol != Protocol::UDP || udp.checksum.get() != 0 {
        return None;
    }
    let (vxlan, geneve) = (VxlanHeader::I, GeneveHeader::ETHERNET.into());
    match udp.destination.get() {
        VXLAN_PORT if tunnel.flags.get() == vxlan => {}
        GENEVE_PORT if tunnel.flags.get() == geneve => {}
        _ => return None,
    }
    let (total, length) = (usize::from(ip.total_length.get()), usize::from(udp.length.get()));
    if total > data.len() - IP || length + IPV4_HEADER > total || length < SHORTEST {
        return None;
    }
    let vni = tunnel.vni.get();
    if vni & 0xff != 0 || !ip.checksum_ok() || !port.has_v4(ip.destination_ip()) {
        return None;
    }
    let tunnelled = Tunnelled { vni: vni >> 8, headers: UDP_HEADER + VXLAN_HEADER, length, has_reserved: false };
    Some((ip.source_ip(), ip.tos, tunnelled))
}

/// The same of any packet; whether it came to a group.
#[inline(never)]
fn any<'a, P: Packet>(
    pipeline: &Pipeline<'a>,
    port: &UnderlayPort,
    id: PortId,
    packet: &mut P,
    meta: &mut Meta<'a>,
) -> Result<bool, Verdict> {
    match packet.is_segmented() || port.vlan != 0 {
        false => outer_one(pipeline, port, id, packet, meta),
        true => odd(pipeline, port, id, packet, meta),
    }
}

/// The same for a frame that is tagged, or must be.
#[inline(never)]
fn odd<'a, P: Packet>(
    pipeline: &Pipeline<'a>,
    port: &UnderlayPort,
    id: PortId,
    packet: &mut P,
    meta: &mut Meta<'a>,
) -> Result<bool, Verdict> {
    if packet.is_segmented() {
        return Err(Verdict::Drop(DropReason::Segmented));
    }
    untag(port, packet).map_err(Verdict::Drop)?;
    outer_one(pipeline, port, id, packet, meta)
}

/// The length that an outer IPv4 header tells, if the header is one of ours to read and `room` has so much.
pub fn checked_length(ip: &Ipv4Header, room: usize) -> Result<usize, DropReason> {
    if ip.has_options() {
        let is_ipv4 = ip.version_ihl >> 4 == 4 && ip.version_ihl & 0x0f > 5;
        return Err(if is_ipv4 { DropReason::OuterOptions } else { DropReason::OuterInvalid });
    }
    let length = usize::from(ip.total_length.get());
    if length > room {
        return Err(DropReason::Truncated);
    }
    if length < IPV4_HEADER || !ip.checksum_ok() {
        return Err(DropReason::OuterInvalid);
    }
    Ok(length)
}

#[inline(never)]
fn outer_one<'a, P: Packet>(
    pipeline: &Pipeline<'a>,
    port: &UnderlayPort,
    id: PortId,
    packet: &mut P,
    meta: &mut Meta<'a>,
) -> Result<bool, Verdict> {
    let drop = |reason| Err(Verdict::Drop(reason));
    let data = packet.data();
    let Ok((ethernet, payload)) = EthernetHeader::ref_from_prefix(data) else { return drop(DropReason::Truncated) };
    let destination = MacAddr(ethernet.destination);
    let to_us = destination == port.mac;
    match ethernet.ether_type.get() {
        EtherType::IPV4 if to_us => {}
        EtherType::ARP if to_us || destination == MacAddr::BROADCAST => return Err(host::arp(port, id, packet)),
        EtherType::IPV6 if to_us || destination.is_group() => return ipv6(pipeline, port, id, packet, meta),
        EtherType::IPV4 if destination.is_group() => {
            return multicast::v4(pipeline, port, packet, meta).map(|()| true);
        }
        // It may be a priority tag. Behind one that was taken off there is none.
        ether_type if EtherType::is_tag(ether_type) => return odd(pipeline, port, id, packet, meta),
        _ if to_us => return drop(DropReason::NotOverlay),
        _ => return drop(DropReason::NotForUs),
    }
    let Ok((ip, _)) = Ipv4Header::ref_from_prefix(payload) else { return drop(DropReason::Truncated) };
    let total_length = checked_length(ip, payload.len()).map_err(Verdict::Drop)?;
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
    let (source, contexts) = (SourceKey::new(0, Source::V4(ip.source_ip())), pipeline.contexts.beginnings());
    note(&contexts, packet, meta, source, ip.tos, ETHERNET_HEADER + IPV4_HEADER, tunnelled);
    Ok(false)
}

/// Notes what the outer headers of a tunnelled packet said; `before_udp` is the length of those before UDP.
#[inline(always)]
pub(super) fn note<'a, P: Packet>(
    contexts: &Beginnings<'a, ContextKey>,
    packet: &mut P,
    meta: &mut Meta<'a>,
    source: SourceKey,
    class: u8,
    before_udp: usize,
    tunnelled: Tunnelled,
) {
    // VNI 0 is nobody's: its look-up finds nothing.
    if let Ok(vni) = Vni::try_from(tunnelled.vni) {
        meta.source = contexts.begin(ContextKey(vni));
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
fn ipv6<'a, P: Packet>(
    pipeline: &Pipeline<'a>,
    port: &UnderlayPort,
    id: PortId,
    packet: &mut P,
    meta: &mut Meta<'a>,
) -> Result<bool, Verdict> {
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
    if !to_us {
        return multicast::v6(pipeline, port, packet, meta).map(|()| true);
    }
    if !port.has_v6(ip.destination_ip()) {
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
    let (source, class) = (Source::V6(pipeline.snapshot.peers.number(ip.source_ip())), ip.traffic_class());
    let (source, contexts) = (SourceKey::new(0, source), pipeline.contexts.beginnings());
    note(&contexts, packet, meta, source, class, ETHERNET_HEADER + IPV6_HEADER, tunnelled);
    Ok(false)
}
