//! Who may send into a VN. An IPv6 address is known to the tables by a number.

use core::net::IpAddr;
use std::sync::Arc;

use tables::{Index, Peers, Source, SourceKey};

use super::Forwarding;
use crate::model::{Model, PeerRow};

impl Forwarding {
    /// Gives every IPv6 address of a list a number, if it has none.
    pub(super) fn number_peers(&mut self, model: &mut Model, list: &[IpAddr]) {
        for ip in list {
            let IpAddr::V6(ip) = ip else { continue };
            if !model.peers.contains_key(ip) {
                let index = self.peer_indices.take(&self.quiescence).unwrap_or(Peers::NOBODY);
                Arc::make_mut(&mut self.snapshot.peers).insert(*ip, index);
                model.peers.insert(*ip, PeerRow { index, users: 0 });
            }
        }
    }

    /// Takes a source's permission to send into a VN away.
    pub(super) fn forbid(&mut self, model: &mut Model, vn: Index, source: IpAddr) {
        if let Some(number) = count_peer(model, source, -1) {
            self.sources.remove(SourceKey::new(vn, number));
        }
    }
}

/// The number of a source, which one VN more or less names.
pub(super) fn count_peer(model: &mut Model, source: IpAddr, change: isize) -> Option<Source> {
    match source {
        IpAddr::V4(ip) => Some(Source::V4(ip)),
        IpAddr::V6(ip) => model.peers.get_mut(&ip).map(|row| {
            row.users = row.users.saturating_add_signed(change);
            Source::V6(row.index)
        }),
    }
}
