//! Source guard: a frame's source MAC must be a TSI's of the VAP it came from.

use tables::Destination;
use types::DropReason;

use crate::burst::Pipeline;
use crate::meta::{Meta, Verdict};

/// Drops every packet of a guarded VAP whose source has no row in the VN that names this VAP.
#[inline(never)]
pub fn guard(pipeline: &Pipeline<'_>, metas: &mut [Meta]) {
    for meta in metas.iter_mut().filter(|meta| meta.guard && meta.is_pending()) {
        if pipeline.fdb.finish(meta.source) != Some(Destination::Vap(meta.vap).pack()) {
            meta.verdict = Verdict::Drop(DropReason::SourceGuard);
        }
    }
}
