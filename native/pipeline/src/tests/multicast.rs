//! What comes to groups of the underlay: tunnelled packets for those who have joined, and questions of routers.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::DropReason::{self, *};
use wire::{fold, multicast_mac, sum};

use super::lab::*;
use crate::packet::PuntClass;

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 129, 1, 1);
/// It has the same MAC.
const TWIN: Ipv4Addr = Ipv4Addr::new(239, 1, 1, 1);
const GROUP_6: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 5, 1);
const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xfe);
const NEW_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);

/// The lab where blue has joined both groups.
fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.change_underlay(|port| {
        port.joined = [(IpAddr::from(GROUP), BLUE), (GROUP_6.into(), BLUE)].into_iter().collect();
    });
    lab
}

fn to(group: Ipv4Addr) -> ([u8; 6], Ipv4Addr) {
    (multicast_mac(group), group)
}

fn inner() -> Vec<u8> {
    frame(HERE, THERE, &ipv4(46))
}

/// A packet of NVE 2 to a group over IPv6, with a checksum or without.
fn over_ipv6(source: Ipv6Addr, group: Ipv6Addr, next: u8, has_checksum: bool, payload: &[u8]) -> Vec<u8> {
    let mut payload = payload.to_vec();
    let addresses = [source.octets(), group.octets()].concat();
    if has_checksum {
        let checksum = !fold(sum(&payload, sum(&addresses, u64::from(next) + payload.len() as u64)));
        payload[6..8].copy_from_slice(&checksum.to_be_bytes());
    }
    let start = [&[0x60, 0, 0, 0][..], &(payload.len() as u16).to_be_bytes(), &[next, 1]].concat();
    [&multicast_mac(group)[..], &NVE_2.0, &[0x86, 0xdd], &start, &addresses, &payload].concat()
}

fn delivered() -> Effects {
    let sent = vec![(LINK_1.0, padded(tagged(0x8100, BLUE_TAG, &inner())))];
    Effects { sent, ..Effects::default() }.with_vaps(&[(0, 0, 1)])
}

fn punted(frame: &[u8]) -> Effects {
    Effects { punted: vec![(PuntClass::Membership, frame.to_vec())], ..Effects::default() }
}

#[test]
fn a_tunnelled_packet_to_a_group_is_for_the_vn_that_joined_it_there() {
    let packet = outer(NVE_2, to(GROUP), 17, &vxlan(BLUE_VNI, &inner()));
    assert_eq!(lab().run(UNDERLAY, &packet), delivered());
    assert_eq!(Lab::new().run(UNDERLAY, &packet), Effects::drop(NotForUs), "nobody has joined it");
    let red = outer(NVE_2, to(GROUP), 17, &vxlan(RED_VNI, &inner()));
    assert_eq!(lab().run(UNDERLAY, &red), Effects::drop(NotForUs), "red has not");
    let mut both = lab();
    both.change_underlay(|port| port.joined = [(GROUP.into(), RED), (GROUP.into(), BLUE)].into_iter().collect());
    assert_eq!(both.run(UNDERLAY, &red).vaps, [(1, 0, 1)], "two VNs share a group");
    assert_eq!(both.run(UNDERLAY, &packet), delivered());

    let packet = over_ipv6(NVE_2_6.1, GROUP_6, 17, true, &vxlan(BLUE_VNI, &inner()));
    assert_eq!(lab().run(UNDERLAY, &packet), delivered());
    assert_eq!(Lab::new().run(UNDERLAY, &packet), Effects::drop(NotForUs));
    let red = over_ipv6(NVE_2_6.1, GROUP_6, 17, true, &vxlan(RED_VNI, &inner()));
    assert_eq!(lab().run(UNDERLAY, &red), Effects::drop(NotForUs));
}

