//! Batches: checked, their devices opened, then applied without a way to fail.

use std::collections::BTreeSet;
use std::time::Instant;

use dpdk::Port;
use types::{MacAddr, PortId};

use super::Control;
use super::known::{Known, known};
use crate::error::EngineError;
use crate::model::Changes;
use crate::neighbour::Effect;
use crate::police::default_rate;
use crate::poller::Task;
use crate::request::Answer;
use crate::schema::{Batch, SCHEMA};
use crate::{capture, schema};

/// The most commands of one batch.
const BATCH: usize = 20_000;

impl Control {
    pub(super) fn apply(&mut self, bytes: &[u8]) -> Answer {
        let Batch(schema, epoch, id, commands) = schema::decode("batch", bytes)?;
        if (schema, epoch) != (SCHEMA, self.epoch) {
            let (got, expected) = (format!("{schema}/{epoch}"), format!("{SCHEMA}/{}", self.epoch));
            return Err(EngineError::Mismatch { what: "schema/epoch", got, expected });
        }
        if commands.len() > BATCH {
            return Err(EngineError::TableFull { table: "batch", capacity: BATCH });
        }
        let refused = match Changes::prepare(commands, &self.model, &self.forwarding.limits()) {
            Err(refused) => refused,
            Ok(changes) => match self.open_devices(&changes) {
                Err(refused) => vec![refused],
                Ok(devices) => match self.foreign_taps(&changes, &devices) {
                    refused if refused.is_empty() => {
                        self.commit(&changes, devices);
                        refused
                    }
                    refused => refused,
                },
            },
        };
        Ok(schema::result_reply(epoch, id, &refused))
    }

    /// Opens the devices of a batch's new ports; if one fails, those opened before it are closed again.
    pub(super) fn open_devices(&self, changes: &Changes) -> Result<Vec<(PortId, Port)>, (usize, EngineError)> {
        let new = changes.ports.sets().filter(|(id, _, _)| !self.model.ports.contains_key(id));
        new.map(|(id, at, spec)| (*id, at, spec))
            .map(|(id, at, spec)| self.devices.open(spec).map(|port| (id, port)).map_err(|error| (at, error)))
            .collect()
    }

    /// The kernel's ends whose MAC is not that of their underlay port: what the kernel says of its own MAC leaves as it is. Only an open device
    /// tells its MAC.
    pub(super) fn foreign_taps(&self, changes: &Changes, new: &[(PortId, Port)]) -> Vec<(usize, EngineError)> {
        let mac = |id: &PortId| {
            let new = new.iter().find(|(other, _)| other == id);
            new.map_or_else(|| self.devices.mac(*id), |(_, port)| MacAddr(port.info().mac))
        };
        let foreign = changes.exceptions.sets().filter(|(port, _, tap)| mac(port) != mac(tap));
        let expected = "a port with the MAC of the underlay port";
        foreign
            .map(|(_, at, tap)| (at, EngineError::OutOfRange { field: "tap", got: mac(tap).to_string(), expected }))
            .collect()
    }

    pub(super) fn commit(&mut self, changes: &Changes, devices: Vec<(PortId, Port)>) {
        let now = Instant::now();
        let fixed: Vec<Effect> = changes
            .neighbours
            .iter()
            .filter_map(|(neighbour, wish)| self.neighbours.fix(*neighbour, wish.to, now))
            .collect();
        let new: Vec<PortId> = devices.iter().map(|(id, _)| *id).collect();
        devices.into_iter().for_each(|(id, port)| self.devices.add(id, port));
        changes.underlays.sets().for_each(|(address, _, _)| self.addresses.add(*address));
        changes.underlays.dels().for_each(|(address, _)| self.addresses.remove(*address));
        for port in changes.underlays.keys().map(|(port, _)| *port).collect::<BTreeSet<_>>() {
            self.addresses.complete(port, self.devices.mac(port));
        }
        let effects = known!(self, |model, forwarding, world| forwarding.apply(model, changes, &world));
        for (id, index) in effects.new_vaps {
            if let Some(row) = self.model.vaps.get_mut(&id) {
                row.counters_before = self.region.vap(index);
            }
        }
        let rates = changes
            .police
            .iter()
            .map(|(class, wish)| Task::Police(*class, wish.to.unwrap_or_else(|| default_rate(*class))));
        self.poller.tasks(rates.collect());
        // Only now, so that a frame that already waits meets all of the batch.
        self.devices.attach(&new, &self.poller);
        if self.captured_vap.is_some_and(|id| !self.model.vaps.contains_key(&id)) {
            // Its index may be another VAP's soon.
            self.captured_vap = None;
            capture::set(self.region.capture(), None, 0, 0);
        }
        for id in effects.closed_ports {
            self.devices.close(id, &self.poller);
            self.links.remove(&id);
            self.model.down.remove(&id);
            self.memberships.forget(id);
        }
        self.set_links(changes);
        let is_named = changes.joined.iter().next().is_some() || changes.underlays.iter().next().is_some();
        if is_named || changes.vns.dels().next().is_some() {
            self.join(now);
        }
        if effects.next_hops_changed || changes.neighbours.iter().next().is_some() {
            self.carry_out(fixed);
            self.want(now);
        }
    }

    /// Takes links down and up. A driver that cannot says so in the log; its port goes on as it is.
    pub(super) fn set_links(&mut self, changes: &Changes) {
        for (id, wish) in changes.down.iter() {
            let up = wish.to.is_none();
            let changed = if up { self.model.down.remove(id) } else { self.model.down.insert(*id) };
            let done = self.devices.get(*id).filter(|_| changed).map_or(Ok(()), |port| port.set_link(up));
            if let Err(error) = done {
                self.event(&("log", error.to_string()));
            }
        }
    }
}
