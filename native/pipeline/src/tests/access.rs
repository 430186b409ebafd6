//! From a tenant.

use tables::{Destination, VapEntry};
use types::DropReason::*;

use super::lab::*;

const BLUE_1: u16 = 0;
const RED_1: u16 = 1;
const BLUE_2: u16 = 2;

/// What we send equals what NVE 2 would send us, but for addresses and the source port.
fn assert_tunnelled(effects: &Effects, to: ([u8; 6], core::net::Ipv4Addr), vni: u32, inner: &[u8]) {
    let sent: Vec<_> = effects.sent.iter().filter(|(_, frame)| frame[30..34] == to.1.octets()).collect();
    assert_eq!(sent.len(), 1, "one packet to {}: {effects:?}", to.1);
    let (port, packet) = sent[0];
    assert_eq!(*port, UNDERLAY.0);
    let mut expected = outer(US, to, 17, &vxlan(vni, inner));
    expected[34..36].copy_from_slice(&packet[34..36]);
    assert_eq!(packet, &expected);
    assert!(u16::from_be_bytes([packet[34], packet[35]]) >= 49152);
}

#[test]
fn a_known_remote_station_is_reached_by_tunnel_without_the_tag() {
    let lab = Lab::new();
    let inner = frame(THERE, HERE, &ipv4(46));
    for (tag, vap, vni) in [(BLUE_TAG, BLUE_1, BLUE_VNI), (RED_TAG, RED_1, RED_VNI)] {
        let effects = lab.run(LINK_1, &tagged(0x8100, 0xe000 | tag, &inner));
        assert_tunnelled(&effects, NVE_2, vni, &inner);
        assert_eq!(effects.sent.len(), 1);
        assert_eq!((&effects.vaps[..], &effects.dropped[..]), (&[(vap, 1, 0)][..], &[][..]));
    }
}

#[test]
fn a_local_station_is_reached_without_encapsulation() {
    let lab = Lab::new();
    let inner = frame(BESIDE, HERE, &ipv4(46));
    let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &inner));
    let expected = Effects { sent: vec![(LINK_2.0, inner.clone())], ..Effects::default() };
    assert_eq!(effects, expected.with_vaps(&[(BLUE_1, 1, 0), (BLUE_2, 0, 1)]));

    let back = frame(HERE, BESIDE, &ipv4(46));
    let effects = lab.run(LINK_2, &back);
    let expected = Effects { sent: vec![(LINK_1.0, tagged(0x8100, BLUE_TAG, &back))], ..Effects::default() };
    assert_eq!(effects, expected.with_vaps(&[(BLUE_1, 0, 1), (BLUE_2, 1, 0)]));
}

#[test]
fn a_group_frame_reaches_every_other_vap_and_nve_of_its_vn_once() {
    let lab = Lab::new();
    let inner = frame(BROADCAST, HERE, &ipv4(46));
    let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &inner));
    assert_tunnelled(&effects, NVE_2, BLUE_VNI, &inner);
    assert_tunnelled(&effects, NVE_3, BLUE_VNI, &inner);
    assert!(effects.sent.contains(&(LINK_2.0, inner.clone())));
    assert_eq!((effects.sent.len(), effects.copies, effects.dropped.len()), (3, 2, 0));

    let effects = lab.run(LINK_1, &tagged(0x8100, RED_TAG, &inner));
    assert_tunnelled(&effects, NVE_2, RED_VNI, &inner);
    assert_eq!((effects.sent.len(), effects.copies), (1, 0));
}

#[test]
fn without_buffers_a_group_frame_still_leaves_once_and_the_rest_is_counted() {
    let mut lab = Lab::new();
    lab.buffers = 0;
    let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &frame(BROADCAST, HERE, &ipv4(46))));
    assert_eq!((effects.sent.len(), &effects.dropped[..]), (1, &[(NoBuffer, 2)][..]));
}

#[test]
fn each_bad_frame_is_dropped_under_its_own_reason() {
    let lab = Lab::new();
    let good = frame(THERE, HERE, &ipv4(46));
    let blue = |frame: &[u8]| tagged(0x8100, BLUE_TAG, frame);
    let counted = |reason| Effects::drop(reason).with_vaps(&[(BLUE_1, 1, 0)]);
    let not_counted = Effects::drop;
    let cases = [
        ("untagged", good.clone(), not_counted(Untagged)),
        ("priority-tagged", tagged(0x8100, 0, &good), not_counted(Untagged)),
        ("never negotiated", tagged(0x8100, 999, &good), not_counted(UnknownTag)),
        ("VID 4095", tagged(0x8100, 4095, &good), not_counted(UnknownTag)),
        ("S-TAG", tagged(0x88a8, BLUE_TAG, &good), not_counted(UnexpectedStag)),
        ("two tags", blue(&tagged(0x8100, 5, &good)), counted(TenantTag)),
        ("S-TAG behind C-TAG", blue(&tagged(0x88a8, 5, &good)), counted(TenantTag)),
        ("group source", blue(&frame(THERE, BROADCAST, &ipv4(46))), counted(SourceInvalid)),
        ("zero source", blue(&frame(THERE, [0; 6], &ipv4(46))), counted(SourceInvalid)),
        ("somebody else's MAC", blue(&frame(THERE, NOBODY, &ipv4(46))), counted(SourceGuard)),
        ("a MAC of another VAP", blue(&frame(THERE, BESIDE, &ipv4(46))), counted(SourceGuard)),
        ("a remote MAC", blue(&frame(BESIDE, THERE, &ipv4(46))), counted(SourceGuard)),
        ("unknown destination", blue(&frame(NOBODY, HERE, &ipv4(46))), counted(UnknownUnicast)),
        ("zero destination", blue(&frame([0; 6], HERE, &ipv4(46))), counted(UnknownUnicast)),
        ("to its own VAP", blue(&frame(BLUE_ONLY, HERE, &ipv4(46))), counted(SameVap)),
        ("IPv4 cut short", blue(&good[..good.len() - 1]), counted(Truncated)),
        ("IPv4 header cut", blue(&good[..20]), counted(Truncated)),
        ("longer than the VN's MTU", blue(&frame(THERE, HERE, &ipv4(1501))), counted(VnMtu)),
        ("13 bytes", good[..13].to_vec(), not_counted(Truncated)),
        ("tag cut", tagged(0x8100, BLUE_TAG, &good)[..16].to_vec(), not_counted(Truncated)),
        ("empty", vec![], not_counted(Truncated)),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(lab.run(LINK_1, &bytes), expected, "{name}");
    }
}

