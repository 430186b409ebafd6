//! A small NVE on a bench: two VNs with equal tenant addresses, two access links, one underlay port, two remote NVEs.

use core::cell::Cell;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use tables::{
    AccessPort, ContextKey, Destination, FdbKey, MapWriter, NextHopEntry, PairWriter, PortEntry, Snapshot, Source,
    SourceKey, UnderlayPort, VapEntry, VapMeters, VnEntry, concurrent_map,
};
use types::{DropReason, MacAddr, PortId, Selector, Vid, Vni};
use wire::{ArpPacket, Encap, IntoBytes, Outer, fold, sum};

use crate::packet::{Packet, Place, PuntClass, Sighting, Sink};
use crate::{Burst, COUNTERS_PER_VAP, Counters, Pipeline, Tunnel, VapCounter};

/// Ticks of a second.
pub const HZ: u64 = 1_000_000;
pub const LINK_1: PortId = PortId(0);
pub const LINK_2: PortId = PortId(1);
pub const UNDERLAY: PortId = PortId(2);
pub const UNUSED: PortId = PortId(3);
pub const BLUE: u16 = 0;
pub const RED: u16 = 1;
pub const BLUE_TAG: u16 = 100;
pub const RED_TAG: u16 = 200;
pub const BLUE_VNI: u32 = 5001;
pub const RED_VNI: u32 = 5002;
pub const US: ([u8; 6], Ipv4Addr) = ([2, 0xff, 0, 0, 0, 1], Ipv4Addr::new(192, 0, 2, 1));
pub const NVE_2: ([u8; 6], Ipv4Addr) = ([2, 0xff, 0, 0, 0, 2], Ipv4Addr::new(192, 0, 2, 2));
pub const NVE_3: ([u8; 6], Ipv4Addr) = ([2, 0xff, 0, 0, 0, 3], Ipv4Addr::new(192, 0, 2, 3));
pub const LINK_1_MAC: [u8; 6] = [2, 0xcc, 0, 0, 0, 1];
const LINK_2_MAC: [u8; 6] = [2, 0xcc, 0, 0, 0, 2];
/// In both VNs, at link 1.
pub const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// In blue only, at link 1.
pub const BLUE_ONLY: [u8; 6] = [2, 0, 0, 0, 0, 9];
/// In both VNs, behind NVE 2.
pub const THERE: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// In blue, at link 2.
pub const BESIDE: [u8; 6] = [2, 0, 0, 0, 0, 3];
pub const NOBODY: [u8; 6] = [2, 0, 0, 0, 0, 0x77];
pub const BROADCAST: [u8; 6] = [0xff; 6];

const BLUE_1: u16 = 0;
const RED_1: u16 = 1;
const BLUE_2: u16 = 2;
pub const TO_NVE_2_BLUE: u32 = 0;
const TO_NVE_2_RED: u32 = 1;
pub const TO_NVE_3_BLUE: u32 = 2;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestPacket {
    buffer: Vec<u8>,
    start: usize,
    pub segmented: bool,
}

impl TestPacket {
    pub fn new(frame: &[u8]) -> Self {
        let mut buffer = vec![0xa5; 128];
        buffer.extend_from_slice(frame);
        Self { buffer, start: 128, segmented: false }
    }
}

impl Packet for TestPacket {
    fn data(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
    fn data_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..]
    }
    fn prepend<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.start = self.start.checked_sub(N)?;
        self.buffer[self.start..].first_chunk_mut()
    }
    fn trim_front(&mut self, length: usize) {
        assert!(length <= self.data().len());
        self.start += length;
    }
    fn trimmed(&self, length: usize) -> Option<&[u8]> {
        self.buffer.get(self.start.checked_sub(length)?..self.start)
    }
    fn truncate(&mut self, length: usize) {
        assert!(length <= self.data().len());
        self.buffer.truncate(self.start + length);
    }
    fn pad(&mut self, length: usize) {
        self.buffer.resize(self.start + length, 0);
    }
    fn is_segmented(&self) -> bool {
        self.segmented
    }
    fn prefetch(&self) {}
}

/// A packet that is no longer changed, and whether something refers to it.
pub struct SharedPacket(TestPacket, Cell<bool>);

