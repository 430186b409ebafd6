//! Objects that go: they are closed in one snapshot, and their indices rest until no poller can hold them.

use core::net::Ipv6Addr;
use std::sync::Arc;

use tables::{Index, NextHopEntry, NextHopIndex, PortEntry, Snapshot, VapEntry, VnEntry};

use super::{Effects, Forwarding, World};
use crate::model::{Changes, Model};

/// Indices of deleted objects.
#[derive(Default)]
pub(super) struct Gone {
    vaps: Vec<Index>,
    next_hops: Vec<NextHopIndex>,
    pub(super) groups: Vec<NextHopIndex>,
    vns: Vec<Index>,
    acls: Vec<Index>,
    peers: Vec<u32>,
}

impl Forwarding {
    /// Closes and forgets what is to be deleted; the indices that go with the next snapshot, or `None` if it would be the same.
    pub(super) fn delete_objects(
        &mut self,
        model: &mut Model,
        changes: &Changes,
        world: &impl World,
        effects: &mut Effects,
    ) -> Option<Gone> {
        let mut gone = Gone::default();
        for (id, _) in changes.vaps.dels() {
            let Some(row) = model.vaps.remove(id) else { continue };
            *self.snapshot.vaps.slot(row.index) = VapEntry::CLOSED;
            let (port, selector) = (row.spec.port, row.spec.selector);
            if model.selector_holders.get(&(port, selector)) == Some(id) {
                model.selector_holders.remove(&(port, selector));
                self.select(port, selector, Snapshot::NONE);
            }
            model.vap_at.remove(&row.index);
            gone.vaps.push(row.index);
        }
        self.delete_groups(model, changes, &mut gone);
        for (id, _) in changes.next_hops.dels() {
            let Some(row) = model.next_hops.remove(id) else { continue };
            *self.snapshot.next_hops.slot(row.index as usize) = NextHopEntry::UNRESOLVED;
            *self.snapshot.remotes.slot(row.index as usize) = None;
            effects.next_hops_changed = true;
            gone.next_hops.push(row.index);
        }
        for (id, _) in changes.vns.dels() {
            let Some(row) = model.vns.remove(id) else { continue };
            model.vn_at.remove(&row.index);
            *self.snapshot.vns.slot(row.index) = VnEntry::default();
            gone.vns.push(row.index);
        }
        if changes.sources.iter().next().is_some() || !gone.vns.is_empty() {
            let unused: Vec<Ipv6Addr> =
                model.peers.iter().filter(|(_, row)| row.users == 0).map(|(address, _)| *address).collect();
            for address in unused {
                Arc::make_mut(&mut self.snapshot.peers).remove(address);
                gone.peers.extend(model.peers.remove(&address).map(|row| row.index));
            }
        }
        gone.acls = self.delete_acls(model, changes);
        let mut any = !(gone.acls.is_empty()
            && gone.vaps.is_empty()
            && gone.next_hops.is_empty()
            && gone.groups.is_empty()
            && gone.vns.is_empty()
            && gone.peers.is_empty());
        any |= self.leave(model, changes, world);
        for (key, _) in changes.underlays.dels() {
            if model.underlays.remove(key).is_some() {
                self.set_underlay(model, key.0, world);
                any = true;
            }
        }
        for (prefix, _) in changes.routes.dels() {
            model.routes.remove(prefix);
        }
        for (port, _) in changes.exceptions.dels() {
            if let Some(tap) = model.exceptions.remove(port) {
                self.set_underlay(model, tap, world);
                self.set_underlay(model, *port, world);
                any = true;
            }
        }
        if changes.underlays.iter().next().is_some() || changes.routes.iter().next().is_some() {
            effects.next_hops_changed = true;
            any |= self.reroute(model, world);
        }
        for (neighbour, _) in changes.neighbours.dels() {
            model.neighbours.remove(neighbour);
        }
        for (id, _) in changes.ports.dels() {
            if model.ports.remove(id).is_some() {
                self.set_port(*id, PortEntry::Unused);
                any = true;
                effects.closed_ports.push(*id);
            }
        }
        any.then_some(gone)
    }

    /// Lets indices rest until no poller can hold them. Only after the snapshot without them is out: a poller that was quiescent before, and
    /// then took the old one, would count as having let go.
    pub(super) fn retire(&mut self, gone: Gone) {
        let generation = self.quiescence.advance();
        gone.vaps.into_iter().for_each(|index| self.vap_indices.retire(index.into(), generation));
        gone.next_hops.into_iter().for_each(|index| self.next_hop_indices.retire(index, generation));
        gone.groups.into_iter().for_each(|index| self.group_indices.retire(index, generation));
        gone.vns.into_iter().for_each(|index| self.vn_indices.retire(index.into(), generation));
        gone.acls.into_iter().for_each(|index| self.acl_indices.retire(index.into(), generation));
        gone.peers.into_iter().for_each(|index| self.peer_indices.retire(index, generation));
    }
}
