//! Access to underlay: the next hop's ready-made outer header goes before the tenant's frame.

mod dress;
mod tunnel;

use tables::{NextHopEntry, NextHopIndex, Snapshot, Work, prefetch};
use types::DropReason;
use wire::{ETHERNET_HEADER, Flow, IPV4_HEADER, OUTER_MAX, OUTER_MIN, flow};

use crate::burst::Pipeline;
use crate::packet::Packet;

pub use tunnel::{EcnMode, Tunnel};

const MACS: usize = 12;

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
pub fn is_plain(next_hop: &NextHopEntry) -> bool {
    next_hop.work == Work::NONE
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

/// What [`encapsulate`] does, for a plain next hop and a frame that `STRIP` bytes of tags are first taken off: `GROWTH` bytes more than before. `None`,
/// and nothing is changed, if the frame cannot be sent.
#[inline(always)]
pub fn put_plain<P: Packet, const STRIP: usize, const GROWTH: usize>(
    next_hop: &NextHopEntry,
    packet: &mut P,
) -> Option<u16> {
    const { assert!(GROWTH + STRIP == OUTER_MIN) };
    let length = packet.data().len() - STRIP;
    if length > usize::from(next_hop.max_frame) || length < ETHERNET_HEADER {
        return None;
    }
    packet.prepend::<GROWTH>()?;
    let data = packet.data_mut();
    // The MACs move up to what is behind the tags, and the header goes before them.
    let start = data.first_chunk_mut::<{ OUTER_MIN + MACS }>()?;
    start.copy_within(GROWTH..GROWTH + MACS, OUTER_MIN);
    let (room, frame) = data.split_first_chunk_mut()?;
    emit(next_hop, room, length, flow(frame));
    Some(next_hop.port)
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
    if next_hop.is_living() { DropReason::UnderlayMtu } else { next_hop.why() }
}

/// The source port of a flow (RFC 7348, 5; RFC 8926, 3.3): the underlay spreads flows, and keeps each in order.
#[inline(always)]
fn source_port(next_hop: &NextHopEntry, hash: u32) -> u16 {
    let offset = (u64::from(hash) * u64::from(next_hop.ports)) >> 32;
    next_hop.ports_from.wrapping_add(offset as u16)
}

/// Writes the shortest header, over IPv4 and without an outer tag, for a frame of `length` bytes: what most frames get. Word by word: what is
/// patched is so on its way, and not written twice.
#[inline(always)]
fn emit(next_hop: &NextHopEntry, room: &mut [u8; OUTER_MIN], length: usize, flow: Flow) {
    const IP: usize = ETHERNET_HEADER;
    const UDP: usize = IP + IPV4_HEADER;
    const _: () = assert!(IP + 1 == 15 && UDP == 34 && OUTER_MIN == 50);
    let ready = |at: usize| next_hop.tail[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let mut put = |at: usize, word: u64| room[at..at + 8].copy_from_slice(&word.to_le_bytes());
    // The header is ready for a class without ECN (RFC 6040, 4.1: what is inside is shown outside).
    let ecn = flow.class & next_hop.ecn;
    let udp_length = (length + OUTER_MIN - UDP) as u16;
    let total_length = udp_length + IPV4_HEADER as u16;
    let addressed = ready(24);
    let checksum = u32::from((addressed as u16).swap_bytes()) + u32::from(total_length) + u32::from(ecn);
    let checksum = !((checksum & 0xffff) + (checksum >> 16)) as u16;
    let field = |value: u16, at: usize| u64::from(value.swap_bytes()) << (8 * at);
    put(0, ready(0));
    put(8, ready(8) | u64::from(ecn) << 56);
    put(16, ready(16) | field(total_length, 0));
    put(24, addressed & !0xffff | field(checksum, 0));
    put(32, ready(32) | field(source_port(next_hop, flow.hash), 2) | field(udp_length, 6));
    put(40, ready(40));
    put(42, ready(42));
}
