//! What the engine would do with a frame, and why: `trace` of `docs/engine.md`.
//!
//! The control thread runs the pipeline that pollers run, over the same tables, on a buffer of its own, with counters of its own and a
//! [`Sink`] that only notes. An [`Observer`] reads the packet's scratch after every step. So every answer comes from the code that
//! forwards, and nothing changes: no learning, no punt, no count. It must decide nothing itself.

use core::sync::atomic::{AtomicU64, Ordering};

use dpdk::HEADROOM;
use pipeline::{
    Burst, COUNTERS_PER_VAP, Counters, Meta, Observer, Packet, Pipeline, Place, PuntClass, Sighting, Sink, Step,
    Verdict, outer_source,
};
use serde_bytes::{ByteBuf, Bytes};
use tables::{Destination, Flags, Index, PortEntry, Snapshot, VapMeters};
use types::{DropReason, MacAddr, PortId};

use crate::forwarding::Readers;
use crate::model::Model;
use crate::schema::{Fact, Facts, Outcome, TraceReply, TraceStep};
use crate::show::ip;

/// The longest frame that can be traced.
pub const LONGEST: usize = 16_384;

/// Traces one frame as if it had just come in by `port`; `buffer` is how long a frame of one packet buffer can be.
pub fn trace(model: &Model, readers: &mut Readers, port: PortId, frame: &[u8], buffer: usize) -> TraceReply {
    let words = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
    let drops = words(Counters::DROP_WORDS);
    let indices = model.vap_at.last_key_value().map_or(0, |(index, _)| usize::from(*index) + 1);
    let vaps = words(indices * COUNTERS_PER_VAP);
    // As if nobody had sent anything for long: no limit is reached.
    let meters = VapMeters::new(indices);
    let pipeline = readers.pipeline(Counters::new(&drops, &vaps), 0, (&meters, 0));
    let names = Names { model, pipeline: &pipeline };
    let mut steps = vec![TraceStep("port", names.port(port))];
    let mut notes = Notes::default();
    let mut burst = Burst::new();
    burst.push(Buffer::new(frame, buffer));
    let mut watcher = Watcher { names: &names, steps: &mut steps, last: Verdict::Pending, copied: false };
    pipeline.run_observed(port, &mut burst, &mut notes, &mut watcher);
    let outcome = match watcher.last {
        Verdict::Send(_) | Verdict::Exception(_) => Outcome::Sent,
        // Nobody was there to get a copy.
        Verdict::Replicate if !watcher.copied => Outcome::Dropped(DropReason::NoReceiver),
        Verdict::Replicate => Outcome::Replicated,
        Verdict::Punt(class) => Outcome::Punted(class.name()),
        Verdict::Drop(reason) | Verdict::TooBig(reason, _) => Outcome::Dropped(reason),
        Verdict::Query | Verdict::Pending | Verdict::Vap(_) | Verdict::NextHop(_) | Verdict::Group(_) => {
            Outcome::Dropped(DropReason::UnknownUnicast)
        }
    };
    let read = |word: &AtomicU64| word.load(Ordering::Relaxed);
    let at_port = drops.chunks(DropReason::COUNT).nth(usize::from(port.0)).unwrap_or(&[]);
    let counted = at_port.iter().zip(DropReason::ALL).filter(|(word, _)| read(word) != 0);
    let of_vap = |words: &[AtomicU64]| core::array::from_fn(|at| words.get(at).map_or(0, read));
    let moved =
        vaps.chunks(COUNTERS_PER_VAP).map(of_vap).enumerate().filter(|(_, words)| *words != [0; COUNTERS_PER_VAP]);
    TraceReply {
        outcome,
        frames: notes.sent.into_iter().map(|(port, frame)| (port, ByteBuf::from(frame))).collect(),
        drops: counted.map(|(word, reason)| (reason.name(), read(word))).collect(),
        vaps: moved.filter_map(|(index, words)| Some((model.vap_at.get(&(index as Index))?.0, words))).collect(),
        learned: notes.seen.into_iter().filter_map(|seen| names.learned(&seen)).collect(),
        steps,
    }
}

