//! The order of the steps, and where each packet ends.

use arrayvec::ArrayVec;
use tables::{ContextKey, FdbKey, MapReader, PortEntry, Snapshot, SourceKey};
use types::{DropReason, PortId};

use crate::counters::Counters;
use crate::encap::{encapsulate, prefetch_next_hop};
use crate::meta::{Meta, Verdict};
use crate::packet::{Packet, Sink};
use crate::tags::{apply_policy, push_tags, strip_tag};
use crate::{access, forward, underlay};

/// The most packets of one burst.
pub const BURST: usize = 32;

/// Packets that were received together by one port.
pub type Burst<P> = ArrayVec<P, BURST>;

/// All that a burst is processed with: one snapshot of the small tables, the readers of the big ones, and the poller's counters.
pub struct Pipeline<'a> {
    /// The small tables.
    pub snapshot: &'a Snapshot,
    /// Overlay MACs.
    pub fdb: &'a MapReader<FdbKey>,
    /// Context IDs under which this NVE receives.
    pub contexts: &'a MapReader<ContextKey>,
    /// NVEs that may send.
    pub sources: &'a MapReader<SourceKey>,
    /// Where to count.
    pub counters: Counters<'a>,
}

impl Pipeline<'_> {
    /// Processes a burst that came in by `port`; `burst` is empty afterwards.
    pub fn run<P: Packet, S: Sink<P>>(&self, port: PortId, burst: &mut Burst<P>, sink: &mut S) {
        let mut metas = [Meta::NEW; BURST];
        let metas = &mut metas[..burst.len()];
        burst.iter().for_each(Packet::prefetch);
        match self.snapshot.port(port) {
            PortEntry::Unused => metas.iter_mut().for_each(|meta| meta.verdict = Verdict::Drop(DropReason::PortUnused)),
            PortEntry::Access(access) => {
                access::classify(self, access, burst, metas);
                access::guard(self, metas);
            }
            PortEntry::Underlay(underlay) => {
                underlay::outer(self, underlay, burst, metas);
                underlay::context(self, metas);
                underlay::decapsulate(self, burst, metas);
            }
        }
        forward::forward(self, metas);
        for meta in metas.iter() {
            if let Verdict::NextHop(index) = meta.verdict {
                prefetch_next_hop(self.snapshot, index);
            }
        }
        for (mut packet, meta) in burst.take().into_iter().zip(metas.iter()) {
            match meta.verdict {
                Verdict::Vap(_) | Verdict::NextHop(_) => {
                    strip_tag(&mut packet, meta.tag);
                    self.send(packet, meta, meta.verdict, port, sink);
                }
                Verdict::Replicate => {
                    strip_tag(&mut packet, meta.tag);
                    self.replicate(packet, meta, port, sink);
                }
                Verdict::Reply => sink.transmit(port.0, packet, port),
                Verdict::Punt(class) => {
                    if let Err(reason) = sink.punt(class, port, packet.data()) {
                        self.counters.dropped(port, reason, 1);
                    }
                }
                // Every step before this one decided what it found pending.
                Verdict::Pending => self.counters.dropped(port, DropReason::UnknownUnicast, 1),
                Verdict::Drop(reason) => self.counters.dropped(port, reason, 1),
            }
        }
    }

    /// Sends an untagged tenant frame to one VAP or next hop.
    fn send<P: Packet, S: Sink<P>>(&self, mut packet: P, meta: &Meta, to: Verdict, origin: PortId, sink: &mut S) {
        let result = match to {
            Verdict::Vap(index) => self.to_vap(&mut packet, meta, index),
            Verdict::NextHop(index) => encapsulate(self.snapshot, &mut packet, index),
            _ => Err(DropReason::UnknownUnicast),
        };
        match result {
            Ok(port) => sink.transmit(port, packet, origin),
            Err(reason) => self.counters.dropped(origin, reason, 1),
        }
    }

    fn to_vap<P: Packet>(&self, packet: &mut P, meta: &Meta, index: u16) -> Result<u16, DropReason> {
        let vap = self.snapshot.vap(index);
        // A row may outlive its VAP by a moment. That it names a VAP of this very VN is checked here, at the last place, so
        // that no order of table changes can carry a frame into another VN.
        if vap.vn != meta.vn {
            return Err(DropReason::UnknownUnicast);
        }
        apply_policy(packet, &vap.tags)?;
        self.counters.vap_out(index, packet.data().len());
        push_tags(packet, vap.s_vid, vap.c_vid)?;
        Ok(vap.port)
    }

    /// Sends a copy to everybody else in the VN: its other VAPs, and its other NVEs unless the frame came from one (split horizon). A VAP that
    /// reflects gets one, too: its station sorts out its own (802.1Q, 40.1).
    fn replicate<P: Packet, S: Sink<P>>(&self, packet: P, meta: &Meta, origin: PortId, sink: &mut S) {
        let Some(vn) = self.snapshot.vn(meta.vn) else {
            return self.counters.dropped(origin, DropReason::NoReceiver, 1);
        };
        let remote: &[u16] = if meta.came_by_tunnel() { &[] } else { &vn.flood };
        let local = vn.vaps.iter().filter(|vap| **vap != meta.vap || meta.reflect).map(|vap| Verdict::Vap(*vap));
        let mut targets = local.chain(remote.iter().map(|next_hop| Verdict::NextHop(*next_hop)));
        let Some(mut target) = targets.next() else {
            return self.counters.dropped(origin, DropReason::NoReceiver, 1);
        };
        for next in targets {
            match sink.copy(&packet) {
                Some(copy) => self.send(copy, meta, target, origin, sink),
                None => self.counters.dropped(origin, DropReason::NoBuffer, 1),
            }
            target = next;
        }
        self.send(packet, meta, target, origin, sink);
    }
}
