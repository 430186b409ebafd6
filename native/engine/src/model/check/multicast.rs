//! Multicast groups of the underlay after a batch: who is in one is a VN, at a port with an address to join it from.

use core::net::IpAddr;

use types::PortId;

use super::{After, Refused};
use crate::error::{EngineError, Object};
use crate::neighbour::Neighbour;

/// Groups that VNs can be in, all VNs together: each is reported, and looked through when a packet comes to a group.
const JOINED: usize = 16_384;

impl After<'_> {
    pub(super) fn joined(&self, refused: &mut Refused) {
        for ((vn, group), at, port) in self.changes.joined.sets() {
            if self.vn(*vn).is_none() {
                refused.push((at, EngineError::Absent { object: Object::Vn(*vn) }));
            } else if self.port(*port).is_none() {
                refused.push((at, EngineError::Absent { object: Object::Port(*port) }));
            } else if !self.has_address(*port, *group) {
                refused.push((at, no_address(*port)));
            }
        }
        let is_new = |key| !self.model.joined.contains_key(key);
        let new = self.changes.joined.sets().filter(|(key, _, _)| is_new(key)).map(|(_, at, _)| at);
        let kept = self
            .model
            .joined
            .keys()
            .filter(|key| !(self.changes.joined.deletes(key) || self.changes.vns.deletes(&key.0)));
        let room = JOINED.saturating_sub(kept.count());
        refused.extend(
            new.skip(room).map(|at| (at, EngineError::TableFull { table: "multicast group", capacity: JOINED })),
        );
    }

    /// A group that is joined from the family of an address that goes, and from no other any more.
    pub(super) fn joined_from(&self, (port, ip): Neighbour) -> Option<Object> {
        let mut kept = self.model.joined.iter().filter(|((vn, group), at)| {
            **at == port && !self.changes.joined.names(&(*vn, *group)) && !self.changes.vns.deletes(vn)
        });
        let is_lost = |group: &IpAddr| group.is_ipv4() == ip.is_ipv4() && !self.has_address(port, *group);
        kept.find(|((_, group), _)| is_lost(group)).map(|((vn, group), _)| Object::Mcast(*vn, *group))
    }

    /// Whether a port has an address of a group's family.
    fn has_address(&self, port: PortId, group: IpAddr) -> bool {
        self.paths.links().keys().any(|key| key.0 == port && key.1.is_ipv4() == group.is_ipv4())
    }
}

/// A port where a group is neither joined nor sent to.
pub(super) fn no_address(port: PortId) -> EngineError {
    let expected = "a port with an underlay address of the group's family";
    EngineError::OutOfRange { field: "port", got: port.to_string(), expected }
}
