//! Geneve (RFC 8926, 3.4 and 3.5).
//!
//! ```text
//! | version:2 options:6 | O C reserved:6 | protocol (2) | VNI (3), reserved (1) | options … |
//! option: | class (2) | C:1 type:7 | reserved:3 length:5 | data … |      lengths count four-byte words
//! ```

use types::Vni;
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The UDP port of Geneve.
pub const GENEVE_PORT: u16 = 6081;
/// Length of the Geneve header without options, bytes.
pub const GENEVE_HEADER: usize = 8;

/// A Geneve header, without its options.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct GeneveHeader {
    version_options: u8,
    flags: u8,
    /// EtherType of the payload.
    pub protocol: U16,
    vni: U32,
}

impl GeneveHeader {
    /// The protocol type of Ethernet frames (RFC 8926, 3.4).
    pub const ETHERNET: u16 = 0x6558;
    const CONTROL: u8 = 0x80;
    const CRITICAL: u8 = 0x40;

    /// The header before `options`, which are well formed, and an Ethernet frame. It tells of a critical option if there is one.
    pub fn new(vni: Vni, options: &[u8]) -> Self {
        let has_critical = GeneveOptions(options).any(|option| option.is_some_and(|option| option.is_critical()));
        Self {
            version_options: (options.len() / 4) as u8 & 0x3f,
            flags: if has_critical { Self::CRITICAL } else { 0 },
            protocol: Self::ETHERNET.into(),
            vni: (vni.get() << 8).into(),
        }
    }

    /// The version; 0 is the only one there is.
    #[inline]
    pub fn version(&self) -> u8 {
        self.version_options >> 6
    }

    /// Length of the options, bytes: 0 to 252.
    #[inline]
    pub fn options_length(&self) -> usize {
        usize::from(self.version_options & 0x3f) * 4
    }

    /// The O bit: a message between tunnel endpoints, whose payload must not be forwarded.
    #[inline]
    pub fn is_control(&self) -> bool {
        self.flags & Self::CONTROL != 0
    }

    /// The C bit: some option must be understood.
    #[inline]
    pub fn has_critical(&self) -> bool {
        self.flags & Self::CRITICAL != 0
    }

    /// Whether a reserved bit is set, which a receiver ignores.
    #[inline]
    pub fn has_reserved(&self) -> bool {
        self.flags & 0x3f != 0 || self.vni.get() & 0xff != 0
    }

    /// The raw VNI, 0 to 2^24 - 1.
    #[inline]
    pub fn vni(&self) -> u32 {
        self.vni.get() >> 8
    }
}

/// One option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GeneveOption<'a> {
    /// Who defines the type.
    pub class: u16,
    /// The type; its highest bit says that a receiver that does not know it must drop the packet.
    pub kind: u8,
    /// The data, 0 to 124 bytes.
    pub data: &'a [u8],
}

impl GeneveOption<'_> {
    /// Whether a receiver that does not know this option must drop the packet.
    #[inline]
    pub fn is_critical(&self) -> bool {
        self.kind & 0x80 != 0
    }
}

/// The options of a Geneve header, one by one; `None` in place of one that does not fit what is left, and then no more.
#[derive(Clone, Copy, Debug)]
pub struct GeneveOptions<'a>(pub &'a [u8]);

impl<'a> Iterator for GeneveOptions<'a> {
    type Item = Option<GeneveOption<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = core::mem::take(&mut self.0);
        if rest.is_empty() {
            return None;
        }
        let Some(([class_0, class_1, kind, length], behind)) = rest.split_first_chunk() else { return Some(None) };
        let length = usize::from(length & 0x1f) * 4;
        let Some((data, behind)) = behind.split_at_checked(length) else { return Some(None) };
        self.0 = behind;
        Some(Some(GeneveOption { class: u16::from_be_bytes([*class_0, *class_1]), kind: *kind, data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vni() -> Vni {
        Vni::try_from(0x0012_3456).unwrap()
    }

    #[test]
    fn bytes_are_those_of_rfc_8926() {
        assert_eq!(GeneveHeader::new(vni(), &[]).as_bytes(), [0, 0, 0x65, 0x58, 0x12, 0x34, 0x56, 0]);
        let plain = [0x01, 0x02, 0x03, 0x01, 9, 9, 9, 9];
        assert_eq!(GeneveHeader::new(vni(), &plain).as_bytes()[..2], [2, 0]);
        let critical = [&plain[..], &[0x01, 0x02, 0x83, 0x00]].concat();
        let header = GeneveHeader::new(vni(), &critical);
        assert_eq!(header.as_bytes()[..2], [3, 0x40]);
        assert!(header.has_critical() && !header.is_control() && !header.has_reserved());
        assert_eq!((header.version(), header.options_length(), header.vni()), (0, 12, 0x0012_3456));
    }

    #[test]
    fn every_field_is_read_from_its_bits() {
        let read = |bytes: [u8; 8]| GeneveHeader::read_from_bytes(&bytes).unwrap();
        assert_eq!(read([0xff, 0, 0, 0, 0, 0, 0, 0]).version(), 3);
        assert_eq!(read([0xff, 0, 0, 0, 0, 0, 0, 0]).options_length(), 252);
        assert!(read([0, 0x80, 0, 0, 0, 0, 0, 0]).is_control());
        for reserved in [[0, 0x01, 0, 0, 0, 0, 0, 0], [0, 0x20, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]] {
            assert!(read(reserved).has_reserved());
        }
    }

    #[test]
    fn options_are_walked_and_a_length_that_does_not_fit_is_told() {
        let options = [0x01, 0x02, 0x83, 0xe1, 1, 2, 3, 4, 0xff, 0xff, 0x7f, 0];
        let walked: Vec<_> = GeneveOptions(&options).collect();
        let first = GeneveOption { class: 0x0102, kind: 0x83, data: &[1, 2, 3, 4] };
        let second = GeneveOption { class: 0xffff, kind: 0x7f, data: &[] };
        assert_eq!(walked, [Some(first), Some(second)]);
        assert_eq!((first.is_critical(), second.is_critical()), (true, false));
        assert_eq!(GeneveOptions(&options[..11]).collect::<Vec<_>>(), [Some(first), None]);
        assert_eq!(GeneveOptions(&options[..7]).collect::<Vec<_>>(), [None]);
    }

    proptest! {
        /// What is walked to its end covers every byte; what is not ends with `None`.
        #[test]
        fn the_walk_covers_all_or_tells(options in proptest::collection::vec(any::<u8>(), 0..=252)) {
            let walked: Vec<_> = GeneveOptions(&options).collect();
            prop_assert!(walked.len() <= 63 + 1);
            let covered: usize = walked.iter().flatten().map(|option| 4 + option.data.len()).sum();
            let is_whole = walked.iter().all(Option::is_some);
            prop_assert_eq!(is_whole, covered == options.len());
        }

        #[test]
        fn noise_reads_as_some_header(bytes in any::<[u8; 8]>()) {
            let header = GeneveHeader::read_from_bytes(&bytes).unwrap();
            prop_assert_eq!(header.as_bytes(), bytes);
            prop_assert!(header.options_length() <= 252 && header.vni() < 1 << 24);
        }
    }
}
