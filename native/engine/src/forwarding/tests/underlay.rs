//! Which addresses the pollers take for ours.

use core::net::{IpAddr, Ipv6Addr};

use tables::PortEntry;
use types::PortId;

use super::Bench;
use super::world::Answering;
use crate::model::tests::{bench, host_6, underlay_6};

#[test]
fn a_port_has_its_link_local_address_beside_those_that_it_was_given() {
    let mut bench = bench();
    bench.apply(vec![underlay_6(1)]).unwrap();
    let port = PortId(1);
    let automatic: Ipv6Addr = "fe80::1".parse().unwrap();
    let mut world =
        Answering { automatic: Some(automatic), tentative: Some((port, automatic.into())), ..Answering::default() };
    let IpAddr::V6(given) = host_6(1) else { panic!("host 1 has IPv6") };
    let ours = |bench: &mut Bench, world: &Answering| {
        bench.forwarding.readdress(&mut bench.model, port, world);
        match bench.readers.snapshot.load().port(port) {
            PortEntry::Underlay(entry) => [entry.v6.to_vec(), entry.tentative.to_vec()],
            _ => panic!("it has addresses"),
        }
    };
    assert_eq!(ours(&mut bench, &world), [vec![given], vec![automatic]]);
    world.tentative = None;
    assert_eq!(ours(&mut bench, &world), [vec![given, automatic], vec![]]);
    world.automatic = None;
    assert_eq!(ours(&mut bench, &world), [vec![given], vec![]]);
}
