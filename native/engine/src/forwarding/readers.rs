//! What a poller reads, and the pipeline over it.

use core::cell::Cell;

use pipeline::{Counters, Pipeline};
use tables::{ContextKey, FdbKey, MapReader, PairReader, QuiescentReader, SnapshotReader, SourceKey, VapMeters};

/// What a poller reads.
pub struct Readers {
    /// The small tables.
    pub snapshot: SnapshotReader,
    /// Overlay MACs.
    pub fdb: MapReader<FdbKey>,
    /// Context IDs.
    pub contexts: MapReader<ContextKey>,
    /// Permitted sources.
    pub sources: MapReader<SourceKey>,
    /// IP-MAC pairs.
    pub pairs: PairReader,
    /// The IPv4 identification of the last packet that it sent and routers may fragment.
    pub identification: Cell<u16>,
    /// Its word on what it no longer holds.
    pub quiescence: QuiescentReader,
}

impl Readers {
    /// The pipeline over what the tables hold now, in this era, counting into `counters`, with what was sent until `now` in `meters`.
    #[inline]
    pub fn pipeline<'a>(
        &'a mut self,
        counters: Counters<'a>,
        era: u16,
        (meters, now): (&'a VapMeters, u64),
    ) -> Pipeline<'a> {
        Pipeline {
            snapshot: self.snapshot.load(),
            fdb: &self.fdb,
            contexts: &self.contexts,
            sources: &self.sources,
            pairs: self.pairs.load(),
            meters,
            now,
            era,
            identification: &self.identification,
            counters,
        }
    }
}
