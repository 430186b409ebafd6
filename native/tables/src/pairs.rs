//! IP-MAC pairs: which station of a VN has an address. One writer, many readers, no lock between them.
//!
//! It answers ARP and neighbour solicitations in the owner's place, and guards against those who use another's address. It is a hash
//! table of its own because a key (a VN and 128 bits of address) does not pack into the 64 bits of a [`MapWriter`](crate::MapWriter)'s, nor
//! a MAC into the value's 32. It grows with what is in it: most NVEs have no pair at all, and some a million.
//!
//! Layout: buckets of one cache line, two pairs each, at most half of them in use. Overflow into the next buckets, and reading while the
//! writer removes, work as in the map: a pair is published by its word of VN and MAC, which is 0 in an empty slot; emptying a slot bumps
//! the bucket's version before anything else is written there, and a reader whose version moved looks again. A MAC changes by one store. A
//! table that is full is copied into one of twice the size, which readers take at their next burst.

use core::net::IpAddr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use types::MacAddr;

use crate::map::fold_product;
use crate::snapshot::Index;

const SLOTS: usize = 2;
const EMPTY: u64 = 0;
/// Buckets to begin with.
const SMALLEST: usize = 16;

#[derive(Default)]
struct Slot {
    /// Index of the VN and the MAC, which is never zero; or [`EMPTY`].
    owner: AtomicU64,
    high: AtomicU64,
    low: AtomicU64,
}

#[derive(Default)]
#[repr(C, align(64))]
struct Bucket {
    slots: [Slot; SLOTS],
    version: AtomicU32,
    overflow: AtomicU32,
}

/// The pairs of all VNs, as of one burst; a look-up reads what the writer writes meanwhile.
pub struct Pairs {
    buckets: Box<[Bucket]>,
    mask: usize,
    seed: u64,
}

/// The one who may change the pairs.
pub struct PairWriter {
    table: Arc<Pairs>,
    published: Arc<ArcSwap<Pairs>>,
    len: usize,
}

/// A poller's access to the pairs: one atomic load per burst while they do not outgrow their table.
pub struct PairReader(Cache<Arc<ArcSwap<Pairs>>, Arc<Pairs>>);

/// The address as IPv6 has it: IPv4 ones as mapped ones (RFC 4291, 2.5.5.2), which no station of a link has.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    vn: u64,
    high: u64,
    low: u64,
}

impl Key {
    #[inline]
    fn new(vn: Index, ip: IpAddr) -> Self {
        let bits = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        Self { vn: vn.into(), high: (bits >> 64) as u64, low: bits as u64 }
    }

    const fn owner(self, mac: MacAddr) -> u64 {
        self.vn << 48 | mac.to_u64()
    }
}

impl Slot {
    /// The word of VN and MAC, if the slot holds this key.
    #[inline(always)]
    fn holds(&self, key: Key) -> Option<u64> {
        let owner = self.owner.load(Ordering::Acquire);
        let same = owner != EMPTY
            && owner >> 48 == key.vn
            && self.low.load(Ordering::Acquire) == key.low
            && self.high.load(Ordering::Acquire) == key.high;
        same.then_some(owner)
    }

    /// The key and the MAC, as the writer sees them.
    fn pair(&self) -> Option<(Key, MacAddr)> {
        let owner = self.owner.load(Ordering::Relaxed);
        let (high, low) = (self.high.load(Ordering::Relaxed), self.low.load(Ordering::Relaxed));
        (owner != EMPTY).then_some((Key { vn: owner >> 48, high, low }, MacAddr::from_u64(owner)))
    }
}

impl Pairs {
    fn new(buckets: usize, seed: u64) -> Self {
        Self { buckets: (0..buckets).map(|_| Bucket::default()).collect(), mask: buckets - 1, seed }
    }

    /// The MAC of the station that has `ip` in the VN of index `vn`.
    #[inline]
    pub fn get(&self, vn: Index, ip: IpAddr) -> Option<MacAddr> {
        let key = Key::new(vn, ip);
        let home = self.hash(key);
        for step in 0..self.buckets.len() {
            let bucket = self.bucket(home.wrapping_add(step));
            if let Some(owner) = probe(bucket, key) {
                return Some(MacAddr::from_u64(owner));
            }
            if bucket.overflow.load(Ordering::Acquire) == 0 {
                return None;
            }
        }
        None
    }

