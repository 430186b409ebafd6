//! ARP and neighbour solicitations that are answered in the place of who is asked for, byte for byte, and those that go their way.

use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use tables::{Destination, Flags, TagPolicy};
use types::MacAddr;
use wire::{ArpOperation, ArpPacket, IntoBytes, Ipv6Header, fold, sum};

use super::lab::*;

const BLUE_1: u16 = 0;
const TO_NVE_2_BLUE: u32 = 0;
const ASKER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const TARGET: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const ASKER_6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const TARGET_6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

/// Blue suppresses, and knows that the targets are at `THERE`, behind NVE 2, and that the asker's addresses are at `HERE`.
fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.change_vn(BLUE, |vn| vn.flags = Flags::SUPPRESS);
    for (ip, mac) in [(TARGET.into(), THERE), (TARGET_6.into(), THERE), (ASKER.into(), HERE), (ASKER_6.into(), HERE)] {
        lab.pairs.insert(BLUE, ip, MacAddr(mac));
    }
    lab
}

fn request(from: ([u8; 6], Ipv4Addr), target: Ipv4Addr) -> Vec<u8> {
    arp(BROADCAST, ArpPacket::new(ArpOperation::Request, from, ([0; 6], target)))
}

/// A solicitation and everything before it.
fn solicitation(from: ([u8; 6], Ipv6Addr), target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    let low = target.octets();
    let to = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(low[13]), u16::from_be_bytes([low[14], low[15]]));
    let ip = Ipv6Header::new(from.1, to, 58, 255, 24 + options.len() as u16);
    let mut message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), options].concat();
    let pseudo = [&from.1.octets()[..], &to.octets(), &(message.len() as u32).to_be_bytes(), &[0, 0, 0, 58]].concat();
    let checksum = !fold(sum(&message, sum(&pseudo, 0)));
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let group = [0x33, 0x33, 0xff, low[13], low[14], low[15]];
    frame(group, from.0, &[&[0x86, 0xdd][..], ip.as_bytes(), &message].concat())
}

fn source_link(mac: [u8; 6]) -> Vec<u8> {
    [&[1, 1][..], &mac].concat()
}

fn from_tenant(lab: &Lab, untagged: &[u8]) -> Effects {
    lab.run(LINK_1, &tagged(0x8100, BLUE_TAG, untagged))
}

/// The answer to the tenant alone.
fn answered(answer: Vec<u8>) -> Effects {
    let sent = vec![(LINK_1.0, tagged(0x8100, BLUE_TAG, &answer))];
    Effects { sent, suppressed: vec![(BLUE_1, 1)], ..Effects::default() }.with_vaps(&[(BLUE_1, 1, 1)])
}

#[test]
fn an_arp_request_is_answered_in_the_targets_place() {
    let reply = arp(HERE, ArpPacket::new(ArpOperation::Reply, (THERE, TARGET), (HERE, ASKER)));
    assert_eq!(from_tenant(&lab(), &request((HERE, ASKER), TARGET)), answered(reply.clone()));
    // Ethernet's padding stays.
    let padded = |frame: &[u8]| [frame, &[0; 18]].concat();
    assert_eq!(from_tenant(&lab(), &padded(&request((HERE, ASKER), TARGET))), answered(padded(&reply)));
}

#[test]
fn a_solicitation_is_answered_by_an_advertisement_on_behalf() {
    let (target, asker) = (TARGET_6.octets(), ASKER_6.octets());
    let ip = Ipv6Header::new(TARGET_6, ASKER_6, 58, 255, 32);
    // Solicited and override, no router.
    let mut message = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &target, &[2, 1], &THERE].concat();
    let pseudo = [&target[..], &asker, &32u32.to_be_bytes(), &[0, 0, 0, 58]].concat();
    let checksum = !fold(sum(&message, sum(&pseudo, 0)));
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let answer = frame(HERE, THERE, &[&[0x86, 0xdd][..], ip.as_bytes(), &message].concat());
    for options in [source_link(HERE), [&[14, 1, 1, 2, 3, 4, 5, 6][..], &source_link(HERE)].concat()] {
        let question = solicitation((HERE, ASKER_6), TARGET_6, &options);
        assert_eq!(from_tenant(&lab(), &question), answered(answer.clone()));
    }
}

#[test]
fn the_answer_is_within_the_tenants_own_tags() {
    let mut lab = lab();
    lab.change_vap(BLUE_1, |vap| vap.tags = TagPolicy::Pass);
    let reply = arp(HERE, ArpPacket::new(ArpOperation::Reply, (THERE, TARGET), (HERE, ASKER)));
    let question = tagged(0x8100, 7, &request((HERE, ASKER), TARGET));
    assert_eq!(from_tenant(&lab, &question), answered(tagged(0x8100, 7, &reply)));
}

