//! Turning a checked batch into table changes, in an order that no poller can see a dangling reference in.
//!
//! 1. New objects, and lists that name them, go into one new snapshot; objects to be deleted leave the lists.
//! 2. Once the pollers have it, rows that are to go are removed; then rows are added and changed.
//! 3. Objects to be deleted are closed in a second snapshot; their indices rest until every poller has been quiescent.
//!
//! Nothing in here can fail: [`Changes::prepare`] has reserved the room.

mod groups;
mod memory;
mod policy;

use core::cell::Cell;
use core::net::{IpAddr, Ipv6Addr};
use std::collections::BTreeSet;
use std::sync::Arc;

use pipeline::{Counters, Pipeline};
use tables::{
    AccessPort, ContextKey, Destination, FdbKey, Flags, Index, IndexPool, MapReader, MapWriter, NextHopEntry,
    NextHopIndex, PairReader, PairWriter, Peers, PortEntry, Publisher, Quiescence, QuiescentReader, Snapshot,
    SnapshotReader, Source, SourceKey, UnderlayPort, Unknown, VapEntry, VapMeters, VnEntry, concurrent_map,
};
use types::{GroupId, MacAddr, NextHopId, PortId, Selector, VapId, VnId};
use wire::ETHERNET_HEADER;

use crate::addresses;
use crate::model::{
    ACLS, Changes, Limits, Model, NextHopRow, NextHopSpec, Path, PeerRow, PortRow, RowSpec, VapRow, VapSpec, VnRow,
    VnSpec,
};
use crate::neighbour::Neighbour;
use crate::schema::{self, Dest, DscpOut};

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

/// What a poller reads.
pub struct Readers {
    /// The small tables.
    pub snapshot: SnapshotReader,
    /// Overlay MACs.
    pub fdb: MapReader<FdbKey>,
    /// Context IDs.
    pub contexts: MapReader<ContextKey>,
    /// Permitted sources.
    pub sources: MapReader<SourceKey>,
    /// IP-MAC pairs.
    pub pairs: PairReader,
    /// The IPv4 identification of the last packet that it sent and routers may fragment.
    pub identification: Cell<u16>,
    /// Its word on what it no longer holds.
    pub quiescence: QuiescentReader,
}

impl Readers {
    /// The pipeline over what the tables hold now, in this era, counting into `counters`, with what was sent until `now` in `meters`.
    #[inline]
    pub fn pipeline<'a>(
        &'a mut self,
        counters: Counters<'a>,
        era: u16,
        (meters, now): (&'a VapMeters, u64),
    ) -> Pipeline<'a> {
        Pipeline {
            snapshot: self.snapshot.load(),
            fdb: &self.fdb,
            contexts: &self.contexts,
            sources: &self.sources,
            pairs: self.pairs.load(),
            meters,
            now,
            era,
            identification: &self.identification,
            counters,
        }
    }
}

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

/// Indices of deleted objects.
#[derive(Default)]
struct Gone {
    vaps: Vec<Index>,
    next_hops: Vec<NextHopIndex>,
    groups: Vec<NextHopIndex>,
    vns: Vec<Index>,
    acls: Vec<Index>,
    peers: Vec<u32>,
}

