//! What the concurrent maps are keyed by, and what an FDB row says.
//!
//! Every key begins with the index of a VN: rows of different VNs cannot meet, whatever addresses their tenants choose
//! (RFC 8014, 3: tenant addresses may overlap and never mix).

use core::net::Ipv4Addr;

use types::{MacBits, Vni};

use crate::map::Key;
use crate::snapshot::{Index, NextHopIndex};

/// An FDB key: a VN and a station's MAC, packed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FdbKey(u64);

impl FdbKey {
    /// The key of `mac` in the VN of index `vn`, which is below [`Snapshot::NONE`](crate::Snapshot::NONE).
    #[inline(always)]
    pub fn new(vn: Index, mac: impl Into<MacBits>) -> Self {
        // Inverted, because MAC zero in VN 0, which tenants may send to, must not be 0; no VN has the index of all ones that is now.
        Self(!(mac.into().get() << 16 | u64::from(vn)))
    }
}

impl Key for FdbKey {
    #[inline(always)]
    fn pack(self) -> u64 {
        self.0
    }
}

/// A Context ID under which this NVE receives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ContextKey(pub Vni);

impl Key for ContextKey {
    #[inline(always)]
    fn pack(self) -> u64 {
        u64::from(self.0.get())
    }
}

/// An outer source address, as a number: an IPv4 address is its own, an IPv6 address has one in [`Peers`](crate::Peers).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The number of an IPv6 address.
    V6(u32),
}

/// An NVE that may send tunnelled packets of a VN, packed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SourceKey(u64);

impl SourceKey {
    const V4: u64 = 1 << 63;
    const V6: u64 = Self::V4 | 1 << 62;

    /// The key of `source` in the VN of index `vn`.
    #[inline(always)]
    pub const fn new(vn: Index, source: Source) -> Self {
        let source = match source {
            Source::V4(ip) => Self::V4 | (ip.to_bits() as u64) << 16,
            Source::V6(number) => Self::V6 | (number as u64) << 16,
        };
        Self(source | vn as u64)
    }

    /// The key of the same source in another VN, if this is one of VN 0.
    #[inline(always)]
    pub const fn within(self, vn: Index) -> Self {
        Self(self.0 | vn as u64)
    }
}

impl Key for SourceKey {
    #[inline(always)]
    fn pack(self) -> u64 {
        self.0
    }
}

/// Where an FDB row points: to a VAP of this NVE, to a next hop, or to a group of next hops.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Destination {
    /// Index of a VAP.
    Vap(Index),
    /// Index of a next hop, below 2^30.
    NextHop(NextHopIndex),
    /// Index of a group, below 2^30.
    Group(NextHopIndex),
}

impl Destination {
    const NEXT_HOP: u32 = 1 << 31;
    const GROUP: u32 = 1 << 30;

    /// The destination as the value of a row.
    #[inline(always)]
    pub const fn pack(self) -> u32 {
        match self {
            Self::Vap(index) => index as u32,
            Self::NextHop(index) => index | Self::NEXT_HOP,
            Self::Group(index) => index | Self::GROUP,
        }
    }

    /// The inverse of [`Self::pack`].
    #[inline(always)]
    pub const fn unpack(value: u32) -> Self {
        match value & (Self::NEXT_HOP | Self::GROUP) {
            0 => Self::Vap(value as Index),
            Self::GROUP => Self::Group(value & !Self::GROUP),
            _ => Self::NextHop(value & !Self::NEXT_HOP),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::MacAddr;

    #[test]
    fn destinations_round_trip() {
        for destination in [
            Destination::Vap(0),
            Destination::Vap(65_534),
            Destination::NextHop(0),
            Destination::NextHop((1 << 30) - 1),
            Destination::Group(0),
            Destination::Group((1 << 30) - 1),
        ] {
            assert_eq!(Destination::unpack(destination.pack()), destination);
        }
    }

    #[test]
    fn keys_are_never_zero_and_vns_never_meet() {
        for (vn, mac) in [(0, MacAddr::default()), (0, MacAddr::BROADCAST), (Index::MAX - 1, MacAddr::BROADCAST)] {
            assert_ne!(FdbKey::new(vn, mac).pack(), 0);
        }
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        assert_ne!(FdbKey::new(1, mac), FdbKey::new(2, mac));
        let (v4, v6) = (Source::V4(Ipv4Addr::UNSPECIFIED), Source::V6(0));
        assert_ne!(SourceKey::new(0, v4).pack(), 0);
        assert_ne!(SourceKey::new(0, v4), SourceKey::new(0, v6), "families never meet");
        for source in [v4, v6, Source::V4(Ipv4Addr::BROADCAST), Source::V6(u32::MAX)] {
            assert_eq!(SourceKey::new(7, source), SourceKey::new(0, source).within(7));
        }
        assert_ne!(SourceKey::new(1, v4), SourceKey::new(2, v4));
        assert_ne!(SourceKey::new(Index::MAX, Source::V6(u32::MAX)).pack(), u64::MAX, "it may have a row");
    }
}
