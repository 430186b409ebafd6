//! What VNs have of their own: Context ID, FDB rows, permitted sources, IP-MAC pairs.

use tables::{ContextKey, FdbKey, Index, SourceKey};
use types::MacAddr;

use super::sources::count_peer;
use super::{Forwarding, destination};
use crate::model::{Changes, Model, RowSpec};

impl Forwarding {
    pub(super) fn remove_rows(&mut self, model: &mut Model, changes: &Changes) {
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

    pub(super) fn add_rows(&mut self, model: &mut Model, changes: &Changes) {
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

    /// What pollers noted of a row; see [`MapWriter::seen`].
    pub fn seen(&self, vn: Index, mac: MacAddr) -> Option<u16> {
        self.fdb.seen(FdbKey::new(vn, mac))
    }
}

/// The room for it was reserved when the batch was checked.
pub(super) fn reserved<T, E: core::fmt::Debug>(result: Result<T, E>) {
    debug_assert!(result.is_ok(), "{:?}", result.err());
}
