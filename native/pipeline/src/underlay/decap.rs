//! The outer headers go; what remains is a tenant's frame, checked as one that came from an access port is.

use tables::{FdbKey, Flags};
use types::{DropReason, MacAddr};
use wire::{EtherType, EthernetHeader, FromBytes, OUTER_MIN, TagStack};

use crate::access::check_shape;
use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

/// Decapsulates every pending packet and begins to look its FDB row up; returns what is special about the VN of any of them.
#[inline(never)]
pub fn decapsulate<P: Packet>(pipeline: &Pipeline<'_>, burst: &mut Burst<P>, metas: &mut [Meta]) -> Flags {
    let mut special = Flags::NONE;
    for (packet, meta) in burst.iter_mut().zip(metas).filter(|(_, meta)| meta.is_pending()) {
        packet.trim_front(OUTER_MIN);
        match inner(pipeline, packet.data(), meta) {
            Ok(flags) => special = special.with(flags),
            Err(verdict) => meta.verdict = verdict,
        }
    }
    special
}

/// Begins to look up where a tenant's frame goes, and notes whether that is a group and whether the frame is tagged.
#[inline(always)]
fn inner(pipeline: &Pipeline<'_>, frame: &[u8], meta: &mut Meta) -> Result<Flags, Verdict> {
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
    let ether_type = ethernet.ether_type.get();
    if EtherType::is_tag(ether_type) {
        meta.tagged = true;
        tagged(ether_type, payload, vn.max_frame)?;
    } else {
        check_shape(ether_type, payload, vn.max_frame)?;
    }
    meta.group = destination.is_group();
    meta.flags = vn.flags;
    if vn.flags.has(Flags::LEARN_REMOTE) {
        meta.source = pipeline.fdb.begin(FdbKey::new(meta.vn, MacAddr(ethernet.source)));
    }
    meta.destination = pipeline.fdb.begin(FdbKey::new(meta.vn, destination));
    Ok(vn.flags)
}

/// Checks the shape of a tagged frame. Whether its tags are welcome is for the VAP to say that it goes to (RFC 7348, 6.1: not unless configured).
#[inline(never)]
fn tagged(tpid: u16, rest: &[u8], max_frame: u16) -> Result<(), Verdict> {
    let tags = TagStack::parse(tpid, rest).ok_or(Verdict::Drop(DropReason::Truncated))?;
    check_shape(tags.ether_type, &rest[usize::from(tags.length)..], max_frame)
}
