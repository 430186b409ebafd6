//! Rules that cannot be meant, and that a rule means in the tables what it says.

use std::net::{Ipv4Addr, Ipv6Addr};

use tables::{AclKey, Layer4};
use types::{AclId, PortId, VapId, VnId};

use super::*;
use crate::error::Object;
use crate::forwarding::tests::Bench;
use crate::model::tests::{bench, vn};
use crate::schema::{Bytes, Command, Ip, Selector, Tags, VapOptions, VnOptions};

type Change = fn(&mut Rule);
type BoxedChange = Box<dyn Fn(&mut Rule)>;

fn permit(change: impl FnOnce(&mut Rule)) -> Rule {
    let mut rule = Rule::any(Action::Permit);
    change(&mut rule);
    rule
}

fn acl(id: u32, rules: Vec<Rule>) -> Command {
    Command::AclSet { acl: AclId(id), default: Action::Deny, rules }
}

fn no_acl(id: u32) -> Command {
    Command::AclDel { acl: AclId(id) }
}

fn vn_with(options: VnOptions) -> Command {
    Command::VnSet { vn: VnId(1), vni: Some(5001), mtu: 1500, options }
}

fn vap_with(options: VapOptions) -> Command {
    let (vap, vn, port) = (VapId(1), VnId(1), PortId(0));
    Command::VapSet { vap, vn, port, selector: Selector::CTag(100), flags: 1, tags: Tags::Refuse, options }
}

fn v4(ip: [u8; 4], length: u8) -> Option<(Ip, u8)> {
    Some((Ip(ip.into()), length))
}

fn v6(length: u8) -> Option<(Ip, u8)> {
    Some((Ip(Ipv6Addr::LOCALHOST.into()), length))
}

