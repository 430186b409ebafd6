//! Learning from tunnels: which NVE a MAC is behind, going by what comes from it (RFC 7348, 4.1), in VNs that are set to learn.
//!
//! Nothing is learned here: a MAC whose row does not say that it is where the packet came from is told, and whoever programs the rows decides.

use core::net::IpAddr;

use tables::{Destination, Flags, NextHopIndex, Peers, Snapshot, Source};
use types::{MacAddr, PortId};

use crate::burst::{Burst, Pipeline};
use crate::meta::Meta;
use crate::packet::{Packet, Place, Sighting, Sink};

/// Looks at every inner source MAC of a VN that learns: one whose row names the sender is marked as seen, another is told.
#[inline(never)]
pub fn learn<P: Packet, S: Sink<P>>(
    pipeline: &Pipeline<'_>,
    port: PortId,
    burst: &Burst<P>,
    metas: &[Meta],
    sink: &mut S,
) {
    let concerned = |meta: &Meta| meta.flags.has(Flags::LEARN_REMOTE) && meta.is_pending();
    for (packet, meta) in burst.iter().zip(metas).filter(|(_, meta)| concerned(meta)) {
        let (row, sender) = (pipeline.fdb.finish_row(meta.source), meta.outer_source.source());
        let here = row.filter(|row| match Destination::unpack(row.value) {
            Destination::NextHop(next_hop) => is_behind(pipeline.snapshot, next_hop, sender),
            Destination::Group(group) => pipeline.snapshot.group(group).is_some_and(|entry| {
                entry.places.iter().any(|next_hop| is_behind(pipeline.snapshot, *next_hop, sender))
            }),
            Destination::Vap(_) => false,
        });
        match here {
            Some(row) => row.mark(pipeline.era),
            None => tell(port, packet, meta, sink),
        }
    }
}

#[cold]
fn tell<P: Packet, S: Sink<P>>(port: PortId, packet: &P, meta: &Meta, sink: &mut S) {
    // Of an IPv6 sender only the number is known here, and none at all of one that is no NVE of any VN.
    if let (Source::V4(sender), Some(mac)) =
        (meta.outer_source.source(), packet.data().get(6..).and_then(<[u8]>::first_chunk))
    {
        sink.seen(Sighting { port, vn: meta.vn, mac: MacAddr(*mac), place: Place::Nve(sender.into()) });
    }
}

/// Whether the sender is the NVE behind a next hop.
#[inline]
fn is_behind(snapshot: &Snapshot, next_hop: NextHopIndex, sender: Source) -> bool {
    match (snapshot.remote(next_hop), sender) {
        (Some(IpAddr::V4(remote)), Source::V4(sender)) => remote == sender,
        (Some(IpAddr::V6(remote)), Source::V6(sender)) => {
            sender != Peers::NOBODY && snapshot.peers.number(remote) == sender
        }
        _ => false,
    }
}
