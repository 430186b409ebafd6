//! What tenants may send and get, rule by rule.

use core::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;
use tables::{Acl, AclBinding, AclRule, Action, Flags, Rate, Snapshot};
use types::{DropReason, DropReason::*, MacAddr};

use super::lab::*;

const BLUE_1: u16 = 0;
const BLUE_2: u16 = 2;
const NONE: u16 = Snapshot::NONE;

fn mac(mac: [u8; 6]) -> MacAddr {
    MacAddr(mac)
}

/// EtherType, an IPv4 header and its payload.
fn ip(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x08, 0, 0x45, 0];
    packet.extend_from_slice(&(20 + payload.len() as u16).to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    packet.extend_from_slice(&fragment.to_be_bytes());
    packet.extend_from_slice(&[64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    [&packet[..], payload].concat()
}

/// EtherType, an IPv6 header from `source`, and its payload.
fn ip6(source: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    let header = [0x86, 0xdd, 0x60, 0, 0, 0, length[0], length[1], next_header, 64];
    [&header[..], &source.octets(), &Ipv6Addr::LOCALHOST.octets(), payload].concat()
}

fn tcp(destination: u16) -> Vec<u8> {
    let mut header = vec![0x30, 0x39];
    header.extend_from_slice(&destination.to_be_bytes());
    header.resize(20, 0);
    header[13] = 0x02;
    header
}

fn udp(source: u16, destination: u16) -> Vec<u8> {
    [source.to_be_bytes(), destination.to_be_bytes(), [0, 8], [0, 0]].concat()
}

fn rule(action: Action, narrow: impl Fn(&mut AclRule)) -> AclRule {
    let mut rule = AclRule::any(action);
    narrow(&mut rule);
    rule
}

fn deny_web() -> AclRule {
    rule(Action::Deny, |rule| {
        rule.protocol(6);
        rule.destination_ports((80, 80));
    })
}

impl Lab {
    pub fn acl(&mut self, index: u16, rules: impl IntoIterator<Item = AclRule>, default: Action) {
        *self.snapshot.acls.slot(index.into()) = Some(Arc::new(Acl::new(rules, default)));
    }
    pub fn bind_vap(&mut self, vap: u16, inward: u16, outward: u16) {
        self.snapshot.vap_policies.slot(vap.into()).acls = AclBinding { inward, outward };
        let bound = Flags::NONE.with_if(inward != NONE, Flags::ACL_IN).with_if(outward != NONE, Flags::ACL_OUT);
        self.change_vap(vap, |entry| entry.flags = entry.flags.with(bound));
    }
    pub fn bind_vn(&mut self, vn: u16, inward: u16, outward: u16) {
        *self.snapshot.vn_acls.slot(vn.into()) = AclBinding { inward, outward };
        let bound = Flags::NONE.with_if(inward != NONE, Flags::VN_ACL_IN).with_if(outward != NONE, Flags::VN_ACL_OUT);
        self.change_vn(vn, |entry| entry.flags = bound);
    }
    fn decided(&self, index: u16) -> Vec<u64> {
        self.snapshot.acl(index).unwrap().decided().collect()
    }
    /// From the tenant of blue 1 to another one.
    fn send(&self, destination: [u8; 6], rest: &[u8]) -> Effects {
        self.run(LINK_1, &tagged(0x8100, BLUE_TAG, &frame(destination, HERE, rest)))
    }
}

fn refused(reason: DropReason) -> Effects {
    Effects::drop(reason).with_vaps(&[(BLUE_1, 1, 0)])
}

/// To the station at blue 2.
fn delivered(rest: &[u8]) -> Effects {
    Effects { sent: vec![(LINK_2.0, padded(frame(BESIDE, HERE, rest)))], ..Effects::default() }
        .with_vaps(&[(BLUE_1, 1, 0), (BLUE_2, 0, 1)])
}

#[test]
fn the_lists_of_vap_and_vn_both_apply_in_their_direction() {
    let web = ip(6, 0, &tcp(80));
    for (place, reason) in [("vap in", AclIn), ("vn in", AclIn), ("vap out", AclOut), ("vn out", AclOut)] {
        let mut lab = Lab::new();
        lab.acl(0, [deny_web()], Action::Permit);
        lab.acl(1, [], Action::Permit);
        match place {
            "vap in" => lab.bind_vap(BLUE_1, 0, 1),
            "vn in" => lab.bind_vn(BLUE, 0, 1),
            "vap out" => lab.bind_vap(BLUE_2, 1, 0),
            _ => lab.bind_vn(BLUE, 1, 0),
        }
        assert_eq!(lab.send(BESIDE, &web), refused(reason), "{place}");
        assert_eq!(lab.send(BESIDE, &ip(6, 0, &tcp(81))), delivered(&ip(6, 0, &tcp(81))), "{place}");
        assert_eq!(lab.decided(0), [1, 1], "{place}");
    }
}

#[test]
fn tunnels_meet_only_the_lists_of_frames_to_tenants() {
    let mut lab = Lab::new();
    lab.acl(0, [], Action::Deny);
    lab.bind_vap(BLUE_1, NONE, 0);
    lab.bind_vn(BLUE, NONE, 0);
    let web = ip(6, 0, &tcp(80));
    assert_eq!(lab.send(THERE, &web).sent.len(), 1, "out by a tunnel");
    let inner = frame(HERE, THERE, &web);
    assert_eq!(lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &inner)), Effects::drop(AclOut));
    let mut lab = Lab::new();
    lab.acl(0, [], Action::Deny);
    lab.bind_vn(BLUE, 0, NONE);
    lab.bind_vap(BLUE_1, 0, NONE);
    assert_eq!(lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &inner)).sent.len(), 1, "in by a tunnel");
    assert_eq!(lab.send(THERE, &web), refused(AclIn));
    let red = lab.run(LINK_1, &tagged(0x8100, RED_TAG, &frame(THERE, HERE, &web)));
    assert_eq!(red.sent.len(), 1, "another VN");
}

