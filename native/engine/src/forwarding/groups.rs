//! Which of a group's next hops its flows go to: of those that live, each as often as its weight says.

use tables::{GroupEntry, NextHopEntry, NextHopIndex, share_out};
use types::{GroupId, NextHopId, VnId};

use super::deletions::Gone;
use super::{Forwarding, World};
use crate::model::{Changes, GroupRow, Model};
use crate::schema::Dest;

impl Forwarding {
    /// New and changed groups, and what the controller says about the life of next hops.
    pub(super) fn set_groups(&mut self, model: &mut Model, changes: &Changes, world: &impl World) {
        for (id, _, alive) in changes.alive.sets() {
            let Some(row) = model.next_hops.get_mut(id) else { continue };
            if core::mem::replace(&mut row.alive, *alive) != *alive {
                let row = row.clone();
                self.write_next_hop(model, &row, world);
            }
        }
        for (id, _, members) in changes.groups.sets() {
            self.set_group(model, *id, members.clone());
        }
        // A group is its VN's before anything of that VN names it.
        let rows = changes.rows.sets().map(|((vn, _), _, row)| (*vn, row.dest));
        let floods = changes.floods.sets().flat_map(|(vn, _, list)| list.iter().map(|dest| (*vn, *dest)));
        for (vn, dest) in rows.chain(floods) {
            if let Dest::Group(id) = dest {
                self.give_group(model, id, vn);
            }
        }
    }

    fn set_group(&mut self, model: &mut Model, id: GroupId, members: Vec<(NextHopId, u8)>) {
        let index = match model.groups.get(&id) {
            Some(row) if row.members == members => return,
            Some(row) => row.index,
            None => self.group_indices.take(&self.quiescence).unwrap_or(NextHopIndex::MAX),
        };
        let row = model.groups.entry(id).or_insert_with(|| GroupRow { index, ..GroupRow::default() });
        let old = core::mem::replace(&mut row.members, members.clone());
        old.iter().for_each(|(next_hop, _)| leave(model, *next_hop, id));
        for (next_hop, _) in members {
            model.count_use(Dest::NextHop(next_hop), 1);
            model.next_hops.get_mut(&next_hop).map(|row| row.groups.insert(id));
        }
        self.stirred.insert(id);
    }

    fn give_group(&mut self, model: &mut Model, id: GroupId, vn: VnId) {
        let Some(row) = model.groups.get_mut(&id) else { return };
        // Nobody else's, it may still be marked with the index that a VN of this id had before.
        if row.vn != Some(vn) || row.users == 0 {
            row.vn = Some(vn);
            self.stirred.insert(id);
        }
    }

    /// Shares out the places of every group in which something changed; whether there was one.
    pub(super) fn regroup(&mut self, model: &Model) -> bool {
        let stirred = core::mem::take(&mut self.stirred);
        for row in stirred.iter().filter_map(|id| model.groups.get(id)) {
            let members = row.members.iter().filter_map(|(id, weight)| Some((model.next_hops.get(id)?.index, *weight)));
            let is_living = |index| self.snapshot.next_hop(index).is_some_and(NextHopEntry::is_living);
            let living: Vec<_> = members.filter(|(index, _)| is_living(*index)).collect();
            let entry = self.snapshot.groups.slot(row.index as usize);
            entry.vn = row.vn.and_then(|vn| model.vns.get(&vn)).map_or(tables::Snapshot::NONE, |vn| vn.index);
            share_out(&mut entry.places, &living);
        }
        !stirred.is_empty()
    }

    /// Forgets deleted groups.
    pub(super) fn delete_groups(&mut self, model: &mut Model, changes: &Changes, gone: &mut Gone) {
        for (id, _) in changes.groups.dels() {
            let Some(row) = model.groups.remove(id) else { continue };
            row.members.iter().for_each(|(next_hop, _)| leave(model, *next_hop, *id));
            *self.snapshot.groups.slot(row.index as usize) = GroupEntry::CLOSED;
            gone.groups.push(row.index);
        }
    }

    /// How many places of a group a next hop has.
    pub fn places(&self, row: &GroupRow, next_hop: NextHopIndex) -> usize {
        let entry = self.snapshot.group(row.index);
        entry.map_or(0, |entry| entry.places.iter().filter(|place| **place == next_hop).count())
    }
}

/// A next hop is no member of a group any more.
fn leave(model: &mut Model, next_hop: NextHopId, group: GroupId) {
    model.count_use(Dest::NextHop(next_hop), -1);
    model.next_hops.get_mut(&next_hop).map(|row| row.groups.remove(&group));
}
