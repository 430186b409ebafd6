//! What does not fit is dropped and counted, and its sender is told if IP has a way.

use types::DropReason::*;
use wire::verify_ones;

use super::lab::*;
use crate::VapCounter;

const RED_1: u16 = 1;
const TO_NVE_2_BLUE: usize = 0;

/// An EtherType, and an IPv4 packet that must not be fragmented.
fn whole(length: u16) -> Vec<u8> {
    let mut packet = ipv4(length);
    packet[8] |= 0x40;
    packet[14..22].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    packet
}

fn ipv6(length: usize) -> Vec<u8> {
    let payload = (length - 40) as u16;
    let mut packet = vec![0x86, 0xdd, 0x60, 0, 0, 0];
    packet.extend_from_slice(&payload.to_be_bytes());
    packet.extend_from_slice(&[17, 64]);
    for last in [1, 2] {
        packet.extend_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.resize(2 + length, 0x5a);
    packet
}

/// The message in `sent`, behind `link` bytes of headers.
fn message(lab: &Lab, bytes: &[u8], reason: types::DropReason, link: usize) -> (Vec<u8>, Vec<u8>) {
    let effects = lab.run(LINK_1, bytes);
    assert_eq!((effects.dropped, effects.copies), (vec![(reason, 1)], 1));
    let [(port, frame)] = &effects.sent[..] else { panic!("{:?}", effects.sent) };
    assert_eq!(*port, LINK_1.0);
    (frame[..link].to_vec(), frame[link..].to_vec())
}

#[test]
fn an_ipv4_packet_that_may_not_be_fragmented_is_answered_in_its_receivers_name() {
    let mut lab = Lab::new();
    lab.snapshot.next_hops.slot(TO_NVE_2_BLUE).max_frame = 1414;
    let inner = frame(THERE, HERE, &whole(1401));
    let (link, packet) = message(&lab, &tagged(0x8100, BLUE_TAG, &inner), UnderlayMtu, 18);
    assert_eq!(link, tagged(0x8100, BLUE_TAG, &frame(HERE, THERE, &[8, 0])));
    assert_eq!(packet.len(), 576);
    assert!(verify_ones(&packet[..20], 0) && verify_ones(&packet[20..], 0));
    assert_eq!(&packet[12..20], &[&inner[30..34], &inner[26..30]].concat()[..], "from whom it was for");
    assert_eq!((&packet[20..22], &packet[26..28]), (&[3, 4][..], &1400u16.to_be_bytes()[..]));
    assert_eq!(&packet[28..], &inner[14..14 + 548]);
    assert_eq!(lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &frame(THERE, HERE, &whole(1400)))).dropped, []);
}

#[test]
fn an_ipv6_packet_is_answered_and_tags_of_the_tenant_stay_where_they_are() {
    let mut lab = Lab::new();
    lab.snapshot.next_hops.slot(TO_NVE_2_BLUE).max_frame = 1400;
    lab.change_vap(0, |vap| vap.tags = tables::TagPolicy::Pass);
    let inner = frame(THERE, HERE, &ipv6(1400));
    let (link, packet) = message(&lab, &tagged(0x8100, BLUE_TAG, &tagged(0x8100, 55, &inner)), UnderlayMtu, 22);
    assert_eq!(link[12..], [0x81, 0, 0, BLUE_TAG as u8, 0x81, 0, 0, 55, 0x86, 0xdd]);
    assert_eq!((packet.len(), packet[40], packet[6]), (1280, 2, 58));
    assert_eq!(packet[44..48], [0, 0, (1382u16 >> 8) as u8, 1382u16 as u8], "an Ethernet header and a tag less");
    assert!(verify_ones(&packet[8..], (packet.len() - 40) as u64 + 58));
}

#[test]
fn what_the_vn_does_not_take_is_answered_with_its_mtu() {
    let lab = Lab::new();
    let (_, packet) = message(&lab, &tagged(0x8100, BLUE_TAG, &frame(THERE, HERE, &whole(1501))), VnMtu, 18);
    assert_eq!(packet[26..28], 1500u16.to_be_bytes());
}

#[test]
fn nobody_else_is_answered() {
    let lab = Lab::new();
    let silent = |port, bytes: &[u8], reason| {
        let effects = lab.run(port, bytes);
        assert_eq!((effects.sent, effects.copies, effects.dropped), (vec![], 0, vec![(reason, 1)]));
    };
    let blue = |bytes: &[u8]| tagged(0x8100, BLUE_TAG, bytes);
    silent(LINK_1, &blue(&frame(THERE, HERE, &ipv4(1501))), VnMtu);
    silent(LINK_1, &blue(&frame(BROADCAST, HERE, &whole(1501))), VnMtu);
    silent(LINK_1, &blue(&frame(THERE, BROADCAST, &whole(1501))), VnMtu);
    silent(LINK_1, &blue(&frame(THERE, HERE, &[&[0x12, 0x34], &whole(1501)[2..]].concat())), VnMtu);
    silent(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &frame(HERE, THERE, &whole(1501))), VnMtu);
}

#[test]
fn the_message_is_counted_as_a_frame_to_the_tenant_of_that_vn() {
    let lab = Lab::new();
    let effects = lab.run(LINK_1, &tagged(0x8100, RED_TAG, &frame(THERE, HERE, &whole(1501))));
    assert_eq!(effects.vaps, [(RED_1, 1, 1)]);
    assert_eq!(VapCounter::OutPackets as usize, 2);
}
