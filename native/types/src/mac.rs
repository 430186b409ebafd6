//! IEEE 802 addresses.

use core::fmt;

/// A 48-bit MAC address in transmission order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddr(pub [u8; 6]);

/// The same address as the low 48 bits of an integer, the first byte highest: what is asked of every frame costs least so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MacBits(u64);

impl MacBits {
    /// The low 48 bits of `value`.
    #[inline(always)]
    pub const fn new(value: u64) -> Self {
        Self(value & 0xffff_ffff_ffff)
    }

    /// The address as an integer.
    #[inline(always)]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether the group bit (I/G) is set: multicast or broadcast.
    #[inline(always)]
    pub const fn is_group(self) -> bool {
        self.0 & 1 << 40 != 0
    }

    /// Whether this may be the address of one station: not a group, not all zero.
    #[inline(always)]
    pub const fn is_station(self) -> bool {
        !self.is_group() && self.0 != 0
    }

    /// Whether 802.1Q forbids bridges to forward it: 01-80-C2-00-00-00 to -0F (802.1Q, 8.6.3).
    #[inline(always)]
    pub const fn is_link_local(self) -> bool {
        self.0 & !0xf == 0x0180_c200_0000
    }
}

impl From<MacAddr> for MacBits {
    #[inline(always)]
    fn from(mac: MacAddr) -> Self {
        mac.bits()
    }
}

impl MacAddr {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether the group bit (I/G) is set: multicast or broadcast.
    #[inline]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether this may be the address of one station: not a group, not all zero.
    #[inline]
    pub const fn is_station(self) -> bool {
        self.bits().is_station()
    }

    /// Whether 802.1Q forbids bridges to forward it: 01-80-C2-00-00-00 to -0F (802.1Q, 8.6.3).
    #[inline]
    pub const fn is_link_local(self) -> bool {
        self.bits().is_link_local()
    }

    /// The address as the low 48 bits of an integer.
    #[inline]
    pub const fn to_u64(self) -> u64 {
        let m = self.0;
        u64::from_be_bytes([0, 0, m[0], m[1], m[2], m[3], m[4], m[5]])
    }

    /// The address as an integer that can be asked the same.
    #[inline]
    pub const fn bits(self) -> MacBits {
        MacBits(self.to_u64())
    }

    /// The inverse of [`Self::to_u64`]; the high 16 bits are ignored.
    #[inline]
    pub const fn from_u64(value: u64) -> Self {
        let b = value.to_be_bytes();
        Self([b[2], b[3], b[4], b[5], b[6], b[7]])
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = self.0;
        write!(f, "{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", m[0], m[1], m[2], m[3], m[4], m[5])
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_form_round_trips_and_prints_in_transmission_order() {
        let mac = MacAddr([0x02, 0, 0, 0xab, 0xcd, 0xef]);
        assert_eq!(MacAddr::from_u64(mac.to_u64()), mac);
        assert_eq!(mac.to_string(), "02:00:00:ab:cd:ef");
    }

    #[test]
    fn stations_are_neither_groups_nor_zero() {
        assert!(MacAddr([2, 0, 0, 0, 0, 1]).is_station());
        assert!(!MacAddr::BROADCAST.is_station());
        assert!(!MacAddr::default().is_station());
        assert!((1..6).all(|at| MacAddr::from_u64(1 << (8 * (5 - at))).is_station()));
    }

    #[test]
    fn link_local_is_exactly_the_sixteen_reserved_addresses() {
        assert!(MacAddr([1, 0x80, 0xc2, 0, 0, 0x0f]).is_link_local());
        assert!(!MacAddr([1, 0x80, 0xc2, 0, 0, 0x10]).is_link_local());
        assert!(!MacAddr([1, 0x80, 0xc2, 0, 1, 0]).is_link_local());
        assert!(!MacAddr([1, 0, 0x5e, 0, 0, 1]).is_link_local());
    }
}
