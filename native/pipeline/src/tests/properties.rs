//! What holds for every frame: no panic, no packet lost (the lab checks that), and no way from one VN into the other.

use proptest::prelude::*;

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

proptest! {
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
