//! Port and tag give the VAP, and the VAP gives the VN (RFC 8014, 3.2 and 4.2).

use tables::{AccessPort, FdbKey, Index, Snapshot};
use types::{DropReason, MacAddr};
use wire::{ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, VlanTag, claimed_ip_length};

use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::{Packet, PuntClass};

/// Finds VAP and VN of every packet, checks the frame's shape, and begins to look its FDB rows up.
#[inline(never)]
pub fn classify<P: Packet>(pipeline: &Pipeline<'_>, port: &AccessPort, burst: &Burst<P>, metas: &mut [Meta]) {
    for (packet, meta) in burst.iter().zip(metas) {
        let result = match packet.is_segmented() {
            false => classify_one(pipeline, port, packet.data(), meta),
            true => Err(Verdict::Drop(DropReason::Segmented)),
        };
        if let Err(verdict) = result {
            meta.verdict = verdict;
        }
    }
}

#[inline(always)]
fn classify_one(pipeline: &Pipeline<'_>, port: &AccessPort, frame: &[u8], meta: &mut Meta) -> Result<(), Verdict> {
    let (ethernet, rest) = EthernetHeader::ref_from_prefix(frame).map_err(|_| Verdict::Drop(DropReason::Truncated))?;
    let destination = MacAddr(ethernet.destination);
    // Before the tag: LLDP and its kind are about the link, and untagged on it.
    if destination.is_link_local() {
        return Err(Verdict::Punt(PuntClass::LinkLocal));
    }
    let Selected { vap: index, tagged, ether_type, payload } = select(port, ethernet.ether_type.get(), rest)?;
    let vap = pipeline.snapshot.vap(index);
    let vn = pipeline.snapshot.vn(vap.vn).ok_or(Verdict::Drop(DropReason::UnknownTag))?;
    pipeline.counters.vap_in(index, frame.len());

    check_shape(ether_type, payload, vn.max_frame)?;
    let source = MacAddr(ethernet.source);
    if !source.is_station() {
        return Err(Verdict::Drop(DropReason::SourceInvalid));
    }
    meta.vn = vap.vn;
    meta.vap = index;
    meta.tagged = tagged;
    meta.group = destination.is_group();
    meta.guard = vap.guard;
    meta.destination = pipeline.fdb.begin(FdbKey::new(vap.vn, destination));
    if vap.guard {
        meta.source = pipeline.fdb.begin(FdbKey::new(vap.vn, source));
    }
    Ok(())
}

/// The VAP of a frame, whether a tag named it, and what is behind that tag.
struct Selected<'f> {
    vap: Index,
    tagged: bool,
    ether_type: u16,
    payload: &'f [u8],
}

#[inline(always)]
fn select<'f>(port: &AccessPort, ether_type: u16, rest: &'f [u8]) -> Result<Selected<'f>, Verdict> {
    match ether_type {
        EtherType::C_TAG => {
            let (tag, payload) = VlanTag::ref_from_prefix(rest).map_err(|_| Verdict::Drop(DropReason::Truncated))?;
            let vid = tag.vid();
            // VID 0 is a priority tag: the frame counts as untagged (802.1Q, 6.9.1).
            let (vap, reason) = match vid {
                0 => (port.untagged, DropReason::Untagged),
                _ => (port.c_tag[usize::from(vid)], DropReason::UnknownTag),
            };
            some(vap, reason)?;
            Ok(Selected { vap, tagged: true, ether_type: tag.ether_type.get(), payload })
        }
        EtherType::S_TAG => Err(Verdict::Drop(DropReason::UnexpectedStag)),
        _ => {
            some(port.untagged, DropReason::Untagged)?;
            Ok(Selected { vap: port.untagged, tagged: false, ether_type, payload: rest })
        }
    }
}

#[inline]
fn some(index: Index, reason: DropReason) -> Result<(), Verdict> {
    if index == Snapshot::NONE { Err(Verdict::Drop(reason)) } else { Ok(()) }
}

/// What holds for a tenant's frame on either side of the tunnel: no tag of its own (RFC 7348, 6.1: a tag is neither put into a
/// tunnel nor accepted from one unless configured), as long as its IP header says, and not longer than the VN allows.
#[inline(always)]
pub fn check_shape(ether_type: u16, payload: &[u8], max_frame: u16) -> Result<(), Verdict> {
    if EtherType::is_tag(ether_type) {
        return Err(Verdict::Drop(DropReason::TenantTag));
    }
    if claimed_ip_length(ether_type, payload).is_some_and(|claimed| claimed > payload.len()) {
        return Err(Verdict::Drop(DropReason::Truncated));
    }
    if payload.len() + ETHERNET_HEADER > usize::from(max_frame) {
        return Err(Verdict::Drop(DropReason::VnMtu));
    }
    Ok(())
}
