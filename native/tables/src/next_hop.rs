//! A next hop: the outer header that goes before a frame, and what remains to be done for each frame.
//!
//! Most next hops (VXLAN or plain Geneve over IPv4, untagged, nothing derived from the frame but its ECN) need the entry's first cache line
//! only. A longer header begins in the second one. The table does not know what the header says; the pipeline made it.

use std::sync::Arc;

use types::DropReason;

/// What is to be done for each frame to a next hop beyond what all need, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Work(u16);

impl Work {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The outer packet is IPv6.
    pub const V6: Self = Self(1);
    /// The outer UDP checksum is filled in.
    pub const CHECKSUM: Self = Self(1 << 1);
    /// The outer TTL is the inner one.
    pub const TTL: Self = Self(1 << 2);
    /// The outer DSCP is the inner one, or what the entry's map makes of it.
    pub const DSCP: Self = Self(1 << 3);
    /// The outer ECN field does not tell of congestion that was met before the tunnel.
    pub const ECN_KERNEL: Self = Self(1 << 4);
    /// The outer DF bit is the inner one.
    pub const DF: Self = Self(1 << 5);
    /// Routers may fragment the outer packet unless the frame says otherwise, so it needs an identification.
    pub const IDENTIFY: Self = Self(1 << 6);
    /// The outer tag's PCP is that of the frame's tag.
    pub const PCP: Self = Self(1 << 7);

    /// The header is longer than [`HEADER_TAIL`].
    pub const LONG: Self = Self(1 << 8);

    /// Whether any of `work` is to be done.
    #[inline(always)]
    pub const fn has(self, work: Self) -> bool {
        self.0 & work.0 != 0
    }

    /// This and `work`.
    pub const fn with(self, work: Self) -> Self {
        Self(self.0 | work.0)
    }

    /// This and, if `holds`, `work`.
    pub const fn with_if(self, holds: bool, work: Self) -> Self {
        if holds { self.with(work) } else { self }
    }
}

/// The last bytes of an outer header, which every header has.
pub const HEADER_TAIL: usize = 50;
/// Room for what a longer header has before them.
pub const HEADER_HEAD: usize = 56;

/// A next hop.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct NextHopEntry {
    /// The longest inner frame that fits the path's MTU, bytes; 0 while nothing can be sent.
    pub max_frame: u16,
    /// The port to leave by.
    pub port: u16,
    /// The first UDP source port.
    pub ports_from: u16,
    /// How many source ports there are from there on.
    pub ports: u16,
    /// What is to be done for each frame.
    pub work: Work,
    /// Length of the outer header's part behind UDP, bytes.
    pub tunnel_length: u16,
    /// Length of the outer header, bytes; 0 while the neighbour's MAC is unknown.
    pub header_length: u8,
    /// Which bits of a frame's ECN field are shown outside.
    pub ecn: u8,
    /// The last bytes of the ready-made outer header.
    pub tail: [u8; HEADER_TAIL],
    /// The bytes before them, at the end of this room.
    pub head: [u8; HEADER_HEAD],
    /// The outer DSCP for each inner one, if [`Work::DSCP`] does not just carry it over.
    pub dscp: Option<Arc<[u8; 64]>>,
}

impl NextHopEntry {
    /// A next hop that cannot be sent to.
    pub const UNRESOLVED: Self = Self {
        max_frame: 0,
        port: 0,
        ports_from: 0,
        ports: 0,
        work: Work::NONE,
        tunnel_length: 0,
        header_length: 0,
        ecn: 0,
        tail: [0; HEADER_TAIL],
        head: [0; HEADER_HEAD],
        dscp: None,
    };
    /// A next hop whose link is down, or of which was told that it does not live.
    pub const DOWN: Self = Self { port: u16::MAX, ..Self::UNRESOLVED };

    /// Whether it can be sent to.
    #[inline(always)]
    pub fn is_living(&self) -> bool {
        self.header_length != 0
    }

    /// Why it cannot be sent to.
    pub fn why(&self) -> DropReason {
        if self.port == Self::DOWN.port { DropReason::NextHopDown } else { DropReason::NeighbourUnresolved }
    }
}

impl Default for NextHopEntry {
    fn default() -> Self {
        Self::UNRESOLVED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_next_hops_need_is_one_cache_line_and_all_is_two() {
        assert_eq!(core::mem::offset_of!(NextHopEntry, head), 64);
        assert_eq!(size_of::<NextHopEntry>(), 128);
    }
}
