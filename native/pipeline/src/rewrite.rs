//! What has one destination becomes what leaves for it.
//!
//! What most frames need has a way of its own, of known lengths: a C-TAG that goes, the plain header, a C-TAG that comes. All else takes the
//! way that can do everything.

use tables::{Flags, Index};
use types::{DropReason, PortId};
use wire::{OUTER_MIN, SHORTEST_FRAME, VLAN_TAG};

use tables::PortEntry;

use crate::access;
use crate::burst::{Burst, Pipeline};
use crate::encap::{encapsulate, is_plain, longest, put_plain, wants_priority};
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;
use crate::policy::{self, LazyKey};
use crate::tags::{apply_policy, priority, push_tags, strip_tags};

/// A C-TAG is all that is taken off a frame.
const C_TAG: u8 = VLAN_TAG as u8;

impl Pipeline<'_> {
    /// Turns the tenants' frames that have one destination here into what leaves for it.
    #[inline(never)]
    pub(crate) fn deliver<P: Packet>(&self, burst: &mut Burst<P>, metas: &mut [Meta]) {
        for (packet, meta) in burst.iter_mut().zip(metas) {
            let Verdict::Vap(index) = meta.verdict else { continue };
            let vap = self.snapshot.vap(index);
            let is_asked = vap.flags.has(Flags::ACL_OUT.with(Flags::WHOLE)) || meta.flags.has(Flags::VN_ACL_OUT);
            let is_plain = vap.s_vid == 0 && vap.c_vid != 0 && meta.strip == 0 && !meta.tagged;
            let length = packet.data().len();
            if is_plain
                && !is_asked
                && vap.vn == meta.vn
                && length >= SHORTEST_FRAME - VLAN_TAG
                && push_tags(packet, 0, vap.c_vid).is_ok()
            {
                self.counters.vap_out(index, length);
                meta.verdict = Verdict::Send(vap.port);
            } else {
                self.deliver_any(packet, meta, index);
            }
        }
    }

    /// The same of one frame.
    #[inline(never)]
    fn deliver_any<P: Packet>(&self, packet: &mut P, meta: &mut Meta, index: Index) {
        strip_tags(packet, meta.strip);
        meta.verdict = self.to_vap(packet, meta, index, &mut LazyKey::None).map_or_else(Verdict::Drop, Verdict::Send);
    }

    /// The same of those that go to one next hop.
    #[inline(never)]
    pub(crate) fn tunnel<P: Packet>(&self, burst: &mut Burst<P>, metas: &mut [Meta]) {
        for (packet, meta) in burst.iter_mut().zip(metas) {
            let Verdict::NextHop(index) = meta.verdict else { continue };
            let sent = match self.snapshot.next_hop(index) {
                Some(next_hop) if meta.strip == C_TAG && is_plain(next_hop) => {
                    put_plain::<P, VLAN_TAG, { OUTER_MIN - VLAN_TAG }>(next_hop, packet)
                }
                Some(next_hop) if meta.strip == 0 && is_plain(next_hop) => {
                    put_plain::<P, 0, OUTER_MIN>(next_hop, packet)
                }
                _ => None,
            };
            match sent {
                Some(port) => meta.verdict = Verdict::Send(port),
                None => self.tunnel_any(packet, meta, index),
            }
        }
    }

    /// The same of one frame, or why it is not sent.
    #[inline(never)]
    fn tunnel_any<P: Packet>(&self, packet: &mut P, meta: &mut Meta, index: u32) {
        let pcp = if wants_priority(self.snapshot, index) { priority(packet.data()) } else { 0 };
        strip_tags(packet, meta.strip);
        meta.verdict = match encapsulate(self, packet, pcp, index) {
            Ok(port) => Verdict::Send(port),
            Err(DropReason::UnderlayMtu) => {
                meta.strip = 0;
                Verdict::TooBig(DropReason::UnderlayMtu, longest(self.snapshot, index))
            }
            Err(reason) => Verdict::Drop(reason),
        };
    }

    /// Makes a tenant's frame, without the tags that selected its VAP, what leaves for a VAP; returns the port to leave by. `key` is the
    /// frame's, for its access lists.
    #[inline(always)]
    pub(crate) fn to_vap<P: Packet>(
        &self,
        packet: &mut P,
        meta: &Meta,
        index: Index,
        key: &mut LazyKey,
    ) -> Result<u16, DropReason> {
        let vap = self.snapshot.vap(index);
        // A row may outlive its VAP by a moment. That it names a VAP of this very VN is checked here, at the last place, so
        // that no order of table changes can carry a frame into another VN.
        if vap.vn != meta.vn {
            return Err(DropReason::UnknownUnicast);
        }
        if vap.flags.has(Flags::ACL_OUT) || meta.flags.has(Flags::VN_ACL_OUT) {
            policy::may_go_to(self, packet.data(), meta, (index, vap.flags), key)?;
        }
        if meta.tagged {
            apply_policy(packet, &vap.tags)?;
        }
        let length = packet.data().len();
        push_tags(packet, vap.s_vid, vap.c_vid)?;
        if (meta.tagged || vap.flags.has(Flags::WHOLE))
            && let PortEntry::Access(port) = self.snapshot.port(PortId(vap.port))
        {
            access::leaves_as(port, index, packet.data())?;
        }
        self.counters.vap_out(index, length);
        // What was short behind a tunnel must not be on a wire (RFC 7348 leaves the padding to whoever delivers).
        if packet.data().len() < SHORTEST_FRAME {
            packet.pad(SHORTEST_FRAME);
        }
        Ok(vap.port)
    }
}
