//! The IP header of a tenant's frame, behind 0 to 2 tags: what a tunnel's own header is derived from, and what it may change.

use crate::checksum::update;
use crate::ethernet::{ETHERNET_HEADER, TagStack};
use crate::ipv4::{IPV4_HEADER, Ipv4Header};
use crate::ipv6::IPV6_HEADER;

/// Where the IP header of a frame begins. Made by [`InnerIp::find`] only, for a frame that holds all of the header's fixed part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InnerIp {
    /// An IPv4 header at this offset.
    V4(usize),
    /// An IPv6 header at this offset.
    V6(usize),
}

impl InnerIp {
    /// Finds the IP header of `frame`; `None` if the frame carries no IP, or ends within the header's fixed part.
    #[inline]
    pub fn find(frame: &[u8]) -> Option<Self> {
        let (ethernet, rest) = frame.split_first_chunk::<ETHERNET_HEADER>()?;
        let tags = TagStack::parse(u16::from_be_bytes([ethernet[12], ethernet[13]]), rest)?;
        let at = ETHERNET_HEADER + usize::from(tags.length);
        let header = frame.get(at..)?;
        match (tags.ether_type, header.first()? >> 4) {
            (crate::EtherType::IPV4, 4) if header.len() >= IPV4_HEADER => Some(Self::V4(at)),
            (crate::EtherType::IPV6, 6) if header.len() >= IPV6_HEADER => Some(Self::V6(at)),
            _ => None,
        }
    }

    /// The first two bytes of the header.
    fn start(self, frame: &[u8]) -> [u8; 2] {
        let (Self::V4(at) | Self::V6(at)) = self;
        [byte(frame, at), byte(frame, at + 1)]
    }

    /// DSCP (6 bits) and ECN (2 bits).
    #[inline]
    pub fn class(self, frame: &[u8]) -> u8 {
        let start = self.start(frame);
        match self {
            Self::V4(_) => start[1],
            Self::V6(_) => start[0] << 4 | start[1] >> 4,
        }
    }

    /// TTL or hop limit.
    #[inline]
    pub fn ttl(self, frame: &[u8]) -> u8 {
        match self {
            Self::V4(at) => byte(frame, at + 8),
            Self::V6(at) => byte(frame, at + 7),
        }
    }

    /// Whether a router on the way must not fragment the packet; none fragments IPv6 (RFC 8200, 5).
    #[inline]
    pub fn dont_fragment(self, frame: &[u8]) -> bool {
        match self {
            Self::V4(at) => byte(frame, at + 6) & (Ipv4Header::DF >> 8) as u8 != 0,
            Self::V6(_) => true,
        }
    }

    /// Gives the packet another DSCP and ECN. The checksum of an IPv4 header follows by the difference (RFC 1624), so that a wrong one stays
    /// wrong.
    #[inline]
    pub fn set_class(self, frame: &mut [u8], class: u8) {
        let old = self.start(frame);
        let new = match self {
            Self::V4(_) => [old[0], class],
            Self::V6(_) => [old[0] & 0xf0 | class >> 4, class << 4 | old[1] & 0x0f],
        };
        let (Self::V4(at) | Self::V6(at)) = self;
        if let Some(start) = frame.get_mut(at..at + 2) {
            start.copy_from_slice(&new);
        }
        if let Self::V4(at) = self
            && let Some(checksum) = frame.get_mut(at + 10..).and_then(<[u8]>::first_chunk_mut::<2>)
        {
            *checksum = update(u16::from_be_bytes(*checksum), old, new).to_be_bytes();
        }
    }
}

