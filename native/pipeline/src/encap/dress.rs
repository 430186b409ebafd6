//! The outer header of a next hop that asks for more than the shortest one: IPv6, an outer tag, Geneve options, a checksum, or fields that
//! follow the frame.

use core::cell::Cell;

use tables::{HEADER_HEAD, NextHopEntry, Work};
use types::DropReason;
use wire::{
    Ecn, Flow, FromBytes, InnerIp, IntoBytes, Ipv4Header, Ipv6Header, OUTER_MAX, UdpHeader, VlanTag, flow, sum,
};

use super::{HeaderRoom, source_port};
use crate::packet::Packet;

/// Any work that looks at the frame's IP header.
const INNER: Work = Work::TTL.with(Work::DF);

/// What the outer header takes from the frame.
pub struct Facts {
    length: usize,
    flow: Flow,
    /// PCP of the tag that it came with.
    pcp: u8,
    /// TTL or hop limit, if that is wanted and there is one.
    ttl: Option<u8>,
    /// Whether it says that routers must not fragment it.
    dont_fragment: bool,
    /// Sum of its bytes, if that is wanted.
    sum: u64,
}

impl Facts {
    /// What a next hop wants to know of a frame.
    pub fn of(next_hop: &NextHopEntry, frame: &[u8], flow: Flow, pcp: u8) -> Self {
        let work = next_hop.work;
        let ip = if work.has(INNER) { InnerIp::find(frame) } else { None };
        Self {
            length: frame.len(),
            flow,
            pcp,
            // Nobody sends a TTL of 0 (RFC 1122, 3.2.1.7), whatever a tenant does.
            ttl: ip.filter(|_| work.has(Work::TTL)).map(|ip| ip.ttl(frame)).filter(|ttl| *ttl != 0),
            dont_fragment: ip.is_some_and(|ip| ip.dont_fragment(frame)),
            sum: if work.has(Work::CHECKSUM) { sum(frame, 0) } else { 0 },
        }
    }
}

/// Encapsulates a frame; returns the port to leave by. `pcp` is that of the tag that the frame came with; `identification` counts the packets
/// that routers may fragment.
#[inline(never)]
pub fn encapsulate<P: Packet>(
    next_hop: &NextHopEntry,
    packet: &mut P,
    pcp: u8,
    identification: &Cell<u16>,
) -> Result<u16, DropReason> {
    let frame = packet.data();
    let facts = Facts::of(next_hop, frame, flow(frame), pcp);
    // Whatever the header's length, room for the longest is taken, and what is too much goes off the front again.
    let room = packet.prepend::<OUTER_MAX>().ok_or(DropReason::NoHeadroom)?;
    write(next_hop, &facts, identification, room)?;
    packet.trim_front(OUTER_MAX.saturating_sub(next_hop.header_length.into()));
    Ok(next_hop.port)
}

/// Writes the header to the end of `room`.
pub fn write(
    next_hop: &NextHopEntry,
    facts: &Facts,
    identification: &Cell<u16>,
    room: &mut HeaderRoom,
) -> Result<(), DropReason> {
    let (work, flow) = (next_hop.work, facts.flow);
    // Two copies of fixed length.
    let (head, tail) = room.split_at_mut(HEADER_HEAD);
    head.copy_from_slice(&next_hop.head);
    tail.copy_from_slice(&next_hop.tail);

    let (rest, tunnel) = room.split_at_mut(OUTER_MAX.saturating_sub(next_hop.tunnel_length.into()));
    let (rest, udp) = UdpHeader::mut_from_suffix(rest).map_err(|_| DropReason::NoHeadroom)?;
    let udp_length = (facts.length + tunnel.len() + udp.as_bytes().len()) as u16;
    udp.source = source_port(next_hop, flow.hash).into();
    udp.length = udp_length.into();
    let class = class(next_hop, flow.class);
    let (rest, addresses) = if work.has(Work::V6) {
        let (rest, outer) = Ipv6Header::mut_from_suffix(rest).map_err(|_| DropReason::NoHeadroom)?;
        // The flow label spreads flows, too (RFC 6438, 3).
        let fields = outer.version_class_flow.get() | u32::from(class) << 20 | flow.hash & 0x000f_ffff;
        outer.version_class_flow = fields.into();
        outer.payload_length = udp_length.into();
        outer.hop_limit = facts.ttl.unwrap_or(outer.hop_limit);
        (rest, &outer.as_bytes()[8..])
    } else {
        let (rest, outer) = Ipv4Header::mut_from_suffix(rest).map_err(|_| DropReason::NoHeadroom)?;
        outer.tos |= class;
        outer.total_length = (udp_length + outer.as_bytes().len() as u16).into();
        outer.ttl = facts.ttl.unwrap_or(outer.ttl);
        if work.has(Work::DF) && facts.dont_fragment {
            outer.flags_fragment = Ipv4Header::DF.into();
        } else if work.has(Work::IDENTIFY) {
            identification.set(identification.get().wrapping_add(1));
            outer.identification = identification.get().into();
        }
        outer.fill_checksum();
        (rest, &outer.as_bytes()[12..])
    };
    if work.has(Work::CHECKSUM) {
        let datagram = sum(udp.as_bytes(), sum(tunnel, facts.sum));
        udp.checksum = UdpHeader::checksum_of(addresses, udp_length.into(), datagram).into();
    }
    if work.has(Work::PCP) {
        let (_, tag) = VlanTag::mut_from_suffix(rest).map_err(|_| DropReason::NoHeadroom)?;
        tag.tci = (tag.tci.get() | u16::from(facts.pcp) << 13).into();
    }
    Ok(())
}

/// The bits of the outer class that follow the inner one (0 for a frame without IP): DSCP by RFC 2983, ECN by RFC 6040, 4.1.
fn class(next_hop: &NextHopEntry, inner: u8) -> u8 {
    let ecn = match next_hop.work.has(Work::ECN_KERNEL) {
        true => Ecn::kernel_encap(Ecn::of(inner)) as u8,
        false => inner & next_hop.ecn,
    };
    let dscp = match (&next_hop.dscp, next_hop.work.has(Work::DSCP)) {
        (_, false) => 0,
        (Some(map), true) => map[usize::from(inner >> 2)] << 2,
        (None, true) => inner & !Ecn::MASK,
    };
    dscp | ecn
}
