//! What holds for every frame: no panic, no packet lost (the lab checks that), and no way from one VN into the other.

use proptest::prelude::*;
use wire::{ArpOperation, ArpPacket, fold, sum};

use super::lab::*;
use crate::{BURST, packet::Packet};

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

/// Offsets of every field of the headers of `kinds`, one behind the other: from, length.
fn fields(kinds: &[&[usize]]) -> Vec<(usize, usize)> {
    let lengths = kinds.iter().flat_map(|kind| kind.iter().copied());
    let next = |end: &mut usize, length| {
        *end += length;
        Some((*end - length, length))
    };
    lengths.scan(0, next).collect()
}

/// Lengths of the fields, in order.
const ETHERNET: &[usize] = &[6, 6, 2];
const TAG: &[usize] = &[2, 2];
const IPV4: &[usize] = &[1, 1, 2, 2, 2, 1, 1, 2, 4, 4];
const UDP: &[usize] = &[2, 2, 2, 2];
const VXLAN: &[usize] = &[1, 3, 3, 1];
const ARP: &[usize] = &[2, 2, 1, 1, 2, 6, 4, 6, 4];
const ICMP: &[usize] = &[1, 1, 2, 2, 2];

/// A good frame, where it comes in, and where its fields are.
type Kind = (types::PortId, Vec<u8>, Vec<(usize, usize)>);

fn kinds() -> Vec<Kind> {
    let inner = |to, from| frame(to, from, &ipv4(60));
    let tag = |tpid, vid, frame: &[u8]| tagged(tpid, vid, frame);
    let request = ArpPacket::new(ArpOperation::Request, (NVE_2.0, NVE_2.1), ([0; 6], US.1));
    let mut echo = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1];
    let checksum = !fold(sum(&echo, 0));
    echo[2..4].copy_from_slice(&checksum.to_be_bytes());
    let tunnel = [ETHERNET, IPV4, UDP, VXLAN, ETHERNET, IPV4].as_slice();
    vec![
        (LINK_1, tag(0x8100, BLUE_TAG, &inner(THERE, HERE)), fields(&[&[6, 6], TAG, &[2], IPV4, UDP])),
        (LINK_1, tag(0x8100, RED_TAG, &inner(BROADCAST, HERE)), fields(&[&[6, 6], TAG, &[2], IPV4, UDP])),
        (LINK_1, tag(0x88a8, 7, &tag(0x8100, BLUE_TAG, &inner(THERE, HERE))), fields(&[&[6, 6], TAG, TAG, &[2], IPV4])),
        (LINK_2, inner(HERE, BESIDE), fields(&[ETHERNET, IPV4, UDP])),
        (UNDERLAY, tunnelled(NVE_2, BLUE_VNI, &inner(HERE, THERE)), fields(tunnel)),
        (UNDERLAY, tunnelled(NVE_2, RED_VNI, &inner(BROADCAST, THERE)), fields(tunnel)),
        (
            UNDERLAY,
            tunnelled(NVE_2, BLUE_VNI, &tag(0x8100, 5, &inner(HERE, THERE))),
            fields(&[ETHERNET, IPV4, UDP, VXLAN, &[6, 6], TAG, &[2], IPV4]),
        ),
        (UNDERLAY, arp(BROADCAST, request), fields(&[ETHERNET, ARP])),
        (UNDERLAY, outer(NVE_2, US, 1, &echo), fields(&[ETHERNET, IPV4, ICMP])),
    ]
}

