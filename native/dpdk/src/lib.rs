//! Safe DPDK: the EAL, packet buffers, ports and their queues, and what a poller thread needs around them.
//!
//! This crate knows DPDK and the Linux underneath it. It must not know what an NVE is: no VN, no VAP, no encapsulation.
//!
//! ```text
//!  Eal ── one per process, started on a thread of its own
//!   ├── Mempool ── Mbuf          a pool of packet buffers; an Mbuf owns one and frees it on drop
//!   ├── Port ── (RxQueue, TxQueue)   a device; the queues move to the poller threads, bursts of Mbufs go through them
//!   └── PollerThread             makes the current thread known to DPDK (buffer cache)
//! ```
//!
//! Every handle keeps the EAL alive, and every queue its port: what is still in use cannot be closed.
//!
//! # Costs
//! A burst is one call into C whatever its length; everything done to a single [`Mbuf`], except freeing it, is inlined
//! Rust. No burst allocates heap memory or takes a lock.
#![warn(missing_docs)]

mod batch;
pub mod clock;
pub mod cpu;
mod eal;
mod error;
mod fds;
pub mod log;
mod mbuf;
mod mempool;
mod port;
mod thread;
pub mod wait;

pub use batch::{Batch, free_all};
pub use eal::{CleanupError, Eal, EalConfig, EalError, EalInfo, Hugepages, MIN_DPDK};
pub use error::Errno;
pub use mbuf::{HEADROOM, Mbuf, SharedMbuf};
pub use mempool::{Mempool, MempoolConfig, MempoolError};
pub use port::{
    CloseError, MAX_PORTS, Port, PortConfig, PortError, PortInfo, PortKind, PortStats, RxQueue, Step, TxQueue,
};
pub use thread::{PollerThread, ThreadError};
