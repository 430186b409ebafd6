//! Whether a batch can be applied: every reference holds in the state that the batch leads to, and there is room for it.
//!
//! The order of a batch's commands does not matter, so everything is asked of the state *after* it: an object is there if the batch
//! makes it, or if it is there and the batch does not delete it.

mod acls;
mod dests;
mod groups;
mod multicast;
mod ports;
mod room;
mod underlay;

use core::net::IpAddr;
use std::collections::{BTreeMap, HashMap};

use types::{NextHopId, PortId, VapId, VnId};

use super::changes::{Changes, PortSpec, UnderlaySpec, VapSpec, VnSpec};
use super::paths::Paths;
use super::wishes::Wishes;
use super::{Model, NextHopRow};
use crate::error::EngineError;
use crate::schema::{Command, Dest};

pub use room::Limits;

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
        after.joined(&mut refused);
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
}
