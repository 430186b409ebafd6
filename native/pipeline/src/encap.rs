//! Access to underlay: the next hop's ready-made outer header goes before the tenant's frame.

use tables::{NextHopIndex, Snapshot, prefetch};
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

/// Encapsulates an untagged tenant frame for a next hop; returns the port to leave by.
#[inline(always)]
pub fn encapsulate<P: Packet>(snapshot: &Snapshot, packet: &mut P, index: NextHopIndex) -> Result<u16, DropReason> {
    let Some(next_hop) = snapshot.next_hop(index) else { return Err(DropReason::NeighbourUnresolved) };
    if usize::from(next_hop.header_length) != VXLAN_OVERHEAD {
        return Err(DropReason::NeighbourUnresolved);
    }
    let frame = packet.data();
    let length = frame.len();
    if length > usize::from(next_hop.max_frame) {
        return Err(DropReason::UnderlayMtu);
    }
    let hash = flow_hash(frame);
    let header =
        OuterHeader::ref_from_bytes(&next_hop.header[..VXLAN_OVERHEAD]).map_err(|_| DropReason::NeighbourUnresolved)?;
    let room = packet.prepend::<VXLAN_OVERHEAD>().ok_or(DropReason::NoHeadroom)?;
    header.emit(room, length, hash);
    Ok(next_hop.port)
}
