//! The tables against the model, and what pollers find in them meanwhile.

mod bench;
mod next_hops;
mod pollers;
mod underlay;
mod world;

pub use bench::Bench;
