//! What benches know of ports and neighbours.

use core::net::Ipv6Addr;

use types::{MacAddr, PortId};

use crate::addresses;
use crate::forwarding::World;
use crate::model::tests::{host, host_6};
use crate::neighbour::Neighbour;

/// Every port has a MAC, and host 2 is a known neighbour.
pub(super) struct Surroundings;

impl World for Surroundings {
    fn port_mac(&self, port: PortId) -> MacAddr {
        MacAddr([2, 0xff, 0, 0, 0, port.0 as u8])
    }
    fn neighbour_mac(&self, (_, ip): Neighbour) -> Option<MacAddr> {
        [host(2), host_6(2)].contains(&ip).then_some(MacAddr([2, 0xee, 0, 0, 0, 2]))
    }
    fn is_up(&self, _port: PortId) -> bool {
        true
    }
    fn lives(&self, _neighbour: Neighbour) -> bool {
        true
    }
    fn address(&self, _address: Neighbour) -> Option<addresses::State> {
        Some(addresses::State::Preferred)
    }
    fn automatic(&self, _port: PortId) -> Option<Ipv6Addr> {
        None
    }
    fn wait(&self, _done: &dyn Fn() -> bool) {}
}

/// Neighbours are at one MAC, or at none; some do not live, one port's link is down, and one of our addresses is tentative.
#[derive(Default)]
pub(super) struct Answering {
    pub(super) mac: Option<MacAddr>,
    pub(super) dead: Vec<Neighbour>,
    pub(super) down: Option<PortId>,
    pub(super) tentative: Option<Neighbour>,
    pub(super) automatic: Option<Ipv6Addr>,
}

impl World for Answering {
    fn port_mac(&self, port: PortId) -> MacAddr {
        Surroundings.port_mac(port)
    }
    fn neighbour_mac(&self, _neighbour: Neighbour) -> Option<MacAddr> {
        self.mac
    }
    fn is_up(&self, port: PortId) -> bool {
        self.down != Some(port)
    }
    fn lives(&self, neighbour: Neighbour) -> bool {
        !self.dead.contains(&neighbour)
    }
    fn address(&self, address: Neighbour) -> Option<addresses::State> {
        let is_tentative = self.tentative == Some(address);
        Some(if is_tentative { addresses::State::Tentative } else { addresses::State::Preferred })
    }
    fn automatic(&self, _port: PortId) -> Option<Ipv6Addr> {
        self.automatic
    }
    fn wait(&self, _done: &dyn Fn() -> bool) {}
}