impl AsRef<[u8]> for SharedPacket {
    fn as_ref(&self) -> &[u8] {
        self.0.data()
    }
}

/// What left the pipeline, and what it counted.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Effects {
    pub sent: Vec<(u16, Vec<u8>)>,
    pub punted: Vec<(PuntClass, Vec<u8>)>,
    pub dropped: Vec<(DropReason, u64)>,
    /// `(vap, in packets, out packets)` of those that moved.
    pub vaps: Vec<(u16, u64, u64)>,
    pub copies: usize,
    /// MACs that were told, and where they are.
    pub seen: Vec<(Place, [u8; 6])>,
    /// Questions that were answered, by VAP.
    pub suppressed: Vec<(u16, u64)>,
}

impl Effects {
    pub fn drop(reason: DropReason) -> Self {
        Self { dropped: vec![(reason, 1)], ..Self::default() }
    }
    pub fn with_vaps(mut self, vaps: &[(u16, u64, u64)]) -> Self {
        self.vaps = vaps.to_vec();
        self
    }
}

struct Recorder<'e> {
    effects: &'e mut Effects,
    buffers: usize,
    punt_room: bool,
    /// Drops that were shown to who records, by reason.
    shown: [u64; DropReason::COUNT],
}

impl Sink<TestPacket> for Recorder<'_> {
    type Shared = SharedPacket;
    fn transmit(&mut self, port: u16, packet: TestPacket, _origin: PortId) {
        self.effects.sent.push((port, packet.data().to_vec()));
    }
    fn copy(&mut self, packet: &TestPacket) -> Option<TestPacket> {
        self.buffers = self.buffers.checked_sub(1)?;
        Some(packet.clone())
    }
    fn share(&mut self, packet: TestPacket) -> SharedPacket {
        SharedPacket(packet, Cell::new(false))
    }
    fn unshare(&mut self, frame: SharedPacket) -> Result<TestPacket, SharedPacket> {
        if frame.1.get() { Err(frame) } else { Ok(frame.0) }
    }
    fn transmit_behind(&mut self, port: u16, header: &[u8], frame: &SharedPacket, _origin: PortId) -> bool {
        let Some(buffers) = self.buffers.checked_sub(1) else { return false };
        self.buffers = buffers;
        frame.1.set(true);
        self.effects.sent.push((port, [header, frame.as_ref()].concat()));
        true
    }
    fn replicated(&mut self, copies: usize) {
        self.effects.copies += copies;
    }
    fn punt(&mut self, class: PuntClass, _port: PortId, frame: &[u8]) -> Result<(), DropReason> {
        if !self.punt_room {
            return Err(DropReason::PuntFull);
        }
        self.effects.punted.push((class, frame.to_vec()));
        Ok(())
    }
    fn divert(&mut self, port: u16, packet: TestPacket, origin: PortId) {
        self.transmit(port, packet, origin);
    }
    fn dropped(&mut self, _frame: &[u8], _port: PortId, reason: DropReason) {
        self.shown[reason as usize] += 1;
    }
    fn seen(&mut self, sighting: Sighting) {
        self.effects.seen.push((sighting.place, sighting.mac.0));
    }
}

pub struct Lab {
    pub snapshot: Snapshot,
    pub fdb: MapWriter<FdbKey>,
    pub contexts: MapWriter<ContextKey>,
    pub sources: MapWriter<SourceKey>,
    pub pairs: PairWriter,
    pub meters: VapMeters,
    pub now: u64,
    pub era: u16,
    pub buffers: usize,
    pub punt_room: bool,
}

