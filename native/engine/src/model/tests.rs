//! A batch is refused whole, for the right reason, at the right command; and what is accepted is what the tables then say.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use types::{AclId, GroupId, MacAddr, NextHopId, PortId, VapId, VnId};

use super::*;
use crate::error::{EngineError, Object};
use crate::forwarding::tests::Bench;
use crate::schema::{Action, Command, Rule, Selector, Tags};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

pub fn port(port: u16, mtu: u16) -> Command {
    Command::PortAdd { port: PortId(port), name: format!("p{port}"), mtu, kind: Kind::Ring }
}
pub fn vn(vn: u32, vni: u32) -> Command {
    Command::VnSet { vn: VnId(vn), vni: Some(vni), mtu: 1500, options: Default::default() }
}
pub fn vap(vap: u32, vn: u32, port: u16, vid: u16) -> Command {
    Command::VapSet {
        vap: VapId(vap),
        vn: VnId(vn),
        port: PortId(port),
        selector: Selector::CTag(vid),
        flags: 1,
        tags: Tags::Refuse,
        options: Default::default(),
    }
}
/// A host on the link of the underlay.
pub fn host(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}
/// A host on the IPv6 link of the underlay.
pub fn host_6(last: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into()
}
pub fn underlay(port: u16) -> Command {
    Command::UnderlaySet { port: PortId(port), ip: host(1), prefix: 24, options: Default::default() }
}
pub fn underlay_6(port: u16) -> Command {
    Command::UnderlaySet { port: PortId(port), ip: host_6(1), prefix: 64, options: Default::default() }
}
pub fn no_underlay(port: u16, ip: IpAddr) -> Command {
    Command::UnderlayDel { port: PortId(port), ip }
}
pub fn next_hop(next_hop: u32, last: u8, vni: u32) -> Command {
    next_hop_to(next_hop, host(last), vni)
}
pub fn next_hop_to(next_hop: u32, remote: IpAddr, vni: u32) -> Command {
    Command::NextHopSet {
        next_hop: NextHopId(next_hop),
        remote,
        encap: 1,
        context_id: vni,
        options: Default::default(),
    }
}
pub fn row(vn: u32, last: u8, dest: Dest) -> Command {
    Command::FdbSet { vn: VnId(vn), mac: MacAddr([2, 0, 0, 0, 0, last]), dest, age_s: 0 }
}
/// The same, told when nothing was seen of it for so long.
pub fn ageing_row(vn: u32, last: u8, dest: Dest, age_s: u16) -> Command {
    Command::FdbSet { vn: VnId(vn), mac: MacAddr([2, 0, 0, 0, 0, last]), dest, age_s }
}
pub fn no_row(vn: u32, last: u8) -> Command {
    Command::FdbDel { vn: VnId(vn), mac: MacAddr([2, 0, 0, 0, 0, last]) }
}
pub fn group(group: u32, members: &[(u32, u8)]) -> Command {
    Command::GroupSet { group: GroupId(group), members: members.to_vec() }
}
pub fn no_group(group: u32) -> Command {
    Command::GroupDel { group: GroupId(group) }
}
pub fn alive(next_hop: u32, alive: bool) -> Command {
    Command::NextHopAlive { next_hop: NextHopId(next_hop), alive }
}
pub fn flood(vn: u32, next_hops: &[u32]) -> Command {
    Command::FloodSet { vn: VnId(vn), dests: next_hops.iter().map(|id| Dest::NextHop(NextHopId(*id))).collect() }
}
pub fn route(length: u8, gateways: &[u8]) -> Command {
    let gateways = gateways.iter().map(|last| host(*last)).collect();
    Command::RouteSet { prefix: "203.0.113.0".parse().unwrap(), length, gateways }
}
pub fn no_route(length: u8) -> Command {
    Command::RouteDel { prefix: "203.0.113.0".parse().unwrap(), length }
}
pub fn exception(port: u16, tap: Option<u16>) -> Command {
    Command::ExceptionSet { port: PortId(port), tap: tap.map(PortId) }
}
/// Hosts of both links.
pub fn sources(vn: u32, hosts: &[u8]) -> Command {
    let both = hosts.iter().flat_map(|last| [host(*last), host_6((*last).into())]);
    Command::SourcesSet { vn: VnId(vn), sources: both.collect() }
}
pub fn neighbour(port: u16, last: u8, mac: MacAddr) -> Command {
    Command::NeighbourSet { port: PortId(port), ip: host(last), mac }
}
/// The pair of an address of either family that ends in `last`.
pub fn pair(vn: u32, last: u8, owner: u8) -> Command {
    Command::PairSet { vn: VnId(vn), ip: address(last), mac: MacAddr([2, 0, 0, 0, 0, owner]) }
}
pub fn no_pair(vn: u32, last: u8) -> Command {
    Command::PairDel { vn: VnId(vn), ip: address(last) }
}
/// IPv4 if `last` is even, else IPv6.
pub fn address(last: u8) -> IpAddr {
    match last % 2 {
        0 => Ipv4Addr::new(10, 0, 0, last).into(),
        _ => Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(last)).into(),
    }
}
/// A group of the underlay, IPv4 if `last` is even, else IPv6.
pub fn underlay_group(last: u8) -> IpAddr {
    match last % 2 {
        0 => Ipv4Addr::new(239, 1, 1, last).into(),
        _ => Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, last.into()).into(),
    }
}
pub fn join(vn: u32, port: u16, last: u8) -> Command {
    Command::McastSet { vn: VnId(vn), port: PortId(port), group: underlay_group(last) }
}
pub fn leave(vn: u32, last: u8) -> Command {
    Command::McastDel { vn: VnId(vn), group: underlay_group(last) }
}
pub fn next_hop_to_group(next_hop: u32, port: u16, last: u8, vni: u32) -> Command {
    let options = crate::schema::NextHopOptions { port: Some(port), ..Default::default() };
    Command::NextHopSet {
        next_hop: NextHopId(next_hop),
        remote: underlay_group(last),
        encap: 1,
        context_id: vni,
        options,
    }
}
fn acl(id: u32, rules: usize) -> Command {
    let rules = vec![Rule::any(Action::Deny); rules];
    Command::AclSet { acl: AclId(id), default: Action::Permit, rules }
}
/// A VN or VAP with this list in one direction, and a VAP with the other options, too.
fn with_acl(mut command: Command, acl: Option<u32>) -> Command {
    match &mut command {
        Command::VnSet { options, .. } => options.acl_in = acl,
        Command::VapSet { options, .. } => {
            (options.acl_out, options.guard_ip, options.storm) = (acl, acl.is_some(), acl.map(|rate| (rate + 1, 1)));
        }
        _ => {}
    }
    command
}
pub fn no_neighbour(port: u16, last: u8) -> Command {
    Command::NeighbourDel { port: PortId(port), ip: host(last) }
}

