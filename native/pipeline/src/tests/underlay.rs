//! From the underlay.

use core::net::Ipv4Addr;

use tables::Destination;
use types::DropReason::{self, *};
use wire::{ArpOperation, ArpPacket, fold, sum};

use super::lab::*;
use crate::packet::PuntClass;

const STRANGER: ([u8; 6], Ipv4Addr) = ([2, 0xff, 0, 0, 0, 9], Ipv4Addr::new(192, 0, 2, 9));

/// Changes bytes of a packet's IP header and mends its checksum.
fn with_ip(mut packet: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    change(&mut packet[14..34]);
    packet[24..26].copy_from_slice(&[0, 0]);
    let checksum = !fold(sum(&packet[14..34], 0));
    packet[24..26].copy_from_slice(&checksum.to_be_bytes());
    packet
}

fn with(mut packet: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    packet[at..at + bytes.len()].copy_from_slice(bytes);
    packet
}

#[test]
fn a_tunnelled_frame_reaches_its_tsi_with_the_tag_of_its_vn() {
    let lab = Lab::new();
    let inner = frame(HERE, THERE, &ipv4(46));
    for (vni, tag, vap) in [(BLUE_VNI, BLUE_TAG, 0), (RED_VNI, RED_TAG, 1)] {
        let expected = Effects { sent: vec![(LINK_1.0, tagged(0x8100, tag, &inner))], ..Effects::default() };
        assert_eq!(lab.run(UNDERLAY, &tunnelled(NVE_2, vni, &inner)), expected.with_vaps(&[(vap, 0, 1)]));
    }
}

#[test]
fn a_tunnelled_group_frame_reaches_every_vap_and_no_tunnel() {
    let inner = frame(BROADCAST, THERE, &ipv4(46));
    let effects = Lab::new().run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &inner));
    let expected = Effects {
        sent: vec![(LINK_1.0, tagged(0x8100, BLUE_TAG, &inner)), (LINK_2.0, inner)],
        copies: 1,
        ..Effects::default()
    };
    assert_eq!(effects, expected.with_vaps(&[(0, 0, 1), (2, 0, 1)]));
}

#[test]
fn reserved_bits_padding_and_a_right_checksum_are_accepted() {
    let lab = Lab::new();
    let inner = frame(HERE, THERE, &ipv4(46));
    let delivered = [(LINK_1.0, tagged(0x8100, BLUE_TAG, &inner))];
    let packet = tunnelled(NVE_2, BLUE_VNI, &inner);
    // RFC 7348, 5: reserved bits are ignored on receipt.
    let reserved = with(with(packet.clone(), 42, &[0xff, 0xff, 0xff, 0xff]), 49, &[0xff]);
    let padded = [packet.clone(), vec![0; 9]].concat();
    let pseudo = sum(&packet[26..34], 0) + 17 + (packet.len() as u64 - 34);
    let checksum = !fold(sum(&packet[34..], pseudo));
    let summed = with(packet.clone(), 40, &checksum.to_be_bytes());
    for (name, bytes) in [("reserved", reserved), ("padded", padded), ("summed", summed.clone())] {
        assert_eq!(lab.run(UNDERLAY, &bytes).sent, delivered, "{name}");
    }
    let wrong = with(summed, 60, &[0x55]);
    assert_eq!(lab.run(UNDERLAY, &wrong), Effects::drop(OuterChecksum));
}

