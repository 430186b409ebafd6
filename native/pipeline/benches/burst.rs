//! What a burst costs without DPDK: `cargo bench -p splitnve-pipeline [-- MODE ROUNDS]`.
//!
//! Tenants' frames are encapsulated, or tunnelled packets decapsulated, at 1,000 flows: the scenario of `npm run bench`. Each round fills 32
//! buffers from the next 32 frames and runs the pipeline over them. Without arguments it prints nanoseconds per packet, the filling of
//! buffers taken off. With a mode (`io`, `encap`, `decap`, `acl`, `random`) and a number of rounds it just does that, to be counted by another
//! tool (`valgrind --tool=callgrind`), which tells more than a clock on a busy machine.

#![allow(clippy::unwrap_used, reason = "a bench that cannot set up its tables has nothing to measure")]

use core::cell::Cell;
use core::hint::black_box;
use core::net::Ipv4Addr;
use core::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::Instant;

use pipeline::{BURST, Burst, COUNTERS_PER_VAP, Counters, Packet, Pipeline, PuntClass, Sighting, Sink, Tunnel};
use tables::{
    AccessPort, Acl, AclRule, Action, ContextKey, Destination, FdbKey, Flags, MapReader, MapWriter, NextHopEntry,
    PairWriter, PortEntry, Snapshot, Source, SourceKey, UnderlayPort, VapEntry, VapMeters, VnEntry, concurrent_map,
};
use types::{DropReason, MacAddr, PortId, Vni};
use wire::{Encap, Outer, fold, sum};

const FLOWS: u16 = 1000;
const NVES: u16 = 100;
const STRANGERS: u32 = 1 << 20;
const ACCESS: PortId = PortId(0);
const UNDERLAY: PortId = PortId(1);
const US: (MacAddr, Ipv4Addr) = (MacAddr([2, 0xff, 0, 0, 0, 0]), Ipv4Addr::new(192, 0, 2, 1));
const VN: u16 = 0;
const VAP: u16 = 0;
const VID: u16 = 100;
const ROOM: usize = 128;
/// A 64-byte frame without its FCS.
const FRAME: usize = 60;

fn tenant(flow: u16) -> MacAddr {
    MacAddr([2, 0, 0, 0, (flow >> 8) as u8, flow as u8])
}
fn remote(flow: u16) -> MacAddr {
    MacAddr([2, 0, 0, 1, (flow >> 8) as u8, flow as u8])
}
/// One of a million, who come in no order.
fn stranger(number: u32) -> MacAddr {
    let [_, a, b, c] = number.to_be_bytes();
    MacAddr([2, 0, 0, 0x80 | a, b, c])
}
fn nve(flow: u16) -> (MacAddr, Ipv4Addr) {
    let host = (flow % NVES) as u8;
    (MacAddr([2, 0, 0, 2, 0, host]), Ipv4Addr::new(192, 0, 2, 10 + host))
}
fn vni() -> Vni {
    Vni::try_from(5001).unwrap()
}

/// A buffer with room before the frame, apart from what describes it, as DPDK's are.
struct Buffer {
    bytes: Box<[u8; 512]>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn fill(&mut self, frame: &[u8]) {
        (self.start, self.end) = (ROOM, ROOM + frame.len());
        self.bytes[ROOM..self.end].copy_from_slice(frame);
    }
}

impl Packet for Buffer {
    #[inline(always)]
    fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
    #[inline(always)]
    fn data_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }
    #[inline(always)]
    fn prepend<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.start = self.start.checked_sub(N)?;
        self.bytes[self.start..].first_chunk_mut()
    }
    #[inline(always)]
    fn trim_front(&mut self, length: usize) {
        self.start += length;
    }
    fn trimmed(&self, length: usize) -> Option<&[u8]> {
        self.bytes.get(self.start.checked_sub(length)?..self.start)
    }
    #[inline(always)]
    fn truncate(&mut self, length: usize) {
        self.end = self.start + length;
    }
    fn pad(&mut self, _length: usize) {}
    #[inline(always)]
    fn is_segmented(&self) -> bool {
        false
    }
    #[inline(always)]
    fn prefetch(&self) {}
}

/// Collects what is sent, so that the buffers can be used again.
struct Out {
    sent: Burst<Buffer>,
    expected: u16,
}

impl Sink<Buffer> for Out {
    type Shared = Vec<u8>;
    #[inline]
    fn transmit(&mut self, port: u16, packet: Buffer, _origin: PortId) {
        assert_eq!(port, self.expected);
        self.sent.push(packet);
    }
    fn copy(&mut self, _packet: &Buffer) -> Option<Buffer> {
        None
    }
    fn share(&mut self, packet: Buffer) -> Vec<u8> {
        packet.data().to_vec()
    }
    fn unshare(&mut self, frame: Vec<u8>) -> Result<Buffer, Vec<u8>> {
        Err(frame)
    }
    fn transmit_behind(&mut self, _port: u16, _header: &[u8], _frame: &Vec<u8>, _origin: PortId) -> bool {
        false
    }
    fn replicated(&mut self, _copies: usize) {}
    fn punt(&mut self, _class: PuntClass, _port: PortId, _frame: &[u8]) -> Result<(), DropReason> {
        Err(DropReason::PuntFull)
    }
    fn divert(&mut self, _port: u16, _packet: Buffer, _origin: PortId) {}
    fn seen(&mut self, _sighting: Sighting) {}
}

