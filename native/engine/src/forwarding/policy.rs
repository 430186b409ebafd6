//! Access lists, and what VAPs and VNs ask of their frames, in the tables.

use std::sync::Arc;

use tables::{AclBinding, Flags, Index, Rate, Snapshot, VapPolicy};
use types::AclId;

use super::Forwarding;
use super::index;
use crate::model::{AclRow, Changes, Model};
use crate::schema::{VapOptions, VnOptions};

impl Forwarding {
    /// Lists to be; one that is already so keeps its counters.
    pub(super) fn set_acls(&mut self, model: &mut Model, changes: &Changes) {
        for (id, _, spec) in changes.acls.sets() {
            let at = match model.acls.get(id) {
                Some(row) if row.spec == *spec => continue,
                Some(row) => row.index,
                None => index(self.acl_indices.take(&self.quiescence)),
            };
            let list = Arc::new(spec.build());
            *self.snapshot.acls.slot(at.into()) = Some(Arc::clone(&list));
            model.acls.insert(*id, AclRow { index: at, spec: spec.clone(), list });
        }
    }

    /// Forgets lists that nobody names any more; their indices.
    pub(super) fn delete_acls(&mut self, model: &mut Model, changes: &Changes) -> Vec<Index> {
        let gone: Vec<Index> =
            changes.acls.dels().filter_map(|(id, _)| model.acls.remove(id)).map(|row| row.index).collect();
        gone.iter().for_each(|index| *self.snapshot.acls.slot((*index).into()) = None);
        gone
    }

    /// Writes the lists of a VN; returns the flags that make frames meet them.
    pub(super) fn bind_vn(&mut self, model: &Model, vn: Index, options: &VnOptions) -> Flags {
        let acls = binding(model, options.acl_in, options.acl_out);
        if self.snapshot.vn_acls(vn) != acls {
            *self.snapshot.vn_acls.slot(vn.into()) = acls;
        }
        Flags::NONE
            .with_if(acls.inward != Snapshot::NONE, Flags::VN_ACL_IN)
            .with_if(acls.outward != Snapshot::NONE, Flags::VN_ACL_OUT)
    }

    /// Writes the policy of a VAP; returns the flags that make its frames meet it.
    pub(super) fn bind_vap(&mut self, model: &Model, vap: Index, options: &VapOptions) -> Flags {
        let acls = binding(model, options.acl_in, options.acl_out);
        // Bytes by bits a second: in the time of eight clocks.
        let police = options.police.map(|(bits, burst)| Rate::new(8 * self.hz, (bits, burst.into())));
        let storm = options.storm.map(|(frames, burst)| Rate::new(self.hz, (frames.into(), burst.into())));
        let policy = VapPolicy { acls, police: police.unwrap_or_default(), storm: storm.unwrap_or_default() };
        if self.snapshot.vap_policy(vap) != policy {
            *self.snapshot.vap_policies.slot(vap.into()) = policy;
        }
        Flags::NONE
            .with_if(acls.inward != Snapshot::NONE, Flags::ACL_IN)
            .with_if(acls.outward != Snapshot::NONE, Flags::ACL_OUT)
            .with_if(police.is_some(), Flags::POLICE)
            .with_if(storm.is_some(), Flags::STORM)
            .with_if(options.guard_ip, Flags::GUARD_IP)
    }
}

fn binding(model: &Model, inward: Option<u32>, outward: Option<u32>) -> AclBinding {
    let index = |id: Option<u32>| id.and_then(|id| model.acls.get(&AclId(id))).map_or(Snapshot::NONE, |row| row.index);
    AclBinding { inward: index(inward), outward: index(outward) }
}