#[test]
fn each_copy_of_a_broadcast_meets_the_list_of_its_vap() {
    let mut lab = Lab::new();
    lab.acl(0, [deny_web()], Action::Permit);
    lab.bind_vap(BLUE_2, NONE, 0);
    let effects = lab.send(BROADCAST, &ip(6, 0, &tcp(80)));
    assert_eq!(effects.dropped, [(AclOut, 1)]);
    assert_eq!(effects.sent.iter().map(|(port, _)| *port).collect::<Vec<_>>(), [UNDERLAY.0; 2], "the NVEs get theirs");
    lab.bind_vn(BLUE, NONE, 0);
    let effects = lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &frame(BROADCAST, THERE, &ip(6, 0, &tcp(80)))));
    assert_eq!((effects.sent.len(), effects.dropped), (0, vec![(AclOut, 2)]));
}

#[test]
fn a_list_sees_the_frame_inside_the_vn() {
    let mut lab = Lab::new();
    lab.acl(
        0,
        [rule(Action::Permit, |rule| rule.vid(7)), rule(Action::Permit, |rule| rule.ether_type(0x0806))],
        Action::Deny,
    );
    lab.change_vap(BLUE_1, |vap| vap.tags = tables::TagPolicy::Pass);
    lab.bind_vap(BLUE_1, 0, NONE);
    let inner = |vid: u16| tagged(0x8100, vid, &frame(THERE, HERE, &ip(17, 0, &udp(1, 2))));
    let send = |lab: &Lab, vid| lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &inner(vid)));
    assert_eq!(send(&lab, 7).sent.len(), 1);
    assert_eq!(send(&lab, 8), refused(AclIn));
    assert_eq!(
        lab.send(THERE, &ip(17, 0, &udp(1, 2))),
        refused(AclIn),
        "the tag that selects the VAP is not the tenant's"
    );
    let arp = [&[0x08, 0x06][..], &[0; 46]].concat();
    assert_eq!(lab.send(THERE, &arp).sent.len(), 1);
    lab.change_vap(BLUE_1, |vap| vap.tags = tables::TagPolicy::Strip);
    assert_eq!(send(&lab, 7), refused(AclIn), "nor is one that the VAP strips in the VN");
}

