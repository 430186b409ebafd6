//! What the controller has told the engine: the authoritative copy of every object, in the controller's ids.
//!
//! The model belongs to the control thread. It answers `dump`, and every batch is checked against it ([`Changes::prepare`]) before
//! anything is touched. It knows neither packets nor DPDK, and nothing in it is read by a poller.

mod acl;
mod changes;
mod check;
mod paths;
mod tunnel;
mod wishes;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pipeline::PuntClass;
use tables::{Acl, Index, NextHopIndex};
use types::{AclId, GroupId, MacAddr, NextHopId, PortId, Selector, VapId, VnId, Vni};

use crate::ageing::Ageing;
use crate::neighbour::Neighbour;
use crate::schema::{Dest, Kind, Unknown};

pub use acl::{ACLS, AclSpec};
pub use changes::{Changes, NextHopSpec, PortSpec, RowSpec, UnderlaySpec, VapSpec, VnSpec};
pub use check::Limits;
#[cfg(test)]
pub use check::Refused;
pub use paths::{Path, Paths, Prefix};

/// A port.
#[derive(Clone, Debug)]
pub struct PortRow {
    /// As the controller described it.
    pub spec: PortSpec,
    /// The device's MAC.
    pub mac: MacAddr,
}

/// A VN.
#[derive(Clone, Debug, Default)]
pub struct VnRow {
    /// Its index in the tables.
    pub index: Index,
    /// As the controller described it.
    pub spec: VnSpec,
    /// Its VAPs.
    pub vaps: BTreeSet<VapId>,
    /// Its flood list.
    pub flood: Vec<Dest>,
    /// The NVEs that may send.
    pub sources: BTreeSet<IpAddr>,
    /// Its FDB rows.
    pub rows: BTreeMap<MacAddr, Dest>,
    /// Its IP-MAC pairs.
    pub pairs: BTreeMap<IpAddr, MacAddr>,
}

/// A VAP.
#[derive(Clone, Debug)]
pub struct VapRow {
    /// Its index in the tables.
    pub index: Index,
    /// As the controller described it.
    pub spec: VapSpec,
    /// How many FDB rows name it.
    pub rows: usize,
    /// What the index's counters stood at when the VAP was made.
    pub counters_before: [u64; pipeline::COUNTERS_PER_VAP],
}

/// A next hop.
#[derive(Clone, Debug)]
pub struct NextHopRow {
    /// Its index in the tables.
    pub index: NextHopIndex,
    /// As the controller described it.
    pub spec: NextHopSpec,
    /// How it is reached.
    pub path: Path,
    /// How many rows, flood lists and groups name it.
    pub users: usize,
    /// The groups that it belongs to.
    pub groups: BTreeSet<GroupId>,
    /// Whether it lives, as far as the controller knows.
    pub alive: bool,
}

impl NextHopRow {
    /// The MAC that frames go to, if it needs no asking: that of a multicast group.
    pub fn group_mac(&self) -> Option<MacAddr> {
        let remote = self.spec.remote;
        remote.is_multicast().then(|| MacAddr(wire::multicast_mac(remote)))
    }
}

/// A group of next hops.
#[derive(Clone, Debug, Default)]
pub struct GroupRow {
    /// Its index in the tables.
    pub index: NextHopIndex,
    /// Its next hops and their weights, at least 1.
    pub members: Vec<(NextHopId, u8)>,
    /// The VN whose rows and list name it, or did last.
    pub vn: Option<VnId>,
    /// How many rows and flood lists name it.
    pub users: usize,
}

/// An IPv6 address that may send.
#[derive(Clone, Debug)]
pub struct PeerRow {
    /// Its number in the tables.
    pub index: u32,
    /// How many VNs' sources it is among.
    pub users: usize,
}

/// An access list.
#[derive(Clone, Debug)]
pub struct AclRow {
    /// Its index in the tables.
    pub index: Index,
    /// As the controller described it.
    pub spec: AclSpec,
    /// What frames meet, with its counters.
    pub list: Arc<Acl>,
}

