//! Port and tag give the VAP, and the VAP gives the VN (RFC 8014, 3.2 and 4.2).

use tables::{AccessPort, FdbKey, Index, STags, Snapshot};
use types::{DropReason, MacAddr};
use wire::{ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, TagStack, VLAN_TAG, VlanTag, claimed_ip_length};

use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::{Packet, PuntClass};
use crate::tags::policy;

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
    let drop = |reason| Verdict::Drop(reason);
    let (ethernet, rest) = EthernetHeader::ref_from_prefix(frame).map_err(|_| drop(DropReason::Truncated))?;
    let destination = MacAddr(ethernet.destination);
    let outermost = ethernet.ether_type.get();
    if let Some(class) = control(port, destination, outermost, rest) {
        return Err(Verdict::Punt(class));
    }
    let Selected { vap: index, length } = select(port, outermost, rest)?;
    let vap = pipeline.snapshot.vap(index);
    let vn = pipeline.snapshot.vn(vap.vn).ok_or(drop(DropReason::UnknownTag))?;
    pipeline.counters.vap_in(index, frame.len());

    // What follows the selecting tags is the tenant's frame, with the tenant's own tags at its front.
    let tenant = &frame[ETHERNET_HEADER - 2 + usize::from(length)..];
    let (ether_type, rest) = tenant.split_first_chunk::<2>().ok_or(drop(DropReason::Truncated))?;
    let mut ether_type = u16::from_be_bytes(*ether_type);
    let (mut payload, mut strip) = (rest, 0);
    if EtherType::is_tag(ether_type) {
        let tags = TagStack::parse(ether_type, rest).ok_or(drop(DropReason::Truncated))?;
        strip = policy(&vap.tags, &tags).map_err(drop)?;
        (ether_type, payload) = (tags.ether_type, &rest[usize::from(tags.length)..]);
    }
    check_shape(ether_type, payload, vn.max_frame)?;
    let source = MacAddr(ethernet.source);
    if !source.is_station() {
        return Err(drop(DropReason::SourceInvalid));
    }
    meta.vn = vap.vn;
    meta.vap = index;
    meta.strip = length + strip;
    meta.group = destination.is_group();
    meta.check_source = vap.guard || vap.learn;
    meta.reflect = vap.reflect;
    meta.destination = pipeline.fdb.begin(FdbKey::new(vap.vn, destination));
    if meta.check_source {
        meta.source = pipeline.fdb.begin(FdbKey::new(vap.vn, source));
    }
    Ok(())
}

/// The class of a frame that is about the link and not from a tenant: what bridges do not forward, and LLDP and ECP to this port or to a
/// group, untagged or within an S-channel (802.1Q, 42 and 43). Everything else is the tenants'.
#[inline(always)]
fn control(port: &AccessPort, destination: MacAddr, outermost: u16, rest: &[u8]) -> Option<PuntClass> {
    let ether_type = match outermost {
        EtherType::S_TAG => VlanTag::ref_from_prefix(rest).ok()?.0.ether_type.get(),
        _ => outermost,
    };
    let class = match ether_type {
        EtherType::LLDP => PuntClass::Lldp,
        EtherType::ECP => PuntClass::Ecp,
        _ => return destination.is_link_local().then_some(PuntClass::LinkLocal),
    };
    (destination.is_group() || destination == port.mac).then_some(class)
}

/// A VAP, and the bytes of the tags that selected it.
struct Selected {
    vap: Index,
    length: u8,
}

/// The VAP of a frame: the most specific selector of the port that fits.
#[inline(always)]
fn select(port: &AccessPort, outermost: u16, rest: &[u8]) -> Result<Selected, Verdict> {
    const TAG: u8 = VLAN_TAG as u8;
    let tag = |rest| VlanTag::ref_from_prefix(rest).map_err(|_| Verdict::Drop(DropReason::Truncated));
    let (named, reason) = match outermost {
        EtherType::C_TAG => match tag(rest)?.0.vid() {
            0 => (Selected { vap: port.untagged, length: TAG }, DropReason::Untagged),
            vid => (Selected { vap: port.c_tag[usize::from(vid)], length: TAG }, DropReason::UnknownTag),
        },
        EtherType::S_TAG => match &port.s_tag {
            None => (Selected { vap: Snapshot::NONE, length: 0 }, DropReason::UnexpectedStag),
            Some(s_tags) => (select_s_tag(s_tags, rest)?, DropReason::UnknownTag),
        },
        _ => (Selected { vap: port.untagged, length: 0 }, DropReason::Untagged),
    };
    match (named.vap, port.whole) {
        (Snapshot::NONE, Snapshot::NONE) => Err(Verdict::Drop(reason)),
        (Snapshot::NONE, whole) => Ok(Selected { vap: whole, length: 0 }),
        _ => Ok(named),
    }
}

fn select_s_tag(s_tags: &STags, rest: &[u8]) -> Result<Selected, Verdict> {
    const TAG: u8 = VLAN_TAG as u8;
    let truncated = Verdict::Drop(DropReason::Truncated);
    let (outer, rest) = VlanTag::ref_from_prefix(rest).map_err(|_| truncated)?;
    let s_vid = usize::from(outer.vid());
    if let (EtherType::C_TAG, Some(behind)) = (outer.ether_type.get(), &s_tags.with_c[s_vid]) {
        let (inner, _) = VlanTag::ref_from_prefix(rest).map_err(|_| truncated)?;
        let vap = behind[usize::from(inner.vid())];
        if vap != Snapshot::NONE {
            return Ok(Selected { vap, length: 2 * TAG });
        }
    }
    Ok(Selected { vap: s_tags.alone[s_vid], length: TAG })
}

/// What holds for a tenant's frame on either side of the tunnel: it is as long as its IP header says, and its payload not longer than the
/// VN allows. `ether_type` and `payload` are those behind all tags.
#[inline(always)]
pub fn check_shape(ether_type: u16, payload: &[u8], max_frame: u16) -> Result<(), Verdict> {
    if claimed_ip_length(ether_type, payload).is_some_and(|claimed| claimed > payload.len()) {
        return Err(Verdict::Drop(DropReason::Truncated));
    }
    if payload.len() + ETHERNET_HEADER > usize::from(max_frame) {
        return Err(Verdict::Drop(DropReason::VnMtu));
    }
    Ok(())
}
