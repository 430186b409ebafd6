//! The small tables: ports, VAPs, VNs and next hops, immutable and replaced whole.
//!
//! A poller takes the current snapshot once per burst. Parts that a batch did not touch are shared between snapshots.
//! [`NONE`](Index) marks an absent reference, and entries of retired indices stay in place, closed: a reference that a poller read just
//! before a change finds an entry that forwards nothing.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use types::{MacAddr, PortId, Selector, Vid};

use crate::acl::Acl;
use crate::chunks::{Chunks, Indexed};
use crate::fdb::Destination;
use crate::flags::Flags;
use crate::groups::GroupEntry;
use crate::joined::Joined;
use crate::next_hop::NextHopEntry;
use crate::peers::Peers;
use crate::policy::{AclBinding, VapPolicy};

/// A dense index into one of the tables; [`Snapshot::NONE`] is none.
pub type Index = u16;

/// The same of a next hop: there are as many as VNs times the NVEs of each.
pub type NextHopIndex = u32;

/// What a port is for.
#[derive(Clone, Debug, Default)]
pub enum PortEntry {
    /// No such port: everything is dropped.
    #[default]
    Unused,
    /// Tenants are behind it, or nobody yet.
    Access(Arc<AccessPort>),
    /// Other NVEs are behind it.
    Underlay(Arc<UnderlayPort>),
    /// The kernel's end of an underlay port.
    Exception {
        /// The underlay port.
        underlay: u16,
        /// VID of the C-TAG that frames have there; 0 if they have none.
        vlan: u16,
    },
}

/// The VAPs of an access port, by what selects them.
#[derive(Clone, Debug)]
pub struct AccessPort {
    /// The port's own MAC: control frames to it are ours.
    pub mac: MacAddr,
    /// The VAP of all frames that no other selects.
    pub whole: Index,
    /// The VAP of untagged frames.
    pub untagged: Index,
    /// The VAP of each C-TAG, by VID; at 0, which no C-TAG of a VN has, that of untagged frames: a priority tag counts as none.
    pub c_tag: Box<[Index; VIDS]>,
    /// The VAPs of S-TAGs; `None` while no VAP of the port wants one.
    pub s_tag: Option<Box<STags>>,
}

/// The VAPs of S-TAGs.
#[derive(Clone, Debug)]
pub struct STags {
    /// The VAP of each S-TAG alone, by VID.
    pub alone: [Index; VIDS],
    /// For each S-TAG, the VAPs of the C-TAGs behind it.
    pub with_c: [Option<Arc<[Index; VIDS]>>; VIDS],
}

const VIDS: usize = 4096;

impl AccessPort {
    /// A port without VAPs.
    pub fn new(mac: MacAddr) -> Self {
        let none = [Snapshot::NONE; VIDS];
        Self { mac, whole: Snapshot::NONE, untagged: Snapshot::NONE, c_tag: Box::new(none), s_tag: None }
    }

    /// Makes `index` the VAP of what `selector` selects; [`Snapshot::NONE`] makes it nobody's.
    pub fn select(&mut self, selector: Selector, index: Index) {
        let at = |vid: Vid| usize::from(vid.get());
        match selector {
            Selector::STag(_) | Selector::SAndCTag(..) if index == Snapshot::NONE && self.s_tag.is_none() => {}
            Selector::Port => self.whole = index,
            Selector::Untagged => (self.untagged, self.c_tag[0]) = (index, index),
            Selector::CTag(vid) => self.c_tag[at(vid)] = index,
            Selector::STag(vid) => self.s_tags().alone[at(vid)] = index,
            Selector::SAndCTag(s, c) => {
                let behind = self.s_tags().with_c[at(s)].get_or_insert_with(|| Arc::new([Snapshot::NONE; VIDS]));
                Arc::make_mut(behind)[at(c)] = index;
            }
        }
        if index == Snapshot::NONE {
            self.forget_s_tags(selector);
        }
    }

    /// Lets go of tables that the VAP of `selector` was the last in: a port is as if the VAP had never been.
    fn forget_s_tags(&mut self, selector: Selector) {
        let Some(s_tags) = &mut self.s_tag else { return };
        let is_empty = |vaps: &[Index; VIDS]| vaps.iter().all(|vap| *vap == Snapshot::NONE);
        if let Selector::SAndCTag(s, _) = selector {
            let behind = &mut s_tags.with_c[usize::from(s.get())];
            behind.take_if(|vaps| is_empty(vaps));
        }
        if s_tags.with_c.iter().all(Option::is_none) && is_empty(&s_tags.alone) {
            self.s_tag = None;
        }
    }

    /// Bytes of its tables.
    pub fn bytes(&self) -> usize {
        let behind = |s_tags: &STags| s_tags.with_c.iter().flatten().count() * size_of::<[Index; VIDS]>();
        let s_tags = self.s_tag.as_ref().map_or(0, |s_tags| size_of::<STags>() + behind(s_tags));
        size_of::<Self>() + size_of::<[Index; VIDS]>() + s_tags
    }