impl Lab {
    pub fn new() -> Self {
        let tag = |vid: u16| Vid::try_from(vid).unwrap();
        let mut link_1 = AccessPort::new(MacAddr(LINK_1_MAC));
        link_1.select(Selector::CTag(tag(BLUE_TAG)), BLUE_1);
        link_1.select(Selector::CTag(tag(RED_TAG)), RED_1);
        let mut link_2 = AccessPort::new(MacAddr(LINK_2_MAC));
        link_2.select(Selector::Untagged, BLUE_2);
        let vap = |port: PortId, c_vid, vn| VapEntry { port: port.0, c_vid, vn, ..VapEntry::CLOSED };
        let vn = |vaps: &[u16], flood: &[u32]| VnEntry {
            max_frame: 1514,
            vaps: vaps.into(),
            flood: flood.iter().map(|next_hop| Destination::NextHop(*next_hop)).collect(),
            ..VnEntry::default()
        };
        let snapshot = Snapshot {
            ports: Arc::new(vec![
                PortEntry::Access(Arc::new(link_1)),
                PortEntry::Access(Arc::new(link_2)),
                PortEntry::Underlay(Arc::new(UnderlayPort {
                    mac: MacAddr(US.0),
                    v4: [US.1].into(),
                    v6: [US_6.1].into(),
                    ..UnderlayPort::default()
                })),
                PortEntry::Unused,
            ]),
            vaps: [vap(LINK_1, BLUE_TAG, BLUE), vap(LINK_1, RED_TAG, RED), vap(LINK_2, 0, BLUE)].into_iter().collect(),
            vns: [vn(&[BLUE_1, BLUE_2], &[TO_NVE_2_BLUE, TO_NVE_3_BLUE]), vn(&[RED_1], &[TO_NVE_2_RED])]
                .into_iter()
                .collect(),
            next_hops: [next_hop(NVE_2, BLUE_VNI), next_hop(NVE_2, RED_VNI), next_hop(NVE_3, BLUE_VNI)]
                .into_iter()
                .collect(),
            remotes: [NVE_2, NVE_2, NVE_3].into_iter().map(|nve| Some(nve.1.into())).collect(),
            ..Snapshot::default()
        };
        let mut lab = Self {
            snapshot,
            fdb: concurrent_map(64, 1),
            contexts: concurrent_map(8, 2),
            sources: concurrent_map(8, 3),
            pairs: PairWriter::new(4),
            meters: VapMeters::new(3),
            now: HZ,
            era: 1,
            buffers: 100,
            punt_room: true,
        };
        lab.row(BLUE, HERE, Destination::Vap(BLUE_1));
        lab.row(BLUE, BLUE_ONLY, Destination::Vap(BLUE_1));
        lab.row(BLUE, BESIDE, Destination::Vap(BLUE_2));
        lab.row(BLUE, THERE, Destination::NextHop(TO_NVE_2_BLUE));
        lab.row(RED, HERE, Destination::Vap(RED_1));
        lab.row(RED, THERE, Destination::NextHop(TO_NVE_2_RED));
        for (vn, vni) in [(BLUE, BLUE_VNI), (RED, RED_VNI)] {
            lab.contexts.insert(ContextKey(Vni::try_from(vni).unwrap()), vn.into()).unwrap();
            lab.sources.insert(SourceKey::new(vn, Source::V4(NVE_2.1)), 1).unwrap();
        }
        lab.sources.insert(SourceKey::new(BLUE, Source::V4(NVE_3.1)), 1).unwrap();
        Arc::make_mut(&mut lab.snapshot.peers).insert(NVE_2_6.1, 7);
        lab.sources.insert(SourceKey::new(BLUE, Source::V6(7)), 1).unwrap();
        lab
    }

    pub fn row(&mut self, vn: u16, mac: [u8; 6], destination: Destination) {
        self.fdb.insert(FdbKey::new(vn, MacAddr(mac)), destination.pack()).unwrap();
    }

    pub fn change_vap(&mut self, vap: u16, change: impl FnOnce(&mut VapEntry)) {
        change(self.snapshot.vaps.slot(vap));
    }

    /// Gives a VAP another selector on link 1, which has no other VAP then.
    pub fn select(&mut self, vap: u16, selector: Selector) {
        let PortEntry::Access(port) = &mut Arc::make_mut(&mut self.snapshot.ports)[0] else { panic!() };
        let port = Arc::make_mut(port);
        *port = AccessPort::new(port.mac);
        self.select_too(vap, selector);
    }

    /// The same, and the other VAPs of the link stay.
    pub fn select_too(&mut self, vap: u16, selector: Selector) {
        self.change_vap(vap, |entry| *entry = entry.clone().selected_by(selector));
        let PortEntry::Access(port) = &mut Arc::make_mut(&mut self.snapshot.ports)[0] else { panic!() };
        Arc::make_mut(port).select(selector, vap);
    }

