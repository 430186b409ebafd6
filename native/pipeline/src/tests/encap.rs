//! Towards the underlay: what the outer header of each kind of next hop says, read by hand.

use core::net::IpAddr;
use std::collections::HashSet;

use proptest::prelude::*;
use tables::{TagPolicy, Work};
use types::DropReason::UnderlayMtu;
use types::{MacAddr, Selector};
use wire::{Encap, Outer, fold, sum};

use super::lab::*;
use crate::{EcnMode, Tunnel};

const VLAN: u16 = 7;
/// A plain option of four bytes, and a critical one without data.
const OPTIONS: [u8; 12] = [0x01, 0x02, 0x03, 0x01, 9, 8, 7, 6, 0x01, 0x02, 0x84, 0x00];

/// An outer header, field by field.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    tci: Option<u16>,
    is_v6: bool,
    class: u8,
    ttl: u8,
    flow_label: u32,
    dont_fragment: bool,
    identification: u16,
    source_port: u16,
    has_checksum: bool,
    encap: Encap,
    options: Vec<u8>,
    inner: Vec<u8>,
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Reads a packet to NVE 2 in blue, and checks what no next hop can change: addresses, lengths, checksums, VNI.
fn read(packet: &[u8]) -> Read {
    assert_eq!((&packet[..6], &packet[6..12]), (&NVE_2.0[..], &US.0[..]));
    let tagged = word(packet, 12) == 0x8100;
    let at = if tagged { 18 } else { 14 };
    let ip = &packet[at..];
    let is_v6 = word(packet, at - 2) == 0x86dd;
    assert!(is_v6 || word(packet, at - 2) == 0x0800);
    let length = if is_v6 { 40 } else { 20 };
    let (class, ttl, addresses, claimed) = if is_v6 {
        assert_eq!((ip[0] >> 4, ip[6]), (6, 17));
        (ip[0] << 4 | ip[1] >> 4, ip[7], &ip[8..40], usize::from(word(ip, 4)) + 40)
    } else {
        assert_eq!((ip[0], ip[9], fold(sum(&ip[..20], 0))), (0x45, 17, 0xffff));
        (ip[1], ip[8], &ip[12..20], usize::from(word(ip, 2)))
    };
    let ends = [US_6, NVE_2_6].map(|end| end.1.octets()).concat();
    assert_eq!(addresses, if is_v6 { &ends[..] } else { &[192, 0, 2, 1, 192, 0, 2, 2] });
    assert_eq!(claimed, ip.len(), "the IP packet is as long as it says");
    let udp = &ip[length..];
    assert_eq!(usize::from(word(udp, 4)), udp.len());
    let has_checksum = word(udp, 6) != 0;
    if has_checksum {
        assert_eq!(fold(sum(addresses, sum(udp, 17 + udp.len() as u64))), 0xffff);
    }
    let tunnel = &udp[8..];
    let (encap, options) = match word(udp, 2) {
        4789 => {
            assert_eq!(tunnel[..4], [8, 0, 0, 0]);
            (Encap::Vxlan, 0)
        }
        6081 => {
            let options = usize::from(tunnel[0]) * 4;
            let critical = if options == 0 { 0 } else { 0x40 };
            assert_eq!(tunnel[1..4], [critical, 0x65, 0x58]);
            (Encap::Geneve, options)
        }
        other => panic!("UDP port {other}"),
    };
    assert_eq!(tunnel[4..8], (BLUE_VNI << 8).to_be_bytes());
    Read {
        tci: tagged.then(|| word(packet, 14)),
        is_v6,
        class,
        ttl,
        flow_label: if is_v6 { u32::from(ip[1] & 0x0f) << 16 | u32::from(word(ip, 2)) } else { 0 },
        dont_fragment: !is_v6 && word(ip, 6) == 0x4000,
        identification: if is_v6 { 0 } else { word(ip, 4) },
        source_port: word(udp, 0),
        has_checksum,
        encap,
        options: tunnel[8..8 + options].to_vec(),
        inner: tunnel[8 + options..].to_vec(),
    }
}

