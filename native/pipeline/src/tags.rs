//! Tags on their way out and in: those that name a VN on an access link, and the tenant's own.

use tables::TagPolicy;
use types::DropReason;
use wire::{EtherType, TagStack, VLAN_TAG};

use crate::packet::Packet;

const MACS: usize = 12;

/// The tenant's own tags, which begin with `tpid`, and how many bytes of them a VAP removes; or why it does not take them (RFC 8014, 3.1.1).
#[inline(always)]
pub fn tenant_tags(policy: &TagPolicy, tpid: u16, rest: &[u8]) -> Result<(TagStack, u8), DropReason> {
    let tags = TagStack::parse(tpid, rest).ok_or(DropReason::Truncated)?;
    let stripped = match policy {
        TagPolicy::Refuse => Err(DropReason::TenantTag),
        TagPolicy::Pass => Ok(0),
        TagPolicy::Strip => Ok(tags.length),
        TagPolicy::List(bits) => {
            let listed = TagPolicy::lists(bits, tags.vid);
            if tags.tpid == EtherType::C_TAG && listed { Ok(0) } else { Err(DropReason::TenantTag) }
        }
    };
    Ok((tags, stripped?))
}

/// Applies a VAP's policy to a tenant's tagged frame on its way to it.
#[inline(never)]
pub fn apply_policy<P: Packet>(packet: &mut P, policy: &TagPolicy) -> Result<(), DropReason> {
    let behind_macs = packet.data().get(MACS..).and_then(<[u8]>::split_first_chunk::<2>);
    let (tpid, rest) = behind_macs.ok_or(DropReason::Truncated)?;
    let (_, stripped) = tenant_tags(policy, u16::from_be_bytes(*tpid), rest)?;
    strip_tags(packet, stripped);
    Ok(())
}

/// The PCP of a frame's outermost tag; 0 if it has none.
#[inline(never)]
pub fn priority(frame: &[u8]) -> u8 {
    match frame.get(MACS..MACS + 3) {
        Some([high, low, tci]) if EtherType::is_tag(u16::from_be_bytes([*high, *low])) => tci >> 5,
        _ => 0,
    }
}

/// Removes the first `length` bytes after the MACs: whole tags.
#[inline(always)]
pub fn strip_tags<P: Packet>(packet: &mut P, length: u8) {
    const ONE: u8 = VLAN_TAG as u8;
    match length {
        0 => {}
        ONE => {
            // Nearly every tagged frame there is: a move of fixed length.
            if let Some(start) = packet.data_mut().first_chunk_mut::<{ MACS + VLAN_TAG }>() {
                start.copy_within(..MACS, VLAN_TAG);
                packet.trim_front(VLAN_TAG);
            }
        }
        _ => {
            packet.data_mut().copy_within(..MACS, length.into());
            packet.trim_front(length.into());
        }
    }
}

/// Adds a C-TAG of `c_vid` and before it an S-TAG of `s_vid`, of priority 0; none where the VID is 0.
#[inline(always)]
pub fn push_tags<P: Packet>(packet: &mut P, s_vid: u16, c_vid: u16) -> Result<(), DropReason> {
    if c_vid != 0 {
        push(packet, EtherType::C_TAG, c_vid)?;
    }
    if s_vid != 0 {
        push(packet, EtherType::S_TAG, s_vid)?;
    }
    Ok(())
}

#[inline(always)]
fn push<P: Packet>(packet: &mut P, tpid: u16, vid: u16) -> Result<(), DropReason> {
    packet.prepend::<VLAN_TAG>().ok_or(DropReason::NoHeadroom)?;
    let start = packet.data_mut().first_chunk_mut::<{ MACS + VLAN_TAG }>().ok_or(DropReason::Truncated)?;
    start.copy_within(VLAN_TAG.., 0);
    start[MACS..MACS + 2].copy_from_slice(&tpid.to_be_bytes());
    start[MACS + 2..].copy_from_slice(&vid.to_be_bytes());
    Ok(())
}
