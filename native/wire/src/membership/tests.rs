use proptest::prelude::*;

use super::*;
use crate::checksum::{fold, sum};
use crate::icmpv6::pseudo;
use crate::{FromBytes, Ipv6Header, read_igmp, read_mld};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn record(kind: RecordKind, group: &str, sources: &[&str]) -> MembershipRecord {
    MembershipRecord { kind, group: ip(group), sources: sources.iter().map(|source| ip(source)).collect() }
}

/// An IGMP packet from 192.0.2.254 with Router Alert.
fn igmp(to: &str, message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    message[2..4].fill(0);
    let checksum = !fold(sum(&message, 0));
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let IpAddr::V4(to) = ip(to) else { panic!() };
    let mut header =
        [&[0x46, 0xc0, 0, 24 + message.len() as u8, 0, 0, 0, 0, 1, 2, 0, 0, 192, 0, 2, 254][..], &to.octets()].concat();
    header.extend([0x94, 4, 0, 0]);
    let checksum = !fold(sum(&header, 0));
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    [header, message].concat()
}

/// An MLD packet with these hop-by-hop options.
fn mld(from: &str, to: &str, hops: u8, options: [u8; 6], message: &[u8]) -> Vec<u8> {
    let (IpAddr::V6(from), IpAddr::V6(to)) = (ip(from), ip(to)) else { panic!() };
    let header = Ipv6Header::new(from, to, 0, hops, (8 + message.len()) as u16);
    let mut message = message.to_vec();
    message[2..4].fill(0);
    let checksum = !fold(sum(&message, pseudo(&header, message.len())));
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    [header.as_bytes(), &[58, 0], &options, &message].concat()
}

const ALERT: [u8; 6] = [5, 2, 0, 0, 1, 0];

/// An MLD query for `group` with these bytes behind it.
fn mld_query(group: &str, code: u16, rest: &[u8]) -> Vec<u8> {
    let IpAddr::V6(group) = ip(group) else { panic!() };
    [&[130, 0, 0, 0][..], &code.to_be_bytes(), &[0, 0], &group.octets(), rest].concat()
}

#[test]
fn queries_of_every_version_are_told_by_their_length() {
    let general = |code, rest: &[u8]| igmp("224.0.0.1", &[&[0x11, code, 0, 0, 0, 0, 0, 0], rest].concat());
    let read = |packet: &[u8]| {
        let query = read_igmp(packet).flatten()?;
        Some((query.protocol.name(), query.max_response_ms, query.robustness, query.interval_s))
    };
    assert_eq!(read(&general(0, &[])), Some(("igmpv1", 10_000, 0, 0)));
    assert_eq!(read(&general(200, &[])), Some(("igmpv2", 20_000, 0, 0)), "not a float before version 3");
    assert_eq!(read(&general(100, &[2, 125, 0, 0])), Some(("igmpv3", 10_000, 2, 125)));
    // RFC 3376, 4.1.1: (0xe | 0x10) << (1 + 3).
    assert_eq!(read(&general(0x9e, &[0x0f, 0x8f, 0, 0])), Some(("igmpv3", 48_000, 7, 248)));
    for length in [1, 2, 3] {
        assert_eq!(read(&general(1, &vec![0; length])), None, "{length} bytes too many");
    }
    let of_group = [0x11, 10, 0, 0, 239, 1, 1, 1, 2, 125, 0, 2, 10, 0, 0, 1, 10, 0, 0, 2];
    let packet = igmp("239.1.1.1", &of_group);
    let query = read_igmp(&packet).flatten().unwrap();
    assert_eq!((query.group, query.max_response_ms), (Some(ip("239.1.1.1")), 1_000));
    assert_eq!(query.sources().collect::<Vec<_>>(), [ip("10.0.0.1"), ip("10.0.0.2")]);

    let read = |message: &[u8]| {
        let packet = mld("fe80::1", "ff02::1", 1, ALERT, message);
        let query = read_mld(&packet).flatten()?;
        Some((query.protocol.name(), query.max_response_ms, query.robustness, query.interval_s))
    };
    assert_eq!(read(&mld_query("::", 0x9000, &[])), Some(("mldv1", 0x9000, 0, 0)));
    // RFC 3810, 5.1.3: (0x005 | 0x1000) << (1 + 3).
    assert_eq!(read(&mld_query("::", 0x9005, &[3, 10, 0, 0])), Some(("mldv2", 65_616, 3, 10)));
    assert_eq!(read(&mld_query("::", 1, &[0; 3])), None);
    let sources: Vec<u8> = [[2, 125, 0, 1].to_vec(), vec![0x20; 16]].concat();
    let packet = mld("fe80::1", "ff05::5", 1, ALERT, &mld_query("ff05::5", 1_000, &sources));
    let query = read_mld(&packet).flatten().unwrap();
    assert_eq!((query.group, query.sources().len()), (Some(ip("ff05::5")), 1));
}

