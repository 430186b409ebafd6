//! The underlay's own addresses as hosts: neighbour discovery, echo, the VLAN of the link, and the kernel's end.

use core::net::Ipv6Addr;
use std::sync::Arc;

use tables::PortEntry;
use types::DropReason::{self, *};
use wire::{ArpOperation, ArpPacket, NdFrame, fold, multicast_mac, solicited_node, sum};

use super::lab::*;
use crate::packet::PuntClass;

const US_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const THEM_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
const NEW_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);
const TAP: u16 = UNUSED.0;
const VLAN: u16 = 7;

/// The lab with an IPv6 address, and one that is not ours yet.
fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.change_underlay(|port| {
        port.v6 = [US_6].into();
        port.tentative = [NEW_6].into();
    });
    lab
}

/// The same with a kernel's end.
fn with_kernel() -> Lab {
    let mut lab = lab();
    lab.change_underlay(|port| port.exception = Some(TAP));
    Arc::make_mut(&mut lab.snapshot.ports)[usize::from(TAP)] = PortEntry::Exception { underlay: UNDERLAY.0, vlan: 0 };
    lab
}

fn sends(frames: &[Vec<u8>]) -> Effects {
    Effects { sent: frames.iter().map(|frame| (UNDERLAY.0, frame.clone())).collect(), ..Effects::default() }
}

fn punts(class: PuntClass, frame: &[u8]) -> Effects {
    Effects { punted: vec![(class, frame.to_vec())], ..Effects::default() }
}

/// An IPv6 packet from NVE 2.
fn ipv6(destination: Ipv6Addr, next: u8, hops: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&US.0[..], &NVE_2.0, &[0x86, 0xdd, 0x60, 0, 0, 0]].concat();
    frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    frame.extend_from_slice(&[next, hops]);
    [&frame, &THEM_6.octets()[..], &destination.octets(), payload].concat()
}

/// The same with an ICMPv6 message of a right checksum.
fn icmpv6(destination: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let pseudo = sum(&THEM_6.octets(), sum(&destination.octets(), 58 + message.len() as u64));
    let checksum = !fold(sum(&message, pseudo));
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    ipv6(destination, 58, 64, &message)
}

#[test]
fn a_solicitation_for_our_address_is_answered_in_place() {
    let lab = lab();
    let answer = NdFrame::advertisement((US.0, US_6), (NVE_2.0, THEM_6)).bytes().to_vec();
    let to_group = NdFrame::solicitation((NVE_2.0, THEM_6), US_6, None);
    let to_us = NdFrame::solicitation((NVE_2.0, THEM_6), US_6, Some(US.0));
    for ask in [to_group, to_us] {
        assert_eq!(lab.run(UNDERLAY, ask.bytes()), sends(std::slice::from_ref(&answer)));
        let padded = [ask.bytes(), &[0; 20]].concat();
        assert_eq!(lab.run(UNDERLAY, &padded), sends(std::slice::from_ref(&answer)));
    }
    // Another host that is about to take our address is told by all means.
    let probe = NdFrame::probe(NVE_2.0, US_6);
    let to_all = NdFrame::advertisement((US.0, US_6), (NVE_2.0, Ipv6Addr::UNSPECIFIED));
    assert_eq!(probe.bytes().len() + 8, to_all.bytes().len(), "the answer is longer");
    assert_eq!(lab.run(UNDERLAY, probe.bytes()), sends(&[to_all.bytes().to_vec()]));
}

#[test]
fn what_tells_of_a_neighbour_or_of_an_address_to_be_is_punted() {
    let lab = lab();
    let answer = NdFrame::advertisement((NVE_2.0, THEM_6), (US.0, US_6));
    let announcement = NdFrame::advertisement((NVE_2.0, THEM_6), (US.0, Ipv6Addr::UNSPECIFIED));
    let wants_it_too = NdFrame::probe(NVE_2.0, NEW_6);
    let has_it = NdFrame::advertisement((NVE_2.0, NEW_6), (US.0, Ipv6Addr::UNSPECIFIED));
    for frame in [answer, announcement, wants_it_too, has_it] {
        assert_eq!(lab.run(UNDERLAY, frame.bytes()), punts(PuntClass::Nd, frame.bytes()));
    }
}