/// Two VNs, an access port with a VAP of each, an underlay port, and a next hop for each.
pub fn bench() -> Bench {
    let mut bench = Bench::new(16);
    let batch = vec![
        row(1, 1, Dest::Vap(VapId(1))),
        row(1, 2, Dest::NextHop(NextHopId(1))),
        flood(1, &[1]),
        sources(1, &[2]),
        next_hop(1, 2, 5001),
        next_hop(2, 2, 5002),
        underlay(1),
        vap(1, 1, 0, 100),
        vap(2, 2, 0, 200),
        vn(1, 5001),
        vn(2, 5002),
        port(0, 1500),
        port(1, 1600),
    ];
    bench.apply(batch).expect("the order of a batch does not matter");
    bench
}

#[test]
fn each_bad_command_is_refused_with_its_index_and_reason() {
    let absent = |object| EngineError::Absent { object };
    let taken = |what: &str, holder| EngineError::Taken { what: what.into(), holder };
    let in_use = |object, by| EngineError::InUse { object, by };
    let (nh, vap_1, vn_1) = (Object::NextHop(NextHopId(1)), Object::Vap(VapId(1)), Object::Vn(VnId(1)));
    let range = |field, got: &str, expected| EngineError::OutOfRange { field, got: got.into(), expected };
    let cases = [
        (Command::Unknown { op: 77 }, EngineError::UnknownCommand { op: 77 }),
        (port(64, 1500), range("port", "64", "0 to 63")),
        (port(9, 67), range("mtu", "67", "68 to 9600")),
        (Command::PortAdmin { port: PortId(9), up: false }, absent(Object::Port(PortId(9)))),
        (
            Command::PortAdmin { port: PortId(0), up: false },
            range("port", "net_ring", "the port of a driver that takes its link down: net_tap, pci or devargs"),
        ),
        (port(0, 1400), EngineError::Immutable { object: Object::Port(PortId(0)), field: "mtu" }),
        (Command::PortDel { port: PortId(0) }, in_use(Object::Port(PortId(0)), vap_1)),
        (Command::PortDel { port: PortId(1) }, in_use(Object::Port(PortId(1)), Object::Underlay(PortId(1), host(1)))),
        (vn(3, 0), range("vni", "0", "1 to 16777215")),
        (vn(3, 1 << 24), range("vni", "16777216", "1 to 16777215")),
        (vn(3, 5001), taken("vni 5001", vn_1)),
        (Command::VnDel { vn: VnId(1) }, in_use(vn_1, vap_1)),
        (
            Command::VnSet { vn: VnId(1), vni: Some(5001), mtu: 1501, options: Default::default() },
            EngineError::PortMtu { object: vap_1, port: Object::Port(PortId(0)), needed: 1501, mtu: 1500 },
        ),
        (vap(3, 1, 0, 0), range("vid", "0", "1 to 4094")),
        (vap(3, 1, 0, 4095), range("vid", "4095", "1 to 4094")),
        (vap(3, 9, 0, 5), absent(Object::Vn(VnId(9)))),
        (vap(3, 1, 9, 5), absent(Object::Port(PortId(9)))),
        (vap(3, 1, 0, 200), taken("C-TAG 200 of port 0", Object::Vap(VapId(2)))),
        (vap(3, 1, 1, 5), taken("port 1", Object::Underlay(PortId(1), host(1)))),
        (vap(1, 1, 0, 101), EngineError::Immutable { object: vap_1, field: "vn, port or selector" }),
        (Command::VapDel { vap: VapId(1) }, in_use(vap_1, Object::Row(VnId(1), MAC))),
        (underlay(9), absent(Object::Port(PortId(9)))),
        (underlay(0), taken("port 0", vap_1)),
        (no_underlay(1, host(1)), in_use(Object::Underlay(PortId(1), host(1)), nh)),
        (next_hop(3, 1, 5001), EngineError::OffLink { remote: host(1) }),
        (next_hop(3, 2, 0), range("vni", "0", "1 to 16777215")),
        (next_hop(1, 3, 5001), EngineError::Immutable { object: nh, field: "remote or context_id" }),
        (next_hop(1, 2, 5002), EngineError::Immutable { object: nh, field: "remote or context_id" }),
        (Command::NextHopDel { next_hop: NextHopId(1) }, in_use(nh, Object::Flood(VnId(1)))),
        (row(9, 1, Dest::Vap(VapId(1))), absent(Object::Vn(VnId(9)))),
        (row(1, 5, Dest::Vap(VapId(9))), absent(Object::Vap(VapId(9)))),
        (row(1, 5, Dest::Vap(VapId(2))), taken("vap 2", Object::Vn(VnId(2)))),
        (row(1, 5, Dest::NextHop(NextHopId(9))), absent(Object::NextHop(NextHopId(9)))),
        (
            Command::FdbSet { vn: VnId(1), mac: MacAddr::BROADCAST, dest: Dest::Vap(VapId(1)), age_s: 0 },
            range("mac", "ff:ff:ff:ff:ff:ff", "a station's address"),
        ),
        (flood(9, &[1]), absent(Object::Vn(VnId(9)))),
        (flood(1, &[1, 9]), absent(Object::NextHop(NextHopId(9)))),
        (Command::FloodSet { vn: VnId(1), dests: vec![Dest::Group(GroupId(9))] }, absent(Object::Group(GroupId(9)))),
        (
            Command::FloodSet { vn: VnId(1), dests: vec![Dest::Vap(VapId(1))] },
            range("dests", "a VAP", "next hops and groups: a VN's own VAPs always belong to it"),
        ),
        (row(1, 5, Dest::Group(GroupId(9))), absent(Object::Group(GroupId(9)))),
        (group(1, &[(9, 1)]), absent(Object::NextHop(NextHopId(9)))),
        (group(1, &[]), range("members", "0", "1 to 16 entries")),
        (group(1, &[(1, 0)]), range("weight", "0", "1 to 255")),
        (group(1, &[(1, 1), (1, 2)]), EngineError::Duplicate { object: Object::NextHop(NextHopId(1)) }),
        (alive(9, true), absent(Object::NextHop(NextHopId(9)))),
        (sources(9, &[2]), absent(Object::Vn(VnId(9)))),
        (pair(9, 2, 1), absent(Object::Vn(VnId(9)))),
        (
            Command::PairSet { vn: VnId(1), ip: address(2), mac: MacAddr::BROADCAST },
            range("mac", "ff:ff:ff:ff:ff:ff", "a station's address"),
        ),
        (
            Command::PairSet { vn: VnId(1), ip: "ff02::1".parse().unwrap(), mac: MAC },
            range("ip", "ff02::1", "a station's address"),
        ),
        (
            Command::PairSet { vn: VnId(1), ip: "::ffff:10.0.0.1".parse().unwrap(), mac: MAC },
            range("ip", "::ffff:10.0.0.1", "a station's address"),
        ),
        (route(33, &[2]), range("prefix_len", "33", "0 to 32")),
        (route(23, &[2]), range("prefix", "203.0.113.0", "zero behind its length")),
        (route(24, &[]), range("gateways", "0", "1 to 8")),
        (route(24, &[1]), EngineError::OffLink { remote: host(1) }),
        (
            Command::RouteSet { prefix: "::".parse().unwrap(), length: 0, gateways: vec![host(2)] },
            range("gateway", "192.0.2.2", "a unicast address of the prefix's family"),
        ),
        (exception(0, Some(2)), range("port", "0", "a port with an underlay address")),
        (exception(1, Some(9)), absent(Object::Port(PortId(9)))),
        (exception(1, Some(0)), taken("port 0", vap_1)),
        (exception(1, Some(1)), taken("port 1", Object::Underlay(PortId(1), host(1)))),
        (neighbour(0, 2, MAC), EngineError::OffLink { remote: host(2) }),
        (neighbour(1, 1, MAC), EngineError::OffLink { remote: host(1) }),
        (join(9, 1, 2), absent(Object::Vn(VnId(9)))),
        (join(1, 9, 2), absent(Object::Port(PortId(9)))),
        (join(1, 0, 2), range("port", "0", "a port with an underlay address of the group's family")),
        (join(1, 1, 1), range("port", "1", "a port with an underlay address of the group's family")),
        (
            Command::McastSet { vn: VnId(1), port: PortId(1), group: [224, 0, 0, 5].into() },
            range("group", "224.0.0.5", super::changes::OVERLAY_GROUP),
        ),
        (next_hop_to_group(3, 1, 1, 5001), range("port", "1", "a port with an underlay address of the group's family")),
        (
            next_hop_to(3, underlay_group(2), 5001),
            range("remote", "239.1.1.2", "a unicast address, or a group and a port"),
        ),
        (neighbour(1, 2, MacAddr::BROADCAST), range("mac", "ff:ff:ff:ff:ff:ff", "a station's address")),
    ];
    for (command, error) in cases {
        let mut bench = bench();
        let before = bench.picture();
        let name = format!("{command:?}");
        // A good command beside the bad one is not applied either.
        let result = bench.apply(vec![vn(77, 7777), command]);
        assert_eq!(result, Err(vec![(1, error)]), "{name}");
        assert_eq!(bench.picture(), before, "{name} changed something");
    }
}