    /// Changes how blue is tunnelled to NVE 2, over the family asked for.
    pub fn tunnel(&mut self, is_v6: bool, change: impl FnOnce(&mut Tunnel<'_>)) {
        let end = |(mac, ip): ([u8; 6], Ipv4Addr)| (MacAddr(mac), IpAddr::from(ip));
        let end_6 = |(mac, ip): ([u8; 6], Ipv6Addr)| (MacAddr(mac), IpAddr::from(ip));
        let ends = if is_v6 { [US_6, NVE_2_6].map(end_6) } else { [US, NVE_2].map(end) };
        let outer = Outer::new(ends[0], ends[1], Encap::Vxlan, Vni::try_from(BLUE_VNI).unwrap());
        let mut tunnel = Tunnel::new(outer, UNDERLAY, 1600);
        change(&mut tunnel);
        *self.snapshot.next_hops.slot(TO_NVE_2_BLUE as usize) = tunnel.entry().unwrap();
    }

    /// Takes tunnelled packets without a UDP checksum over IPv6.
    pub fn take_zero_checksum(&mut self) {
        let PortEntry::Underlay(port) = &mut Arc::make_mut(&mut self.snapshot.ports)[2] else { panic!() };
        Arc::make_mut(port).zero_checksum = [US_6.1].into();
    }

    pub fn change_vn(&mut self, vn: u16, change: impl FnOnce(&mut VnEntry)) {
        change(self.snapshot.vns.slot(vn));
    }

    pub fn run(&self, port: PortId, frame: &[u8]) -> Effects {
        self.run_burst(port, [TestPacket::new(frame)])
    }

    /// Changes the underlay port.
    pub fn change_underlay(&mut self, change: impl FnOnce(&mut UnderlayPort)) {
        let entry = &mut Arc::make_mut(&mut self.snapshot.ports)[usize::from(UNDERLAY.0)];
        let PortEntry::Underlay(port) = entry else { panic!() };
        change(Arc::make_mut(port));
    }

    /// Runs a burst, and checks that no packet is lost or made: what came in and what was copied is what left. And that who records drops is
    /// shown each that is counted.
    pub fn run_burst(&self, port: PortId, packets: impl IntoIterator<Item = TestPacket>) -> Effects {
        let words = |count| (0..count).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        let (drops, vaps) = (words(Counters::DROP_WORDS), words(COUNTERS_PER_VAP * 3));
        let mut effects = Effects::default();
        let mut burst: Burst<TestPacket> = packets.into_iter().collect();
        let received = burst.len();
        let (buffers, punt_room) = (self.buffers, self.punt_room);
        let mut sink = Recorder { effects: &mut effects, buffers, punt_room, shown: [0; DropReason::COUNT] };
        Pipeline {
            snapshot: &self.snapshot,
            fdb: &self.fdb.reader(),
            contexts: &self.contexts.reader(),
            sources: &self.sources.reader(),
            identification: &Cell::new(0),
            pairs: self.pairs.reader().load(),
            meters: &self.meters,
            now: self.now,
            era: self.era,
            counters: Counters::new(&drops, &vaps),
        }
        .run(port, &mut burst, &mut sink);
        let shown = sink.shown;
        assert!(burst.is_empty());
        for (at, word) in drops.iter().enumerate().filter(|(_, word)| word.load(Ordering::Relaxed) != 0) {
            assert_eq!(at / DropReason::COUNT, usize::from(port.0), "a drop is counted where the packet came in");
            effects.dropped.push((DropReason::ALL[at % DropReason::COUNT], word.load(Ordering::Relaxed)));
        }
        for (vap, words) in vaps.chunks(COUNTERS_PER_VAP).enumerate() {
            let moved = (vap as u16, words[0].load(Ordering::Relaxed), words[2].load(Ordering::Relaxed));
            let suppressed = words[VapCounter::Suppressed as usize].load(Ordering::Relaxed);
            if suppressed != 0 {
                effects.suppressed.push((vap as u16, suppressed));
            }
            if moved.1 + moved.2 != 0 {
                effects.vaps.push(moved);
            }
        }
        let all = DropReason::ALL.iter().copied().zip(shown).filter(|(_, count)| *count != 0).collect::<Vec<_>>();
        assert_eq!(all, effects.dropped, "drops that were shown, and those that were counted");
        let dropped: usize = effects.dropped.iter().map(|(_, count)| *count as usize).sum();
        assert_eq!(
            received + effects.copies,
            effects.sent.len() + effects.punted.len() + dropped,
            "packets in = packets out: {effects:?}"
        );
        effects
    }
}

/// Our end of a tunnel and NVE 2's, over IPv6.
pub const US_6: ([u8; 6], Ipv6Addr) = (US.0, Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
pub const NVE_2_6: ([u8; 6], Ipv6Addr) = (NVE_2.0, Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));

fn next_hop(nve: ([u8; 6], Ipv4Addr), vni: u32) -> NextHopEntry {
    let end = |(mac, ip): ([u8; 6], Ipv4Addr)| (MacAddr(mac), ip.into());
    let outer = Outer::new(end(US), end(nve), Encap::Vxlan, Vni::try_from(vni).unwrap());
    Tunnel::new(outer, UNDERLAY, 1600).entry().unwrap()
}

/// An untagged frame: MACs, then EtherType and payload.
pub fn frame(destination: [u8; 6], source: [u8; 6], rest: &[u8]) -> Vec<u8> {
    [&destination[..], &source[..], rest].concat()
}

/// The same with a tag.
pub fn tagged(tpid: u16, tci: u16, frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &tpid.to_be_bytes(), &tci.to_be_bytes(), &frame[12..]].concat()
}

