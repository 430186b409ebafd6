//! The IP-MAC guard: whoever sends from an address must be the station that has it (RFC 7039, 3).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tables::{Index, Pairs};
use wire::{ArpPacket, EtherType, Protocol, UpperLayer};

use super::frame::TenantFrame;

const DHCP_CLIENT: [u8; 2] = 68u16.to_be_bytes();
const DHCP_SERVER: [u8; 2] = 67u16.to_be_bytes();
const ROUTER_SOLICITATION: u8 = 133;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const MLD_2_REPORT: u8 = 143;

/// Whether the sender of a frame may use the addresses that it uses: those that are pairs of its MAC in the VN of index `vn`, and the
/// unspecified one where a station that has none yet must use it. What is neither ARP nor IP uses none.
pub fn is_from_its_owner(pairs: &Pairs, vn: Index, frame: &[u8], strip: u8) -> bool {
    let Some(frame) = TenantFrame::read(frame, strip) else { return false };
    let owns = |ip: IpAddr| pairs.get(vn, ip) == Some(frame.source);
    match frame.ether_type {
        EtherType::ARP => ArpPacket::parse(frame.payload).is_some_and(|(arp, _)| {
            let ip = Ipv4Addr::from(arp.sender_ip);
            // A probe has no sender's address yet (RFC 5227, 2.1.1).
            arp.sender_mac == frame.source.0 && (ip.is_unspecified() || owns(ip.into()))
        }),
        EtherType::IPV4 => frame.upper_layer().is_some_and(|upper| {
            let ip = Ipv4Addr::from_bits(upper.source as u32);
            if ip.is_unspecified() { asks_for_an_address(&upper) } else { owns(ip.into()) }
        }),
        EtherType::IPV6 => frame.upper_layer().is_some_and(|upper| {
            let ip = Ipv6Addr::from_bits(upper.source);
            let source_is_right = if ip.is_unspecified() { has_no_address_yet(&upper) } else { owns(ip.into()) };
            source_is_right && advertised(&upper).is_none_or(|target| owns(target.into()))
        }),
        _ => true,
    }
}

/// DHCP of a client that has no address (RFC 2131, 4.1).
fn asks_for_an_address(upper: &UpperLayer<'_>) -> bool {
    let ports = upper.payload.first_chunk::<4>();
    upper.protocol == Protocol::UDP
        && upper.fragment_offset == 0
        && ports.is_some_and(|ports| ports[..2] == DHCP_CLIENT && ports[2..] == DHCP_SERVER)
}

/// What a station sends that has no address: duplicate address detection, router solicitations (RFC 4861, 4.1 and 4.3) and reports of the groups
/// of an address that is still tentative (RFC 3810, 5.2.13).
fn has_no_address_yet(upper: &UpperLayer<'_>) -> bool {
    let kind = upper.payload.first();
    upper.protocol == Protocol::ICMPV6
        && upper.fragment_offset == 0
        && matches!(kind, Some(&(ROUTER_SOLICITATION | NEIGHBOUR_SOLICITATION | MLD_2_REPORT)))
}

/// The address that a neighbour advertisement says is its sender's (RFC 4861, 4.4).
fn advertised(upper: &UpperLayer<'_>) -> Option<Ipv6Addr> {
    let advertises = upper.protocol == Protocol::ICMPV6
        && upper.fragment_offset == 0
        && upper.payload.first() == Some(&NEIGHBOUR_ADVERTISEMENT);
    if !advertises {
        return None;
    }
    // One that ends before its target advertises nobody's: the unspecified address has no owner.
    let target = upper.payload.get(8..24).and_then(<[u8]>::first_chunk::<16>);
    Some(target.map_or(Ipv6Addr::UNSPECIFIED, |target| Ipv6Addr::from(*target)))
}
