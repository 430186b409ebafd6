//! The bench on which batches are applied, and the check that the tables say what the model says.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::sync::Arc;

use tables::{
    AclBinding, ContextKey, Destination, FdbKey, Flags, GroupEntry, NextHopEntry, PortEntry, Snapshot, Source,
    SourceKey,
};
use types::{AclId, MacAddr, PortId};

use super::world::Surroundings;
use crate::forwarding::{Effects, Forwarding, Readers, destination};
use crate::model::tests::{address, host, host_6};
use crate::model::{Changes, Model, Refused};
use crate::schema::{Command, Dest};

pub struct Bench {
    pub model: Model,
    pub forwarding: Forwarding,
    pub readers: Readers,
}

impl Bench {
    pub fn new(fdb_capacity: usize) -> Self {
        let mut forwarding = Forwarding::new(fdb_capacity, 0x5eed, 1_000_000);
        let readers = forwarding.readers();
        readers.quiescence.online();
        Self { model: Model::default(), forwarding, readers }
    }

    pub fn apply(&mut self, batch: Vec<Command>) -> Result<Effects, Refused> {
        let changes = Changes::prepare(batch, &self.model, &self.forwarding.limits())?;
        Ok(self.forwarding.apply(&mut self.model, &changes, &Surroundings))
    }

    /// Everything the model holds, to be compared.
    pub fn picture(&self) -> String {
        let Model { ports, vns, vaps, underlays, next_hops, groups, neighbours, acls, police, joined, .. } =
            &self.model;
        let Model { vni_holders, selector_holders, vap_at, vn_at, ageing, row_count, source_count, pair_count, .. } =
            &self.model;
        format!(
            "{ports:?}{vns:?}{vaps:?}{underlays:?}{next_hops:?}{groups:?}{neighbours:?}{acls:?}{police:?}{joined:?}{vni_holders:?}{selector_holders:?}{vap_at:?}{vn_at:?}{ageing:?}{row_count} {source_count} {pair_count}"
        )
    }

    /// The tables, asked as a poller asks them, against the model.
    pub fn check(&mut self) {
        self.readers.quiescence.quiescent();
        let snapshot = self.readers.snapshot.load();
        let model = &self.model;
        let mut rows = 0;
        for (id, vn) in &model.vns {
            let entry = snapshot.vn(vn.index).expect("a VN has an entry");
            assert_eq!(entry.max_frame, vn.spec.mtu + 14);
            let options = &vn.spec.options;
            let acls = bound(model, snapshot, snapshot.vn_acls(vn.index), [options.acl_in, options.acl_out]);
            assert_eq!([Flags::VN_ACL_IN, Flags::VN_ACL_OUT].map(|flag| entry.flags.has(flag)), acls);
            let vaps: Vec<_> = vn.vaps.iter().map(|vap| model.vaps[vap].index).collect();
            assert_eq!(*entry.vaps, *vaps);
            assert!(model.vaps.iter().all(|(vap, row)| (row.spec.vn == *id) == vn.vaps.contains(vap)));
            let flood: Vec<_> = vn.flood.iter().filter_map(|dest| destination(model, *dest)).collect();
            assert_eq!(*entry.flood, *flood);
            if let Some(vni) = vn.spec.vni {
                assert_eq!(self.readers.contexts.get(ContextKey(vni)), Some(vn.index.into()));
                assert_eq!(model.vni_holders.get(&vni), Some(id));
            }
            for source in (1..6).flat_map(|last| [host(last), host_6(last.into())]) {
                let number = match source {
                    IpAddr::V4(ip) => Source::V4(ip),
                    IpAddr::V6(ip) => Source::V6(snapshot.peers.number(ip)),
                };
                let permitted = self.readers.sources.get(SourceKey::new(vn.index, number)).is_some();
                assert_eq!(permitted, vn.sources.contains(&source));
            }
            for last in 0..4 {
                let found = self.readers.pairs.load().get(vn.index, address(last));
                assert_eq!(found, vn.pairs.get(&address(last)).copied(), "pair {last} of vn {id}");
            }
            for last in 0..40 {
                let mac = MacAddr([2, 0, 0, 0, 0, last]);
                let found = self.readers.fdb.get(FdbKey::new(vn.index, mac)).map(Destination::unpack);
                let expected = vn.rows.get(&mac).and_then(|dest| destination(model, *dest));
                assert_eq!(expected.is_some(), vn.rows.contains_key(&mac));
                if let Some(Dest::Group(group)) = vn.rows.get(&mac) {
                    assert_eq!(snapshot.group(model.groups[group].index).unwrap().vn, vn.index);
                }
                assert_eq!(found, expected, "row {mac} of vn {id}");
                let seen = self.forwarding.seen(vn.index, mac);
                assert_eq!(seen.is_some_and(|seen| seen != 0), model.ageing.age_s(*id, mac) != 0, "{mac} ages");
                rows += usize::from(expected.is_some());
            }
        }
        assert_eq!(rows, model.row_count);
        assert_eq!(model.vni_holders.len(), model.vns.values().filter(|vn| vn.spec.vni.is_some()).count());
        assert!(model.ageing.rows().all(|(vn, mac, _)| model.vns[&vn].rows.contains_key(&mac)));
        assert!(model.vn_at.iter().all(|(index, id)| model.vns[id].index == *index));
        assert_eq!(model.vn_at.len(), model.vns.len());
        assert_eq!(model.pair_count, model.vns.values().map(|vn| vn.pairs.len()).sum::<usize>());
        assert_eq!(model.source_count, model.vns.values().map(|vn| vn.sources.len()).sum::<usize>());
        assert!(model.neighbours.keys().all(|(port, ip)| model.addresses(*port).any(|spec| spec.has_on_link(*ip))));
        for (peer, row) in &model.peers {
            let users = model.vns.values().filter(|vn| vn.sources.contains(&IpAddr::V6(*peer))).count();
            assert_eq!((row.users, users > 0), (users, true), "uses of {peer}");
        }
        self.check_vaps_and_next_hops();
    }

