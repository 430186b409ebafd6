//! The scratch of one packet while it is in the pipeline.

use core::net::Ipv4Addr;

use tables::{Flags, Index, LookUp, NextHopIndex, Snapshot, Source, SourceKey};
use types::DropReason;

use crate::packet::PuntClass;

/// What is to become of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Still to be decided.
    Pending,
    /// To a VAP of this NVE.
    Vap(Index),
    /// To a next hop.
    NextHop(NextHopIndex),
    /// To a living next hop of a group.
    Group(NextHopIndex),
    /// A copy to everybody else in the VN.
    Replicate,
    /// Nowhere, because nobody knows its destination; the control plane is asked.
    Query,
    /// Out of this port, as it now is.
    Send(u16),
    /// To the control plane.
    Punt(PuntClass),
    /// To the kernel, out of this port.
    Exception(u16),
    /// Nowhere, under this reason, for a frame may be only so many bytes long; its sender is to be told. What the VN allows does not count the
    /// tenant's own tags, what the underlay does, does.
    TooBig(DropReason, u16),
    /// Nowhere.
    Drop(DropReason),
}

/// One cache line per packet. Look-ups begin in one step and end in another.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Meta<'a> {
    /// The packet's fate.
    pub verdict: Verdict,
    /// Index of its VN.
    pub vn: Index,
    /// Index of the VAP it came from; [`Snapshot::NONE`] if it came by tunnel.
    pub vap: Index,
    /// Bytes of tags to be removed: what selected the VAP, and what its policy strips.
    pub strip: u8,
    /// Whether it is for a group.
    pub group: bool,
    /// Whether tags of the tenant's own remain when those are removed.
    pub tagged: bool,
    /// What is special about its VN and the VAP it came from.
    pub flags: Flags,
    /// Length of all headers before the tenant's frame in a tunnelled packet, bytes.
    pub outer_length: u16,
    /// DSCP and ECN of the outer header.
    pub outer_class: u8,
    /// Whether the tunnel's header had a reserved bit set.
    pub reserved: bool,
    /// Outer source address of a tunnelled packet, as the sender's key in VN 0.
    pub outer_source: SourceKey,
    /// The destination's row.
    pub destination: LookUp<'a>,
    /// What is asked about its sender: the row of a source MAC; of a tunnelled packet the VN of its Context ID, and then the permission of
    /// its NVE.
    pub source: LookUp<'a>,
}

impl Meta<'_> {
    /// The scratch of a packet of which nothing is known yet.
    pub const NEW: Self = Self {
        verdict: Verdict::Pending,
        vn: Snapshot::NONE,
        vap: Snapshot::NONE,
        strip: 0,
        group: false,
        tagged: false,
        flags: Flags::NONE,
        outer_source: SourceKey::new(0, Source::V4(Ipv4Addr::UNSPECIFIED)),
        outer_length: 0,
        outer_class: 0,
        reserved: false,
        destination: LookUp::NONE,
        source: LookUp::NONE,
    };

    /// Whether the packet came by tunnel.
    #[inline]
    pub fn came_by_tunnel(&self) -> bool {
        self.vap == Snapshot::NONE
    }

    /// Whether the packet is still to be decided.
    #[inline]
    pub fn is_pending(&self) -> bool {
        self.verdict == Verdict::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packets_scratch_is_one_cache_line() {
        assert_eq!(size_of::<Meta>(), 64);
    }
}
