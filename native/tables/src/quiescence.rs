//! Knowing when no poller can still hold what it read before a change.
//!
//! The writer makes a change, then calls [`Quiescence::advance`] and remembers the generation it returns. A poller calls
//! [`QuiescentReader::quiescent`] between bursts, when it holds no index it has read. Once every poller has done so, or sleeps
//! ([`QuiescentReader::offline`]), the change's generation has [`passed`](Quiescence::passed).

use core::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::Arc;

use crossbeam_utils::CachePadded;

const OFFLINE: u64 = u64::MAX;

/// The writer's side.
pub struct Quiescence {
    current: Arc<CachePadded<AtomicU64>>,
    readers: Vec<Arc<CachePadded<AtomicU64>>>,
}

/// One poller's side.
pub struct QuiescentReader {
    current: Arc<CachePadded<AtomicU64>>,
    seen: Arc<CachePadded<AtomicU64>>,
}

impl Default for Quiescence {
    fn default() -> Self {
        Self { current: Arc::new(CachePadded::new(AtomicU64::new(1))), readers: Vec::new() }
    }
}

impl Quiescence {
    /// Adds a reader, which starts offline.
    pub fn reader(&mut self) -> QuiescentReader {
        let seen = Arc::new(CachePadded::new(AtomicU64::new(OFFLINE)));
        self.readers.push(Arc::clone(&seen));
        QuiescentReader { current: Arc::clone(&self.current), seen }
    }

    /// Marks all changes made so far as belonging to the returned generation.
    pub fn advance(&self) -> u64 {
        // The fence pairs with the one in `online`: either this thread sees that reader online, or that reader sees the change.
        let generation = self.current.fetch_add(1, Ordering::SeqCst) + 1;
        fence(Ordering::SeqCst);
        generation
    }

    /// Whether no reader can still hold what it read before the changes of `generation`.
    pub fn passed(&self, generation: u64) -> bool {
        fence(Ordering::SeqCst);
        self.readers.iter().all(|seen| seen.load(Ordering::Acquire) >= generation)
    }
}

impl QuiescentReader {
    /// Says: whatever I read before this call I hold no longer.
    #[inline]
    pub fn quiescent(&self) {
        self.seen.store(self.current.load(Ordering::Acquire), Ordering::Release);
    }

    /// Says: I hold nothing, and will read nothing before [`Self::online`]. To be called before sleeping.
    pub fn offline(&self) {
        self.seen.store(OFFLINE, Ordering::Release);
    }

    /// Says: I am about to read again.
    pub fn online(&self) {
        self.seen.store(self.current.load(Ordering::SeqCst), Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }
}

impl Drop for QuiescentReader {
    fn drop(&mut self) {
        self.offline();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_passes_when_every_online_reader_has_been_quiescent() {
        let mut quiescence = Quiescence::default();
        let one = quiescence.reader();
        let two = quiescence.reader();
        let generation = quiescence.advance();
        assert!(quiescence.passed(generation), "both still offline");

        one.online();
        two.online();
        let generation = quiescence.advance();
        assert!(!quiescence.passed(generation));
        one.quiescent();
        assert!(!quiescence.passed(generation));
        two.offline();
        assert!(quiescence.passed(generation));
        two.online();
        assert!(quiescence.passed(generation), "who comes back sees the change");
        let later = quiescence.advance();
        drop(two);
        one.quiescent();
        assert!(quiescence.passed(later), "a reader that is gone holds nothing");
    }
}
