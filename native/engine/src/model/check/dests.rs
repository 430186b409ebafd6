//! Next hops, rows and lists: what they name must be there after a batch, and what is deleted named by nobody.

use types::{PortId, VnId};

use super::multicast::no_address;
use super::{After, Refused};
use crate::error::{EngineError, Object};
use crate::model::changes::RowSpec;
use crate::schema::Dest;

impl After<'_> {
    pub(super) fn next_hops(&self, refused: &mut Refused) {
        for (id, at, spec) in self.changes.next_hops.sets() {
            // A poller reads rows and next hops at different moments. If one could change, a row of a VN might name it before it means
            // what the row needs, or after it ceased to: the frame would leave under another VN's Context ID.
            if self.model.next_hops.get(id).is_some_and(|row| row.spec != *spec) {
                let field = "remote or context_id";
                refused.push((at, EngineError::Immutable { object: Object::NextHop(*id), field }));
            }
            if self.paths.of(spec, &|_| true).is_none() {
                refused.push((
                    at,
                    match spec.options.port {
                        Some(port) => no_address(PortId(port)),
                        None => EngineError::OffLink { remote: spec.remote },
                    },
                ));
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

    pub(super) fn rows(&self, refused: &mut Refused) {
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

    pub(super) fn lists(&self, refused: &mut Refused) {
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

    /// What `dest` names, if it is not there.
    pub(super) fn absent(&self, dest: Dest) -> Option<Object> {
        match dest {
            Dest::Vap(id) => self.vap(id).is_none().then_some(Object::Vap(id)),
            Dest::NextHop(id) => (!self.has_next_hop(id)).then_some(Object::NextHop(id)),
            Dest::Group(id) => (!self.has_group(id)).then_some(Object::Group(id)),
        }
    }

    /// A row of `vn` that names `dest` and that the batch does not change.
    pub(super) fn row_naming(&self, vn: VnId, dest: Dest) -> Object {
        let rows = self.model.vns.get(&vn).into_iter().flat_map(|row| &row.rows);
        let mac =
            rows.filter(|(mac, to)| **to == dest && !self.changes.rows.names(&(vn, **mac))).map(|(mac, _)| *mac).next();
        mac.map_or(Object::Vn(vn), |mac| Object::Row(vn, mac))
    }

    /// Who names a next hop or a group.
    pub(super) fn user_of(&self, dest: Dest) -> Object {
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
}
