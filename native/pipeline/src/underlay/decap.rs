//! The outer headers go; what remains is a tenant's frame, checked as one that came from an access port is.

use tables::{FdbKey, Index};
use types::{DropReason, MacAddr};
use wire::{EtherType, EthernetHeader, FromBytes, TagStack, VXLAN_OVERHEAD};

use crate::access::check_shape;
use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

/// Decapsulates every pending packet and begins to look its FDB row up.
#[inline(never)]
pub fn decapsulate<P: Packet>(pipeline: &Pipeline<'_>, burst: &mut Burst<P>, metas: &mut [Meta]) {
    for (packet, meta) in burst.iter_mut().zip(metas).filter(|(_, meta)| meta.is_pending()) {
        packet.trim_front(VXLAN_OVERHEAD);
        match inner(pipeline, packet.data(), meta.vn) {
            Ok((group, destination)) => {
                meta.group = group;
                meta.destination = pipeline.fdb.begin(destination);
            }
            Err(verdict) => meta.verdict = verdict,
        }
    }
}

/// Where a tenant's frame of `vn` goes, and whether to a group.
#[inline(always)]
fn inner(pipeline: &Pipeline<'_>, frame: &[u8], vn: Index) -> Result<(bool, FdbKey), Verdict> {
    let (ethernet, payload) =
        EthernetHeader::ref_from_prefix(frame).map_err(|_| Verdict::Drop(DropReason::Truncated))?;
    let destination = MacAddr(ethernet.destination);
    if destination.is_link_local() {
        return Err(Verdict::Drop(DropReason::LinkLocal));
    }
    if !MacAddr(ethernet.source).is_station() {
        return Err(Verdict::Drop(DropReason::SourceInvalid));
    }
    let max_frame = pipeline.snapshot.vn(vn).ok_or(Verdict::Drop(DropReason::UnknownVni))?.max_frame;
    let (mut ether_type, mut payload) = (ethernet.ether_type.get(), payload);
    if EtherType::is_tag(ether_type) {
        // Whether a tag inside is welcome is for the VAP to say that it goes to (RFC 7348, 6.1: not unless configured).
        let tags = TagStack::parse(ether_type, payload).ok_or(Verdict::Drop(DropReason::Truncated))?;
        (ether_type, payload) = (tags.ether_type, &payload[usize::from(tags.length)..]);
    }
    check_shape(ether_type, payload, max_frame)?;
    Ok((destination.is_group(), FdbKey::new(vn, destination)))
}