/// The outer checksum made right again, so that the field behind it is what is wrong.
fn mended(mut frame: Vec<u8>) -> Vec<u8> {
    if let Some(header) = frame.get_mut(14..34) {
        header[10..12].copy_from_slice(&[0, 0]);
        let checksum = !fold(sum(header, 0));
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
    frame
}

/// Whose a packet is that left, by where it left and what it carries: no frame may leave as another VN's than it came in as.
fn vn_of(port: u16, packet: &[u8]) -> Option<u16> {
    match port {
        0 if packet[12..14] == [0x81, 0] => match u16::from_be_bytes([packet[14], packet[15]]) & 0x0fff {
            BLUE_TAG => Some(BLUE),
            RED_TAG => Some(RED),
            _ => None,
        },
        1 => Some(BLUE),
        2 if packet.len() >= 50 && packet[23] == 17 => {
            match u32::from_be_bytes([0, packet[46], packet[47], packet[48]]) {
                BLUE_VNI => Some(BLUE),
                RED_VNI => Some(RED),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The VN that a frame asks for as it comes in; `None` if it asks for none, or one that is not there.
fn asks_for(port: types::PortId, frame: &[u8]) -> Option<u16> {
    vn_of(port.0, frame)
}

/// Every field of every header, set to values at the edges and cut within, before and behind.
fn corruptions() -> Vec<(types::PortId, Vec<u8>)> {
    let mut all = Vec::new();
    for (port, good, fields) in kinds() {
        for (at, length) in fields {
            for cut in at..=(at + length).min(good.len()) {
                all.push((port, good[..cut].to_vec()));
            }
            let is_header = good.len() > 34 && port == UNDERLAY && (14..34).contains(&at);
            for value in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                for fill in [at..at + 1, at + length - 1..at + length, at..at + length] {
                    let mut frame = good.clone();
                    frame[fill].fill(value);
                    if is_header {
                        all.push((port, mended(frame.clone())));
                    }
                    all.push((port, frame));
                }
            }
        }
    }
    all
}

/// The lab checks that every packet and every copy of it is sent, punted or counted; a read past a frame's end would panic.
#[test]
fn no_corrupted_field_of_any_header_leads_a_frame_astray() {
    let mut lab = Lab::new();
    // Both VNs know each other's stations, and the ways cross: only the VN keeps them apart.
    lab.row(RED, BESIDE, tables::Destination::NextHop(1));
    let all = corruptions();
    assert!(all.len() > 1_500, "{}", all.len());
    for (port, bytes) in all {
        let effects = lab.run(port, &bytes);
        for (by, packet) in effects.sent.iter().filter(|(by, packet)| !is_answer(*by, packet)) {
            let vn = vn_of(*by, packet);
            assert!(vn.is_some(), "{bytes:02x?} left by {by} as {packet:02x?}");
            assert_eq!(vn, asks_for(port, &bytes), "{bytes:02x?} left by {by} as {packet:02x?}");
        }
    }
}

/// ARP and ICMP of the NVE's own address.
fn is_answer(by: u16, packet: &[u8]) -> bool {
    by == UNDERLAY.0 && (packet[12..14] == [8, 6] || packet[23] == 1)
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let inner = |to, from| frame(to, from, &ipv4(46));
    prop_oneof![
        mangled(tagged(0x8100, BLUE_TAG, &inner(THERE, HERE))),
        mangled(tagged(0x8100, RED_TAG, &inner(BROADCAST, HERE))),
        mangled(inner(HERE, BESIDE)),
        mangled(tunnelled(NVE_2, BLUE_VNI, &inner(HERE, THERE))),
        mangled(tunnelled(NVE_3, RED_VNI, &inner(BROADCAST, THERE))),
        proptest::collection::vec(any::<u8>(), 0..200),
    ]
}

/// Tables in which anything may name anything: rows and lists of one VN the objects of the other, and objects that are closed.
fn any_tables(lab: &mut Lab, seed: u64) {
    let mut bits = seed;
    let mut below = |count: u64| {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (bits >> 33) % count
    };
    for mac in [HERE, THERE, BESIDE, NOBODY] {
        for vn in [BLUE, RED] {
            let to = below(4);
            match below(3) {
                0 => lab.row(vn, mac, tables::Destination::Vap(to as u16)),
                1 => lab.row(vn, mac, tables::Destination::NextHop(to as u32)),
                _ => {
                    lab.fdb.remove(tables::FdbKey::new(vn, types::MacAddr(mac)));
                }
            }
        }
    }
    for vn in [BLUE, RED] {
        let vaps: Vec<u16> = (0..below(4)).map(|_| below(4) as u16).collect();
        let flood: Vec<u32> = (0..below(4)).map(|_| below(4) as u32).collect();
        let max_frame = [0, 64, 1514][below(3) as usize];
        lab.change_vn(vn, |entry| {
            (entry.vaps, entry.flood, entry.max_frame) =
                (vaps.into(), flood.into_iter().map(tables::Destination::NextHop).collect(), max_frame)
        });
    }
    lab.buffers = below(4) as usize;
    lab.punt_room = below(2) == 0;
}

proptest! {
    /// Packets in + copies = out + punted + dropped, for any tables and any burst; nothing of one VN leaves by a VAP of the other.
    #[test]
    fn any_burst_over_any_tables_ends_in_full(
        frames in proptest::collection::vec(any_frame(), 0..=BURST), port in 0u16..5, seed in any::<u64>()
    ) {
        let mut lab = Lab::new();
        any_tables(&mut lab, seed);
        lab.run_burst(types::PortId(port), frames.iter().map(|bytes| TestPacket::new(bytes)));
        for bytes in frames.iter().filter(|_| port == 0) {
            let Some(vn) = vn_of(port, bytes.get(..16).map_or(&[0; 16], |_| bytes)) else { continue };
            for (by, packet) in lab.run(types::PortId(port), bytes).sent.iter().filter(|(by, _)| *by < 2) {
                prop_assert_eq!(vn_of(*by, packet), Some(vn), "{:02x?} left by {} as {:02x?}", bytes, by, packet);
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