    fn check_vaps_and_next_hops(&mut self) {
        let (snapshot, model) = (self.readers.snapshot.load(), &self.model);
        assert_eq!(model.selector_holders.len(), model.vaps.len());
        assert_eq!(model.vap_at.len(), model.vaps.len());
        for (id, row) in &model.vaps {
            assert_eq!(model.vap_at.get(&row.index), Some(id));
            let entry = snapshot.vap(row.index);
            assert_eq!(entry.vn, model.vns[&row.spec.vn].index);
            let options = &row.spec.options;
            let policy = snapshot.vap_policy(row.index);
            let acls = bound(model, snapshot, policy.acls, [options.acl_in, options.acl_out]);
            assert_eq!([Flags::ACL_IN, Flags::ACL_OUT].map(|flag| entry.flags.has(flag)), acls);
            let asked = [options.police.is_some(), options.storm.is_some(), options.guard_ip];
            assert_eq!([Flags::POLICE, Flags::STORM, Flags::GUARD_IP].map(|flag| entry.flags.has(flag)), asked);
            let PortEntry::Access(port) = snapshot.port(row.spec.port) else { panic!("vap {id} on no access port") };
            assert_eq!(port.c_tag[usize::from(row.spec.selector.c_vid())], row.index);
            let named =
                model.vns.values().flat_map(|vn| vn.rows.values()).filter(|dest| **dest == Dest::Vap(*id)).count();
            assert_eq!(row.rows, named, "uses of vap {id}");
        }
        let open = snapshot.vaps.iter().filter(|vap| vap.vn != Snapshot::NONE).count();
        assert_eq!(open, model.vaps.len(), "closed VAPs forward nothing");
        for (port, entry) in snapshot.ports.iter().enumerate() {
            let port = PortId(port as u16);
            let selected = model.selector_holders.keys().filter(|(of, _)| *of == port).count();
            match entry {
                PortEntry::Access(access) => {
                    assert_eq!(access.c_tag.iter().filter(|vap| **vap != Snapshot::NONE).count(), selected);
                    assert!(model.ports.contains_key(&port) && model.addresses(port).next().is_none());
                }
                PortEntry::Underlay(underlay) => {
                    let v4 = underlay.v4.iter().copied().map(IpAddr::from);
                    let ips: Vec<_> = v4.chain(underlay.v6.iter().copied().map(IpAddr::from)).collect();
                    assert!(model.addresses(port).map(|spec| spec.ip).eq(ips.iter().copied()) && !ips.is_empty());
                    assert_eq!(underlay.joined, model.joined_at(port).collect());
                }
                PortEntry::Exception { underlay, .. } => {
                    assert_eq!(model.exceptions.get(&PortId(*underlay)), Some(&port));
                }
                PortEntry::Unused => assert!(!model.ports.contains_key(&port)),
            }
        }
        for (id, row) in &model.next_hops {
            let in_rows =
                model.vns.values().flat_map(|vn| vn.rows.values()).filter(|dest| **dest == Dest::NextHop(*id));
            let in_floods = model.vns.values().filter(|vn| vn.flood.contains(&Dest::NextHop(*id)));
            let users = in_rows.count() + in_floods.count() + row.groups.len();
            assert_eq!(row.users, users, "uses of next hop {id}");
            let entry = snapshot.next_hop(row.index).expect("a next hop has an entry");
            assert_eq!(
                entry.is_living(),
                row.alive && (row.group_mac().is_some() || [host(2), host_6(2)].contains(&row.path.neighbour)),
                "it lives iff the neighbour is known and nobody says otherwise"
            );
            assert_eq!(entry.port, if row.alive { row.path.port.0 } else { NextHopEntry::DOWN.port });
            let ours = &model.underlays[&(row.path.port, row.path.source)];
            assert!(ours.has_on_link(row.path.neighbour) || row.path.neighbour == row.spec.remote);
        }
        assert!(
            model.joined.iter().all(|((vn, _), port)| model.vns.contains_key(vn) && model.ports.contains_key(port))
        );
        for (id, row) in &model.groups {
            let dest = Dest::Group(*id);
            let in_rows = model.vns.values().flat_map(|vn| vn.rows.values()).filter(|other| **other == dest);
            let in_floods = model.vns.values().filter(|vn| vn.flood.contains(&dest));
            assert_eq!(row.users, in_rows.count() + in_floods.count(), "uses of group {id}");
            let members = row.members.iter().map(|(next_hop, _)| &model.next_hops[next_hop]);
            assert!(members.clone().all(|member| member.groups.contains(id)));
            let living = members.filter(|member| snapshot.next_hop(member.index).unwrap().is_living());
            let living: BTreeSet<_> = living.map(|member| member.index).collect();
            let places = snapshot.group(row.index).unwrap().places.into_iter().collect::<BTreeSet<_>>();
            assert_eq!(places, if living.is_empty() { [GroupEntry::NOBODY].into() } else { living });
        }
    }
}

/// Which of two lists, inward and outward, are bound, after a look at whether those are.
fn bound(model: &Model, snapshot: &Snapshot, binding: AclBinding, ids: [Option<u32>; 2]) -> [bool; 2] {
    let lists = [binding.inward, binding.outward].map(|index| snapshot.acl(index).map(core::ptr::from_ref));
    let wanted = ids.map(|id| id.map(|id| Arc::as_ptr(&model.acls[&AclId(id)].list)));
    assert_eq!(lists, wanted);
    wanted.map(|list| list.is_some())
}
