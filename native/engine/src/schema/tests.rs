use super::*;
use proptest::prelude::*;
use serde::Serialize;
use serde_bytes::Bytes;
use types::{GroupId, MacAddr, NextHopId, PortId, VapId, VnId};

fn pack(value: impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(&value).unwrap()
}

fn command(value: impl Serialize) -> Result<Command, EngineError> {
    decode("command", &pack(value))
}

const MAC: &[u8] = &[2, 0, 0, 0, 0, 1];

#[test]
fn every_command_of_the_page_is_understood() {
    let port = PortId(3);
    let kind = Kind::Tap { iface: "blue1".into(), mac: Some(MacAddr([2, 0, 0, 0, 0, 1])) };
    assert_eq!(
        command((1, 3, "t", 1500, ("net_tap", "blue1", Bytes::new(MAC)))),
        Ok(Command::PortAdd { port, name: "t".into(), mtu: 1500, kind })
    );
    let null = Kind::Null { size: 64, no_rx: true };
    assert_eq!(
        command((1, 3, "n", 1500, ("net_null", 64, true))),
        Ok(Command::PortAdd { port, name: "n".into(), mtu: 1500, kind: null })
    );
    for (kind, expected) in [
        (("net_vhost", "/run/vm1.sock"), Kind::Vhost { path: "/run/vm1.sock".into() }),
        (("pci", "0000:03:00.0"), Kind::Pci { address: "0000:03:00.0".into() }),
        (("devargs", "net_memif0"), Kind::Devargs("net_memif0".into())),
    ] {
        let added = Command::PortAdd { port, name: "n".into(), mtu: 1500, kind: expected };
        assert_eq!(command((1, 3, "n", 1500, kind)), Ok(added));
    }
    assert_eq!(command((2, 3)), Ok(Command::PortDel { port }));
    assert_eq!(
        command((3, 7, None::<u32>, 1500)),
        Ok(Command::VnSet { vn: VnId(7), vni: None, mtu: 1500, options: Default::default() })
    );
    assert_eq!(
        command((5, 1, 7, 3, ("c-tag", 100), 1)),
        Ok(Command::VapSet {
            vap: VapId(1),
            vn: VnId(7),
            port,
            selector: Selector::CTag(100),
            flags: 1,
            tags: Tags::Refuse,
            options: Default::default(),
        })
    );
    let options = VapOptions::default;
    let with = |selector, tags| Command::VapSet {
        vap: VapId(1),
        vn: VnId(7),
        port,
        selector,
        flags: 1,
        tags,
        options: options(),
    };
    assert_eq!(command((5, 1, 7, 3, ("untagged",), 1, ("pass",))), Ok(with(Selector::Untagged, Tags::Pass)));
    assert_eq!(
        command((5, 1, 7, 3, ("s-tag+c-tag", 300, 55), 1, ("list", [1, 2]))),
        Ok(with(Selector::SAndCTag(300, 55), Tags::List(vec![1, 2])))
    );
    let (v4, v6) = (core::net::Ipv4Addr::new(10, 0, 0, 1), "2001:db8::1".parse::<core::net::Ipv6Addr>().unwrap());
    let mac = MacAddr([2, 0, 0, 0, 0, 1]);
    assert_eq!(
        command((27, 7, Bytes::new(&v4.octets()), Bytes::new(MAC))),
        Ok(Command::PairSet { vn: VnId(7), ip: v4.into(), mac })
    );
    assert_eq!(command((28, 7, Bytes::new(&v6.octets()))), Ok(Command::PairDel { vn: VnId(7), ip: v6.into() }));
    let rule = crate::schema::Rule { vid: Some(7), ..crate::schema::Rule::any(Action::Permit) };
    let written = rmp_serde::to_vec_named(&(25, 1, "deny", [&rule])).unwrap();
    let set = Command::AclSet { acl: types::AclId(1), default: Action::Deny, rules: vec![rule] };
    assert_eq!(decode::<Command>("command", &written), Ok(set));
    assert_eq!(command((26, 1)), Ok(Command::AclDel { acl: types::AclId(1) }));
    let police = |rate| Ok(Command::PoliceSet { class: "ecp".into(), rate });
    assert_eq!(command((29, "ecp", 10, 5)), police(Some((10, 5))));
    assert_eq!(command((29, "ecp", None::<u32>)), police(None));
    assert!(command((28, 7, Bytes::new(&[0; 5]))).is_err(), "neither 4 nor 16 bytes");
    assert_eq!(
        command((11, 7, Bytes::new(MAC), (1, 9))),
        Ok(Command::FdbSet {
            vn: VnId(7),
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            dest: Dest::NextHop(NextHopId(9)),
            age_s: 0
        })
    );
    assert_eq!(
        command((11, 7, Bytes::new(MAC), (1, 9), 300)),
        Ok(Command::FdbSet { vn: VnId(7), mac, dest: Dest::NextHop(NextHopId(9)), age_s: 300 })
    );
    assert_eq!(
        command((14, 7, [Bytes::new(&[192, 0, 2, 1])])),
        Ok(Command::SourcesSet { vn: VnId(7), sources: vec![[192, 0, 2, 1].into()] })
    );
    let (ip, address) = ([192, 0, 2, 1].into(), Bytes::new(&[192, 0, 2, 1]));
    let dests = vec![Dest::NextHop(NextHopId(1)), Dest::Group(GroupId(2))];
    assert_eq!(command((13, 7, ((1, 1), (2, 2)))), Ok(Command::FloodSet { vn: VnId(7), dests }));
    let members = vec![(1, 5), (2, 255)];
    assert_eq!(command((17, 4, ((1, 5), (2, 255)))), Ok(Command::GroupSet { group: GroupId(4), members }));
    assert_eq!(command((18, 4)), Ok(Command::GroupDel { group: GroupId(4) }));
    assert_eq!(command((19, 4, false)), Ok(Command::NextHopAlive { next_hop: NextHopId(4), alive: false }));
    assert_eq!(
        command((15, 3, address, Bytes::new(MAC))),
        Ok(Command::NeighbourSet { port, ip, mac: MacAddr([2, 0, 0, 0, 0, 1]) })
    );
    assert_eq!(command((16, 3, address)), Ok(Command::NeighbourDel { port, ip }));
    let (group, joined) = ([239, 1, 1, 1].into(), Bytes::new(&[239, 1, 1, 1]));
    assert_eq!(command((23, 7, 3, joined)), Ok(Command::McastSet { vn: VnId(7), port, group }));
    assert_eq!(command((24, 7, joined)), Ok(Command::McastDel { vn: VnId(7), group }));
}