    #[inline]
    fn hash(&self, key: Key) -> usize {
        // Tenants choose their addresses: without the seed nobody can tell which meet.
        let once = fold_product(key.low ^ self.seed, 0x9e37_79b9_7f4a_7c15);
        let twice = fold_product(once ^ key.high, 0xa076_1d64_78bd_642f ^ self.seed.rotate_left(16));
        fold_product(twice ^ key.vn ^ self.seed.rotate_left(32), 0x9e37_79b9_7f4a_7c15) as usize
    }

    #[inline(always)]
    fn bucket(&self, at: usize) -> &Bucket {
        &self.buckets[at & self.mask]
    }

    fn find(&self, key: Key) -> Option<(usize, &Bucket, &Slot)> {
        let home = self.hash(key);
        for step in 0..self.buckets.len() {
            let at = home.wrapping_add(step);
            let bucket = self.bucket(at);
            if let Some(slot) = bucket.slots.iter().find(|slot| slot.holds(key).is_some()) {
                return Some((at, bucket, slot));
            }
            if bucket.overflow.load(Ordering::Relaxed) == 0 {
                return None;
            }
        }
        None
    }

    /// Adds a pair that is not there, where there is room.
    fn add(&self, key: Key, mac: MacAddr) {
        let mut at = self.hash(key);
        loop {
            let bucket = self.bucket(at);
            let free = bucket.slots.iter().find(|slot| slot.owner.load(Ordering::Relaxed) == EMPTY);
            if let Some(slot) = free {
                slot.high.store(key.high, Ordering::Release);
                slot.low.store(key.low, Ordering::Release);
                slot.owner.store(key.owner(mac), Ordering::Release);
                return;
            }
            bucket.overflow.fetch_add(1, Ordering::Release);
            at = at.wrapping_add(1);
        }
    }
}

#[inline(always)]
fn probe(bucket: &Bucket, key: Key) -> Option<u64> {
    loop {
        let version = bucket.version.load(Ordering::Acquire);
        let owner = bucket.slots.iter().find_map(|slot| slot.holds(key))?;
        if bucket.version.load(Ordering::Acquire) == version {
            return Some(owner);
        }
    }
}

impl PairWriter {
    /// No pairs yet. `seed` should be random.
    pub fn new(seed: u64) -> Self {
        let table = Arc::new(Pairs::new(SMALLEST, seed));
        Self { published: Arc::new(ArcSwap::new(Arc::clone(&table))), table, len: 0 }
    }

    /// A poller's access.
    pub fn reader(&self) -> PairReader {
        PairReader(Cache::new(Arc::clone(&self.published)))
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the table.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.table.buckets)
    }

    /// Says that the station `mac` has `ip` in the VN of index `vn`, instead of whoever had it.
    pub fn insert(&mut self, vn: Index, ip: IpAddr, mac: MacAddr) {
        debug_assert!(mac.is_station());
        let key = Key::new(vn, ip);
        if let Some((_, _, slot)) = self.table.find(key) {
            return slot.owner.store(key.owner(mac), Ordering::Release);
        }
        if self.len == self.table.buckets.len() * SLOTS / 2 {
            self.grow();
        }
        self.table.add(key, mac);
        self.len += 1;
    }

    /// Nobody is said to have `ip` any more; returns who was.
    pub fn remove(&mut self, vn: Index, ip: IpAddr) -> Option<MacAddr> {
        let key = Key::new(vn, ip);
        let (at, bucket, slot) = self.table.find(key)?;
        let owner = slot.owner.swap(EMPTY, Ordering::AcqRel);
        bucket.version.fetch_add(1, Ordering::Release);
        let mut passed = self.table.hash(key);
        while passed & self.table.mask != at & self.table.mask {
            self.table.bucket(passed).overflow.fetch_sub(1, Ordering::Release);
            passed = passed.wrapping_add(1);
        }
        self.len -= 1;
        Some(MacAddr::from_u64(owner))
    }

    fn grow(&mut self) {
        let old = Arc::clone(&self.table);
        let larger = Pairs::new(old.buckets.len() * 2, old.seed);
        let pairs = old.buckets.iter().flat_map(|bucket| &bucket.slots).filter_map(Slot::pair);
        pairs.for_each(|(key, mac)| larger.add(key, mac));
        self.table = Arc::new(larger);
        self.published.store(Arc::clone(&self.table));
    }
}

impl PairReader {
    /// The table as it is now.
    #[inline]
    pub fn load(&mut self) -> &Pairs {
        self.0.load()
    }
}

#[cfg(test)]
mod tests;
