//! A fixed-size hash map from a 64-bit key to a 32-bit value: one writer, many readers, nobody waits.
//!
//! Layout: buckets of one cache line, four rows each, so that a lookup that hits costs one line. A key that finds its home bucket
//! full goes to the next bucket with room, and every bucket it passed counts it in `overflow`; a reader follows the chain only while
//! that count is not zero. With at most half of the slots in use a chain is short and rare, and **an insertion cannot fail before
//! the declared capacity is reached**, which is what lets a batch be applied without a way to fail. Rows never move, so no reader can
//! miss a row that is there.
//!
//! Concurrency: a row is published by its key (value first, then key). The danger is a slot that is emptied and filled with another
//! key between a reader's look at the key and at the value: emptying bumps the bucket's `version`, the reader checks it after the
//! value, and tries again if it moved.
//!
//! The hash is seeded: MACs and VNIs are chosen by tenants, and a tenant who can predict buckets can build a chain.
//!
//! A look-up has two halves, so that a burst can begin all of its look-ups before it ends the first: [`MapReader::begin`] hashes and
//! prefetches, [`MapReader::finish`] reads.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use crate::prefetch::prefetch;

const SLOTS: usize = 4;
const EMPTY: u64 = 0;
/// Packed form of keys that no row has.
const NOBODY: u64 = u64::MAX;

/// What can be a key: a value that packs into an integer.
pub trait Key: Copy {
    /// The packed form: never 0, and `u64::MAX` only for keys that never get a row.
    fn pack(self) -> u64;
}

/// The map holds as many rows as it was declared for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full {
    /// The declared capacity.
    pub capacity: usize,
}

#[repr(C, align(64))]
struct Bucket {
    keys: [AtomicU64; SLOTS],
    values: [AtomicU32; SLOTS],
    version: AtomicU32,
    overflow: AtomicU32,
    /// When each row was last seen, as [`Row::mark`] has it.
    seen: [AtomicU16; SLOTS],
}

impl Bucket {
    const fn empty() -> Self {
        Self {
            keys: [const { AtomicU64::new(EMPTY) }; SLOTS],
            values: [const { AtomicU32::new(0) }; SLOTS],
            version: AtomicU32::new(0),
            overflow: AtomicU32::new(0),
            seen: [const { AtomicU16::new(UNWATCHED) }; SLOTS],
        }
    }
}

struct Shared {
    /// As many as a power of two.
    buckets: Box<[Bucket]>,
    seed: u64,
}

impl Shared {
    fn hash(&self, key: u64) -> usize {
        hash(key, self.seed)
    }

    #[inline(always)]
    fn bucket(&self, at: usize) -> &Bucket {
        &self.buckets[self.index(at)]
    }

    #[inline(always)]
    fn index(&self, at: usize) -> usize {
        at & (self.buckets.len() - 1)
    }
}

#[inline(always)]
fn hash(key: u64, seed: u64) -> usize {
    let once = fold_product(key ^ seed, 0x9e37_79b9_7f4a_7c15);
    // Twice, so that the seed decides which keys meet and not only where, and that keys in sequence spread.
    fold_product(once ^ seed.rotate_left(32), 0xa076_1d64_78bd_642f) as usize
}

/// Multiplies to 128 bits and folds: every input bit reaches every output bit.
#[inline(always)]
pub(crate) fn fold_product(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// Makes an empty map for `capacity` rows and returns its only writer; readers come from [`MapWriter::reader`].
/// `seed` should be random.
pub fn concurrent_map<K: Key>(capacity: usize, seed: u64) -> MapWriter<K> {
    let buckets = capacity.max(1).div_ceil(SLOTS / 2).next_power_of_two();
    let shared = Shared { buckets: (0..buckets).map(|_| Bucket::empty()).collect(), seed };
    MapWriter { shared: Arc::new(shared), len: 0, capacity, key: PhantomData }
}

/// The one who may change a map.
pub struct MapWriter<K> {
    shared: Arc<Shared>,
    len: usize,
    capacity: usize,
    key: PhantomData<K>,
}

/// One who looks rows up. Cheap to clone.
pub struct MapReader<K> {
    shared: Arc<Shared>,
    key: PhantomData<K>,
}

/// What nobody wants to know when it was seen.
const UNWATCHED: u16 = 0;
/// What is watched and was not seen yet.
const UNSEEN: u16 = 2;

/// A row that was found.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// Its value.
    pub value: u32,
    seen: &'a AtomicU16,
}

