//! ARP and neighbour solicitations from tenants, answered in the place of who is asked for, so that they need not reach everybody (RFC 9161).
//!
//! Only what goes to a group is answered: a unicast request tests whether its receiver is still there, which only that can say (3.3). So can
//! only everybody hear whether an address is free (RFC 5227, 2.1.1; RFC 4862, 5.4.2) or has moved; these go their way.

use core::net::{IpAddr, Ipv4Addr};

use tables::{Destination, FdbKey, Flags};
use types::MacAddr;
use wire::{
    ArpOperation, ArpPacket, EtherType, FromBytes, ICMPV6, IPV6_HEADER, IntoBytes, Ipv6Header, NeighbourAdvertisement,
    NeighbourSolicitation, TagStack,
};

use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

const MACS: usize = 12;

/// Turns every question that can be answered into its answer, to the VAP that it came from.
#[inline(never)]
pub fn suppress<P: Packet>(pipeline: &Pipeline<'_>, burst: &mut Burst<P>, metas: &mut [Meta]) {
    let concerned = |meta: &Meta| meta.group && meta.flags.has(Flags::SUPPRESS) && meta.is_pending();
    for (packet, meta) in burst.iter_mut().zip(metas).filter(|(_, meta)| concerned(meta)) {
        if answer(pipeline, packet, meta).is_some() {
            pipeline.counters.suppressed(meta.vap);
            meta.verdict = Verdict::Vap(meta.vap);
        }
    }
}

fn answer<P: Packet>(pipeline: &Pipeline<'_>, packet: &mut P, meta: &Meta) -> Option<()> {
    let frame = packet.data_mut();
    let asker = MacAddr(*frame.get(6..)?.first_chunk()?);
    let (ether_type, at) = behind_tags(frame, meta.strip)?;
    match ether_type {
        EtherType::ARP => {
            let reply = arp(pipeline, meta, asker, frame.get(at..)?)?;
            frame.get_mut(at..)?.get_mut(..size_of::<ArpPacket>())?.copy_from_slice(reply.as_bytes());
            address(frame, asker, reply.sender_mac);
        }
        EtherType::IPV6 => {
            let advertisement = nd(pipeline, meta, asker, frame.get(at..)?)?;
            let end = at + NeighbourAdvertisement::LENGTH;
            frame.get_mut(at..end)?.copy_from_slice(&advertisement.to_bytes());
            address(frame, asker, advertisement.target.1);
            packet.truncate(end);
        }
        _ => return None,
    }
    Some(())
}

/// The answer's sender is who is asked for: bridges on the tenant's side learn where to send what follows (RFC 9161, 3.3).
fn address(frame: &mut [u8], to: MacAddr, from: [u8; 6]) {
    frame[..6].copy_from_slice(&to.0);
    frame[6..MACS].copy_from_slice(&from);
}

/// The EtherType behind all tags, those that `strip` covers and the tenant's own, and where its payload begins.
fn behind_tags(frame: &[u8], strip: u8) -> Option<(u16, usize)> {
    let at = MACS + usize::from(strip);
    let (ether_type, rest) = frame.get(at..)?.split_first_chunk::<2>()?;
    match u16::from_be_bytes(*ether_type) {
        tpid if EtherType::is_tag(tpid) => {
            let tags = TagStack::parse(tpid, rest)?;
            Some((tags.ether_type, at + 2 + usize::from(tags.length)))
        }
        ether_type => Some((ether_type, at + 2)),
    }
}

fn arp(pipeline: &Pipeline<'_>, meta: &Meta, asker: MacAddr, payload: &[u8]) -> Option<ArpPacket> {
    let (arp, operation) = ArpPacket::parse(payload)?;
    let (from, target) = (Ipv4Addr::from(arp.sender_ip), Ipv4Addr::from(arp.target_ip));
    let is_question = operation == ArpOperation::Request && !from.is_unspecified() && from != target;
    if !is_question || arp.sender_mac != asker.0 {
        return None;
    }
    let owner = owner(pipeline, meta, asker, target.into())?;
    Some(ArpPacket::new(ArpOperation::Reply, (owner.0, target), (asker.0, from)))
}

fn nd(pipeline: &Pipeline<'_>, meta: &Meta, asker: MacAddr, payload: &[u8]) -> Option<NeighbourAdvertisement> {
    let (ip, rest) = Ipv6Header::ref_from_prefix(payload).ok()?;
    if !ip.is_version_6() || ip.next_header != ICMPV6 {
        return None;
    }
    let solicitation = NeighbourSolicitation::parse(ip, rest.get(..ip.payload_length.get().into())?)?;
    // What asks whether an address is free names no MAC.
    if solicitation.source_mac != Some(asker.0) || ip.source_ip().is_multicast() {
        return None;
    }
    let owner = owner(pipeline, meta, asker, solicitation.target.into())?;
    // Whether it is a router is not known: that it is none makes nobody forget a default route but through its own advertisements.
    Some(NeighbourAdvertisement {
        target: (solicitation.target, owner.0),
        to: ip.source_ip(),
        router: false,
        solicited: true,
        overrides: true,
    })
}

/// Who has the address, unless it hears the question itself: the asker, or another station at its VAP.
fn owner(pipeline: &Pipeline<'_>, meta: &Meta, asker: MacAddr, ip: IpAddr) -> Option<MacAddr> {
    let owner = pipeline.pairs.get(meta.vn, ip).filter(|owner| *owner != asker)?;
    let place = pipeline.fdb.get(FdbKey::new(meta.vn, owner)).map(Destination::unpack);
    (place != Some(Destination::Vap(meta.vap))).then_some(owner)
}

const _: () = assert!(NeighbourAdvertisement::LENGTH == IPV6_HEADER + 32);
