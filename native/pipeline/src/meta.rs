//! The scratch of one packet while it is in the pipeline.

use tables::{FdbKey, Index, Snapshot};
use types::{DropReason, MacAddr};

use crate::packet::PuntClass;

/// What is to become of a packet. It starts as `Pending` and changes at most once to anything else before it leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Still to be decided.
    Pending,
    /// To a VAP of this NVE.
    Vap(Index),
    /// To a next hop.
    NextHop(Index),
    /// A copy to everybody else in the VN.
    Replicate,
    /// Back out of the port it came from, as it now is (ARP and ICMP echo answers of the underlay address).
    Reply,
    /// To the control plane.
    Punt(PuntClass),
    /// Nowhere.
    Drop(DropReason),
}

/// One cache line per packet.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Meta {
    /// The packet's fate.
    pub verdict: Verdict,
    /// Index of its VN.
    pub vn: Index,
    /// Index of the VAP it came from; [`Snapshot::NONE`] if it came by tunnel.
    pub vap: Index,
    /// Bytes of tags to be removed: what selected the VAP, and what its policy strips.
    pub tag: u8,
    /// Whether the source MAC is to be checked.
    pub guard: bool,
    /// Whether the frame may go back to its VAP.
    pub reflect: bool,
    /// Raw VNI of a tunnelled packet.
    pub vni: u32,
    /// Outer source address of a tunnelled packet.
    pub outer_source: u32,
    /// The frame's destination in its VN.
    pub destination: FdbKey,
    /// Where to look the destination up.
    pub destination_hash: usize,
    /// The frame's source in its VN.
    pub source: FdbKey,
    /// Where to look the source up.
    pub source_hash: usize,
}

impl Meta {
    const NOBODY: FdbKey = FdbKey { vn: 0, mac: MacAddr([0; 6]) };

    /// The scratch of a packet of which nothing is known yet.
    pub const NEW: Self = Self {
        verdict: Verdict::Pending,
        vn: Snapshot::NONE,
        vap: Snapshot::NONE,
        tag: 0,
        guard: false,
        reflect: false,
        vni: 0,
        outer_source: 0,
        destination: Self::NOBODY,
        destination_hash: 0,
        source: Self::NOBODY,
        source_hash: 0,
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
