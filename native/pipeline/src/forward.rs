//! Where a tenant's frame goes inside its VN: by destination MAC only (RFC 8014, 3.1).

use tables::{Destination, Flags, Snapshot, Unknown};
use types::DropReason;

use crate::burst::Pipeline;
use crate::encap::prefetch_next_hop;
use crate::meta::{Meta, Verdict};

/// Decides every pending packet of a burst.
#[inline(never)]
pub fn forward(pipeline: &Pipeline<'_>, metas: &mut [Meta]) {
    for meta in metas.iter_mut().filter(|meta| meta.is_pending()) {
        meta.verdict = if meta.group { Verdict::Replicate } else { unicast(pipeline, meta) };
        if let Verdict::NextHop(index) = meta.verdict {
            prefetch_next_hop(pipeline.snapshot, index);
        }
    }
}

#[inline(always)]
fn unicast(pipeline: &Pipeline<'_>, meta: &Meta) -> Verdict {
    match pipeline.fdb.finish(meta.destination).map(Destination::unpack) {
        Some(Destination::Vap(vap)) if vap == meta.vap && !meta.flags.has(Flags::REFLECT) => {
            Verdict::Drop(DropReason::SameVap)
        }
        Some(Destination::Vap(vap)) => Verdict::Vap(vap),
        Some(Destination::NextHop(_)) if meta.came_by_tunnel() => Verdict::Drop(DropReason::SplitHorizon),
        Some(Destination::NextHop(next_hop)) => Verdict::NextHop(next_hop),
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
