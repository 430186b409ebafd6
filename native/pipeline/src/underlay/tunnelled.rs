//! A UDP datagram to one of our addresses: is it VXLAN (RFC 7348, 5) or Geneve (RFC 8926, 3), whole, right, and for a tenant?

use types::DropReason;
use wire::{
    ETHERNET_HEADER, FromBytes, GENEVE_HEADER, GENEVE_PORT, GeneveHeader, GeneveOptions, UDP_HEADER, UdpHeader,
    VXLAN_HEADER, VXLAN_PORT, VxlanHeader,
};

/// What a tunnel's headers say.
pub struct Tunnelled {
    /// The raw VNI.
    pub vni: u32,
    /// Bytes from the UDP header to the tenant's frame.
    pub headers: usize,
    /// Bytes of the whole datagram, by its own length.
    pub length: usize,
    /// Whether a reserved bit was set, which is to be ignored unless the VN says otherwise.
    pub has_reserved: bool,
}

/// The shortest datagram with a frame in it; both tunnel headers begin with eight bytes.
pub const SHORTEST: usize = UDP_HEADER + VXLAN_HEADER + ETHERNET_HEADER;

/// Reads the datagram between `addresses` (source and destination, as they lie in the IP header); `None` if it is no overlay's.
/// `may_lack_checksum` says whether it may come without one.
#[inline(always)]
pub fn tunnelled(
    addresses: &[u8],
    datagram: &[u8],
    may_lack_checksum: impl FnOnce() -> bool,
) -> Result<Option<Tunnelled>, DropReason> {
    let (udp, _) = UdpHeader::ref_from_prefix(datagram).map_err(|_| DropReason::Truncated)?;
    let port = udp.destination.get();
    if port != VXLAN_PORT && port != GENEVE_PORT {
        return Ok(None);
    }
    let length = usize::from(udp.length.get());
    if length > datagram.len() || length < SHORTEST {
        return Err(DropReason::Truncated);
    }
    let datagram = &datagram[..length];
    match udp.checksum.get() {
        0 if may_lack_checksum() => {}
        0 => return Err(DropReason::OuterZeroChecksum),
        _ if UdpHeader::checksum_ok(addresses, datagram) => {}
        _ => return Err(DropReason::OuterChecksum),
    }
    let behind = &datagram[UDP_HEADER..];
    if port == GENEVE_PORT {
        return geneve(behind).map(|(vni, headers, has_reserved)| {
            Some(Tunnelled { vni, headers: UDP_HEADER + headers, length, has_reserved })
        });
    }
    let (vxlan, _) = VxlanHeader::ref_from_prefix(behind).map_err(|_| DropReason::Truncated)?;
    if !vxlan.is_valid() {
        return Err(DropReason::VxlanFlags);
    }
    let has_reserved = vxlan.has_reserved();
    Ok(Some(Tunnelled { vni: vxlan.vni(), headers: UDP_HEADER + VXLAN_HEADER, length, has_reserved }))
}

/// The VNI of a Geneve packet, the bytes of its headers, and whether a reserved bit was set.
#[inline(never)]
fn geneve(packet: &[u8]) -> Result<(u32, usize, bool), DropReason> {
    let (geneve, rest) = GeneveHeader::ref_from_prefix(packet).map_err(|_| DropReason::Truncated)?;
    // RFC 8926, 3.4: an unknown version is dropped.
    if geneve.version() != 0 {
        return Err(DropReason::GeneveInvalid);
    }
    let length = geneve.options_length();
    let (options, frame) = rest.split_at_checked(length).ok_or(DropReason::Truncated)?;
    let mut has_critical = false;
    for option in GeneveOptions(options) {
        // RFC 8926, 3.5: the lengths of all options sum up to that of the header, or the packet is invalid.
        has_critical |= option.ok_or(DropReason::GeneveInvalid)?.is_critical();
    }
    // RFC 8926, 3.4: what a control message carries is never forwarded, and we know of none.
    if geneve.is_control() {
        return Err(DropReason::GeneveControl);
    }
    // RFC 8926, 3.5.1: we know no option, so every critical one is unknown, whether or not the header tells of it.
    if has_critical {
        return Err(DropReason::GeneveCritical);
    }
    if geneve.protocol.get() != GeneveHeader::ETHERNET {
        return Err(DropReason::GeneveProtocol);
    }
    if frame.len() < ETHERNET_HEADER {
        return Err(DropReason::Truncated);
    }
    // The header tells of a critical option, and there is none: with all options known, that is a bit without a meaning.
    Ok((geneve.vni(), GENEVE_HEADER + length, geneve.has_reserved() || geneve.has_critical()))
}
