//! What comes to a group of the underlay: tunnelled packets of the VNs that have joined it here (RFC 7348, 4.2), and what routers and switches
//! ask about groups (IGMP, MLD), which is for the control plane.

use core::net::IpAddr;

use tables::{Source, SourceKey, UnderlayPort};
use types::DropReason;
use wire::{
    ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, IPV4_HEADER, IPV6_HEADER, Ipv4Header, Ipv6Header,
    MembershipQuery, Protocol, multicast_mac, read_igmp, read_mld,
};

use super::outer::{IPV4_ADDRESSES, IPV6_ADDRESSES, checked_length, note};
use super::tunnelled::tunnelled;
use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::{Packet, PuntClass};

/// An IPv4 packet to a group's MAC: checked and noted as one to our own address is.
#[cold]
pub fn v4<'a, P: Packet>(
    pipeline: &Pipeline<'a>,
    port: &UnderlayPort,
    packet: &mut P,
    meta: &mut Meta<'a>,
) -> Result<(), Verdict> {
    let drop = |reason| Err(Verdict::Drop(reason));
    if port.joined.is_empty() {
        return drop(DropReason::NotForUs);
    }
    let payload = &packet.data()[ETHERNET_HEADER..];
    let Ok((ip, _)) = Ipv4Header::ref_from_prefix(payload) else { return drop(DropReason::Truncated) };
    let (group, source) = (ip.destination_ip().into(), ip.source_ip());
    if !is_addressed(packet.data(), group) {
        return drop(DropReason::NotForUs);
    }
    if ip.protocol == Protocol::IGMP {
        return Err(membership(port, read_igmp(payload)));
    }
    if !port.joined.has(group) {
        return drop(DropReason::NotForUs);
    }
    let total_length = checked_length(ip, payload.len()).map_err(Verdict::Drop)?;
    if ip.is_fragment() {
        return drop(DropReason::OuterFragment);
    }
    if ip.protocol != Protocol::UDP {
        return drop(DropReason::NotForUs);
    }
    // What we sent ourselves came back.
    if port.has_v4(source) {
        return drop(DropReason::SourceNve);
    }
    let datagram = &payload[IPV4_HEADER..total_length];
    let tunnelled = tunnelled(&payload[IPV4_ADDRESSES], datagram, || true).map_err(Verdict::Drop)?;
    let Some(tunnelled) = tunnelled else { return drop(DropReason::NotForUs) };
    let (source, contexts) = (SourceKey::new(0, Source::V4(source)), pipeline.contexts.beginnings());
    note(&contexts, packet, meta, source, ip.tos, ETHERNET_HEADER + IPV4_HEADER, tunnelled);
    Ok(())
}

/// The same of an IPv6 packet, whose header is whole and which is no ICMPv6.
#[cold]
pub fn v6<'a, P: Packet>(
    pipeline: &Pipeline<'a>,
    port: &UnderlayPort,
    packet: &mut P,
    meta: &mut Meta<'a>,
) -> Result<(), Verdict> {
    let drop = |reason| Err(Verdict::Drop(reason));
    let payload = &packet.data()[ETHERNET_HEADER..];
    let Ok((ip, rest)) = Ipv6Header::ref_from_prefix(payload) else { return drop(DropReason::Truncated) };
    let (group, source) = (ip.destination_ip().into(), ip.source_ip());
    if !is_addressed(packet.data(), group) {
        return drop(DropReason::NotForUs);
    }
    if ip.next_header == Ipv6Header::HOP_BY_HOP {
        // Every IPv6 host is in the groups in which it is solicited. What is not ICMPv6 behind that header is no MLD.
        let is_host = !(port.v6.is_empty() && port.tentative.is_empty());
        return match is_host && rest.first() == Some(&Protocol::ICMPV6) {
            true => Err(membership(port, read_mld(payload))),
            false => drop(DropReason::NotForUs),
        };
    }
    if !port.joined.has(group) {
        return drop(DropReason::NotForUs);
    }
    match ip.next_header {
        Protocol::UDP => {}
        Ipv6Header::FRAGMENT => return drop(DropReason::OuterFragment),
        _ if ip.has_extension() => return drop(DropReason::OuterExtension),
        _ => return drop(DropReason::NotForUs),
    }
    if port.has_v6(source) {
        return drop(DropReason::SourceNve);
    }
    let Some(datagram) = rest.get(..ip.payload_length.get().into()) else { return drop(DropReason::Truncated) };
    // A group has no leave of its own: whoever takes such packets at one of the port's addresses takes them here (RFC 6935, 5).
    let may_lack_checksum = || !port.zero_checksum.is_empty();
    let tunnelled = tunnelled(&payload[IPV6_ADDRESSES], datagram, may_lack_checksum).map_err(Verdict::Drop)?;
    let Some(tunnelled) = tunnelled else { return drop(DropReason::NotForUs) };
    let (source, class) = (Source::V6(pipeline.snapshot.peers.number(source)), ip.traffic_class());
    let (source, contexts) = (SourceKey::new(0, source), pipeline.contexts.beginnings());
    note(&contexts, packet, meta, source, class, ETHERNET_HEADER + IPV6_HEADER, tunnelled);
    Ok(())
}

/// Whether a frame's MAC is that of the group that its packet is for. One that is not may be a packet for one host that was sent to many.
fn is_addressed(frame: &[u8], group: IpAddr) -> bool {
    group.is_multicast() && frame.starts_with(&multicast_mac(group))
}

/// What becomes of a message about groups. What other hosts report is for routers.
fn membership(port: &UnderlayPort, message: Option<Option<MembershipQuery<'_>>>) -> Verdict {
    match message {
        None => Verdict::Drop(DropReason::MembershipInvalid),
        Some(Some(query)) if query.group.is_none_or(|group| has(port, group)) => Verdict::Punt(PuntClass::Membership),
        Some(_) => Verdict::Drop(DropReason::NotForUs),
    }
}

/// Whether we are in a group: a VN's, or one in which we are solicited.
fn has(port: &UnderlayPort, group: IpAddr) -> bool {
    let is_solicited = |group| port.v6.iter().chain(&port.tentative).any(|ip| wire::solicited_node(*ip) == group);
    port.joined.has(group) || matches!(group, IpAddr::V6(group) if is_solicited(group))
}

/// Drops every tunnelled packet to a group that its VN has not joined at this port.
#[cold]
pub fn joined<P: Packet>(port: &UnderlayPort, burst: &Burst<P>, metas: &mut [Meta]) {
    for (packet, meta) in burst.iter().zip(metas).filter(|(_, meta)| meta.is_pending()) {
        if group_of(packet.data()).is_some_and(|group| !port.joined.admits(group, meta.vn)) {
            meta.verdict = Verdict::Drop(DropReason::NotForUs);
        }
    }
}

/// The group that a tunnelled packet with checked headers was sent to; `None`: it came to our own address.
fn group_of(frame: &[u8]) -> Option<IpAddr> {
    let (ethernet, payload) = EthernetHeader::ref_from_prefix(frame).ok()?;
    if ethernet.destination[0] & 1 == 0 {
        return None;
    }
    match ethernet.ether_type.get() {
        EtherType::IPV4 => Ipv4Header::ref_from_prefix(payload).ok().map(|(ip, _)| ip.destination_ip().into()),
        _ => Ipv6Header::ref_from_prefix(payload).ok().map(|(ip, _)| ip.destination_ip().into()),
    }
}
