//! What the data path looks up: the FDB, Context IDs, permitted source NVEs, IP-MAC pairs, and snapshots of the small tables.
//!
//! One writer (the engine's control thread), many readers (pollers), no lock between them. Two ways of sharing, by size:
//! big tables ([`ConcurrentMap`](MapWriter)) are changed in place, row by row; small ones are immutable and replaced whole
//! ([`Snapshot`], [`Publisher`]), so that a poller sees one consistent set for a whole burst. Objects refer to each other by dense
//! indices, and an index is used again only after every poller has passed a quiescent state ([`Quiescence`], [`IndexPool`]).
//!
//! Pollers may see the rows of a batch one by one, never a row naming an absent object: the writer adds what is named before
//! what names it, and removes in reverse. This crate knows neither packets nor DPDK.
#![deny(unsafe_code)]

mod acl;
mod chunks;
mod fdb;
mod flags;
mod groups;
mod index_pool;
mod joined;
mod map;
mod meter;
mod next_hop;
mod pairs;
mod peers;
mod policy;
mod prefetch;
mod quiescence;
mod snapshot;

pub use acl::{Acl, AclKey, AclRule, Action, Layer4};
pub use chunks::{Chunks, Indexed};
pub use fdb::{ContextKey, Destination, FdbKey, Source, SourceKey};
pub use flags::Flags;
pub use groups::{GROUP_PLACES, GroupEntry, share_out};
pub use index_pool::IndexPool;
pub use joined::Joined;
pub use map::{Beginnings, Full, Key, LookUp, MapReader, MapWriter, Row, concurrent_map};
pub use meter::{Meter, Rate};
pub use next_hop::{HEADER_HEAD, HEADER_TAIL, NextHopEntry, Work};
pub use pairs::{PairReader, PairWriter, Pairs};
pub use peers::Peers;
pub use policy::{AclBinding, VapMeters, VapPolicy};
pub use prefetch::prefetch;
pub use quiescence::{Quiescence, QuiescentReader};
pub use snapshot::{
    AccessPort, Index, NextHopIndex, PortEntry, Publisher, STags, Snapshot, SnapshotReader, TagPolicy, UnderlayPort,
    Unknown, VapEntry, VnEntry,
};
