//! Selectors with S-TAGs, and what a VAP does with its tenant's own tags (RFC 8014, 3.1.1 and 4.2.1).

use tables::{Flags, TagPolicy};
use types::DropReason::{self, *};
use types::{Selector, Vid};

use super::lab::*;

const BLUE_1: u16 = 0;
const RED_1: u16 = 1;
const BLUE_2: u16 = 2;

fn vid(vid: u16) -> Vid {
    Vid::try_from(vid).unwrap()
}

fn good() -> Vec<u8> {
    frame(BESIDE, HERE, &ipv4(46))
}

/// What arrives at link 2 of a frame sent at link 1, whose VAP is selected by `selector`, both VAPs passing tags.
fn across(selector: Selector, sent: &[u8]) -> Result<Vec<u8>, DropReason> {
    let mut lab = Lab::new();
    lab.select(BLUE_1, selector);
    lab.change_vap(BLUE_1, |vap| vap.tags = TagPolicy::Pass);
    lab.change_vap(BLUE_2, |vap| vap.tags = TagPolicy::Pass);
    outcome(lab.run(LINK_1, sent))
}

fn outcome(effects: Effects) -> Result<Vec<u8>, DropReason> {
    match (&effects.sent[..], &effects.dropped[..]) {
        ([(port, frame)], []) => {
            assert_eq!(*port, LINK_2.0);
            Ok(frame.clone())
        }
        ([], [(reason, 1)]) => Err(*reason),
        _ => panic!("{effects:?}"),
    }
}

#[test]
fn each_selector_takes_its_frames_and_removes_its_own_tags_only() {
    let tenants = tagged(0x8100, 55, &good());
    let s = |frame: &[u8]| tagged(0x88a8, 300, frame);
    let cases = [
        (Selector::Port, good(), Ok(good())),
        (Selector::Port, tenants.clone(), Ok(tenants.clone())),
        (Selector::Port, s(&tenants), Ok(s(&tenants))),
        (Selector::Untagged, good(), Ok(good())),
        (Selector::Untagged, tagged(0x8100, 0x6000, &good()), Ok(good())),
        (Selector::Untagged, tenants.clone(), Err(UnknownTag)),
        (Selector::CTag(vid(55)), tenants.clone(), Ok(good())),
        (Selector::CTag(vid(55)), tagged(0x8100, 55, &tenants), Ok(tenants.clone())),
        (Selector::CTag(vid(55)), s(&tenants), Err(UnexpectedStag)),
        (Selector::STag(vid(300)), s(&good()), Ok(good())),
        (Selector::STag(vid(300)), s(&tenants), Ok(tenants.clone())),
        (Selector::STag(vid(300)), tenants.clone(), Err(UnknownTag)),
        (Selector::STag(vid(301)), s(&tenants), Err(UnknownTag)),
        (Selector::SAndCTag(vid(300), vid(55)), s(&tenants), Ok(good())),
        (Selector::SAndCTag(vid(300), vid(55)), s(&tagged(0x8100, 55, &tenants)), Ok(tenants.clone())),
        (Selector::SAndCTag(vid(300), vid(56)), s(&tenants), Err(UnknownTag)),
        (Selector::SAndCTag(vid(300), vid(55)), s(&good()), Err(UnknownTag)),
        (Selector::STag(vid(300)), s(&good())[..15].to_vec(), Err(Truncated)),
        (Selector::SAndCTag(vid(300), vid(55)), s(&tenants)[..19].to_vec(), Err(Truncated)),
    ];
    for (selector, sent, expected) in cases {
        assert_eq!(across(selector, &sent), expected, "{selector}: {sent:02x?}");
    }
}

#[test]
fn the_most_specific_selector_wins() {
    let mut lab = Lab::new();
    lab.select(BLUE_1, Selector::STag(vid(300)));
    let tables::PortEntry::Access(port) = &mut std::sync::Arc::make_mut(&mut lab.snapshot.ports)[0] else { panic!() };
    let port = std::sync::Arc::make_mut(port);
    port.select(Selector::SAndCTag(vid(300), vid(55)), 1);
    port.select(Selector::Port, 1);
    lab.change_vap(BLUE_1, |vap| vap.tags = TagPolicy::Pass);
    let vaps = |bytes: &[u8]| lab.run(LINK_1, bytes).vaps.first().map(|(vap, ..)| *vap);
    let in_s = |frame: &[u8]| tagged(0x88a8, 300, frame);
    assert_eq!(vaps(&in_s(&tagged(0x8100, 55, &good()))), Some(1));
    assert_eq!(vaps(&in_s(&tagged(0x8100, 56, &good()))), Some(BLUE_1));
    assert_eq!(vaps(&good()), Some(1), "the whole port takes the rest");
}

