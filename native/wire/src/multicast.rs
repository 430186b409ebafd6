//! IP multicast groups on Ethernet: their MACs, and which of them an overlay may use.

use core::net::IpAddr;

/// The MAC of a group (RFC 1112, 6.4; RFC 2464, 7).
pub fn multicast_mac(group: impl Into<IpAddr>) -> [u8; 6] {
    match group.into() {
        IpAddr::V4(group) => {
            let [_, a, b, c] = group.octets();
            [0x01, 0x00, 0x5e, a & 0x7f, b, c]
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            [0x33, 0x33, a, b, c, d]
        }
    }
}

/// Whether an overlay may use a group: not those of the link's own protocols (224.0.0.0/24, RFC 5771, 4; ff02::/16 and what does not leave a
/// host, RFC 4291, 2.7), nor those that nobody can join without naming sources (RFC 4607, 1), nor a reserved scope.
pub fn is_overlay_group(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_multicast() && ip.octets()[..3] != [224, 0, 0] && ip.octets()[0] != 232,
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            let (flags, scope) = (first >> 4 & 0xf, first & 0xf);
            ip.is_multicast() && (3..15).contains(&scope) && !(flags == 3 && second == 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_mac_of_a_group_is_that_of_the_rfcs() {
        assert_eq!(multicast_mac(ip("239.129.2.3")), [0x01, 0x00, 0x5e, 0x01, 2, 3], "23 bits");
        assert_eq!(multicast_mac(ip("ff05::5:1")), [0x33, 0x33, 0, 5, 0, 1]);
    }

    #[test]
    fn an_overlay_keeps_away_from_the_links_own_groups_and_from_those_with_sources() {
        let usable = ["224.0.1.0", "239.1.1.1", "ff03::1", "ff05::5:1", "ff35:40:2001:db8::1", "ff1e::9"];
        let not = ["192.0.2.1", "224.0.0.9", "232.1.1.1", "2001:db8::1", "ff01::9", "ff02::9", "ff0f::1", "ff35::1"];
        assert!(usable.into_iter().map(ip).all(is_overlay_group));
        assert!(!not.into_iter().map(ip).any(is_overlay_group));
    }
}
