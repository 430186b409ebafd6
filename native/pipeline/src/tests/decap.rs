//! Out of the tunnel: VXLAN and Geneve over IPv4 and IPv6, as another NVE sends them.

use proptest::prelude::*;
use tables::{Destination, Flags, TagPolicy, Work};
use types::DropReason::{self, *};
use wire::{Encap, fold, sum};

use super::lab::*;
use super::sent::{Sent, geneve, sent};

/// A plain option of four bytes, and one without data.
const OPTIONS: [u8; 12] = [0x01, 0x02, 0x03, 0x01, 9, 8, 7, 6, 0x01, 0x02, 0x04, 0x00];

fn delivered(inner: &[u8]) -> Effects {
    let sent = vec![(LINK_1.0, padded(tagged(0x8100, BLUE_TAG, inner)))];
    Effects { sent, ..Effects::default() }.with_vaps(&[(0, 0, 1)])
}

#[test]
fn a_runt_of_the_tunnel_is_as_long_as_ethernet_asks_on_the_link() {
    let runt = frame(HERE, THERE, &[0x12, 0x34, 1, 2, 3]);
    let effects = Lab::new().run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &runt));
    let link = tagged(0x8100, BLUE_TAG, &runt);
    assert_eq!(effects.sent, [(LINK_1.0, [&link[..], &[0; 60 - 21]].concat())]);
}

#[test]
fn every_kind_of_tunnel_ends_at_the_tsi() {
    let mut lab = Lab::new();
    lab.take_zero_checksum();
    let inner = frame(HERE, THERE, &ipv4(46));
    for is_v6 in [false, true] {
        for has_checksum in [false, true] {
            let vxlan = Sent { has_checksum, ..sent(is_v6, Encap::Vxlan, &inner) };
            let plain = Sent { has_checksum, ..sent(is_v6, Encap::Geneve, &inner) };
            let options = Sent { is_v6, has_checksum, ..geneve([3, 0, 0x65, 0x58], &OPTIONS, &inner) };
            let most = [&[0, 0, 0, 31][..], &[0; 124], &[0, 0, 0, 30], &[0; 120]].concat();
            let most = Sent { is_v6, has_checksum, ..geneve([63, 0, 0x65, 0x58], &most, &inner) };
            for (name, packet) in [("vxlan", vxlan), ("geneve", plain), ("options", options), ("252 bytes", most)] {
                let bytes = packet.bytes();
                assert_eq!(lab.run(UNDERLAY, &bytes), delivered(&inner), "{name} v6 {is_v6}");
                let padded = [&bytes[..], &[0; 9]].concat();
                assert_eq!(lab.run(UNDERLAY, &padded), delivered(&inner), "{name}: padding is no part of the frame");
                if has_checksum {
                    let mut wrong = bytes;
                    *wrong.last_mut().unwrap() ^= 1;
                    assert_eq!(lab.run(UNDERLAY, &wrong), Effects::drop(OuterChecksum), "{name}");
                }
            }
        }
    }
}

