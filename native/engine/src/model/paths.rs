//! How another NVE is reached: on a link, or by the static route with the longest prefix, over the first gateway that lives.
//!
//! It is asked of what there is and of what a batch leads to, so it works on borrowed parts of either.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use types::PortId;

use super::changes::{NextHopSpec, UnderlaySpec, network};
use crate::neighbour::Neighbour;

/// A prefix: its length, then its address, so that those of one length lie together.
pub type Prefix = (u8, IpAddr);

/// How another NVE is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    /// The underlay port to leave by.
    pub port: PortId,
    /// Our address on it, of the same family.
    pub source: IpAddr,
    /// The neighbour that the frame goes to: the NVE itself, or a gateway.
    pub neighbour: IpAddr,
}

impl Path {
    /// The neighbour, on its link.
    pub fn to(&self) -> Neighbour {
        (self.port, self.neighbour)
    }
}

/// Underlay addresses and routes.
pub struct Paths<'a> {
    links: BTreeMap<Neighbour, &'a UnderlaySpec>,
    routes: BTreeMap<Prefix, &'a [IpAddr]>,
    /// The lengths that there are.
    lengths: BTreeSet<u8>,
}

impl<'a> Paths<'a> {
    /// The paths over these addresses and routes.
    pub fn new(
        links: impl IntoIterator<Item = (Neighbour, &'a UnderlaySpec)>,
        routes: impl IntoIterator<Item = (Prefix, &'a [IpAddr])>,
    ) -> Self {
        let routes: BTreeMap<_, _> = routes.into_iter().collect();
        Self { links: links.into_iter().collect(), lengths: routes.keys().map(|prefix| prefix.0).collect(), routes }
    }

    /// Underlay addresses.
    pub fn links(&self) -> &BTreeMap<Neighbour, &'a UnderlaySpec> {
        &self.links
    }

    /// Routes.
    pub fn routes(&self) -> &BTreeMap<Prefix, &'a [IpAddr]> {
        &self.routes
    }

    /// Whether an address is this NVE's.
    pub fn is_ours(&self, ip: IpAddr) -> bool {
        self.links.keys().any(|(_, ours)| *ours == ip)
    }

    /// Whether a neighbour is on the link of an address of its port.
    pub fn is_on_link(&self, (port, ip): Neighbour) -> bool {
        self.links.iter().any(|((other, _), spec)| *other == port && spec.has_on_link(ip)) && !self.is_ours(ip)
    }

    /// How a neighbour is reached: over a link that lives, if there is a choice.
    pub fn on_link(&self, neighbour: IpAddr, lives: &dyn Fn(Neighbour) -> bool) -> Option<Path> {
        if self.is_ours(neighbour) {
            return None;
        }
        let links = || self.links.iter().filter(|(_, spec)| spec.has_on_link(neighbour)).map(|(key, _)| *key);
        let (port, address) = links().find(|key| lives((key.0, neighbour))).or_else(|| links().next())?;
        Some(Path { port, source: self.source(port, address), neighbour })
    }