#[test]
fn what_selected_a_vap_is_put_back_on_the_way_to_it() {
    for (selector, expected) in [
        (Selector::Port, good()),
        (Selector::STag(vid(300)), tagged(0x88a8, 300, &good())),
        (Selector::SAndCTag(vid(300), vid(55)), tagged(0x88a8, 300, &tagged(0x8100, 55, &good()))),
    ] {
        let mut lab = Lab::new();
        lab.row(BLUE, BESIDE, tables::Destination::Vap(BLUE_1));
        lab.select(BLUE_1, selector);
        let effects = lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &frame(BESIDE, THERE, &ipv4(46))));
        let mut expected = expected;
        expected[6..12].copy_from_slice(&THERE);
        assert_eq!(effects.sent, [(LINK_1.0, expected)], "{selector}");
    }
}

#[test]
fn a_tenants_c_tag_travels_inside_the_tunnel_and_the_s_tag_does_not() {
    let mut lab = Lab::new();
    lab.select(BLUE_1, Selector::STag(vid(300)));
    lab.change_vap(BLUE_1, |vap| vap.tags = TagPolicy::Pass);
    let tenants = tagged(0x8100, 55, &frame(THERE, HERE, &ipv4(46)));
    let out = lab.run(LINK_1, &tagged(0x88a8, 300, &tenants));
    assert_eq!(out.sent[0].1[50..], tenants[..]);
    let back = tagged(0x8100, 55, &frame(HERE, THERE, &ipv4(46)));
    let into = lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &back));
    assert_eq!(into.sent, [(LINK_1.0, tagged(0x88a8, 300, &back))]);
}

#[test]
fn each_policy_on_the_way_in_and_on_the_way_out() {
    let listed = TagPolicy::list([vid(55), vid(4094)]);
    let c = |vid, frame: &[u8]| tagged(0x8100, vid, frame);
    let double = |inner| tagged(0x88a8, 9, &c(inner, &good()));
    let cases = [
        (TagPolicy::Refuse, good(), Ok(good())),
        (TagPolicy::Refuse, c(55, &good()), Err(TenantTag)),
        (TagPolicy::Refuse, c(0, &good()), Err(TenantTag)),
        (TagPolicy::Pass, c(55, &good()), Ok(c(55, &good()))),
        (TagPolicy::Pass, double(55), Ok(double(55))),
        (TagPolicy::Strip, c(55, &good()), Ok(good())),
        (TagPolicy::Strip, double(55), Ok(good())),
        (listed.clone(), good(), Ok(good())),
        (listed.clone(), c(55, &good()), Ok(c(55, &good()))),
        (listed.clone(), c(0xe000 | 4094, &good()), Ok(c(0xe000 | 4094, &good()))),
        (listed.clone(), c(56, &good()), Err(TenantTag)),
        (listed, double(55), Err(TenantTag)),
    ];
    for (policy, sent, expected) in cases {
        for (vap, other) in [(BLUE_1, BLUE_2), (BLUE_2, BLUE_1)] {
            let mut lab = Lab::new();
            lab.select(BLUE_1, Selector::Port);
            lab.change_vap(vap, |entry| entry.tags = policy.clone());
            lab.change_vap(other, |entry| entry.tags = TagPolicy::Pass);
            assert_eq!(outcome(lab.run(LINK_1, &sent)), expected, "{policy:?} at VAP {vap}: {sent:02x?}");
        }
    }
}

#[test]
fn the_vns_mtu_counts_what_is_behind_the_tenants_tags() {
    let longest = tagged(0x8100, 55, &frame(BESIDE, HERE, &ipv4(1500)));
    assert_eq!(across(Selector::Port, &longest), Ok(longest));
    assert_eq!(across(Selector::Port, &tagged(0x8100, 55, &frame(BESIDE, HERE, &ipv4(1501)))), Err(VnMtu));
    let cut = tagged(0x8100, 55, &good());
    assert_eq!(across(Selector::Port, &cut[..cut.len() - 1]), Err(Truncated), "the IP length is seen through a tag");
}

