//! Ports, their links, and the VNs and VAPs that lie on them: what a batch may do with them.

use std::collections::HashMap;

use types::{PortId, VapId, VnId};

use super::{After, Refused};
use crate::error::{EngineError, Object};
use crate::model::changes::VapSpec;
use crate::schema::Dest;

impl After<'_> {
    pub(super) fn ports(&self, refused: &mut Refused) {
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

    pub(super) fn links(&self, refused: &mut Refused) {
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

    pub(super) fn vns(&self, refused: &mut Refused) {
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
    pub(super) fn fits(&self, vap: VapId, needed: u16, port: PortId) -> Option<EngineError> {
        let mtu = self.port(port)?.mtu;
        let (object, port) = (Object::Vap(vap), Object::Port(port));
        (needed > mtu).then_some(EngineError::PortMtu { object, port, needed, mtu })
    }

    pub(super) fn vaps(&self, refused: &mut Refused) {
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
}
