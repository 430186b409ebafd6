//! What holds for every frame: no panic, no packet lost (the lab checks that), and no way from one VN into the other.

use core::net::IpAddr;
use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use tables::{
    AclRule, Action, Destination, FdbKey, Flags, GroupEntry, NextHopEntry, PortEntry, Rate, Snapshot, Source,
    SourceKey, TagPolicy, Unknown, share_out,
};
use types::MacAddr;

use super::bad_packets::{Good, HEADERS, from_tenants, from_the_underlay, in_vlan, inside};
use super::busy::{STATIONS, VLAN, dress, ip_of, ip6_of};
use super::lab::*;
use crate::{BURST, Tunnel, packet::Packet};

/// A frame near enough to a good one that it gets past the first checks, with some bytes changed and cut somewhere.
fn mangled(base: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = base.len();
    (proptest::collection::vec((0..length, any::<u8>()), 0..4), prop_oneof![3 => Just(length), 1 => 0..=length])
        .prop_map(move |(changes, cut)| {
            let mut bytes = base.clone();
            for (at, value) in changes {
                bytes[at] = value;
            }
            bytes.truncate(cut);
            bytes
        })
}

/// A good packet of any kind with some bytes changed, cut somewhere, with right checksums or not; or noise.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let good = every_good_packet();
    let changes = proptest::collection::vec((any::<Index>(), any::<u8>()), 0..4);
    let spoilt = (any::<Index>(), changes, proptest::option::weighted(0.25, any::<Index>()), any::<bool>()).prop_map(
        move |(which, changes, cut, mended)| {
            let good = &good[which.index(good.len())];
            let change = |bytes: &mut [u8]| {
                let headers = bytes.len().min(HEADERS);
                changes.iter().for_each(|(at, value)| bytes[at.index(headers)] = *value);
            };
            let [raw, right] = good.changed(change);
            let mut bytes = if mended { right } else { raw };
            cut.inspect(|cut| bytes.truncate(cut.index(bytes.len() + 1)));
            bytes
        },
    );
    prop_oneof![8 => spoilt, 1 => proptest::collection::vec(any::<u8>(), 0..200)]
}

/// Draws numbers from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
    /// Any of these flags, each one time in three.
    fn any_of(&mut self, flags: &[Flags]) -> Flags {
        flags.iter().fold(Flags::NONE, |all, flag| all.with_if(self.one_in(3), *flag))
    }
    fn remote(&mut self) -> Destination {
        if self.one_in(3) {
            Destination::Group(self.below(3) as u32)
        } else {
            Destination::NextHop(self.below(5) as u32)
        }
    }
}