#[test]
fn each_bad_packet_is_dropped_under_its_own_reason() {
    let lab = lab();
    let ask = |target| NdFrame::solicitation((NVE_2.0, THEM_6), target, None).bytes().to_vec();
    let changed = |mut frame: Vec<u8>, at: usize, byte: u8| {
        frame[at] = byte;
        frame
    };
    let echo = || icmpv6(US_6, vec![128, 0, 0, 0, 0, 1, 0, 1, 5, 6, 7]);
    let all_nodes: Ipv6Addr = "ff02::1".parse().unwrap();
    let mut to_all = icmpv6(all_nodes, vec![128, 0, 0, 0, 0, 1, 0, 1]);
    to_all[..6].copy_from_slice(&multicast_mac(all_nodes));
    let cases: Vec<(&str, Vec<u8>, DropReason)> = vec![
        ("from behind a router", changed(ask(US_6), 21, 254), NdInvalid),
        ("broken checksum", changed(ask(US_6), 80, 0x55), NdInvalid),
        ("for another", ask(THEM_6), NotForUs),
        ("for an address that is not ours yet", ask(NEW_6), NotForUs),
        ("a group as the sender's MAC", changed(ask(US_6), 6, 0x03), NdInvalid),
        ("from our own address", NdFrame::solicitation((NVE_2.0, US_6), US_6, None).bytes().to_vec(), NdInvalid),
        ("claims our address", NdFrame::advertisement((NVE_2.0, US_6), (US.0, THEM_6)).bytes().to_vec(), NdInvalid),
        ("cut short", ask(US_6)[..85].to_vec(), Truncated),
        ("no IPv6 header", ask(US_6)[..53].to_vec(), Truncated),
        ("version 4", changed(echo(), 14, 0x45), OuterInvalid),
        ("a broken echo request", changed(echo(), 60, 0x55), NdInvalid),
        ("an echo request for another", icmpv6(THEM_6, vec![128, 0, 0, 0, 0, 1, 0, 1]), NotForUs),
        ("an echo request for all", to_all, NotForUs),
        ("an echo request for an address to be", icmpv6(NEW_6, vec![128, 0, 0, 0, 0, 1, 0, 1]), NotForUs),
        ("from a group", NdFrame::solicitation((NVE_2.0, all_nodes), US_6, None).bytes().to_vec(), NdInvalid),
        (
            "an echo request from a group",
            outer(([3; 6], [224, 0, 0, 1].into()), US, 1, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0]),
            NotOverlay,
        ),
        (
            "an echo request from everybody",
            outer((NVE_2.0, [255; 4].into()), US, 1, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0]),
            NotOverlay,
        ),
        (
            "an echo request from nobody",
            outer((NVE_2.0, [0; 4].into()), US, 1, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0]),
            NotOverlay,
        ),
        ("an echo reply", icmpv6(US_6, vec![129, 0, 0, 0, 0, 1, 0, 1]), NotOverlay),
        ("TCP", ipv6(US_6, 6, 64, &[0; 20]), NotOverlay),
        ("TCP for another", ipv6(THEM_6, 6, 64, &[0; 20]), NotForUs),
    ];
    for (name, bytes, reason) in cases {
        assert_eq!(lab.run(UNDERLAY, &bytes), Effects::drop(reason), "{name}");
    }
    assert_eq!(solicited_node(US_6), "ff02::1:ff00:1".parse::<Ipv6Addr>().unwrap());
}

