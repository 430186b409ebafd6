//! Underlay ports in the tables: their addresses, and the kernel's ends of them.

use core::net::IpAddr;
use std::sync::Arc;

use tables::{AccessPort, PortEntry, UnderlayPort};
use types::{MacAddr, PortId};

use super::{Forwarding, World};
use crate::addresses;
use crate::model::Model;

impl Forwarding {
    /// Writes a port's entry anew: that of an underlay port if it has addresses, of a kernel's end if it is one, else of a port for tenants.
    pub(super) fn set_underlay(&mut self, model: &Model, port: PortId, world: &impl World) {
        let mac = model.ports.get(&port).map_or_else(MacAddr::default, |row| row.mac);
        let vlan = |port| model.vlan(port).unwrap_or(0);
        let v4 = model.addresses(port).filter_map(|spec| if let IpAddr::V4(ip) = spec.ip { Some(ip) } else { None });
        let v6 = |state| {
            let all =
                model.addresses(port).filter_map(|spec| if let IpAddr::V6(ip) = spec.ip { Some(ip) } else { None });
            let all = all.chain(world.automatic(port));
            all.filter(move |ip| world.address((port, (*ip).into())) == Some(state)).collect()
        };
        let takes_none = model.addresses(port).filter(|spec| spec.options.zero_checksum).map(|spec| spec.ip);
        let over = model.exceptions.iter().find(|(_, tap)| **tap == port).map(|(underlay, _)| *underlay);
        let entry = match (model.addresses(port).next(), over) {
            (None, None) => PortEntry::Access(Arc::new(AccessPort::new(mac))),
            (None, Some(underlay)) => PortEntry::Exception { underlay: underlay.0, vlan: vlan(underlay) },
            (Some(_), _) => PortEntry::Underlay(Arc::new(UnderlayPort {
                mac,
                v4: v4.collect(),
                v6: v6(addresses::State::Preferred),
                tentative: v6(addresses::State::Tentative),
                vlan: vlan(port),
                joined: model.joined_at(port).collect(),
                exception: model.exceptions.get(&port).map(|tap| tap.0),
                zero_checksum: takes_none
                    .filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(ip) } else { None })
                    .collect(),
            })),
        };
        self.set_port(port, entry);
    }

    /// An address of ours may be used from now on, or not: its port and every next hop that is sent from it are written anew.
    pub fn readdress(&mut self, model: &mut Model, port: PortId, world: &impl World) {
        self.set_underlay(model, port, world);
        self.reroute(model, world);
        for row in model.next_hops.values().filter(|row| row.path.port == port) {
            self.write_next_hop(model, row, world);
        }
        self.publisher.publish(self.snapshot.clone());
    }

    pub(super) fn set_port(&mut self, port: PortId, entry: PortEntry) {
        if let Some(slot) = Arc::make_mut(&mut self.snapshot.ports).get_mut(usize::from(port.0)) {
            *slot = entry;
        }
    }
}
