//! The outer headers go; what remains is a tenant's frame, checked as one that came from an access port is.

use tables::Flags;
use types::DropReason;
use wire::{Ecn, EtherType, InnerIp, TagStack, macs};

use crate::access::check_shape;
use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

/// Decapsulates every pending packet; returns what is special about the VN of any of them.
#[inline(never)]
pub fn decapsulate<P: Packet>(pipeline: &Pipeline<'_>, burst: &mut Burst<P>, metas: &mut [Meta]) -> Flags {
    let mut special = Flags::NONE;
    for (packet, meta) in burst.iter_mut().zip(metas) {
        if !meta.is_pending() {
            continue;
        }
        packet.trim_front(meta.outer_length.into());
        match inner(pipeline, packet.data(), meta) {
            Ok(flags) if meta.outer_class & Ecn::MASK != 0 || meta.reserved || flags.has(Flags::DSCP_OUT) => {
                meta.verdict = agree(packet, meta, flags).map_or_else(Verdict::Drop, |()| Verdict::Pending);
                special = special.with(flags);
            }
            Ok(flags) => special = special.with(flags),
            Err(verdict) => meta.verdict = verdict,
        }
    }
    special
}

/// What the outer header says besides, and what that does to the tenant's frame.
#[inline(never)]
fn agree<P: Packet>(packet: &mut P, meta: &Meta, flags: Flags) -> Result<(), DropReason> {
    // RFC 7348, 5, and RFC 8926, 3.4, let a receiver ignore them; a strict VN does not.
    if meta.reserved && flags.has(Flags::STRICT) {
        return Err(DropReason::ReservedBits);
    }
    let Some(ip) = InnerIp::find(packet.data()) else { return Ok(()) };
    let inner = ip.class(packet.data());
    let ecn = Ecn::decap(Ecn::of(inner), Ecn::of(meta.outer_class)).ok_or(DropReason::Ecn)?;
    // RFC 2983: a pipe leaves the tenant's DSCP alone, the uniform model hands the outer one on.
    let dscp = if flags.has(Flags::DSCP_OUT) { meta.outer_class } else { inner } & !Ecn::MASK;
    if dscp | ecn as u8 != inner {
        ip.set_class(packet.data_mut(), dscp | ecn as u8);
    }
    Ok(())
}

/// Checks a tenant's frame, and notes whether that is a group and whether the frame is tagged.
#[inline(always)]
fn inner(pipeline: &Pipeline<'_>, frame: &[u8], meta: &mut Meta) -> Result<Flags, Verdict> {
    let (start, payload) = frame.split_first_chunk().ok_or(Verdict::Drop(DropReason::Truncated))?;
    let (destination, source) = macs(start);
    if destination.is_link_local() {
        return Err(Verdict::Drop(DropReason::LinkLocal));
    }
    if !source.is_station() {
        return Err(Verdict::Drop(DropReason::SourceInvalid));
    }
    let vn = pipeline.snapshot.vn(meta.vn).ok_or(Verdict::Drop(DropReason::UnknownVni))?;
    let ether_type = u16::from_be_bytes([start[12], start[13]]);
    if EtherType::is_tag(ether_type) {
        meta.tagged = true;
        tagged(ether_type, payload, vn.max_frame)?;
    } else {
        check_shape(ether_type, payload, vn.max_frame)?;
    }
    meta.group = destination.is_group();
    meta.flags = vn.flags;
    Ok(vn.flags)
}

/// Checks the shape of a tagged frame. Whether its tags are welcome is for the VAP to say that it goes to (RFC 7348, 6.1: not unless configured).
#[inline(never)]
fn tagged(tpid: u16, rest: &[u8], max_frame: u16) -> Result<(), Verdict> {
    let tags = TagStack::parse(tpid, rest).ok_or(Verdict::Drop(DropReason::Truncated))?;
    check_shape(tags.ether_type, &rest[usize::from(tags.length)..], max_frame)
}
