//! A lab in which every step has something to do: guards, limits, lists, pairs, suppression, learning, groups, next hops of both families and
//! encapsulations, a VLAN on the underlay.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tables::{AclRule, Action, Destination, Flags, GroupEntry, Rate, TagPolicy, Unknown, Work, share_out};
use types::MacAddr;
use wire::Encap;

use super::lab::*;
use crate::{EcnMode, Tunnel};

/// In blue, behind a group of both NVEs.
pub const MULTIHOMED: [u8; 6] = [2, 0, 0, 0, 0, 0x42];
pub const GROUP: u32 = 0;
/// The VLAN of the underlay link.
pub const VLAN: u16 = 7;
pub const STATIONS: [[u8; 6]; 4] = [HERE, THERE, BESIDE, MULTIHOMED];

/// The address of a station, by the last byte of its MAC.
pub fn ip_of(mac: [u8; 6]) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, mac[5])
}
/// The same of IPv6.
pub fn ip6_of(mac: [u8; 6]) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, mac[5].into())
}

/// Asks a next hop for all that follows the frame.
pub fn dress(tunnel: &mut Tunnel<'_>) {
    tunnel.outer.encap = Encap::Geneve;
    tunnel.outer.options = &[1, 2, 3, 1, 9, 8, 7, 6];
    tunnel.outer.tag = Some(VLAN);
    tunnel.outer.dont_fragment = false;
    tunnel.ecn = EcnMode::Kernel;
    tunnel.work = [Work::TTL, Work::DSCP, Work::PCP, Work::DF, Work::CHECKSUM].into_iter().fold(Work::NONE, Work::with);
}

pub fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.change_underlay(|port| port.vlan = VLAN);
    lab.take_zero_checksum();
    lab.tunnel(true, dress);
    let mut group = GroupEntry { vn: BLUE, ..GroupEntry::CLOSED };
    share_out(&mut group.places, &[(TO_NVE_2_BLUE, 1), (TO_NVE_3_BLUE, 3)]);
    *lab.snapshot.groups.slot(GROUP as usize) = group;
    lab.row(BLUE, MULTIHOMED, Destination::Group(GROUP));
    for mac in STATIONS {
        let (v4, v6): (IpAddr, IpAddr) = (ip_of(mac).into(), ip6_of(mac).into());
        [v4, v6].into_iter().for_each(|ip| lab.pairs.insert(BLUE, ip, MacAddr(mac)));
    }
    let mut web = AclRule::any(Action::Deny);
    web.protocol(6);
    web.destination_ports((80, 80));
    lab.acl(0, [web], Action::Permit);
    lab.bind_vn(BLUE, 0, 0);
    let fast = Rate::new(HZ, (1_000_000_000, 1_000_000));
    for vap in [0, 2] {
        lab.bind_vap(vap, 0, 0);
        let policy = lab.snapshot.vap_policies.slot(vap.into());
        (policy.police, policy.storm) = (fast, fast);
        lab.change_vap(vap, |entry| {
            let asked = [Flags::LEARN, Flags::GUARD_IP, Flags::STORM, Flags::POLICE];
            entry.flags = asked.into_iter().fold(entry.flags, Flags::with);
            entry.tags = TagPolicy::Pass;
        });
    }
    lab.change_vn(BLUE, |vn| {
        let asked = [Flags::SUPPRESS, Flags::LEARN_REMOTE, Flags::DSCP_OUT];
        vn.flags = asked.into_iter().fold(vn.flags, Flags::with);
        vn.unknown = Unknown::Flood;
        vn.flood = [Destination::NextHop(TO_NVE_2_BLUE), Destination::Group(GROUP)].into();
    });
    lab
}