/// What is sent for a frame of blue, by a next hop so changed.
fn send(lab: &Lab, frame: &[u8]) -> Read {
    let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, frame));
    assert_eq!((effects.sent.len(), &effects.dropped[..]), (1, &[][..]));
    assert_eq!(effects.sent[0].0, UNDERLAY.0);
    read(&effects.sent[0].1)
}

fn lab(is_v6: bool, change: impl FnOnce(&mut Tunnel<'_>)) -> Lab {
    let mut lab = Lab::new();
    lab.tunnel(is_v6, change);
    lab
}

/// EtherType and an IP packet with this class, TTL, and for IPv4 flags.
fn ip(is_v6: bool, class: u8, ttl: u8, flags: u8) -> Vec<u8> {
    let mut packet = if is_v6 { ipv6(46) } else { ipv4(46) };
    if is_v6 {
        (packet[2], packet[3], packet[9]) = (0x60 | class >> 4, class << 4, ttl);
    } else {
        (packet[3], packet[8], packet[10]) = (class, flags, ttl);
    }
    packet
}

const ARP: [u8; 30] = [8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn what_nobody_asked_for_is_as_the_rfcs_recommend() {
    for is_v6 in [false, true] {
        for encap in [Encap::Vxlan, Encap::Geneve] {
            let lab = lab(is_v6, |tunnel| tunnel.outer.encap = encap);
            let inner = frame(THERE, HERE, &ip(false, 0b1011_1000, 3, 0));
            let Read { source_port, flow_label, .. } = send(&lab, &inner);
            let expected = Read {
                tci: None,
                is_v6,
                // RFC 2983, pipe: the outer DSCP is its own. RFC 6864, 4.1: no identification where nobody fragments.
                class: 0,
                ttl: 64,
                flow_label,
                dont_fragment: !is_v6,
                identification: 0,
                source_port,
                // RFC 7348, 5: none over IPv4. RFC 8200, 8.1: over IPv6 there is one.
                has_checksum: is_v6,
                encap,
                options: vec![],
                inner: inner.clone(),
            };
            assert_eq!(send(&lab, &inner), expected);
            assert!(source_port >= 49_152);
        }
    }
}

#[test]
fn the_ecn_field_is_copied_hidden_or_left_out() {
    // RFC 6040, 4.1: normal mode, the kernel's, compatibility mode; inner Not-ECT, ECT(1), ECT(0), CE.
    let modes = [(EcnMode::Standard, [0, 1, 2, 3]), (EcnMode::Kernel, [0, 1, 2, 2]), (EcnMode::Off, [0, 0, 0, 0])];
    for (mode, outer) in modes {
        for (is_v6, inner_v6, tag) in all_of_three() {
            let mut lab = lab(is_v6, |tunnel| tunnel.ecn = mode);
            lab.change_vap(0, |vap| vap.tags = TagPolicy::Pass);
            for (inner, outer) in (0..4).zip(outer) {
                // The DSCP stays inside.
                let plain = frame(THERE, HERE, &ip(inner_v6, 0b1011_1000 | inner, 64, 0));
                let inner_frame = if tag { tagged(0x8100, 5, &plain) } else { plain };
                let sent = send(&lab, &inner_frame);
                assert_eq!((sent.class, sent.inner), (outer, inner_frame), "{mode:?} {inner} v6 {is_v6} in {inner_v6}");
            }
            assert_eq!(send(&lab, &frame(THERE, HERE, &ARP)).class, 0, "no IP, no ECN");
        }
    }
}

fn all_of_three() -> impl Iterator<Item = (bool, bool, bool)> {
    (0..8).map(|number| (number & 1 != 0, number & 2 != 0, number & 4 != 0))
}

#[test]
fn the_outer_dscp_is_fixed_the_inner_one_or_a_map_of_it() {
    // RFC 2983: pipe, uniform, and what a provider makes of it. ECN goes its own way.
    let mut map = [0; 64];
    (map[0], map[46]) = (11, 34);
    for (is_v6, inner_v6, _) in all_of_three() {
        let class = |lab: &Lab, inner| send(lab, &frame(THERE, HERE, &ip(inner_v6, inner, 64, 0))).class;
        let arp = |lab: &Lab| send(lab, &frame(THERE, HERE, &ARP)).class;
        let fixed = lab(is_v6, |tunnel| tunnel.outer.class = 46 << 2);
        assert_eq!([class(&fixed, 0), class(&fixed, 10 << 2 | 1), arp(&fixed)], [46 << 2, 46 << 2 | 1, 46 << 2]);
        let inherit = lab(is_v6, |tunnel| tunnel.work = tunnel.work.with(Work::DSCP));
        assert_eq!([class(&inherit, 46 << 2), class(&inherit, 10 << 2 | 3), arp(&inherit)], [46 << 2, 10 << 2 | 3, 0]);
        let mapped = lab(is_v6, |tunnel| {
            tunnel.work = tunnel.work.with(Work::DSCP);
            tunnel.dscp = Some(map.into());
        });
        let classes = [class(&mapped, 46 << 2 | 2), class(&mapped, 10 << 2), arp(&mapped)];
        assert_eq!(classes, [34 << 2 | 2, 0, 11 << 2], "a frame without IP is of class 0");
    }
}

#[test]
fn the_outer_ttl_is_fixed_or_the_inner_one() {
    for (is_v6, inner_v6, _) in all_of_three() {
        let inner = frame(THERE, HERE, &ip(inner_v6, 0, 9, 0));
        let fixed = send(&lab(is_v6, |tunnel| tunnel.outer.ttl = 5), &inner);
        assert_eq!(
            (fixed.ttl, fixed.inner),
            (5, inner.clone()),
            "RFC 8014, 3.1.2: L2 service never touches the inner one"
        );
        let inherit = lab(is_v6, |tunnel| tunnel.work = tunnel.work.with(Work::TTL));
        let inherited = send(&inherit, &inner);
        assert_eq!((inherited.ttl, inherited.inner), (9, inner));
        assert_eq!(send(&inherit, &frame(THERE, HERE, &ARP)).ttl, 64);
        assert_eq!(send(&inherit, &frame(THERE, HERE, &ip(inner_v6, 0, 0, 0))).ttl, 64, "nobody sends 0");
    }
}

#[test]
fn the_df_bit_is_set_unset_or_inherited_and_a_fragmentable_packet_has_an_identification() {
    let frame_with = |is_v6, flags| frame(THERE, HERE, &ip(is_v6, 0, 64, flags));
    let set = send(&Lab::new(), &frame_with(false, 0));
    assert_eq!((set.dont_fragment, set.identification), (true, 0));

    let unset = lab(false, |tunnel| tunnel.outer.dont_fragment = false);
    let burst = (0..3).map(|_| TestPacket::new(&tagged(0x8100, BLUE_TAG, &frame_with(false, 0x40))));
    let sent: Vec<_> = unset.run_burst(LINK_1, burst).sent.iter().map(|(_, packet)| read(packet)).collect();
    assert!(sent.iter().all(|sent| !sent.dont_fragment));
    // RFC 6864, 4.2: what may be fragmented needs an identification of its own.
    assert_eq!(sent.iter().map(|sent| sent.identification).collect::<Vec<_>>(), [1, 2, 3]);

    let inherit = lab(false, |tunnel| {
        tunnel.outer.dont_fragment = false;
        tunnel.work = tunnel.work.with(Work::DF);
    });
    for (inner, dont_fragment) in [
        (frame_with(false, 0x40), true),
        (frame_with(false, 0), false),
        (frame_with(true, 0), true),
        (frame(THERE, HERE, &ARP), false),
    ] {
        let sent = send(&inherit, &inner);
        assert_eq!((sent.dont_fragment, sent.identification == 0), (dont_fragment, dont_fragment));
    }
}

#[test]
fn the_source_port_is_of_the_range_the_same_for_a_flow_and_spread_over_flows() {
    let of_flow = |lab: &Lab, flow: u8| {
        let mut packet = ipv4(46);
        (packet[11], packet[22], packet[23]) = (17, 1, flow);
        send(lab, &frame(THERE, HERE, &packet))
    };
    for is_v6 in [false, true] {
        for (ports, at_least) in [((49_152, 65_535), 240), ((1, 65_535), 240), ((1000, 1003), 4), ((5, 5), 1)] {
            let lab = lab(is_v6, |tunnel| tunnel.ports = ports);
            let sent: Vec<_> = (0..=255).map(|flow| of_flow(&lab, flow)).collect();
            let seen: HashSet<u16> = sent.iter().map(|sent| sent.source_port).collect();
            assert!(seen.iter().all(|port| (ports.0..=ports.1).contains(port)));
            assert!(seen.len() >= at_least, "{} of {ports:?}", seen.len());
            assert_eq!(of_flow(&lab, 1).source_port, sent[1].source_port);
            // RFC 6438, 3: the flow label spreads flows, too.
            let labels: HashSet<u32> = sent.iter().map(|sent| sent.flow_label).collect();
            assert!(if is_v6 { labels.len() > 240 } else { labels.len() == 1 });
        }
    }
}

#[test]
fn the_outer_tag_has_a_fixed_pcp_or_that_of_the_frames_tag() {
    for is_v6 in [false, true] {
        let plain = frame(THERE, HERE, &ipv4(46));
        let tci = |lab: &Lab, frame: &[u8]| {
            let effects = lab.run(LINK_1, frame);
            read(&effects.sent[0].1).tci
        };
        let in_blue = |pcp: u16| tagged(0x8100, pcp << 13 | BLUE_TAG, &plain);
        let fixed = lab(is_v6, |tunnel| tunnel.outer.tag = Some(3 << 13 | VLAN));
        assert_eq!(tci(&fixed, &in_blue(5)), Some(3 << 13 | VLAN));
        let mut inherit = lab(is_v6, |tunnel| {
            tunnel.outer.tag = Some(VLAN);
            tunnel.work = tunnel.work.with(Work::PCP);
        });
        for pcp in 0..8 {
            assert_eq!(tci(&inherit, &in_blue(pcp)), Some(pcp << 13 | VLAN), "the tag that selected the VAP");
        }
        inherit.select(0, Selector::Port);
        inherit.change_vap(0, |vap| vap.tags = TagPolicy::Pass);
        assert_eq!(tci(&inherit, &in_blue(6)), Some(6 << 13 | VLAN), "the tenant's own tag");
        assert_eq!(tci(&inherit, &plain), Some(VLAN), "no tag");
    }
}

#[test]
fn the_longest_frame_is_what_the_paths_mtu_leaves() {
    // RFC 7348, 4.3; the tenant's Ethernet header counts, ours and its tag do not.
    let cases = [(false, false, 0, 36), (true, false, 0, 56), (false, true, 0, 36), (true, true, 12, 68)];
    for (is_v6, tag, options, overhead) in cases {
        let lab = lab(is_v6, |tunnel| {
            tunnel.mtu = 1000;
            tunnel.outer.tag = tag.then_some(VLAN);
            tunnel.outer.encap = Encap::Geneve;
            tunnel.outer.options = &OPTIONS[..options];
        });
        let longest = frame(THERE, HERE, &ipv4(1000 - overhead - 14));
        assert_eq!(send(&lab, &longest).inner, longest);
        let longer = tagged(0x8100, BLUE_TAG, &frame(THERE, HERE, &ipv4(1000 - overhead - 13)));
        assert_eq!(lab.run(LINK_1, &longer).dropped, [(UnderlayMtu, 1)]);
    }
}

#[test]
fn a_frame_to_many_nves_leaves_under_each_ones_own_encapsulation() {
    // RFC 8014, 4.3(4): encapsulation and Context ID per destination.
    let lab = lab(true, |tunnel| {
        tunnel.outer.encap = Encap::Geneve;
        tunnel.outer.options = &OPTIONS;
    });
    let inner = frame(BROADCAST, HERE, &ipv4(46));
    let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &inner));
    let to_nve_2 = effects.sent.iter().find(|(port, packet)| *port == UNDERLAY.0 && packet[..6] == NVE_2.0).unwrap();
    let sent = read(&to_nve_2.1);
    assert_eq!((sent.encap, sent.is_v6, &sent.options[..], &sent.inner), (Encap::Geneve, true, &OPTIONS[..], &inner));
    let mut to_nve_3 = outer(US, NVE_3, 17, &vxlan(BLUE_VNI, &inner));
    let sent = effects.sent.iter().find(|(_, packet)| packet[..6] == NVE_3.0).unwrap();
    to_nve_3[34..36].copy_from_slice(&sent.1[34..36]);
    assert_eq!(sent, &(UNDERLAY.0, to_nve_3));
    assert_eq!((effects.sent.len(), effects.copies), (3, 2));
}