#[test]
fn each_bad_packet_over_ipv6_is_dropped_under_its_own_reason() {
    let lab = Lab::new();
    let inner = frame(HERE, THERE, &ipv4(46));
    let good = || sent(true, Encap::Vxlan, &inner).bytes();
    let with = |at: usize, bytes: &[u8]| {
        let mut packet = good();
        packet[at..at + bytes.len()].copy_from_slice(bytes);
        packet
    };
    let no_checksum = |encap| Sent { has_checksum: false, ..sent(true, encap, &inner) }.bytes();
    let cases: Vec<(&str, Vec<u8>, DropReason)> = vec![
        // RFC 6936, 5: only where it is agreed.
        ("no checksum", no_checksum(Encap::Vxlan), OuterZeroChecksum),
        ("no checksum, Geneve", no_checksum(Encap::Geneve), OuterZeroChecksum),
        ("version 4", with(14, &[0x40]), OuterInvalid),
        ("header cut", good()[..53].to_vec(), Truncated),
        ("longer than the frame", with(19, &[0xff]), Truncated),
        ("to another address", with(53, &[9]), NotForUs),
        // RFC 7348, 4.3: a fragment is dropped; RFC 8200, 4.5.
        ("fragment", with(20, &[44]), OuterFragment),
        ("hop-by-hop options", with(20, &[0]), OuterExtension),
        ("routing header", with(20, &[43]), OuterExtension),
        ("destination options", with(20, &[60]), OuterExtension),
        ("TCP", with(20, &[6]), NotOverlay),
        ("another UDP port", with(56, &[0x21, 0x18]), NotOverlay),
        ("UDP longer than IP", with(58, &[0xff, 0xff]), Truncated),
        ("UDP without a frame", with(58, &[0, 29]), Truncated),
    ];
    for (name, bytes, reason) in cases {
        assert_eq!(lab.run(UNDERLAY, &bytes), Effects::drop(reason), "{name}");
    }
    // A sender that is no NVE of the VN: known to nobody, or to another VN only.
    let mut lab = Lab::new();
    lab.sources.remove(tables::SourceKey::new(BLUE, tables::Source::V6(7)));
    assert_eq!(lab.run(UNDERLAY, &good()), Effects::drop(SourceNve));
    std::sync::Arc::make_mut(&mut lab.snapshot.peers).remove(NVE_2_6.1);
    assert_eq!(lab.run(UNDERLAY, &good()), Effects::drop(SourceNve));
}

#[test]
fn each_bad_geneve_packet_is_dropped_under_its_own_reason() {
    let lab = Lab::new();
    let inner = frame(HERE, THERE, &ipv4(46));
    let critical = [1, 2, 0x83, 0];
    let cases = [
        // RFC 8926, 3.4: version, O bit, protocol type.
        ("version 1", geneve([0x40, 0, 0x65, 0x58], &[], &inner), GeneveInvalid),
        ("control message", geneve([0, 0x80, 0x65, 0x58], &[], &inner), GeneveControl),
        ("IPv4", geneve([0, 0, 0x08, 0x00], &[], &inner), GeneveProtocol),
        // RFC 8926, 3.5: lengths that sum up exactly.
        ("an option longer than all", geneve([1, 0, 0x65, 0x58], &[1, 2, 3, 1], &inner), GeneveInvalid),
        ("options longer than the packet", geneve([63, 0, 0x65, 0x58], &[], &inner), Truncated),
        // RFC 8926, 3.5.1: an unknown critical option, with the C bit or without.
        ("critical", geneve([1, 0x40, 0x65, 0x58], &critical, &inner), GeneveCritical),
        ("critical without C", geneve([1, 0, 0x65, 0x58], &critical, &inner), GeneveCritical),
        ("no room for a frame", geneve([15, 0, 0x65, 0x58], &[0; 60], &[0; 13]), Truncated),
        (
            "no NVE's VNI",
            Sent { tunnel: vec![0, 0, 0x65, 0x58, 0, 0, 9, 0], ..sent(false, Encap::Geneve, &inner) },
            UnknownVni,
        ),
    ];
    for (name, packet, reason) in cases {
        assert_eq!(lab.run(UNDERLAY, &packet.bytes()), Effects::drop(reason), "{name}");
    }
}

