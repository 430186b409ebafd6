//! Port and tag give the VAP, and the VAP gives the VN (RFC 8014, 3.2 and 4.2).

use tables::{AccessPort, Flags, Index, Snapshot, TagPolicy};
use types::{DropReason, MacAddr, MacBits};
use wire::{ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, VLAN_TAG, VlanTag, claimed_ip_length, macs};

use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::{Packet, PuntClass};
use crate::tags::tenant_tags;

/// Finds VAP and VN of every packet, and checks the frame's shape; returns what is special about any of them.
#[inline(never)]
pub fn classify<P: Packet>(pipeline: &Pipeline<'_>, port: &AccessPort, burst: &Burst<P>, metas: &mut [Meta]) -> Flags {
    let mut special = Flags::NONE;
    for (packet, meta) in burst.iter().zip(metas) {
        match packet.is_segmented() {
            false => classify_one(pipeline, port, packet.data(), meta),
            true => meta.verdict = Verdict::Drop(DropReason::Segmented),
        }
        special = special.with(meta.flags);
    }
    special
}

/// What most access links carry, a C-TAG that selects a VAP, goes a way of its own: all offsets are known there.
#[inline(always)]
fn classify_one(pipeline: &Pipeline<'_>, port: &AccessPort, frame: &[u8], meta: &mut Meta) {
    let Some((start, rest)) = frame.split_first_chunk() else {
        return meta.verdict = Verdict::Drop(DropReason::Truncated);
    };
    let macs = macs(start);
    let ether_type = u16::from_be_bytes([start[12], start[13]]);
    if ether_type == EtherType::C_TAG
        && !macs.0.is_link_local()
        && let Ok((tag, payload)) = tag(rest)
        && let vap = port.c_tag[usize::from(tag.vid())]
        && vap != Snapshot::NONE
    {
        let selected = Selected { vap, length: TAG, ether_type: tag.ether_type.get(), payload };
        return belongs(pipeline, macs, frame.len(), selected, meta);
    }
    otherwise(pipeline, port, frame, meta);
}

/// The same, whatever the frame is.
#[inline(never)]
fn otherwise(pipeline: &Pipeline<'_>, port: &AccessPort, frame: &[u8], meta: &mut Meta) {
    let Some((start, rest)) = frame.split_first_chunk() else {
        return meta.verdict = Verdict::Drop(DropReason::Truncated);
    };
    let macs = macs(start);
    match select(port, macs.0, u16::from_be_bytes([start[12], start[13]]), rest) {
        Ok(selected) => belongs(pipeline, macs, frame.len(), selected, meta),
        Err(verdict) => meta.verdict = verdict,
    }
}

/// Notes whose a frame of `length` bytes is, and checks its shape.
#[inline(always)]
fn belongs(
    pipeline: &Pipeline<'_>,
    (destination, source): (MacBits, MacBits),
    length: usize,
    selected: Selected<'_>,
    meta: &mut Meta,
) {
    let vap = pipeline.snapshot.vap(selected.vap);
    let Some(vn) = pipeline.snapshot.vn(vap.vn) else {
        return meta.verdict = Verdict::Drop(DropReason::UnknownTag);
    };
    pipeline.counters.vap_in(selected.vap, length);

    // What follows the selecting tags is the tenant's frame, with the tenant's own tags at its front.
    let Selected { length, ether_type, payload, .. } = selected;
    meta.strip = length;
    meta.vn = vap.vn;
    meta.vap = selected.vap;
    meta.flags = vap.flags.with(vn.flags);
    meta.group = destination.is_group();
    let shape = match EtherType::is_tag(ether_type) {
        false => check_shape(ether_type, payload, vn.max_frame),
        true => tagged(&vap.tags, ether_type, payload, vn.max_frame, meta),
    };
    if let Err(verdict) = shape {
        meta.verdict = verdict;
    } else if !source.is_station() {
        meta.verdict = Verdict::Drop(DropReason::SourceInvalid);
    }
}

/// Applies the VAP's policy to the tenant's own tags, which begin with `tpid`, and checks the frame's shape.
#[inline(never)]
fn tagged(policy: &TagPolicy, tpid: u16, rest: &[u8], max_frame: u16, meta: &mut Meta) -> Result<(), Verdict> {
    let (tags, stripped) = tenant_tags(policy, tpid, rest).map_err(Verdict::Drop)?;
    meta.strip += stripped;
    // Behind the two that are looked at there may be more: they go through the policy of the VAP that the frame leaves by.
    meta.tagged = stripped != tags.length || EtherType::is_tag(tags.ether_type);
    check_shape(tags.ether_type, &rest[usize::from(tags.length)..], max_frame)
}

/// The VAP of a frame, the bytes of the tags that selected it, and what is behind them.
struct Selected<'f> {
    vap: Index,
    length: u8,
    ether_type: u16,
    payload: &'f [u8],
}

/// Whether a frame that is to leave by `port` would come back as that of `vap`, or of no VAP at all. One that another VAP's frames look like
/// would be taken for them at the other end of the link, and one that is about the link for the control plane's.
#[inline(never)]
pub fn leaves_as(port: &AccessPort, vap: Index, frame: &[u8]) -> Result<(), DropReason> {
    let (ethernet, rest) = EthernetHeader::ref_from_prefix(frame).map_err(|_| DropReason::Truncated)?;
    match select(port, MacAddr(ethernet.destination).bits(), ethernet.ether_type.get(), rest) {
        Ok(selected) if selected.vap != vap => Err(DropReason::TenantTag),
        Err(Verdict::Punt(_)) => Err(DropReason::LinkLocal),
        _ => Ok(()),
    }
}

