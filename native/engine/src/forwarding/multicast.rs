//! The multicast groups that VNs are in, in the tables: each port has those that were joined there.

use std::collections::BTreeSet;

use types::PortId;

use super::{Forwarding, World};
use crate::model::{Changes, Model};

impl Forwarding {
    /// VNs join groups, or are in them at another port from now on. Their indices must be known.
    pub(super) fn join(&mut self, model: &mut Model, changes: &Changes, world: &impl World) {
        let mut ports = BTreeSet::new();
        for (key, _, port) in changes.joined.sets() {
            ports.extend(model.joined.insert(*key, *port));
            ports.insert(*port);
        }
        self.rejoin(model, ports, world);
    }

    /// VNs leave groups, those that are deleted all of theirs; whether there was one.
    pub(super) fn leave(&mut self, model: &mut Model, changes: &Changes, world: &impl World) -> bool {
        let mut ports = BTreeSet::new();
        for (key, _) in changes.joined.dels() {
            ports.extend(model.joined.remove(key));
        }
        if changes.vns.dels().next().is_some() {
            model.joined.retain(|(vn, _), port| {
                let is_gone = changes.vns.deletes(vn);
                if is_gone {
                    ports.insert(*port);
                }
                !is_gone
            });
        }
        self.rejoin(model, ports.clone(), world);
        !ports.is_empty()
    }

    fn rejoin(&mut self, model: &Model, ports: BTreeSet<PortId>, world: &impl World) {
        ports.into_iter().for_each(|port| self.set_underlay(model, port, world));
    }
}