    fn s_tags(&mut self) -> &mut STags {
        let empty = || STags { alone: [Snapshot::NONE; VIDS], with_c: [const { None }; VIDS] };
        self.s_tag.get_or_insert_with(|| Box::new(empty()))
    }
}

/// An underlay port and this NVE's addresses on it.
#[derive(Clone, Debug, Default)]
pub struct UnderlayPort {
    /// The port's MAC.
    pub mac: MacAddr,
    /// The NVE's IPv4 addresses.
    pub v4: Box<[Ipv4Addr]>,
    /// The NVE's IPv6 addresses.
    pub v6: Box<[Ipv6Addr]>,
    /// Those of them that take tunnelled packets without a UDP checksum.
    pub zero_checksum: Box<[Ipv6Addr]>,
    /// Those that are not used yet, because another host may have them (RFC 4862, 5.4).
    pub tentative: Box<[Ipv6Addr]>,
    /// VID of the C-TAG that frames have on this link; 0 if they have none.
    pub vlan: u16,
    /// The port behind which the kernel takes what is for the NVE and not its data plane's.
    pub exception: Option<u16>,
    /// The groups whose tunnelled packets are received here.
    pub joined: Joined,
}

impl UnderlayPort {
    /// Whether an IPv4 address is this NVE's.
    #[inline(always)]
    pub fn has_v4(&self, ip: Ipv4Addr) -> bool {
        self.v4.contains(&ip)
    }

    /// Whether an IPv6 address is this NVE's.
    #[inline(always)]
    pub fn has_v6(&self, ip: Ipv6Addr) -> bool {
        self.v6.contains(&ip)
    }
}

/// What a VAP does with its tenant's own tags (RFC 8014, 3.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagPolicy {
    /// A tagged frame is dropped.
    Refuse,
    /// Tags are carried as they are.
    Pass,
    /// Tags are removed.
    Strip,
    /// A frame's outermost tag must be a C-TAG of this list, one bit a VID; an untagged frame passes.
    List(Arc<[u64; VIDS / 64]>),
}

impl TagPolicy {
    /// A list of `vids`.
    pub fn list(vids: impl IntoIterator<Item = Vid>) -> Self {
        let mut bits = [0; VIDS / 64];
        for vid in vids {
            bits[usize::from(vid.get()) / 64] |= 1 << (vid.get() % 64);
        }
        Self::List(Arc::new(bits))
    }

    /// Whether a raw VID, 0 to 4095, is in a list's `bits`.
    #[inline(always)]
    pub fn lists(bits: &[u64; VIDS / 64], vid: u16) -> bool {
        bits[usize::from(vid / 64)] & 1 << (vid % 64) != 0
    }
}

/// A VAP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VapEntry {
    /// The port to leave by.
    pub port: u16,
    /// The S-TAG to push, 0 for none.
    pub s_vid: u16,
    /// The C-TAG to push, 0 for none.
    pub c_vid: u16,
    /// The VN; [`Snapshot::NONE`] while the VAP is closed.
    pub vn: Index,
    /// What is special about it.
    pub flags: Flags,
    /// The tenant's own tags.
    pub tags: TagPolicy,
}

impl VapEntry {
    /// A VAP that is not there.
    pub const CLOSED: Self =
        Self { port: 0, s_vid: 0, c_vid: 0, vn: Snapshot::NONE, flags: Flags::GUARD, tags: TagPolicy::Refuse };

    /// The VAP with this selector.
    pub fn selected_by(self, selector: Selector) -> Self {
        let flags = self.flags.with_if(selector == Selector::Port, Flags::WHOLE);
        Self { s_vid: selector.s_vid(), c_vid: selector.c_vid(), flags, ..self }
    }
}

impl Default for VapEntry {
    fn default() -> Self {
        Self::CLOSED
    }
}

/// What becomes of unicast to a MAC without a row, where a VN has no uplink.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unknown {
    /// It is dropped.
    #[default]
    Drop,
    /// It is dropped, and the control plane is told of the MAC.
    Query,
    /// It goes to everybody, as a group frame does.
    Flood,
}

/// A VN.
#[derive(Clone, Debug)]
pub struct VnEntry {
    /// The longest untagged frame of a tenant, bytes: the VN's MTU and an Ethernet header; 0 while the VN is closed.
    pub max_frame: u16,
    /// What is special about it.
    pub flags: Flags,
    /// The VAP that takes unknown unicast.
    pub uplink: Index,
    /// What becomes of unknown unicast without one.
    pub unknown: Unknown,
    /// The VN's VAPs.
    pub vaps: Arc<[Index]>,
    /// The next hops, and groups of them, that get a copy of each group frame.
    pub flood: Arc<[Destination]>,
}

impl Default for VnEntry {
    fn default() -> Self {
        Self {
            max_frame: 0,
            flags: Flags::NONE,
            uplink: Snapshot::NONE,
            unknown: Unknown::Drop,
            vaps: Arc::new([]),
            flood: Arc::new([]),
        }
    }
}

