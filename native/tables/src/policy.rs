//! What is asked of a VAP's or a VN's frames besides where they go: apart from their entries, because only frames whose flags say so look.

use crate::meter::{Meters, Rate};
use crate::snapshot::{Index, Snapshot};

/// The access lists of a VAP or of a VN, by index; [`Snapshot::NONE`] is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AclBinding {
    /// Of frames from its tenants.
    pub inward: Index,
    /// Of frames to its tenants.
    pub outward: Index,
}

impl Default for AclBinding {
    fn default() -> Self {
        Self { inward: Snapshot::NONE, outward: Snapshot::NONE }
    }
}

/// The policy of a VAP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VapPolicy {
    /// Its access lists.
    pub acls: AclBinding,
    /// Bytes that its tenant may send.
    pub police: Rate,
    /// Frames that its tenant may send to groups and to unknown MACs.
    pub storm: Rate,
}

/// The meters of one poller: of each VAP index one for bytes and one for storms.
pub struct VapMeters(Meters);

impl VapMeters {
    /// Meters for `vaps` VAP indices.
    pub fn new(vaps: usize) -> Self {
        Self(Meters::new(2 * vaps))
    }

    /// Whether the tenant of a VAP may send `bytes` more at `now`.
    #[inline]
    pub fn police(&self, vap: Index, rate: &Rate, bytes: usize, now: u64) -> bool {
        self.0.admit(2 * usize::from(vap), rate, bytes as u32, now)
    }

    /// Whether it may send one more frame to everybody.
    #[inline]
    pub fn storm(&self, vap: Index, rate: &Rate, now: u64) -> bool {
        self.0.admit(2 * usize::from(vap) + 1, rate, 1, now)
    }
}