#[test]
fn a_frame_returns_to_its_vap_only_where_it_reflects() {
    let mut lab = Lab::new();
    let same = tagged(0x8100, BLUE_TAG, &frame(BLUE_ONLY, HERE, &ipv4(46)));
    let group = tagged(0x8100, BLUE_TAG, &frame(BROADCAST, HERE, &ipv4(46)));
    assert_eq!(lab.run(LINK_1, &same).dropped, [(SameVap, 1)]);
    assert!(lab.run(LINK_1, &group).sent.iter().all(|(port, _)| *port != LINK_1.0));
    lab.change_vap(BLUE_1, |vap| vap.flags = Flags::REFLECT);
    assert_eq!(lab.run(LINK_1, &same).sent, [(LINK_1.0, same)]);
    assert!(lab.run(LINK_1, &group).sent.contains(&(LINK_1.0, group)));
}

/// Two VNs on one link, and the tags of one look like the other's tenants' own: what leaves for blue must never be taken for red's.
#[test]
fn a_tenants_tags_never_make_its_frame_another_vns_on_the_link() {
    let tenants = |vid| tagged(0x8100, vid, &frame(HERE, THERE, &ipv4(46)));
    let s = |frame: &[u8]| tagged(0x88a8, 300, frame);
    let untagged = || frame(HERE, THERE, &ipv4(46));
    let cases = [
        (Selector::STag(vid(300)), Selector::SAndCTag(vid(300), vid(55)), tenants(55), Err(TenantTag)),
        (Selector::STag(vid(300)), Selector::SAndCTag(vid(300), vid(55)), tenants(56), Ok(s(&tenants(56)))),
        (Selector::Port, Selector::CTag(vid(55)), tenants(55), Err(TenantTag)),
        (Selector::Port, Selector::CTag(vid(55)), tenants(56), Ok(tenants(56))),
        (Selector::Port, Selector::Untagged, untagged(), Err(TenantTag)),
        (Selector::Port, Selector::Untagged, tenants(0), Err(TenantTag)),
        (Selector::Port, Selector::STag(vid(300)), s(&tenants(55)), Err(TenantTag)),
        (Selector::Port, Selector::STag(vid(301)), s(&tenants(55)), Ok(s(&tenants(55)))),
        (Selector::Untagged, Selector::CTag(vid(55)), tenants(55), Err(TenantTag)),
    ];
    for (blue, red, inner, expected) in cases {
        let mut lab = Lab::new();
        lab.select(BLUE_1, blue);
        lab.select_too(RED_1, red);
        lab.change_vap(BLUE_1, |vap| vap.tags = TagPolicy::Pass);
        let effects = lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &inner));
        let expected = match expected {
            Ok(sent) => Effects { sent: vec![(LINK_1.0, sent)], ..Effects::default() }.with_vaps(&[(BLUE_1, 0, 1)]),
            Err(reason) => Effects::drop(reason),
        };
        assert_eq!(effects, expected, "{blue} beside {red}");
    }
}

/// Who is attached by a whole port takes LLDP and ECP for the NVE's: a tenant elsewhere cannot send them.
#[test]
fn no_tenant_speaks_for_the_nve_on_a_whole_port() {
    let mut lab = Lab::new();
    lab.select(BLUE_1, Selector::Port);
    for ether_type in [[0x88, 0xcc], [0x89, 0x40]] {
        let inner = frame(BROADCAST, THERE, &[&ether_type[..], &[0; 46]].concat());
        let effects = lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &inner));
        assert_eq!(effects.dropped, [(LinkLocal, 1)]);
        assert_eq!(effects.sent, [(LINK_2.0, inner)], "there it is a frame of the VN as any other");
    }
}

#[test]
fn a_third_tag_behind_two_that_are_stripped_meets_the_policy_of_where_it_goes() {
    let mut lab = Lab::new();
    lab.change_vap(0, |vap| vap.tags = tables::TagPolicy::Strip);
    let inner = tagged(0x8100, 5, &tagged(0x8100, 6, &tagged(0x8100, RED_TAG, &frame(BESIDE, HERE, &ipv4(46)))));
    let effects = lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, &inner));
    assert_eq!((effects.sent.len(), &effects.dropped[..]), (0, &[(TenantTag, 1)][..]));
}
