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
    let frame = packet.data();
    let length = frame.len();
    let Some(next_hop) = snapshot.next_hop(index) else { return Err(DropReason::NeighbourUnresolved) };
    if usize::from(next_hop.header_length) != VXLAN_OVERHEAD {
        return Err(next_hop.why());
    }
    if length > usize::from(next_hop.max_frame) {
        return Err(DropReason::UnderlayMtu);
    }
    let header =
        OuterHeader::ref_from_bytes(&next_hop.header[..VXLAN_OVERHEAD]).map_err(|_| DropReason::NeighbourUnresolved)?;
    let hash = flow_hash(frame);
    let room = packet.prepend::<VXLAN_OVERHEAD>().ok_or(DropReason::NoHeadroom)?;
    header.emit(room, length, hash);
    Ok(next_hop.port)
}

/// A frame that must not be changed, as the packet that its outer header is made for: what is put before it lies apart from it.
pub struct Apart<'f> {
    frame: &'f [u8],
    room: [u8; ROOM],
    start: usize,
}

/// As much as a packet buffer has before a frame.
const ROOM: usize = 128;

impl<'f> Apart<'f> {
    /// Nothing is put before `frame` yet.
    pub fn new(frame: &'f [u8]) -> Self {
        Self { frame, room: [0; ROOM], start: ROOM }
    }

    /// What was put before the frame.
    pub fn header(&self) -> &[u8] {
        &self.room[self.start..]
    }
}

impl Packet for Apart<'_> {
    /// The frame; once something is before it, that alone.
    fn data(&self) -> &[u8] {
        if self.start == ROOM { self.frame } else { self.header() }
    }
    fn data_mut(&mut self) -> &mut [u8] {
        &mut self.room[self.start..]
    }
    fn prepend<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.start = self.start.checked_sub(N)?;
        self.room[self.start..].first_chunk_mut()
    }
    fn trim_front(&mut self, length: usize) {
        self.start = ROOM.min(self.start + length);
    }
    /// Not asked of a frame that is being encapsulated.
    fn truncate(&mut self, _length: usize) {}
    fn is_segmented(&self) -> bool {
        false
    }
    fn prefetch(&self) {}
}
