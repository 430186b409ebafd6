//! VNs, their VAPs and their flood lists in the tables.

use std::sync::Arc;

use tables::{Flags, Index, PortEntry, Snapshot, Unknown, VapEntry};
use types::{PortId, Selector, VapId, VnId};
use wire::ETHERNET_HEADER;

use super::{Effects, Forwarding, destination, index};
use crate::model::{Changes, Model, VapRow, VapSpec, VnRow, VnSpec};
use crate::schema::{self, Dest, DscpOut};

impl Forwarding {
    pub(super) fn set_vn(&mut self, model: &mut Model, id: VnId, spec: &VnSpec) {
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

    pub(super) fn set_vap(&mut self, model: &mut Model, id: VapId, spec: VapSpec, effects: &mut Effects) {
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
    pub(super) fn select(&mut self, port: PortId, selector: Selector, index: Index) {
        let entry = Arc::make_mut(&mut self.snapshot.ports).get_mut(usize::from(port.0));
        if let Some(PortEntry::Access(port)) = entry {
            Arc::make_mut(port).select(selector, index);
        }
    }

    /// Writes a VN's VAPs and its uplink into its entry.
    pub(super) fn list_vaps(&mut self, model: &Model, id: VnId) {
        let Some(vn) = model.vns.get(&id) else { return };
        let rows = || vn.vaps.iter().filter_map(|vap| model.vaps.get(vap));
        let entry = self.snapshot.vns.slot(vn.index);
        entry.vaps = rows().map(|row| row.index).collect();
        entry.uplink = rows().find(|row| row.spec.uplink).map_or(Snapshot::NONE, |row| row.index);
    }

    pub(super) fn set_flood(&mut self, model: &mut Model, id: VnId, list: Vec<Dest>) {
        let Some(vn) = model.vns.get_mut(&id) else { return };
        let old = core::mem::replace(&mut vn.flood, list.clone());
        let index = vn.index;
        old.into_iter().for_each(|dest| model.count_use(dest, -1));
        list.iter().for_each(|dest| model.count_use(*dest, 1));
        let indices = list.iter().filter_map(|dest| destination(model, *dest)).collect();
        self.snapshot.vns.slot(index).flood = indices;
    }

    /// What is to be deleted is named by no list from the first snapshot on.
    pub(super) fn leave_lists(&mut self, model: &mut Model, changes: &Changes) {
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
}
