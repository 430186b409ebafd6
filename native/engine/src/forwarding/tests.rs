//! The bench on which batches are applied, and the check that the tables say what the model says.

use core::net::IpAddr;

use tables::{
    AclBinding, ContextKey, Destination, FdbKey, GroupEntry, NextHopEntry, PortEntry, Snapshot, Source, SourceKey,
};
use types::{AclId, GroupId, MacAddr, NextHopId, PortId, VapId, VnId};

use super::*;
use crate::model::Refused;
use crate::model::tests::*;
use crate::schema::Command;

/// Every port has a MAC, and host 2 is a known neighbour.
struct Surroundings;

impl World for Surroundings {
    fn port_mac(&self, port: PortId) -> MacAddr {
        MacAddr([2, 0xff, 0, 0, 0, port.0 as u8])
    }
    fn neighbour_mac(&self, (_, ip): Neighbour) -> Option<MacAddr> {
        [host(2), host_6(2)].contains(&ip).then_some(MacAddr([2, 0xee, 0, 0, 0, 2]))
    }
    fn lives(&self, _neighbour: Neighbour) -> bool {
        true
    }
    fn address(&self, _address: Neighbour) -> Option<addresses::State> {
        Some(addresses::State::Preferred)
    }
    fn wait(&self, _done: &dyn Fn() -> bool) {}
}

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
        let Model { ports, vns, vaps, underlays, next_hops, groups, neighbours, acls, police, .. } = &self.model;
        let Model { vni_holders, selector_holders, vap_at, vn_at, ageing, row_count, source_count, pair_count, .. } =
            &self.model;
        format!(
            "{ports:?}{vns:?}{vaps:?}{underlays:?}{next_hops:?}{groups:?}{neighbours:?}{acls:?}{police:?}{vni_holders:?}{selector_holders:?}{vap_at:?}{vn_at:?}{ageing:?}{row_count} {source_count} {pair_count}"
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
                row.alive && [host(2), host_6(2)].contains(&row.path.neighbour),
                "it lives iff the neighbour is known and nobody says otherwise"
            );
            assert_eq!(entry.port, if row.alive { row.path.port.0 } else { NextHopEntry::DOWN.port });
            assert!(model.underlays[&(row.path.port, row.path.source)].has_on_link(row.path.neighbour));
        }
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

#[test]
fn a_group_leaves_a_dead_member_at_once_and_comes_back_to_it() {
    let mut bench = bench();
    let hosts = vec![next_hop(3, 3, 5001), group(1, &[(1, 1), (3, 1)]), row(1, 5, Dest::Group(GroupId(1)))];
    bench.apply(hosts).unwrap();
    let index = |bench: &Bench, id| bench.model.next_hops[&NextHopId(id)].index;
    let (first, third) = (index(&bench, 1), index(&bench, 3));
    let group_index = bench.model.groups[&GroupId(1)].index;
    let counts = |bench: &mut Bench| {
        let places = bench.readers.snapshot.load().group(group_index).unwrap().places;
        [first, third, GroupEntry::NOBODY].map(|index| places.iter().filter(|place| **place == index).count())
    };
    assert_eq!(counts(&mut bench), [60, 0, 0], "host 3 is not known yet");
    let neighbour = (PortId(1), host(3));
    let mut world = Answering { mac: Some(MacAddr([2, 0xee, 0, 0, 0, 3])), ..Answering::default() };
    bench.forwarding.resolve(&bench.model, neighbour, &world);
    assert_eq!(counts(&mut bench), [30, 30, 0]);
    world.mac = None;
    bench.forwarding.resolve(&bench.model, neighbour, &world);
    assert_eq!(counts(&mut bench), [60, 0, 0]);
    bench.apply(vec![alive(1, false)]).unwrap();
    assert_eq!(counts(&mut bench), [0, 0, 60]);
    assert_eq!(bench.readers.snapshot.load().next_hop(first).unwrap().why(), types::DropReason::NextHopDown);
    bench.apply(vec![next_hop(1, 2, 5001)]).unwrap();
    assert_eq!(counts(&mut bench), [0, 0, 60], "to set it again does not revive it");
    bench.apply(vec![alive(1, true)]).unwrap();
    assert_eq!(counts(&mut bench), [60, 0, 0]);
    bench.forwarding.links(&bench.model, &[(PortId(1), false)], &Surroundings);
    assert_eq!(counts(&mut bench), [0, 0, 60]);
    bench.forwarding.links(&bench.model, &[(PortId(1), true)], &Surroundings);
    assert_eq!(counts(&mut bench), [60, 0, 0]);
}

