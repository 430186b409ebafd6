//! What pollers find while batches change the tables under them.

use core::net::Ipv6Addr;

use tables::{ContextKey, Destination, FdbKey, Index};
use types::{MacAddr, NextHopId, PortId, VapId, VnId};

use super::Bench;
use super::world::Surroundings;
use crate::addresses;
use crate::forwarding::{Readers, World};
use crate::model::Changes;
use crate::model::tests::{bench, flood, next_hop, no_row, row, vn};
use crate::neighbour::Neighbour;
use crate::schema::{Command, Dest};

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
    fn is_up(&self, port: PortId) -> bool {
        Surroundings.is_up(port)
    }
    fn lives(&self, neighbour: Neighbour) -> bool {
        Surroundings.lives(neighbour)
    }
    fn address(&self, address: Neighbour) -> Option<addresses::State> {
        Surroundings.address(address)
    }
    fn automatic(&self, port: PortId) -> Option<Ipv6Addr> {
        Surroundings.automatic(port)
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
