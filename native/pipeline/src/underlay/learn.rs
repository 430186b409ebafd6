//! Learning from tunnels: which NVE a MAC is behind, going by what comes from it (RFC 7348, 4.1), in VNs that are set to learn.
//!
//! Nothing is learned here: a MAC whose row does not say that it is where the packet came from is told, and whoever programs the rows decides.

use core::net::IpAddr;

use tables::{Destination, Flags};
use types::{MacAddr, PortId};
use wire::{EtherType, EthernetHeader, FromBytes, Ipv4Header, Ipv6Header};

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
        let row = pipeline.fdb.finish_row(meta.source);
        // Of an IPv6 sender the tables know a number at best, and of one that is no NVE of any VN none.
        let Some(sender) = packet.trimmed(meta.outer_length.into()).and_then(outer_source) else { continue };
        let is_behind = |next_hop| pipeline.snapshot.remote(next_hop) == Some(sender);
        let here = row.filter(|row| match Destination::unpack(row.value) {
            Destination::NextHop(next_hop) => is_behind(next_hop),
            Destination::Group(group) => {
                let entry = pipeline.snapshot.group(group);
                entry.is_some_and(|entry| entry.places.iter().any(|next_hop| is_behind(*next_hop)))
            }
            Destination::Vap(_) => false,
        });
        match here {
            Some(row) => row.mark(pipeline.era),
            None => tell(port, packet, meta, sender, sink),
        }
    }
}

#[cold]
fn tell<P: Packet, S: Sink<P>>(port: PortId, packet: &P, meta: &Meta, sender: IpAddr, sink: &mut S) {
    if let Some(mac) = packet.data().get(6..).and_then(<[u8]>::first_chunk) {
        sink.seen(Sighting { port, vn: meta.vn, mac: MacAddr(*mac), place: Place::Nve(sender) });
    }
}

/// Who sent a tunnelled packet, which begins with these outer headers; they have been checked.
pub fn outer_source(outer: &[u8]) -> Option<IpAddr> {
    let (ethernet, packet) = EthernetHeader::ref_from_prefix(outer).ok()?;
    match ethernet.ether_type.get() {
        EtherType::IPV4 => Ipv4Header::ref_from_prefix(packet).ok().map(|(ip, _)| ip.source_ip().into()),
        EtherType::IPV6 => Ipv6Header::ref_from_prefix(packet).ok().map(|(ip, _)| ip.source_ip().into()),
        _ => None,
    }
}
