//! VNI and source NVE give the VN (RFC 8014, 4.3(5)). A sender that is no NVE of the VN is nobody to it (RFC 7348, 7; RFC 8926, 6).

use tables::Flags;
use types::DropReason;

use crate::burst::Pipeline;
use crate::meta::{Meta, Verdict};

/// Finds the VN of every tunnelled packet, and begins to look up whether its sender may send.
#[inline(never)]
pub fn context<'a>(pipeline: &Pipeline<'a>, metas: &mut [Meta<'a>]) {
    let sources = pipeline.sources.beginnings();
    for meta in metas.iter_mut().filter(|meta| meta.is_pending()) {
        match pipeline.contexts.finish(meta.source) {
            Some(vn) => {
                meta.vn = vn as u16;
                meta.source = sources.begin(meta.outer_source.within(meta.vn));
            }
            None => meta.verdict = Verdict::Drop(DropReason::UnknownVni),
        }
    }
}

/// Drops every tunnelled packet whose sender may not send into the VN. Into one that learns, everybody may (RFC 7348, 4.1).
#[inline(never)]
pub fn permit(pipeline: &Pipeline<'_>, metas: &mut [Meta]) {
    for meta in metas.iter_mut().filter(|meta| meta.is_pending()) {
        if pipeline.sources.finish(meta.source).is_none() && !learns(pipeline, meta) {
            meta.verdict = Verdict::Drop(DropReason::SourceNve);
        }
    }
}

#[cold]
fn learns(pipeline: &Pipeline<'_>, meta: &Meta) -> bool {
    pipeline.snapshot.vn(meta.vn).is_some_and(|vn| vn.flags.has(Flags::LEARN_REMOTE))
}
