//! The underlay after a batch: addresses, routes, static neighbours, the kernel's ends, and whether every next hop is still reached.

use core::net::IpAddr;

use types::NextHopId;

use super::{After, Refused, after};
use crate::error::{EngineError, Object};
use crate::model::paths::Prefix;
use crate::neighbour::Neighbour;

/// What every link of IPv6 carries (RFC 8200, 5).
const IPV6_MTU: u16 = 1280;

/// Whether a way is there; of what is not known yet all live.
const ANY: &dyn Fn(Neighbour) -> bool = &|_| true;

impl After<'_> {
    /// An underlay address of a port.
    pub(super) fn underlay(&self, port: types::PortId) -> Option<Object> {
        let mut keys = self.paths.links().keys().filter(|key| key.0 == port);
        keys.next().map(|(port, ip)| Object::Underlay(*port, *ip))
    }

    pub(super) fn underlays(&self, refused: &mut Refused) {
        for ((port, ip), at, spec) in self.changes.underlays.sets() {
            let mut refuse = |error| refused.push((at, error));
            let object = Object::Underlay(*port, *ip);
            let vlan = |other: &super::UnderlaySpec| other.options.vlan;
            if let Some(old) = self.model.underlays.get(&(*port, *ip))
                && (old.prefix, vlan(old)) != (spec.prefix, vlan(spec))
            {
                refuse(EngineError::Immutable { object, field: "prefix or vlan" });
            }
            match self.port(*port) {
                None => refuse(EngineError::Absent { object: Object::Port(*port) }),
                Some(super::PortSpec { mtu, .. }) if ip.is_ipv6() && *mtu < IPV6_MTU => {
                    let (port, needed, mtu) = (Object::Port(*port), IPV6_MTU, *mtu);
                    refuse(EngineError::PortMtu { object, port, needed, mtu });
                }
                Some(_) => {}
            }
            if let Some((vap, _)) = self.vaps_after().find(|(_, vap)| vap.port == *port) {
                refuse(EngineError::Taken { what: format!("port {port}"), holder: Object::Vap(vap) });
            }
            if let Some(holder) = self.exception_over(*port) {
                refuse(EngineError::Taken { what: format!("port {port}"), holder });
            }
            let mut remotes = self.next_hops_after().filter(|(_, remote)| remote == ip);
            let remote = remotes.next().map(|(id, _)| Object::NextHop(id));
            let mut neighbours = self.neighbours_after().filter(|(_, other)| other == ip);
            let neighbour = neighbours.next().map(|(port, ip)| Object::Neighbour(port, ip));
            let mut routes = self.paths.routes().iter().filter(|(_, gateways)| gateways.contains(ip));
            let route = routes.next().map(|(prefix, _)| Object::Route(*prefix));
            if let Some(holder) = remote.or(neighbour).or(route) {
                refuse(EngineError::Taken { what: format!("address {ip}"), holder });
            }
            if let Some((other, _)) = self.paths.links().keys().find(|(other, address)| other != port && address == ip)
            {
                let what = format!("address {ip}");
                refuse(EngineError::Taken { what, holder: Object::Underlay(*other, *ip) });
            }
            // A frame is in the VLAN of its port before anything knows to which address it goes.
            let mut others =
                self.paths.links().iter().filter(|(key, other)| key.0 == *port && vlan(other) != vlan(spec));
            if let Some(((_, other), _)) = others.next() {
                let what = format!("the vlan of port {port}");
                refuse(EngineError::Taken { what, holder: Object::Underlay(*port, *other) });
            }
        }
        for ((port, ip), at) in self.changes.underlays.dels() {
            let Some(spec) = self.model.underlays.get(&(*port, *ip)) else { continue };
            let next_hop = self
                .stranded(|_, row| spec.has_on_link(row.path.neighbour) || row.path.to() == (*port, row.spec.remote))
                .map(Object::NextHop);
            let mut neighbours = self.model.neighbours.keys().filter(|key| !self.changes.neighbours.names(key));
            let neighbour =
                neighbours.find(|key| key.0 == *port && spec.has_on_link(key.1) && !self.paths.is_on_link(**key));
            let lost = |gateway: &&IpAddr| spec.has_on_link(**gateway) && self.paths.on_link(**gateway, ANY).is_none();
            let routes = self.model.routes.iter().filter(|(prefix, _)| !self.changes.routes.names(prefix));
            let route =
                routes.filter(|(_, gateways)| gateways.iter().any(|gateway| lost(&gateway))).map(|(prefix, _)| *prefix);
            let exception = after(&self.changes.exceptions, &self.model.exceptions, port, |tap| tap);
            let exception = exception.filter(|_| self.underlay(*port).is_none()).map(|_| Object::Exception(*port));
            let by = next_hop.or(neighbour.map(|(port, ip)| Object::Neighbour(*port, *ip)));
            let by = by.or(route.map(Object::Route).next()).or(exception).or_else(|| self.joined_from((*port, *ip)));
            if let Some(by) = by {
                refused.push((at, EngineError::InUse { object: Object::Underlay(*port, *ip), by }));
            }
        }
    }

    /// A next hop of those that `concerns` picks, untouched by the batch, that nothing reaches any more.
    fn stranded(&self, concerns: impl Fn(&NextHopId, &super::NextHopRow) -> bool) -> Option<NextHopId> {
        let mut kept = self.model.next_hops.iter().filter(|(id, _)| !self.changes.next_hops.names(id));
        kept.find(|(id, row)| concerns(id, row) && self.paths.of(&row.spec, ANY).is_none()).map(|(id, _)| *id)
    }

    pub(super) fn routes(&self, refused: &mut Refused) {
        for (_, at, gateways) in self.changes.routes.sets() {
            if let Some(remote) = gateways.iter().find(|gateway| self.paths.on_link(**gateway, ANY).is_none()) {
                refused.push((at, EngineError::OffLink { remote: *remote }));
            }
        }
        for (prefix, at) in self.changes.routes.dels() {
            let is_over = |remote: IpAddr| crate::model::changes::network(remote, prefix.0) == prefix.1;
            if self.model.routes.contains_key(prefix)
                && let Some(id) = self.stranded(|_, row| is_over(row.spec.remote))
            {
                let (object, by) = (Object::Route(*prefix), Object::NextHop(id));
                refused.push((at, EngineError::InUse { object, by }));
            }
        }
    }

    pub(super) fn neighbours(&self, refused: &mut Refused) {
        for (key, at, _) in self.changes.neighbours.sets() {
            if !self.paths.is_on_link(*key) {
                refused.push((at, EngineError::OffLink { remote: key.1 }));
            }
        }
    }

    /// The kernel's end of which a port is the tap.
    pub(super) fn exception_over(&self, tap: types::PortId) -> Option<Object> {
        let kept = self.model.exceptions.iter().filter(|(port, _)| !self.changes.exceptions.names(port));
        let set = self.changes.exceptions.sets().map(|(port, _, tap)| (port, tap));
        kept.chain(set).find(|(_, other)| **other == tap).map(|(port, _)| Object::Exception(*port))
    }

    pub(super) fn exceptions(&self, refused: &mut Refused) {
        for (port, at, tap) in self.changes.exceptions.sets() {
            let mut refuse = |error| refused.push((at, error));
            let object = Object::Exception(*port);
            if self.underlay(*port).is_none() {
                refuse(EngineError::OutOfRange {
                    field: "port",
                    got: port.to_string(),
                    expected: "a port with an underlay address",
                });
            }
            match (self.port(*tap), self.port(*port)) {
                (None, _) => refuse(EngineError::Absent { object: Object::Port(*tap) }),
                (Some(tap_spec), Some(spec)) if tap_spec.mtu > spec.mtu => {
                    let (needed, mtu) = (tap_spec.mtu, spec.mtu);
                    refuse(EngineError::PortMtu { object, port: Object::Port(*port), needed, mtu });
                }
                _ => {}
            }
            let vap = self.vaps_after().find(|(_, vap)| vap.port == *tap).map(|(vap, _)| Object::Vap(vap));
            let other = self.exception_over(*tap).filter(|other| *other != object);
            if let Some(holder) = vap.or(self.underlay(*tap)).or(other) {
                refuse(EngineError::Taken { what: format!("port {tap}"), holder });
            }
        }
    }

    /// Static neighbours after the batch.
    fn neighbours_after(&self) -> impl Iterator<Item = Neighbour> {
        let kept = self.model.neighbours.keys().filter(|key| !self.changes.neighbours.names(key));
        kept.chain(self.changes.neighbours.sets().map(|(key, _, _)| key)).copied()
    }
}

/// Routes after the batch.
pub fn routes_after<'a>(
    changes: &'a super::Changes,
    model: &'a super::Model,
) -> impl Iterator<Item = (Prefix, &'a [IpAddr])> {
    let kept = model.routes.iter().filter(|(prefix, _)| !changes.routes.names(prefix));
    kept.chain(changes.routes.sets().map(|(prefix, _, gateways)| (prefix, gateways)))
        .map(|(prefix, gateways)| (*prefix, gateways.as_slice()))
}