#[test]
fn what_hides_behind_tags_or_llc_is_read_or_denied() {
    let mut lab = Lab::new();
    lab.acl(0, [deny_web()], Action::Permit);
    lab.change_vap(BLUE_1, |vap| vap.tags = tables::TagPolicy::Pass);
    lab.change_vap(BLUE_2, |vap| vap.tags = tables::TagPolicy::Pass);
    lab.bind_vap(BLUE_1, 0, NONE);
    let web = frame(BESIDE, HERE, &ip(6, 0, &tcp(80)));
    let snap = |rest: &[u8]| [&(rest.len() as u16 + 6).to_be_bytes()[..], &[0xaa, 0xaa, 3, 0, 0, 0], rest].concat();
    let double = tagged(0x8100, 0, &tagged(0x8100, 0, &web));
    for hidden in [
        tagged(0x8100, 5, &web),
        double.clone(),
        tagged(0x8100, 0, &double),
        frame(BESIDE, HERE, &snap(&web[12..])),
        frame(BESIDE, HERE, &snap(&tagged(0x8100, 5, &web)[12..])),
        tagged(0x8100, 0, &frame(BESIDE, HERE, &snap(&web[12..]))),
    ] {
        let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &hidden));
        assert_eq!(effects, refused(AclIn), "{hidden:02x?}");
    }
    let other = frame(BESIDE, HERE, &snap(&ip(6, 0, &tcp(81))));
    assert_eq!(lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &other)).sent.len(), 1, "what may pass does behind LLC, too");
}

#[test]
fn later_fragments_have_no_ports_and_what_cannot_be_decided_is_denied() {
    let mut lab = Lab::new();
    lab.acl(0, [deny_web()], Action::Permit);
    lab.bind_vap(BLUE_1, 0, NONE);
    let passes = |rest: &[u8]| lab.send(BESIDE, rest) == delivered(rest);
    assert!(passes(&ip(6, 0x0002, &tcp(80))), "a later fragment");
    assert!(!passes(&ip(6, 0x2000, &tcp(80))), "the first");
    assert!(!passes(&ip(6, 0x0001, &tcp(81))), "RFC 3128");
    assert!(passes(&ip(17, 0x0001, &udp(1, 2))));
    assert!(!passes(&ip(6, 0, &tcp(81)[..13])), "a TCP header that ends before its flags");
    assert!(!passes(&ip(17, 0x2000, &udp(1, 2)[..3])), "a first fragment that ends before its ports");
    assert!(!passes(&ip(1, 0, &[8])), "ICMP without a code");
    assert!(passes(&ip(47, 0, &[])), "a protocol without ports");
    let mut short = ip(6, 0, &tcp(81));
    short[2] = 0x44;
    assert!(!passes(&short), "an IPv4 header of four words");
    let extension = |next: u8| [next, 0, 0, 0, 0, 0, 0, 0];
    let v6 = |payload: &[u8]| ip6(Ipv6Addr::LOCALHOST, 60, payload);
    assert!(!passes(&v6(&[&extension(6)[..], &tcp(80)].concat())), "behind an extension header");
    assert!(passes(&v6(&[&extension(6)[..], &tcp(81)].concat())));
    assert!(!passes(&v6(&extension(60).repeat(20))), "a chain without end");
    let mut lab = Lab::new();
    lab.acl(
        0,
        [rule(Action::Permit, |rule| {
            rule.protocol(6);
            rule.destination_ports((0, 65535));
        })],
        Action::Deny,
    );
    lab.bind_vap(BLUE_1, 0, NONE);
    assert_eq!(lab.send(BESIDE, &ip(6, 0x0002, &tcp(80))), refused(AclIn), "no port is not any port");
}

