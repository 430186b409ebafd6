//! IPv6 addresses of other NVEs, each with a number: the keys of the concurrent maps have room for a number, not for an address.
//!
//! The table is part of the snapshot: it changes when an NVE appears of which no VN had heard before, and an address costs one look-up
//! per tunnelled packet. A number is used again only when no poller can hold a snapshot in which it was another's.

use core::hash::{BuildHasher, Hasher};
use core::net::Ipv6Addr;
use std::collections::HashMap;

use crate::map::fold_product;

/// The numbers of addresses.
#[derive(Clone, Debug, Default)]
pub struct Peers(HashMap<u128, u32, Seed>);

impl Peers {
    /// The number of an address that has none. Nobody gets it.
    pub const NOBODY: u32 = u32::MAX;

    /// An empty table. `seed` should be random: addresses come from the network.
    pub fn new(seed: u64) -> Self {
        Self(HashMap::with_hasher(Seed(seed)))
    }

    /// Gives an address a number.
    pub fn insert(&mut self, address: Ipv6Addr, number: u32) {
        self.0.insert(address.to_bits(), number);
    }

    /// Takes an address's number away.
    pub fn remove(&mut self, address: Ipv6Addr) {
        self.0.remove(&address.to_bits());
    }

    /// The number of an address, or [`Self::NOBODY`].
    #[inline]
    pub fn number(&self, address: Ipv6Addr) -> u32 {
        self.0.get(&address.to_bits()).copied().unwrap_or(Self::NOBODY)
    }
}

/// Makes hashers that nobody outside can predict.
#[derive(Clone, Copy, Debug, Default)]
struct Seed(u64);

impl BuildHasher for Seed {
    type Hasher = Folded;
    #[inline]
    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

/// Folds 128 bits to 64; every bit reaches every other.
struct Folded(u64);

impl Hasher for Folded {
    #[inline]
    fn write_u128(&mut self, value: u128) {
        let (high, low) = ((value >> 64) as u64, value as u64);
        self.write_u64(high);
        self.write_u64(low);
    }
    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.0 = fold_product(
            fold_product(value ^ self.0, 0x9e37_79b9_7f4a_7c15) ^ self.0.rotate_left(32),
            0xa076_1d64_78bd_642f,
        );
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_number_until_it_is_taken_away() {
        let address = |host: u128| Ipv6Addr::from_bits(0x2001_0db8 << 96 | host);
        let mut peers = Peers::new(0x5eed);
        (0..1000).for_each(|host| peers.insert(address(host), host as u32));
        assert!((0..1000).all(|host| peers.number(address(host)) == host as u32));
        assert_eq!(peers.number(address(1000)), Peers::NOBODY);
        peers.remove(address(7));
        assert_eq!([peers.number(address(7)), peers.number(address(8))], [Peers::NOBODY, 8]);
    }
}
