//! The memory through which pollers, control thread and driver talk: counters and rings, all in one region of 64-bit words.
//!
//! Everything in it is found by an offset from its start, and every word is atomic, so the same layout works in private memory
//! (the engine inside Node) and in memory shared between processes. Rings have one writer and one reader each; a writer that finds no
//! room loses the record and counts it, it never waits.
//!
//! ```text
//! | poller | drops | VAPs | capture | ring: head, tail, lost, data … | ring … |
//! ```
//! A record is a word `length << 32 | tag` and then its bytes, eight a word. `head` and `tail` count words and never wrap in practice.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::Arc;

use pipeline::{COUNTERS_PER_VAP, Counters};

/// Words of a ring's own: head, tail and lost, on cache lines of their own.
const RING_HEADER: usize = 24;
const TAIL: usize = 8;
const LOST: usize = 16;

/// What a poller counts of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PollerCounter {
    /// Turns of its loop.
    Polls = 0,
    /// Turns that found nothing.
    EmptyPolls = 1,
    /// Packets received.
    Packets = 2,
    /// Cycles of turns that found something.
    BusyCycles = 3,
    /// All other cycles, sleep included.
    IdleCycles = 4,
    /// Packets that replication made of those received.
    Copies = 5,
}

impl PollerCounter {
    const COUNT: usize = 6;
}

/// Where things are.
#[derive(Clone, Debug)]
struct Layout {
    poller: Range<usize>,
    drops: Range<usize>,
    vaps: Range<usize>,
    capture: Range<usize>,
    rings: Vec<Range<usize>>,
}

/// The region.
pub struct Region {
    words: Box<[AtomicU64]>,
    layout: Layout,
}

