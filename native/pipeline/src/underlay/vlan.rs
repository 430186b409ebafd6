//! The VLAN of an underlay link: a C-TAG that every frame on it has, or none. Behind this step and before it no frame has one.

use tables::UnderlayPort;
use types::DropReason;
use wire::{EtherType, EthernetHeader, FromBytes, VLAN_TAG, VlanTag};

use crate::meta::Verdict;
use crate::packet::Packet;
use crate::tags::{push_tags, strip_tags};

/// Takes the tag off a frame that is in the port's VLAN. A priority tag counts as none (802.1Q, 6.9.1).
#[cold]
pub fn untag<P: Packet>(port: &UnderlayPort, packet: &mut P) -> Result<(), DropReason> {
    let (ethernet, rest) = EthernetHeader::ref_from_prefix(packet.data()).map_err(|_| DropReason::Truncated)?;
    let tag = match ethernet.ether_type.get() {
        EtherType::C_TAG => Some(VlanTag::ref_from_prefix(rest).map_err(|_| DropReason::Truncated)?.0),
        _ => None,
    };
    let ether_type = tag.map_or(ethernet.ether_type, |tag| tag.ether_type).get();
    if tag.map_or(0, VlanTag::vid) != port.vlan || EtherType::is_tag(ether_type) {
        return Err(DropReason::OuterTag);
    }
    if tag.is_some() {
        strip_tags(packet, VLAN_TAG as u8);
    }
    Ok(())
}

/// Sends a frame out of an underlay port, in its VLAN.
pub fn leave<P: Packet>(port: u16, vlan: u16, packet: &mut P) -> Verdict {
    push_tags(packet, 0, vlan).map_or_else(Verdict::Drop, |()| Verdict::Send(port))
}