#[test]
fn an_address_stays_while_a_group_is_joined_or_sent_to_from_no_other_of_its_family() {
    let mut bench = bench();
    let both = vec![underlay_6(1), join(1, 1, 1), join(2, 1, 1), join(1, 1, 2), next_hop_to_group(3, 1, 1, 5001)];
    bench.apply(both).unwrap();
    bench.check();
    let address = || Object::Underlay(PortId(1), host_6(1));
    let in_use = |by| EngineError::InUse { object: address(), by };
    let nh = Object::NextHop(NextHopId(3));
    assert_eq!(bench.apply(vec![no_underlay(1, host_6(1))]), Err(vec![(0, in_use(nh))]));
    let no_next_hop = || Command::NextHopDel { next_hop: NextHopId(3) };
    let joined = Object::Mcast(VnId(1), underlay_group(1));
    assert_eq!(bench.apply(vec![no_underlay(1, host_6(1)), no_next_hop()]), Err(vec![(0, in_use(joined))]));
    let other = Command::UnderlaySet { port: PortId(1), ip: host_6(7), prefix: 64, options: Default::default() };
    bench.apply(vec![other, no_underlay(1, host_6(1))]).expect("another of its family remains");
    assert_eq!(bench.model.next_hops[&NextHopId(3)].path.source, host_6(7));
    bench.check();
    let all = vec![no_next_hop(), leave(1, 1), leave(2, 1), no_underlay(1, host_6(7))];
    bench.apply(all).unwrap();
    assert_eq!(bench.model.joined.keys().collect::<Vec<_>>(), [&(VnId(1), underlay_group(2))]);
    bench.apply(vec![Command::VapDel { vap: VapId(1) }, no_row(1, 1), Command::VnDel { vn: VnId(1) }]).unwrap();
    assert!(bench.model.joined.is_empty(), "a VN leaves with its groups");
    bench.check();
}

