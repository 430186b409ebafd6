//! Unicast to a MAC without a row: dropped, asked for, or sent to everybody, as the VN says; an uplink has it all.

use tables::Unknown;
use types::DropReason::*;

use super::lab::*;
use crate::Place;

const BLUE_1: u16 = 0;
const BLUE_2: u16 = 2;

fn lab(unknown: Unknown) -> Lab {
    let mut lab = Lab::new();
    lab.change_vn(BLUE, |vn| vn.unknown = unknown);
    lab
}

/// From the tenant at VAP blue 1.
fn from_tenant(lab: &Lab) -> Effects {
    lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &frame(NOBODY, HERE, &ipv4(46))))
}

fn from_tunnel(lab: &Lab) -> Effects {
    lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &frame(NOBODY, THERE, &ipv4(46))))
}

#[test]
fn it_is_dropped_and_where_it_is_asked_for_told() {
    let dropped = || Effects::drop(UnknownUnicast);
    let asked = |effects| Effects { seen: vec![(Place::Nowhere, NOBODY)], ..effects };
    assert_eq!(from_tenant(&lab(Unknown::Drop)), dropped().with_vaps(&[(BLUE_1, 1, 0)]));
    assert_eq!(from_tunnel(&lab(Unknown::Drop)), dropped());
    assert_eq!(from_tenant(&lab(Unknown::Query)), asked(dropped()).with_vaps(&[(BLUE_1, 1, 0)]));
    assert_eq!(from_tunnel(&lab(Unknown::Query)), asked(dropped()));
}

#[test]
fn flooded_it_goes_where_a_group_frame_goes() {
    let lab = lab(Unknown::Flood);
    let group = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &frame(BROADCAST, HERE, &ipv4(46))));
    let flooded = from_tenant(&lab);
    let places = |effects: &Effects| effects.sent.iter().map(|(port, _)| *port).collect::<Vec<_>>();
    assert_eq!(places(&flooded), [LINK_2.0, UNDERLAY.0, UNDERLAY.0]);
    assert_eq!((places(&group), group.vaps), (places(&flooded), flooded.vaps.clone()));
    assert_eq!(flooded.sent[0].1, frame(NOBODY, HERE, &ipv4(46)));
    assert_eq!(flooded.sent[1].1[50..], frame(NOBODY, HERE, &ipv4(46)));
    // Never back into the underlay.
    let inwards = from_tunnel(&lab);
    assert_eq!(places(&inwards), [LINK_1.0, LINK_2.0]);
    assert_eq!(inwards.vaps, [(BLUE_1, 0, 1), (BLUE_2, 0, 1)]);
}

#[test]
fn an_uplink_has_it_whatever_the_vn_says() {
    for unknown in [Unknown::Drop, Unknown::Query, Unknown::Flood] {
        let mut lab = lab(unknown);
        lab.change_vn(BLUE, |vn| vn.uplink = BLUE_2);
        let sent = vec![(LINK_2.0, frame(NOBODY, HERE, &ipv4(46)))];
        let expected = Effects { sent, ..Effects::default() }.with_vaps(&[(BLUE_1, 1, 0), (BLUE_2, 0, 1)]);
        assert_eq!(from_tenant(&lab), expected, "{unknown:?}");
        lab.change_vn(BLUE, |vn| vn.uplink = BLUE_1);
        assert_eq!(from_tenant(&lab), Effects::drop(UnknownUnicast).with_vaps(&[(BLUE_1, 1, 0)]), "not back there");
    }
}