#[test]
fn a_neighbours_mac_reaches_every_next_hop_to_it() {
    let mut bench = bench();
    bench.apply(vec![next_hop(3, 3, 5001)]).unwrap();
    let index = bench.model.next_hops[&NextHopId(3)].index;
    assert_eq!(bench.readers.snapshot.load().next_hop(index).unwrap().header_length, 0);
    let neighbour = (PortId(1), host(3));
    let mut world = Answering { mac: Some(MacAddr([2, 0xee, 0, 0, 0, 3])), ..Answering::default() };
    bench.forwarding.resolve(&bench.model, neighbour, &world);
    let entry = bench.readers.snapshot.load().next_hop(index).unwrap().clone();
    assert_eq!((entry.header_length, entry.max_frame, entry.port), (50, 1600 - 36, 1));
    assert_eq!(entry.tail[..6], [2, 0xee, 0, 0, 0, 3]);
    let length = |bench: &mut Bench| bench.readers.snapshot.load().next_hop(index).unwrap().header_length;
    world.tentative = Some((PortId(1), host(1)));
    bench.forwarding.readdress(&mut bench.model, PortId(1), &world);
    assert_eq!(length(&mut bench), 0, "nothing is sent from an address that may be another's");
    world.tentative = None;
    bench.forwarding.readdress(&mut bench.model, PortId(1), &world);
    assert_eq!(length(&mut bench), 50);
    world.mac = None;
    bench.forwarding.resolve(&bench.model, neighbour, &world);
    assert_eq!(length(&mut bench), 0);
}

/// Neighbours are at one MAC, or at none; some do not live, and one of our addresses is tentative.
#[derive(Default)]
struct Answering {
    mac: Option<MacAddr>,
    dead: Vec<Neighbour>,
    tentative: Option<Neighbour>,
}

impl World for Answering {
    fn port_mac(&self, port: PortId) -> MacAddr {
        Surroundings.port_mac(port)
    }
    fn neighbour_mac(&self, _neighbour: Neighbour) -> Option<MacAddr> {
        self.mac
    }
    fn lives(&self, neighbour: Neighbour) -> bool {
        !self.dead.contains(&neighbour)
    }
    fn address(&self, address: Neighbour) -> Option<addresses::State> {
        let is_tentative = self.tentative == Some(address);
        Some(if is_tentative { addresses::State::Tentative } else { addresses::State::Preferred })
    }
    fn wait(&self, _done: &dyn Fn() -> bool) {}
}

#[test]
fn a_next_hop_follows_the_gateway_that_lives_and_its_route() {
    let mut bench = bench();
    let far = "203.0.113.9".parse().unwrap();
    let route = |gateways: &[u8]| Command::RouteSet {
        prefix: "203.0.113.0".parse().unwrap(),
        length: 24,
        gateways: gateways.iter().map(|last| host(*last)).collect(),
    };
    bench.apply(vec![next_hop_to(7, far, 5001), route(&[8, 9])]).unwrap();
    let via = |bench: &Bench| bench.model.next_hops[&NextHopId(7)].path;
    assert_eq!(via(&bench), Path { port: PortId(1), source: host(1), neighbour: host(8) });
    let world =
        Answering { mac: Some(MacAddr([2, 0xee, 0, 0, 0, 9])), dead: vec![(PortId(1), host(8))], tentative: None };
    assert!(bench.forwarding.redirect(&mut bench.model, &world));
    assert_eq!(via(&bench).neighbour, host(9));
    let index = bench.model.next_hops[&NextHopId(7)].index;
    let entry = bench.readers.snapshot.load().next_hop(index).unwrap().clone();
    assert_eq!((entry.header_length, &entry.tail[..6]), (50, &[2, 0xee, 0, 0, 0, 9][..]));
    assert_eq!(entry.tail[30..34], [203, 0, 113, 9], "to the NVE, over the gateway");
    assert!(!bench.forwarding.redirect(&mut bench.model, &world), "nothing new");
    bench.apply(vec![route(&[7])]).unwrap();
    assert_eq!(via(&bench).neighbour, host(7));
    bench.check();
}

#[test]
fn the_index_of_a_deleted_vn_rests_until_the_poller_has_been_quiescent() {
    let mut bench = bench();
    let index = bench.model.vns[&VnId(2)].index;
    bench.apply(vec![Command::VnDel { vn: VnId(2) }, Command::VapDel { vap: VapId(2) }]).unwrap();
    bench.apply(vec![vn(3, 9003)]).unwrap();
    assert_ne!(bench.model.vns[&VnId(3)].index, index, "a poller may still hold it");
    bench.readers.quiescence.quiescent();
    bench.apply(vec![vn(4, 9004)]).unwrap();
    assert_eq!(bench.model.vns[&VnId(4)].index, index);
}

#[test]
fn what_a_poller_saw_is_news_only_while_its_vap_learns_and_has_no_row_for_it() {
    let mut bench = bench();
    let learning = |vap, vn, vid, flags| Command::VapSet {
        vap: VapId(vap),
        vn: VnId(vn),
        port: PortId(0),
        selector: crate::schema::Selector::CTag(vid),
        flags,
        tags: crate::schema::Tags::Refuse,
        options: Default::default(),
    };
    let (index, vn) = (bench.model.vaps[&VapId(1)].index, bench.model.vns[&VnId(1)].index);
    let news = |bench: &Bench, last| bench.model.news(index, vn, MacAddr([2, 0, 0, 0, 0, last]));
    assert_eq!(news(&bench, 7), None, "it does not learn");
    bench.apply(vec![learning(1, 1, 100, 9)]).unwrap();
    let here = Some((VapId(1), VnId(1)));
    assert_eq!(
        [news(&bench, 7), news(&bench, 1), news(&bench, 2)],
        [here, None, here],
        "new, known here, known elsewhere"
    );
    bench.apply(vec![row(1, 7, Dest::Vap(VapId(1)))]).unwrap();
    assert_eq!(news(&bench, 7), None);
    bench.apply(vec![Command::VapDel { vap: VapId(1) }, no_row(1, 1), no_row(1, 7)]).unwrap();
    assert_eq!(news(&bench, 8), None, "the VAP is gone");
    bench.readers.quiescence.quiescent();
    bench.apply(vec![learning(3, 2, 300, 9)]).unwrap();
    assert_eq!(bench.model.vaps[&VapId(3)].index, index, "the index is another VAP's, of another VN");
    assert_eq!(news(&bench, 8), None);
}

