//! Whether there is room for what a batch brings.

use core::net::IpAddr;
use std::collections::BTreeSet;

use types::VnId;

use super::{After, Refused};
use crate::error::EngineError;

/// What the tables can hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// FDB rows.
    pub rows: usize,
    /// Permitted sources, all VNs together.
    pub sources: usize,
    /// Further IPv6 addresses of permitted sources, now.
    pub new_peers: usize,
    /// IP-MAC pairs, all VNs together.
    pub pairs: usize,
    /// Further VNs, now.
    pub new_vns: usize,
    /// Further VAPs, now.
    pub new_vaps: usize,
    /// Further access lists, now.
    pub new_acls: usize,
    /// Further next hops, now.
    pub new_next_hops: usize,
    /// Further groups, now.
    pub new_groups: usize,
}

impl After<'_> {
    pub(super) fn room(&self, limits: &Limits, refused: &mut Refused) {
        let swept = || self.changes.vns.dels().filter_map(|(vn, _)| self.model.vns.get(vn));
        let is_deleted = |vn: &VnId| self.changes.vns.deletes(vn);
        let deleted =
            self.changes.rows.dels().filter(|((vn, mac), _)| !is_deleted(vn) && self.model.row(*vn, *mac).is_some());
        let added = self.changes.rows.sets().filter(|((vn, mac), _, _)| self.model.row(*vn, *mac).is_none());
        let rows =
            self.model.row_count + added.count() - deleted.count() - swept().map(|row| row.rows.len()).sum::<usize>();
        if let (true, Some((_, at, _))) = (rows > limits.rows, self.changes.rows.sets().last()) {
            refused.push((at, EngineError::TableFull { table: "fdb", capacity: limits.rows }));
        }
        let replaced = self.changes.sources.keys().filter(|vn| !is_deleted(vn)).filter_map(|vn| self.model.vns.get(vn));
        let gone: usize = replaced.chain(swept()).map(|row| row.sources.len()).sum();
        let come: usize = self.changes.sources.sets().map(|(_, _, list)| list.len()).sum();
        if let (true, Some((_, at, _))) =
            (self.model.source_count - gone + come > limits.sources, self.changes.sources.sets().last())
        {
            refused.push((at, EngineError::TableFull { table: "sources", capacity: limits.sources }));
        }
        let mut new_peers = BTreeSet::new();
        for (_, at, list) in self.changes.sources.sets() {
            let v6 = list.iter().filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(*ip) } else { None });
            new_peers.extend(v6.filter(|ip| !self.model.peers.contains_key(ip)));
            if new_peers.len() > limits.new_peers {
                let capacity = self.model.peers.len() + limits.new_peers;
                refused.push((at, EngineError::TableFull { table: "IPv6 peer", capacity }));
            }
        }
        let has_pair = |(vn, ip): &(VnId, IpAddr)| self.model.vns.get(vn).is_some_and(|row| row.pairs.contains_key(ip));
        let gone = self.changes.pairs.dels().filter(|(pair, _)| !is_deleted(&pair.0) && has_pair(pair)).count()
            + swept().map(|row| row.pairs.len()).sum::<usize>();
        let come = self.changes.pairs.sets().filter(|(pair, _, _)| !has_pair(pair)).count();
        if let (true, Some((_, at, _))) =
            (self.model.pair_count - gone + come > limits.pairs, self.changes.pairs.sets().last())
        {
            refused.push((at, EngineError::TableFull { table: "pairs", capacity: limits.pairs }));
        }
        let new_vns = self.changes.vns.sets().filter(|(id, _, _)| !self.model.vns.contains_key(id));
        full(new_vns.map(|(_, at, _)| at), limits.new_vns, "vn", self.model.vns.len(), refused);
        let new_vaps = self.changes.vaps.sets().filter(|(id, _, _)| !self.model.vaps.contains_key(id));
        full(new_vaps.map(|(_, at, _)| at), limits.new_vaps, "vap", self.model.vaps.len(), refused);
        let new_next_hops = self.changes.next_hops.sets().filter(|(id, _, _)| !self.model.next_hops.contains_key(id));
        full(new_next_hops.map(|(_, at, _)| at), limits.new_next_hops, "next hop", self.model.next_hops.len(), refused);
    }
}

/// Refuses every command beyond the room that there is.
pub(super) fn full(
    new: impl Iterator<Item = usize>,
    room: usize,
    table: &'static str,
    held: usize,
    refused: &mut Refused,
) {
    refused.extend(new.skip(room).map(|at| (at, EngineError::TableFull { table, capacity: held + room })));
}
