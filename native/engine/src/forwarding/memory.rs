//! What the tables hold and how much memory that takes: the dump `memory` of `docs/engine.md`.

use tables::PortEntry;

use super::{Forwarding, NEXT_HOPS, OBJECTS, PAIRS};
use crate::model::Model;

/// A table: its name, its entries, how many there can be (`None`: as many as memory allows), and the bytes that it has taken.
pub type MemoryRow = (&'static str, u64, Option<u64>, u64);

impl Forwarding {
    /// The tables that pollers read, and the control thread's own copy of what the controller said.
    pub fn memory(&self, model: &Model) -> Vec<MemoryRow> {
        let row = |table, entries: usize, capacity: Option<usize>, bytes: usize| {
            (table, entries as u64, capacity.map(|capacity| capacity as u64), bytes as u64)
        };
        let snapshot = &self.snapshot;
        let lists = snapshot.vns.iter().map(|vn| size_of_val(&*vn.vaps) + size_of_val(&*vn.flood));
        let ports = snapshot.ports.iter().map(|port| match port {
            PortEntry::Access(port) => port.bytes(),
            PortEntry::Unused | PortEntry::Underlay(_) => 0,
        });
        let objects = Some(OBJECTS as usize);
        vec![
            row("fdb", self.fdb.len(), Some(self.fdb.capacity()), self.fdb.bytes()),
            row("contexts", self.contexts.len(), Some(self.contexts.capacity()), self.contexts.bytes()),
            row("sources", self.sources.len(), Some(self.sources.capacity()), self.sources.bytes()),
            row("pairs", self.pairs.len(), Some(PAIRS), self.pairs.bytes()),
            row("vns", model.vns.len(), objects, snapshot.vns.bytes() + lists.sum::<usize>()),
            row("vaps", model.vaps.len(), objects, snapshot.vaps.bytes()),
            row("next_hops", model.next_hops.len(), Some(NEXT_HOPS as usize), snapshot.next_hops.bytes()),
            row("ports", model.ports.len(), Some(snapshot.ports.len()), ports.sum()),
            row("model", model.entries(), None, model.bytes()),
        ]
    }
}