impl Row<'_> {
    /// Notes that the row is in use, if somebody watches it. `era` is an odd number that changes with time: a line that all pollers read is
    /// written once an era, not once a packet. In era 0, which is never, nothing is noted.
    #[inline(always)]
    pub fn mark(&self, era: u16) {
        let seen = self.seen.load(Ordering::Relaxed);
        if seen != UNWATCHED && seen != era && era != 0 {
            // A slot that has become another's meanwhile only counts as seen for once.
            self.seen.store(era, Ordering::Relaxed);
        }
    }
}

/// A look-up that has begun: the key, and its home bucket.
#[derive(Clone, Copy)]
pub struct LookUp<'a> {
    packed: u64,
    home: Option<&'a Bucket>,
}

impl LookUp<'_> {
    /// Of nothing: it finds no row.
    pub const NONE: Self = Self { packed: NOBODY, home: None };
}

/// What begins look-ups: a copy of what a map's readers share, which a compiler can keep in registers.
pub struct Beginnings<'a, K> {
    buckets: &'a [Bucket],
    seed: u64,
    key: PhantomData<K>,
}

impl<'a, K: Key> Beginnings<'a, K> {
    /// [`MapReader::begin`].
    #[inline(always)]
    pub fn begin(&self, key: K) -> LookUp<'a> {
        let packed = key.pack();
        let home = &self.buckets[hash(packed, self.seed) & (self.buckets.len() - 1)];
        prefetch(home);
        LookUp { packed, home: Some(home) }
    }
}

impl<K> Clone for MapReader<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), key: PhantomData }
    }
}

impl<K: Key> MapWriter<K> {
    /// A reader of this map.
    pub fn reader(&self) -> MapReader<K> {
        MapReader { shared: Arc::clone(&self.shared), key: PhantomData }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the table.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.shared.buckets)
    }

    /// How many rows there can be.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds a row or changes its value; returns the old value.
    ///
    /// # Errors
    /// [`Full`] if the key is new and the map holds its capacity; nothing is changed then.
    pub fn insert(&mut self, key: K, value: u32) -> Result<Option<u32>, Full> {
        let key = key.pack();
        debug_assert!(key != EMPTY && key != NOBODY);
        if let Some((at, slot)) = self.find(key) {
            return Ok(Some(self.shared.bucket(at).values[slot].swap(value, Ordering::AcqRel)));
        }
        if self.len == self.capacity {
            return Err(Full { capacity: self.capacity });
        }
        let mut at = self.shared.hash(key);
        loop {
            let bucket = self.shared.bucket(at);
            let free = bucket.keys.iter().position(|slot| slot.load(Ordering::Relaxed) == EMPTY);
            if let Some(slot) = free {
                bucket.values[slot].store(value, Ordering::Release);
                bucket.seen[slot].store(UNWATCHED, Ordering::Relaxed);
                bucket.keys[slot].store(key, Ordering::Release);
                self.len += 1;
                return Ok(None);
            }
            bucket.overflow.fetch_add(1, Ordering::Release);
            at = at.wrapping_add(1);
        }
    }

    /// Removes a row; returns its value.
    pub fn remove(&mut self, key: K) -> Option<u32> {
        let key = key.pack();
        let (at, slot) = self.find(key)?;
        let bucket = self.shared.bucket(at);
        let value = bucket.values[slot].load(Ordering::Relaxed);
        bucket.keys[slot].store(EMPTY, Ordering::Release);
        bucket.version.fetch_add(1, Ordering::Release);
        let mut passed = self.shared.hash(key);
        while self.shared.index(passed) != self.shared.index(at) {
            self.shared.bucket(passed).overflow.fetch_sub(1, Ordering::Release);
            passed = passed.wrapping_add(1);
        }
        self.len -= 1;
        Some(value)
    }

    /// From now on it is noted, or not, when a row is in use. It begins unseen.
    pub fn watch(&mut self, key: K, watch: bool) {
        if let Some((at, slot)) = self.find(key.pack()) {
            let seen = if watch { UNSEEN } else { UNWATCHED };
            self.shared.bucket(at).seen[slot].store(seen, Ordering::Relaxed);
        }
    }

    /// What was noted of a row: another number than before if it was in use since.
    pub fn seen(&self, key: K) -> Option<u16> {
        let (at, slot) = self.find(key.pack())?;
        Some(self.shared.bucket(at).seen[slot].load(Ordering::Relaxed))
    }

    fn find(&self, key: u64) -> Option<(usize, usize)> {
        let home = self.shared.hash(key);
        for step in 0..self.shared.buckets.len() {
            let at = home.wrapping_add(step);
            let bucket = self.shared.bucket(at);
            let found = bucket.keys.iter().position(|slot| slot.load(Ordering::Relaxed) == key);
            if let Some(slot) = found {
                return Some((at, slot));
            }
            if bucket.overflow.load(Ordering::Relaxed) == 0 {
                return None;
            }
        }
        None
    }
}