/// The VAP of a frame on the link of `port`; none if it is nobody's, or about the link.
pub fn vap_of(port: &AccessPort, frame: &[u8]) -> Option<Index> {
    let (ethernet, rest) = EthernetHeader::ref_from_prefix(frame).ok()?;
    let selected = select(port, MacAddr(ethernet.destination).bits(), ethernet.ether_type.get(), rest).ok()?;
    Some(selected.vap)
}

/// The most specific selector that a frame fits.
#[inline(always)]
fn select<'f>(
    port: &AccessPort,
    destination: MacBits,
    outermost: u16,
    rest: &'f [u8],
) -> Result<Selected<'f>, Verdict> {
    match outermost {
        EtherType::C_TAG => c_tagged(port, destination, rest),
        EtherType::S_TAG => s_tagged(port, destination, rest),
        ether_type => untagged(port, destination, ether_type, rest),
    }
}

const TAG: u8 = VLAN_TAG as u8;

/// A tag, and what is behind it.
#[inline(always)]
fn tag(rest: &[u8]) -> Result<(&VlanTag, &[u8]), Verdict> {
    VlanTag::ref_from_prefix(rest).map_err(|_| Verdict::Drop(DropReason::Truncated))
}

#[inline(always)]
fn c_tagged<'f>(port: &AccessPort, destination: MacBits, rest: &'f [u8]) -> Result<Selected<'f>, Verdict> {
    if destination.is_link_local() {
        return Err(Verdict::Punt(PuntClass::LinkLocal));
    }
    let (tag, payload) = tag(rest)?;
    match port.c_tag[usize::from(tag.vid())] {
        Snapshot::NONE => {
            let reason = if tag.vid() == 0 { DropReason::Untagged } else { DropReason::UnknownTag };
            whole(port, EtherType::C_TAG, rest, reason)
        }
        vap => Ok(Selected { vap, length: TAG, ether_type: tag.ether_type.get(), payload }),
    }
}

#[inline(always)]
fn untagged<'f>(
    port: &AccessPort,
    destination: MacBits,
    ether_type: u16,
    rest: &'f [u8],
) -> Result<Selected<'f>, Verdict> {
    about_the_link(port, destination, ether_type)?;
    match port.untagged {
        Snapshot::NONE => whole(port, ether_type, rest, DropReason::Untagged),
        vap => Ok(Selected { vap, length: 0, ether_type, payload: rest }),
    }
}

/// An S-TAG with a C-TAG behind it is more specific than the S-TAG alone.
#[inline(never)]
fn s_tagged<'f>(port: &AccessPort, destination: MacBits, rest: &'f [u8]) -> Result<Selected<'f>, Verdict> {
    let (outer, payload) = tag(rest)?;
    let ether_type = outer.ether_type.get();
    about_the_link(port, destination, ether_type)?;
    let Some(s_tags) = &port.s_tag else { return whole(port, EtherType::S_TAG, rest, DropReason::UnexpectedStag) };
    let s_vid = usize::from(outer.vid());
    if let (EtherType::C_TAG, Some(behind)) = (ether_type, &s_tags.with_c[s_vid]) {
        let (inner, payload) = tag(payload)?;
        let vap = behind[usize::from(inner.vid())];
        if vap != Snapshot::NONE {
            return Ok(Selected { vap, length: 2 * TAG, ether_type: inner.ether_type.get(), payload });
        }
    }
    match s_tags.alone[s_vid] {
        Snapshot::NONE => whole(port, EtherType::S_TAG, rest, DropReason::UnknownTag),
        vap => Ok(Selected { vap, length: TAG, ether_type, payload }),
    }
}

/// The VAP of what no other selector takes, or why there is none.
#[inline(always)]
fn whole<'f>(port: &AccessPort, ether_type: u16, rest: &'f [u8], reason: DropReason) -> Result<Selected<'f>, Verdict> {
    match port.whole {
        Snapshot::NONE => Err(Verdict::Drop(reason)),
        vap => Ok(Selected { vap, length: 0, ether_type, payload: rest }),
    }
}

/// Whether a frame, untagged or within an S-channel, is about the link and not from a tenant: what bridges do not forward, and LLDP and ECP
/// to this port or to a group (802.1Q, 42 and 43). Everything else is the tenants'.
#[inline(always)]
fn about_the_link(port: &AccessPort, destination: MacBits, ether_type: u16) -> Result<(), Verdict> {
    let class = match ether_type {
        EtherType::LLDP => PuntClass::Lldp,
        EtherType::ECP => PuntClass::Ecp,
        _ if destination.is_link_local() => return Err(Verdict::Punt(PuntClass::LinkLocal)),
        _ => return Ok(()),
    };
    if destination.is_group() || destination == port.mac.bits() { Err(Verdict::Punt(class)) } else { Ok(()) }
}

/// What holds for a tenant's frame on either side of the tunnel: it is as long as its IP header says, and its payload not longer than the
/// VN allows. `ether_type` and `payload` are those behind all tags.
#[inline(always)]
pub fn check_shape(ether_type: u16, payload: &[u8], max_frame: u16) -> Result<(), Verdict> {
    if claimed_ip_length(ether_type, payload).is_some_and(|claimed| claimed > payload.len()) {
        return Err(Verdict::Drop(DropReason::Truncated));
    }
    if payload.len() + ETHERNET_HEADER > usize::from(max_frame) {
        return Err(Verdict::TooBig(DropReason::VnMtu, max_frame));
    }
    Ok(())
}
