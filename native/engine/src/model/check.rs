//! Whether a batch can be applied: every reference holds in the state that the batch leads to, and there is room for it.
//!
//! The order of a batch's commands does not matter, so everything is asked of the state *after* it: an object is there if the batch
//! makes it, or if it is there and the batch does not delete it.

mod acls;
mod underlay;

use core::net::IpAddr;
mod groups;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use types::{NextHopId, PortId, VapId, VnId};

use super::changes::{Changes, PortSpec, RowSpec, UnderlaySpec, VapSpec, VnSpec};
use super::paths::Paths;
use super::wishes::Wishes;
use super::{Model, NextHopRow};
use crate::error::{EngineError, Object};
use crate::schema::{Command, Dest};

/// What the tables can hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// FDB rows.
    pub rows: usize,
    /// Permitted sources, all VNs together.
    pub sources: usize,
    /// Further IPv6 addresses of permitted sources, now.
    pub new_peers: usize,
    /// IP-MAC pairs, all VNs together.
    pub pairs: usize,
    /// Further VNs, now.
    pub new_vns: usize,
    /// Further VAPs, now.
    pub new_vaps: usize,
    /// Further access lists, now.
    pub new_acls: usize,
    /// Further next hops, now.
    pub new_next_hops: usize,
    /// Further groups, now.
    pub new_groups: usize,
}

/// What was refused: the command's index, and why.
pub type Refused = Vec<(usize, EngineError)>;

impl Changes {
    /// Sorts and checks a batch: either all of it can be applied, or every command at fault gets one error.
    pub fn prepare(commands: Vec<Command>, model: &Model, limits: &Limits) -> Result<Self, Refused> {
        let (changes, mut refused) = Self::sort(commands);
        refused.extend(changes.check(model, limits));
        refused.sort_by_key(|(at, _)| *at);
        refused.dedup_by_key(|(at, _)| *at);
        if refused.is_empty() { Ok(changes) } else { Err(refused) }
    }

    fn check(&self, model: &Model, limits: &Limits) -> Refused {
        let after = After { model, changes: self, unnamed: self.unnamed(model), paths: self.paths(model) };
        let mut refused = Refused::new();
        after.ports(&mut refused);
        after.links(&mut refused);
        after.vns(&mut refused);
        after.vaps(&mut refused);
        after.underlays(&mut refused);
        after.next_hops(&mut refused);
        after.neighbours(&mut refused);
        after.routes(&mut refused);
        after.exceptions(&mut refused);
        after.rows(&mut refused);
        after.lists(&mut refused);
        after.groups(limits, &mut refused);
        after.acls(limits, &mut refused);
        after.bursts(&mut refused);
        after.room(limits, &mut refused);
        refused
    }

    /// The ways after the batch.
    fn paths<'a>(&'a self, model: &'a Model) -> Paths<'a> {
        let kept = model.underlays.iter().filter(|(key, _)| !self.underlays.names(key));
        let links = kept.chain(self.underlays.sets().map(|(key, _, spec)| (key, spec)));
        Paths::new(links.map(|(key, spec)| (*key, spec)), underlay::routes_after(self, model))
    }

    /// How often the batch takes back a naming of each destination: rows deleted or changed, flood lists replaced, VNs swept.
    fn unnamed(&self, model: &Model) -> HashMap<Dest, usize> {
        let mut unnamed = HashMap::new();
        let mut count = |dest| *unnamed.entry(dest).or_insert(0) += 1;
        let deleted = |vn: &VnId| self.vns.deletes(vn);
        for ((vn, mac), wish) in self.rows.iter() {
            match model.row(*vn, *mac) {
                Some(old) if wish.to.map(|to| to.dest) != Some(old) && !deleted(vn) => count(old),
                _ => {}
            }
        }
        for vn in self.floods.keys().filter(|vn| !deleted(vn)) {
            model.vns.get(vn).iter().flat_map(|row| &row.flood).for_each(|dest| count(*dest));
        }
        for row in self.vns.dels().filter_map(|(vn, _)| model.vns.get(vn)) {
            row.rows.values().for_each(|dest| count(*dest));
            row.flood.iter().for_each(|dest| count(*dest));
        }
        for row in self.groups.keys().filter_map(|id| model.groups.get(id)) {
            row.members.iter().for_each(|(id, _)| count(Dest::NextHop(*id)));
        }
        unnamed
    }
}