impl<K: Key> MapReader<K> {
    /// All that is needed to begin look-ups, for a loop that begins many.
    #[inline(always)]
    pub fn beginnings(&self) -> Beginnings<'_, K> {
        Beginnings { buckets: &self.shared.buckets, seed: self.shared.seed, key: PhantomData }
    }

    /// Begins a look-up: asks for the home bucket of `key` to be loaded.
    #[inline(always)]
    pub fn begin(&self, key: K) -> LookUp<'_> {
        self.beginnings().begin(key)
    }

    /// Ends a look-up that [`Self::begin`] of this map began.
    #[inline(always)]
    pub fn finish(&self, look_up: LookUp<'_>) -> Option<u32> {
        self.finish_row(look_up).map(|row| row.value)
    }

    /// The same, for who would mark the row.
    #[inline(always)]
    pub fn finish_row<'a>(&'a self, LookUp { packed, home }: LookUp<'a>) -> Option<Row<'a>> {
        let home = home?;
        // The common case first: a row in its home bucket, or a miss there and no overflow.
        match Self::probe(home, packed) {
            Some(row) => Some(row),
            None if home.overflow.load(Ordering::Acquire) == 0 => None,
            None => self.finish_in_overflow(packed),
        }
    }

    /// Looks up a key.
    #[inline]
    pub fn get(&self, key: K) -> Option<u32> {
        self.finish(self.begin(key))
    }

    #[cold]
    fn finish_in_overflow(&self, key: u64) -> Option<Row<'_>> {
        let hash = self.shared.hash(key);
        for step in 1..self.shared.buckets.len() {
            let bucket = self.shared.bucket(hash.wrapping_add(step));
            if let Some(row) = Self::probe(bucket, key) {
                return Some(row);
            }
            if bucket.overflow.load(Ordering::Acquire) == 0 {
                return None;
            }
        }
        None
    }

    #[inline(always)]
    fn probe(bucket: &Bucket, key: u64) -> Option<Row<'_>> {
        loop {
            let version = bucket.version.load(Ordering::Acquire);
            let slot = bucket.keys.iter().position(|slot| slot.load(Ordering::Acquire) == key)?;
            let value = bucket.values[slot].load(Ordering::Acquire);
            if bucket.version.load(Ordering::Acquire) == version {
                return Some(Row { value, seen: &bucket.seen[slot] });
            }
        }
    }
}

#[cfg(test)]
mod tests;