#[test]
fn an_icmpv6_echo_request_is_answered() {
    let request = icmpv6(US_6, vec![128, 0, 0, 0, 0x12, 0x34, 0, 1, 1, 2, 3]);
    let mut reply = request.clone();
    reply[..6].copy_from_slice(&NVE_2.0);
    reply[6..12].copy_from_slice(&US.0);
    reply[22..38].copy_from_slice(&US_6.octets());
    reply[38..54].copy_from_slice(&THEM_6.octets());
    let message = [&[129, 0, 0, 0], &request[58..]].concat();
    let pseudo = sum(&request[22..54], 58 + message.len() as u64);
    let checksum = !fold(sum(&message, pseudo));
    reply[54] = 129;
    reply[56..58].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(lab().run(UNDERLAY, &request), sends(&[reply]));
}

#[test]
fn a_port_takes_the_frames_of_its_vlan_only_and_answers_in_it() {
    let inner = frame(HERE, THERE, &ipv4(46));
    let tunnelled = tunnelled(NVE_2, BLUE_VNI, &inner);
    let delivered = || vec![(LINK_1.0, tagged(0x8100, BLUE_TAG, &inner))];
    let ask = arp(BROADCAST, ArpPacket::new(ArpOperation::Request, (NVE_2.0, NVE_2.1), ([0; 6], US.1)));
    let answer = arp(NVE_2.0, ArpPacket::new(ArpOperation::Reply, (US.0, US.1), (NVE_2.0, NVE_2.1)));
    let solicit = NdFrame::solicitation((NVE_2.0, THEM_6), US_6, None).bytes().to_vec();
    let advertise = NdFrame::advertisement((US.0, US_6), (NVE_2.0, THEM_6)).bytes().to_vec();
    let ping = icmpv6(US_6, vec![128, 0, 0, 0, 0x12, 0x34, 0, 1]);

    let plain = lab();
    // A priority tag counts as none.
    assert_eq!(plain.run(UNDERLAY, &tagged(0x8100, 0x6000, &tunnelled)).sent, delivered());
    assert_eq!(plain.run(UNDERLAY, &tagged(0x8100, 0, &ask)), sends(std::slice::from_ref(&answer)));
    let doubled = tagged(0x8100, 0, &tagged(0x8100, 0, &tunnelled));
    for bad in [tagged(0x8100, VLAN, &tunnelled), tagged(0x88a8, 0, &tunnelled), doubled] {
        assert_eq!(plain.run(UNDERLAY, &bad), Effects::drop(OuterTag));
    }

    let mut lab = lab();
    lab.change_underlay(|port| port.vlan = VLAN);
    let in_vlan = |frame: &[u8]| tagged(0x8100, VLAN, frame);
    assert_eq!(lab.run(UNDERLAY, &in_vlan(&tunnelled)).sent, delivered());
    assert_eq!(lab.run(UNDERLAY, &tagged(0x8100, VLAN | 0xa000, &tunnelled)).sent, delivered(), "of any priority");
    assert_eq!(lab.run(UNDERLAY, &in_vlan(&ask)), sends(&[in_vlan(&answer)]));
    assert_eq!(lab.run(UNDERLAY, &in_vlan(&solicit)), sends(&[in_vlan(&advertise)]));
    assert_eq!(lab.run(UNDERLAY, &in_vlan(&ping)).sent[0].1[12..18], [0x81, 0, 0, VLAN as u8, 0x86, 0xdd]);
    let other = tagged(0x8100, VLAN + 1, &tunnelled);
    let twice = in_vlan(&in_vlan(&tunnelled));
    for bad in [tunnelled.clone(), tagged(0x8100, 0, &tunnelled), other, tagged(0x88a8, VLAN, &tunnelled), twice] {
        assert_eq!(lab.run(UNDERLAY, &bad), Effects::drop(OuterTag));
    }
    assert_eq!(lab.run(UNDERLAY, &in_vlan(&tunnelled)[..15]), Effects::drop(Truncated));
}