#[test]
fn a_rule_that_cannot_be_meant_is_refused_with_its_number_and_field() {
    let cases: [(&str, Change); 14] = [
        ("vid", |rule| rule.vid = Some(4095)),
        ("vid", |rule| rule.vid = Some(0)),
        ("src_ip", |rule| rule.src_ip = v4([10, 0, 0, 0], 33)),
        ("dst_ip", |rule| rule.dst_ip = v6(129)),
        ("dst_ip", |rule| (rule.src_ip, rule.dst_ip) = (v4([10, 0, 0, 0], 8), v6(64))),
        ("ether_type", |rule| (rule.ether_type, rule.protocol) = (Some(0x0806), Some(6))),
        ("ether_type", |rule| (rule.ether_type, rule.src_ip) = (Some(EtherType::IPV6), v4([10, 0, 0, 0], 8))),
        ("src_port", |rule| (rule.protocol, rule.src_port) = (Some(6), Some((2, 1)))),
        ("dst_port", |rule| (rule.protocol, rule.dst_port) = (Some(17), Some((2, 1)))),
        ("src_port", |rule| rule.src_port = Some((1, 1))),
        ("dst_port", |rule| (rule.protocol, rule.dst_port) = (Some(1), Some((1, 1)))),
        ("tcp_flags", |rule| (rule.protocol, rule.tcp_flags) = (Some(17), Some((2, 2)))),
        ("icmp_type", |rule| (rule.protocol, rule.icmp_type) = (Some(6), Some(8))),
        ("icmp_code", |rule| (rule.protocol, rule.icmp_code) = (Some(1), Some(0))),
    ];
    for (name, change) in cases {
        let refused = bench().apply(vec![acl(1, vec![Rule::any(Action::Deny), permit(change)])]).unwrap_err();
        match refused.as_slice() {
            [(0, EngineError::OutOfRange { field, got, .. })] => {
                assert_eq!((*field, got.as_str()), (name, "in rule 1"))
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_list_is_there_while_anybody_names_it() {
    let (absent, object) = (|id| EngineError::Absent { object: Object::Acl(AclId(id)) }, Object::Acl(AclId(1)));
    let vn_in = || vn_with(VnOptions { acl_in: Some(1), ..VnOptions::default() });
    let vap_out = || vap_with(VapOptions { acl_out: Some(1), ..VapOptions::default() });
    let mut bench = bench();
    assert_eq!(bench.apply(vec![vn_in()]), Err(vec![(0, absent(1))]));
    assert_eq!(bench.apply(vec![vap_out()]), Err(vec![(0, absent(1))]));
    bench.apply(vec![vn_in(), vap_out(), acl(1, vec![])]).unwrap();
    bench.check();
    let in_use = |by| EngineError::InUse { object, by };
    assert_eq!(bench.apply(vec![no_acl(1)]), Err(vec![(0, in_use(Object::Vn(VnId(1))))]));
    bench.apply(vec![vn(1, 5001)]).unwrap();
    assert_eq!(bench.apply(vec![no_acl(1)]), Err(vec![(0, in_use(Object::Vap(VapId(1))))]));
    assert_eq!(bench.apply(vec![no_acl(1), vap_out()]), Err(vec![(1, absent(1))]));
    bench.apply(vec![no_acl(1), vap_with(VapOptions::default()), no_acl(77)]).unwrap();
    bench.check();
}

#[test]
fn lists_and_rules_have_their_limits() {
    let rules = |count: usize| vec![Rule::any(Action::Permit); count];
    let full = |table, capacity| EngineError::TableFull { table, capacity };
    let mut bench = bench();
    assert_eq!(bench.apply(vec![acl(1, rules(1_025))]), Err(vec![(0, full("rules of an acl", 1_024))]));
    bench.apply((0..64).map(|id| acl(id, rules(1_024))).collect()).unwrap();
    assert_eq!(bench.apply(vec![acl(64, rules(1))]), Err(vec![(0, full("rules of all acls", 65_536))]));
    bench.apply(vec![acl(64, rules(1_024)), acl(0, vec![])]).unwrap();
    bench.apply((65..4_096).map(|id| acl(id, vec![])).collect()).unwrap();
    assert_eq!(bench.apply(vec![acl(9_999, vec![])]), Err(vec![(0, full("acl", 4_096))]));
}

#[test]
fn a_list_that_is_set_again_keeps_its_counters_and_a_changed_one_counts_anew() {
    let mut bench = bench();
    let key = AclKey::new(MacAddr::BROADCAST, MacAddr::default(), 0x0806, None);
    let counts = |bench: &Bench| bench.model.acls[&AclId(1)].list.decided().collect::<Vec<_>>();
    bench.apply(vec![acl(1, vec![Rule::any(Action::Permit)])]).unwrap();
    let index = bench.model.acls[&AclId(1)].index;
    let list = &bench.model.acls[&AclId(1)].list;
    assert_eq!(list.decide(&key), (tables::Action::Permit, 0));
    list.counter(0).unwrap().store(1, core::sync::atomic::Ordering::Relaxed);
    bench.apply(vec![acl(1, vec![Rule::any(Action::Permit)])]).unwrap();
    assert_eq!(counts(&bench), [1, 0]);
    bench.apply(vec![acl(1, vec![])]).unwrap();
    assert_eq!(counts(&bench), [0]);
    assert_eq!(bench.readers.snapshot.load().acl(index).unwrap().decide(&key), (tables::Action::Deny, 0));
}

#[test]
fn a_policer_takes_the_longest_frame_of_its_vn() {
    let police = |burst| vap_with(VapOptions { police: Some((1_000_000, burst)), ..VapOptions::default() });
    let refused = |bench: &mut Bench, batch| {
        matches!(bench.apply(batch).unwrap_err().as_slice(), [(0, EngineError::OutOfRange { field: "police", .. })])
    };
    let mut bench = bench();
    assert!(refused(&mut bench, vec![police(1_529)]));
    bench.apply(vec![police(1_530)]).unwrap();
    bench.check();
    let small = |mtu| Command::VnSet { vn: VnId(1), vni: Some(5001), mtu, options: VnOptions::default() };
    bench.apply(vec![small(1_400)]).unwrap();
    bench.apply(vec![police(1_430)]).unwrap();
    assert!(refused(&mut bench, vec![small(1_401)]));
    bench.apply(vec![small(1_500), police(1_530)]).unwrap();
    let zero = vap_with(VapOptions { storm: Some((0, 1)), ..VapOptions::default() });
    assert!(matches!(bench.apply(vec![zero]).unwrap_err()[0].1, EngineError::OutOfRange { field: "storm", .. }));
}

#[test]
fn a_class_of_punts_has_the_rate_that_was_set_or_its_default() {
    let set = |class: &str, rate| Command::PoliceSet { class: class.into(), rate };
    let mut bench = bench();
    bench.apply(vec![set("ecp", Some((10, 5))), set("lldp", None)]).unwrap();
    assert_eq!(bench.model.police, [(pipeline::PuntClass::Ecp, (10, 5))].into());
    let twice = bench.apply(vec![set("ecp", None), set("ecp", Some((1, 1)))]).unwrap_err();
    assert_eq!(twice, [(1, EngineError::Duplicate { object: Object::Police(pipeline::PuntClass::Ecp) })]);
    bench.apply(vec![set("ecp", None)]).unwrap();
    assert!(bench.model.police.is_empty());
    for (class, rate, field) in
        [("smoke", None, "class"), ("ecp", Some((0, 1)), "per_second"), ("ecp", Some((1, 0)), "per_second")]
    {
        let refused = bench.apply(vec![set(class, rate)]).unwrap_err();
        assert!(matches!(refused[0].1, EngineError::OutOfRange { field: at, .. } if at == field), "{refused:?}");
    }
}

/// The key of TCP or ICMP in IPv4 between two hosts.
fn key(source: [u8; 4], protocol: u8, layer_4: Layer4) -> AclKey {
    let of = |ip: [u8; 4]| u128::from(u32::from(Ipv4Addr::from(ip)));
    let frame = AclKey::new(MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2]), EtherType::IPV4, Some(7));
    frame.with_ip(of(source), of([10, 0, 0, 2]), protocol, Some(layer_4))
}

#[test]
fn a_rule_means_what_it_says() {
    let web = Layer4 { source: 40_000, destination: 80, tcp_flags: 0x12 };
    let ping = Layer4 { source: 0x0800, ..Layer4::default() };
    let bytes = |last: u8| Bytes([2, 0, 0, 0, 0, last]);
    let all = Bytes([0xff; 6]);
    let (tcp, icmp) = (key([10, 0, 0, 1], 6, web), key([10, 0, 0, 1], 1, ping));
    let cases: [(&str, AclKey, bool, BoxedChange); 20] = [
        ("any", tcp, true, Box::new(|_| {})),
        ("src mac", tcp, true, Box::new(move |rule| rule.src_mac = Some((bytes(2), all)))),
        ("another", tcp, false, Box::new(move |rule| rule.src_mac = Some((bytes(1), all)))),
        ("dst mac", tcp, true, Box::new(move |rule| rule.dst_mac = Some((bytes(1), all)))),
        (
            "a group",
            tcp,
            false,
            Box::new(move |rule| rule.dst_mac = Some((Bytes([1, 0, 0, 0, 0, 0]), Bytes([1, 0, 0, 0, 0, 0])))),
        ),
        ("ether type", tcp, false, Box::new(|rule| rule.ether_type = Some(0x0806))),
        ("vid", tcp, true, Box::new(|rule| rule.vid = Some(7))),
        ("another vid", tcp, false, Box::new(|rule| rule.vid = Some(8))),
        ("prefix", tcp, true, Box::new(|rule| rule.src_ip = v4([10, 0, 0, 0], 31))),
        ("another", tcp, false, Box::new(|rule| rule.src_ip = v4([10, 0, 0, 2], 31))),
        ("host bits do not matter", tcp, true, Box::new(|rule| rule.dst_ip = v4([10, 0, 0, 3], 24))),
        ("all of IPv4", tcp, true, Box::new(|rule| rule.dst_ip = v4([0; 4], 0))),
        ("all of IPv6", tcp, false, Box::new(|rule| rule.dst_ip = v6(0))),
        ("ports", tcp, true, Box::new(|rule| (rule.protocol, rule.dst_port) = (Some(6), Some((80, 90))))),
        ("other ports", tcp, false, Box::new(|rule| (rule.protocol, rule.src_port) = (Some(6), Some((80, 90))))),
        ("flags", tcp, true, Box::new(|rule| (rule.protocol, rule.tcp_flags) = (Some(6), Some((0x10, 0x11))))),
        ("other flags", tcp, false, Box::new(|rule| (rule.protocol, rule.tcp_flags) = (Some(6), Some((0x02, 0x12))))),
        ("type", icmp, true, Box::new(|rule| (rule.protocol, rule.icmp_type) = (Some(1), Some(8)))),
        (
            "code",
            icmp,
            false,
            Box::new(|rule| (rule.protocol, rule.icmp_type, rule.icmp_code) = (Some(1), Some(8), Some(1))),
        ),
        ("another type", icmp, false, Box::new(|rule| (rule.protocol, rule.icmp_type) = (Some(1), Some(0)))),
    ];
    for (name, key, matches, change) in cases {
        let list = AclSpec::check(Action::Deny, vec![permit(change)]).unwrap().build();
        assert_eq!(list.decide(&key).0 == tables::Action::Permit, matches, "{name}");
    }
}