/// One consistent set of the small tables.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// By port id.
    pub ports: Arc<Vec<PortEntry>>,
    /// By VAP index.
    pub vaps: Indexed<VapEntry>,
    /// By VN index.
    pub vns: Indexed<VnEntry>,
    /// By next hop index.
    pub next_hops: Chunks<NextHopEntry>,
    /// By group index.
    pub groups: Chunks<GroupEntry>,
    /// By ACL index.
    pub acls: Chunks<Option<Arc<Acl>>>,
    /// By VAP index; only of those whose flags ask for it.
    pub vap_policies: Chunks<VapPolicy>,
    /// By VN index, likewise.
    pub vn_acls: Chunks<AclBinding>,
    /// The NVE behind each next hop, by its index.
    pub remotes: Chunks<Option<IpAddr>>,
    /// The numbers of other NVEs' IPv6 addresses.
    pub peers: Arc<Peers>,
}

impl Snapshot {
    /// No object.
    pub const NONE: Index = Index::MAX;

    /// What `port` is for.
    #[inline]
    pub fn port(&self, port: PortId) -> &PortEntry {
        self.ports.get(usize::from(port.0)).unwrap_or(&PortEntry::Unused)
    }

    /// A VAP; closed if there is none of that index.
    #[inline(always)]
    pub fn vap(&self, index: Index) -> &VapEntry {
        self.vaps.get(index)
    }

    /// A VN, if there is one of that index.
    #[inline(always)]
    pub fn vn(&self, index: Index) -> Option<&VnEntry> {
        Some(self.vns.get(index)).filter(|vn| vn.max_frame != 0)
    }

    /// A list, if there is one of that index.
    #[inline]
    pub fn acl(&self, index: Index) -> Option<&Acl> {
        self.acls.get(usize::from(index))?.as_deref()
    }

    /// The policy of a VAP.
    #[inline]
    pub fn vap_policy(&self, index: Index) -> VapPolicy {
        self.vap_policies.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// The access lists of a VN.
    #[inline]
    pub fn vn_acls(&self, index: Index) -> AclBinding {
        self.vn_acls.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// The NVE behind a next hop.
    #[inline(always)]
    pub fn remote(&self, index: NextHopIndex) -> Option<IpAddr> {
        self.remotes.get(index as usize).copied().flatten()
    }

    /// A next hop, if there is one of that index.
    #[inline(always)]
    pub fn next_hop(&self, index: NextHopIndex) -> Option<&NextHopEntry> {
        self.next_hops.get(index as usize)
    }

    /// A group of next hops, if there is one of that index.
    #[inline(always)]
    pub fn group(&self, index: NextHopIndex) -> Option<&GroupEntry> {
        self.groups.get(index as usize)
    }
}

/// Where the writer puts snapshots.
#[derive(Clone, Default)]
pub struct Publisher(Arc<ArcSwap<Snapshot>>);

impl Publisher {
    /// Makes `snapshot` the current one.
    pub fn publish(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }

    /// A poller's access to the current snapshot.
    pub fn reader(&self) -> SnapshotReader {
        SnapshotReader(Cache::new(Arc::clone(&self.0)))
    }
}

/// A poller's access to the current snapshot: one atomic load per burst while nothing changes.
pub struct SnapshotReader(Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>);

impl SnapshotReader {
    /// The current snapshot.
    #[inline]
    pub fn load(&mut self) -> &Snapshot {
        self.0.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_whose_last_vap_of_an_s_tag_went_is_as_if_it_had_never_been() {
        let vid = |vid: u16| Vid::try_from(vid).unwrap();
        let (alone, behind) = (Selector::STag(vid(7)), Selector::SAndCTag(vid(7), vid(9)));
        let mut port = AccessPort::new(MacAddr::default());
        port.select(alone, 1);
        port.select(behind, 2);
        port.select(behind, Snapshot::NONE);
        assert!(port.s_tag.as_ref().is_some_and(|s_tags| s_tags.with_c[7].is_none() && s_tags.alone[7] == 1));
        port.select(alone, Snapshot::NONE);
        assert!(port.s_tag.is_none());
        port.select(behind, Snapshot::NONE);
        assert!(port.s_tag.is_none(), "none is made to hold nothing");
    }

    #[test]
    fn readers_see_what_was_published_last_and_absent_objects_are_closed() {
        let publisher = Publisher::default();
        let mut reader = publisher.reader();
        assert_eq!(*reader.load().vap(3), VapEntry::CLOSED);
        let open = VapEntry { port: 1, c_vid: 7, vn: 0, ..VapEntry::CLOSED };
        publisher.publish(Snapshot { vaps: [open.clone()].into_iter().collect(), ..Snapshot::default() });
        assert_eq!(*reader.load().vap(0), open);
        let vn = VnEntry { max_frame: 1514, ..VnEntry::default() };
        publisher.publish(Snapshot { vns: [VnEntry::default(), vn].into_iter().collect(), ..Snapshot::default() });
        assert_eq!([0, 1, 2].map(|index| reader.load().vn(index).is_some()), [false, true, false]);
        assert!(matches!(reader.load().port(PortId(5)), PortEntry::Unused));
    }
}