#[test]
fn a_list_that_is_not_there_permits_nothing() {
    let mut lab = Lab::new();
    lab.bind_vap(BLUE_1, 5, NONE);
    assert_eq!(lab.send(BESIDE, &ip(6, 0, &tcp(81))), refused(AclIn));
}

#[test]
fn a_policer_takes_bytes_of_one_vap_and_gives_them_back_with_time() {
    let mut lab = Lab::new();
    let rest = ipv4(46);
    let length = (18 + rest.len() - 2) as u64;
    lab.snapshot.vap_policies.slot(BLUE_1.into()).police = Rate::new(HZ, (length * 10, length * 3));
    lab.change_vap(BLUE_1, |vap| vap.flags = vap.flags.with(Flags::POLICE));
    let burst = |lab: &Lab| {
        let frames = (0..8).map(|_| TestPacket::new(&tagged(0x8100, BLUE_TAG, &frame(BESIDE, HERE, &rest))));
        lab.run_burst(LINK_1, frames)
    };
    let effects = burst(&lab);
    assert_eq!(
        (effects.sent.len(), effects.dropped, effects.vaps),
        (3, vec![(Policed, 5)], vec![(BLUE_1, 8, 0), (BLUE_2, 0, 3)])
    );
    lab.now += HZ / 5 + 1;
    assert_eq!(burst(&lab).sent.len(), 2);
    assert_eq!(lab.run(LINK_1, &tagged(0x8100, RED_TAG, &frame(THERE, HERE, &rest))).sent.len(), 1, "another VAP");
}

#[test]
fn a_storm_is_what_goes_to_groups_and_unknown_macs() {
    let mut lab = Lab::new();
    lab.snapshot.vap_policies.slot(BLUE_1.into()).storm = Rate::new(HZ, (10, 2));
    lab.change_vap(BLUE_1, |vap| vap.flags = vap.flags.with(Flags::STORM));
    let frames = [BROADCAST, BESIDE, [1, 0, 0x5e, 0, 0, 1], NOBODY, BESIDE, BROADCAST];
    let frames = frames.map(|to| TestPacket::new(&tagged(0x8100, BLUE_TAG, &frame(to, HERE, &ipv4(46)))));
    let effects = lab.run_burst(LINK_1, frames);
    assert_eq!(effects.dropped, [(Storm, 2)]);
    assert_eq!(effects.sent.len(), 2 * 3 + 2, "two to everybody, two to one");
    lab.now += HZ / 10 + 1;
    assert_eq!(lab.send(NOBODY, &ipv4(46)), refused(UnknownUnicast), "within the limit, and nobody's all the same");
    assert_eq!(lab.send(NOBODY, &ipv4(46)), refused(Storm));
}

fn guarded() -> Lab {
    let mut lab = Lab::new();
    let ours: [IpAddr; 2] = [[10, 0, 0, 1].into(), "2001:db8::1".parse().unwrap()];
    ours.iter().for_each(|ip| lab.pairs.insert(BLUE, *ip, mac(HERE)));
    lab.pairs.insert(BLUE, [10, 0, 0, 9].into(), mac(BESIDE));
    lab.pairs.insert(BLUE, "2001:db8::9".parse().unwrap(), mac(BESIDE));
    lab.change_vap(BLUE_1, |vap| vap.flags = vap.flags.with(Flags::GUARD_IP));
    lab
}