#[test]
fn an_object_named_twice_is_refused() {
    let error = EngineError::Duplicate { object: Object::Vn(VnId(3)) };
    assert_eq!(bench().apply(vec![vn(3, 1), Command::VnDel { vn: VnId(3) }]), Err(vec![(1, error)]));
}

#[test]
fn every_refused_command_is_listed() {
    let errors = bench().apply(vec![vap(8, 9, 0, 5), vn(3, 1), row(7, 1, Dest::Vap(VapId(1)))]).unwrap_err();
    assert_eq!(errors.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn a_set_of_what_is_so_and_a_del_of_what_is_not_change_nothing() {
    let mut bench = bench();
    let before = bench.picture();
    let again = vec![
        no_neighbour(1, 77),
        no_pair(1, 77),
        port(0, 1500),
        vn(1, 5001),
        vap(1, 1, 0, 100),
        underlay(1),
        next_hop(1, 2, 5001),
        flood(1, &[1]),
    ];
    bench.apply(again).unwrap();
    bench
        .apply(vec![row(1, 1, Dest::Vap(VapId(1))), sources(1, &[2]), no_row(1, 77), Command::VnDel { vn: VnId(77) }])
        .unwrap();
    bench.apply(vec![Command::VapDel { vap: VapId(77) }, Command::NextHopDel { next_hop: NextHopId(77) }]).unwrap();
    assert_eq!(bench.picture(), before);
}

#[test]
fn one_batch_can_take_a_whole_vn_down_and_hand_its_vni_and_tag_on() {
    let mut bench = bench();
    bench
        .apply(vec![
            Command::VnDel { vn: VnId(1) },
            Command::VapDel { vap: VapId(1) },
            Command::NextHopDel { next_hop: NextHopId(1) },
            vn(3, 5001),
            vap(3, 3, 0, 100),
            row(3, 1, Dest::Vap(VapId(3))),
        ])
        .unwrap();
    bench.check();
    assert_eq!(bench.model.row_count, 1);
}

#[test]
fn an_underlay_address_stays_while_a_static_neighbour_is_on_its_link() {
    let mut bench = bench();
    let (ip, far) = (IpAddr::from([198, 51, 100, 1]), IpAddr::from([198, 51, 100, 2]));
    let by = Object::Neighbour(PortId(2), far);
    let object = Object::Underlay(PortId(2), ip);
    let set = Command::NeighbourSet { port: PortId(2), ip: far, mac: MAC };
    bench
        .apply(vec![
            set,
            Command::UnderlaySet { port: PortId(2), ip, prefix: 24, options: Default::default() },
            port(2, 1600),
        ])
        .unwrap();
    let del = no_underlay(2, ip);
    assert_eq!(bench.apply(vec![del.clone()]), Err(vec![(0, EngineError::InUse { object, by })]));
    bench
        .apply(vec![Command::PortDel { port: PortId(2) }, del, Command::NeighbourDel { port: PortId(2), ip: far }])
        .unwrap();
    assert!(bench.model.neighbours.is_empty());
}

#[test]
fn a_group_and_its_members_stay_while_they_are_named_and_a_group_is_one_vns() {
    let mut bench = bench();
    let (group_1, hop_3) = (Object::Group(GroupId(1)), Object::NextHop(NextHopId(3)));
    let to_group = |vn| row(vn, 5, Dest::Group(GroupId(1)));
    bench.apply(vec![next_hop(3, 2, 5001), group(1, &[(3, 1), (1, 1)]), to_group(1)]).unwrap();
    bench.check();
    let in_use = |object, by| Err(vec![(0, EngineError::InUse { object, by })]);
    let gone = Command::NextHopDel { next_hop: NextHopId(3) };
    assert_eq!(bench.apply(vec![gone.clone()]), in_use(hop_3, group_1));
    assert_eq!(bench.apply(vec![no_group(1)]), in_use(group_1, Object::Row(VnId(1), MacAddr([2, 0, 0, 0, 0, 5]))));
    let taken = EngineError::Taken { what: "group 1".into(), holder: Object::Vn(VnId(1)) };
    assert_eq!(bench.apply(vec![to_group(2)]), Err(vec![(0, taken)]));
    // It may leave one VN for another, with everything that names it, and next hops may leave it.
    bench.apply(vec![no_row(1, 5), to_group(2), group(1, &[(2, 7)]), gone]).unwrap();
    bench.check();
    assert_eq!(bench.model.groups[&GroupId(1)].vn, Some(VnId(2)));
    bench.apply(vec![no_row(2, 5), no_group(1)]).unwrap();
    bench.check();
    assert!(bench.model.groups.is_empty() && bench.model.next_hops[&NextHopId(2)].groups.is_empty());
}

#[test]
fn a_port_has_addresses_of_both_families_and_a_remote_needs_one_of_its_own() {
    let mut bench = bench();
    let off_link = |remote| EngineError::OffLink { remote };
    assert_eq!(bench.apply(vec![next_hop_to(9, host_6(2), 1)]), Err(vec![(0, off_link(host_6(2)))]));
    bench.apply(vec![underlay_6(1), next_hop_to(9, host_6(2), 1)]).unwrap();
    bench.check();
    let (nh, address) = (Object::NextHop(NextHopId(9)), |ip| Object::Underlay(PortId(1), ip));
    let in_use = EngineError::InUse { object: address(host_6(1)), by: nh };
    assert_eq!(bench.apply(vec![no_underlay(1, host_6(1))]), Err(vec![(0, in_use)]));
    // Another address on the same link does as well.
    let second =
        |last| Command::UnderlaySet { port: PortId(1), ip: host_6(last), prefix: 64, options: Default::default() };
    let taken = EngineError::Taken { what: "address 2001:db8::2".into(), holder: nh };
    assert_eq!(bench.apply(vec![second(2)]), Err(vec![(0, taken)]), "a remote's address");
    bench.apply(vec![second(3), no_underlay(1, host_6(1))]).unwrap();
    assert_eq!(bench.model.next_hops[&NextHopId(9)].path.source, host_6(3));
    bench.check();
    let mapped = IpAddr::V6(Ipv4Addr::new(192, 0, 2, 9).to_ipv6_mapped());
    for ip in [mapped, Ipv6Addr::LOCALHOST.into(), Ipv6Addr::UNSPECIFIED.into(), [0xff02, 0, 0, 0, 0, 0, 0, 1].into()] {
        let refused = bench.apply(vec![next_hop_to(10, ip, 1)]).unwrap_err();
        assert!(matches!(refused[0].1, EngineError::OutOfRange { field: "remote", .. }), "{ip}");
    }
    let small = [
        port(3, 1279),
        Command::UnderlaySet { port: PortId(3), ip: host_6(9), prefix: 64, options: Default::default() },
    ];
    assert!(matches!(bench.apply(small.to_vec()).unwrap_err()[0].1, EngineError::PortMtu { needed: 1280, .. }));
}

#[test]
fn a_route_stays_while_a_next_hop_needs_it_and_an_address_while_a_route_does() {
    let mut bench = bench();
    let far: IpAddr = "203.0.113.9".parse().unwrap();
    let off_link = EngineError::OffLink { remote: far };
    assert_eq!(bench.apply(vec![next_hop_to(9, far, 1)]), Err(vec![(0, off_link)]));
    bench.apply(vec![route(24, &[2]), next_hop_to(9, far, 1)]).unwrap();
    bench.check();
    let of = |length| Object::Route((length, "203.0.113.0".parse().unwrap()));
    let in_use = |object, by| Err(vec![(0, EngineError::InUse { object, by })]);
    assert_eq!(bench.apply(vec![no_route(24)]), in_use(of(24), Object::NextHop(NextHopId(9))));
    bench.apply(vec![no_route(24), route(28, &[3])]).unwrap();
    assert_eq!(bench.model.next_hops[&NextHopId(9)].path.neighbour, host(3));
    bench.apply(vec![Command::NextHopDel { next_hop: NextHopId(9) }]).unwrap();
    let address = Object::Underlay(PortId(1), host(1));
    let others = [flood(1, &[]), no_row(1, 2), Command::NextHopDel { next_hop: NextHopId(1) }];
    bench.apply([&others[..], &[Command::NextHopDel { next_hop: NextHopId(2) }]].concat()).unwrap();
    assert_eq!(bench.apply(vec![no_underlay(1, host(1))]), in_use(address, of(28)));
    bench.apply(vec![no_underlay(1, host(1)), no_route(28)]).unwrap();
    bench.check();
}

#[test]
fn the_kernels_end_is_no_tenants_and_goes_before_its_ports_do() {
    let mut bench = bench();
    bench.apply(vec![port(2, 1500), exception(1, Some(2))]).unwrap();
    bench.check();
    let end = Object::Exception(PortId(1));
    let refused = |error| Err(vec![(0, error)]);
    let taken = |what: &str| EngineError::Taken { what: what.into(), holder: end };
    assert_eq!(bench.apply(vec![vap(9, 1, 2, 5)]), refused(taken("port 2")));
    assert_eq!(bench.apply(vec![underlay_6(2)]), refused(taken("port 2")));
    let by_end = |object| EngineError::InUse { object, by: end };
    assert_eq!(bench.apply(vec![Command::PortDel { port: PortId(2) }]), refused(by_end(Object::Port(PortId(2)))));
    bench.apply(vec![port(3, 1601)]).unwrap();
    let (port_1, mtu) = (Object::Port(PortId(1)), 1600);
    let too_long = EngineError::PortMtu { object: end, port: port_1, needed: 1601, mtu };
    assert_eq!(bench.apply(vec![exception(1, Some(3))]), refused(too_long));
    bench.apply(vec![exception(1, None), Command::PortDel { port: PortId(2) }]).unwrap();
    bench.check();
}

#[test]
fn all_addresses_of_a_port_are_in_one_vlan() {
    let mut bench = bench();
    let in_vlan = |vlan| Command::UnderlaySet {
        port: PortId(1),
        ip: host_6(1),
        prefix: 64,
        options: crate::schema::UnderlayOptions { vlan, ..Default::default() },
    };
    let holder = Object::Underlay(PortId(1), host(1));
    let taken = EngineError::Taken { what: "the vlan of port 1".into(), holder };
    assert_eq!(bench.apply(vec![in_vlan(Some(7))]), Err(vec![(0, taken)]));
    let range = EngineError::OutOfRange { field: "vid", got: "4095".into(), expected: "1 to 4094" };
    assert_eq!(bench.apply(vec![in_vlan(Some(4095))]), Err(vec![(0, range)]));
    bench.apply(vec![in_vlan(None)]).unwrap();
}

#[test]
fn the_number_of_an_ipv6_source_rests_until_nobody_can_hold_it() {
    let mut bench = bench();
    let number = |bench: &Bench, last| {
        let IpAddr::V6(ip) = host_6(last) else { panic!() };
        bench.model.peers.get(&ip).map(|row| row.index)
    };
    let first = number(&bench, 2);
    bench.apply(vec![sources(2, &[2])]).unwrap();
    bench.apply(vec![sources(1, &[])]).unwrap();
    assert_eq!(number(&bench, 2), first, "the other VN names it still");
    bench.apply(vec![sources(2, &[3])]).unwrap();
    assert_eq!(number(&bench, 2), None);
    bench.apply(vec![sources(1, &[4])]).unwrap();
    assert_ne!(number(&bench, 4), first, "a poller may hold a snapshot in which it was another's");
    bench.check();
    bench.apply(vec![sources(1, &[5])]).unwrap();
    assert_eq!(number(&bench, 5), first);
    bench.check();
}

#[test]
fn the_fdb_limit_counts_the_state_after_the_batch() {
    let mut bench = bench();
    let rows = |range: std::ops::Range<u8>| range.map(|last| row(2, last, Dest::Vap(VapId(2)))).collect::<Vec<_>>();
    bench.apply(rows(10..24)).unwrap();
    let error = EngineError::TableFull { table: "fdb", capacity: 16 };
    assert_eq!(bench.apply(rows(30..31)), Err(vec![(0, error)]));
    let swap = vec![no_row(2, 10), row(2, 30, Dest::Vap(VapId(2)))];
    bench.apply(swap).unwrap();
    bench.check();
}

/// One command, mostly about few objects so that batches meet.
fn any_command() -> impl Strategy<Value = Command> {
    let dest = prop_oneof![
        (0u32..4).prop_map(|id| Dest::Vap(VapId(id))),
        (0u32..3).prop_map(|id| Dest::NextHop(NextHopId(id))),
        (0u32..2).prop_map(|id| Dest::Group(GroupId(id))),
    ];
    let flooded = prop_oneof![
        (0u32..3).prop_map(|id| Dest::NextHop(NextHopId(id))),
        (0u32..2).prop_map(|id| Dest::Group(GroupId(id))),
    ];
    prop_oneof![
        (0u16..3).prop_map(|id| port(id, 1600)),
        (0u16..3).prop_map(|id| Command::PortDel { port: PortId(id) }),
        (0u32..3, 1u32..4).prop_map(|(id, vni)| vn(id, vni)),
        (0u32..3).prop_map(|id| Command::VnDel { vn: VnId(id) }),
        (0u32..4, 0u32..3, 0u16..2, 1u16..4).prop_map(|(id, vn, port, vid)| vap(id, vn, port, vid)),
        (0u32..4).prop_map(|id| Command::VapDel { vap: VapId(id) }),
        Just(underlay(2)),
        Just(no_underlay(2, host(1))),
        Just(underlay_6(2)),
        Just(no_underlay(2, host_6(1))),
        (0u32..3, 2u8..4, 1u32..4).prop_map(|(id, host, vni)| next_hop(id, host, vni)),
        (0u32..3, 2u16..4, 1u32..4).prop_map(|(id, last, vni)| next_hop_to(id, host_6(last), vni)),
        (24u8..26, 2u8..5).prop_map(|(length, gateway)| route(length, &[gateway, 3])),
        (24u8..26).prop_map(no_route),
        (0u32..3, 9u8..11).prop_map(|(id, last)| next_hop_to(id, [203, 0, 113, last].into(), 1)),
        (1u16..3, proptest::option::of(0u16..3)).prop_map(|(port, tap)| exception(port, tap)),
        (0u32..3).prop_map(|id| Command::NextHopDel { next_hop: NextHopId(id) }),
        (0u32..3, 0u8..4, dest, 0u16..3).prop_map(|(vn, last, dest, age)| ageing_row(vn, last, dest, age)),
        (0u32..3, 0u8..4).prop_map(|(vn, last)| no_row(vn, last)),
        (0u32..3, proptest::collection::vec(flooded, 0..3))
            .prop_map(|(vn, dests)| Command::FloodSet { vn: VnId(vn), dests }),
        (0u32..2, proptest::collection::vec((0u32..3, 1u8..4), 1..3)).prop_map(|(id, members)| group(id, &members)),
        (0u32..2).prop_map(no_group),
        (0u32..3, any::<bool>()).prop_map(|(id, is_alive)| alive(id, is_alive)),
        (0u32..3, proptest::collection::vec(2u8..5, 0..3)).prop_map(|(vn, list)| sources(vn, &list)),
        (1u16..3, 1u8..3).prop_map(|(port, host)| neighbour(port, host, MAC)),
        (1u16..3, 1u8..3).prop_map(|(port, host)| no_neighbour(port, host)),
        (0u32..3, 1u16..3, 1u8..4).prop_map(|(vn, port, last)| join(vn, port, last)),
        (0u32..3, 1u8..4).prop_map(|(vn, last)| leave(vn, last)),
        (0u32..3, 1u16..3, 1u8..4, 1u32..4).prop_map(|(id, port, last, vni)| next_hop_to_group(id, port, last, vni)),
        (0u32..3, 0u8..4, 1u8..4).prop_map(|(vn, last, owner)| pair(vn, last, owner)),
        (0u32..3, 0u8..4).prop_map(|(vn, last)| no_pair(vn, last)),
        (0u32..3, 0usize..3).prop_map(|(id, rules)| acl(id, rules)),
        (0u32..3).prop_map(|id| Command::AclDel { acl: AclId(id) }),
        (0u32..3, 1u32..4, proptest::option::of(0u32..3)).prop_map(|(id, vni, acl)| with_acl(vn(id, vni), acl)),
        (0u32..4, 0u32..3, 1u16..4, proptest::option::of(0u32..3))
            .prop_map(|(id, vn, vid, acl)| with_acl(vap(id, vn, 0, vid), acl)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Whatever is thrown at it: a refused batch changes nothing, and after an accepted one the tables say what the model says.
    #[test]
    fn tables_always_say_what_the_model_says(batches in proptest::collection::vec(proptest::collection::vec(any_command(), 1..12), 1..20)) {
        let mut bench = Bench::new(6);
        for batch in batches {
            let before = bench.picture();
            if bench.apply(batch).is_err() {
                prop_assert_eq!(bench.picture(), before);
            }
            bench.check();
        }
    }
}
