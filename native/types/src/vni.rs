//! Virtual network identifiers on the wire.

use core::{fmt, num::NonZeroU32};

/// A Context ID of VXLAN or Geneve: 24 bits (RFC 7348, 5; RFC 8926, 3.4). 0 is left out: it names no tenant's VN in any
/// deployment we know, and `Option<Vni>` stays four bytes. There is no `From<u32>`: a larger number must not be cut to fit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vni(NonZeroU32);

/// A number that is no VNI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VniError(pub u32);

impl Vni {
    /// The largest VNI.
    pub const MAX: u32 = (1 << 24) - 1;

    /// The VNI as a number from 1 to 2^24 - 1.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl TryFrom<u32> for Vni {
    type Error = VniError;

    fn try_from(value: u32) -> Result<Self, VniError> {
        match NonZeroU32::new(value) {
            Some(vni) if value <= Self::MAX => Ok(Self(vni)),
            _ => Err(VniError(value)),
        }
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vni({})", self.0)
    }
}

impl fmt::Display for VniError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no VNI: 1 to {}", self.0, Vni::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_24_bits_without_zero_exist() {
        for (value, legal) in [(0, false), (1, true), (Vni::MAX, true), (Vni::MAX + 1, false)] {
            assert_eq!(Vni::try_from(value).is_ok(), legal, "{value}");
        }
        assert_eq!(size_of::<Option<Vni>>(), 4);
    }
}
