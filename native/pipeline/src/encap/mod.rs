//! Access to underlay: the next hop's ready-made outer header goes before the tenant's frame.

mod dress;
mod tunnel;

use tables::{NextHopEntry, NextHopIndex, Snapshot, Work, prefetch};
use types::DropReason;
use wire::{ETHERNET_HEADER, Flow, IPV4_HEADER, OUTER_MAX, OUTER_MIN, UDP_HEADER, flow};

use crate::burst::Pipeline;
use crate::packet::Packet;

pub use tunnel::{EcnMode, Tunnel};

/// Where an outer header is put together that is to precede a frame which must not be changed.
pub type HeaderRoom = [u8; OUTER_MAX];

/// Asks for the next hop's line to be loaded.
#[inline]
pub fn prefetch_next_hop(snapshot: &Snapshot, index: NextHopIndex) {
    if let Some(entry) = snapshot.next_hop(index) {
        prefetch(entry);
    }
}

/// The next hop, if a frame of `length` bytes can be sent to it now.
#[inline(always)]
fn usable(snapshot: &Snapshot, index: NextHopIndex, length: usize) -> Result<&NextHopEntry, DropReason> {
    let Some(next_hop) = snapshot.next_hop(index) else { return Err(DropReason::NeighbourUnresolved) };
    if length > usize::from(next_hop.max_frame) { Err(too_long(next_hop)) } else { Ok(next_hop) }
}

/// Whether a next hop asks for nothing but the shortest header.
#[inline(always)]
fn is_plain(next_hop: &NextHopEntry) -> bool {
    next_hop.work == Work::NONE && usize::from(next_hop.header_length) == OUTER_MIN
}

/// Whether a next hop wants to know the PCP of a frame's tag, which is removed before it is encapsulated.
#[inline(always)]
pub fn wants_priority(snapshot: &Snapshot, index: NextHopIndex) -> bool {
    snapshot.next_hop(index).is_some_and(|next_hop| next_hop.work.has(Work::PCP))
}

/// The longest frame that can be sent to a next hop, bytes.
#[cold]
pub fn longest(snapshot: &Snapshot, index: NextHopIndex) -> u16 {
    snapshot.next_hop(index).map_or(0, |next_hop| next_hop.max_frame)
}

/// Encapsulates a tenant's frame, which came with a tag of priority `pcp`, for a next hop; returns the port to leave by.
#[inline(always)]
pub fn encapsulate<P: Packet>(
    pipeline: &Pipeline<'_>,
    packet: &mut P,
    pcp: u8,
    index: NextHopIndex,
) -> Result<u16, DropReason> {
    let length = packet.data().len();
    let next_hop = usable(pipeline.snapshot, index, length)?;
    if !is_plain(next_hop) {
        return dress::encapsulate(next_hop, packet, pcp, pipeline.identification);
    }
    let flow = flow(packet.data());
    let room = packet.prepend::<OUTER_MIN>().ok_or(DropReason::NoHeadroom)?;
    emit(next_hop, room, length, flow);
    Ok(next_hop.port)
}

/// Writes into `room` what [`encapsulate`] puts before `frame`, which belongs to `flow`; returns the port to leave by, and the header.
#[inline]
pub fn header_for<'r>(
    pipeline: &Pipeline<'_>,
    frame: &[u8],
    flow: Flow,
    pcp: u8,
    index: NextHopIndex,
    room: &'r mut HeaderRoom,
) -> Result<(u16, &'r [u8]), DropReason> {
    let next_hop = usable(pipeline.snapshot, index, frame.len())?;
    if !is_plain(next_hop) {
        let facts = dress::Facts::of(next_hop, frame, flow, pcp);
        dress::write(next_hop, &facts, pipeline.identification, room)?;
        return Ok((next_hop.port, &room[OUTER_MAX.saturating_sub(next_hop.header_length.into())..]));
    }
    let room = room.first_chunk_mut::<OUTER_MIN>().ok_or(DropReason::NoHeadroom)?;
    emit(next_hop, room, frame.len(), flow);
    Ok((next_hop.port, room))
}

#[cold]
fn too_long(next_hop: &NextHopEntry) -> DropReason {
    if next_hop.header_length == 0 { DropReason::NeighbourUnresolved } else { DropReason::UnderlayMtu }
}

/// The source port of a flow (RFC 7348, 5; RFC 8926, 3.3): the underlay spreads flows, and keeps each in order.
#[inline(always)]
fn source_port(next_hop: &NextHopEntry, hash: u32) -> u16 {
    let offset = (u64::from(hash) * u64::from(next_hop.ports)) >> 32;
    next_hop.ports_from.wrapping_add(offset as u16)
}

/// Writes the shortest header, over IPv4 and without an outer tag, for a frame of `length` bytes: what most frames get.
#[inline(always)]
fn emit(next_hop: &NextHopEntry, room: &mut [u8; OUTER_MIN], length: usize, flow: Flow) {
    const IP: usize = ETHERNET_HEADER;
    const UDP: usize = IP + IPV4_HEADER;
    *room = next_hop.tail;
    // The header is ready for a class without ECN (RFC 6040, 4.1: what is inside is shown outside).
    let ecn = flow.class & next_hop.ecn;
    let udp_length = (length + OUTER_MIN - UDP) as u16;
    let total_length = udp_length + IPV4_HEADER as u16;
    let ready = u16::from_be_bytes([next_hop.tail[IP + 10], next_hop.tail[IP + 11]]);
    let checksum = u32::from(ready) + u32::from(total_length) + u32::from(ecn);
    let checksum = !((checksum & 0xffff) + (checksum >> 16)) as u16;
    room[IP + 1] = next_hop.tail[IP + 1] | ecn;
    room[IP + 2..IP + 4].copy_from_slice(&total_length.to_be_bytes());
    room[IP + 10..IP + 12].copy_from_slice(&checksum.to_be_bytes());
    room[UDP..UDP + 2].copy_from_slice(&source_port(next_hop, flow.hash).to_be_bytes());
    room[UDP + 4..UDP + UDP_HEADER - 2].copy_from_slice(&udp_length.to_be_bytes());
}