impl Region {
    /// A region with counters for one poller and `vaps` VAP indices, and a ring of each of `rings` words (powers of two).
    pub fn new(vaps: usize, rings: &[usize]) -> Arc<Self> {
        let mut end = 0;
        let mut take = |words: usize| {
            let start = end;
            end += words.next_multiple_of(8);
            start..start + words
        };
        let poller = take(PollerCounter::COUNT);
        let drops = take(Counters::DROP_WORDS);
        let vaps = take(vaps * COUNTERS_PER_VAP);
        let capture = take(crate::capture::WORDS);
        let rings = rings.iter().map(|words| take(RING_HEADER + words.next_power_of_two())).collect();
        let words = (0..end).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { words, layout: Layout { poller, drops, vaps, capture, rings } })
    }

    fn section(&self, range: &Range<usize>) -> &[AtomicU64] {
        &self.words[range.clone()]
    }

    /// The poller's counters.
    pub fn counters(&self) -> Counters<'_> {
        Counters::new(self.drops(), self.section(&self.layout.vaps))
    }

    /// Adds to one of the poller's own counters; for the poller only.
    pub fn count(&self, counter: PollerCounter, by: u64) {
        let word = &self.words[self.layout.poller.start + counter as usize];
        word.store(word.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    /// One of the poller's own counters.
    pub fn poller(&self, counter: PollerCounter) -> u64 {
        self.words[self.layout.poller.start + counter as usize].load(Ordering::Relaxed)
    }

    /// The words of the drop counters.
    pub fn drops(&self) -> &[AtomicU64] {
        self.section(&self.layout.drops)
    }

    /// The counters of a VAP index.
    pub fn vap(&self, index: u16) -> [u64; COUNTERS_PER_VAP] {
        let start = usize::from(index) * COUNTERS_PER_VAP;
        let words = self.section(&self.layout.vaps).get(start..start + COUNTERS_PER_VAP).unwrap_or(&[]);
        let mut values = [0; COUNTERS_PER_VAP];
        values.iter_mut().zip(words).for_each(|(value, word)| *value = word.load(Ordering::Relaxed));
        values
    }

    /// The words that say what is to be recorded.
    pub fn capture(&self) -> &[AtomicU64] {
        self.section(&self.layout.capture)
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }

    /// The two ends of ring `number`. To be taken once: a ring has one writer and one reader.
    pub fn ring(self: &Arc<Self>, number: usize) -> (RingWriter, RingReader) {
        let ring = Ring { region: Arc::clone(self), range: self.layout.rings[number].clone() };
        (RingWriter(ring.clone()), RingReader { ring, lost_seen: 0 })
    }
}

#[derive(Clone)]
struct Ring {
    region: Arc<Region>,
    range: Range<usize>,
}

impl Ring {
    fn header(&self, at: usize) -> &AtomicU64 {
        &self.region.words[self.range.start + at]
    }
    fn data(&self) -> &[AtomicU64] {
        &self.region.words[self.range.start + RING_HEADER..self.range.end]
    }
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It is in, and the reader had emptied the ring before it: it may have to be woken.
    First,
    /// It is in, behind others.
    Behind,
    /// There was no room.
    Lost,
}

/// The end that puts records in.
pub struct RingWriter(Ring);

/// The end that takes records out.
pub struct RingReader {
    ring: Ring,
    lost_seen: u64,
}

impl RingWriter {
    /// Puts a record of `tag` and `bytes` in, or loses and counts it if there is no room.
    pub fn push(&self, tag: u32, bytes: &[u8]) -> Pushed {
        let data = self.0.data();
        let needed = 1 + bytes.len().div_ceil(8);
        let tail = self.0.header(TAIL).load(Ordering::Relaxed);
        let used = tail.wrapping_sub(self.0.header(0).load(Ordering::Acquire)) as usize;
        if used > data.len() || data.len() - used < needed {
            let lost = self.0.header(LOST);
            lost.store(lost.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            return Pushed::Lost;
        }
        let place = |offset: usize| &data[(tail as usize).wrapping_add(offset) & (data.len() - 1)];
        place(0).store((bytes.len() as u64) << 32 | u64::from(tag), Ordering::Relaxed);
        for (offset, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            place(1 + offset).store(u64::from_le_bytes(word), Ordering::Relaxed);
        }
        self.0.header(TAIL).store(tail.wrapping_add(needed as u64), Ordering::Release);
        // Pairs with the fence in `pop`: either the reader that has just emptied the ring sees this record, or it is told.
        fence(Ordering::SeqCst);
        if self.0.header(0).load(Ordering::Acquire) == tail { Pushed::First } else { Pushed::Behind }
    }
}

impl RingReader {
    /// Takes a record out: its bytes replace the content of `bytes`, its tag is returned.
    pub fn pop(&mut self, bytes: &mut Vec<u8>) -> Option<u32> {
        let data = self.ring.data();
        let head = self.ring.header(0).load(Ordering::Relaxed);
        let used = self.ring.header(TAIL).load(Ordering::Acquire).wrapping_sub(head) as usize;
        if used == 0 {
            return None;
        }
        let place =
            |offset: usize| data[(head as usize).wrapping_add(offset) & (data.len() - 1)].load(Ordering::Relaxed);
        let first = place(0);
        let length = (first >> 32) as usize;
        let words = length.div_ceil(8);
        bytes.clear();
        // The other end may be another process: a length that cannot be is an empty ring, not a wild read.
        if words < used && used <= data.len() {
            (0..words).for_each(|offset| bytes.extend_from_slice(&place(1 + offset).to_le_bytes()));
            bytes.truncate(length);
            self.ring.header(0).store(head.wrapping_add(1 + words as u64), Ordering::Release);
            fence(Ordering::SeqCst);
            Some(first as u32)
        } else {
            self.ring.header(0).store(head.wrapping_add(used as u64), Ordering::Release);
            None
        }
    }

    /// How many records were lost since this was last asked.
    pub fn take_lost(&mut self) -> u64 {
        let lost = self.ring.header(LOST).load(Ordering::Relaxed);
        lost.wrapping_sub(core::mem::replace(&mut self.lost_seen, lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use types::{DropReason, PortId};

    #[test]
    fn counters_are_found_again_by_port_reason_and_vap() {
        let region = Region::new(4, &[]);
        region.counters().dropped(PortId(2), DropReason::UnknownTag, 3);
        region.counters().vap_in(3, 64);
        let at = 2 * DropReason::COUNT + DropReason::UnknownTag as usize;
        assert_eq!(region.drops()[at].load(Ordering::Relaxed), 3);
        assert_eq!(region.vap(3), [1, 64, 0, 0, 0, 0, 0, 0]);
        assert_eq!(region.vap(9), [0; 8]);
    }

    #[test]
    fn a_record_longer_than_the_ring_is_lost_and_counted() {
        let region = Region::new(0, &[16]);
        let (writer, mut reader) = region.ring(0);
        assert_eq!(writer.push(1, &[0; 200]), Pushed::Lost);
        assert_eq!(writer.push(2, &[7; 9]), Pushed::First);
        assert_eq!(writer.push(3, &[]), Pushed::Behind);
        let mut bytes = vec![1, 2, 3];
        assert_eq!(reader.pop(&mut bytes), Some(2));
        assert_eq!(bytes, [7; 9]);
        assert_eq!(reader.pop(&mut bytes), Some(3));
        assert_eq!(reader.pop(&mut bytes), None);
        assert_eq!((reader.take_lost(), reader.take_lost()), (1, 0));
    }

    #[test]
    fn nonsense_from_the_other_end_empties_the_ring() {
        let region = Region::new(0, &[16]);
        let (writer, mut reader) = region.ring(0);
        writer.push(1, &[1, 2, 3]);
        reader.ring.data()[0].store(u64::MAX, Ordering::Relaxed);
        assert_eq!(reader.pop(&mut Vec::new()), None);
        writer.push(2, &[]);
        assert_eq!(reader.pop(&mut Vec::new()), Some(2), "what comes after is read again");
    }

    proptest! {
        #[test]
        fn behaves_like_a_queue_that_drops_when_full(ops in proptest::collection::vec((0usize..3, proptest::collection::vec(any::<u8>(), 0..60)), 0..200)) {
            let region = Region::new(0, &[32]);
            let (writer, mut reader) = region.ring(0);
            let mut model: VecDeque<(u32, Vec<u8>)> = VecDeque::new();
            let mut bytes = Vec::new();
            for (number, (what, payload)) in ops.into_iter().enumerate() {
                if what > 0 {
                    let used: usize = model.iter().map(|(_, bytes)| 1 + bytes.len().div_ceil(8)).sum();
                    let fits = used + 1 + payload.len().div_ceil(8) <= 32;
                    prop_assert_eq!(writer.push(number as u32, &payload) != Pushed::Lost, fits);
                    if fits {
                        model.push_back((number as u32, payload));
                    }
                } else {
                    let expected = model.pop_front();
                    prop_assert_eq!(reader.pop(&mut bytes), expected.as_ref().map(|(tag, _)| *tag));
                    if let Some((_, expected)) = expected {
                        prop_assert_eq!(&bytes, &expected);
                    }
                }
            }
        }
    }

    #[test]
    fn two_threads_pass_every_record_whole_and_in_order() {
        let region = Region::new(0, &[64]);
        let (writer, mut reader) = region.ring(0);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut number = 0u32;
                while number < 100_000 {
                    if writer.push(number, &number.to_le_bytes().repeat(1 + number as usize % 9)) != Pushed::Lost {
                        number += 1;
                    }
                }
            });
            let (mut expected, mut bytes) = (0, Vec::new());
            while expected < 100_000u32 {
                if let Some(tag) = reader.pop(&mut bytes) {
                    assert_eq!(tag, expected);
                    assert_eq!(bytes, expected.to_le_bytes().repeat(1 + expected as usize % 9));
                    expected += 1;
                }
            }
        });
    }
}
