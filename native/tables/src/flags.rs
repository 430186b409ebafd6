//! What is special about a VAP or a VN, a bit each, in one word.
//!
//! A frame carries the bits of the VAP that it came from and of its VN, joined, and a burst those of all its frames: a step that no
//! entry asks for costs one test a burst. So a bit is a VAP's or a VN's, and never means two things. What decides nothing before a frame's
//! fate is known (how an unknown destination is treated, say) needs no bit: it is read from the VN's entry there.

/// The bits. Those of a VAP count up from the lowest, those of a VN down from the highest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(u32);

impl Flags {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// VAP: a source MAC must have a row that names it.
    pub const GUARD: Self = Self(1);
    /// VAP: a source MAC without such a row is told; one without any then passes the guard.
    pub const LEARN: Self = Self(1 << 1);
    /// VAP: a frame may go back to where it came from (reflective relay, 802.1Q, 5.11.1.1).
    pub const REFLECT: Self = Self(1 << 2);
    /// VAP: its selector is the whole port, so what leaves by it may look like another VAP's.
    pub const WHOLE: Self = Self(1 << 3);
    /// VN: MACs behind other NVEs are learned, from whoever sends.
    pub const LEARN_REMOTE: Self = Self(1 << 31);
    /// VN: ARP and neighbour solicitations are answered from what is known.
    pub const SUPPRESS: Self = Self(1 << 30);
    /// VN: a tunnelled packet with a reserved bit set is dropped.
    pub const STRICT: Self = Self(1 << 25);
    /// VN: a frame that leaves the tunnel takes the outer DSCP (RFC 2983, uniform model).
    pub const DSCP_OUT: Self = Self(1 << 24);

    /// VAP: what its tenant sends to groups and unknown MACs is limited.
    pub const STORM: Self = Self(1 << 4);
    /// VAP: what its tenant sends is limited.
    pub const POLICE: Self = Self(1 << 5);
    /// VAP: a source IP must be a pair of the source MAC.
    pub const GUARD_IP: Self = Self(1 << 6);
    /// VAP: a list decides about frames from its tenant.
    pub const ACL_IN: Self = Self(1 << 7);
    /// VAP: a list decides about frames to its tenant.
    pub const ACL_OUT: Self = Self(1 << 8);
    /// VN: a list decides about frames from its tenants.
    pub const VN_ACL_IN: Self = Self(1 << 29);
    /// VN: a list decides about frames to its tenants.
    pub const VN_ACL_OUT: Self = Self(1 << 28);

    /// Whether any of `flags` is set.
    #[inline(always)]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    /// These and `flags`.
    #[inline(always)]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// These and, if `holds`, `flags`.
    pub const fn with_if(self, holds: bool, flags: Self) -> Self {
        if holds { self.with(flags) } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::Flags as F;

    #[test]
    fn no_bit_means_two_things() {
        let of_a_vap =
            [F::GUARD, F::LEARN, F::REFLECT, F::WHOLE, F::STORM, F::POLICE, F::GUARD_IP, F::ACL_IN, F::ACL_OUT];
        let of_a_vn = [F::LEARN_REMOTE, F::SUPPRESS, F::STRICT, F::DSCP_OUT, F::VN_ACL_IN, F::VN_ACL_OUT];
        let all = || of_a_vap.iter().chain(&of_a_vn);
        let distinct = all().fold(0, |bits, flag| bits | flag.0).count_ones();
        assert_eq!((distinct as usize, all().all(|flag| flag.0.is_power_of_two())), (all().count(), true));
    }
}