#[test]
fn a_station_sends_only_from_addresses_that_are_its_own() {
    let lab = guarded();
    let from = |source: [u8; 4], protocol: u8, payload: &[u8]| {
        let mut packet = ip(protocol, 0, payload);
        packet[14..18].copy_from_slice(&source);
        packet
    };
    let arp = |sender_mac: [u8; 6], sender: [u8; 4]| {
        let arp = wire::ArpPacket::new(
            wire::ArpOperation::Request,
            (sender_mac, sender.into()),
            ([0; 6], [10, 0, 0, 2].into()),
        );
        [&[0x08, 0x06][..], wire::IntoBytes::as_bytes(&arp)].concat()
    };
    let advertisement = |target: &str| {
        let target: Ipv6Addr = target.parse().unwrap();
        [&[136, 0, 0, 0, 0, 0, 0, 0][..], &target.octets()].concat()
    };
    let solicitation = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &[0; 16]].concat();
    let v6 = |source: &str, next: u8, payload: &[u8]| ip6(source.parse().unwrap(), next, payload);
    let unspecified = [0; 4];
    for (rest, passes, what) in [
        (from([10, 0, 0, 1], 17, &udp(1, 2)), true, "its own"),
        (from([10, 0, 0, 9], 17, &udp(1, 2)), false, "another's"),
        (from([10, 0, 0, 3], 17, &udp(1, 2)), false, "nobody's"),
        (from(unspecified, 17, &udp(68, 67)), true, "DHCP"),
        (from(unspecified, 17, &udp(67, 68)), false, "a DHCP server"),
        (from(unspecified, 6, &tcp(80)), false, "none"),
        (arp(HERE, [10, 0, 0, 1]), true, "ARP"),
        (arp(HERE, [10, 0, 0, 9]), false, "ARP of another's address"),
        (arp(BESIDE, [10, 0, 0, 9]), false, "ARP of another altogether"),
        (arp(HERE, unspecified), true, "a probe"),
        (arp(HERE, [10, 0, 0, 1])[..20].to_vec(), false, "ARP that ends early"),
        (v6("2001:db8::1", 17, &udp(1, 2)), true, "its own, IPv6"),
        (v6("2001:db8::9", 17, &udp(1, 2)), false, "another's, IPv6"),
        (v6("fe80::1", 17, &udp(1, 2)), false, "a link-local one that nobody has"),
        (v6("2001:db8::1", 58, &advertisement("2001:db8::1")), true, "an advertisement"),
        (v6("2001:db8::1", 58, &advertisement("2001:db8::9")), false, "one of another's address"),
        (v6("2001:db8::1", 58, &advertisement("2001:db8::1")[..20]), false, "one that ends early"),
        (v6("::", 58, &solicitation), true, "duplicate address detection"),
        (v6("::", 58, &advertisement("2001:db8::1")), false, "an advertisement from nowhere"),
        (v6("::", 17, &udp(1, 2)), false, "UDP from nowhere"),
        ([&[0x88, 0x47][..], &[0; 40]].concat(), true, "neither ARP nor IP"),
    ] {
        let expected = if passes { delivered(&rest) } else { refused(IpGuard) };
        assert_eq!(lab.send(BESIDE, &rest), expected, "{what}");
    }
    let others = lab.run(LINK_2, &frame(HERE, BESIDE, &from([10, 0, 0, 1], 17, &udp(1, 2))));
    assert_eq!(others.sent.len(), 1, "a VAP that does not guard");
}

#[test]
fn a_pair_of_one_vn_is_none_in_another() {
    let mut lab = guarded();
    lab.change_vap(1, |vap| vap.flags = vap.flags.with(Flags::GUARD_IP));
    let effects = lab.run(LINK_1, &tagged(0x8100, RED_TAG, &frame(THERE, HERE, &ip(17, 0, &udp(1, 2)))));
    assert_eq!(effects.dropped, [(IpGuard, 1)]);
}