/// A frame in a buffer like a port's.
#[derive(Clone)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    segmented: bool,
}

impl Buffer {
    fn new(frame: &[u8], room: usize) -> Self {
        Self { bytes: [&[0; HEADROOM], frame].concat(), start: HEADROOM, segmented: frame.len() > room }
    }
}

impl Packet for Buffer {
    fn data(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
    fn data_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
    fn prepend<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.start = self.start.checked_sub(N)?;
        self.bytes[self.start..].first_chunk_mut()
    }
    fn trim_front(&mut self, length: usize) {
        self.start += length;
    }
    fn trimmed(&self, length: usize) -> Option<&[u8]> {
        self.bytes.get(self.start.checked_sub(length)?..self.start)
    }
    fn truncate(&mut self, length: usize) {
        self.bytes.truncate(self.start + length);
    }
    fn pad(&mut self, length: usize) {
        self.bytes.resize(self.start + length, 0);
    }
    fn is_segmented(&self) -> bool {
        self.segmented
    }
    fn prefetch(&self) {}
}

/// What would leave.
#[derive(Default)]
struct Notes {
    sent: Vec<(u16, Vec<u8>)>,
    seen: Vec<Sighting>,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.data()
    }
}

impl Sink<Buffer> for Notes {
    type Shared = Buffer;
    fn transmit(&mut self, port: u16, packet: Buffer, _origin: PortId) {
        self.sent.push((port, packet.data().to_vec()));
    }
    fn copy(&mut self, packet: &Buffer) -> Option<Buffer> {
        Some(packet.clone())
    }
    fn share(&mut self, packet: Buffer) -> Buffer {
        packet
    }
    fn unshare(&mut self, frame: Buffer) -> Result<Buffer, Buffer> {
        Ok(frame)
    }
    fn transmit_behind(&mut self, port: u16, header: &[u8], frame: &Buffer, _origin: PortId) -> bool {
        self.sent.push((port, [header, frame.data()].concat()));
        true
    }
    fn replicated(&mut self, _copies: usize) {}
    fn divert(&mut self, port: u16, packet: Buffer, origin: PortId) {
        self.transmit(port, packet, origin);
    }
    fn punt(&mut self, _class: PuntClass, _port: PortId, _frame: &[u8]) -> Result<(), DropReason> {
        Ok(())
    }
    fn seen(&mut self, sighting: Sighting) {
        self.seen.push(sighting);
    }
}

/// Tells every step that a packet takes.
struct Watcher<'a> {
    names: &'a Names<'a>,
    steps: &'a mut Vec<TraceStep>,
    last: Verdict,
    copied: bool,
}

impl Observer<Buffer> for Watcher<'_> {
    fn after(&mut self, step: Step, burst: &[Buffer], metas: &[Meta]) {
        let ([packet], [meta]) = (burst, metas) else { return };
        let before = core::mem::replace(&mut self.last, meta.verdict);
        let facts = match (step, before) {
            (Step::Rewrite, Verdict::Vap(_) | Verdict::NextHop(_)) => self.names.rewritten(before, meta, packet),
            (Step::Rewrite, _) => return,
            (_, Verdict::Pending) => self.names.facts(step, meta, packet),
            _ => return,
        };
        if let Some(facts) = facts {
            self.steps.push(TraceStep(step.name(), with_verdict(facts, meta.verdict)));
        }
    }

    fn copied(&mut self, to: Verdict, result: Result<u16, DropReason>) {
        self.copied = true;
        let mut facts = self.names.way(to);
        match result {
            Ok(port) => facts.push(("port", Fact::Number(port.into()))),
            Err(reason) => facts.push(("drop", Fact::Text(reason.name()))),
        }
        self.steps.push(TraceStep("copy", facts));
    }
}