#[test]
fn a_frame_with_reds_tag_from_a_mac_of_blue_goes_nowhere() {
    let effects = Lab::new().run(LINK_1, &tagged(0x8100, RED_TAG, &frame(THERE, BLUE_ONLY, &ipv4(46))));
    assert_eq!(effects, Effects::drop(SourceGuard).with_vaps(&[(RED_1, 1, 0)]));
}

#[test]
fn the_mtu_itself_passes_and_padding_does_not_make_a_frame_truncated() {
    let lab = Lab::new();
    let longest = frame(THERE, HERE, &ipv4(1500));
    assert_tunnelled(&lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &longest)), NVE_2, BLUE_VNI, &longest);
    let padded = [frame(THERE, HERE, &ipv4(20)), vec![0; 26]].concat();
    assert_tunnelled(&lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &padded)), NVE_2, BLUE_VNI, &padded);
}

#[test]
fn unknown_unicast_follows_the_uplink_but_never_back_into_it() {
    let mut lab = Lab::new();
    lab.change_vn(BLUE, |vn| vn.uplink = BLUE_2);
    let unknown = frame(NOBODY, HERE, &ipv4(46));
    let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &unknown));
    assert_eq!(effects.sent, [(LINK_2.0, unknown)]);
    let effects = lab.run(LINK_2, &frame(NOBODY, BESIDE, &ipv4(46)));
    assert_eq!(effects, Effects::drop(UnknownUnicast).with_vaps(&[(BLUE_2, 1, 0)]));
}

#[test]
fn a_row_that_names_a_vap_of_another_vn_carries_nothing_across() {
    let mut lab = Lab::new();
    lab.row(RED, NOBODY, Destination::Vap(BLUE_1));
    let effects = lab.run(LINK_1, &tagged(0x8100, RED_TAG, &frame(NOBODY, HERE, &ipv4(46))));
    assert_eq!(effects, Effects::drop(UnknownUnicast).with_vaps(&[(RED_1, 1, 0)]));
    *lab.snapshot.vaps.slot(BLUE_2) = VapEntry::CLOSED;
    let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &frame(BESIDE, HERE, &ipv4(46))));
    assert_eq!(effects.dropped, [(UnknownUnicast, 1)]);
}

#[test]
fn a_next_hop_without_a_mac_or_with_a_small_mtu_is_a_counted_drop() {
    let mut lab = Lab::new();
    let bytes = tagged(0x8100, BLUE_TAG, &frame(THERE, HERE, &ipv4(46)));
    lab.snapshot.next_hops.slot(0).max_frame = 59;
    assert_eq!(lab.run(LINK_1, &bytes).dropped, [(UnderlayMtu, 1)]);
    lab.snapshot.next_hops.slot(0).header_length = 0;
    assert_eq!(lab.run(LINK_1, &bytes).dropped, [(NeighbourUnresolved, 1)]);
}

#[test]
fn an_unused_port_and_a_segmented_frame_forward_nothing() {
    let lab = Lab::new();
    assert_eq!(lab.run(UNUSED, &frame(THERE, HERE, &ipv4(46))), Effects::drop(PortUnused));
    let mut packet = TestPacket::new(&tagged(0x8100, BLUE_TAG, &frame(THERE, HERE, &ipv4(46))));
    packet.segmented = true;
    assert_eq!(lab.run_burst(LINK_1, [packet]), Effects::drop(Segmented));
}

#[test]
fn a_full_burst_of_both_vns_keeps_them_apart() {
    let lab = Lab::new();
    let burst = (0..crate::BURST as u16).map(|number| {
        let tag = if number % 2 == 0 { BLUE_TAG } else { RED_TAG };
        TestPacket::new(&tagged(0x8100, tag, &frame(THERE, HERE, &ipv4(46 + number))))
    });
    let effects = lab.run_burst(LINK_1, burst);
    for (number, (port, packet)) in effects.sent.iter().enumerate() {
        let vni = if number % 2 == 0 { BLUE_VNI } else { RED_VNI };
        assert_eq!((*port, &packet[46..50]), (UNDERLAY.0, &(vni << 8).to_be_bytes()[..]));
        assert_eq!(packet.len(), 50 + 60 + number);
    }
    assert_eq!(effects.vaps, [(BLUE_1, 16, 0), (RED_1, 16, 0)]);
}