#[test]
fn each_bad_packet_to_a_group_is_dropped_under_its_own_reason() {
    let mut lab = lab();
    let tunnel = vxlan(BLUE_VNI, &inner());
    let with = |at: usize, bytes: &[u8]| {
        let mut packet = outer(NVE_2, to(GROUP), 17, &tunnel);
        packet[at..at + bytes.len()].copy_from_slice(bytes);
        packet
    };
    let checksummed = |at: usize, byte: u8| {
        let mut packet = with(at, &[byte]);
        packet[24..26].fill(0);
        let checksum = !fold(sum(&packet[14..34], 0));
        packet[24..26].copy_from_slice(&checksum.to_be_bytes());
        packet
    };
    let stranger = (NVE_2.0, Ipv4Addr::new(192, 0, 2, 77));
    let mut long = outer(NVE_2, to(GROUP), 17, &tunnel);
    long.truncate(40);
    let other_port = with(36, &4790u16.to_be_bytes());
    let v6 = |source, next, has_checksum| over_ipv6(source, GROUP_6, next, has_checksum, &tunnel);
    let mut elsewhere = v6(NVE_2_6.1, 17, true);
    elsewhere[5] ^= 1;
    let cases: [(&str, Vec<u8>, DropReason); 16] = [
        ("no NVE of the VN", outer(stranger, to(GROUP), 17, &tunnel), SourceNve),
        ("ours, come back", outer(US, to(GROUP), 17, &tunnel), SourceNve),
        ("another group of the same MAC", outer(NVE_2, to(TWIN), 17, &tunnel), NotForUs),
        ("for us, sent to many", outer(NVE_2, (multicast_mac(GROUP), US.1), 17, &tunnel), NotForUs),
        ("a group, broadcast", outer(NVE_2, (BROADCAST, GROUP), 17, &tunnel), NotForUs),
        ("no overlay", other_port, NotForUs),
        ("an echo request", outer(NVE_2, to(GROUP), 1, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0]), NotForUs),
        ("a wrong header checksum", with(22, &[9]), OuterInvalid),
        ("a fragment", checksummed(20, 0x20), OuterFragment),
        ("options", with(14, &[0x46]), OuterOptions),
        ("cut", long, Truncated),
        ("over IPv6, ours", v6(US_6.1, 17, true), SourceNve),
        ("over IPv6, a stranger's", v6(NEW_6, 17, true), SourceNve),
        ("over IPv6, without a checksum", v6(NVE_2_6.1, 17, false), OuterZeroChecksum),
        ("over IPv6, an extension header", v6(NVE_2_6.1, 60, true), OuterExtension),
        ("over IPv6, another MAC", elsewhere, NotForUs),
    ];
    for (name, packet, reason) in cases {
        assert_eq!(lab.run(UNDERLAY, &packet), Effects::drop(reason), "{name}");
    }
    lab.take_zero_checksum();
    assert_eq!(lab.run(UNDERLAY, &v6(NVE_2_6.1, 17, false)), delivered(), "an address of the port takes it");
}

#[test]
fn in_one_burst_what_comes_to_a_group_and_what_comes_to_us_are_told_apart() {
    let to_group = |vni| TestPacket::new(&outer(NVE_2, to(GROUP), 17, &vxlan(vni, &inner())));
    let to_us = |vni| TestPacket::new(&tunnelled(NVE_2, vni, &inner()));
    let burst = [to_us(BLUE_VNI), to_group(RED_VNI), to_us(RED_VNI), to_group(BLUE_VNI), to_us(BLUE_VNI)];
    let effects = lab().run_burst(UNDERLAY, burst);
    assert_eq!((effects.vaps, effects.dropped), (vec![(0, 0, 3), (1, 0, 1)], vec![(NotForUs, 1)]));
}

#[test]
fn in_a_vlan_a_group_is_a_group() {
    let mut lab = lab();
    lab.change_underlay(|port| port.vlan = 7);
    let packet = outer(NVE_2, to(GROUP), 17, &vxlan(BLUE_VNI, &inner()));
    assert_eq!(lab.run(UNDERLAY, &tagged(0x8100, 7, &packet)), delivered());
    assert_eq!(lab.run(UNDERLAY, &packet), Effects::drop(OuterTag));
}