#[test]
fn what_only_others_can_answer_goes_to_everybody() {
    let lab = lab();
    let mut same_vap = self::lab();
    same_vap.row(BLUE, THERE, Destination::Vap(BLUE_1));
    let mut routed = solicitation((HERE, ASKER_6), TARGET_6, &source_link(HERE));
    routed[21] = 254;
    let mut wrong_sum = solicitation((HERE, ASKER_6), TARGET_6, &source_link(HERE));
    wrong_sum[60] ^= 1;
    let mut reply = request((HERE, ASKER), TARGET);
    reply[21] = 2;
    let unknown = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);
    let cases = [
        ("nobody has it", &lab, request((HERE, ASKER), Ipv4Addr::new(10, 0, 0, 9))),
        ("a probe", &lab, request((HERE, Ipv4Addr::UNSPECIFIED), TARGET)),
        ("an announcement", &lab, request((HERE, TARGET), TARGET)),
        ("the asker's own", &lab, request((HERE, Ipv4Addr::new(10, 0, 0, 7)), ASKER)),
        (
            "for another MAC",
            &lab,
            arp(BROADCAST, ArpPacket::new(ArpOperation::Request, (BESIDE, ASKER), ([0; 6], TARGET))),
        ),
        ("a reply", &lab, reply),
        ("at the same VAP", &same_vap, request((HERE, ASKER), TARGET)),
        ("nobody has it (ND)", &lab, solicitation((HERE, ASKER_6), unknown, &source_link(HERE))),
        ("duplicate address detection", &lab, solicitation((HERE, Ipv6Addr::UNSPECIFIED), TARGET_6, &[])),
        ("the asker's own (ND)", &lab, solicitation((HERE, TARGET_6), ASKER_6, &source_link(HERE))),
        ("no MAC", &lab, solicitation((HERE, ASKER_6), TARGET_6, &[])),
        ("routed", &lab, routed),
        ("a wrong checksum", &lab, wrong_sum),
        ("at the same VAP (ND)", &same_vap, solicitation((HERE, ASKER_6), TARGET_6, &source_link(HERE))),
    ];
    for (name, lab, mut question) in cases {
        if name == "for another MAC" {
            question[6..12].copy_from_slice(&HERE);
        }
        let effects = from_tenant(lab, &question);
        assert_eq!(effects.sent.len(), 3, "{name}");
        assert_eq!(effects.sent[0], (LINK_2.0, question), "{name}");
        assert!(effects.suppressed.is_empty(), "{name}");
    }
}

#[test]
fn what_is_asked_of_one_station_goes_there_and_what_comes_by_tunnel_to_the_tenants() {
    let mut lab = lab();
    lab.row(BLUE, THERE, Destination::NextHop(TO_NVE_2_BLUE));
    let unicast = arp(THERE, ArpPacket::new(ArpOperation::Request, (HERE, ASKER), ([0; 6], TARGET)));
    let effects = from_tenant(&lab, &unicast);
    assert_eq!(effects.sent.iter().map(|(port, _)| *port).collect::<Vec<_>>(), [UNDERLAY.0]);
    let inwards = lab.run(UNDERLAY, &tunnelled(NVE_2, BLUE_VNI, &request((THERE, TARGET), ASKER)));
    assert_eq!(inwards.sent.len(), 2);
    assert!(inwards.suppressed.is_empty());
    // Nobody asked for it in red.
    let red = lab.run(LINK_1, &tagged(0x8100, RED_TAG, &request((HERE, ASKER), TARGET)));
    assert_eq!(red.sent.iter().map(|(port, _)| *port).collect::<Vec<_>>(), [UNDERLAY.0]);
}

proptest! {
    /// Whatever is changed in a question or cut off it: it goes its way whole, or is answered to its VAP alone.
    #[test]
    fn a_mangled_question_ends_in_full(nd in any::<bool>(), changes in proptest::collection::vec((0usize..86, any::<u8>()), 0..4), cut in 0usize..100) {
        let mut question = match nd {
            true => solicitation((HERE, ASKER_6), TARGET_6, &source_link(HERE)),
            false => request((HERE, ASKER), TARGET),
        };
        for (at, value) in changes {
            if let Some(byte) = question.get_mut(at) {
                *byte = value;
            }
        }
        question.truncate(cut);
        if question.len() >= 12 {
            let effects = from_tenant(&lab(), &question);
            let answers = effects.suppressed.len();
            prop_assert!(answers == 0 || (effects.sent.len(), effects.sent[0].0) == (1, LINK_1.0));
        }
    }
}