#[test]
fn extra_elements_are_ignored_and_unknown_ops_kept_for_a_refusal() {
    assert_eq!(command((2, 3, "later", 4)), Ok(Command::PortDel { port: PortId(3) }));
    assert_eq!(command((99, "whatever")), Ok(Command::Unknown { op: 99 }));
}

#[test]
fn a_next_hops_options_are_numbers_words_and_bytes() {
    use serde_bytes::ByteBuf;
    #[derive(serde::Serialize)]
    struct Fixed {
        ttl: u8,
        df: &'static str,
        dscp: ByteBuf,
        ecn: &'static str,
        checksum: bool,
        ports: (u16, u16),
        options: ByteBuf,
        pcp: &'static str,
        mtu: u16,
        port: u16,
    }
    let mut map = [1; 64];
    map[9] = 2;
    let fixed = Fixed {
        ttl: 9,
        df: "unset",
        dscp: ByteBuf::from(map),
        ecn: "kernel",
        checksum: false,
        ports: (1, 2),
        options: ByteBuf::from([7; 4]),
        pcp: "inherit",
        mtu: 1400,
        port: 3,
    };
    let remote = Bytes::new(&[192, 0, 2, 2]);
    let Ok(Command::NextHopSet { options, encap, .. }) = command((9, 1, remote, 2, 5001, fixed)) else { panic!() };
    let expected = NextHopOptions {
        ttl: Some(Follow::Fixed(9)),
        df: Some(Df::Unset),
        dscp: Some(Dscp::Map(map)),
        ecn: Some(Ecn::Kernel),
        checksum: Some(false),
        ports: Some((1, 2)),
        options: vec![7; 4],
        pcp: Some(Follow::Inherit),
        mtu: Some(1400),
        port: Some(3),
    };
    assert_eq!((options, encap), (expected, 2));
    for (key, value, wrong) in [("ttl", 256, "256"), ("pcp", 300, "300"), ("dscp", 1000, "1000")] {
        let options = std::collections::BTreeMap::from([(key, value)]);
        let Err(EngineError::Malformed { detail, .. }) = command((9, 1, remote, 1, 5001, options)) else { panic!() };
        assert!(detail.contains(wrong), "{detail}");
    }
    for (key, value) in [("ttl", "outer"), ("df", "maybe"), ("ecn", "on"), ("dscp", "copy")] {
        let options = std::collections::BTreeMap::from([(key, value)]);
        let Err(EngineError::Malformed { detail, .. }) = command((9, 1, remote, 1, 5001, options)) else { panic!() };
        assert!(detail.contains(value), "{detail}");
    }
    for (key, value) in [("dscp", ByteBuf::from([0; 63])), ("ttl", ByteBuf::from([0; 64]))] {
        let options = std::collections::BTreeMap::from([(key, value)]);
        assert!(matches!(command((9, 1, remote, 1, 5001, options)), Err(EngineError::Malformed { .. })));
    }
}

#[test]
fn wrong_shapes_name_what_is_wrong() {
    let detail = |result: Result<Command, EngineError>| match result {
        Err(EngineError::Malformed { detail, .. }) => detail,
        other => panic!("{other:?}"),
    };
    assert!(detail(command((4,))).contains("`vn` is missing"));
    assert!(detail(command((11, 7, Bytes::new(&MAC[..5]), (0, 1)))).contains("bin of 6 bytes"));
    assert!(detail(command((7, 0, Bytes::new(&[0; 15]), 64))).contains("bin of 4 or 16 bytes"));
    assert!(detail(command((5, 1, 7, 3, ("t-tag", 100), 0))).contains("t-tag"));
    assert!(detail(command((5, 1, 7, 3, ("s-tag",), 0))).contains("`vid` is missing"));
    let unknown = std::collections::BTreeMap::from([("colour", "blue")]);
    assert!(detail(command((3, 7, 5001, 1500, &unknown))).contains("colour"));
    assert!(detail(command((5, 1, 7, 3, ("port",), 0, ("pass",), &unknown))).contains("colour"));
    assert!(detail(command((2, 70_000))).contains("70000"));
    let mut trailing = pack((2, 3));
    trailing.push(0);
    assert!(detail(decode("command", &trailing)).contains("1 bytes too many"));
}

proptest! {
    #[test]
    fn noise_is_an_error_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode::<Batch>("batch", &bytes);
        let _ = decode::<Options>("options", &bytes);
    }

    #[test]
    fn deep_nesting_is_refused(depth in 20usize..2000) {
        let mut bytes = vec![0x91; depth];
        bytes.push(0);
        prop_assert!(decode::<Batch>("batch", &bytes).is_err());
    }
}
