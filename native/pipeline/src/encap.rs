//! Access to underlay: the next hop's ready-made outer header goes before the tenant's frame.

use tables::{NextHopEntry, NextHopIndex, OUTER_HEADER_ROOM, Snapshot, prefetch};
use types::DropReason;
use wire::{FromBytes, OuterHeader, VXLAN_OVERHEAD, flow_hash};

use crate::packet::Packet;

/// Asks for the next hop's line to be loaded.
#[inline]
pub fn prefetch_next_hop(snapshot: &Snapshot, index: NextHopIndex) {
    if let Some(entry) = snapshot.next_hop(index) {
        prefetch(entry);
    }
}

/// The next hop, if a frame of `length` bytes can be sent to it now.
#[inline(always)]
fn usable(
    snapshot: &Snapshot,
    index: NextHopIndex,
    length: usize,
) -> Result<(&NextHopEntry, &OuterHeader), DropReason> {
    let Some(next_hop) = snapshot.next_hop(index) else { return Err(DropReason::NeighbourUnresolved) };
    if usize::from(next_hop.header_length) != VXLAN_OVERHEAD {
        return Err(DropReason::NeighbourUnresolved);
    }
    if length > usize::from(next_hop.max_frame) {
        return Err(DropReason::UnderlayMtu);
    }
    let header =
        OuterHeader::ref_from_bytes(&next_hop.header[..VXLAN_OVERHEAD]).map_err(|_| DropReason::NeighbourUnresolved)?;
    Ok((next_hop, header))
}

/// Encapsulates an untagged tenant frame for a next hop; returns the port to leave by.
#[inline(always)]
pub fn encapsulate<P: Packet>(snapshot: &Snapshot, packet: &mut P, index: NextHopIndex) -> Result<u16, DropReason> {
    let frame = packet.data();
    let length = frame.len();
    let (next_hop, header) = usable(snapshot, index, length)?;
    let hash = flow_hash(frame);
    let room = packet.prepend::<VXLAN_OVERHEAD>().ok_or(DropReason::NoHeadroom)?;
    header.emit(room, length, hash);
    Ok(next_hop.port)
}

/// Where an outer header is put together that is to precede a frame which must not be changed.
pub type HeaderRoom = [u8; OUTER_HEADER_ROOM];

/// Writes into `room` what [`encapsulate`] puts before `frame`, whose flow hash is `hash`; returns the port to leave by, and the header.
#[inline]
pub fn header_for<'r>(
    snapshot: &Snapshot,
    frame: &[u8],
    hash: u32,
    index: NextHopIndex,
    room: &'r mut HeaderRoom,
) -> Result<(u16, &'r [u8]), DropReason> {
    let (next_hop, header) = usable(snapshot, index, frame.len())?;
    let room = room.first_chunk_mut::<VXLAN_OVERHEAD>().ok_or(DropReason::NoHeadroom)?;
    header.emit(room, frame.len(), hash);
    Ok((next_hop.port, room))
}
