//! Access lists and rates: what names a list, and what rates fit.

use std::collections::BTreeSet;

use types::AclId;

use super::room::full;
use super::{After, Limits, Refused, after};
use crate::error::{EngineError, Object};
use crate::model::acl::ALL_RULES;
use crate::model::changes::VapSpec;
use crate::schema::{VapOptions, VnOptions};

/// What a frame may have beside its payload: an Ethernet header and four tags.
const AROUND: u32 = 30;

impl VnOptions {
    fn acls(&self) -> impl Iterator<Item = AclId> + use<> {
        [self.acl_in, self.acl_out].into_iter().flatten().map(AclId)
    }
}

impl VapOptions {
    fn acls(&self) -> impl Iterator<Item = AclId> + use<> {
        [self.acl_in, self.acl_out].into_iter().flatten().map(AclId)
    }
}

impl After<'_> {
    /// Lists are there while anybody names them, and there is room for their rules.
    pub fn acls(&self, limits: &Limits, refused: &mut Refused) {
        let mut absent = |at: usize, acl: AclId| {
            if after(&self.changes.acls, &self.model.acls, &acl, |row| &row.spec).is_none() {
                refused.push((at, EngineError::Absent { object: Object::Acl(acl) }));
            }
        };
        for (_, at, spec) in self.changes.vns.sets() {
            spec.options.acls().for_each(|acl| absent(at, acl));
        }
        for (_, at, spec) in self.changes.vaps.sets() {
            spec.options.acls().for_each(|acl| absent(at, acl));
        }
        let deleted: BTreeSet<AclId> =
            self.changes.acls.dels().map(|(id, _)| *id).filter(|id| self.model.acls.contains_key(id)).collect();
        if !deleted.is_empty() {
            for (acl, by) in self.bindings().filter(|(acl, _)| deleted.contains(acl)) {
                let at = self.changes.acls.get(&acl).map_or(0, |wish| wish.at);
                refused.push((at, EngineError::InUse { object: Object::Acl(acl), by }));
            }
        }
        let kept = self.model.acls.iter().filter(|(id, _)| !self.changes.acls.names(id));
        let rules = kept.map(|(_, row)| row.spec.rules.len()).sum::<usize>()
            + self.changes.acls.sets().map(|(_, _, spec)| spec.rules.len()).sum::<usize>();
        if let (true, Some((_, at, _))) = (rules > ALL_RULES, self.changes.acls.sets().last()) {
            refused.push((at, EngineError::TableFull { table: "rules of all acls", capacity: ALL_RULES }));
        }
        let new = self.changes.acls.sets().filter(|(id, _, _)| !self.model.acls.contains_key(id));
        full(new.map(|(_, at, _)| at), limits.new_acls, "acl", self.model.acls.len(), refused);
    }

    /// Who names a list that the batch leaves as it is.
    fn bindings(&self) -> impl Iterator<Item = (AclId, Object)> {
        let vns = self.model.vns.iter().filter(|(id, _)| !self.changes.vns.names(id));
        let vns = vns.flat_map(|(id, row)| row.spec.options.acls().map(|acl| (acl, Object::Vn(*id))));
        let vaps = self.model.vaps.iter().filter(|(id, _)| !self.changes.vaps.names(id));
        vns.chain(vaps.flat_map(|(id, row)| row.spec.options.acls().map(|acl| (acl, Object::Vap(*id)))))
    }

    /// A policer lets the longest frame of the VN pass, or no such frame would ever.
    pub fn bursts(&self, refused: &mut Refused) {
        let too_small = |spec: &VapSpec, mtu: u16| {
            let (_, burst) = spec.options.police?;
            let needed = u32::from(mtu) + AROUND;
            (burst < needed).then(|| EngineError::OutOfRange {
                field: "police",
                got: format!("{burst} bytes at once, where a frame of the VN may have {needed}"),
                expected: "a burst of the VN's MTU and 30 bytes, or more",
            })
        };
        for (_, at, spec) in self.changes.vaps.sets() {
            let error = self.vn(spec.vn).and_then(|vn| too_small(spec, vn.mtu));
            refused.extend(error.map(|error| (at, error)));
        }
        for (id, at, spec) in self.changes.vns.sets() {
            let vaps = self.model.vns.get(id).into_iter().flat_map(|row| &row.vaps);
            for vap in vaps.filter(|vap| !self.changes.vaps.names(vap)) {
                refused.extend(self.vap(*vap).and_then(|vap| too_small(vap, spec.mtu)).map(|error| (at, error)));
            }
        }
    }
}
