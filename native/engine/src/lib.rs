//! The engine: ports, pollers, command application, neighbours and counters of an NVE.
//!
//! It is driven by commands and answers with events (`docs/engine.md`); it decides nothing and knows nothing of who drives it.
//!
//! ```text
//!  driver ──bytes──▶ Engine ──▶ control thread: model → prepare → apply ──▶ tables ──▶ poller: rx → pipeline → tx
//!         ◀─answers─           ◀── rings: events, punts ─────────────────────────────┘
//! ```
//! [`Engine`] is what a shell holds, whether the shell is Node or a daemon. The control thread ([`control`]) is the single writer of
//! all state; a poller ([`poller`]) only reads tables and moves packets; between them lie the rings of one memory region ([`region`]).
#![forbid(unsafe_code)]

mod addresses;
mod ageing;
mod capture;
mod control;
mod devices;
mod dpdk_error;
mod error;
mod forwarding;
mod frame;
mod handle;
mod membership;
mod model;
mod neighbour;
mod police;
mod poller;
mod region;
mod request;
mod schema;
mod show;
mod sightings;
mod trace;

pub use error::EngineError;
pub use handle::Engine;
pub use request::{Answer, Doorbell, Reply};
