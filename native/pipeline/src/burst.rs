//! The order of the steps, and where each packet ends.

use core::cell::Cell;

use arrayvec::ArrayVec;
use tables::{ContextKey, Destination, FdbKey, Flags, MapReader, Pairs, PortEntry, Snapshot, SourceKey, VapMeters};
use types::{DropReason, MacAddr, PortId};
use wire::{Flow, OUTER_MAX, flow};

use crate::counters::Counters;
use crate::encap::{HeaderRoom, encapsulate, header_for};
use crate::meta::{Meta, Verdict};
use crate::observer::{Observer, Step};
use crate::packet::{Packet, Place, Sighting, Sink};
use crate::policy::{self, LazyKey};
use crate::tags::{priority, strip_tags};
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
    /// Who has which address.
    pub pairs: &'a Pairs,
    /// What the VAPs' tenants have sent lately.
    pub meters: &'a VapMeters,
    /// The time, by the clock that the rates in the tables are made for.
    pub now: u64,
    /// An odd number that changes with time, about twice a second: when rows are seen. 0: what is run is no real frame.
    pub era: u16,
    /// The IPv4 identification of the last packet sent that routers may fragment (RFC 6864, 4.2).
    pub identification: &'a Cell<u16>,
    /// Where to count.
    pub counters: Counters<'a>,
}

impl<'a> Pipeline<'a> {
    /// Processes a burst that came in by `port`; `burst` is empty afterwards.
    pub fn run<P: Packet, S: Sink<P>>(&self, port: PortId, burst: &mut Burst<P>, sink: &mut S) {
        self.run_observed(port, burst, sink, &mut ());
    }

    /// The same, with somebody who watches every step.
    pub fn run_observed<P: Packet, S: Sink<P>, O: Observer<P>>(
        &self,
        port: PortId,
        burst: &mut Burst<P>,
        sink: &mut S,
        observer: &mut O,
    ) {
        burst.iter().for_each(Packet::prefetch);
        let mut metas = [Meta::NEW; BURST];
        let metas = &mut metas[..burst.len()];
        match self.snapshot.port(port) {
            PortEntry::Unused => metas.iter_mut().for_each(|meta| meta.verdict = Verdict::Drop(DropReason::PortUnused)),
            PortEntry::Access(access) => {
                let special = access::classify(self, access, burst, metas);
                forward::begin(self, access::CHECKED, burst, metas);
                observer.after(Step::Classify, burst, metas);
                if special.has(access::CHECKED) {
                    access::guard(self, port, burst, metas, sink);
                    observer.after(Step::Guard, burst, metas);
                }
                if special.has(policy::INWARD) {
                    policy::inward(self, special, burst, metas);
                    observer.after(Step::Policy, burst, metas);
                }
                if special.has(Flags::SUPPRESS) {
                    access::suppress(self, burst, metas);
                    observer.after(Step::Suppress, burst, metas);
                }
            }
            PortEntry::Underlay(underlay) => {
                let any_group = underlay::outer(self, underlay, port, burst, metas);
                observer.after(Step::Outer, burst, metas);
                underlay::context(self, metas);
                if any_group {
                    underlay::joined(underlay, burst, metas);
                }
                observer.after(Step::Context, burst, metas);
                underlay::permit(self, metas);
                observer.after(Step::Permit, burst, metas);
                let special = underlay::decapsulate(self, burst, metas);
                forward::begin(self, Flags::LEARN_REMOTE, burst, metas);
                observer.after(Step::Decap, burst, metas);
                if special.has(Flags::LEARN_REMOTE) {
                    underlay::learn(self, port, burst, metas, sink);
                    observer.after(Step::Learn, burst, metas);
                }
            }
            PortEntry::Exception { underlay, vlan } => underlay::from_kernel(*underlay, *vlan, burst, metas),
        }
        let ways = forward::forward(self, metas);
        if ways.group {
            forward::choose(self, burst, metas);
        }
        observer.after(Step::Forward, burst, metas);
        if ways.vap {
            self.deliver(burst, metas);
        }
        if ways.next_hop || ways.group {
            self.tunnel(burst, metas);
        }
        observer.after(Step::Rewrite, burst, metas);
        for (meta, packet) in metas.iter().zip(burst.drain(..)) {
            match meta.verdict {
                Verdict::Send(to) => sink.transmit(to, packet, port),
                _ => self.end(packet, meta, port, sink, observer),
            }
        }
    }

    /// What becomes of a packet that is not just sent.
    #[inline(never)]
    fn end<P: Packet, S: Sink<P>, O: Observer<P>>(
        &self,
        packet: P,
        meta: &Meta,
        port: PortId,
        sink: &mut S,
        observer: &mut O,
    ) {
        match meta.verdict {
            Verdict::Send(to) => sink.transmit(to, packet, port),
            Verdict::Drop(reason) => self.drop(&packet, port, reason, sink),
            Verdict::TooBig(reason, max_frame) => self.too_big(packet, meta, (reason, max_frame), port, sink),
            Verdict::Replicate => self.replicate(packet, meta, port, sink, observer),
            Verdict::Exception(to) => sink.divert(to, packet, port),
            Verdict::Query => self.query(&packet, meta, port, sink),
            Verdict::Punt(class) => {
                self.copy_to_kernel(&packet, port, sink);
                if let Err(reason) = sink.punt(class, port, packet.data()) {
                    self.drop(&packet, port, reason, sink);
                }
            }
            // The steps before this one decided what they found pending, and rewrote what has one destination.
            Verdict::Pending | Verdict::Vap(_) | Verdict::NextHop(_) | Verdict::Group(_) => {
                self.drop(&packet, port, DropReason::UnknownUnicast, sink);
            }
        }
    }

