//! Turning a checked batch into table changes, in an order that no poller can see a dangling reference in.
//!
//! 1. New objects, and lists that name them, go into one new snapshot; objects to be deleted leave the lists.
//! 2. Once the pollers have it, rows that are to go are removed; then rows are added and changed.
//! 3. Objects to be deleted are closed in a second snapshot; their indices rest until every poller has been quiescent.
//!
//! Nothing in here can fail: [`Changes::prepare`] has reserved the room.

mod deletions;
mod groups;
mod memory;
mod multicast;
mod next_hops;
mod policy;
mod readers;
mod rows;
mod sources;
mod underlay;
mod vns;

use core::cell::Cell;
use core::net::Ipv6Addr;
use std::collections::BTreeSet;
use std::sync::Arc;

use tables::{
    AccessPort, ContextKey, Destination, FdbKey, Index, IndexPool, MapWriter, PairWriter, Peers, PortEntry, Publisher,
    Quiescence, Snapshot, SourceKey, concurrent_map,
};
use types::{GroupId, MacAddr, PortId, VapId};

use crate::addresses;
use crate::model::{ACLS, Changes, Limits, Model, NextHopSpec, PortRow};
use crate::neighbour::Neighbour;
use crate::schema::Dest;

pub use readers::Readers;

/// VNs and VAPs that there can be at once, each: the last index means "none".
const OBJECTS: u32 = 65_535;
/// Next hops that there can be at once.
const NEXT_HOPS: u32 = 1 << 20;
/// Groups of next hops that there can be at once.
const GROUPS: u32 = 1 << 18;
/// IPv6 addresses that permitted sources have, all together.
const PEERS: u32 = 65_536;
/// Permitted sources, all VNs together.
const SOURCES: usize = 262_144;
/// IP-MAC pairs, all VNs together.
const PAIRS: usize = 1_048_576;

/// What applying a batch asks of others.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Effects {
    /// Ports to close.
    pub closed_ports: Vec<PortId>,
    /// New VAPs with their index, whose counters start now.
    pub new_vaps: Vec<(VapId, Index)>,
    /// Whether next hops came, went or changed.
    pub next_hops_changed: bool,
}

/// What applying a batch needs to know of ports and neighbours.
pub trait World {
    /// The MAC of an open port.
    fn port_mac(&self, port: PortId) -> MacAddr;
    /// The MAC of a neighbour, if it is known.
    fn neighbour_mac(&self, neighbour: Neighbour) -> Option<MacAddr>;
    /// Whether a port's link is up, as far as is known.
    fn is_up(&self, port: PortId) -> bool;
    /// Whether a neighbour and the link to it live, as far as is known.
    fn lives(&self, neighbour: Neighbour) -> bool;
    /// What an address of ours is; `None` if it is not ours.
    fn address(&self, address: Neighbour) -> Option<addresses::State>;
    /// The link-local address of a port that the controller has not given it.
    fn automatic(&self, port: PortId) -> Option<Ipv6Addr>;
    /// Waits until `done`, though not for ever. No frame goes where it may not if it does not wait; some are dropped that need not be.
    fn wait(&self, done: &dyn Fn() -> bool);
}

/// The single writer of all tables.
pub struct Forwarding {
    snapshot: Snapshot,
    publisher: Publisher,
    fdb: MapWriter<FdbKey>,
    contexts: MapWriter<ContextKey>,
    sources: MapWriter<SourceKey>,
    pairs: PairWriter,
    quiescence: Quiescence,
    vn_indices: IndexPool,
    vap_indices: IndexPool,
    next_hop_indices: IndexPool,
    group_indices: IndexPool,
    /// Groups to be shared out anew.
    stirred: BTreeSet<GroupId>,
    acl_indices: IndexPool,
    /// Ticks a second of the clock that the pollers read.
    hz: u64,
    peer_indices: IndexPool,
}

impl Forwarding {
    /// Empty tables for `fdb_capacity` rows. `seed` should be random; `hz` is how often a second the pollers' clock ticks.
    pub fn new(fdb_capacity: usize, seed: u64, hz: u64) -> Self {
        let snapshot = Snapshot {
            ports: Arc::new(vec![PortEntry::Unused; PortId::LIMIT]),
            peers: Arc::new(Peers::new(seed.rotate_left(11))),
            ..Snapshot::default()
        };
        let publisher = Publisher::default();
        publisher.publish(snapshot.clone());
        Self {
            snapshot,
            publisher,
            fdb: concurrent_map(fdb_capacity, seed),
            contexts: concurrent_map(OBJECTS as usize, seed.rotate_left(21)),
            sources: concurrent_map(SOURCES, seed.rotate_left(42)),
            pairs: PairWriter::new(seed.rotate_left(10)),
            quiescence: Quiescence::default(),
            vn_indices: IndexPool::new(OBJECTS),
            vap_indices: IndexPool::new(OBJECTS),
            next_hop_indices: IndexPool::new(NEXT_HOPS),
            group_indices: IndexPool::new(GROUPS),
            stirred: BTreeSet::new(),
            acl_indices: IndexPool::new(ACLS),
            hz,
            peer_indices: IndexPool::new(PEERS),
        }
    }

    /// Readers for one more poller.
    pub fn readers(&mut self) -> Readers {
        Readers {
            snapshot: self.publisher.reader(),
            fdb: self.fdb.reader(),
            contexts: self.contexts.reader(),
            sources: self.sources.reader(),
            pairs: self.pairs.reader(),
            identification: Cell::new(0),
            quiescence: self.quiescence.reader(),
        }
    }