struct After<'a> {
    model: &'a Model,
    changes: &'a Changes,
    unnamed: HashMap<Dest, usize>,
    paths: Paths<'a>,
}

/// The object `key` after the batch: what the batch wishes, else what is there.
fn after<'a, K: Ord, T, R>(
    wishes: &'a Wishes<K, T>,
    rows: &'a BTreeMap<K, R>,
    key: &K,
    spec: fn(&R) -> &T,
) -> Option<&'a T> {
    match wishes.get(key) {
        Some(wish) => wish.to.as_ref(),
        None => rows.get(key).map(spec),
    }
}

impl<'a> After<'a> {
    fn port(&self, id: PortId) -> Option<&'a PortSpec> {
        after(&self.changes.ports, &self.model.ports, &id, |row| &row.spec)
    }
    fn vn(&self, id: VnId) -> Option<&'a VnSpec> {
        after(&self.changes.vns, &self.model.vns, &id, |row| &row.spec)
    }
    fn vap(&self, id: VapId) -> Option<&'a VapSpec> {
        after(&self.changes.vaps, &self.model.vaps, &id, |row| &row.spec)
    }
    fn has_next_hop(&self, id: NextHopId) -> bool {
        after(&self.changes.next_hops, &self.model.next_hops, &id, |row: &NextHopRow| &row.spec).is_some()
    }

    /// VAPs after the batch.
    fn vaps_after(&self) -> impl Iterator<Item = (VapId, &'a VapSpec)> {
        let kept =
            self.model.vaps.iter().filter(|(id, _)| !self.changes.vaps.names(id)).map(|(id, row)| (*id, &row.spec));
        kept.chain(self.changes.vaps.sets().map(|(id, _, spec)| (*id, spec)))
    }

    /// Next hops after the batch, and their remotes.
    fn next_hops_after(&self) -> impl Iterator<Item = (NextHopId, IpAddr)> {
        let rows = self.model.next_hops.iter().filter(|(id, _)| !self.changes.next_hops.names(id));
        let kept = rows.map(|(id, row)| (*id, row.spec.remote));
        kept.chain(self.changes.next_hops.sets().map(|(id, _, spec)| (*id, spec.remote)))
    }

    fn ports(&self, refused: &mut Refused) {
        for (id, at, spec) in self.changes.ports.sets() {
            let object = Object::Port(*id);
            match self.model.ports.get(id) {
                Some(row) if row.spec.kind != spec.kind => {
                    refused.push((at, EngineError::Immutable { object, field: "kind" }))
                }
                Some(row) if row.spec.mtu != spec.mtu => {
                    refused.push((at, EngineError::Immutable { object, field: "mtu" }))
                }
                _ => {}
            }
        }
        for (id, at) in self.changes.ports.dels() {
            let vap = self.vaps_after().find(|(_, spec)| spec.port == *id).map(|(vap, _)| Object::Vap(vap));
            let by = vap.or_else(|| self.underlay(*id)).or_else(|| self.exception_over(*id));
            if let Some(by) = by {
                refused.push((at, EngineError::InUse { object: Object::Port(*id), by }));
            }
        }
    }

    fn links(&self, refused: &mut Refused) {
        for (id, at, ()) in self.changes.down.sets() {
            match self.port(*id) {
                None => refused.push((at, EngineError::Absent { object: Object::Port(*id) })),
                Some(spec) if !spec.has_settable_link() => {
                    let expected = "the port of a driver that takes its link down: net_tap, pci or devargs";
                    refused.push((at, EngineError::OutOfRange { field: "port", got: spec.driver().into(), expected }));
                }
                Some(_) => {}
            }
        }
    }

    fn vns(&self, refused: &mut Refused) {
        let mut claimed = HashMap::new();
        for (id, at, spec) in self.changes.vns.sets() {
            let Some(vni) = spec.vni else { continue };
            // Whoever has the VNI keeps it unless the batch says otherwise.
            let held = self.model.vni_holders.get(&vni).filter(|holder| !self.changes.vns.names(holder)).copied();
            if let Some(holder) = held.or_else(|| claimed.insert(vni, *id)).filter(|holder| holder != id) {
                refused.push((at, EngineError::Taken { what: format!("vni {vni}"), holder: Object::Vn(holder) }));
            }
        }
        for (id, at) in self.changes.vns.dels() {
            let kept =
                self.model.vns.get(id).into_iter().flat_map(|row| &row.vaps).find(|vap| !self.changes.vaps.names(vap));
            if let Some(vap) = kept {
                refused.push((at, EngineError::InUse { object: Object::Vn(*id), by: Object::Vap(*vap) }));
            }
        }
        for (id, at, spec) in self.changes.vns.sets() {
            for vap in self.model.vns.get(id).into_iter().flat_map(|row| &row.vaps) {
                let port = self.vap(*vap).map(|vap| vap.port);
                refused.extend(port.and_then(|port| self.fits(*vap, spec.mtu, port)).map(|error| (at, error)));
            }
        }
    }

    /// A VN's frames must fit every port it has a VAP on.
    fn fits(&self, vap: VapId, needed: u16, port: PortId) -> Option<EngineError> {
        let mtu = self.port(port)?.mtu;
        let (object, port) = (Object::Vap(vap), Object::Port(port));
        (needed > mtu).then_some(EngineError::PortMtu { object, port, needed, mtu })
    }

    fn vaps(&self, refused: &mut Refused) {
        let mut claimed = HashMap::new();
        let mut uplinks: HashMap<VnId, VapId> = HashMap::new();
        if self.changes.vaps.sets().any(|(_, _, spec)| spec.uplink) {
            let kept = self.model.vaps.iter().filter(|(id, row)| row.spec.uplink && !self.changes.vaps.names(id));
            uplinks.extend(kept.map(|(id, row)| (row.spec.vn, *id)));
        }
        for (id, at, spec) in self.changes.vaps.sets() {
            let mut refuse = |error| refused.push((at, error));
            let object = Object::Vap(*id);
            if let Some(row) = self.model.vaps.get(id) {
                let place = |spec: &VapSpec| (spec.vn, spec.port, spec.selector);
                if place(&row.spec) != place(spec) {
                    refuse(EngineError::Immutable { object, field: "vn, port or selector" });
                    continue;
                }
            }
            match self.vn(spec.vn) {
                None => refuse(EngineError::Absent { object: Object::Vn(spec.vn) }),
                Some(vn) => self.fits(*id, vn.mtu, spec.port).into_iter().for_each(&mut refuse),
            }
            if self.port(spec.port).is_none() {
                refuse(EngineError::Absent { object: Object::Port(spec.port) });
            } else if let Some(holder) = self.underlay(spec.port).or_else(|| self.exception_over(spec.port)) {
                refuse(EngineError::Taken { what: format!("port {}", spec.port), holder });
            }
            let selector = (spec.port, spec.selector);
            let held =
                self.model.selector_holders.get(&selector).filter(|holder| !self.changes.vaps.names(holder)).copied();
            if let Some(holder) = held.or_else(|| claimed.insert(selector, *id)).filter(|holder| holder != id) {
                let what = format!("{} of port {}", spec.selector, spec.port);
                refuse(EngineError::Taken { what, holder: Object::Vap(holder) });
            }
            let holder = if spec.uplink { uplinks.insert(spec.vn, *id) } else { None };
            if let Some(holder) = holder.filter(|holder| holder != id) {
                let what = format!("the uplink of vn {}", spec.vn);
                refuse(EngineError::Taken { what, holder: Object::Vap(holder) });
            }
        }
        for (id, at) in self.changes.vaps.dels() {
            let Some(row) = self.model.vaps.get(id) else { continue };
            let unnamed = self.unnamed.get(&Dest::Vap(*id)).copied().unwrap_or(0);
            if row.rows > unnamed {
                let by = self.row_naming(row.spec.vn, Dest::Vap(*id));
                refused.push((at, EngineError::InUse { object: Object::Vap(*id), by }));
            }
        }
    }

    /// A row of `vn` that names `dest` and that the batch does not change.
    fn row_naming(&self, vn: VnId, dest: Dest) -> Object {
        let rows = self.model.vns.get(&vn).into_iter().flat_map(|row| &row.rows);
        let mac =
            rows.filter(|(mac, to)| **to == dest && !self.changes.rows.names(&(vn, **mac))).map(|(mac, _)| *mac).next();
        mac.map_or(Object::Vn(vn), |mac| Object::Row(vn, mac))
    }

    fn next_hops(&self, refused: &mut Refused) {
        for (id, at, spec) in self.changes.next_hops.sets() {
            // A poller reads rows and next hops at different moments. If one could change, a row of a VN might name it before it means
            // what the row needs, or after it ceased to: the frame would leave under another VN's Context ID.
            if self.model.next_hops.get(id).is_some_and(|row| row.spec != *spec) {
                let field = "remote or context_id";
                refused.push((at, EngineError::Immutable { object: Object::NextHop(*id), field }));
            }
            if self.paths.to(spec.remote, &|_| true).is_none() {
                refused.push((at, EngineError::OffLink { remote: spec.remote }));
            }
        }
        for (id, at) in self.changes.next_hops.dels() {
            let Some(row) = self.model.next_hops.get(id) else { continue };
            if row.users > self.unnamed.get(&Dest::NextHop(*id)).copied().unwrap_or(0) {
                let by = self.user_of(Dest::NextHop(*id));
                refused.push((at, EngineError::InUse { object: Object::NextHop(*id), by }));
            }
        }
    }

    /// Who names a next hop or a group.
    fn user_of(&self, dest: Dest) -> Object {
        for (vn, row) in self.model.vns.iter().filter(|(vn, _)| !self.changes.vns.names(vn)) {
            if row.flood.contains(&dest) && !self.changes.floods.names(vn) {
                return Object::Flood(*vn);
            }
            if let Object::Row(vn, mac) = self.row_naming(*vn, dest) {
                return Object::Row(vn, mac);
            }
        }
        match dest {
            Dest::NextHop(id) => self.group_naming(id).unwrap_or(Object::NextHop(id)),
            Dest::Group(id) => Object::Group(id),
            Dest::Vap(id) => Object::Vap(id),
        }
    }

    /// What `dest` names, if it is not there.
    fn absent(&self, dest: Dest) -> Option<Object> {
        match dest {
            Dest::Vap(id) => self.vap(id).is_none().then_some(Object::Vap(id)),
            Dest::NextHop(id) => (!self.has_next_hop(id)).then_some(Object::NextHop(id)),
            Dest::Group(id) => (!self.has_group(id)).then_some(Object::Group(id)),
        }
    }

    fn rows(&self, refused: &mut Refused) {
        for ((vn, _), at, RowSpec { dest, .. }) in self.changes.rows.sets() {
            if self.vn(*vn).is_none() {
                refused.push((at, EngineError::Absent { object: Object::Vn(*vn) }));
                continue;
            }
            if let Some(object) = self.absent(*dest) {
                refused.push((at, EngineError::Absent { object }));
            } else if let Dest::Vap(id) = dest
                && let Some(spec) = self.vap(*id).filter(|spec| spec.vn != *vn)
            {
                let what = format!("vap {id}");
                refused.push((at, EngineError::Taken { what, holder: Object::Vn(spec.vn) }));
            }
        }
    }

    fn lists(&self, refused: &mut Refused) {
        for (vn, at, dests) in self.changes.floods.sets() {
            if self.vn(*vn).is_none() {
                refused.push((at, EngineError::Absent { object: Object::Vn(*vn) }));
            } else if let Some(object) = dests.iter().find_map(|dest| self.absent(*dest)) {
                refused.push((at, EngineError::Absent { object }));
            }
        }
        let pairs = self.changes.pairs.sets().map(|((vn, _), at, _)| (vn, at));
        for (vn, at) in self.changes.sources.sets().map(|(vn, at, _)| (vn, at)).chain(pairs) {
            if self.vn(*vn).is_none() {
                refused.push((at, EngineError::Absent { object: Object::Vn(*vn) }));
            }
        }
    }

    fn room(&self, limits: &Limits, refused: &mut Refused) {
        let swept = || self.changes.vns.dels().filter_map(|(vn, _)| self.model.vns.get(vn));
        let is_deleted = |vn: &VnId| self.changes.vns.deletes(vn);
        let deleted =
            self.changes.rows.dels().filter(|((vn, mac), _)| !is_deleted(vn) && self.model.row(*vn, *mac).is_some());
        let added = self.changes.rows.sets().filter(|((vn, mac), _, _)| self.model.row(*vn, *mac).is_none());
        let rows =
            self.model.row_count + added.count() - deleted.count() - swept().map(|row| row.rows.len()).sum::<usize>();
        if let (true, Some((_, at, _))) = (rows > limits.rows, self.changes.rows.sets().last()) {
            refused.push((at, EngineError::TableFull { table: "fdb", capacity: limits.rows }));
        }
        let replaced = self.changes.sources.keys().filter(|vn| !is_deleted(vn)).filter_map(|vn| self.model.vns.get(vn));
        let gone: usize = replaced.chain(swept()).map(|row| row.sources.len()).sum();
        let come: usize = self.changes.sources.sets().map(|(_, _, list)| list.len()).sum();
        if let (true, Some((_, at, _))) =
            (self.model.source_count - gone + come > limits.sources, self.changes.sources.sets().last())
        {
            refused.push((at, EngineError::TableFull { table: "sources", capacity: limits.sources }));
        }
        let mut new_peers = BTreeSet::new();
        for (_, at, list) in self.changes.sources.sets() {
            let v6 = list.iter().filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(*ip) } else { None });
            new_peers.extend(v6.filter(|ip| !self.model.peers.contains_key(ip)));
            if new_peers.len() > limits.new_peers {
                let capacity = self.model.peers.len() + limits.new_peers;
                refused.push((at, EngineError::TableFull { table: "IPv6 peer", capacity }));
            }
        }
        let has_pair = |(vn, ip): &(VnId, IpAddr)| self.model.vns.get(vn).is_some_and(|row| row.pairs.contains_key(ip));
        let gone = self.changes.pairs.dels().filter(|(pair, _)| !is_deleted(&pair.0) && has_pair(pair)).count()
            + swept().map(|row| row.pairs.len()).sum::<usize>();
        let come = self.changes.pairs.sets().filter(|(pair, _, _)| !has_pair(pair)).count();
        if let (true, Some((_, at, _))) =
            (self.model.pair_count - gone + come > limits.pairs, self.changes.pairs.sets().last())
        {
            refused.push((at, EngineError::TableFull { table: "pairs", capacity: limits.pairs }));
        }
        let new_vns = self.changes.vns.sets().filter(|(id, _, _)| !self.model.vns.contains_key(id));
        full(new_vns.map(|(_, at, _)| at), limits.new_vns, "vn", self.model.vns.len(), refused);
        let new_vaps = self.changes.vaps.sets().filter(|(id, _, _)| !self.model.vaps.contains_key(id));
        full(new_vaps.map(|(_, at, _)| at), limits.new_vaps, "vap", self.model.vaps.len(), refused);
        let new_next_hops = self.changes.next_hops.sets().filter(|(id, _, _)| !self.model.next_hops.contains_key(id));
        full(new_next_hops.map(|(_, at, _)| at), limits.new_next_hops, "next hop", self.model.next_hops.len(), refused);
    }
}

/// Refuses every command beyond the room that there is.
fn full(new: impl Iterator<Item = usize>, room: usize, table: &'static str, held: usize, refused: &mut Refused) {
    refused.extend(new.skip(room).map(|at| (at, EngineError::TableFull { table, capacity: held + room })));
}
