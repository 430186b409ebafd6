//! The underlay's IPv6 addresses as a host: neighbour discovery (RFC 4861, 7) and ICMPv6 echo (RFC 4443, 4).

use core::net::Ipv6Addr;

use tables::UnderlayPort;
use types::{DropReason, MacAddr, PortId};
use wire::{
    ETHERNET_HEADER, EthernetHeader, FromBytes, IPV6_HEADER, Ipv6Header, NdFrame, NdMessage, Outer, echo_to_reply_v6,
    icmpv6_checksum_ok,
};

use super::exception::not_overlay;
use super::vlan::leave;
use crate::meta::Verdict;
use crate::packet::{Packet, PuntClass};

/// What becomes of an ICMPv6 packet. `length` is that of the IPv6 packet, already checked against the frame; `to_us`: whether the frame was
/// sent to the port's own MAC.
#[cold]
pub fn icmpv6<P: Packet>(port: &UnderlayPort, id: PortId, packet: &mut P, length: usize, to_us: bool) -> Verdict {
    let drop = Verdict::Drop;
    packet.truncate(ETHERNET_HEADER + length);
    let data = packet.data();
    let Ok((ethernet, payload)) = EthernetHeader::ref_from_prefix(data) else { return drop(DropReason::Truncated) };
    let Ok((ip, message)) = Ipv6Header::ref_from_prefix(payload) else { return drop(DropReason::Truncated) };
    let sender = MacAddr(ethernet.source);
    let is_ours = port.has_v6(ip.destination_ip());
    if !icmpv6_checksum_ok(ip, message) {
        return drop(DropReason::NdInvalid);
    }
    if NdMessage::is_nd(message) {
        let message = NdMessage::parse(ip, message).filter(|_| sender.is_station());
        let source = ip.source_ip();
        return message
            .map_or(drop(DropReason::NdInvalid), |message| neighbour(port, id, packet, message, (sender, source)));
    }
    // Groups are for neighbour discovery only.
    if !is_ours || !to_us {
        return drop(DropReason::NotForUs);
    }
    let source = ip.source_ip();
    if source.is_multicast() || source.is_unspecified() {
        return drop(DropReason::NdInvalid);
    }
    echo(port, id, packet, sender).unwrap_or_else(|| not_overlay(port))
}

/// Answers a solicitation for our address in place; hands to the control plane what may tell of a neighbour, or that somebody has an address
/// that we are about to use.
fn neighbour<P: Packet>(
    port: &UnderlayPort,
    id: PortId,
    packet: &mut P,
    message: NdMessage,
    (sender, source): (MacAddr, Ipv6Addr),
) -> Verdict {
    match message {
        NdMessage::Solicitation { target, .. } if port.tentative.contains(&target) => match source.is_unspecified() {
            // Somebody else wants it (RFC 4862, 5.4.3). Who knows it as ours already must wait.
            true => Verdict::Punt(PuntClass::Nd),
            false => Verdict::Drop(DropReason::NotForUs),
        },
        NdMessage::Solicitation { target, link } if port.has_v6(target) => {
            if port.has_v6(source) {
                return Verdict::Drop(DropReason::NdInvalid);
            }
            let to = link.unwrap_or(sender.0);
            if !MacAddr(to).is_station() {
                return Verdict::Drop(DropReason::NdInvalid);
            }
            answer(port, id, packet, &NdFrame::advertisement((port.mac.0, target), (to, source)))
        }
        NdMessage::Solicitation { .. } => Verdict::Drop(DropReason::NotForUs),
        // Nobody else may claim an address that is ours already.
        NdMessage::Advertisement { target, .. } if port.has_v6(target) => Verdict::Drop(DropReason::NdInvalid),
        NdMessage::Advertisement { link: Some(link), .. } if !MacAddr(link).is_station() => {
            Verdict::Drop(DropReason::NdInvalid)
        }
        NdMessage::Advertisement { .. } => Verdict::Punt(PuntClass::Nd),
    }
}

/// Makes the packet this frame. A solicitation may be shorter or longer than the answer.
fn answer<P: Packet>(port: &UnderlayPort, id: PortId, packet: &mut P, frame: &NdFrame) -> Verdict {
    let bytes = frame.bytes();
    // The shortest solicitation is one option shorter.
    if packet.data().len() < bytes.len() && packet.prepend::<8>().is_none() {
        return Verdict::Drop(DropReason::NoHeadroom);
    }
    packet.truncate(bytes.len());
    packet.data_mut().copy_from_slice(bytes);
    leave(id.0, port.vlan, packet)
}

/// Answers an echo request for our address in place; `None` if it is none.
fn echo<P: Packet>(port: &UnderlayPort, id: PortId, packet: &mut P, sender: MacAddr) -> Option<Verdict> {
    let data = packet.data_mut();
    if !echo_to_reply_v6(&mut data[ETHERNET_HEADER + IPV6_HEADER..]) {
        return None;
    }
    if let Ok((ip, _)) = Ipv6Header::mut_from_prefix(&mut data[ETHERNET_HEADER..]) {
        core::mem::swap(&mut ip.source, &mut ip.destination);
        ip.hop_limit = Outer::TTL;
    }
    if let Ok((ethernet, _)) = EthernetHeader::mut_from_prefix(data) {
        (ethernet.destination, ethernet.source) = (sender.0, port.mac.0);
    }
    Some(leave(id.0, port.vlan, packet))
}