/// An IGMP message with Router Alert, from NVE 2.
fn igmp(to: Ipv4Addr, mut message: Vec<u8>) -> Vec<u8> {
    let checksum = !fold(sum(&message, 0));
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut ip = [&[0x46, 0xc0, 0, 24 + message.len() as u8, 0, 0, 0, 0, 1, 2, 0, 0][..], &NVE_2.1.octets()].concat();
    ip.extend_from_slice(&[&to.octets()[..], &[0x94, 4, 0, 0]].concat());
    let checksum = !fold(sum(&ip, 0));
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    [&multicast_mac(to)[..], &NVE_2.0, &[8, 0], &ip, &message].concat()
}

#[test]
fn who_asks_about_our_groups_is_heard_and_nobody_else() {
    let lab = lab();
    let query = |group: Ipv4Addr| [&[0x11, 100, 0, 0][..], &group.octets(), &[2, 125, 0, 0]].concat();
    let general = igmp(ALL_SYSTEMS, query(Ipv4Addr::UNSPECIFIED));
    assert_eq!(lab.run(UNDERLAY, &general), punted(&general));
    assert_eq!(Lab::new().run(UNDERLAY, &general), Effects::drop(NotForUs), "there is nothing to report");
    let ours = igmp(GROUP, query(GROUP));
    assert_eq!(lab.run(UNDERLAY, &ours), punted(&ours));
    assert_eq!(lab.run(UNDERLAY, &igmp(TWIN, query(TWIN))), Effects::drop(NotForUs), "not in that group");
    let report = igmp(GROUP, [&[0x16, 0, 0, 0][..], &GROUP.octets()].concat());
    assert_eq!(lab.run(UNDERLAY, &report), Effects::drop(NotForUs), "another host's");
    let mut wrong = general;
    wrong[40] ^= 1;
    assert_eq!(lab.run(UNDERLAY, &wrong), Effects::drop(MembershipInvalid));
}

#[test]
fn who_asks_about_the_groups_of_an_ipv6_host_is_heard() {
    let mut lab = Lab::new();
    lab.change_underlay(|port| port.tentative = [NEW_6].into());
    let mld = |source: Ipv6Addr, to: Ipv6Addr, group: Ipv6Addr, hops: u8| {
        let mut message = [&[130, 0, 0, 0, 3, 0xe8, 0, 0][..], &group.octets(), &[2, 125, 0, 0]].concat();
        let pseudo = sum(&source.octets(), sum(&to.octets(), 58 + message.len() as u64));
        let checksum = !fold(sum(&message, pseudo));
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        let mut packet = over_ipv6(source, to, 0, false, &[&[58, 0, 5, 2, 0, 0, 1, 0][..], &message].concat());
        packet[21] = hops;
        packet
    };
    let nodes: Ipv6Addr = "ff02::1".parse().unwrap();
    let general = mld(ROUTER, nodes, Ipv6Addr::UNSPECIFIED, 1);
    assert_eq!(lab.run(UNDERLAY, &general), punted(&general));
    for ip in [US_6.1, NEW_6] {
        let group = wire::solicited_node(ip);
        let ours = mld(ROUTER, group, group, 1);
        assert_eq!(lab.run(UNDERLAY, &ours), punted(&ours), "{ip}");
    }
    assert_eq!(lab.run(UNDERLAY, &mld(ROUTER, GROUP_6, GROUP_6, 1)), Effects::drop(NotForUs));
    for far in [mld(NVE_2_6.1, nodes, Ipv6Addr::UNSPECIFIED, 1), mld(ROUTER, nodes, Ipv6Addr::UNSPECIFIED, 2)] {
        assert_eq!(lab.run(UNDERLAY, &far), Effects::drop(MembershipInvalid), "not from this link");
    }
    let no_mld = over_ipv6(ROUTER, nodes, 0, false, &[&[59, 0, 5, 2, 0, 0, 1, 0][..], &[0; 24]].concat());
    assert_eq!(lab.run(UNDERLAY, &no_mld), Effects::drop(NotForUs));
    lab.change_underlay(|port| (port.v6, port.tentative) = ([].into(), [].into()));
    assert_eq!(lab.run(UNDERLAY, &general), Effects::drop(NotForUs), "no IPv6 here");
}
