//! Learning from tunnels: which NVE a MAC is behind, going by what comes from it (RFC 7348, 4.1), in VNs that are set to learn.
//!
//! Nothing is learned here: a MAC whose row does not say that it is where the packet came from is told, and whoever programs the rows decides.

use core::net::{IpAddr, Ipv4Addr};

use tables::{Destination, Flags};
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
        let sender = IpAddr::from(Ipv4Addr::from_bits(meta.outer_source));
        let row = pipeline.fdb.finish_row(meta.source);
        let here = row.filter(|row| match Destination::unpack(row.value) {
            Destination::NextHop(next_hop) => pipeline.snapshot.remote(next_hop) == Some(sender),
            Destination::Vap(_) => false,
        });
        match (here, packet.data().get(6..).and_then(<[u8]>::first_chunk)) {
            (Some(row), _) => row.mark(pipeline.era),
            (None, Some(mac)) => {
                sink.seen(Sighting { port, vn: meta.vn, mac: MacAddr(*mac), place: Place::Nve(sender) });
            }
            (None, None) => {}
        }
    }
}
