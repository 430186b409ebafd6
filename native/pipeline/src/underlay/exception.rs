//! The exception path: what is for the NVE and not its data plane's goes to the kernel behind a port of its own, and what the kernel sends goes
//! out of the underlay port. The kernel's end has the MAC and the addresses of the underlay port, so its frames are right as they are.

use tables::UnderlayPort;
use types::DropReason;

use super::vlan::leave;
use crate::burst::Burst;
use crate::meta::{Meta, Verdict};
use crate::packet::Packet;

/// What becomes of a packet for us that is not ours to handle.
#[cold]
pub fn not_overlay(port: &UnderlayPort) -> Verdict {
    port.exception.map_or(Verdict::Drop(DropReason::NotOverlay), Verdict::Exception)
}

/// What becomes of a fragment for us. An overlay packet is never one (RFC 7348, 4.3), and only UDP can be that.
#[cold]
pub fn fragment(port: &UnderlayPort, is_udp: bool) -> Verdict {
    match port.exception {
        Some(tap) if !is_udp => Verdict::Exception(tap),
        _ => Verdict::Drop(DropReason::OuterFragment),
    }
}

/// Sends what the kernel sends out of the underlay port, in its VLAN.
#[cold]
pub fn from_kernel<P: Packet>(underlay: u16, vlan: u16, burst: &mut Burst<P>, metas: &mut [Meta]) {
    for (packet, meta) in burst.iter_mut().zip(metas) {
        meta.verdict = match packet.is_segmented() {
            true => Verdict::Drop(DropReason::Segmented),
            false => leave(underlay, vlan, packet),
        };
    }
}
