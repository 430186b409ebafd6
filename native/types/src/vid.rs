//! VLAN identifiers.

use core::{fmt, num::NonZeroU16};

/// The VID of a C-TAG or S-TAG that names a VN: 1 to 4094. 0 is a priority tag and 4095 is reserved (802.1Q, table 9-2), so
/// neither exists here, and there is no `From<u16>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vid(NonZeroU16);

/// A number that is no VID.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VidError(pub u16);

impl Vid {
    /// The VID as a number from 1 to 4094.
    #[inline]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl TryFrom<u16> for Vid {
    type Error = VidError;

    fn try_from(value: u16) -> Result<Self, VidError> {
        match NonZeroU16::new(value) {
            Some(vid) if value < 4095 => Ok(Self(vid)),
            _ => Err(VidError(value)),
        }
    }
}

impl fmt::Display for Vid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Vid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vid({})", self.0)
    }
}

impl fmt::Display for VidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no VID: 1 to 4094", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_1_to_4094_exist() {
        for (value, legal) in [(0, false), (1, true), (4094, true), (4095, false), (u16::MAX, false)] {
            assert_eq!(Vid::try_from(value).is_ok(), legal, "{value}");
        }
    }
}
