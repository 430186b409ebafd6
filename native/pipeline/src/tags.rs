//! Removing and adding the tag that names a VN on an access link.

use types::DropReason;
use wire::{EtherType, VLAN_TAG};

use crate::packet::Packet;

const MACS: usize = 12;

/// Removes the tag after the MACs.
#[inline(always)]
pub fn strip_tag<P: Packet>(packet: &mut P) {
    if let Some(start) = packet.data_mut().first_chunk_mut::<{ MACS + VLAN_TAG }>() {
        start.copy_within(..MACS, VLAN_TAG);
        packet.trim_front(VLAN_TAG);
    }
}

/// Adds a C-TAG of `vid` and priority 0 after the MACs; nothing for `vid` 0.
#[inline(always)]
pub fn push_tag<P: Packet>(packet: &mut P, vid: u16) -> Result<(), DropReason> {
    if vid == 0 {
        return Ok(());
    }
    packet.prepend::<VLAN_TAG>().ok_or(DropReason::NoHeadroom)?;
    let start = packet.data_mut().first_chunk_mut::<{ MACS + VLAN_TAG }>().ok_or(DropReason::Truncated)?;
    start.copy_within(VLAN_TAG.., 0);
    start[MACS..MACS + 2].copy_from_slice(&EtherType::C_TAG.to_be_bytes());
    start[MACS + 2..].copy_from_slice(&vid.to_be_bytes());
    Ok(())
}
