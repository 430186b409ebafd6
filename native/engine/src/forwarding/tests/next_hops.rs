//! Next hops and groups follow their neighbours, gateways and links.

use tables::GroupEntry;
use types::{GroupId, MacAddr, NextHopId, PortId};

use super::Bench;
use super::world::Answering;
use crate::model::Path;
use crate::model::tests::{alive, bench, group, host, next_hop, next_hop_to, row};
use crate::schema::{Command, Dest};

#[test]
fn a_group_leaves_a_dead_member_at_once_and_comes_back_to_it() {
    let mut bench = bench();
    let hosts = vec![next_hop(3, 3, 5001), group(1, &[(1, 1), (3, 1)]), row(1, 5, Dest::Group(GroupId(1)))];
    bench.apply(hosts).unwrap();
    let index = |bench: &Bench, id| bench.model.next_hops[&NextHopId(id)].index;
    let (first, third) = (index(&bench, 1), index(&bench, 3));
    let group_index = bench.model.groups[&GroupId(1)].index;
    let counts = |bench: &mut Bench| {
        let places = bench.readers.snapshot.load().group(group_index).unwrap().places;
        [first, third, GroupEntry::NOBODY].map(|index| places.iter().filter(|place| **place == index).count())
    };
    assert_eq!(counts(&mut bench), [60, 0, 0], "host 3 is not known yet");
    let neighbour = (PortId(1), host(3));
    let mut world = Answering { mac: Some(MacAddr([2, 0xee, 0, 0, 0, 3])), ..Answering::default() };
    bench.forwarding.resolve(&bench.model, neighbour, &world);
    assert_eq!(counts(&mut bench), [30, 30, 0]);
    world.mac = None;
    bench.forwarding.resolve(&bench.model, neighbour, &world);
    assert_eq!(counts(&mut bench), [60, 0, 0]);
    bench.apply(vec![alive(1, false)]).unwrap();
    assert_eq!(counts(&mut bench), [0, 0, 60]);
    assert_eq!(bench.readers.snapshot.load().next_hop(first).unwrap().why(), types::DropReason::NextHopDown);
    bench.apply(vec![next_hop(1, 2, 5001)]).unwrap();
    assert_eq!(counts(&mut bench), [0, 0, 60], "to set it again does not revive it");
    bench.apply(vec![alive(1, true)]).unwrap();
    assert_eq!(counts(&mut bench), [60, 0, 0]);
    world.down = Some(PortId(1));
    world.mac = Some(MacAddr([2, 0xee, 0, 0, 0, 2]));
    bench.forwarding.links(&bench.model, &[PortId(1)], &world);
    assert_eq!(counts(&mut bench), [0, 0, 60]);
    world.down = None;
    bench.forwarding.links(&bench.model, &[PortId(1)], &world);
    assert_eq!(counts(&mut bench), [30, 30, 0], "both are known by now");
}

#[test]
fn a_neighbours_mac_reaches_every_next_hop_to_it() {
    let mut bench = bench();
    bench.apply(vec![next_hop(3, 3, 5001)]).unwrap();
    let index = bench.model.next_hops[&NextHopId(3)].index;
    assert_eq!(bench.readers.snapshot.load().next_hop(index).unwrap().header_length, 0);
    let neighbour = (PortId(1), host(3));
    let mut world = Answering { mac: Some(MacAddr([2, 0xee, 0, 0, 0, 3])), ..Answering::default() };
    bench.forwarding.resolve(&bench.model, neighbour, &world);
    let entry = bench.readers.snapshot.load().next_hop(index).unwrap().clone();
    assert_eq!((entry.header_length, entry.max_frame, entry.port), (50, 1600 - 36, 1));
    assert_eq!(entry.tail[..6], [2, 0xee, 0, 0, 0, 3]);
    let length = |bench: &mut Bench| bench.readers.snapshot.load().next_hop(index).unwrap().header_length;
    world.tentative = Some((PortId(1), host(1)));
    bench.forwarding.readdress(&mut bench.model, PortId(1), &world);
    assert_eq!(length(&mut bench), 0, "nothing is sent from an address that may be another's");
    world.tentative = None;
    bench.forwarding.readdress(&mut bench.model, PortId(1), &world);
    assert_eq!(length(&mut bench), 50);
    world.mac = None;
    bench.forwarding.resolve(&bench.model, neighbour, &world);
    assert_eq!(length(&mut bench), 0);
}

#[test]
fn a_next_hop_follows_the_gateway_that_lives_and_its_route() {
    let mut bench = bench();
    let far = "203.0.113.9".parse().unwrap();
    let route = |gateways: &[u8]| Command::RouteSet {
        prefix: "203.0.113.0".parse().unwrap(),
        length: 24,
        gateways: gateways.iter().map(|last| host(*last)).collect(),
    };
    bench.apply(vec![next_hop_to(7, far, 5001), route(&[8, 9])]).unwrap();
    let via = |bench: &Bench| bench.model.next_hops[&NextHopId(7)].path;
    assert_eq!(via(&bench), Path { port: PortId(1), source: host(1), neighbour: host(8) });
    let world = Answering {
        mac: Some(MacAddr([2, 0xee, 0, 0, 0, 9])),
        dead: vec![(PortId(1), host(8))],
        ..Answering::default()
    };
    assert!(bench.forwarding.redirect(&mut bench.model, &world));
    assert_eq!(via(&bench).neighbour, host(9));
    let index = bench.model.next_hops[&NextHopId(7)].index;
    let entry = bench.readers.snapshot.load().next_hop(index).unwrap().clone();
    assert_eq!((entry.header_length, &entry.tail[..6]), (50, &[2, 0xee, 0, 0, 0, 9][..]));
    assert_eq!(entry.tail[30..34], [203, 0, 113, 9], "to the NVE, over the gateway");
    assert!(!bench.forwarding.redirect(&mut bench.model, &world), "nothing new");
    bench.apply(vec![route(&[7])]).unwrap();
    assert_eq!(via(&bench).neighbour, host(7));
    bench.check();
}