/// A poller in the middle of a burst has the snapshot that it began with, while the maps go on changing. Under an index that a map names it
/// must find that VN or none, and never the one that had the index before.
#[test]
fn a_poller_never_finds_an_indexs_last_owner_under_its_next() {
    use core::sync::atomic::{AtomicBool, Ordering};
    let mut bench = Bench::new(16);
    bench.readers.quiescence.offline();
    let mut readers = bench.forwarding.readers();
    let mtu = |vni: u32| 1000 * vni as u16;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let poller = scope.spawn(|| {
            let mut wrong = 0;
            readers.quiescence.online();
            while !done.load(Ordering::Relaxed) {
                readers.quiescence.quiescent();
                let snapshot = readers.snapshot.load();
                for vni in (0..100).flat_map(|_| [1, 2, 3]) {
                    let Some(index) = readers.contexts.get(ContextKey(vni.try_into().unwrap())) else { continue };
                    let found = snapshot.vn(index as Index).map(|vn| vn.max_frame);
                    wrong += u32::from(found.is_some_and(|length| length != mtu(vni) + 14));
                }
            }
            wrong
        });
        let end = std::time::Instant::now() + std::time::Duration::from_secs(2);
        for vni in (0..8_000).flat_map(|_| [1, 2, 3]).take_while(|_| std::time::Instant::now() < end) {
            let id = VnId(vni);
            bench
                .apply(vec![Command::VnSet { vn: id, vni: Some(vni), mtu: mtu(vni), options: Default::default() }])
                .unwrap();
            bench.apply(vec![Command::VnDel { vn: id }]).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(poller.join().unwrap(), 0);
    });
}

/// What a poller finds at each moment at which a batch waits for it.
struct Watched<'a> {
    poller: std::cell::RefCell<Readers>,
    found: &'a std::cell::RefCell<Vec<String>>,
    row: FdbKey,
}

impl World for Watched<'_> {
    fn port_mac(&self, port: PortId) -> MacAddr {
        Surroundings.port_mac(port)
    }
    fn neighbour_mac(&self, neighbour: Neighbour) -> Option<MacAddr> {
        Surroundings.neighbour_mac(neighbour)
    }
    fn lives(&self, neighbour: Neighbour) -> bool {
        Surroundings.lives(neighbour)
    }
    fn address(&self, address: Neighbour) -> Option<addresses::State> {
        Surroundings.address(address)
    }
    fn wait(&self, done: &dyn Fn() -> bool) {
        assert!(!done(), "the poller is in the middle of a burst");
        let mut poller = self.poller.borrow_mut();
        poller.quiescence.quiescent();
        assert!(done());
        let row = poller.fdb.get(self.row).map(Destination::unpack);
        let ready: Vec<_> =
            (0..3).map(|at| poller.snapshot.load().next_hop(at).is_some_and(|it| it.header_length != 0)).collect();
        self.found.borrow_mut().push(format!("{row:?} {ready:?}"));
    }
}

/// So that a row can move from one next hop to another without a frame lost, and the answer to a deletion means that it is done.
#[test]
fn rows_move_once_pollers_have_what_they_name_and_a_batch_ends_once_pollers_have_let_go() {
    let Bench { mut model, mut forwarding, readers } = bench();
    readers.quiescence.quiescent();
    let row = FdbKey::new(model.vns[&VnId(1)].index, MacAddr([2, 0, 0, 0, 0, 2]));
    let found = Default::default();
    let world = Watched { poller: readers.into(), found: &found, row };
    let mut apply = |batch| {
        let changes = Changes::prepare(batch, &model, &forwarding.limits()).unwrap();
        forwarding.apply(&mut model, &changes, &world);
        found.take()
    };
    let to_third = crate::model::tests::row(1, 2, Dest::NextHop(NextHopId(3)));
    let moving =
        apply(vec![next_hop(3, 2, 5001), to_third, flood(1, &[3]), Command::NextHopDel { next_hop: NextHopId(1) }]);
    let before = "Some(NextHop(0)) [true, true, true]".to_owned();
    assert_eq!(moving, [before, "Some(NextHop(2)) [false, true, true]".to_owned()]);
    assert_eq!(apply(vec![no_row(1, 2)]), Vec::<String>::new(), "rows alone wait for nobody");
}
