//! The outer headers go; what remains is a tenant's frame, checked as one that came from an access port is.

use tables::FdbKey;
use types::{DropReason, MacAddr};
use wire::{EthernetHeader, FromBytes, TagStack, VXLAN_OVERHEAD};

use crate::access::check_shape;
use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

/// Decapsulates every pending packet and prefetches its FDB row.
pub fn decapsulate<P: Packet>(pipeline: &Pipeline<'_>, burst: &mut Burst<P>, metas: &mut [Meta]) {
    for (packet, meta) in burst.iter_mut().zip(metas).filter(|(_, meta)| meta.is_pending()) {
        packet.trim_front(VXLAN_OVERHEAD);
        match inner(pipeline, packet.data(), meta) {
            Ok(()) if meta.destination.mac.is_group() => {}
            Ok(()) => meta.destination_hash = pipeline.fdb.prefetch(meta.destination),
            Err(verdict) => meta.verdict = verdict,
        }
    }
}

#[inline]
fn inner(pipeline: &Pipeline<'_>, frame: &[u8], meta: &mut Meta) -> Result<(), Verdict> {
    let (ethernet, payload) =
        EthernetHeader::ref_from_prefix(frame).map_err(|_| Verdict::Drop(DropReason::Truncated))?;
    let destination = MacAddr(ethernet.destination);
    if destination.is_link_local() {
        return Err(Verdict::Drop(DropReason::LinkLocal));
    }
    if !MacAddr(ethernet.source).is_station() {
        return Err(Verdict::Drop(DropReason::SourceInvalid));
    }
    let vn = pipeline.snapshot.vn(meta.vn).ok_or(Verdict::Drop(DropReason::UnknownVni))?;
    // Whether a tag inside is welcome is for the VAP to say that it goes to (RFC 7348, 6.1: not unless configured).
    let tags = TagStack::parse(ethernet.ether_type.get(), payload).ok_or(Verdict::Drop(DropReason::Truncated))?;
    check_shape(tags.ether_type, &payload[usize::from(tags.length)..], vn.max_frame)?;
    meta.destination = FdbKey { vn: meta.vn, mac: destination };
    Ok(())
}
