//! What the tables' writer asks of ports, links and neighbours.

use core::net::Ipv6Addr;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use types::{MacAddr, PortId};

use crate::addresses::{self, Addresses};
use crate::devices::Devices;
use crate::forwarding::World;
use crate::neighbour::{Neighbour, Neighbours};

/// About what a burst takes.
const BURST_TIME: Duration = Duration::from_micros(20);
/// How long a batch waits for a poller to come to the end of its burst, which may not have a CPU meanwhile.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Lets the tables be changed by what is known of ports and neighbours.
macro_rules! known {
    ($control:ident, |$model:ident, $forwarding:ident, $world:ident| $body:expr) => {{
        let Self { model: $model, forwarding: $forwarding, devices, neighbours, addresses, links, .. } = $control;
        let $world = Known { devices, neighbours, addresses, links };
        $body
    }};
}
pub(super) use known;

/// What [`Forwarding`] asks of ports and neighbours.
pub(super) struct Known<'a> {
    pub(super) devices: &'a Devices,
    pub(super) neighbours: &'a Neighbours,
    pub(super) addresses: &'a Addresses,
    pub(super) links: &'a BTreeMap<PortId, bool>,
}

impl World for Known<'_> {
    fn port_mac(&self, port: PortId) -> MacAddr {
        self.devices.mac(port)
    }

    fn neighbour_mac(&self, neighbour: Neighbour) -> Option<MacAddr> {
        self.neighbours.mac(neighbour)
    }

    fn is_up(&self, port: PortId) -> bool {
        self.links.get(&port) != Some(&false)
    }

    fn lives(&self, neighbour: Neighbour) -> bool {
        self.is_up(neighbour.0) && !self.neighbours.has_failed(neighbour)
    }

    fn address(&self, address: Neighbour) -> Option<addresses::State> {
        self.addresses.state(address)
    }

    fn automatic(&self, port: PortId) -> Option<Ipv6Addr> {
        self.addresses.automatic(port)
    }

    fn wait(&self, done: &dyn Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            match start.elapsed() {
                waited if waited < BURST_TIME => core::hint::spin_loop(),
                waited if waited < CATCH_UP => std::thread::sleep(BURST_TIME),
                _ => return,
            }
        }
    }
}
