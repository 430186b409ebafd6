//! One poller's counters: plain words that only this poller writes, so that counting is a load, an add and a store.

use core::sync::atomic::{AtomicU64, Ordering};
use tables::Acl;
use types::{DropReason, PortId};

/// What is counted per VAP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VapCounter {
    /// Frames from the tenant.
    InPackets = 0,
    /// Their bytes.
    InBytes = 1,
    /// Frames to the tenant.
    OutPackets = 2,
    /// Their bytes.
    OutBytes = 3,
    /// Questions of the tenant that were answered in the place of who was asked for.
    Suppressed = 4,
}

/// Words per VAP: a cache line.
pub const COUNTERS_PER_VAP: usize = 8;

/// The counters of one poller. The words may lie in memory that others read.
#[derive(Clone, Copy)]
pub struct Counters<'a> {
    drops: &'a [AtomicU64],
    vaps: &'a [[AtomicU64; COUNTERS_PER_VAP]],
}

impl<'a> Counters<'a> {
    /// Words needed for drops: one for each port and reason.
    pub const DROP_WORDS: usize = PortId::LIMIT * DropReason::COUNT;

    /// Counters over `drops` ([`Self::DROP_WORDS`] words) and `vaps` ([`COUNTERS_PER_VAP`] words for each VAP index).
    pub fn new(drops: &'a [AtomicU64], vaps: &'a [AtomicU64]) -> Self {
        Self { drops, vaps: vaps.as_chunks().0 }
    }

    /// Counts one frame that rule `at` of a list decided.
    #[inline]
    pub fn decided(&self, acl: &Acl, at: usize) {
        add(acl.counter(at), 1);
    }

    /// Counts packets that came in by `port` and were dropped for `reason`.
    #[inline]
    pub fn dropped(&self, port: PortId, reason: DropReason, packets: u64) {
        add(self.drops.get(usize::from(port.0) * DropReason::COUNT + reason as usize), packets);
    }

    /// Counts one frame of `bytes` from the tenant at VAP index `vap`.
    #[inline]
    pub fn vap_in(&self, vap: u16, bytes: usize) {
        self.vap(vap, VapCounter::InPackets, bytes);
    }

    /// Counts one frame of `bytes` to the tenant at VAP index `vap`.
    #[inline]
    pub fn vap_out(&self, vap: u16, bytes: usize) {
        self.vap(vap, VapCounter::OutPackets, bytes);
    }

    /// Counts one question of the tenant at VAP index `vap` that was answered in the place of who was asked for.
    #[inline]
    pub fn suppressed(&self, vap: u16) {
        add(self.vaps.get(usize::from(vap)).map(|words| &words[VapCounter::Suppressed as usize]), 1);
    }

    #[inline]
    fn vap(&self, vap: u16, first: VapCounter, bytes: usize) {
        if let Some(words) = self.vaps.get(usize::from(vap)) {
            add(Some(&words[first as usize]), 1);
            add(Some(&words[first as usize + 1]), bytes as u64);
        }
    }
}

/// The poller is the only writer, so no read-modify-write is needed; a reader elsewhere sees a whole number.
#[inline]
fn add(word: Option<&AtomicU64>, count: u64) {
    if let Some(word) = word {
        word.store(word.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }
}
