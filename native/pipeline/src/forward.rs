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
    for (packet, meta) in burst.iter().zip(metas) {
        if !meta.is_pending() {
            continue;
        }
        let Some(start) = packet.data().first_chunk() else { continue };
        let (destination, source) = macs(start);
        meta.destination = fdb.begin(FdbKey::new(meta.vn, destination));
        if meta.flags.has(checked) {
            meta.source = fdb.begin(FdbKey::new(meta.vn, source));
        }
    }
}

/// Which ways any packet of a burst goes: what none goes costs one test.
#[derive(Clone, Copy, Default)]
pub struct Ways {
    /// To a VAP.
    pub vap: bool,
    /// To a next hop.
    pub next_hop: bool,
    /// To a group of next hops, for [`choose`].
    pub group: bool,
}

/// Decides every pending packet of a burst.
#[inline(never)]
pub fn forward(pipeline: &Pipeline<'_>, metas: &mut [Meta]) -> Ways {
    let mut ways = Ways::default();
    for meta in metas {
        if meta.is_pending() {
            decide(pipeline, meta);
        }
        match meta.verdict {
            Verdict::Vap(_) => ways.vap = true,
            Verdict::NextHop(index) => {
                ways.next_hop = true;
                prefetch_next_hop(pipeline.snapshot, index);
            }
            Verdict::Group(_) => ways.group = true,
            _ => {}
        }
    }
    ways
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

/// Decides one. Every way writes its own verdict: put together at the end, it would cost more than the rest.
#[inline(always)]
fn decide(pipeline: &Pipeline<'_>, meta: &mut Meta) {
    if meta.group {
        return meta.verdict = Verdict::Replicate;
    }
    let Some(row) = pipeline.fdb.finish(meta.destination) else {
        return meta.verdict = unknown(pipeline, meta);
    };
    match Destination::unpack(row) {
        Destination::Vap(vap) if vap == meta.vap && !meta.flags.has(Flags::REFLECT) => {
            meta.verdict = Verdict::Drop(DropReason::SameVap);
        }
        Destination::Vap(vap) => meta.verdict = Verdict::Vap(vap),
        Destination::NextHop(_) | Destination::Group(_) if meta.came_by_tunnel() => {
            meta.verdict = Verdict::Drop(DropReason::SplitHorizon);
        }
        Destination::NextHop(next_hop) => meta.verdict = Verdict::NextHop(next_hop),
        Destination::Group(group) => meta.verdict = Verdict::Group(group),
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