    /// What tells of neighbours tells the kernel behind an underlay port, too: it has the same MAC and asks for itself.
    fn copy_to_kernel<P: Packet, S: Sink<P>>(&self, packet: &P, port: PortId, sink: &mut S) {
        let PortEntry::Underlay(underlay) = self.snapshot.port(port) else { return };
        if let Some(tap) = underlay.exception {
            // Counted whether or not there is a buffer for it, as every copy is: its drop is.
            sink.replicated(1);
            match sink.copy(packet) {
                Some(copy) => sink.divert(tap, copy, port),
                None => self.drop(packet, port, DropReason::NoBuffer, sink),
            }
        }
    }

    /// Counts a drop and shows it to who records.
    #[inline]
    pub(crate) fn drop<P: Packet, S: Sink<P>>(&self, packet: &P, port: PortId, reason: DropReason, sink: &mut S) {
        self.counters.dropped(port, reason, 1);
        sink.dropped(packet.data(), port, reason);
    }

    /// Drops a frame whose destination nobody knows, and asks for it.
    #[cold]
    fn query<P: Packet, S: Sink<P>>(&self, packet: &P, meta: &Meta, port: PortId, sink: &mut S) {
        if let Some(mac) = packet.data().first_chunk() {
            sink.seen(Sighting { port, vn: meta.vn, mac: MacAddr(*mac), place: Place::Nowhere });
        }
        self.drop(packet, port, DropReason::UnknownUnicast, sink);
    }

    /// Sends a copy to everybody else in the VN: its other VAPs, and its other NVEs unless the frame came from one (split horizon). A VAP that
    /// reflects gets one, too: its station sorts out its own (802.1Q, 40.1).
    ///
    /// Tenants come first: each gets its tags put into a copy of its own. What goes to several NVEs is one and the same frame, not copied and
    /// no longer changed, behind a header for each.
    #[cold]
    fn replicate<P: Packet, S: Sink<P>, O: Observer<P>>(
        &self,
        mut packet: P,
        meta: &Meta,
        origin: PortId,
        sink: &mut S,
        observer: &mut O,
    ) {
        let pcp = priority(packet.data());
        strip_tags(&mut packet, meta.strip);
        let Some(vn) = self.snapshot.vn(meta.vn) else {
            return self.drop(&packet, origin, DropReason::NoReceiver, sink);
        };
        let remote: &[Destination] = if meta.came_by_tunnel() { &[] } else { &vn.flood };
        let reflects = meta.flags.has(Flags::REFLECT);
        let mut local = vn.vaps.iter().copied().filter(|vap| *vap != meta.vap || reflects);
        let Some(copies) = (local.clone().count() + remote.len()).checked_sub(1) else {
            return self.drop(&packet, origin, DropReason::NoReceiver, sink);
        };
        sink.replicated(copies);
        let mut key = LazyKey::None;
        let mut send = |mut packet: P, to: Verdict, sink: &mut S, observer: &mut O| {
            let result = match to {
                Verdict::Vap(index) => self.to_vap(&mut packet, meta, index, &mut key),
                Verdict::NextHop(index) => encapsulate(self, &mut packet, pcp, index),
                Verdict::Drop(reason) => Err(reason),
                _ => Err(DropReason::NoReceiver),
            };
            observer.copied(to, result);
            match result {
                Ok(port) => sink.transmit(port, packet, origin),
                Err(reason) => self.drop(&packet, origin, reason, sink),
            }
        };
        // The last of all gets the packet itself.
        let last = if remote.is_empty() { local.next_back() } else { None };
        for vap in local {
            match sink.copy(&packet) {
                Some(copy) => send(copy, Verdict::Vap(vap), sink, observer),
                None => self.drop(&packet, origin, DropReason::NoBuffer, sink),
            }
        }
        if let Some(vap) = last {
            return send(packet, Verdict::Vap(vap), sink, observer);
        }
        let known = (flow(packet.data()), pcp);
        let to = |destination: &Destination| forward::remote(self.snapshot, meta.vn, *destination, known.0.hash);
        let [others @ .., last] = remote else { return };
        let packet = if others.is_empty() {
            packet
        } else {
            let frame = sink.share(packet);
            for other in others {
                self.send_behind(&frame, known, to(other), origin, sink, observer);
            }
            match sink.unshare(frame) {
                Ok(packet) => packet,
                Err(frame) => return self.send_behind(&frame, known, to(last), origin, sink, observer),
            }
        };
        send(packet, to(last), sink, observer);
    }

    /// Sends a shared frame, of which flow and priority are known, to one of several next hops.
    fn send_behind<P, S: Sink<P>, O: Observer<P>>(
        &self,
        frame: &S::Shared,
        (flow, pcp): (Flow, u8),
        to: Verdict,
        origin: PortId,
        sink: &mut S,
        observer: &mut O,
    ) {
        let mut room: HeaderRoom = [0; OUTER_MAX];
        let header = match to {
            Verdict::NextHop(index) => header_for(self, frame.as_ref(), flow, pcp, index, &mut room),
            Verdict::Drop(reason) => Err(reason),
            _ => Err(DropReason::NoReceiver),
        };
        let sent = header.and_then(|(port, header)| {
            sink.transmit_behind(port, header, frame, origin).then_some(port).ok_or(DropReason::NoBuffer)
        });
        observer.copied(to, sent);
        if let Err(reason) = sent {
            self.counters.dropped(origin, reason, 1);
            sink.dropped(frame.as_ref(), origin, reason);
        }
    }
}
