//! Which next hops an event on the underlay concerns, found by what it names: a neighbour, a link, or the prefixes whose ways may change.
//!
//! There may be a million next hops, and a link that flaps: whoever looks for those that are concerned must not look at all.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use types::{NextHopId, PortId};

use super::Model;
use super::changes::network;
use super::paths::{Path, Prefix};
use crate::neighbour::Neighbour;

/// Everything, of both families.
pub const EVERYWHERE: [Prefix; 2] = [(0, IpAddr::V4(Ipv4Addr::UNSPECIFIED)), (0, IpAddr::V6(Ipv6Addr::UNSPECIFIED))];

/// Next hops by who they lead to, and by who their frames are given to.
#[derive(Default, Debug)]
pub struct Ways {
    by_remote: BTreeSet<(IpAddr, NextHopId)>,
    by_neighbour: BTreeMap<Neighbour, BTreeSet<NextHopId>>,
}

impl Ways {
    /// A next hop is there.
    pub fn add(&mut self, id: NextHopId, remote: IpAddr, path: Path) {
        self.by_remote.insert((remote, id));
        self.by_neighbour.entry(path.to()).or_default().insert(id);
    }

    /// It is there no more.
    pub fn remove(&mut self, id: NextHopId, remote: IpAddr, path: Path) {
        self.by_remote.remove(&(remote, id));
        if let Some(others) = self.by_neighbour.get_mut(&path.to()) {
            others.remove(&id);
            if others.is_empty() {
                self.by_neighbour.remove(&path.to());
            }
        }
    }

    /// Those whose frames are given to a neighbour.
    pub fn to(&self, neighbour: Neighbour) -> impl Iterator<Item = NextHopId> {
        self.by_neighbour.get(&neighbour).into_iter().flatten().copied()
    }

    /// Those whose frames leave by a port.
    pub fn by(&self, port: PortId) -> impl Iterator<Item = NextHopId> {
        let all = (port, IpAddr::V4(Ipv4Addr::UNSPECIFIED))..=(port, IpAddr::V6(u128::MAX.into()));
        self.by_neighbour.range(all).flat_map(|(_, ids)| ids).copied()
    }

    /// Those that lead into a prefix.
    pub fn within(&self, (length, network): Prefix) -> impl Iterator<Item = NextHopId> {
        let last = match network {
            IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() | u32::MAX.checked_shr(length.into()).unwrap_or(0)).into()),
            IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() | u128::MAX.checked_shr(length.into()).unwrap_or(0)).into()),
        };
        self.by_remote.range((network, NextHopId(0))..=(last, NextHopId(u32::MAX))).map(|(_, id)| *id)
    }

    /// The neighbours that frames are given to and that have to be asked for their MAC.
    pub fn neighbours(&self) -> impl Iterator<Item = Neighbour> {
        self.by_neighbour.keys().filter(|(_, ip)| !ip.is_multicast()).copied()
    }
}

impl Model {
    /// The prefixes whose ways may change with a neighbour's life: those that it is a gateway to.
    pub fn prefixes_over(&self, (_, ip): Neighbour) -> Vec<Prefix> {
        self.routes.iter().filter(|(_, gateways)| gateways.contains(&ip)).map(|(prefix, _)| *prefix).collect()
    }

    /// The same of a port's link: what is on it, and what is behind a gateway on it.
    pub fn prefixes_by(&self, port: PortId) -> Vec<Prefix> {
        let on_link = self.addresses(port).map(|spec| (spec.prefix, network(spec.ip, spec.prefix)));
        let is_here = |gateway: &IpAddr| self.addresses(port).any(|spec| spec.has_on_link(*gateway));
        let routes = self.routes.iter().filter(|(_, gateways)| gateways.iter().any(is_here));
        on_link.chain(routes.map(|(prefix, _)| *prefix)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hops_are_found_by_neighbour_port_and_prefix_and_no_others() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let way = |port, neighbour| Path { port: PortId(port), source: ip("192.0.2.1"), neighbour: ip(neighbour) };
        let all = [
            ("192.0.2.9", way(1, "192.0.2.9")),
            ("203.0.113.0", way(1, "192.0.2.8")),
            ("203.0.113.255", way(2, "192.0.2.8")),
            ("203.0.114.0", way(1, "192.0.2.8")),
            ("2001:db8::9", way(1, "2001:db8::9")),
        ];
        let mut ways = Ways::default();
        for (id, (remote, path)) in (0..).zip(all) {
            ways.add(NextHopId(id), ip(remote), path);
        }
        let ids = |found: &mut dyn Iterator<Item = NextHopId>| found.map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(ids(&mut ways.to((PortId(1), ip("192.0.2.8")))), [1, 3]);
        assert_eq!(ids(&mut ways.by(PortId(1))), [1, 3, 0, 4]);
        assert_eq!(ids(&mut ways.within((24, ip("203.0.113.0")))), [1, 2]);
        assert_eq!(ids(&mut ways.within((32, ip("192.0.2.9")))), [0]);
        assert_eq!(ids(&mut EVERYWHERE.into_iter().flat_map(|prefix| ways.within(prefix))), [0, 1, 2, 3, 4]);
        for (id, (remote, path)) in (0..4).zip(all) {
            ways.remove(NextHopId(id), ip(remote), path);
        }
        assert_eq!(ways.neighbours().collect::<Vec<_>>(), [(PortId(1), ip("2001:db8::9"))]);
    }
}
