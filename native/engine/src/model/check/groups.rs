//! Groups of next hops, and whether a next hop is said to live: what a batch may do with them.

use std::collections::HashMap;

use types::{GroupId, NextHopId, VnId};

use super::room::full;
use super::{After, Limits, Refused, after};
use crate::error::{EngineError, Object};
use crate::model::GroupRow;
use crate::schema::Dest;

impl After<'_> {
    pub(super) fn has_group(&self, id: GroupId) -> bool {
        after(&self.changes.groups, &self.model.groups, &id, |row: &GroupRow| &row.members).is_some()
    }

    pub(super) fn groups(&self, limits: &Limits, refused: &mut Refused) {
        for (_, at, members) in self.changes.groups.sets() {
            if let Some((id, _)) = members.iter().find(|(id, _)| !self.has_next_hop(*id)) {
                refused.push((at, EngineError::Absent { object: Object::NextHop(*id) }));
            }
        }
        for (id, at) in self.changes.groups.dels() {
            let Some(row) = self.model.groups.get(id) else { continue };
            if self.remaining_users(*id, row) > 0 {
                refused
                    .push((at, EngineError::InUse { object: Object::Group(*id), by: self.user_of(Dest::Group(*id)) }));
            }
        }
        for (id, at, _) in self.changes.alive.sets() {
            if !self.has_next_hop(*id) {
                refused.push((at, EngineError::Absent { object: Object::NextHop(*id) }));
            }
        }
        let new = self.changes.groups.sets().filter(|(id, _, _)| !self.model.groups.contains_key(id));
        full(new.map(|(_, at, _)| at), limits.new_groups, "group", self.model.groups.len(), refused);
        self.groups_of_one_vn(refused);
    }

    /// A group that rows or lists of two VNs name would carry one VN's frames under the other's Context IDs.
    fn groups_of_one_vn(&self, refused: &mut Refused) {
        let rows = self.changes.rows.sets().map(|((vn, _), at, row)| (at, *vn, row.dest));
        let floods =
            self.changes.floods.sets().flat_map(|(vn, at, list)| list.iter().map(move |dest| (at, *vn, *dest)));
        let mut owners: HashMap<GroupId, VnId> = HashMap::new();
        for (at, vn, dest) in rows.chain(floods) {
            let Dest::Group(id) = dest else { continue };
            let kept = self.model.groups.get(&id).filter(|row| self.remaining_users(id, row) > 0);
            let owner = kept.and_then(|row| row.vn).unwrap_or(vn);
            let owner = *owners.entry(id).or_insert(owner);
            if owner != vn {
                refused.push((at, EngineError::Taken { what: format!("group {id}"), holder: Object::Vn(owner) }));
            }
        }
    }

    fn remaining_users(&self, id: GroupId, row: &GroupRow) -> usize {
        row.users.saturating_sub(self.unnamed.get(&Dest::Group(id)).copied().unwrap_or(0))
    }

    /// A group that names a next hop, and that the batch does not change.
    pub(super) fn group_naming(&self, next_hop: NextHopId) -> Option<Object> {
        let groups = &self.model.next_hops.get(&next_hop)?.groups;
        groups.iter().find(|id| !self.changes.groups.names(id)).map(|id| Object::Group(*id))
    }
}