#[test]
fn what_must_be_ignored_is_ignored() {
    let general = [0x11, 100, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0];
    let good = igmp("224.0.0.1", &general);
    assert!(read_igmp(&good).flatten().is_some());
    assert!((0..good.len()).all(|end| read_igmp(&good[..end]).is_none()), "cut anywhere");
    for at in 0..good.len() {
        let mut wrong = good.clone();
        wrong[at] ^= 0x10;
        assert_eq!(read_igmp(&wrong), None, "byte {at}");
    }
    assert_eq!(read_igmp(&igmp("224.0.0.9", &general)), None, "a general query that is not for all");
    assert_eq!(read_igmp(&igmp("192.0.2.1", &[0x11, 1, 0, 0, 192, 0, 2, 1])), None, "of no group");
    assert_eq!(read_igmp(&igmp("239.1.1.2", &[0x11, 1, 0, 0, 239, 1, 1, 1])), None, "of another group");
    assert!(read_igmp(&igmp("224.0.0.1", &[0x11, 1, 0, 0, 239, 1, 1, 1])).flatten().is_some(), "of a group, for all");
    let claims = [0x11, 1, 0, 0, 239, 1, 1, 1, 2, 125, 0, 2, 10, 0, 0, 1];
    assert_eq!(read_igmp(&igmp("239.1.1.1", &claims)), None, "fewer sources than it says");
    let of_all = [0x11, 1, 0, 0, 0, 0, 0, 0, 2, 125, 0, 1, 10, 0, 0, 1];
    assert_eq!(read_igmp(&igmp("224.0.0.1", &of_all)), None, "sources of no group");
    assert_eq!(read_igmp(&igmp("239.1.1.1", &[0x16, 0, 0, 0, 239, 1, 1, 1])), Some(None), "a report");

    let general = mld_query("::", 1_000, &[2, 125, 0, 0]);
    let query = |from, to, hops, options| read_mld(&mld(from, to, hops, options, &general)).flatten().is_some();
    assert!(query("fe80::1", "ff02::1", 1, ALERT));
    assert!(query("fe80::1", "ff02::1", 1, [1, 0, 5, 2, 0, 0]), "padded in front");
    assert!(!query("2001:db8::1", "ff02::1", 1, ALERT), "not link-local");
    assert!(!query("fe80::1", "ff02::1", 64, ALERT), "from anywhere");
    assert!(!query("fe80::1", "ff02::1", 1, [1, 4, 0, 0, 0, 0]), "no Router Alert");
    assert!(!query("fe80::1", "ff02::1", 1, [5, 2, 0, 1, 1, 0]), "for RSVP");
    assert!(!query("fe80::1", "ff02::1", 1, [5, 2, 0, 0, 1, 9]), "an option beyond the end");
    assert!(!query("fe80::1", "ff05::1", 1, ALERT), "a general query that is not for all");
    let of_group = mld("fe80::1", "ff02::1", 1, ALERT, &mld_query("ff05::5", 1_000, &[]));
    assert_eq!(read_mld(&of_group).flatten().and_then(|query| query.group), Some(ip("ff05::5")), "for all");
    let good = mld("fe80::1", "ff02::1", 1, ALERT, &general);
    assert!((0..good.len()).all(|end| read_mld(&good[..end]).is_none()));
    let report = [&[143, 0, 0, 0, 0, 0, 0, 0][..]].concat();
    assert_eq!(read_mld(&mld("fe80::1", "ff02::16", 1, ALERT, &report)), Some(None));
    assert_eq!(read_mld(&mld("fe80::1", "ff02::16", 1, ALERT, &[128, 0, 0, 0, 0, 0, 0, 0])), None, "no MLD");
}

