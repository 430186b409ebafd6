//! The devices behind the ports: opened when a batch is prepared, closed when it was applied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::channel;
use std::time::Duration;

use dpdk::{Mempool, Port, PortConfig, PortKind};
use types::{MacAddr, PortId};

use crate::dpdk_error::port_error;
use crate::error::EngineError;
use crate::model::PortSpec;
use crate::poller::{Poller, Task};
use crate::schema::Kind;

/// How long a poller may take to give queues back: many times its longest turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// The open devices.
pub struct Devices {
    pool: Mempool,
    open: BTreeMap<PortId, Port>,
    /// The groups that each device was told to hear.
    heard: BTreeMap<PortId, BTreeSet<MacAddr>>,
}

impl Devices {
    /// Where their frames are.
    pub fn pool(&self) -> &Mempool {
        &self.pool
    }

    /// No devices yet; those to come receive into buffers of `pool`.
    pub fn new(pool: Mempool) -> Self {
        Self { pool, open: BTreeMap::new(), heard: BTreeMap::new() }
    }

    /// Opens a device, which nobody polls yet.
    pub fn open(&self, spec: &PortSpec) -> Result<Port, EngineError> {
        let kind = match &spec.kind {
            Kind::Tap { iface, mac } => PortKind::Tap { iface: iface.clone(), mac: mac.map(|mac| mac.0) },
            Kind::AfXdp { iface } => PortKind::AfXdp { iface: iface.clone() },
            Kind::Pcap { rx, tx, infinite_rx } => {
                PortKind::Pcap { rx: rx.clone(), tx: tx.clone(), infinite_rx: *infinite_rx }
            }
            Kind::Null { size, no_rx } => PortKind::Null { size: *size, no_rx: *no_rx },
            Kind::Ring => PortKind::Ring,
            Kind::Vhost { path } => PortKind::Vhost { path: path.clone() },
            Kind::Pci { address } => PortKind::Pci { address: address.clone() },
            Kind::Devargs(devargs) => PortKind::Devargs(devargs.clone()),
        };
        let config = PortConfig { name: spec.name.clone(), kind, mtu: spec.mtu, queues: 1 };
        Port::open(&self.pool, &config).map_err(port_error)
    }

    /// The longest frame that one packet buffer holds, bytes.
    pub fn buffer(&self) -> usize {
        usize::from(self.pool.data_room()).saturating_sub(dpdk::HEADROOM)
    }

    /// Takes an opened device in.
    pub fn add(&mut self, id: PortId, port: Port) {
        self.open.insert(id, port);
    }

    /// Hands devices to the poller, all at once: what comes in by one may leave by another.
    pub fn attach(&mut self, ids: &[PortId], poller: &Poller) {
        let mut tasks = Vec::new();
        for id in ids {
            let queues = self.open.get_mut(id).map(Port::take_queues).into_iter().flatten();
            tasks.extend(queues.map(|(rx, tx)| Task::Attach(*id, rx, tx)));
        }
        poller.tasks(tasks);
    }

    /// Takes a device back from the poller and closes it.
    pub fn close(&mut self, id: PortId, poller: &Poller) {
        let Some(port) = self.open.remove(&id) else { return };
        self.heard.remove(&id);
        let (done, wait) = channel();
        poller.tasks(vec![Task::Detach(id, done)]);
        // A poller that has failed dropped its queues; then nobody answers, and nobody needs to. Dropping the port closes it.
        let _ = wait.recv_timeout(PATIENCE);
        drop(port);
    }

    /// Closes everything; the poller must have ended.
    pub fn close_all(&mut self) {
        self.open.clear();
    }

    /// A device.
    pub fn get(&self, id: PortId) -> Option<&Port> {
        self.open.get(&id)
    }

    /// Every device.
    pub fn iter(&self) -> impl Iterator<Item = (PortId, &Port)> {
        self.open.iter().map(|(id, port)| (*id, port))
    }

    /// Makes every device hear the groups of these MACs that are not what it hears already; what went wrong, as lines for people.
    pub fn hear(&mut self, groups: impl Fn(PortId) -> BTreeSet<MacAddr>) -> Vec<String> {
        let mut failed = Vec::new();
        for (id, port) in &self.open {
            let groups = groups(*id);
            let heard = self.heard.entry(*id).or_default();
            if *heard != groups {
                let macs: Vec<_> = groups.iter().map(|mac| mac.0).collect();
                failed.extend(port.hear_groups(&macs).err().map(|error| error.to_string()));
                *heard = groups;
            }
        }
        failed
    }

    /// The MAC of a device.
    pub fn mac(&self, id: PortId) -> MacAddr {
        self.open.get(&id).map_or_else(MacAddr::default, |port| MacAddr(port.info().mac))
    }
}
