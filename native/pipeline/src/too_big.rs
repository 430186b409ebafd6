//! A tenant's frame that does not fit: its sender is told, if IP has a way to tell it; in any case it is a counted drop. So no path
//! swallows long packets in silence (RFC 8014, 4.3(6); RFC 1191; RFC 8201).

use types::{DropReason, PortId};
use wire::{ETHERNET_HEADER, TOO_BIG_V4, TOO_BIG_V6, TagStack, TooBig};

use crate::burst::Pipeline;
use crate::meta::Meta;
use crate::packet::{Packet, Sink};
use crate::policy::LazyKey;
use crate::tags::strip_tags;

const MACS: usize = 12;

impl Pipeline<'_> {
    /// Drops a tenant's frame that is longer than `max_frame`, an Ethernet header and its payload, allows, and sends its VAP a message instead.
    #[cold]
    pub(crate) fn too_big<P: Packet, S: Sink<P>>(
        &self,
        mut packet: P,
        meta: &Meta,
        (reason, max_frame): (DropReason, u16),
        origin: PortId,
        sink: &mut S,
    ) {
        self.drop(&packet, origin, reason, sink);
        strip_tags(&mut packet, meta.strip);
        if meta.came_by_tunnel() || !into_message(&mut packet, max_frame, reason == DropReason::VnMtu) {
            return;
        }
        sink.replicated(1);
        match self.to_vap(&mut packet, meta, meta.vap, &mut LazyKey::None) {
            Ok(port) => sink.transmit(port, packet, origin),
            Err(reason) => self.drop(&packet, origin, reason, sink),
        }
    }
}

/// Turns a frame, for which `max_frame` counts the tenant's tags or not, into the message to its sender, behind the same tags; false, and the frame is of no use any more, if there is none.
fn into_message<P: Packet>(packet: &mut P, max_frame: u16, without_tags: bool) -> bool {
    let frame = packet.data();
    let Some((macs, rest)) = frame.split_first_chunk::<MACS>() else { return false };
    // Nobody who sends to a group learns from one receiver, and a group sends nothing.
    if (macs[0] | macs[6]) & 1 != 0 || rest.len() < 2 {
        return false;
    }
    let Some(tags) = TagStack::parse(u16::from_be_bytes([rest[0], rest[1]]), &rest[2..]) else { return false };
    let link = ETHERNET_HEADER + usize::from(tags.length);
    let headers = if without_tags { ETHERNET_HEADER } else { link };
    let mtu = usize::from(max_frame).saturating_sub(headers) as u16;
    match TooBig::of(tags.ether_type, &frame[link..], mtu) {
        Some(TooBig::V4 { headers, quote }) => put::<P, TOO_BIG_V4>(packet, link, &headers, quote),
        Some(TooBig::V6 { headers, quote }) => put::<P, TOO_BIG_V6>(packet, link, &headers, quote),
        None => false,
    }
}

/// Puts `headers` between the `link` bytes of the frame's own header, its MACs exchanged, and the first `quote` bytes of its packet.
fn put<P: Packet, const N: usize>(packet: &mut P, link: usize, headers: &[u8; N], quote: usize) -> bool {
    packet.truncate(link + quote);
    if packet.prepend::<N>().is_none() {
        return false;
    }
    let data = packet.data_mut();
    data.copy_within(N..N + link, 0);
    let (destination, source) = data[..MACS].split_at_mut(MACS / 2);
    destination.swap_with_slice(source);
    data[link..link + N].copy_from_slice(headers);
    true
}
