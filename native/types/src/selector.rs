//! Which frames of a port belong to a VAP.

use core::fmt;

use crate::Vid;

/// What selects a VAP on its port (RFC 8014, 3.2, 4.2 and 4.2.1). The most specific selector wins: S-TAG and C-TAG, then S-TAG,
/// C-TAG or untagged, then the whole port. What a selector names is removed on the way in and put back on the way out; what is
/// behind it is the tenant's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Selector {
    /// Every frame of the port, with whatever tags.
    Port,
    /// Frames without a tag, or with a priority tag, which counts as none (802.1Q, 6.9.1).
    Untagged,
    /// Frames whose outermost tag is this C-TAG.
    CTag(Vid),
    /// Frames whose outermost tag is this S-TAG.
    STag(Vid),
    /// Frames whose outermost tags are this S-TAG and then this C-TAG: a C-TAG within an S-channel.
    SAndCTag(Vid, Vid),
}

impl Selector {
    /// The S-TAG that a frame to the VAP gets, 0 for none.
    pub const fn s_vid(self) -> u16 {
        match self {
            Self::STag(vid) | Self::SAndCTag(vid, _) => vid.get(),
            Self::Port | Self::Untagged | Self::CTag(_) => 0,
        }
    }

    /// The C-TAG that a frame to the VAP gets, 0 for none.
    pub const fn c_vid(self) -> u16 {
        match self {
            Self::CTag(vid) | Self::SAndCTag(_, vid) => vid.get(),
            Self::Port | Self::Untagged | Self::STag(_) => 0,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port => f.write_str("all frames"),
            Self::Untagged => f.write_str("untagged frames"),
            Self::CTag(vid) => write!(f, "C-TAG {vid}"),
            Self::STag(vid) => write!(f, "S-TAG {vid}"),
            Self::SAndCTag(s, c) => write!(f, "S-TAG {s} with C-TAG {c}"),
        }
    }
}
