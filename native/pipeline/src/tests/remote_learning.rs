//! VNs that learn from tunnels, and rows that are marked when they are in use.

use core::net::{IpAddr, Ipv6Addr};

use tables::{Destination, FdbKey, Flags};
use types::DropReason::*;
use types::MacAddr;

use super::lab::*;
use crate::{BURST, Place};

const NEW: [u8; 6] = [2, 0, 0, 0, 0, 0x55];
const TO_NVE_2_BLUE: u32 = 0;
const TO_NVE_3_BLUE: u32 = 2;
const BLUE_1: u16 = 0;
/// Permitted nowhere.
const STRANGER: ([u8; 6], core::net::Ipv4Addr) = ([2, 0xff, 0, 0, 0, 9], core::net::Ipv4Addr::new(192, 0, 2, 9));

fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.change_vn(BLUE, |vn| vn.flags = Flags::LEARN_REMOTE);
    lab
}

fn arrives(lab: &Lab, nve: ([u8; 6], core::net::Ipv4Addr), source: [u8; 6]) -> Effects {
    lab.run(UNDERLAY, &tunnelled(nve, BLUE_VNI, &frame(HERE, source, &ipv4(46))))
}

/// The same over IPv6, without a UDP checksum.
fn packet_6(nve: Ipv6Addr, source: [u8; 6]) -> Vec<u8> {
    let udp = vxlan(BLUE_VNI, &frame(HERE, source, &ipv4(46)));
    let start = [&[0x60, 0, 0, 0][..], &(udp.len() as u16).to_be_bytes(), &[17, 64]].concat();
    [&US.0[..], &NVE_3.0, &[0x86, 0xdd], &start, &nve.octets(), &US_6.1.octets(), &udp].concat()
}

fn delivered(source: [u8; 6]) -> Effects {
    let sent = vec![(LINK_1.0, tagged(0x8100, BLUE_TAG, &frame(HERE, source, &ipv4(46))))];
    Effects { sent, ..Effects::default() }.with_vaps(&[(BLUE_1, 0, 1)])
}

fn told(nve: impl Into<IpAddr>, source: [u8; 6]) -> Effects {
    Effects { seen: vec![(Place::Nve(nve.into()), source)], ..delivered(source) }
}

#[test]
fn a_source_without_a_row_is_told_with_its_nve_until_a_row_says_so() {
    let mut lab = lab();
    assert_eq!(arrives(&lab, NVE_3, NEW), told(NVE_3.1, NEW));
    lab.row(BLUE, NEW, Destination::NextHop(TO_NVE_2_BLUE));
    assert_eq!(arrives(&lab, NVE_3, NEW), told(NVE_3.1, NEW), "its row names another NVE");
    lab.row(BLUE, NEW, Destination::NextHop(TO_NVE_3_BLUE));
    assert_eq!(arrives(&lab, NVE_3, NEW), delivered(NEW));
    assert_eq!(arrives(&lab, NVE_3, BESIDE), told(NVE_3.1, BESIDE), "its row names a VAP");
}

/// Whether or not it is an NVE of some VN, for which alone the tables have a number.
#[test]
fn over_ipv6_the_sender_is_told_too_in_a_vlan_or_not_and_known_by_its_row() {
    let mut lab = lab();
    lab.take_zero_checksum();
    let stranger: Ipv6Addr = "2001:db8::99".parse().unwrap();
    for nve in [NVE_2_6.1, stranger] {
        assert_eq!(lab.run(UNDERLAY, &packet_6(nve, NEW)), told(nve, NEW));
    }
    *lab.snapshot.remotes.slot(TO_NVE_2_BLUE as usize) = Some(stranger.into());
    lab.row(BLUE, NEW, Destination::NextHop(TO_NVE_2_BLUE));
    lab.fdb.watch(FdbKey::new(BLUE, MacAddr(NEW)), true);
    lab.era = 7;
    assert_eq!(lab.run(UNDERLAY, &packet_6(NVE_2_6.1, NEW)), told(NVE_2_6.1, NEW), "its row names another NVE");
    assert_ne!(lab.fdb.seen(FdbKey::new(BLUE, MacAddr(NEW))), Some(7));
    assert_eq!(lab.run(UNDERLAY, &packet_6(stranger, NEW)), delivered(NEW));
    assert_eq!(lab.fdb.seen(FdbKey::new(BLUE, MacAddr(NEW))), Some(7));
    lab.change_underlay(|port| port.vlan = 9);
    let in_vlan = tagged(0x8100, 9, &packet_6(NVE_2_6.1, NEW));
    assert_eq!(lab.run(UNDERLAY, &in_vlan), told(NVE_2_6.1, NEW));
}

#[test]
fn every_nve_may_send_into_a_vn_that_learns_and_into_no_other() {
    let lab = lab();
    assert_eq!(arrives(&lab, STRANGER, NEW), told(STRANGER.1, NEW));
    let red = tunnelled(STRANGER, RED_VNI, &frame(HERE, NEW, &ipv4(46)));
    assert_eq!(lab.run(UNDERLAY, &red), Effects::drop(SourceNve));
}

#[test]
fn a_frame_that_is_dropped_for_its_shape_teaches_nothing() {
    let lab = lab();
    assert_eq!(arrives(&lab, NVE_2, BROADCAST), Effects::drop(SourceInvalid));
    let long = tunnelled(NVE_2, BLUE_VNI, &frame(HERE, NEW, &ipv4(1501)));
    assert_eq!(lab.run(UNDERLAY, &long), Effects::drop(VnMtu));
}

#[test]
fn a_watched_row_is_marked_by_what_comes_from_its_place_only() {
    let mut lab = lab();
    lab.change_vap(BLUE_1, |vap| vap.flags = Flags::LEARN);
    let seen = |lab: &Lab, mac| lab.fdb.seen(FdbKey::new(BLUE, MacAddr(mac))).unwrap();
    for mac in [THERE, HERE] {
        lab.fdb.watch(FdbKey::new(BLUE, MacAddr(mac)), true);
    }
    let unseen = seen(&lab, THERE);
    lab.era = 7;
    arrives(&lab, NVE_3, THERE);
    lab.run(LINK_2, &frame(BROADCAST, HERE, &ipv4(46)));
    assert_eq!((seen(&lab, THERE), seen(&lab, HERE)), (unseen, unseen), "not from where their rows say");
    arrives(&lab, NVE_2, THERE);
    let here = tagged(0x8100, BLUE_TAG, &frame(BROADCAST, HERE, &ipv4(46)));
    lab.run_burst(LINK_1, (0..BURST).map(|_| TestPacket::new(&here)));
    assert_eq!((seen(&lab, THERE), seen(&lab, HERE)), (7, 7));
    lab.era = 9;
    arrives(&lab, NVE_2, THERE);
    assert_eq!((seen(&lab, THERE), seen(&lab, HERE)), (9, 7));
}
