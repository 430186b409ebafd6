//! VXLAN (RFC 7348, 5).
//!
//! ```text
//! | flags = 0x08, reserved (3) | VNI (3), reserved (1) | inner Ethernet frame …
//! ```

use types::Vni;
use zerocopy::byteorder::big_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The UDP port of VXLAN.
pub const VXLAN_PORT: u16 = 4789;
/// Length of the VXLAN header, bytes.
pub const VXLAN_HEADER: usize = 8;

/// A VXLAN header.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct VxlanHeader {
    /// Flags (8 bits) and reserved bits, which a receiver ignores.
    pub flags: U32,
    /// VNI (24 bits) and 8 reserved bits, which a receiver ignores.
    pub vni: U32,
}

impl VxlanHeader {
    /// The I flag: the VNI is valid.
    pub const I: u32 = 0x0800_0000;

    /// The header that we send: reserved bits are 0.
    pub fn new(vni: Vni) -> Self {
        Self { flags: Self::I.into(), vni: (vni.get() << 8).into() }
    }

    /// Whether a reserved bit is set, which a receiver ignores.
    #[inline]
    pub fn has_reserved(&self) -> bool {
        self.flags.get() & !Self::I != 0 || self.vni.get() & 0xff != 0
    }

    /// Whether the I flag is set; all other bits are ignored, as RFC 7348 asks.
    #[inline]
    pub fn is_valid(&self) -> bool {
        self.flags.get() & Self::I != 0
    }

    /// The raw VNI, 0 to 2^24 - 1.
    #[inline]
    pub fn vni(&self) -> u32 {
        self.vni.get() >> 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_rfc_7348() {
        let header = VxlanHeader::new(Vni::try_from(0x0012_3456).unwrap());
        assert_eq!(header.as_bytes(), [0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0]);
        assert!(header.is_valid() && !header.has_reserved());
        assert_eq!(header.vni(), 0x0012_3456);
    }

    #[test]
    fn every_bit_but_i_and_the_vni_is_reserved() {
        for bit in 0..64 {
            let mut bytes = [0x08, 0, 0, 0, 0, 0, 0, 0];
            bytes[bit / 8] |= 0x80 >> (bit % 8);
            let header = VxlanHeader::read_from_bytes(&bytes).unwrap();
            assert!(header.is_valid());
            assert_eq!(header.has_reserved(), bit != 4 && !(32..56).contains(&bit), "bit {bit}");
        }
    }
}