#[test]
fn reserved_bits_are_ignored_unless_the_vn_is_strict() {
    let inner = frame(HERE, THERE, &ipv4(46));
    let vni = [0, 0x13, 0x89];
    let tunnel = |start: [u8; 4], last: u8| [&start[..], &vni, &[last]].concat();
    let packets = [
        ("a VXLAN flag", Sent { tunnel: tunnel([0x88, 0, 0, 0], 0), ..sent(false, Encap::Vxlan, &inner) }),
        ("VXLAN, before the VNI", Sent { tunnel: tunnel([8, 0, 0, 1], 0), ..sent(false, Encap::Vxlan, &inner) }),
        ("VXLAN, behind the VNI", Sent { tunnel: tunnel([8, 0, 0, 0], 1), ..sent(true, Encap::Vxlan, &inner) }),
        ("a Geneve flag", Sent { tunnel: tunnel([0, 1, 0x65, 0x58], 0), ..sent(false, Encap::Geneve, &inner) }),
        ("Geneve, behind the VNI", Sent { tunnel: tunnel([0, 0, 0x65, 0x58], 7), ..sent(true, Encap::Geneve, &inner) }),
        (
            "C without an option",
            Sent { tunnel: tunnel([0, 0x40, 0x65, 0x58], 0), ..sent(false, Encap::Geneve, &inner) },
        ),
    ];
    let mut strict = Lab::new();
    strict.change_vn(BLUE, |vn| vn.flags = Flags::STRICT);
    for (name, packet) in packets {
        assert_eq!(Lab::new().run(UNDERLAY, &packet.bytes()), delivered(&inner), "{name}");
        assert_eq!(strict.run(UNDERLAY, &packet.bytes()), Effects::drop(ReservedBits), "{name}");
    }
    let clean = sent(false, Encap::Vxlan, &inner);
    assert_eq!(strict.run(UNDERLAY, &clean.bytes()), delivered(&inner));
}

/// EtherType and an IP packet of this class, its header's checksum right.
fn ip(is_v6: bool, class: u8) -> Vec<u8> {
    let mut packet = if is_v6 { ipv6(46) } else { ipv4(46) };
    if is_v6 {
        (packet[2], packet[3]) = (0x60 | class >> 4, class << 4 | 5);
    } else {
        packet[3] = class;
        let checksum = !fold(sum(&packet[2..22], 0));
        packet[12..14].copy_from_slice(&checksum.to_be_bytes());
    }
    packet
}

#[test]
fn congestion_in_the_tunnel_is_told_as_rfc_6040_says_in_all_sixteen_cells() {
    // RFC 6040, 4.2, figure 4. Rows inner, columns outer: Not-ECT, ECT(1), ECT(0), CE, by codepoint.
    let figure = [
        (0, [Some(0), Some(0), Some(0), None]),
        (1, [Some(1), Some(1), Some(1), Some(3)]),
        (2, [Some(2), Some(1), Some(2), Some(3)]),
        (3, [Some(3), Some(3), Some(3), Some(3)]),
    ];
    let mut lab = Lab::new();
    lab.change_vap(0, |vap| vap.tags = TagPolicy::Pass);
    const DSCP: u8 = 10 << 2;
    for (is_v6, inner_v6, tags) in (0..12).map(|number| (number & 1 != 0, number & 2 != 0, number / 4)) {
        let stack = |frame: Vec<u8>| match tags {
            0 => frame,
            1 => tagged(0x8100, 5, &frame),
            _ => tagged(0x88a8, 6, &tagged(0x8100, 5, &frame)),
        };
        for (inner, row) in figure {
            let before = stack(frame(HERE, THERE, &ip(inner_v6, DSCP | inner)));
            for (outer, after) in (0..4).zip(row) {
                let class = 46 << 2 | outer;
                let packet = Sent { class, ..sent(is_v6, Encap::Vxlan, &before) };
                let expected = match after {
                    // The tenant's DSCP stays (RFC 2983, pipe), and its header's checksum is right again.
                    Some(ecn) => delivered(&stack(frame(HERE, THERE, &ip(inner_v6, DSCP | ecn)))),
                    None => Effects::drop(Ecn),
                };
                assert_eq!(lab.run(UNDERLAY, &packet.bytes()), expected, "{inner} in {outer}, {tags} tags");
            }
        }
        let no_ip = stack(frame(HERE, THERE, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]));
        let packet = Sent { class: 3, ..sent(is_v6, Encap::Vxlan, &no_ip) };
        assert_eq!(lab.run(UNDERLAY, &packet.bytes()), delivered(&no_ip), "no IP, nothing to tell");
    }
}

