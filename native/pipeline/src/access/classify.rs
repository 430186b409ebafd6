//! Port and tag give the VAP, and the VAP gives the VN (RFC 8014, 3.2 and 4.2).

use tables::{AccessPort, FdbKey, Index, Snapshot};
use types::{DropReason, MacAddr};
use wire::{ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, VLAN_TAG, VlanTag, claimed_ip_length};

use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::{Packet, PuntClass};

/// Finds VAP and VN of every packet, checks the frame's shape, and prefetches its FDB rows.
pub fn classify<P: Packet>(pipeline: &Pipeline<'_>, port: &AccessPort, burst: &Burst<P>, metas: &mut [Meta]) {
    for (packet, meta) in burst.iter().zip(metas) {
        if packet.is_segmented() {
            meta.verdict = Verdict::Drop(DropReason::Segmented);
            continue;
        }
        match classify_one(pipeline, port, packet.data(), meta) {
            Ok(()) => {
                if meta.guard {
                    meta.source_hash = pipeline.fdb.prefetch(meta.source);
                }
                if !meta.destination.mac.is_group() {
                    meta.destination_hash = pipeline.fdb.prefetch(meta.destination);
                }
            }
            Err(verdict) => meta.verdict = verdict,
        }
    }
}

#[inline]
fn classify_one(pipeline: &Pipeline<'_>, port: &AccessPort, frame: &[u8], meta: &mut Meta) -> Result<(), Verdict> {
    let (ethernet, rest) = EthernetHeader::ref_from_prefix(frame).map_err(|_| Verdict::Drop(DropReason::Truncated))?;
    let destination = MacAddr(ethernet.destination);
    // Before the tag: LLDP and its kind are about the link, and untagged on it.
    if destination.is_link_local() {
        return Err(Verdict::Punt(PuntClass::LinkLocal));
    }
    let (index, tag, ether_type) = select(port, ethernet.ether_type.get(), rest)?;
    let vap = pipeline.snapshot.vap(index);
    let vn = pipeline.snapshot.vn(vap.vn).ok_or(Verdict::Drop(DropReason::UnknownTag))?;
    pipeline.counters.vap_in(index, frame.len());

    let payload = &frame[ETHERNET_HEADER + usize::from(tag)..];
    check_shape(ether_type, payload, vn.max_frame)?;
    let source = MacAddr(ethernet.source);
    if !source.is_station() {
        return Err(Verdict::Drop(DropReason::SourceInvalid));
    }
    meta.vap = index;
    meta.vn = vap.vn;
    meta.tag = tag;
    meta.guard = vap.guard;
    meta.source = FdbKey { vn: vap.vn, mac: source };
    meta.destination = FdbKey { vn: vap.vn, mac: destination };
    Ok(())
}

/// The VAP of a frame, the bytes of the tag that named it, and the EtherType behind that tag.
#[inline]
fn select(port: &AccessPort, ether_type: u16, rest: &[u8]) -> Result<(Index, u8, u16), Verdict> {
    match ether_type {
        EtherType::C_TAG => {
            let (tag, _) = VlanTag::ref_from_prefix(rest).map_err(|_| Verdict::Drop(DropReason::Truncated))?;
            let vid = tag.vid();
            // VID 0 is a priority tag: the frame counts as untagged (802.1Q, 6.9.1).
            let (index, reason) = match vid {
                0 => (port.untagged, DropReason::Untagged),
                _ => (port.c_tag[usize::from(vid)], DropReason::UnknownTag),
            };
            some(index, reason).map(|index| (index, VLAN_TAG as u8, tag.ether_type.get()))
        }
        EtherType::S_TAG => Err(Verdict::Drop(DropReason::UnexpectedStag)),
        _ => some(port.untagged, DropReason::Untagged).map(|index| (index, 0, ether_type)),
    }
}

#[inline]
fn some(index: Index, reason: DropReason) -> Result<Index, Verdict> {
    if index == Snapshot::NONE { Err(Verdict::Drop(reason)) } else { Ok(index) }
}

/// What holds for a tenant's frame on either side of the tunnel: no tag of its own (RFC 7348, 6.1: a tag is neither put into a
/// tunnel nor accepted from one unless configured), as long as its IP header says, and not longer than the VN allows.
#[inline]
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