/// EtherType and an IPv4 packet of `length` bytes.
pub fn ipv4(length: u16) -> Vec<u8> {
    let mut packet = vec![0; 2 + usize::from(length)];
    packet[..4].copy_from_slice(&[0x08, 0x00, 0x45, 0]);
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    packet
}

/// EtherType and an IPv6 packet of `length` bytes.
pub fn ipv6(length: u16) -> Vec<u8> {
    let mut packet = vec![0; 2 + usize::from(length)];
    packet[..4].copy_from_slice(&[0x86, 0xdd, 0x60, 0]);
    packet[6..8].copy_from_slice(&(length - 40).to_be_bytes());
    packet
}

/// As it leaves for a tenant: not shorter than Ethernet allows.
pub fn padded(mut frame: Vec<u8>) -> Vec<u8> {
    frame.resize(frame.len().max(60), 0);
    frame
}

/// A tunnelled packet as NVE 2 or 3 sends it. Written out by hand, so that it is an oracle for what we send, too.
pub fn tunnelled(source: ([u8; 6], Ipv4Addr), vni: u32, inner: &[u8]) -> Vec<u8> {
    outer(source, US, 17, &vxlan(vni, inner))
}

pub fn vxlan(vni: u32, inner: &[u8]) -> Vec<u8> {
    let mut udp = vec![0xc0, 0x01];
    udp.extend_from_slice(&4789u16.to_be_bytes());
    udp.extend_from_slice(&(inner.len() as u16 + 16).to_be_bytes());
    udp.extend_from_slice(&[0, 0, 0x08, 0, 0, 0]);
    udp.extend_from_slice(&(vni << 8).to_be_bytes());
    udp.extend_from_slice(inner);
    udp
}

pub fn outer(source: ([u8; 6], Ipv4Addr), destination: ([u8; 6], Ipv4Addr), protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x45, 0];
    ip.extend_from_slice(&(payload.len() as u16 + 20).to_be_bytes());
    ip.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
    ip.extend_from_slice(&source.1.octets());
    ip.extend_from_slice(&destination.1.octets());
    let checksum = !fold(sum(&ip, 0));
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    [&destination.0[..], &source.0[..], &[0x08, 0x00], &ip, payload].concat()
}

pub fn arp(destination: [u8; 6], packet: ArpPacket) -> Vec<u8> {
    [&destination[..], &packet.sender_mac[..], &[0x08, 0x06], packet.as_bytes()].concat()
}
