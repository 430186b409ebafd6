//! Source guard and learning: a frame's source MAC should be a TSI's of the VAP it came from.

use tables::{Destination, Flags};
use types::{DropReason, MacAddr, PortId};

use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::{Packet, Place, Sighting, Sink};

/// VAPs whose frames' source MACs are looked up.
pub const CHECKED: Flags = Flags::GUARD.with(Flags::LEARN);

/// Looks at every source MAC of a VAP that guards or learns: one whose row names this VAP passes, and costs nothing more.
#[inline(never)]
pub fn guard<P: Packet, S: Sink<P>>(
    pipeline: &Pipeline<'_>,
    port: PortId,
    burst: &Burst<P>,
    metas: &mut [Meta],
    sink: &mut S,
) {
    let concerned = |meta: &Meta| meta.flags.has(CHECKED) && meta.is_pending();
    for (packet, meta) in burst.iter().zip(metas).filter(|(_, meta)| concerned(meta)) {
        match pipeline.fdb.finish_row(meta.source) {
            Some(row) if row.value == Destination::Vap(meta.vap).pack() => row.mark(pipeline.era),
            row => elsewhere(port, packet, meta, row.is_some(), sink),
        }
    }
}

/// A source MAC that has no row (yet), or one that names another place: then only whoever programs the rows can tell whether the station
/// has moved, and until it says so a guarded VAP takes nothing from it.
#[cold]
fn elsewhere<P: Packet, S: Sink<P>>(port: PortId, packet: &P, meta: &mut Meta, has_row: bool, sink: &mut S) {
    let learns = meta.flags.has(Flags::LEARN);
    if let (true, Some(source)) = (learns, packet.data().get(6..).and_then(<[u8]>::first_chunk)) {
        sink.seen(Sighting { port, vn: meta.vn, mac: MacAddr(*source), place: Place::Vap(meta.vap) });
    }
    if meta.flags.has(Flags::GUARD) && (has_row || !learns) {
        meta.verdict = Verdict::Drop(DropReason::SourceGuard);
    }
}
