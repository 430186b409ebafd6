//! A list decides as the plainest reading of its rules does.

use proptest::prelude::*;

use super::*;

/// A frame as a person describes it.
#[derive(Clone, Debug)]
struct Plain {
    destination: u64,
    source: u64,
    ether_type: u16,
    vid: Option<u16>,
    ip: Option<(u128, u128, u8, Option<Layer4>)>,
}

/// A rule as a person writes it.
#[derive(Clone, Debug)]
struct Wanted {
    destination_mac: Option<(u64, u64)>,
    source_mac: Option<(u64, u64)>,
    ether_type: Option<u16>,
    vid: Option<u16>,
    source_ip: Option<(u128, u128)>,
    destination_ip: Option<(u128, u128)>,
    protocol: Option<u8>,
    source_ports: Option<Ports>,
    destination_ports: Option<Ports>,
    tcp_flags: Option<(u8, u8)>,
    permit: bool,
}

impl Wanted {
    fn matches(&self, frame: &Plain) -> bool {
        let (source, destination, protocol, layer_4) = frame.ip.unwrap_or((0, 0, 0, None));
        let of_layer_4 = |test: &dyn Fn(Layer4) -> bool| layer_4.is_some_and(test);
        self.destination_mac.is_none_or(|(mac, mask)| frame.destination & mask == mac & mask)
            && self.source_mac.is_none_or(|(mac, mask)| frame.source & mask == mac & mask)
            && self.ether_type.is_none_or(|ether_type| frame.ether_type == ether_type)
            && self.vid.is_none_or(|vid| frame.vid == Some(vid))
            && self.source_ip.is_none_or(|(ip, mask)| source & mask == ip & mask)
            && self.destination_ip.is_none_or(|(ip, mask)| destination & mask == ip & mask)
            && self.protocol.is_none_or(|wanted| protocol == wanted)
            && self.source_ports.is_none_or(|(first, last)| of_layer_4(&|l| (first..=last).contains(&l.source)))
            && self
                .destination_ports
                .is_none_or(|(first, last)| of_layer_4(&|l| (first..=last).contains(&l.destination)))
            && self.tcp_flags.is_none_or(|(flags, mask)| of_layer_4(&|l| l.tcp_flags & mask == flags & mask))
    }

    fn rule(&self) -> AclRule {
        let mut rule = AclRule::any(if self.permit { Action::Permit } else { Action::Deny });
        let mac = MacAddr::from_u64;
        self.destination_mac.inspect(|(address, mask)| rule.destination_mac(mac(*address), mac(*mask)));
        self.source_mac.inspect(|(address, mask)| rule.source_mac(mac(*address), mac(*mask)));
        self.ether_type.inspect(|ether_type| rule.ether_type(*ether_type));
        self.vid.inspect(|vid| rule.vid(*vid));
        self.source_ip.inspect(|(ip, mask)| rule.source_ip(*ip, *mask));
        self.destination_ip.inspect(|(ip, mask)| rule.destination_ip(*ip, *mask));
        self.protocol.inspect(|protocol| rule.protocol(*protocol));
        self.source_ports.inspect(|ports| rule.source_ports(*ports));
        self.destination_ports.inspect(|ports| rule.destination_ports(*ports));
        self.tcp_flags.inspect(|(flags, mask)| rule.tcp_flags(*flags, *mask));
        rule
    }
}

impl Plain {
    fn key(&self) -> AclKey {
        let mac = MacAddr::from_u64;
        let key = AclKey::new(mac(self.destination), mac(self.source), self.ether_type, self.vid);
        self.ip
            .map_or(key, |(source, destination, protocol, layer_4)| key.with_ip(source, destination, protocol, layer_4))
    }
}

/// Few values, so that rules match often.
fn mac() -> impl Strategy<Value = u64> {
    (0u64..2, 0u64..4).prop_map(|(high, low)| high << 47 | low)
}
fn ip() -> impl Strategy<Value = u128> {
    (0u128..2, 0u128..4).prop_map(|(high, low)| high << 127 | low << 30)
}
fn prefix() -> impl Strategy<Value = u128> {
    (1u32..=128).prop_map(|length| u128::MAX << (128 - length))
}
fn ports() -> impl Strategy<Value = Ports> {
    (0u16..4, 0u16..4).prop_map(|(a, b)| (a.min(b), if b == 3 { u16::MAX } else { a.max(b) }))
}
fn layer_4() -> impl Strategy<Value = Layer4> {
    let port = || prop_oneof![0u16..4, Just(u16::MAX)];
    (port(), port(), 0u8..4).prop_map(|(source, destination, tcp_flags)| Layer4 { source, destination, tcp_flags })
}
fn frame() -> impl Strategy<Value = Plain> {
    let ip = proptest::option::of((ip(), ip(), 0u8..3, proptest::option::of(layer_4())));
    (mac(), mac(), 0u16..3, proptest::option::of(0u16..3), ip)
        .prop_map(|(destination, source, ether_type, vid, ip)| Plain { destination, source, ether_type, vid, ip })
}
fn wanted() -> impl Strategy<Value = Wanted> {
    use proptest::option::weighted as maybe;
    let masked = || (mac(), prop_oneof![mac(), Just((1 << 48) - 1)]);
    let layer_2 = (maybe(0.2, masked()), maybe(0.2, masked()), maybe(0.3, 0u16..3), maybe(0.2, 0u16..3));
    let layer_3 = (maybe(0.2, (ip(), prefix())), maybe(0.2, (ip(), prefix())), maybe(0.3, 0u8..3));
    let layer_4 = (maybe(0.3, ports()), maybe(0.3, ports()), maybe(0.2, (0u8..4, 0u8..4)));
    (layer_2, layer_3, layer_4, any::<bool>()).prop_map(|(l2, l3, l4, permit)| Wanted {
        destination_mac: l2.0,
        source_mac: l2.1,
        ether_type: l2.2,
        vid: l2.3,
        source_ip: l3.0,
        destination_ip: l3.1,
        protocol: l3.2,
        source_ports: l4.0,
        destination_ports: l4.1,
        tcp_flags: l4.2,
        permit,
    })
}

proptest! {
    #[test]
    fn the_first_rule_that_matches_decides(
        rules in proptest::collection::vec(wanted(), 0..8), permit in any::<bool>(), frames in proptest::collection::vec(frame(), 1..20),
    ) {
        let default = if permit { Action::Permit } else { Action::Deny };
        let acl = Acl::new(rules.iter().map(Wanted::rule), default);
        for frame in &frames {
            let first = rules.iter().position(|rule| rule.matches(frame));
            let permitted = first.map_or(permit, |at| rules[at].permit);
            let expected = (if permitted { Action::Permit } else { Action::Deny }, first.unwrap_or(rules.len()));
            prop_assert_eq!(acl.decide(&frame.key()), expected, "{:?}", frame);
        }
    }
}

#[test]
fn what_is_compared_of_a_rule_is_two_cache_lines_and_a_key_is_one() {
    assert_eq!((size_of::<Words>(), size_of::<AclKey>()), (128, 64));
}

#[test]
fn a_list_without_rules_has_its_default() {
    let key = AclKey::new(MacAddr::BROADCAST, MacAddr::default(), 0x0806, None);
    for default in [Action::Permit, Action::Deny] {
        let acl = Acl::new([], default);
        assert_eq!(acl.decide(&key), (default, 0));
        assert_eq!(acl.decided().collect::<Vec<_>>(), [0]);
    }
}
