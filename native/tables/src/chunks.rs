//! A table that is copied in part: what changed is copied, everything else is shared with the snapshots before.
//!
//! Big tables ([`Chunks`]) go to a million entries, and a batch changes a few. A whole copy for each batch would take milliseconds and take them from
//! the pollers' caches, too; a chunk takes microseconds. A reader pays one more load, of a pointer that is nearly always in its first cache.
//! A small table ([`Indexed`]) has an entry for each index there can be, so that a reader need not ask how far it goes.

use std::sync::Arc;

/// Entries of a chunk.
const CHUNK: usize = 256;

/// A table of entries by dense index. A clone shares all entries; to change one copies its chunk.
#[derive(Debug)]
pub struct Chunks<T>(Arc<[Arc<[T; CHUNK]>]>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl<T> Clone for Chunks<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Chunks<T> {
    /// The entry of `index`, if the table goes so far.
    #[inline(always)]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index / CHUNK).map(|chunk| &chunk[index % CHUNK])
    }

    /// Every entry there is room for, also those that nobody uses.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|chunk| chunk.iter())
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.0.len() * (CHUNK * size_of::<T>() + size_of::<Arc<[T; CHUNK]>>())
    }
}

/// A table with an entry for each 16-bit index. A clone shares all entries; to change one copies its chunk.
#[derive(Debug)]
pub struct Indexed<T> {
    chunks: Arc<[Arc<[T; CHUNK]>; CHUNK]>,
    /// The chunk of indices that nobody ever used.
    untouched: Arc<[T; CHUNK]>,
}

impl<T> Clone for Indexed<T> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), untouched: Arc::clone(&self.untouched) }
    }
}

impl<T: Default> Default for Indexed<T> {
    fn default() -> Self {
        let untouched = Arc::new(core::array::from_fn(|_| T::default()));
        Self { chunks: Arc::new(core::array::from_fn(|_| Arc::clone(&untouched))), untouched }
    }
}

impl<T> Indexed<T> {
    /// The entry of `index`.
    #[inline(always)]
    pub fn get(&self, index: u16) -> &T {
        &self.chunks[usize::from(index >> 8)][usize::from(index as u8)]
    }

    fn touched(&self) -> impl Iterator<Item = &Arc<[T; CHUNK]>> {
        self.chunks.iter().filter(|chunk| !Arc::ptr_eq(chunk, &self.untouched))
    }

    /// Every entry there is room for, also those that nobody uses.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.touched().flat_map(|chunk| chunk.iter())
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        (1 + self.touched().count()) * size_of::<[T; CHUNK]>() + size_of_val(&*self.chunks)
    }
}

impl<T: Clone> Indexed<T> {
    /// The entry of `index`, to be changed.
    pub fn slot(&mut self, index: u16) -> &mut T {
        let [chunk, at] = index.to_be_bytes();
        &mut Arc::make_mut(&mut Arc::make_mut(&mut self.chunks)[usize::from(chunk)])[usize::from(at)]
    }
}

impl<T: Clone + Default> FromIterator<T> for Indexed<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let mut table = Self::default();
        (0..=u16::MAX).zip(entries).for_each(|(index, entry)| *table.slot(index) = entry);
        table
    }
}

impl<T: Clone + Default> Chunks<T> {
    /// The entry of `index`, to be changed; the table grows up to it.
    pub fn slot(&mut self, index: usize) -> &mut T {
        let at = index / CHUNK;
        if self.0.len() <= at {
            let more = (self.0.len()..=at).map(|_| Arc::new(core::array::from_fn(|_| T::default())));
            self.0 = self.0.iter().cloned().chain(more).collect();
        }
        &mut Arc::make_mut(&mut Arc::make_mut(&mut self.0)[at])[index % CHUNK]
    }
}

impl<T: Clone + Default> FromIterator<T> for Chunks<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let mut table = Self::default();
        entries.into_iter().enumerate().for_each(|(index, entry)| *table.slot(index) = entry);
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_copies_its_chunk_and_shares_the_others() {
        let before: Chunks<u32> = (0..1_000).collect();
        let mut after = before.clone();
        *after.slot(300) = 7;
        assert_eq!((before.get(300), after.get(300)), (Some(&300), Some(&7)));
        let same = |at: usize| Arc::ptr_eq(&before.0[at], &after.0[at]);
        assert_eq!([0, 1, 2, 3].map(same), [true, false, true, true]);
    }

    #[test]
    fn a_small_table_has_every_index_and_a_change_copies_its_chunk() {
        let before: Indexed<u32> = (0..1_000).collect();
        let mut after = before.clone();
        (*after.slot(300), *after.slot(65_535)) = (7, 8);
        let at = |table: &Indexed<u32>| [0, 299, 300, 999, 1000, 65_535].map(|index| *table.get(index));
        assert_eq!((at(&before), at(&after)), ([0, 299, 300, 999, 0, 0], [0, 299, 7, 999, 0, 8]));
        let same = |at: usize| Arc::ptr_eq(&before.chunks[at], &after.chunks[at]);
        assert_eq!([0, 1, 2, 254, 255].map(same), [true, false, true, true, false]);
        assert_eq!((before.iter().count(), after.iter().count()), (1024, 1280));
        assert!(after.bytes() > before.bytes());
    }

    #[test]
    fn a_table_grows_to_what_is_asked_for() {
        let mut table = Chunks::<u32>::default();
        assert_eq!(table.get(0), None);
        *table.slot(600) = 1;
        assert_eq!(
            (table.get(0), table.get(600), table.get(767), table.get(768)),
            (Some(&0), Some(&1), Some(&0), None)
        );
        assert_eq!(table.iter().sum::<u32>(), 1);
        assert!(table.bytes() >= 768 * 4);
    }
}