    /// The address to send from: that on the link, but for a link-local one, which means nothing behind a gateway.
    fn source(&self, port: PortId, address: IpAddr) -> IpAddr {
        let is_global = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if !ip.is_unicast_link_local());
        match address {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                let mut others = self.links.keys().filter(|key| key.0 == port).map(|key| key.1);
                others.find(is_global).unwrap_or(address)
            }
            _ => address,
        }
    }

    /// How frames get to a next hop; `lives` as below.
    pub fn of(&self, spec: &NextHopSpec, lives: &dyn Fn(Neighbour) -> bool) -> Option<Path> {
        match spec.options.port {
            Some(port) => self.to_group(PortId(port), spec.remote),
            None => self.to(spec.remote, lives),
        }
    }

    /// How a multicast group is reached by a port: nobody is asked, and whoever is in it hears. From a global address, if there is a choice.
    fn to_group(&self, port: PortId, group: IpAddr) -> Option<Path> {
        let mut ours = self.links.keys().map(|key| (key.0, key.1)).filter(|key| key.0 == port);
        let (_, address) = ours.find(|(_, ip)| ip.is_ipv4() == group.is_ipv4())?;
        Some(Path { port, source: self.source(port, address), neighbour: group })
    }

    /// How `remote` is reached; `lives` tells of a neighbour on a link whether it and the link do, as far as is known.
    pub fn to(&self, remote: IpAddr, lives: &dyn Fn(Neighbour) -> bool) -> Option<Path> {
        if self.is_ours(remote) {
            return None;
        }
        self.on_link(remote, lives).or_else(|| {
            let mut routes =
                self.lengths.iter().rev().filter_map(|length| self.routes.get(&(*length, network(remote, *length))));
            let ways: Vec<_> = routes.next()?.iter().filter_map(|gateway| self.on_link(*gateway, lives)).collect();
            ways.iter().find(|path| lives(path.to())).or_else(|| ways.first()).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn link(address: &str, prefix: u8) -> UnderlaySpec {
        UnderlaySpec { ip: ip(address), prefix, options: Default::default() }
    }

    const ALL: &dyn Fn(Neighbour) -> bool = &|_| true;

    #[test]
    fn the_link_comes_first_then_the_longest_prefix_then_the_first_gateway_that_lives() {
        let specs = [link("192.0.2.1", 24), link("198.51.100.1", 24), link("2001:db8::1", 64)];
        let links = || specs.iter().enumerate().map(|(at, spec)| ((PortId(at as u16), spec.ip), spec));
        let (first, second) = (ip("192.0.2.254"), ip("198.51.100.254"));
        let (both, only_second) = ([first, second], [second]);
        let gateway_6 = [ip("2001:db8::ff")];
        let routes = [
            ((0, ip("0.0.0.0")), &both[..]),
            ((8, ip("10.0.0.0")), &only_second[..]),
            ((24, ip("192.0.2.0")), &only_second[..]),
            ((48, ip("2001:db8:5::")), &gateway_6[..]),
        ];
        let paths = Paths::new(links(), routes);
        let path = |port, source: &str, neighbour| Some(Path { port: PortId(port), source: ip(source), neighbour });
        assert_eq!(paths.to(ip("192.0.2.9"), ALL), path(0, "192.0.2.1", ip("192.0.2.9")), "on the link");
        assert_eq!(paths.to(ip("10.1.1.1"), ALL), path(1, "198.51.100.1", second), "the longer prefix");
        assert_eq!(paths.to(ip("203.0.113.1"), ALL), path(0, "192.0.2.1", first));
        let first_is_dead = |neighbour: Neighbour| neighbour.1 != first;
        assert_eq!(paths.to(ip("203.0.113.1"), &first_is_dead), path(1, "198.51.100.1", second));
        assert_eq!(paths.to(ip("203.0.113.1"), &|_| false), path(0, "192.0.2.1", first), "none lives: the first");
        assert_eq!(paths.to(ip("2001:db8:5::9"), ALL), path(2, "2001:db8::1", gateway_6[0]));
        assert_eq!(paths.to(ip("2001:db8:6::9"), ALL), None);
        assert_eq!(paths.to(ip("192.0.2.1"), ALL), None, "ourselves");
    }

    #[test]
    fn of_two_ports_on_one_link_the_one_that_lives_is_taken() {
        let specs = [link("192.0.2.1", 24), link("192.0.2.2", 24)];
        let paths = Paths::new(specs.iter().enumerate().map(|(at, spec)| ((PortId(at as u16), spec.ip), spec)), []);
        let port = |lives: &dyn Fn(Neighbour) -> bool| paths.to(ip("192.0.2.9"), lives).map(|path| path.port.0);
        assert_eq!([port(ALL), port(&|key| key.0 != PortId(0)), port(&|_| false)], [Some(0), Some(1), Some(0)]);
    }

    #[test]
    fn a_group_is_reached_by_the_port_that_is_named_from_an_address_of_its_family() {
        let specs = [
            (0, link("192.0.2.1", 24)),
            (1, link("198.51.100.1", 24)),
            (1, link("fe80::1", 64)),
            (1, link("2001:db8::1", 64)),
        ];
        let paths = Paths::new(specs.iter().map(|(port, spec)| ((PortId(*port), spec.ip), spec)), []);
        let to = |port, group: &str| paths.to_group(PortId(port), ip(group)).map(|path| path.source);
        assert_eq!([to(0, "239.1.1.1"), to(1, "239.1.1.1")], [Some(ip("192.0.2.1")), Some(ip("198.51.100.1"))]);
        assert_eq!([to(0, "ff05::1"), to(1, "ff05::1"), to(2, "239.1.1.1")], [None, Some(ip("2001:db8::1")), None]);
    }

    #[test]
    fn behind_a_link_local_gateway_we_send_from_a_global_address() {
        let specs = [link("fe80::1", 64), link("2001:db8::1", 64)];
        let gateway = [ip("fe80::ff")];
        let route = ((0, ip("::")), &gateway[..]);
        let paths = Paths::new(specs.iter().map(|spec| ((PortId(0), spec.ip), spec)), [route]);
        let path = paths.to(ip("2001:db8:9::1"), ALL).unwrap();
        assert_eq!((path.source, path.neighbour), (ip("2001:db8::1"), gateway[0]));
    }
}