struct Tables {
    snapshot: Snapshot,
    fdb: MapReader<FdbKey>,
    contexts: MapReader<ContextKey>,
    sources: MapReader<SourceKey>,
    pairs: PairWriter,
    meters: VapMeters,
    drops: Vec<AtomicU64>,
    vaps: Vec<AtomicU64>,
    /// Who of the million comes next.
    chance: Cell<u64>,
}

fn next_hop(flow: u16) -> NextHopEntry {
    let end = |(mac, ip): (MacAddr, Ipv4Addr)| (mac, ip.into());
    let outer = Outer::new(end(US), end(nve(flow)), Encap::Vxlan, vni());
    Tunnel::new(outer, UNDERLAY, 1650).entry().unwrap()
}

fn tables() -> Tables {
    let mut access = AccessPort::new(US.0);
    access.c_tag[usize::from(VID)] = VAP;
    let snapshot = Snapshot {
        ports: Arc::new(vec![
            PortEntry::Access(Arc::new(access)),
            PortEntry::Underlay(Arc::new(UnderlayPort { mac: US.0, v4: [US.1].into(), ..UnderlayPort::default() })),
        ]),
        vaps: [VapEntry { port: ACCESS.0, c_vid: VID, vn: VN, ..VapEntry::CLOSED }].into_iter().collect(),
        vns: [VnEntry { max_frame: 1514, ..VnEntry::default() }].into_iter().collect(),
        next_hops: (0..NVES).map(next_hop).collect(),
        remotes: (0..NVES).map(|number| Some(nve(number).1.into())).collect(),
        ..Snapshot::default()
    };
    let mut fdb: MapWriter<FdbKey> = concurrent_map(65_536, 0x5eed);
    let mut contexts: MapWriter<ContextKey> = concurrent_map(65_535, 0x5eee);
    let mut sources: MapWriter<SourceKey> = concurrent_map(262_144, 0x5eef);
    contexts.insert(ContextKey(vni()), VN.into()).unwrap();
    for flow in 0..FLOWS {
        fdb.insert(FdbKey::new(VN, tenant(flow)), Destination::Vap(VAP).pack()).unwrap();
        fdb.insert(FdbKey::new(VN, remote(flow)), Destination::NextHop(u32::from(flow % NVES)).pack()).unwrap();
        sources.insert(SourceKey::new(VN, Source::V4(nve(flow).1)), 1).unwrap();
    }
    let words = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
    let (drops, vaps) = (words(Counters::DROP_WORDS), words(COUNTERS_PER_VAP));
    Tables {
        snapshot,
        fdb: fdb.reader(),
        contexts: contexts.reader(),
        sources: sources.reader(),
        pairs: PairWriter::new(1),
        meters: VapMeters::new(1),
        drops,
        vaps,
        chance: Cell::new(1),
    }
}

/// IPv4 with UDP in Ethernet; the addresses and a port by flow.
fn frame(to: MacAddr, from: MacAddr, flow: u16) -> Vec<u8> {
    let [high, low] = flow.to_be_bytes();
    let ip = [0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, high, low];
    let udp = [high | 0x40, low, 0, 7, 0, 26, 0, 0];
    let mut frame = [&to.0[..], &from.0, &[8, 0], &ip, &udp].concat();
    frame.resize(FRAME, 0);
    frame
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Io,
    Encap,
    Decap,
    /// Encap behind a list of 16 rules, of which the last matches.
    Acl,
    /// Encap to a million MACs at random.
    Random,
    /// [`Mode::Io`] of the same.
    RandomIo,
}

fn frames(mode: Mode) -> Vec<Vec<u8>> {
    let one = |flow| match mode {
        Mode::Io | Mode::Encap | Mode::Acl | Mode::Random | Mode::RandomIo => {
            let mut frame = frame(remote(flow), tenant(0), flow);
            frame.splice(12..12, [0x81, 0, 0, VID as u8]);
            frame
        }
        Mode::Decap => {
            let ((from_mac, from), (to_mac, to)) = (nve(flow), US);
            let [high, low] = flow.to_be_bytes();
            let mut ip = vec![0x45, 0, 0, 36 + FRAME as u8, 0, 0, 0x40, 0, 64, 17, 0, 0];
            ip.extend([from.octets(), to.octets()].concat());
            let checksum = !fold(sum(&ip, 0));
            ip[10..12].copy_from_slice(&checksum.to_be_bytes());
            let udp = [high | 0xc0, low, 0x12, 0xb5, 0, 16 + FRAME as u8, 0, 0];
            let vxlan = [&[8, 0, 0, 0][..], &(vni().get() << 8).to_be_bytes()].concat();
            let outer = [&to_mac.0[..], &from_mac.0, &[8, 0], &ip, &udp, &vxlan].concat();
            [&outer[..], &frame(tenant(flow), remote(flow), flow)].concat()
        }
    };
    (0..FLOWS).map(one).collect()
}