#[test]
fn the_outer_dscp_goes_unless_the_vn_hands_it_on() {
    let mut uniform = Lab::new();
    uniform.change_vn(BLUE, |vn| vn.flags = Flags::DSCP_OUT);
    for (is_v6, inner_v6) in [(false, false), (false, true), (true, false), (true, true)] {
        let inner = frame(HERE, THERE, &ip(inner_v6, 10 << 2 | 2));
        let packet = Sent { class: 46 << 2 | 3, ..sent(is_v6, Encap::Geneve, &inner) }.bytes();
        let class = |class| delivered(&frame(HERE, THERE, &ip(inner_v6, class)));
        assert_eq!(Lab::new().run(UNDERLAY, &packet), class(10 << 2 | 3), "RFC 2983, 4.1: pipe");
        assert_eq!(uniform.run(UNDERLAY, &packet), class(46 << 2 | 3), "RFC 2983, 4.2: uniform");
        let without_ecn = Sent { class: 46 << 2, ..sent(is_v6, Encap::Geneve, &inner) }.bytes();
        assert_eq!(uniform.run(UNDERLAY, &without_ecn), class(46 << 2 | 2));
    }
}

proptest! {
    /// What one NVE encapsulates, its peer decapsulates to the same frame, whatever the tunnel between them.
    #[test]
    fn decap_undoes_every_encap(
        (length, seed) in (46u16..=1400, any::<u64>()),
        (is_v6, is_geneve, options, checksum) in any::<(bool, bool, bool, bool)>(),
        work in 0u8..8,
    ) {
        let mut inner = frame(THERE, HERE, &ip(false, 0));
        inner.resize(usize::from(length) + 14, 0);
        for (at, byte) in inner.iter_mut().enumerate().skip(34) {
            *byte = (seed >> (at % 57)) as u8;
        }
        let mut lab = Lab::new();
        lab.tunnel(is_v6, |tunnel| {
            tunnel.outer.encap = if is_geneve { Encap::Geneve } else { Encap::Vxlan };
            tunnel.outer.options = if is_geneve && options { &OPTIONS } else { &[] };
            tunnel.work = Work::NONE.with_if(checksum, Work::CHECKSUM);
            for (at, one) in [Work::TTL, Work::DF, Work::DSCP].into_iter().enumerate() {
                tunnel.work = tunnel.work.with_if(work & 1 << at != 0, one);
            }
        });
        let mut packet = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &inner)).sent.remove(0).1;
        // To us, from NVE 2: no checksum minds who is who.
        packet[..12].rotate_left(6);
        if is_v6 { packet[22..54].rotate_left(16) } else { packet[26..34].rotate_left(4) }
        let mut peer = Lab::new();
        peer.take_zero_checksum();
        peer.row(BLUE, THERE, Destination::Vap(0));
        prop_assert_eq!(peer.run(UNDERLAY, &packet), delivered(&inner));
    }

    /// Every field of every header, changed and cut: nothing is read past its end, and nothing is lost.
    #[test]
    fn a_corrupted_packet_ends_in_full(
        (is_v6, is_geneve) in any::<(bool, bool)>(),
        changes in proptest::collection::vec((0usize..120, any::<u8>()), 1..4),
        cut in 0usize..200,
    ) {
        let inner = frame(HERE, THERE, &ipv4(46));
        let packet = if is_geneve { geneve([3, 0, 0x65, 0x58], &OPTIONS, &inner) } else { sent(is_v6, Encap::Vxlan, &inner) };
        let mut bytes = Sent { is_v6, ..packet }.bytes();
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(cut.max(14));
        // The lab checks that what came in was sent, punted or dropped.
        Lab::new().run(UNDERLAY, &bytes);
    }
}