#[test]
fn what_one_step_drops_the_next_does_not_count() {
    let mut lab = guarded();
    lab.acl(0, [], Action::Deny);
    lab.bind_vap(BLUE_1, 0, NONE);
    let policy = lab.snapshot.vap_policies.slot(BLUE_1.into());
    (policy.storm, policy.police) = (Rate::new(HZ, (1, 1)), Rate::new(HZ, (1, 100)));
    lab.change_vap(BLUE_1, |vap| vap.flags = vap.flags.with(Flags::STORM).with(Flags::POLICE));
    let foreign = {
        let mut packet = ip(17, 0, &udp(1, 2));
        packet[17] = 9;
        packet
    };
    let frames = [foreign.clone(), ip(17, 0, &udp(1, 2)), foreign.clone(), foreign].map(|rest| {
        let to = if rest[17] == 9 { BROADCAST } else { BESIDE };
        TestPacket::new(&tagged(0x8100, BLUE_TAG, &frame(to, HERE, &rest)))
    });
    let effects = lab.run_burst(LINK_1, frames);
    // Of 46 bytes each: the first passes limit and policer, the second the policer, the others are a storm.
    assert_eq!(effects.dropped, [(Storm, 2), (IpGuard, 1), (AclIn, 1)]);
    assert_eq!(lab.decided(0), [1]);
}

proptest! {
    /// A list decides about bytes as a reader does who walks them in the plainest way.
    #[test]
    fn a_lists_decision_is_that_of_a_naive_reader(
        tags in 0usize..4, version in 0u8..3, protocol in prop_oneof![Just(1u8), Just(6), Just(17), Just(47)], offset in 0u16..4,
        port in 79u16..82, cut in 0usize..40, deny_fragment in any::<bool>(),
    ) {
        let layer_4 = match protocol { 6 => tcp(port), 17 => udp(9, port), _ => vec![3, 1, 0, 0] };
        let payload = &layer_4[..layer_4.len().min(cut)];
        let rest = match version {
            0 => ip(protocol, offset, payload),
            1 => {
                let fragment = [protocol, 0, (offset << 3 >> 8) as u8, (offset << 3) as u8, 0, 0, 0, 1];
                ip6(Ipv6Addr::LOCALHOST, 44, &[&fragment[..], payload].concat())
            }
            _ => [&[0x88, 0x47][..], payload].concat(),
        };
        let mut inner = frame(BESIDE, HERE, &rest);
        for _ in 0..tags {
            inner = tagged(0x8100, 5, &inner);
        }
        let mut lab = Lab::new();
        let ports = |protocol: u8| rule(Action::Deny, move |rule| { rule.protocol(protocol); rule.destination_ports((80, 81)) });
        let rules = [ports(6), ports(17), rule(if deny_fragment { Action::Deny } else { Action::Permit }, |rule| rule.protocol(47))];
        lab.acl(0, rules, Action::Permit);
        lab.change_vap(BLUE_1, |vap| vap.tags = tables::TagPolicy::Pass);
        lab.change_vap(BLUE_2, |vap| vap.tags = tables::TagPolicy::Pass);
        lab.bind_vap(BLUE_1, 0, NONE);

        let is_ip = version < 2;
        let needed = match protocol { 6 => 14, 17 => 4, 1 => 2, _ => 0 };
        let undecidable = tags > 2 || is_ip && (offset == 0 && payload.len() < needed || offset == 1 && protocol == 6);
        let port_denied = matches!(protocol, 6 | 17) && offset == 0 && (80..=81).contains(&port);
        let denied = undecidable || is_ip && (port_denied || protocol == 47 && deny_fragment);
        let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &inner));
        prop_assert_eq!(effects.dropped, if denied { vec![(AclIn, 1)] } else { vec![] });
    }

    #[test]
    fn noise_meets_every_step_within_its_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..120), ether_type in 0usize..5) {
        let mut lab = guarded();
        lab.acl(0, [deny_web()], Action::Permit);
        lab.bind_vap(BLUE_1, 0, 0);
        lab.bind_vn(BLUE, 0, 0);
        lab.change_vap(BLUE_1, |vap| vap.tags = tables::TagPolicy::Pass);
        let start: [&[u8]; 5] = [&[], &[8, 0, 0x45, 0, 0, 60], &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 9, 0], &[8, 6], &[0, 50, 0xaa, 0xaa, 3, 0, 0, 0]];
        let inner = frame(BROADCAST, HERE, &[start[ether_type], &bytes].concat());
        lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &inner));
        lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &inner));
    }
}
