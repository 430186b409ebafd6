//! Source guard: a frame's source MAC must be a TSI's of the VAP it came from.

use tables::Destination;
use types::DropReason;

use crate::burst::Pipeline;
use crate::meta::{Meta, Verdict};

/// Drops every packet of a guarded VAP whose source has no row in the VN that names this VAP.
pub fn guard(pipeline: &Pipeline<'_>, metas: &mut [Meta]) {
    for meta in metas.iter_mut().filter(|meta| meta.guard && meta.is_pending()) {
        let row = pipeline.fdb.get_hashed(meta.source, meta.source_hash).map(Destination::unpack);
        if row != Some(Destination::Vap(meta.vap)) {
            meta.verdict = Verdict::Drop(DropReason::SourceGuard);
        }
    }
}