/// Asks a next hop for nothing.
fn plain(_: &mut Tunnel<'_>) {}

/// Tables in which anything may name anything: rows, lists and groups of one VN the objects of the other, and objects that are closed, down or
/// not there.
fn any_tables(seed: u64) -> Lab {
    let (mut lab, draw) = (Lab::new(), &mut Draw(seed));
    for index in 0..4 {
        let entry = match draw.below(6) {
            0 => NextHopEntry::DOWN,
            1 => NextHopEntry::UNRESOLVED,
            2 | 3 => {
                let ask = if draw.one_in(2) { dress } else { plain };
                let mtu = [100, 1600, 1600][draw.below(3) as usize];
                lab.tunnel(draw.one_in(2), |tunnel| {
                    ask(tunnel);
                    tunnel.mtu = mtu;
                });
                lab.snapshot.next_hop(TO_NVE_2_BLUE).cloned().unwrap_or_default()
            }
            _ => Lab::new().snapshot.next_hop(TO_NVE_2_BLUE).cloned().unwrap_or_default(),
        };
        *lab.snapshot.next_hops.slot(index) = entry;
    }
    for group in 0..2 {
        let living: Vec<_> =
            (0..draw.below(3)).map(|at| ((at + draw.below(3)) as u32, 1 + draw.below(3) as u8)).collect();
        let mut entry = GroupEntry { vn: [BLUE, RED, Snapshot::NONE][draw.below(3) as usize], ..GroupEntry::CLOSED };
        share_out(&mut entry.places, &living);
        *lab.snapshot.groups.slot(group) = entry;
    }
    for mac in STATIONS.into_iter().chain([NOBODY]) {
        for vn in [BLUE, RED] {
            match draw.below(4) {
                0 => lab.row(vn, mac, Destination::Vap(draw.below(4) as u16)),
                1 | 2 => lab.row(vn, mac, draw.remote()),
                _ => {
                    lab.fdb.remove(FdbKey::new(vn, MacAddr(mac)));
                }
            }
            if !draw.one_in(3) {
                let (v4, v6) = (IpAddr::from(ip_of(mac)), IpAddr::from(ip6_of(mac)));
                lab.pairs.insert(vn, v4, MacAddr(mac));
                lab.pairs.insert(vn, v6, MacAddr(mac));
            }
        }
    }
    let mut udp = AclRule::any(if draw.one_in(2) { Action::Deny } else { Action::Permit });
    udp.protocol(17);
    udp.destination_ports((0, 4096));
    lab.acl(0, [udp], if draw.one_in(4) { Action::Deny } else { Action::Permit });
    lab.acl(1, [], Action::Permit);
    let lists = [0, 1, 1, Snapshot::NONE, Snapshot::NONE, Snapshot::NONE, 2];
    let list = |draw: &mut Draw| lists[draw.below(7) as usize];
    for vap in 0..3 {
        lab.bind_vap(vap, list(draw), list(draw));
        let slow = Rate::new(HZ, (1, [1, 70, 5_000][draw.below(3) as usize]));
        let policy = lab.snapshot.vap_policies.slot(vap.into());
        (policy.police, policy.storm) = (slow, slow);
        let asked =
            draw.any_of(&[Flags::GUARD, Flags::LEARN, Flags::REFLECT, Flags::STORM, Flags::POLICE, Flags::GUARD_IP]);
        let tags = [TagPolicy::Refuse, TagPolicy::Pass, TagPolicy::Strip][draw.below(3) as usize].clone();
        lab.change_vap(vap, |entry| (entry.flags, entry.tags) = (entry.flags.with(asked), tags));
    }
    for vn in [BLUE, RED] {
        lab.bind_vn(vn, list(draw), list(draw));
        let asked = draw.any_of(&[Flags::SUPPRESS, Flags::LEARN_REMOTE, Flags::STRICT, Flags::DSCP_OUT]);
        let vaps: Vec<u16> = (0..draw.below(4)).map(|_| draw.below(4) as u16).collect();
        let flood: Vec<_> = (0..draw.below(4)).map(|_| draw.remote()).collect();
        let max_frame = [0, 64, 1514, 1514, 1514][draw.below(5) as usize];
        let uplink = [Snapshot::NONE, Snapshot::NONE, 0, 2, 3][draw.below(5) as usize];
        let unknown = [Unknown::Drop, Unknown::Query, Unknown::Flood][draw.below(3) as usize];
        lab.change_vn(vn, |entry| {
            (entry.vaps, entry.flood, entry.max_frame) = (vaps.into(), flood.into(), max_frame);
            (entry.flags, entry.uplink, entry.unknown) = (entry.flags.with(asked), uplink, unknown);
        });
    }
    for (vn, nve) in [(BLUE, Source::V4(NVE_2.1)), (RED, Source::V4(NVE_2.1)), (BLUE, Source::V6(7))] {
        if draw.one_in(4) {
            lab.sources.remove(SourceKey::new(vn, nve));
        }
    }
    let (vlan, tap) = ([0, VLAN][draw.below(2) as usize], draw.one_in(2).then_some(UNUSED.0));
    if draw.one_in(2) {
        lab.take_zero_checksum();
    }
    lab.change_underlay(|port| (port.vlan, port.exception) = (vlan, tap));
    if tap.is_some() {
        Arc::make_mut(&mut lab.snapshot.ports)[usize::from(UNUSED.0)] =
            PortEntry::Exception { underlay: UNDERLAY.0, vlan };
    }
    lab.buffers = draw.below(6) as usize;
    lab.punt_room = draw.one_in(2);
    lab
}

/// Every kind of packet, on the underlay with and without the VLAN of its link.
fn every_good_packet() -> Vec<Good> {
    let underlay = from_the_underlay();
    let tagged: Vec<_> = underlay.iter().map(in_vlan).collect();
    from_tenants().into_iter().chain(underlay).chain(tagged).collect()
}

/// What the next test asserts of any tables says nothing if the tables never ask for anything.
#[test]
fn any_tables_reach_every_step() {
    use types::DropReason::*;
    let good = every_good_packet();
    let mut reasons = HashSet::new();
    let mut encapsulated = HashSet::new();
    let (mut punted, mut suppressed, mut copies, mut diverted) = (0, 0, 0, 0);
    for seed in 0..2_000 {
        let lab = any_tables(seed);
        for port in [LINK_1, LINK_2, UNDERLAY] {
            let some = good.iter().filter(|good| good.port == port).skip(seed as usize % 3).step_by(3);
            let effects = lab.run_burst(port, some.map(|good| TestPacket::new(&good.bytes)));
            reasons.extend(effects.dropped.iter().map(|(reason, _)| *reason));
            let of_tenants = effects.sent.iter().filter(|(by, _)| *by == UNDERLAY.0 && port != UNDERLAY);
            encapsulated.extend(of_tenants.map(|(_, packet)| {
                let at = if packet[12] == 0x81 { 16 } else { 12 };
                (at, packet[at])
            }));
            diverted += effects.sent.iter().filter(|(by, _)| *by == UNUSED.0).count();
            (punted, suppressed) = (punted + effects.punted.len(), suppressed + effects.suppressed.len());
            copies += effects.copies;
        }
    }
    let asked = [
        UnknownTag,
        TenantTag,
        SourceGuard,
        Storm,
        Policed,
        IpGuard,
        AclIn,
        AclOut,
        SameVap,
        UnknownUnicast,
        NoReceiver,
        VnMtu,
        UnderlayMtu,
        SplitHorizon,
        NeighbourUnresolved,
        NextHopDown,
        NoBuffer,
        OuterTag,
        OuterZeroChecksum,
        SourceNve,
        PuntFull,
    ];
    let missed: Vec<_> = asked.into_iter().filter(|reason| !reasons.contains(reason)).collect();
    assert!(missed.is_empty(), "{missed:?}");
    // With and without an outer tag, IPv4 and IPv6.
    assert_eq!(encapsulated.len(), 4, "{encapsulated:?}");
    assert!(punted > 0 && suppressed > 0 && copies > 0 && diverted > 0, "{punted} {suppressed} {copies} {diverted}");
}

proptest! {
    /// Packets in + copies = out + punted + dropped, for any tables and any burst; nothing of one VN leaves by a VAP of the other.
    #[test]
    fn any_burst_over_any_tables_ends_in_full(
        frames in proptest::collection::vec(any_frame(), 0..=BURST), port in 0u16..5, seed in any::<u64>()
    ) {
        let lab = any_tables(seed);
        lab.run_burst(types::PortId(port), frames.iter().map(|bytes| TestPacket::new(bytes)));
        for bytes in frames.iter().filter(|_| port == 0) {
            let Some((vn, _)) = inside(types::PortId(port), bytes) else { continue };
            for (by, packet) in lab.run(types::PortId(port), bytes).sent.iter().filter(|(by, _)| *by < 2) {
                let left = inside(types::PortId(*by), packet).map(|(vn, _)| vn);
                prop_assert_eq!(left, Some(vn), "{:02x?} left by {} as {:02x?}", bytes, by, packet);
            }
        }
    }

    #[test]
    fn any_burst_on_any_port_ends_in_full(frames in proptest::collection::vec(any_frame(), 0..=BURST), port in 0u16..5) {
        let lab = Lab::new();
        lab.run_burst(types::PortId(port), frames.iter().map(|bytes| TestPacket::new(bytes)));
    }

    /// Whatever a red tenant sends, and whatever a tunnel carries with red's VNI, leaves only with red's tag or VNI.
    #[test]
    fn red_stays_red(inner in mangled(frame(THERE, HERE, &ipv4(46))), local in any::<bool>()) {
        prop_assume!(inner.len() >= 12);
        let lab = Lab::new();
        let effects = if local {
            lab.run(LINK_1, &tagged(0x8100, RED_TAG, &inner))
        } else {
            lab.run(UNDERLAY, &tunnelled(NVE_2, RED_VNI, &inner))
        };
        for (port, packet) in &effects.sent {
            let red = match port {
                0 => packet[14..16] == RED_TAG.to_be_bytes(),
                2 => packet[46..50] == (RED_VNI << 8).to_be_bytes(),
                _ => false,
            };
            prop_assert!(red, "{:?} left by {}", packet, port);
        }
    }

    /// What one NVE encapsulates, its peer decapsulates to the same frame.
    #[test]
    fn decap_undoes_encap(length in 46u16..=1500, seed in any::<u64>()) {
        let lab = Lab::new();
        let mut inner = frame(THERE, HERE, &ipv4(length));
        for (at, byte) in inner.iter_mut().enumerate().skip(34) {
            *byte = (seed >> (at % 57)) as u8;
        }
        let sent = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &inner)).sent;
        let mut packet = TestPacket::new(&sent[0].1);
        packet.trim_front(50);
        prop_assert_eq!(packet.data(), &inner[..]);
    }
}
