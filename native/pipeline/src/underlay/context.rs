//! VNI and source NVE give the VN (RFC 8014, 4.3(5)). A sender that is no NVE of the VN is nobody to it (RFC 7348, 7; RFC 8926, 6).

use core::net::Ipv4Addr;

use tables::{ContextKey, SourceKey};
use types::{DropReason, Vni};

use crate::burst::Pipeline;
use crate::meta::{Meta, Verdict};

/// Finds the VN of every tunnelled packet.
pub fn context(pipeline: &Pipeline<'_>, metas: &mut [Meta]) {
    // Packets of one burst are mostly of one tunnel: the last answer serves again.
    let mut last = None;
    for meta in metas.iter_mut().filter(|meta| meta.is_pending()) {
        let key = (meta.vni, meta.outer_source);
        let answer = match last {
            Some((known, answer)) if known == key => answer,
            _ => look_up(pipeline, meta),
        };
        last = Some((key, answer));
        match answer {
            Ok(vn) => meta.vn = vn,
            Err(reason) => meta.verdict = Verdict::Drop(reason),
        }
    }
}

fn look_up(pipeline: &Pipeline<'_>, meta: &Meta) -> Result<u16, DropReason> {
    let vni = Vni::try_from(meta.vni).map_err(|_| DropReason::UnknownVni)?;
    let vn = pipeline.contexts.get_hashed(ContextKey(vni), meta.source_hash).ok_or(DropReason::UnknownVni)? as u16;
    let source = SourceKey { vn, source: Ipv4Addr::from_bits(meta.outer_source) };
    pipeline.sources.get(source).map(|_| vn).ok_or(DropReason::SourceNve)
}
