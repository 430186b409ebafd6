//! The Internet checksum (RFC 1071) and its incremental form (RFC 1624).

/// The one's complement sum of `bytes` as big-endian 16-bit words, on top of `start`, not folded. An odd last byte is padded with zero.
#[inline]
pub fn sum(bytes: &[u8], start: u64) -> u64 {
    // The sum does not depend on the order of bytes but for a swap of its result (RFC 1071, 2(B)), so words are taken as the machine reads
    // them: four bytes a step, of which 2^32 fit 64 bits without a carry.
    let mut words = bytes.chunks_exact(4);
    let native = |word: &[u8]| u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    let total: u64 = words.by_ref().map(native).sum();
    let mut last = [0; 4];
    let rest = words.remainder();
    last[..rest.len()].copy_from_slice(rest);
    start + u64::from(u16::from_be(fold(total + native(&last))))
}

/// Folds a sum to 16 bits, without complementing it.
#[inline]
pub const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// The checksum of a header in which the aligned word `old` becomes `new` (RFC 1624, equation 3).
#[inline]
pub const fn update(checksum: u16, old: [u8; 2], new: [u8; 2]) -> u16 {
    let [checksum, old] = [!checksum, !u16::from_be_bytes(old)];
    !fold(checksum as u64 + old as u64 + u16::from_be_bytes(new) as u64)
}

/// Whether a region that contains its own checksum sums to all ones, as a correct one does.
#[inline]
pub fn verify_ones(bytes: &[u8], start: u64) -> bool {
    fold(sum(bytes, start)) == 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071, 4.1, word by word.
    fn reference(bytes: &[u8]) -> u16 {
        let mut total = 0u32;
        for pair in bytes.chunks(2) {
            total += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
            total = (total & 0xffff) + (total >> 16);
        }
        total as u16
    }

    /// 0x0000 and 0xffff are the same number in one's complement.
    fn canonical(sum: u16) -> u16 {
        if sum == 0xffff { 0 } else { sum }
    }

    #[test]
    fn matches_the_example_of_rfc_1071() {
        assert_eq!(fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], 0)), 0xddf2);
    }

    #[test]
    fn updates_as_the_example_of_rfc_1624() {
        // RFC 1624, 4: 0xdd2f with a word that goes from 0x5555 to 0x3285 becomes 0, and not 0xffff.
        assert_eq!(update(0xdd2f, [0x55, 0x55], [0x32, 0x85]), 0x0000);
    }

    proptest! {
        #[test]
        fn equals_the_word_by_word_sum(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(canonical(fold(sum(&bytes, 0))), canonical(reference(&bytes)));
        }

        #[test]
        fn is_additive_over_even_splits(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..150) {
            let at = (at * 2).min(bytes.len() & !1);
            let split = sum(&bytes[at..], sum(&bytes[..at], 0));
            prop_assert_eq!(canonical(fold(split)), canonical(reference(&bytes)));
        }
    }
}