/// Puts a list of 16 rules before the VAP; the last is the first that matches.
fn bind_acl(tables: &mut Tables) {
    let rule = |number: u16| {
        let mut rule = AclRule::any(Action::Permit);
        rule.ether_type(0x0800);
        rule.source_ip(0x0a00_0001, u128::from(u32::MAX));
        rule.protocol(17);
        rule.destination_ports(if number == 15 { (7, 7) } else { (1000 + number, 2000) });
        rule
    };
    let snapshot = &mut tables.snapshot;
    *snapshot.acls.slot(0) = Some(Arc::new(Acl::new((0..16).map(rule), Action::Deny)));
    snapshot.vap_policies.slot(VAP.into()).acls.inward = 0;
    let vap = snapshot.vaps.slot(VAP);
    vap.flags = vap.flags.with(Flags::ACL_IN);
}

/// Gives the FDB a million rows.
fn add_strangers(tables: &mut Tables) {
    let mut fdb: MapWriter<FdbKey> = concurrent_map(STRANGERS as usize + 1, 0x5eed);
    fdb.insert(FdbKey::new(VN, tenant(0)), Destination::Vap(VAP).pack()).unwrap();
    for number in 0..STRANGERS {
        let next_hop = Destination::NextHop(number % u32::from(NVES));
        fdb.insert(FdbKey::new(VN, stranger(number)), next_hop.pack()).unwrap();
    }
    tables.fdb = fdb.reader();
}

/// Runs `rounds` bursts of one mode.
fn run(mode: Mode, tables: &Tables, frames: &[Vec<u8>], rounds: usize) {
    let counters = Counters::new(&tables.drops, &tables.vaps);
    let Tables { snapshot, fdb, contexts, sources, .. } = tables;
    let (mut pairs, identification) = (tables.pairs.reader(), Cell::new(0));
    let (pairs, identification) = (pairs.load(), &identification);
    let meters = &tables.meters;
    let pipeline =
        Pipeline { snapshot, fdb, contexts, sources, pairs, meters, now: 0, identification, era: 1, counters };
    let (port, expected) = if mode == Mode::Decap { (UNDERLAY, ACCESS.0) } else { (ACCESS, UNDERLAY.0) };
    let mut burst: Burst<Buffer> =
        (0..BURST).map(|_| Buffer { bytes: Box::new([0; 512]), start: ROOM, end: ROOM }).collect();
    let mut out = Out { sent: Burst::new(), expected };
    let mut next = frames.iter().cycle();
    for _ in 0..rounds {
        burst.iter_mut().zip(&mut next).for_each(|(buffer, frame)| buffer.fill(frame));
        if matches!(mode, Mode::Random | Mode::RandomIo) {
            for buffer in &mut burst {
                let state = tables.chance.get().wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                tables.chance.set(state);
                buffer.data_mut()[..6].copy_from_slice(&stranger((state >> 44) as u32).0);
            }
        }
        if matches!(mode, Mode::Io | Mode::RandomIo) {
            burst.drain(..).for_each(|packet| out.transmit(expected, packet, port));
        } else {
            pipeline.run(port, &mut burst, &mut out);
        }
        assert_eq!(out.sent.len(), BURST, "a packet was dropped");
        core::mem::swap(&mut burst, &mut out.sent);
        black_box(&mut burst);
    }
}

/// The least nanoseconds per packet of many short runs: what it costs when nobody disturbs.
fn least(mode: Mode, tables: &Tables) -> f64 {
    const ROUNDS: usize = 1000;
    let frames = frames(mode);
    let one = || {
        let start = Instant::now();
        run(mode, tables, &frames, ROUNDS);
        start.elapsed().as_nanos() as f64 / (ROUNDS * BURST) as f64
    };
    (0..200).map(|_| one()).fold(f64::INFINITY, f64::min)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut tables = tables();
    if let [mode, rounds] = arguments.as_slice() {
        let mode = match mode.as_str() {
            "encap" => Mode::Encap,
            "decap" => Mode::Decap,
            "random" => {
                add_strangers(&mut tables);
                Mode::Random
            }
            "acl" => {
                bind_acl(&mut tables);
                Mode::Acl
            }
            _ => Mode::Io,
        };
        return run(mode, &tables, &frames(mode), rounds.parse().unwrap());
    }
    let io = least(Mode::Io, &tables);
    for (name, mode) in [("encap", Mode::Encap), ("decap", Mode::Decap)] {
        println!("{name}: {:.1} ns per packet at {FLOWS} flows", least(mode, &tables) - io);
    }
    bind_acl(&mut tables);
    println!("encap behind 16 rules: {:.1} ns per packet", least(Mode::Acl, &tables) - io);
    let mut tables = self::tables();
    add_strangers(&mut tables);
    let random = least(Mode::Random, &tables) - least(Mode::RandomIo, &tables);
    println!("encap to {STRANGERS} MACs at random: {random:.1} ns per packet");
}