#[test]
fn the_kernel_gets_what_is_for_us_and_not_the_data_planes() {
    let lab = with_kernel();
    let to_kernel = |bytes: &[u8]| Effects { sent: vec![(TAP, bytes.to_vec())], ..Effects::default() };
    let mut later = outer(NVE_2, US, 6, &[0; 20]);
    later[20] |= 0x20;
    later[24..26].copy_from_slice(&[0, 0]);
    let checksum = !fold(sum(&later[14..34], 0));
    later[24..26].copy_from_slice(&checksum.to_be_bytes());
    let unreachable = [3, 3, 0xfc, 0xfc, 0, 0, 0, 0];
    for bytes in [
        outer(NVE_2, US, 6, &[0; 20]),
        outer(NVE_2, US, 17, &[0, 53, 0, 53, 0, 8, 0, 0]),
        outer(NVE_2, US, 1, &unreachable),
        later,
        ipv6(US_6, 6, 64, &[0; 20]),
        icmpv6(US_6, vec![129, 0, 0, 0, 0, 1, 0, 1]),
    ] {
        assert_eq!(lab.run(UNDERLAY, &bytes), to_kernel(&bytes));
    }
    // What tells of a neighbour is told both.
    let reply = arp(US.0, ArpPacket::new(ArpOperation::Reply, (NVE_2.0, NVE_2.1), (US.0, US.1)));
    let advertisement = NdFrame::advertisement((NVE_2.0, THEM_6), (US.0, US_6)).bytes().to_vec();
    for (class, bytes) in [(PuntClass::Arp, reply), (PuntClass::Nd, advertisement)] {
        let expected = Effects { copies: 1, ..to_kernel(&bytes) };
        assert_eq!(lab.run(UNDERLAY, &bytes), Effects { punted: punts(class, &bytes).punted, ..expected });
    }
    let mut full = with_kernel();
    full.buffers = 0;
    let reply = arp(US.0, ArpPacket::new(ArpOperation::Reply, (NVE_2.0, NVE_2.1), (US.0, US.1)));
    let told = Effects { copies: 1, dropped: vec![(NoBuffer, 1)], ..punts(PuntClass::Arp, &reply) };
    assert_eq!(full.run(UNDERLAY, &reply), told, "a copy without a buffer is a counted one");
    // The data plane's own stays its own.
    let inner = frame(HERE, THERE, &ipv4(46));
    let overlay = tunnelled(NVE_2, BLUE_VNI, &inner);
    assert_eq!(lab.run(UNDERLAY, &overlay).sent, [(LINK_1.0, tagged(0x8100, BLUE_TAG, &inner))]);
    let mut fragment = overlay;
    fragment[20] = 0x20;
    fragment[24..26].copy_from_slice(&[0, 0]);
    let checksum = !fold(sum(&fragment[14..34], 0));
    fragment[24..26].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(lab.run(UNDERLAY, &fragment), Effects::drop(OuterFragment));
    assert_eq!(lab.run(UNDERLAY, &outer(NVE_2, (US.0, NVE_3.1), 6, &[0; 20])), Effects::drop(NotForUs));
}

#[test]
fn what_the_kernel_sends_leaves_by_the_underlay_port_in_its_vlan() {
    let mut lab = with_kernel();
    let segment = outer(US, NVE_2, 6, &[0; 20]);
    let ask = arp(BROADCAST, ArpPacket::new(ArpOperation::Request, (US.0, US.1), ([0; 6], NVE_2.1)));
    assert_eq!(lab.run(types::PortId(TAP), &segment), sends(std::slice::from_ref(&segment)));
    assert_eq!(lab.run(types::PortId(TAP), &ask), sends(std::slice::from_ref(&ask)));
    Arc::make_mut(&mut lab.snapshot.ports)[usize::from(TAP)] =
        PortEntry::Exception { underlay: UNDERLAY.0, vlan: VLAN };
    assert_eq!(lab.run(types::PortId(TAP), &ask), sends(&[tagged(0x8100, VLAN, &ask)]));
    let mut segmented = TestPacket::new(&segment);
    segmented.segmented = true;
    assert_eq!(lab.run_burst(types::PortId(TAP), [segmented]), Effects::drop(Segmented));
}