#[test]
fn each_bad_packet_is_dropped_under_its_own_reason() {
    let lab = Lab::new();
    let inner = frame(HERE, THERE, &ipv4(46));
    let good = || tunnelled(NVE_2, BLUE_VNI, &inner);
    let other = ([2, 0xff, 0, 0, 0, 8], Ipv4Addr::new(192, 0, 2, 8));
    let elsewhere = (US.0, other.1);
    let cases: Vec<(&str, Vec<u8>, DropReason)> = vec![
        ("unknown VNI", tunnelled(NVE_2, 9999, &inner), UnknownVni),
        ("VNI 0", tunnelled(NVE_2, 0, &inner), UnknownVni),
        ("no NVE", tunnelled(STRANGER, BLUE_VNI, &inner), SourceNve),
        ("an NVE of another VN", tunnelled(NVE_3, RED_VNI, &inner), SourceNve),
        ("no I flag", with(good(), 42, &[0]), VxlanFlags),
        ("another MAC", outer(NVE_2, other, 17, &vxlan(BLUE_VNI, &inner)), NotForUs),
        ("another IP", outer(NVE_2, elsewhere, 17, &vxlan(BLUE_VNI, &inner)), NotForUs),
        ("outer tag", tagged(0x8100, 1, &good()), OuterTag),
        ("IPv4 called IPv6", with(good(), 12, &[0x86, 0xdd]), OuterInvalid),
        ("no IP", with(good(), 12, &[0x88, 0x47]), NotOverlay),
        ("TCP", outer(NVE_2, US, 6, &vxlan(BLUE_VNI, &inner)), NotOverlay),
        ("another UDP port", with(good(), 36, &[0x21, 0x18]), NotOverlay),
        ("wrong IP checksum", with(good(), 24, &[0x12, 0x34]), OuterInvalid),
        ("version 6 in IPv4", with_ip(good(), |ip| ip[0] = 0x65), OuterInvalid),
        ("header of 4 words", with_ip(good(), |ip| ip[0] = 0x44), OuterInvalid),
        ("options", with_ip(good(), |ip| ip[0] = 0x46), OuterOptions),
        ("first fragment", with_ip(good(), |ip| ip[6] = 0x20), OuterFragment),
        ("later fragment", with_ip(good(), |ip| ip[7] = 0x10), OuterFragment),
        ("longer than the frame", with_ip(good(), |ip| ip[3] += 1), Truncated),
        ("IP length of 19", with_ip(good(), |ip| ip[2..4].copy_from_slice(&[0, 19])), OuterInvalid),
        ("UDP longer than IP", with(good(), 38, &[0xff, 0xff]), Truncated),
        ("UDP without an inner frame", with(good(), 38, &[0, 29]), Truncated),
        ("13 bytes", good()[..13].to_vec(), Truncated),
        ("33 bytes", good()[..33].to_vec(), Truncated),
        ("inner tag", tunnelled(NVE_2, BLUE_VNI, &tagged(0x8100, 5, &inner)), TenantTag),
        ("inner S-TAG", tunnelled(NVE_2, BLUE_VNI, &tagged(0x88a8, 5, &inner)), TenantTag),
        ("inner source is a group", tunnelled(NVE_2, BLUE_VNI, &frame(HERE, BROADCAST, &ipv4(46))), SourceInvalid),
        ("inner link-local", tunnelled(NVE_2, BLUE_VNI, &frame([1, 0x80, 0xc2, 0, 0, 0], THERE, &ipv4(46))), LinkLocal),
        ("inner cut short", tunnelled(NVE_2, BLUE_VNI, &inner[..40]), Truncated),
        ("inner longer than the VN's MTU", tunnelled(NVE_2, BLUE_VNI, &frame(HERE, THERE, &ipv4(1501))), VnMtu),
        ("to another NVE", tunnelled(NVE_3, BLUE_VNI, &frame(THERE, NOBODY, &ipv4(46))), SplitHorizon),
        ("to nobody", tunnelled(NVE_2, BLUE_VNI, &frame(NOBODY, THERE, &ipv4(46))), UnknownUnicast),
    ];
    for (name, bytes, reason) in cases {
        assert_eq!(lab.run(UNDERLAY, &bytes), Effects::drop(reason), "{name}");
    }
}

#[test]
fn a_group_frame_for_a_vn_without_vaps_has_no_receiver() {
    let mut lab = Lab::new();
    lab.change_vn(RED, |vn| vn.vaps = [].into());
    let effects = lab.run(UNDERLAY, &tunnelled(NVE_2, RED_VNI, &frame(BROADCAST, THERE, &ipv4(46))));
    assert_eq!(effects, Effects::drop(NoReceiver));
}

#[test]
fn equal_addresses_in_two_vns_never_meet() {
    let mut lab = Lab::new();
    lab.fdb.remove(tables::FdbKey::new(RED, types::MacAddr(HERE)));
    let effects = lab.run(UNDERLAY, &tunnelled(NVE_2, RED_VNI, &frame(HERE, THERE, &ipv4(46))));
    assert_eq!(effects, Effects::drop(UnknownUnicast), "blue has that MAC, red has not");
    lab.row(RED, HERE, Destination::NextHop(1));
    let effects = lab.run(UNDERLAY, &tunnelled(NVE_2, RED_VNI, &frame(HERE, THERE, &ipv4(46))));
    assert_eq!(effects, Effects::drop(SplitHorizon));
}

