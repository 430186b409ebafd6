//! Removing and adding the tag that names a VN on an access link.

use types::DropReason;
use wire::{EtherType, VLAN_TAG};

use crate::packet::Packet;

const MACS: usize = 12;

/// Removes the first `length` bytes after the MACs: 0, or one tag.
#[inline]
pub fn strip_tag<P: Packet>(packet: &mut P, length: u8) {
    let length = usize::from(length);
    if length != 0 {
        packet.data_mut().copy_within(..MACS, length);
        packet.trim_front(length);
    }
}

/// Adds a C-TAG of `vid` and priority 0 after the MACs; nothing for `vid` 0.
#[inline]
pub fn push_tag<P: Packet>(packet: &mut P, vid: u16) -> Result<(), DropReason> {
    if vid == 0 {
        return Ok(());
    }
    packet.prepend::<VLAN_TAG>().ok_or(DropReason::NoHeadroom)?;
    let data = packet.data_mut();
    data.copy_within(VLAN_TAG..VLAN_TAG + MACS, 0);
    data[MACS..MACS + 2].copy_from_slice(&EtherType::C_TAG.to_be_bytes());
    data[MACS + 2..MACS + 4].copy_from_slice(&vid.to_be_bytes());
    Ok(())
}
