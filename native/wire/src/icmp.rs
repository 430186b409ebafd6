//! ICMP echo (RFC 792): all that the underlay address answers.

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{fold, verify_ones};

/// The header of an echo request or reply.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct IcmpEcho {
    /// 8 = request, 0 = reply.
    pub kind: u8,
    /// 0.
    pub code: u8,
    /// Checksum of the whole ICMP message.
    pub checksum: U16,
    /// Identifier.
    pub identifier: U16,
    /// Sequence number.
    pub sequence: U16,
}

/// Turns a correct echo request into its reply, in place; false (and untouched) if it is none.
pub fn echo_to_reply(message: &mut [u8]) -> bool {
    if !verify_ones(message, 0) {
        return false;
    }
    let Ok((echo, _)) = IcmpEcho::mut_from_prefix(message) else { return false };
    if echo.kind != 8 || echo.code != 0 {
        return false;
    }
    echo.kind = 0;
    // RFC 1624, eqn. 3: the word 0x0800 became 0x0000.
    let sum = u64::from(!echo.checksum.get()) + u64::from(!0x0800u16);
    echo.checksum = (!fold(sum)).into();
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::sum;
    use proptest::prelude::*;

    fn request(payload: &[u8]) -> Vec<u8> {
        let mut message = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1];
        message.extend_from_slice(payload);
        let checksum = !fold(sum(&message, 0));
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        message
    }

    #[test]
    fn a_reply_is_no_request_and_a_broken_checksum_is_refused() {
        let mut message = request(b"hello");
        let mut broken = message.clone();
        broken[9] ^= 1;
        assert!(!echo_to_reply(&mut broken));
        assert!(echo_to_reply(&mut message));
        assert!(!echo_to_reply(&mut message), "a reply is no request");
        assert!(!echo_to_reply(&mut []));
    }

    proptest! {
        #[test]
        fn the_reply_has_a_right_checksum_and_the_same_payload(payload in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut message = request(&payload);
            prop_assert!(echo_to_reply(&mut message));
            prop_assert!(verify_ones(&message, 0));
            prop_assert_eq!(message[0], 0);
            prop_assert_eq!(&message[8..], &payload[..]);
        }
    }
}