/// All objects.
#[derive(Default)]
pub struct Model {
    /// Ports.
    pub ports: BTreeMap<PortId, PortRow>,
    /// Ports whose links are to be down.
    pub down: BTreeSet<PortId>,
    /// VNs.
    pub vns: BTreeMap<VnId, VnRow>,
    /// VAPs.
    pub vaps: BTreeMap<VapId, VapRow>,
    /// Underlay addresses.
    pub underlays: BTreeMap<Neighbour, UnderlaySpec>,
    /// Next hops.
    pub next_hops: BTreeMap<NextHopId, NextHopRow>,
    /// Groups of next hops.
    pub groups: BTreeMap<GroupId, GroupRow>,
    /// Static routes, with their gateways.
    pub routes: BTreeMap<Prefix, Vec<IpAddr>>,
    /// Which port is the kernel's end of which underlay port.
    pub exceptions: BTreeMap<PortId, PortId>,
    /// Static neighbours.
    pub neighbours: BTreeMap<Neighbour, MacAddr>,
    /// The numbers of permitted sources' IPv6 addresses.
    pub peers: BTreeMap<Ipv6Addr, PeerRow>,
    /// The multicast groups that VNs are in, and the port where.
    pub joined: BTreeMap<(VnId, IpAddr), PortId>,
    /// Access lists.
    pub acls: BTreeMap<AclId, AclRow>,
    /// What each source may send of a class of punts, where that is not the default.
    pub police: BTreeMap<PuntClass, (u32, u32)>,
    /// Who receives under which VNI.
    pub vni_holders: BTreeMap<Vni, VnId>,
    /// Who has which frames of which port.
    pub selector_holders: BTreeMap<(PortId, Selector), VapId>,
    /// Whose an index of the VAP table is.
    pub vap_at: BTreeMap<Index, VapId>,
    /// Whose an index of the VN table is.
    pub vn_at: BTreeMap<Index, VnId>,
    /// Rows that age.
    pub ageing: Ageing,
    /// FDB rows of all VNs.
    pub row_count: usize,
    /// Permitted sources of all VNs.
    pub source_count: usize,
    /// IP-MAC pairs of all VNs.
    pub pair_count: usize,
}

impl Model {
    /// Objects and rows, all together.
    pub fn entries(&self) -> usize {
        let objects = self.ports.len() + self.vns.len() + self.vaps.len() + self.next_hops.len();
        objects + self.row_count + self.source_count + self.pair_count
    }

    /// About the bytes that it takes: a B-tree's nodes are two thirds full.
    pub fn bytes(&self) -> usize {
        let tree = |entries: usize, bytes: usize| entries * bytes * 3 / 2;
        let objects = tree(self.vns.len(), size_of::<(VnId, VnRow)>())
            // With what finds it by its index and its selector, and in its VN.
            + tree(self.vaps.len(), size_of::<(VapId, VapRow, Index, VapId, PortId, Selector, VapId, VapId)>())
            + tree(self.next_hops.len(), size_of::<(NextHopId, NextHopRow)>());
        let rows = tree(self.row_count, size_of::<(MacAddr, Dest)>());
        objects
            + rows
            + tree(self.source_count, size_of::<core::net::Ipv4Addr>())
            + tree(self.pair_count, size_of::<(core::net::IpAddr, MacAddr)>())
    }