#[test]
fn a_vn_that_the_snapshot_does_not_have_yet_is_unknown() {
    // The map of VNIs may be a batch ahead of a poller's snapshot.
    let mut lab = Lab::new();
    lab.change_vn(BLUE, |vn| *vn = tables::VnEntry::default());
    let effects = lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &frame(HERE, THERE, &ipv4(46))));
    assert_eq!(effects, Effects::drop(UnknownVni));
}

#[test]
fn an_arp_request_for_our_address_is_answered_in_place() {
    let lab = Lab::new();
    let request = ArpPacket::new(ArpOperation::Request, (NVE_2.0, NVE_2.1), ([0; 6], US.1));
    let reply = ArpPacket::new(ArpOperation::Reply, (US.0, US.1), (NVE_2.0, NVE_2.1));
    for destination in [BROADCAST, US.0] {
        let expected = Effects { sent: vec![(UNDERLAY.0, arp(NVE_2.0, reply))], ..Effects::default() };
        assert_eq!(lab.run(UNDERLAY, &arp(destination, request)), expected);
    }
}

#[test]
fn what_tells_of_a_neighbour_is_punted_and_other_arp_is_dropped() {
    let lab = Lab::new();
    let reply = arp(US.0, ArpPacket::new(ArpOperation::Reply, (NVE_2.0, NVE_2.1), (US.0, US.1)));
    let announcement = arp(BROADCAST, ArpPacket::new(ArpOperation::Request, (NVE_2.0, NVE_2.1), ([0; 6], NVE_2.1)));
    for bytes in [reply, announcement] {
        let expected = Effects { punted: vec![(PuntClass::Arp, bytes.clone())], ..Effects::default() };
        assert_eq!(lab.run(UNDERLAY, &bytes), expected);
    }
    let for_another = arp(BROADCAST, ArpPacket::new(ArpOperation::Request, (NVE_2.0, NVE_2.1), ([0; 6], NVE_3.1)));
    assert_eq!(lab.run(UNDERLAY, &for_another), Effects::drop(NotForUs));
    let claims_us = arp(US.0, ArpPacket::new(ArpOperation::Reply, (STRANGER.0, US.1), (US.0, US.1)));
    assert_eq!(lab.run(UNDERLAY, &claims_us), Effects::drop(ArpInvalid));
    let group_sender = arp(US.0, ArpPacket::new(ArpOperation::Reply, (BROADCAST, NVE_2.1), (US.0, US.1)));
    assert_eq!(lab.run(UNDERLAY, &group_sender), Effects::drop(ArpInvalid));
    assert_eq!(
        lab.run(UNDERLAY, &arp(US.0, ArpPacket::new(ArpOperation::Reply, (NVE_2.0, NVE_2.1), (US.0, US.1)))[..41]),
        Effects::drop(ArpInvalid)
    );
}

#[test]
fn an_echo_request_is_answered_and_any_other_icmp_is_not() {
    let lab = Lab::new();
    let mut message = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1, 1, 2, 3];
    let checksum = !fold(sum(&message, 0));
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let request = outer(NVE_2, US, 1, &message);
    let padded = [request.clone(), vec![0; 20]].concat();
    message[0] = 0;
    message[2..4].copy_from_slice(&[0, 0]);
    let checksum = !fold(sum(&message, 0));
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let reply = with_ip(outer(US, NVE_2, 1, &message), |ip| ip[8] = 64);
    for bytes in [request, padded] {
        let expected = Effects { sent: vec![(UNDERLAY.0, reply.clone())], ..Effects::default() };
        assert_eq!(lab.run(UNDERLAY, &bytes), expected);
    }
    let unreachable = outer(NVE_2, US, 1, &[3, 3, 0xfc, 0xfc, 0, 0, 0, 0]);
    assert_eq!(lab.run(UNDERLAY, &unreachable), Effects::drop(NotOverlay));
}
