//! Next hops in the tables: the way to each, its ready-made header, and whether it lives.
//!
//! A next hop lives while its neighbour's MAC is known, its port's link is up, and the controller has not said otherwise. Whenever that
//! changes for one, its entry is written, and the groups that it belongs to are shared out anew before the next snapshot goes out.

use std::collections::BTreeSet;

use tables::NextHopEntry;
use types::{DropReason, MacAddr, NextHopId, PortId};

use super::{Forwarding, World};
use crate::addresses;
use crate::model::{Model, NextHopRow, NextHopSpec, Path};
use crate::neighbour::Neighbour;

impl Forwarding {
    pub(super) fn set_next_hop(
        &mut self,
        model: &mut Model,
        id: NextHopId,
        spec: &NextHopSpec,
        path: Path,
        world: &impl World,
    ) {
        let row = match model.next_hops.get(&id) {
            Some(row) => NextHopRow { spec: spec.clone(), path, ..row.clone() },
            None => {
                let index = self.next_hop_indices.take(&self.quiescence).unwrap_or_default();
                NextHopRow { index, spec: spec.clone(), path, users: 0, groups: BTreeSet::new(), alive: true }
            }
        };
        *self.snapshot.remotes.slot(row.index as usize) = Some(spec.remote);
        self.write_next_hop(model, &row, world);
        model.next_hops.insert(id, row);
    }

    /// Writes a next hop's ready-made header, or that there is none.
    pub(super) fn write_next_hop(&mut self, model: &Model, row: &NextHopRow, world: &impl World) {
        if !row.alive || !world.is_up(row.path.port) {
            return self.put_next_hop(row, NextHopEntry::DOWN);
        }
        let entry = usable(world, row).and_then(|mac| {
            let port = model.ports.get(&row.path.port)?;
            let ends = [(port.mac, row.path.source), (mac, row.spec.remote)];
            row.spec.tunnel(ends, row.path.port, model.vlan(row.path.port), port.spec.mtu).entry()
        });
        let entry = entry.unwrap_or(NextHopEntry { port: row.path.port.0, ..NextHopEntry::UNRESOLVED });
        self.put_next_hop(row, entry);
    }

    /// Finds the way to every next hop anew, and tells whether one has changed.
    pub(super) fn reroute(&mut self, model: &mut Model, world: &impl World) -> bool {
        let paths = model.paths();
        let to = |spec: &NextHopSpec| paths.of(spec, &|neighbour| world.lives(neighbour));
        let all = model.next_hops.iter().map(|(id, row)| (*id, row.path, to(&row.spec)));
        let changed: Vec<_> =
            all.filter_map(|(id, old, new)| new.filter(|new| *new != old).map(|path| (id, path))).collect();
        for (id, path) in &changed {
            let Some(row) = model.next_hops.get_mut(id) else { continue };
            row.path = *path;
            let row = row.clone();
            self.write_next_hop(model, &row, world);
        }
        self.regroup(model);
        !changed.is_empty()
    }

    /// Links or gateways came or went; tells whether the way to somebody has changed.
    pub fn redirect(&mut self, model: &mut Model, world: &impl World) -> bool {
        let changed = self.reroute(model, world);
        if changed {
            self.publisher.publish(self.snapshot.clone());
        }
        changed
    }

    /// A neighbour's MAC became known, changed or was lost: every next hop to it is written anew.
    pub fn resolve(&mut self, model: &Model, neighbour: Neighbour, world: &impl World) {
        for row in model.next_hops.values().filter(|row| row.path.to() == neighbour) {
            self.write_next_hop(model, row, world);
        }
        self.regroup(model);
        self.publisher.publish(self.snapshot.clone());
    }

    /// Writes a next hop's entry; its groups are shared out anew if it came to life or died.
    pub(super) fn put_next_hop(&mut self, row: &NextHopRow, entry: NextHopEntry) {
        let slot = self.snapshot.next_hops.slot(row.index as usize);
        if slot.is_living() != entry.is_living() {
            self.stirred.extend(row.groups.iter().copied());
        }
        *slot = entry;
    }

    /// The links of these ports came up or went down: what goes by them is written anew, at once.
    pub fn links(&mut self, model: &Model, changed: &[PortId], world: &impl World) {
        let mut any = false;
        for row in model.next_hops.values().filter(|row| changed.contains(&row.path.port)) {
            self.write_next_hop(model, row, world);
            any = true;
        }
        if any {
            self.regroup(model);
            self.publisher.publish(self.snapshot.clone());
        }
    }

    /// What a next hop's entry says about its life.
    pub fn state_of(&self, row: &NextHopRow) -> &'static str {
        match self.snapshot.next_hop(row.index) {
            Some(entry) if entry.is_living() => "living",
            _ if !row.alive => "dead",
            Some(entry) if entry.why() == DropReason::NextHopDown => "link_down",
            _ => "unresolved",
        }
    }
}

/// The MAC that a next hop's frames go to, if it is known and they may be sent from our address.
fn usable(world: &impl World, row: &NextHopRow) -> Option<MacAddr> {
    let is_ours = world.address((row.path.port, row.path.source)) == Some(addresses::State::Preferred);
    row.group_mac().or_else(|| world.neighbour_mac(row.path.to())).filter(|_| is_ours)
}