#[test]
fn reports_are_as_the_rfcs_say_byte_for_byte() {
    let from = (MAC, ip("192.0.2.1"));
    let joined = record(RecordKind::ToExclude, "239.1.2.3", &[]);
    let (frame, count) = MembershipFrame::report(from, 1500, &[joined]);
    let bytes = frame.bytes();
    assert_eq!((count, bytes.len()), (1, 14 + 24 + 16));
    assert_eq!(bytes[..14], [1, 0, 0x5e, 0, 0, 22, 2, 0, 0, 0, 0, 1, 8, 0]);
    assert_eq!(bytes[14..24], [0x46, 0xc0, 0, 40, 0, 0, 0x40, 0, 1, 2]);
    assert_eq!(bytes[26..38], [192, 0, 2, 1, 224, 0, 0, 22, 0x94, 4, 0, 0]);
    assert_eq!((&bytes[38..40], &bytes[42..]), (&[0x22, 0][..], &[0, 0, 0, 1, 4, 0, 0, 0, 239, 1, 2, 3][..]));
    assert_eq!(read_igmp(&bytes[14..]), Some(None), "both checksums are right");

    let old = |protocol| MembershipFrame::old_report(protocol, from, ip("239.1.2.3"));
    for (protocol, kind) in [(MembershipProtocol::Igmp1, 0x12), (MembershipProtocol::Igmp2, 0x16)] {
        let frame = old(protocol);
        assert_eq!((frame.bytes()[38], &frame.bytes()[30..34]), (kind, &[239, 1, 2, 3][..]), "to the group itself");
        assert_eq!((&frame.bytes()[42..], read_igmp(&frame.bytes()[14..])), (&[239, 1, 2, 3][..], Some(None)));
    }
    let leave = MembershipFrame::leave(from, ip("239.1.2.3"));
    assert_eq!((leave.bytes()[38], &leave.bytes()[30..34]), (0x17, &[224, 0, 0, 2][..]));

    let from = (MAC, ip("fe80::1"));
    let answer = record(RecordKind::IsInclude, "ff05::5:1", &["2001:db8::9"]);
    let (frame, _) = MembershipFrame::report(from, 1500, &[answer]);
    let bytes = frame.bytes();
    assert_eq!(bytes[..14], [0x33, 0x33, 0, 0, 0, 0x16, 2, 0, 0, 0, 0, 1, 0x86, 0xdd]);
    assert_eq!((&bytes[18..22], &bytes[54..62]), (&[0, 52, 0, 1][..], &[58, 0, 5, 2, 0, 0, 1, 0][..]));
    assert_eq!((bytes[62], &bytes[66..74]), (143, &[0, 0, 0, 1, 1, 0, 0, 1][..]));
    assert_eq!(read_mld(&bytes[14..]), Some(None));
    for (frame, kind, to) in [
        (MembershipFrame::old_report(MembershipProtocol::Mld1, from, ip("ff05::5:1")), 131, "ff05::5:1"),
        (MembershipFrame::leave(from, ip("ff05::5:1")), 132, "ff02::2"),
    ] {
        let header = Ipv6Header::ref_from_prefix(&frame.bytes()[14..]).unwrap().0;
        assert_eq!((frame.bytes()[62], IpAddr::from(header.destination_ip())), (kind, ip(to)));
        assert_eq!((frame.bytes().len(), read_mld(&frame.bytes()[14..])), (14 + 40 + 8 + 24, Some(None)));
    }
}

#[test]
fn a_report_takes_as_many_records_as_the_link_does() {
    let records = vec![record(RecordKind::IsExclude, "239.1.2.3", &[]); 1_000];
    let count = |mtu| MembershipFrame::report((MAC, ip("192.0.2.1")), mtu, &records).1;
    assert_eq!([count(68), count(1280), count(9000)], [4, 156, 156]);
    let records = vec![record(RecordKind::IsExclude, "ff05::1", &[]); 1_000];
    let (frame, count) = MembershipFrame::report((MAC, ip("::")), 1280, &records);
    assert_eq!((count, frame.bytes().len()), (61, 14 + 56 + 61 * 20));
}

proptest! {
    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = read_igmp(&bytes);
        let _ = read_igmp(&igmp("224.0.0.1", &[&[0x11, 1, 0, 0][..], &bytes].concat()));
        let _ = read_mld(&bytes);
        let _ = read_mld(&mld("fe80::1", "ff02::1", 1, ALERT, &[&[130, 0, 0, 0][..], &bytes].concat()));
    }

    #[test]
    fn codes_grow_with_what_they_stand_for(code in 0u32..0xffff) {
        prop_assert!(expand(code, 12) < expand(code + 1, 12));
    }
}