fn with_verdict(mut facts: Facts, verdict: Verdict) -> Facts {
    match verdict {
        Verdict::Drop(reason) => facts.push(("drop", Fact::Text(reason.name()))),
        Verdict::TooBig(reason, max_frame) => {
            facts.extend([("drop", Fact::Text(reason.name())), ("max_frame", Fact::Number(max_frame.into()))]);
        }
        Verdict::Punt(class) => facts.push(("punt", Fact::Text(class.name()))),
        Verdict::Send(port) | Verdict::Exception(port) => facts.push(("port", Fact::Number(port.into()))),
        Verdict::Replicate => facts.push(("replicate", Fact::Flag(true))),
        Verdict::Query => facts.push(("query", Fact::Flag(true))),
        Verdict::Pending | Verdict::Vap(_) | Verdict::NextHop(_) | Verdict::Group(_) => {}
    }
    facts
}

fn mac(mac: MacAddr) -> Fact {
    Fact::Bytes(ByteBuf::from(mac.0))
}

/// The controller's ids for the tables' indices.
struct Names<'a> {
    model: &'a Model,
    pipeline: &'a Pipeline<'a>,
}

impl Names<'_> {
    fn port(&self, port: PortId) -> Facts {
        let mut facts = vec![("port", Fact::Number(port.0.into()))];
        match self.pipeline.snapshot.port(port) {
            PortEntry::Exception { underlay, .. } => {
                facts.extend([("role", Fact::Text("exception")), ("underlay", Fact::Number((*underlay).into()))]);
            }
            PortEntry::Unused => facts.push(("role", Fact::Text("unused"))),
            PortEntry::Access(access) => facts.extend([("role", Fact::Text("access")), ("mac", mac(access.mac))]),
            PortEntry::Underlay(underlay) => {
                facts.extend([("role", Fact::Text("underlay")), ("mac", mac(underlay.mac))])
            }
        }
        facts
    }

    fn facts(&self, step: Step, meta: &Meta, packet: &Buffer) -> Option<Facts> {
        let source =
            || packet.data().get(6..).and_then(<[u8]>::first_chunk).map(|mac| MacAddr(*mac)).unwrap_or_default();
        let destination = || packet.data().first_chunk().map(|mac| MacAddr(*mac)).unwrap_or_default();
        let decided = !matches!(meta.verdict, Verdict::Pending);
        Some(match step {
            Step::Classify if meta.vap == Snapshot::NONE => vec![],
            Step::Classify => {
                let mut facts = self.way(Verdict::Vap(meta.vap));
                facts.extend([
                    ("vn", self.vn(meta.vn)),
                    ("removed", Fact::Number(meta.strip.into())),
                    ("tagged", Fact::Flag(meta.tagged)),
                    ("group", Fact::Flag(meta.group)),
                ]);
                facts
            }
            Step::Guard => {
                let (guard, learn) = (meta.flags.has(Flags::GUARD), meta.flags.has(Flags::LEARN));
                if !guard && !learn {
                    return None;
                }
                let row = self.pipeline.fdb.finish(meta.source);
                let flags = [("guard", Fact::Flag(guard)), ("learn", Fact::Flag(learn))];
                [("source", mac(source())), ("row", self.row(row))].into_iter().chain(flags).collect()
            }
            Step::Policy => {
                let asked = [
                    ("storm", Flags::STORM),
                    ("police", Flags::POLICE),
                    ("guard_ip", Flags::GUARD_IP),
                    ("acl_in", Flags::ACL_IN.with(Flags::VN_ACL_IN)),
                ];
                if !asked.iter().any(|(_, flags)| meta.flags.has(*flags)) {
                    return None;
                }
                asked.into_iter().map(|(name, flags)| (name, Fact::Flag(meta.flags.has(flags)))).collect()
            }
            Step::Suppress if !decided => return None,
            Step::Suppress => self.way(meta.verdict),
            Step::Learn => {
                let row = self.pipeline.fdb.finish(meta.source);
                vec![("source", mac(source())), ("row", self.row(row))]
            }
            Step::Outer if decided => vec![],
            Step::Outer => {
                let source = outer_source(packet.data());
                source.map(|source| ("source", Fact::Bytes(ip(source)))).into_iter().collect()
            }
            Step::Context if decided => vec![],
            Step::Context => vec![("vn", self.vn(meta.vn))],
            Step::Permit => vec![("permitted", Fact::Flag(!decided))],
            Step::Decap if decided => vec![],
            Step::Decap => vec![
                ("length", Fact::Number(packet.data().len() as u64)),
                ("tagged", Fact::Flag(meta.tagged)),
                ("group", Fact::Flag(meta.group)),
            ],
            Step::Forward => {
                let mut facts = vec![("destination", mac(destination()))];
                if !meta.group {
                    facts.push(("row", self.row(self.pipeline.fdb.finish(meta.destination))));
                }
                facts.extend(self.way(meta.verdict));
                facts
            }
            Step::Rewrite => return None,
        })
    }

    /// What left for one destination, with the header that was put before it.
    fn rewritten(&self, to: Verdict, meta: &Meta, packet: &Buffer) -> Option<Facts> {
        let mut facts = self.way(to);
        if let (Verdict::NextHop(index), Verdict::Send(_)) = (to, meta.verdict)
            && let Some(entry) = self.pipeline.snapshot.next_hop(index)
        {
            let header = packet.data().get(..entry.header_length.into()).unwrap_or(&[]);
            facts.push(("header", Fact::Bytes(ByteBuf::from(header))));
        }
        Some(facts)
    }

    /// Where to: a VAP with what selects it there, or a next hop with its remote NVE.
    fn way(&self, to: Verdict) -> Facts {
        match to {
            Verdict::Vap(index) => match self.model.vap_at.get(&index) {
                Some(id) => {
                    let selector = self.model.vaps.get(id).map(|row| row.spec.selector);
                    let selector = selector.map(|selector| ("selector", Fact::Selector(selector)));
                    [("vap", Fact::Number(id.0.into()))].into_iter().chain(selector).collect()
                }
                None => vec![("vap", Fact::Nil)],
            },
            Verdict::NextHop(index) => match self.model.next_hops.iter().find(|(_, row)| row.index == index) {
                Some((id, row)) => {
                    vec![("nh", Fact::Number(id.0.into())), ("remote", Fact::Bytes(ip(row.spec.remote)))]
                }
                None => vec![("nh", Fact::Nil)],
            },
            _ => vec![],
        }
    }

    fn vn(&self, index: Index) -> Fact {
        let id = self.model.vns.iter().find(|(_, row)| row.index == index).map(|(id, _)| id);
        id.map_or(Fact::Nil, |id| Fact::Number(id.0.into()))
    }

    fn row(&self, row: Option<u32>) -> Fact {
        let Some(row) = row else { return Fact::Nil };
        match Destination::unpack(row) {
            Destination::Vap(index) => self.model.vap_at.get(&index).map_or(Fact::Nil, |id| Fact::Dest(0, id.0)),
            Destination::NextHop(index) => {
                let id = self.model.next_hops.iter().find(|(_, row)| row.index == index).map(|(id, _)| id.0);
                id.map_or(Fact::Nil, |id| Fact::Dest(1, id))
            }
            Destination::Group(index) => {
                let id = self.model.groups.iter().find(|(_, row)| row.index == index).map(|(id, _)| id.0);
                id.map_or(Fact::Nil, |id| Fact::Dest(2, id))
            }
        }
    }

    fn learned(&self, seen: &Sighting) -> Option<(u32, u32, ByteBuf)> {
        let Place::Vap(vap) = seen.place else { return None };
        let (vap, vn) = self.model.news(vap, seen.vn, seen.mac)?;
        Some((vap.0, vn.0, ByteBuf::from(Bytes::new(&seen.mac.0).to_vec())))
    }
}