    /// What a port is for.
    pub fn role(&self, id: PortId) -> &'static str {
        let mut vaps = self.selector_holders.range((id, Selector::Port)..);
        match vaps.next() {
            Some(((port, _), _)) if *port == id => "access",
            _ if self.addresses(id).next().is_some() => "underlay",
            _ if self.exceptions.values().any(|tap| *tap == id) => "exception",
            _ => "unused",
        }
    }

    /// The underlay addresses of a port.
    pub fn addresses(&self, port: PortId) -> impl Iterator<Item = &UnderlaySpec> {
        let all = (port, IpAddr::V4(Ipv4Addr::UNSPECIFIED))..=(port, IpAddr::V6(u128::MAX.into()));
        self.underlays.range(all).map(|(_, spec)| spec)
    }

    /// The multicast groups at a port, each with the index of a VN that is in it.
    pub fn joined_at(&self, port: PortId) -> impl Iterator<Item = (IpAddr, Index)> {
        let here = self.joined.iter().filter(move |(_, other)| **other == port);
        here.filter_map(|((vn, group), _)| Some((*group, self.vns.get(vn)?.index)))
    }

    /// The VLAN of an underlay port's link.
    pub fn vlan(&self, port: PortId) -> Option<u16> {
        self.addresses(port).find_map(|spec| spec.options.vlan)
    }

    /// The ways that there are.
    pub fn paths(&self) -> Paths<'_> {
        let routes = self.routes.iter().map(|(prefix, gateways)| (*prefix, gateways.as_slice()));
        Paths::new(self.underlays.iter().map(|(key, spec)| (*key, spec)), routes)
    }

    /// Whether the way to somebody may depend on whether this neighbour lives.
    pub fn is_gateway(&self, neighbour: Neighbour) -> bool {
        self.routes.values().any(|gateways| gateways.contains(&neighbour.1))
    }

    /// The VAP that learns at these indices of VAP and VN, and its VN, if `source` is news there: a poller may have seen the frame before the
    /// last batch, which may have brought its row or taken the VAP.
    pub fn news(&self, vap: Index, vn: Index, source: MacAddr) -> Option<(VapId, VnId)> {
        let id = *self.vap_at.get(&vap)?;
        let spec = &self.vaps.get(&id)?.spec;
        let is_same_vn = self.vns.get(&spec.vn).is_some_and(|row| row.index == vn);
        let is_known = self.row(spec.vn, source) == Some(Dest::Vap(id));
        (spec.learn && is_same_vn && !is_known).then_some((id, spec.vn))
    }

    /// The VN of this index, if `mac`, which frames are for, is news to it: it is set to ask, and has no row.
    pub fn is_asked_for(&self, vn: Index, mac: MacAddr) -> Option<VnId> {
        let id = *self.vn_at.get(&vn)?;
        let asks = self.vns.get(&id)?.spec.options.unknown == Unknown::Query;
        (asks && self.row(id, mac).is_none()).then_some(id)
    }

    /// The VN of this index, if it is news to it that `mac` is behind the NVE `remote`.
    pub fn is_news_behind(&self, vn: Index, mac: MacAddr, remote: IpAddr) -> Option<VnId> {
        let id = *self.vn_at.get(&vn)?;
        let learns = self.vns.get(&id)?.spec.options.learn;
        let is_known = match self.row(id, mac) {
            Some(Dest::NextHop(next_hop)) => self.next_hops.get(&next_hop).is_some_and(|row| row.spec.remote == remote),
            _ => false,
        };
        (learns && !is_known).then_some(id)
    }

    fn row(&self, vn: VnId, mac: MacAddr) -> Option<Dest> {
        self.vns.get(&vn)?.rows.get(&mac).copied()
    }

    /// Counts one more or one less who names `dest`.
    pub fn count_use(&mut self, dest: Dest, change: isize) {
        let count = match dest {
            Dest::Vap(id) => self.vaps.get_mut(&id).map(|row| &mut row.rows),
            Dest::NextHop(id) => self.next_hops.get_mut(&id).map(|row| &mut row.users),
            Dest::Group(id) => self.groups.get_mut(&id).map(|row| &mut row.users),
        };
        if let Some(count) = count {
            *count = count.saturating_add_signed(change);
        }
    }
}

impl PortSpec {
    /// Whether its driver may be asked to take the link down.
    pub fn has_settable_link(&self) -> bool {
        matches!(self.kind, Kind::Tap { .. } | Kind::Pci { .. } | Kind::Devargs(_))
    }

    /// The driver's name, for people.
    pub fn driver(&self) -> &'static str {
        match self.kind {
            Kind::Tap { .. } => "net_tap",
            Kind::AfXdp { .. } => "net_af_xdp",
            Kind::Pcap { .. } => "net_pcap",
            Kind::Null { .. } => "net_null",
            Kind::Ring => "net_ring",
            Kind::Vhost { .. } => "net_vhost",
            Kind::Pci { .. } => "pci",
            Kind::Devargs(_) => "devargs",
        }
    }
}

#[cfg(test)]
pub mod tests;