    /// What there is room for.
    pub fn limits(&mut self) -> Limits {
        Limits {
            rows: self.fdb.capacity(),
            sources: self.sources.capacity(),
            new_peers: self.peer_indices.available(&self.quiescence),
            pairs: PAIRS,
            new_vns: self.vn_indices.available(&self.quiescence),
            new_acls: self.acl_indices.available(&self.quiescence),
            new_vaps: self.vap_indices.available(&self.quiescence),
            new_next_hops: self.next_hop_indices.available(&self.quiescence),
            new_groups: self.group_indices.available(&self.quiescence),
        }
    }

    /// Applies a checked batch; `world` tells what it needs of ports and neighbours.
    pub fn apply(&mut self, model: &mut Model, changes: &Changes, world: &impl World) -> Effects {
        let mut effects = Effects::default();
        self.add_objects(model, changes, world, &mut effects);
        self.leave_lists(model, changes);
        let new_groups = self.regroup(model);
        self.publisher.publish(self.snapshot.clone());
        let new_objects = new_groups
            || changes.vns.sets().next().is_some()
            || changes.vaps.sets().next().is_some()
            || changes.next_hops.sets().next().is_some()
            || changes.sources.sets().next().is_some()
            || changes.joined.sets().next().is_some();
        if new_objects {
            // A poller that saw a row before the object that it names would drop the frame.
            self.let_pollers_catch_up(world);
        }
        self.remove_rows(model, changes);
        self.add_rows(model, changes);
        if let Some(gone) = self.delete_objects(model, changes, world, &mut effects) {
            self.publisher.publish(self.snapshot.clone());
            self.retire(gone);
            // When the batch is answered, what it deleted moves no frame any more: its tag may be given to another VN.
            self.let_pollers_catch_up(world);
        }
        effects
    }

    /// Returns when every poller works with the snapshot that was published last.
    fn let_pollers_catch_up(&self, world: &impl World) {
        let generation = self.quiescence.advance();
        world.wait(&|| self.quiescence.passed(generation));
    }

    fn add_objects(&mut self, model: &mut Model, changes: &Changes, world: &impl World, effects: &mut Effects) {
        for (id, _, spec) in changes.ports.sets() {
            let mac = world.port_mac(*id);
            if model.ports.insert(*id, PortRow { spec: spec.clone(), mac }).is_none() {
                self.set_port(*id, PortEntry::Access(Arc::new(AccessPort::new(mac))));
            }
        }
        for (key, _, spec) in changes.underlays.sets() {
            model.underlays.insert(*key, spec.clone());
        }
        for (prefix, _, gateways) in changes.routes.sets() {
            model.routes.insert(*prefix, gateways.clone());
        }
        for (port, _, tap) in changes.exceptions.sets() {
            if let Some(old) = model.exceptions.insert(*port, *tap).filter(|old| old != tap) {
                self.set_underlay(model, old, world);
            }
            self.set_underlay(model, *tap, world);
            self.set_underlay(model, *port, world);
        }
        for (key, _, _) in changes.underlays.sets() {
            self.set_underlay(model, key.0, world);
        }
        for (_, _, list) in changes.sources.sets() {
            self.number_peers(model, list);
        }
        self.set_acls(model, changes);
        for (id, _, spec) in changes.vns.sets() {
            self.set_vn(model, *id, spec);
        }
        self.join(model, changes, world);
        for (id, _, spec) in changes.vaps.sets() {
            self.set_vap(model, *id, spec.clone(), effects);
        }
        let paths = |model: &Model| {
            let paths = model.paths();
            let to = |spec: &NextHopSpec| paths.of(spec, &|neighbour| world.lives(neighbour));
            changes.next_hops.sets().map(|(id, _, spec)| (*id, spec, to(spec))).collect::<Vec<_>>()
        };
        for (id, spec, path) in if changes.next_hops.sets().next().is_some() { paths(model) } else { Vec::new() } {
            let Some(path) = path else { continue };
            self.set_next_hop(model, id, spec, path, world);
            effects.next_hops_changed = true;
        }
        self.set_groups(model, changes, world);
        for (vn, _, list) in changes.floods.sets() {
            self.set_flood(model, *vn, list.clone());
        }
        for (class, wish) in changes.police.iter() {
            match wish.to {
                Some(rate) => model.police.insert(*class, rate),
                None => model.police.remove(class),
            };
        }
        model.neighbours.extend(changes.neighbours.sets().map(|(neighbour, _, mac)| (*neighbour, *mac)));
    }
}

/// What a row or a list says in the tables.
fn destination(model: &Model, dest: Dest) -> Option<Destination> {
    match dest {
        Dest::Vap(id) => model.vaps.get(&id).map(|row| Destination::Vap(row.index)),
        Dest::NextHop(id) => model.next_hops.get(&id).map(|row| Destination::NextHop(row.index)),
        Dest::Group(id) => model.groups.get(&id).map(|row| Destination::Group(row.index)),
    }
}

/// An index of a VN or a VAP from its pool, which has no more than there are.
fn index(taken: Option<u32>) -> Index {
    taken.map_or(Snapshot::NONE, |index| index as Index)
}

#[cfg(test)]
pub mod tests;