#[inline(always)]
fn byte(frame: &[u8], at: usize) -> u8 {
    frame.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EtherType, FromBytes, IntoBytes, Ipv6Header};
    use proptest::prelude::*;

    fn v4(class: u8, ttl: u8, flags: u16) -> Vec<u8> {
        let mut header = Ipv4Header {
            version_ihl: 0x45,
            tos: class,
            total_length: 20.into(),
            identification: 7.into(),
            flags_fragment: flags.into(),
            ttl,
            protocol: 1,
            checksum: 0.into(),
            source: [10, 0, 0, 1],
            destination: [10, 0, 0, 2],
        };
        header.fill_checksum();
        header.as_bytes().to_vec()
    }

    fn v6(class: u8, ttl: u8) -> Vec<u8> {
        let here = core::net::Ipv6Addr::LOCALHOST;
        let mut header = Ipv6Header::new(here, here, 59, ttl, 0);
        header.version_class_flow = (6 << 28 | u32::from(class) << 20 | 0x12345).into();
        header.as_bytes().to_vec()
    }

    fn frame(tags: &[u16], ether_type: u16, packet: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        tags.iter().for_each(|tpid| frame.extend([&tpid.to_be_bytes()[..], &[0, 9]].concat()));
        frame.extend(ether_type.to_be_bytes());
        frame.extend(packet);
        frame
    }

    const TAGS: [&[u16]; 4] = [&[], &[EtherType::C_TAG], &[EtherType::S_TAG], &[EtherType::S_TAG, EtherType::C_TAG]];

    #[test]
    fn an_ip_header_is_found_behind_its_tags_and_nowhere_else() {
        for tags in TAGS {
            let at = 14 + 4 * tags.len();
            let found = |ether_type, packet: &[u8]| InnerIp::find(&frame(tags, ether_type, packet));
            assert_eq!(found(EtherType::IPV4, &v4(0, 1, 0)), Some(InnerIp::V4(at)));
            assert_eq!(found(EtherType::IPV6, &v6(0, 1)), Some(InnerIp::V6(at)));
            assert_eq!(found(EtherType::IPV6, &v4(0, 1, 0)), None, "the version says otherwise");
            assert_eq!(found(EtherType::ARP, &v4(0, 1, 0)), None);
            assert_eq!(found(EtherType::IPV4, &v4(0, 1, 0)[..19]), None, "cut");
            assert_eq!(found(EtherType::IPV6, &v6(0, 1)[..39]), None, "cut");
            assert_eq!(found(EtherType::IPV4, &[]), None, "empty");
        }
        let three = [EtherType::S_TAG, EtherType::C_TAG, EtherType::C_TAG];
        assert_eq!(InnerIp::find(&frame(&three, EtherType::IPV4, &v4(0, 1, 0))), None, "behind a third tag");
    }

    proptest! {
        #[test]
        fn fields_are_read_and_the_class_is_written_with_a_right_checksum(
            (old, new, ttl, tags, df) in (any::<u8>(), any::<u8>(), any::<u8>(), 0..4usize, any::<bool>()),
        ) {
            let tags = TAGS[tags];
            let at = 14 + 4 * tags.len();
            for is_v6 in [false, true] {
                let packet = if is_v6 { v6(old, ttl) } else { v4(old, ttl, if df { Ipv4Header::DF } else { 0 }) };
                let ether_type = if is_v6 { EtherType::IPV6 } else { EtherType::IPV4 };
                let mut bytes = frame(tags, ether_type, &packet);
                let before = bytes.clone();
                let ip = InnerIp::find(&bytes).unwrap();
                prop_assert_eq!((ip.class(&bytes), ip.ttl(&bytes)), (old, ttl));
                prop_assert_eq!(ip.dont_fragment(&bytes), df || is_v6);
                ip.set_class(&mut bytes, new);
                prop_assert_eq!(ip.class(&bytes), new);
                if !is_v6 {
                    prop_assert!(Ipv4Header::read_from_prefix(&bytes[at..]).unwrap().0.checksum_ok());
                }
                ip.set_class(&mut bytes, old);
                prop_assert_eq!(bytes, before);
            }
        }

        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80), class in any::<u8>()) {
            let mut bytes = bytes;
            if let Some(ip) = InnerIp::find(&bytes) {
                ip.set_class(&mut bytes, class);
                prop_assert_eq!(ip.class(&bytes), class);
            }
        }
    }
}
