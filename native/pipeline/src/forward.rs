//! Where a tenant's frame goes inside its VN: by destination MAC only (RFC 8014, 3.1).

use tables::{Destination, FdbKey, Flags, GroupEntry, Index, Snapshot, Unknown};
use types::DropReason;
use wire::{flow, macs};

use crate::burst::{Burst, Pipeline};
use crate::encap::prefetch_next_hop;
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

/// Begins to look up where every pending packet goes, and of packets with any of the flags `checked` also who sent it.
#[inline(never)]
pub fn begin<'a, P: Packet>(pipeline: &Pipeline<'a>, checked: Flags, burst: &Burst<P>, metas: &mut [Meta<'a>]) {
    let fdb = pipeline.fdb.beginnings();
    for (packet, meta) in burst.iter().zip(metas).filter(|(_, meta)| meta.is_pending()) {
        let Some(start) = packet.data().first_chunk() else { continue };
        let (destination, source) = macs(start);
        meta.destination = fdb.begin(FdbKey::new(meta.vn, destination));
        if meta.flags.has(checked) {
            meta.source = fdb.begin(FdbKey::new(meta.vn, source));
        }
    }
}

/// Decides every pending packet of a burst; returns whether one goes to a group of next hops, for [`choose`].
#[inline(never)]
pub fn forward(pipeline: &Pipeline<'_>, metas: &mut [Meta]) -> bool {
    let mut any_group = false;
    for meta in metas.iter_mut().filter(|meta| meta.is_pending()) {
        meta.verdict = if meta.group { Verdict::Replicate } else { unicast(pipeline, meta) };
        if let Verdict::NextHop(index) = meta.verdict {
            prefetch_next_hop(pipeline.snapshot, index);
        }
        any_group |= matches!(meta.verdict, Verdict::Group(_));
    }
    any_group
}

/// Chooses a next hop for every packet that goes to a group.
#[inline(never)]
pub fn choose<P: Packet>(pipeline: &Pipeline<'_>, burst: &Burst<P>, metas: &mut [Meta]) {
    for (packet, meta) in burst.iter().zip(metas) {
        let Verdict::Group(index) = meta.verdict else { continue };
        let hash = flow(packet.data()).hash;
        meta.verdict = remote(pipeline.snapshot, meta.vn, Destination::Group(index), hash);
        if let Verdict::NextHop(next_hop) = meta.verdict {
            prefetch_next_hop(pipeline.snapshot, next_hop);
        }
    }
}

/// The next hop for a flow of VN `vn` to another NVE, or why there is none.
pub fn remote(snapshot: &Snapshot, vn: Index, destination: Destination, flow_hash: u32) -> Verdict {
    match destination {
        Destination::NextHop(next_hop) => Verdict::NextHop(next_hop),
        // A row may name a group that has just become another VN's.
        Destination::Group(group) => match snapshot.group(group).filter(|entry| entry.vn == vn) {
            None => Verdict::Drop(DropReason::UnknownUnicast),
            Some(entry) => match entry.member(flow_hash) {
                GroupEntry::NOBODY => Verdict::Drop(DropReason::NextHopDown),
                next_hop => Verdict::NextHop(next_hop),
            },
        },
        Destination::Vap(_) => Verdict::Drop(DropReason::NoReceiver),
    }
}

#[inline(always)]
fn unicast(pipeline: &Pipeline<'_>, meta: &Meta) -> Verdict {
    match pipeline.fdb.finish(meta.destination).map(Destination::unpack) {
        Some(Destination::Vap(vap)) if vap == meta.vap && !meta.flags.has(Flags::REFLECT) => {
            Verdict::Drop(DropReason::SameVap)
        }
        Some(Destination::Vap(vap)) => Verdict::Vap(vap),
        Some(Destination::NextHop(_) | Destination::Group(_)) if meta.came_by_tunnel() => {
            Verdict::Drop(DropReason::SplitHorizon)
        }
        Some(Destination::NextHop(next_hop)) => Verdict::NextHop(next_hop),
        Some(Destination::Group(group)) => Verdict::Group(group),
        None => unknown(pipeline, meta),
    }
}

/// A destination without a row: to the uplink, and where there is none, as the VN says.
#[inline(never)]
fn unknown(pipeline: &Pipeline<'_>, meta: &Meta) -> Verdict {
    let Some(vn) = pipeline.snapshot.vn(meta.vn) else { return Verdict::Drop(DropReason::UnknownUnicast) };
    match (vn.uplink, vn.unknown) {
        (Snapshot::NONE, Unknown::Flood) => Verdict::Replicate,
        (Snapshot::NONE, Unknown::Query) => Verdict::Query,
        (Snapshot::NONE, Unknown::Drop) => Verdict::Drop(DropReason::UnknownUnicast),
        (uplink, _) if uplink == meta.vap => Verdict::Drop(DropReason::UnknownUnicast),
        (uplink, _) => Verdict::Vap(uplink),
    }
}
