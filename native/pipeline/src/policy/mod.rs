//! What tenants may send and get: storm limit, policer, IP-MAC guard and access lists of frames from them, access lists of frames to them.
//!
//! It stands between knowing whose a frame is and deciding where it goes. Nothing here runs for a burst without a frame whose VAP or VN asks
//! for it, but for one test of the flags that all its frames carry.

mod address;
mod frame;

use tables::{Acl, AclBinding, AclKey, Action, Flags, Index};
use types::DropReason;

use crate::burst::{Burst, Pipeline};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

use address::is_from_its_owner;
use frame::acl_key;

/// What is asked of frames from tenants.
pub const INWARD: Flags = Flags::STORM.with(Flags::POLICE).with(Flags::GUARD_IP).with(ACL_IN);
const ACL_IN: Flags = Flags::ACL_IN.with(Flags::VN_ACL_IN);

/// The key of a frame, read when the first list asks for it; of one that cannot be decided, inside, none.
pub type LazyKey = Option<Option<AclKey>>;

/// Whether a frame passes a step.
type Passes<P> = fn(&Pipeline<'_>, &P, &Meta) -> bool;

/// Asks of a burst's frames from tenants what their VAPs and VNs want asked; `special` is what any of them want.
#[inline(never)]
pub fn inward<P: Packet>(pipeline: &Pipeline<'_>, special: Flags, burst: &Burst<P>, metas: &mut [Meta]) {
    let steps: [(Flags, DropReason, Passes<P>); 4] = [
        (Flags::STORM, DropReason::Storm, storm),
        (Flags::POLICE, DropReason::Policed, police),
        (Flags::GUARD_IP, DropReason::IpGuard, guard_ip),
        (ACL_IN, DropReason::AclIn, acl_in),
    ];
    for (flags, reason, passes) in steps {
        if special.has(flags) {
            for (packet, meta) in burst.iter().zip(metas.iter_mut()) {
                if meta.flags.has(flags) && meta.is_pending() && !passes(pipeline, packet, meta) {
                    meta.verdict = Verdict::Drop(reason);
                }
            }
        }
    }
}

/// Counts what goes to a group, or to a MAC that has no row.
fn storm<P: Packet>(pipeline: &Pipeline<'_>, _packet: &P, meta: &Meta) -> bool {
    let to_one = !meta.group && pipeline.fdb.finish(meta.destination).is_some();
    to_one || pipeline.meters.storm(meta.vap, &pipeline.snapshot.vap_policy(meta.vap).storm, pipeline.now)
}

fn police<P: Packet>(pipeline: &Pipeline<'_>, packet: &P, meta: &Meta) -> bool {
    let rate = &pipeline.snapshot.vap_policy(meta.vap).police;
    pipeline.meters.police(meta.vap, rate, packet.data().len(), pipeline.now)
}

fn guard_ip<P: Packet>(pipeline: &Pipeline<'_>, packet: &P, meta: &Meta) -> bool {
    is_from_its_owner(pipeline.pairs, meta.vn, packet.data(), meta.strip)
}

fn acl_in<P: Packet>(pipeline: &Pipeline<'_>, packet: &P, meta: &Meta) -> bool {
    let snapshot = pipeline.snapshot;
    let mut key = LazyKey::None;
    let mut read = || *key.get_or_insert_with(|| acl_key(packet.data(), meta.strip));
    passes(pipeline, &mut read, meta.flags.has(Flags::ACL_IN), snapshot.vap_policy(meta.vap).acls.inward)
        && passes(pipeline, &mut read, meta.flags.has(Flags::VN_ACL_IN), snapshot.vn_acls(meta.vn).inward)
}

/// Whether a frame, without the tags that selected the VAP it came from, may go to the VAP of index `vap`, whose flags are `flags`; `key` is
/// kept for the frame's next copy.
#[inline(never)]
pub fn may_go_to(
    pipeline: &Pipeline<'_>,
    frame: &[u8],
    meta: &Meta,
    (vap, flags): (Index, Flags),
    key: &mut LazyKey,
) -> Result<(), DropReason> {
    let AclBinding { outward, .. } = pipeline.snapshot.vap_policy(vap).acls;
    let mut read = || *key.get_or_insert_with(|| acl_key(frame, 0));
    let may = passes(pipeline, &mut read, flags.has(Flags::ACL_OUT), outward)
        && passes(pipeline, &mut read, meta.flags.has(Flags::VN_ACL_OUT), pipeline.snapshot.vn_acls(meta.vn).outward);
    if may { Ok(()) } else { Err(DropReason::AclOut) }
}

/// Whether the list of index `acl` permits a frame, if it is `asked`. One that is not there, or a frame that cannot be read, permits nothing.
#[inline(always)]
fn passes(pipeline: &Pipeline<'_>, read: &mut impl FnMut() -> Option<AclKey>, asked: bool, acl: Index) -> bool {
    let permits = |acl: &Acl, key: Option<AclKey>| {
        key.is_some_and(|key| {
            let (action, at) = acl.decide(&key);
            if pipeline.era != 0 {
                pipeline.counters.decided(acl, at);
            }
            action == Action::Permit
        })
    };
    !asked || pipeline.snapshot.acl(acl).is_some_and(|acl| permits(acl, read()))
}
