//! One burst in, one burst out: what an NVE does to frames.
//!
//! The pipeline is burst-shaped: every step takes the whole burst and one [`Meta`](meta::Meta) (a cache line of scratch) per
//! packet, and prefetches what the next step will read. Every packet ends in exactly one of: sent, punted, or dropped under a
//! [`DropReason`](types::DropReason); a group frame may besides be copied.
//!
//! ```text
//! access:   classify → guard → policy → suppress ─┐
//!                                                 ├→ forward → encap | deliver | replicate
//! underlay: outer → context → decap → learn ──────┘
//! ```
//!
//! It is generic over [`Packet`] and [`Sink`], so that all of it runs in tests without DPDK, root or huge pages. It knows no
//! threads, no clocks and no ports beyond their numbers.
#![forbid(unsafe_code)]

mod access;
mod burst;
mod counters;
mod encap;
mod forward;
mod meta;
mod observer;
mod packet;
mod policy;
mod rewrite;
mod tags;
mod too_big;
mod underlay;

#[cfg(test)]
mod tests;

pub use access::vap_of;
pub use burst::{BURST, Burst, Pipeline};
pub use counters::{COUNTERS_PER_VAP, Counters, VapCounter};
pub use encap::{EcnMode, Tunnel};
pub use meta::{Meta, Verdict};
pub use observer::{Observer, Step};
pub use packet::{Packet, Place, PuntClass, Sighting, Sink};
pub use underlay::outer_source;