proptest! {
    /// Whatever a tenant sends, and whatever the next hop asks for: the header that goes before it is right, and the frame is what it was.
    #[test]
    fn every_emitted_header_verifies(
        payload in proptest::collection::vec(any::<u8>(), 2..1400),
        (is_v6, is_geneve, tag, options, checksum) in any::<(bool, bool, bool, bool, bool)>(),
        (work, ecn, map) in (0u8..16, 0u8..3, any::<bool>()),
    ) {
        let inner = frame(THERE, HERE, &payload);
        let asked = [Work::TTL, Work::DF, Work::DSCP, Work::PCP];
        let lab = lab(is_v6, |tunnel| {
            tunnel.outer.encap = if is_geneve { Encap::Geneve } else { Encap::Vxlan };
            tunnel.outer.options = if is_geneve && options { &OPTIONS } else { &[] };
            tunnel.outer.tag = tag.then_some(VLAN);
            tunnel.work = Work::NONE.with_if(checksum, Work::CHECKSUM);
            for (at, one) in asked.into_iter().enumerate().filter(|(_, one)| tag || *one != Work::PCP) {
                tunnel.work = tunnel.work.with_if(work & 1 << at != 0, one);
            }
            tunnel.outer.dont_fragment = work & 2 == 0;
            tunnel.dscp = map.then(|| [63; 64].into());
            tunnel.ecn = [EcnMode::Standard, EcnMode::Kernel, EcnMode::Off][usize::from(ecn)];
        });
        let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &inner));
        // A frame with tags of its own, or that claims to be longer than it is, does not get so far.
        prop_assume!(effects.dropped.is_empty());
        let sent = read(&effects.sent[0].1);
        prop_assert_eq!((sent.is_v6, sent.has_checksum, sent.tci.is_some()), (is_v6, checksum, tag));
        prop_assert_eq!((sent.encap == Encap::Geneve, sent.options.is_empty()), (is_geneve, !(is_geneve && options)));
        prop_assert_eq!(sent.inner, inner);
    }
}

#[test]
fn an_end_is_a_mac_and_an_address_of_one_family() {
    let end = |ip: IpAddr| (MacAddr(US.0), ip);
    let vni = types::Vni::try_from(1).unwrap();
    let mixed = Outer::new(end(US.1.into()), end(NVE_2_6.1.into()), Encap::Vxlan, vni);
    assert!(Tunnel::new(mixed, UNDERLAY, 1600).entry().is_none());
}
