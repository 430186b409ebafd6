//! Frames about the link itself.

use types::DropReason::*;

use super::lab::*;
use crate::packet::PuntClass;

const NEAREST_CUSTOMER_BRIDGE: [u8; 6] = [1, 0x80, 0xc2, 0, 0, 0];

fn punted(class: PuntClass, frame: Vec<u8>) -> Effects {
    Effects { punted: vec![(class, frame)], ..Effects::default() }
}

#[test]
fn lldp_ecp_and_link_local_frames_are_punted_whole_untagged_or_in_an_s_channel() {
    let lab = Lab::new();
    for (ether_type, class) in [(0x88ccu16, PuntClass::Lldp), (0x8940, PuntClass::Ecp), (0x888e, PuntClass::LinkLocal)]
    {
        let bytes = frame(NEAREST_CUSTOMER_BRIDGE, HERE, &[&ether_type.to_be_bytes()[..], &[0; 40]].concat());
        for bytes in [bytes.clone(), tagged(0x88a8, 7, &bytes)] {
            assert_eq!(lab.run(LINK_1, &bytes), punted(class, bytes));
        }
    }
}

#[test]
fn ecp_reaches_us_by_unicast_and_by_a_group_that_bridges_forward() {
    let lab = Lab::new();
    for destination in [LINK_1_MAC, [1, 0x1b, 0x19, 0, 0, 0]] {
        let bytes = frame(destination, HERE, &[0x89, 0x40, 0x10, 1, 0, 1]);
        assert_eq!(lab.run(LINK_1, &bytes), punted(PuntClass::Ecp, bytes));
    }
    // To somebody else, or behind a tenant's C-TAG, it is a tenant's frame like any other.
    let other = frame(THERE, HERE, &[0x89, 0x40, 0x10, 1, 0, 1]);
    assert_eq!(lab.run(LINK_1, &other), Effects::drop(Untagged));
    let tenants = tagged(0x8100, BLUE_TAG, &other);
    assert_eq!(lab.run(LINK_1, &tenants).sent.len(), 1);
}

#[test]
fn a_port_without_vaps_still_hears_its_link() {
    let mut lab = Lab::new();
    lab.select(1, types::Selector::Untagged);
    let bytes = frame(NEAREST_CUSTOMER_BRIDGE, HERE, &[0x88, 0xcc, 0, 0]);
    assert_eq!(lab.run(LINK_1, &bytes), punted(PuntClass::Lldp, bytes));
}

#[test]
fn what_cannot_be_punted_is_counted() {
    let mut lab = Lab::new();
    lab.punt_room = false;
    let bytes = frame(NEAREST_CUSTOMER_BRIDGE, HERE, &[0x88, 0xcc, 0, 0]);
    assert_eq!(lab.run(LINK_1, &bytes), Effects::drop(PuntFull));
}
