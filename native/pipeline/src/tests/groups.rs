//! Groups of next hops: one of the living for each flow, one copy of each group frame, and nobody else's frames.

use std::sync::Arc;

use tables::{Destination, GroupEntry, NextHopEntry, share_out};
use types::DropReason;

use super::lab::*;
use crate::packet::Packet;

const GROUP: u32 = 0;
/// In blue, behind both NVEs.
const MULTIHOMED: [u8; 6] = [2, 0, 0, 0, 0, 0x42];

/// The lab with a group of both of blue's next hops, of which these live.
fn lab(living: &[u32]) -> Lab {
    let mut lab = Lab::new();
    let mut entry = GroupEntry { vn: BLUE, ..GroupEntry::CLOSED };
    let both = [(TO_NVE_2_BLUE, 1), (TO_NVE_3_BLUE, 1)];
    share_out(&mut entry.places, &both.into_iter().filter(|(id, _)| living.contains(id)).collect::<Vec<_>>());
    *lab.snapshot.groups.slot(GROUP as usize) = entry;
    lab.row(BLUE, MULTIHOMED, Destination::Group(GROUP));
    lab
}

/// A UDP packet from `port`, tagged for blue.
fn flow(destination: [u8; 6], port: u16) -> Vec<u8> {
    let mut packet = ipv4(46);
    packet[11] = 17;
    packet[22..24].copy_from_slice(&port.to_be_bytes());
    tagged(0x8100, BLUE_TAG, &frame(destination, HERE, &packet))
}

/// Where a tunnelled packet goes.
fn remote(packet: &[u8]) -> u8 {
    packet[33]
}

#[test]
fn flows_spread_over_the_members_and_each_keeps_its_own() {
    let lab = lab(&[TO_NVE_2_BLUE, TO_NVE_3_BLUE]);
    let to = |port| {
        let effects = lab.run(LINK_1, &flow(MULTIHOMED, port));
        assert_eq!((effects.sent.len(), effects.vaps.as_slice()), (1, &[(0, 1, 0)][..]));
        remote(&effects.sent[0].1)
    };
    let first: Vec<u8> = (0..200).map(to).collect();
    assert_eq!(first, (0..200).map(to).collect::<Vec<_>>());
    let to_2 = first.iter().filter(|host| **host == 2).count();
    assert!((60..=140).contains(&to_2), "{to_2} of 200");
}

#[test]
fn when_a_member_dies_only_its_flows_move_and_without_any_they_are_dropped() {
    let (both, one, none) = (lab(&[TO_NVE_2_BLUE, TO_NVE_3_BLUE]), lab(&[TO_NVE_3_BLUE]), lab(&[]));
    for port in 0..50 {
        let sent = |lab: &Lab| lab.run(LINK_1, &flow(MULTIHOMED, port)).sent;
        let (before, after) = (sent(&both), sent(&one));
        assert_eq!(remote(&after[0].1), 3);
        assert!(remote(&before[0].1) == 2 || before == after, "who was on NVE 3 stays there");
        let dropped = none.run(LINK_1, &flow(MULTIHOMED, port));
        assert_eq!(dropped, Effects::drop(DropReason::NextHopDown).with_vaps(&[(0, 1, 0)]));
    }
}

#[test]
fn a_multihomed_nve_gets_one_copy_of_each_group_frame() {
    for living in [&[TO_NVE_2_BLUE, TO_NVE_3_BLUE][..], &[TO_NVE_2_BLUE], &[TO_NVE_3_BLUE]] {
        let mut lab = lab(living);
        lab.change_vn(BLUE, |vn| vn.flood = Arc::new([Destination::Group(GROUP)]));
        for port in 0..20 {
            let effects = lab.run(LINK_1, &flow(BROADCAST, port));
            let tunnelled: Vec<_> = effects.sent.iter().filter(|(port, _)| *port == UNDERLAY.0).collect();
            assert_eq!((tunnelled.len(), effects.copies, effects.dropped.len()), (1, 1, 0));
            assert_eq!(
                tunnelled[0].1[50..],
                flow(BROADCAST, port)[..12].iter().chain(&flow(BROADCAST, port)[16..]).copied().collect::<Vec<_>>()
            );
        }
    }
    let mut lab = lab(&[]);
    lab.change_vn(BLUE, |vn| vn.flood = Arc::new([Destination::Group(GROUP), Destination::NextHop(TO_NVE_3_BLUE)]));
    let effects = lab.run(LINK_1, &flow(BROADCAST, 1));
    assert_eq!(effects.dropped, [(DropReason::NextHopDown, 1)], "a dead group does not keep the others from theirs");
    assert_eq!((effects.sent.len(), effects.copies), (2, 2));
}

#[test]
fn a_group_is_one_vns_and_split_horizon_holds_for_it() {
    let mut lab = lab(&[TO_NVE_2_BLUE]);
    lab.row(RED, MULTIHOMED, Destination::Group(GROUP));
    let red = tagged(0x8100, RED_TAG, &frame(MULTIHOMED, HERE, &ipv4(46)));
    assert_eq!(lab.run(LINK_1, &red), Effects::drop(DropReason::UnknownUnicast).with_vaps(&[(1, 1, 0)]));
    let inner = frame(MULTIHOMED, THERE, &ipv4(46));
    assert_eq!(lab.run(UNDERLAY, &tunnelled(NVE_3, BLUE_VNI, &inner)), Effects::drop(DropReason::SplitHorizon));
    lab.change_vn(BLUE, |vn| vn.flood = Arc::new([Destination::Group(GROUP)]));
    let group = lab.run(UNDERLAY, &tunnelled(NVE_3, BLUE_VNI, &frame(BROADCAST, THERE, &ipv4(46))));
    assert!(group.sent.iter().all(|(port, _)| *port != UNDERLAY.0) && group.sent.len() == 2, "{group:?}");
}

#[test]
fn a_dead_next_hop_drops_under_its_own_reason() {
    let mut lab = Lab::new();
    *lab.snapshot.next_hops.slot(TO_NVE_2_BLUE as usize) = NextHopEntry::DOWN;
    let effects = lab.run(LINK_1, &flow(THERE, 1));
    assert_eq!(effects, Effects::drop(DropReason::NextHopDown).with_vaps(&[(0, 1, 0)]));
    *lab.snapshot.next_hops.slot(TO_NVE_2_BLUE as usize) = NextHopEntry::UNRESOLVED;
    let effects = lab.run(LINK_1, &flow(THERE, 1));
    assert_eq!(effects, Effects::drop(DropReason::NeighbourUnresolved).with_vaps(&[(0, 1, 0)]));
}

#[test]
fn the_frame_behind_many_headers_is_the_same_and_each_header_is_its_next_hops() {
    let lab = Lab::new();
    let effects = lab.run(LINK_1, &flow(BROADCAST, 9));
    let alone = |index| {
        let mut lab = Lab::new();
        lab.change_vn(BLUE, |vn| vn.flood = Arc::new([Destination::NextHop(index)]));
        lab.run(LINK_1, &flow(BROADCAST, 9)).sent.pop().unwrap()
    };
    assert_eq!(effects.sent[1..], [alone(TO_NVE_2_BLUE), alone(TO_NVE_3_BLUE)]);
    assert_eq!(TestPacket::new(&effects.sent[1].1).data().len(), 50 + 60);
}