/// What applying a batch needs to know of ports and neighbours.
pub trait World {
    /// The MAC of an open port.
    fn port_mac(&self, port: PortId) -> MacAddr;
    /// The MAC of a neighbour, if it is known.
    fn neighbour_mac(&self, neighbour: Neighbour) -> Option<MacAddr>;
    /// Whether a neighbour and the link to it live, as far as is known.
    fn lives(&self, neighbour: Neighbour) -> bool;
    /// What an address of ours is; `None` if it is not ours.
    fn address(&self, address: Neighbour) -> Option<addresses::State>;
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
    /// Ports whose link is down, a bit each.
    links_down: u64,
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
            links_down: 0,
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
            || changes.sources.sets().next().is_some();
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
        for (id, _, spec) in changes.vaps.sets() {
            self.set_vap(model, *id, spec.clone(), effects);
        }
        let paths = |model: &Model| {
            let paths = model.paths();
            let to = |spec: &NextHopSpec| paths.to(spec.remote, &|neighbour| world.lives(neighbour));
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

    /// Writes a port's entry anew: that of an underlay port if it has addresses, of a kernel's end if it is one, else of a port for tenants.
    fn set_underlay(&mut self, model: &Model, port: PortId, world: &impl World) {
        let mac = model.ports.get(&port).map_or_else(MacAddr::default, |row| row.mac);
        let vlan = |port| model.vlan(port).unwrap_or(0);
        let v4 = model.addresses(port).filter_map(|spec| if let IpAddr::V4(ip) = spec.ip { Some(ip) } else { None });
        let v6 = |state| {
            let all =
                model.addresses(port).filter_map(|spec| if let IpAddr::V6(ip) = spec.ip { Some(ip) } else { None });
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
            self.write_next_hop(model, row, usable(world, row));
        }
        self.publisher.publish(self.snapshot.clone());
    }

    /// Links or gateways came or went; tells whether the way to somebody has changed.
    pub fn redirect(&mut self, model: &mut Model, world: &impl World) -> bool {
        let changed = self.reroute(model, world);
        if changed {
            self.publisher.publish(self.snapshot.clone());
        }
        changed
    }

    /// Gives every IPv6 address of a list a number, if it has none.
    fn number_peers(&mut self, model: &mut Model, list: &[IpAddr]) {
        for ip in list {
            let IpAddr::V6(ip) = ip else { continue };
            if !model.peers.contains_key(ip) {
                let index = self.peer_indices.take(&self.quiescence).unwrap_or(Peers::NOBODY);
                Arc::make_mut(&mut self.snapshot.peers).insert(*ip, index);
                model.peers.insert(*ip, PeerRow { index, users: 0 });
            }
        }
    }

    fn set_vn(&mut self, model: &mut Model, id: VnId, spec: &VnSpec) {
        let index = match model.vns.get(&id) {
            Some(row) => row.index,
            None => index(self.vn_indices.take(&self.quiescence)),
        };
        let asked = self.bind_vn(model, index, &spec.options);
        let entry = self.snapshot.vns.slot(index);
        entry.max_frame = spec.mtu + ETHERNET_HEADER as u16;
        entry.unknown = match spec.options.unknown {
            schema::Unknown::Drop => Unknown::Drop,
            schema::Unknown::Query => Unknown::Query,
            schema::Unknown::Flood => Unknown::Flood,
        };
        entry.flags = asked
            .with_if(spec.options.learn, Flags::LEARN_REMOTE)
            .with_if(spec.options.suppress, Flags::SUPPRESS)
            .with_if(spec.options.strict, Flags::STRICT)
            .with_if(spec.options.dscp_out == DscpOut::Uniform, Flags::DSCP_OUT);
        model.vn_at.insert(index, id);
        let row = model.vns.entry(id).or_insert_with(|| VnRow { index, ..VnRow::default() });
        // The old VNI, if it differs, is withdrawn with the rows; `spec` is set there.
        row.spec.mtu = spec.mtu;
    }

    fn set_vap(&mut self, model: &mut Model, id: VapId, spec: VapSpec, effects: &mut Effects) {
        let Some(vn) = model.vns.get_mut(&spec.vn) else { return };
        let vn_index = vn.index;
        let index = match model.vaps.get_mut(&id) {
            Some(row) => {
                row.spec = spec.clone();
                row.index
            }
            None => {
                let index = index(self.vap_indices.take(&self.quiescence));
                effects.new_vaps.push((id, index));
                model
                    .vaps
                    .insert(id, VapRow { index, spec: spec.clone(), rows: 0, counters_before: Default::default() });
                model.vap_at.insert(index, id);
                // A VAP keeps its VN, port and selector for life.
                model.selector_holders.insert((spec.port, spec.selector), id);
                vn.vaps.insert(id);
                self.select(spec.port, spec.selector, index);
                index
            }
        };
        let asked = self.bind_vap(model, index, &spec.options);
        let entry = VapEntry {
            port: spec.port.0,
            vn: vn_index,
            flags: asked
                .with_if(spec.guard, Flags::GUARD)
                .with_if(spec.learn, Flags::LEARN)
                .with_if(spec.reflect, Flags::REFLECT),
            tags: spec.tags,
            ..VapEntry::CLOSED
        }
        .selected_by(spec.selector);
        *self.snapshot.vaps.slot(index) = entry;
        self.list_vaps(model, spec.vn);
    }

    /// Makes `index` the VAP of what `selector` selects; [`Snapshot::NONE`] makes it nobody's.
    fn select(&mut self, port: PortId, selector: Selector, index: Index) {
        let entry = Arc::make_mut(&mut self.snapshot.ports).get_mut(usize::from(port.0));
        if let Some(PortEntry::Access(port)) = entry {
            Arc::make_mut(port).select(selector, index);
        }
    }

    /// Writes a VN's VAPs and its uplink into its entry.
    fn list_vaps(&mut self, model: &Model, id: VnId) {
        let Some(vn) = model.vns.get(&id) else { return };
        let rows = || vn.vaps.iter().filter_map(|vap| model.vaps.get(vap));
        let entry = self.snapshot.vns.slot(vn.index);
        entry.vaps = rows().map(|row| row.index).collect();
        entry.uplink = rows().find(|row| row.spec.uplink).map_or(Snapshot::NONE, |row| row.index);
    }

    fn set_next_hop(&mut self, model: &mut Model, id: NextHopId, spec: &NextHopSpec, path: Path, world: &impl World) {
        let row = match model.next_hops.get(&id) {
            Some(row) => NextHopRow { spec: spec.clone(), path, ..row.clone() },
            None => {
                let index = self.next_hop_indices.take(&self.quiescence).unwrap_or_default();
                NextHopRow { index, spec: spec.clone(), path, users: 0, groups: BTreeSet::new(), alive: true }
            }
        };
        *self.snapshot.remotes.slot(row.index as usize) = Some(spec.remote);
        self.write_next_hop(model, &row, usable(world, &row));
        model.next_hops.insert(id, row);
    }

    /// Writes a next hop's ready-made header, or that there is none.
    fn write_next_hop(&mut self, model: &Model, row: &NextHopRow, mac: Option<MacAddr>) {
        if !self.may_live(row) {
            return self.put_next_hop(row, NextHopEntry::DOWN);
        }
        let entry = mac.and_then(|mac| {
            let port = model.ports.get(&row.path.port)?;
            let ends = [(port.mac, row.path.source), (mac, row.spec.remote)];
            row.spec.tunnel(ends, row.path.port, model.vlan(row.path.port), port.spec.mtu).entry()
        });
        let entry = entry.unwrap_or(NextHopEntry { port: row.path.port.0, ..NextHopEntry::UNRESOLVED });
        self.put_next_hop(row, entry);
    }

    /// Finds the way to every next hop anew, and tells whether one has changed.
    fn reroute(&mut self, model: &mut Model, world: &impl World) -> bool {
        let paths = model.paths();
        let to = |remote| paths.to(remote, &|neighbour| world.lives(neighbour));
        let all = model.next_hops.iter().map(|(id, row)| (*id, row.path, to(row.spec.remote)));
        let changed: Vec<_> =
            all.filter_map(|(id, old, new)| new.filter(|new| *new != old).map(|path| (id, path))).collect();
        for (id, path) in &changed {
            let Some(row) = model.next_hops.get_mut(id) else { continue };
            row.path = *path;
            let row = row.clone();
            self.write_next_hop(model, &row, usable(world, &row));
        }
        self.regroup(model);
        !changed.is_empty()
    }

    fn set_flood(&mut self, model: &mut Model, id: VnId, list: Vec<Dest>) {
        let Some(vn) = model.vns.get_mut(&id) else { return };
        let old = core::mem::replace(&mut vn.flood, list.clone());
        let index = vn.index;
        old.into_iter().for_each(|dest| model.count_use(dest, -1));
        list.iter().for_each(|dest| model.count_use(*dest, 1));
        let indices = list.iter().filter_map(|dest| destination(model, *dest)).collect();
        self.snapshot.vns.slot(index).flood = indices;
    }

    /// What is to be deleted is named by no list from the first snapshot on.
    fn leave_lists(&mut self, model: &mut Model, changes: &Changes) {
        for (id, _) in changes.vaps.dels() {
            let Some(vn_id) = model.vaps.get(id).map(|row| row.spec.vn) else { continue };
            if let Some(vn) = model.vns.get_mut(&vn_id) {
                vn.vaps.remove(id);
            }
            self.list_vaps(model, vn_id);
        }
        for (id, _) in changes.vns.dels() {
            self.set_flood(model, *id, Vec::new());
        }
    }

    fn remove_rows(&mut self, model: &mut Model, changes: &Changes) {
        for (id, _) in changes.vns.dels() {
            let Some(vn) = model.vns.get_mut(id) else { continue };
            let (index, rows, sources) = (vn.index, core::mem::take(&mut vn.rows), core::mem::take(&mut vn.sources));
            let pairs = core::mem::take(&mut vn.pairs);
            if let Some(vni) = vn.spec.vni.take() {
                self.contexts.remove(ContextKey(vni));
                model.vni_holders.remove(&vni);
            }
            model.row_count -= rows.len();
            model.source_count -= sources.len();
            for source in sources {
                self.forbid(model, index, source);
            }
            model.pair_count -= pairs.len();
            for ip in pairs.into_keys() {
                self.pairs.remove(index, ip);
            }
            for (mac, dest) in rows {
                self.fdb.remove(FdbKey::new(index, mac));
                model.ageing.set(*id, mac, 0);
                model.count_use(dest, -1);
            }
        }
        for (id, _, spec) in changes.vns.sets() {
            let Some(vn) = model.vns.get_mut(id) else { continue };
            if let Some(old) = vn.spec.vni.filter(|old| spec.vni != Some(*old)) {
                self.contexts.remove(ContextKey(old));
                model.vni_holders.remove(&old);
                vn.spec.vni = None;
            }
        }
        for ((vn_id, mac), _) in changes.rows.dels() {
            let Some(vn) = model.vns.get_mut(vn_id) else { continue };
            if let Some(dest) = vn.rows.remove(mac) {
                self.fdb.remove(FdbKey::new(vn.index, *mac));
                model.ageing.set(*vn_id, *mac, 0);
                model.row_count -= 1;
                model.count_use(dest, -1);
            }
        }
        for ((vn_id, ip), _) in changes.pairs.dels() {
            let Some(vn) = model.vns.get_mut(vn_id) else { continue };
            if vn.pairs.remove(ip).is_some() {
                self.pairs.remove(vn.index, *ip);
                model.pair_count -= 1;
            }
        }
        for (id, _, list) in changes.sources.sets() {
            let Some(vn) = model.vns.get_mut(id) else { continue };
            let gone: Vec<_> =
                vn.sources.iter().filter(|source| list.binary_search(source).is_err()).copied().collect();
            for source in &gone {
                vn.sources.remove(source);
            }
            let index = vn.index;
            model.source_count -= gone.len();
            gone.into_iter().for_each(|source| self.forbid(model, index, source));
        }
    }

    /// Takes a source's permission to send into a VN away.
    fn forbid(&mut self, model: &mut Model, vn: Index, source: IpAddr) {
        if let Some(number) = count_peer(model, source, -1) {
            self.sources.remove(SourceKey::new(vn, number));
        }
    }

    fn add_rows(&mut self, model: &mut Model, changes: &Changes) {
        for (id, _, list) in changes.sources.sets() {
            let Some(vn) = model.vns.get_mut(id) else { continue };
            let index = vn.index;
            let new: Vec<_> = list.iter().filter(|source| vn.sources.insert(**source)).copied().collect();
            model.source_count += new.len();
            for source in new {
                if let Some(number) = count_peer(model, source, 1) {
                    reserved(self.sources.insert(SourceKey::new(index, number), 1));
                }
            }
        }
        for (id, _, spec) in changes.vns.sets() {
            let Some(vn) = model.vns.get_mut(id) else { continue };
            vn.spec = spec.clone();
            if let Some(vni) = spec.vni {
                model.vni_holders.insert(vni, *id);
                reserved(self.contexts.insert(ContextKey(vni), vn.index.into()));
            }
        }
        for ((vn_id, ip), _, mac) in changes.pairs.sets() {
            let Some(vn) = model.vns.get_mut(vn_id) else { continue };
            if vn.pairs.insert(*ip, *mac).is_none() {
                model.pair_count += 1;
            }
            self.pairs.insert(vn.index, *ip, *mac);
        }
        for ((vn_id, mac), _, RowSpec { dest, age_s }) in changes.rows.sets() {
            let destination = destination(model, *dest);
            let (Some(vn), Some(destination)) = (model.vns.get_mut(vn_id), destination) else { continue };
            let old = vn.rows.insert(*mac, *dest);
            if old == Some(*dest) && model.ageing.age_s(*vn_id, *mac) == *age_s {
                continue;
            }
            let key = FdbKey::new(vn.index, *mac);
            reserved(self.fdb.insert(key, destination.pack()));
            self.fdb.watch(key, *age_s != 0);
            model.ageing.set(*vn_id, *mac, *age_s);
            match old {
                Some(old) => model.count_use(old, -1),
                None => model.row_count += 1,
            }
            model.count_use(*dest, 1);
        }
    }

    /// Closes and forgets what is to be deleted; the indices that go with the next snapshot, or `None` if it would be the same.
    fn delete_objects(
        &mut self,
        model: &mut Model,
        changes: &Changes,
        world: &impl World,
        effects: &mut Effects,
    ) -> Option<Gone> {
        let mut gone = Gone::default();
        for (id, _) in changes.vaps.dels() {
            let Some(row) = model.vaps.remove(id) else { continue };
            *self.snapshot.vaps.slot(row.index) = VapEntry::CLOSED;
            let (port, selector) = (row.spec.port, row.spec.selector);
            if model.selector_holders.get(&(port, selector)) == Some(id) {
                model.selector_holders.remove(&(port, selector));
                self.select(port, selector, Snapshot::NONE);
            }
            model.vap_at.remove(&row.index);
            gone.vaps.push(row.index);
        }
        self.delete_groups(model, changes, &mut gone);
        for (id, _) in changes.next_hops.dels() {
            let Some(row) = model.next_hops.remove(id) else { continue };
            *self.snapshot.next_hops.slot(row.index as usize) = NextHopEntry::UNRESOLVED;
            *self.snapshot.remotes.slot(row.index as usize) = None;
            effects.next_hops_changed = true;
            gone.next_hops.push(row.index);
        }
        for (id, _) in changes.vns.dels() {
            let Some(row) = model.vns.remove(id) else { continue };
            model.vn_at.remove(&row.index);
            *self.snapshot.vns.slot(row.index) = VnEntry::default();
            gone.vns.push(row.index);
        }
        if changes.sources.iter().next().is_some() || !gone.vns.is_empty() {
            let unused: Vec<Ipv6Addr> =
                model.peers.iter().filter(|(_, row)| row.users == 0).map(|(address, _)| *address).collect();
            for address in unused {
                Arc::make_mut(&mut self.snapshot.peers).remove(address);
                gone.peers.extend(model.peers.remove(&address).map(|row| row.index));
            }
        }
        gone.acls = self.delete_acls(model, changes);
        let mut any = !(gone.acls.is_empty()
            && gone.vaps.is_empty()
            && gone.next_hops.is_empty()
            && gone.groups.is_empty()
            && gone.vns.is_empty()
            && gone.peers.is_empty());
        for (key, _) in changes.underlays.dels() {
            if model.underlays.remove(key).is_some() {
                self.set_underlay(model, key.0, world);
                any = true;
            }
        }
        for (prefix, _) in changes.routes.dels() {
            model.routes.remove(prefix);
        }
        for (port, _) in changes.exceptions.dels() {
            if let Some(tap) = model.exceptions.remove(port) {
                self.set_underlay(model, tap, world);
                self.set_underlay(model, *port, world);
                any = true;
            }
        }
        if changes.underlays.iter().next().is_some() || changes.routes.iter().next().is_some() {
            effects.next_hops_changed = true;
            any |= self.reroute(model, world);
        }
        for (neighbour, _) in changes.neighbours.dels() {
            model.neighbours.remove(neighbour);
        }
        for (id, _) in changes.ports.dels() {
            if model.ports.remove(id).is_some() {
                self.set_port(*id, PortEntry::Unused);
                self.links_down &= !(1 << (id.0 % 64));
                any = true;
                effects.closed_ports.push(*id);
            }
        }
        any.then_some(gone)
    }

    /// Lets indices rest until no poller can hold them. Only after the snapshot without them is out: a poller that was quiescent before, and
    /// then took the old one, would count as having let go.
    fn retire(&mut self, gone: Gone) {
        let generation = self.quiescence.advance();
        gone.vaps.into_iter().for_each(|index| self.vap_indices.retire(index.into(), generation));
        gone.next_hops.into_iter().for_each(|index| self.next_hop_indices.retire(index, generation));
        gone.groups.into_iter().for_each(|index| self.group_indices.retire(index, generation));
        gone.vns.into_iter().for_each(|index| self.vn_indices.retire(index.into(), generation));
        gone.acls.into_iter().for_each(|index| self.acl_indices.retire(index.into(), generation));
        gone.peers.into_iter().for_each(|index| self.peer_indices.retire(index, generation));
    }

    /// What pollers noted of a row; see [`MapWriter::seen`].
    pub fn seen(&self, vn: Index, mac: MacAddr) -> Option<u16> {
        self.fdb.seen(FdbKey::new(vn, mac))
    }

    fn set_port(&mut self, port: PortId, entry: PortEntry) {
        if let Some(slot) = Arc::make_mut(&mut self.snapshot.ports).get_mut(usize::from(port.0)) {
            *slot = entry;
        }
    }

    /// A neighbour's MAC became known, changed or was lost: every next hop to it is written anew.
    pub fn resolve(&mut self, model: &Model, neighbour: Neighbour, world: &impl World) {
        for row in model.next_hops.values().filter(|row| row.path.to() == neighbour) {
            self.write_next_hop(model, row, usable(world, row));
        }
        self.regroup(model);
        self.publisher.publish(self.snapshot.clone());
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

/// The MAC that a next hop's frames go to, if it is known and they may be sent from our address.
fn usable(world: &impl World, row: &NextHopRow) -> Option<MacAddr> {
    let is_ours = world.address((row.path.port, row.path.source)) == Some(addresses::State::Preferred);
    world.neighbour_mac(row.path.to()).filter(|_| is_ours)
}

/// The number of a source, which one VN more or less names.
fn count_peer(model: &mut Model, source: IpAddr, change: isize) -> Option<Source> {
    match source {
        IpAddr::V4(ip) => Some(Source::V4(ip)),
        IpAddr::V6(ip) => model.peers.get_mut(&ip).map(|row| {
            row.users = row.users.saturating_add_signed(change);
            Source::V6(row.index)
        }),
    }
}

/// The room for it was reserved when the batch was checked.
fn reserved<T, E: core::fmt::Debug>(result: Result<T, E>) {
    debug_assert!(result.is_ok(), "{:?}", result.err());
}

#[cfg(test)]
pub mod tests;
