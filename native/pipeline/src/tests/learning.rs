//! VAPs that learn: what they tell, and what they still refuse.

use tables::{Destination, Flags};
use types::DropReason::*;

use super::lab::*;
use crate::{BURST, Place};

const BLUE_1: u16 = 0;
const BLUE_2: u16 = 2;
const NEW: [u8; 6] = [2, 0, 0, 0, 0, 0x55];

fn lab(guard: bool) -> Lab {
    let mut lab = Lab::new();
    lab.change_vap(BLUE_1, |vap| vap.flags = Flags::LEARN.with_if(guard, Flags::GUARD));
    lab
}

/// What becomes of a frame of `source` at VAP blue 1 for the station at VAP blue 2, where nothing is learned.
fn from(lab: &Lab, source: [u8; 6]) -> Effects {
    lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &frame(BESIDE, source, &ipv4(46))))
}

fn passes(source: [u8; 6]) -> Effects {
    let sent = vec![(LINK_2.0, frame(BESIDE, source, &ipv4(46)))];
    Effects { sent, ..Effects::default() }.with_vaps(&[(BLUE_1, 1, 0), (BLUE_2, 0, 1)])
}

fn told(source: [u8; 6], effects: Effects) -> Effects {
    Effects { seen: vec![(Place::Vap(BLUE_1), source)], ..effects }
}

#[test]
fn an_unknown_source_is_told_and_passes_until_its_row_is_there() {
    for guard in [true, false] {
        let mut lab = lab(guard);
        assert_eq!(from(&lab, NEW), told(NEW, passes(NEW)), "guard: {guard}");
        lab.row(BLUE, NEW, Destination::Vap(BLUE_1));
        assert_eq!(from(&lab, NEW), passes(NEW), "guard: {guard}");
    }
}

#[test]
fn a_source_whose_row_is_elsewhere_is_told_and_passes_no_guard() {
    let refused = || Effects::drop(SourceGuard).with_vaps(&[(BLUE_1, 1, 0)]);
    for (place, source) in [("behind a tunnel", THERE), ("at another VAP", BESIDE)] {
        assert_eq!(from(&lab(true), source), told(source, refused()), "{place}");
    }
    assert_eq!(from(&lab(false), THERE), told(THERE, passes(THERE)));
}

#[test]
fn what_is_dropped_for_its_shape_teaches_nothing() {
    let lab = lab(true);
    for (reason, source, rest) in [
        (SourceInvalid, BROADCAST, ipv4(46)),
        (SourceInvalid, [0; 6], ipv4(46)),
        (VnMtu, NEW, ipv4(1501)),
        (TenantTag, NEW, [&[0x81, 0, 0, 5][..], &ipv4(46)].concat()),
    ] {
        let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &frame(BESIDE, source, &rest)));
        assert_eq!(effects, Effects::drop(reason).with_vaps(&[(BLUE_1, 1, 0)]), "{source:?}");
    }
}

#[test]
fn other_vaps_of_the_burst_guard_as_ever() {
    let lab = lab(true);
    let burst = (0..BURST as u16).map(|number| {
        let tag = if number % 2 == 0 { BLUE_TAG } else { RED_TAG };
        TestPacket::new(&tagged(0x8100, tag, &frame(BROADCAST, NEW, &ipv4(46))))
    });
    let effects = lab.run_burst(LINK_1, burst);
    assert_eq!(effects.seen, [(Place::Vap(BLUE_1), NEW); BURST / 2]);
    assert_eq!(effects.dropped, [(SourceGuard, BURST as u64 / 2)], "red's");
}
