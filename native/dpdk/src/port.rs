//! Ports: opened with one typed description, taken apart again at run time.
//!
//! ```text
//!  Port::open ── attach ─ configure ─ MTU ─ queues ─ start        any failure undoes what was done before it
//!      │ take_queues
//!      ├──► (RxQueue, TxQueue)   one pair for one poller thread
//!      ▼
//!  Port::close ── refused while a queue lives ── stop ─ close ─ detach
//! ```
//!
//! Opening and closing is for a control thread: it takes milliseconds and a process-wide lock. A `net_tap` interface appears in
//! the network namespace of the thread that opens the port.
mod error;
mod inner;
mod kind;
mod netdev;
mod pci;
mod queue;
mod signals;
mod vhost;
mod xdp;

pub use error::{PortError, Step};
pub use kind::{PortConfig, PortKind};
pub use queue::{RxQueue, TxQueue};

use crate::Mempool;
use inner::Inner;
use std::sync::Arc;

/// The most ports that DPDK, as it was built, holds at a time.
pub const MAX_PORTS: usize = dpdk_bindings::RTE_MAX_ETHPORTS as usize;

/// A running port, seen from its control thread.
pub struct Port {
    inner: Arc<Inner>,
}

/// What a port is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortInfo {
    /// The name from its configuration.
    pub name: String,
    /// The driver that runs it: "net_tap".
    pub driver: String,
    /// DPDK's number for it; [`crate::Mbuf::port`] of frames received here.
    pub id: u16,
    /// Its MAC address; of a `net_tap` port the kernel's end has the same.
    pub mac: [u8; 6],
    /// Bytes above Ethernet that a frame may carry.
    pub mtu: u16,
    /// The longest frame it sends and receives, without FCS, in bytes: the MTU, the header, and two tags (`net_af_xdp`: one).
    pub max_frame: u16,
    /// The memory node it is attached to, if it knows one.
    pub socket: Option<u16>,
}

/// What a port has counted since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortStats {
    /// Frames received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Frames lost before the poller could take them: its queue was full, or (net_af_xdp) the frame longer than a buffer.
    pub rx_missed: u64,
    /// Frames received with an error.
    pub rx_errors: u64,
    /// Frames not received because the pool was exhausted.
    pub rx_no_buffer: u64,
    /// Frames received, and dropped here, because they were longer than a buffer.
    pub rx_oversize: u64,
    /// Frames sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Frames that the driver did not take or could not send.
    pub tx_errors: u64,
}

/// Why a port was not closed.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// Queues of it live.
    #[error("port {}: {handles} of its queues are still in use", port.info().name)]
    QueuesInUse {
        /// How many.
        handles: usize,
        /// The port again.
        port: Port,
    },
    /// It is closed, but a step of closing failed.
    #[error(transparent)]
    Failed(PortError),
}

impl Port {
    /// Opens and starts a port whose queues receive into buffers of `pool`.
    pub fn open(pool: &Mempool, config: &PortConfig) -> Result<Port, PortError> {
        Inner::open(pool, config).map(|inner| Port { inner: Arc::new(inner) })
    }

    /// What the port is.
    pub fn info(&self) -> &PortInfo {
        &self.inner.info
    }

    /// Whether frames can pass now. Of a `net_tap` port: whether the kernel's end is up, in whatever namespace it is. Of
    /// `net_af_xdp`: whether the interface is up and has a carrier. One system call at most.
    pub fn link_up(&self) -> bool {
        self.inner.link_up()
    }

    /// Takes the link down, so that the other end sees it lose its carrier, or up again. Of a `net_tap` port: the kernel's end, in whatever
    /// namespace it is. Other drivers do it or, as most virtual ones, say that they cannot.
    pub fn set_link(&self, up: bool) -> Result<(), PortError> {
        self.inner.set_link(up)
    }

    /// Makes the port hear frames to the groups of these MACs, and to no others if its driver filters. A port that hears everything anyway is
    /// left alone: a `net_tap` has no filter, nor has a veth, and where a NIC is promiscuous its filter says nothing.
    pub fn hear_groups(&self, macs: &[[u8; 6]]) -> Result<(), PortError> {
        self.inner.hear_groups(macs)
    }

    /// What the port has counted; zeroes if its driver cannot say.
    pub fn stats(&self) -> PortStats {
        self.inner.stats()
    }

    /// The queues, one pair for one poller each. Empty while queues handed out earlier live.
    pub fn take_queues(&mut self) -> Vec<(RxQueue, TxQueue)> {
        // Queues are made here only, and `&mut self` keeps two callers apart: a count of 1 cannot grow meanwhile.
        if Arc::strong_count(&self.inner) != 1 {
            return Vec::new();
        }
        vec![(RxQueue::new(self.inner.clone()), TxQueue::new(self.inner.clone()))]
    }

    /// Stops and detaches the port. Its queues must have been given back, that is, dropped.
    ///
    /// Dropping a port closes it too, as soon as its last queue is dropped, on the thread that does so.
    pub fn close(self) -> Result<(), CloseError> {
        match Arc::try_unwrap(self.inner) {
            Ok(mut inner) => inner.shutdown().map_err(CloseError::Failed),
            Err(inner) => {
                let handles = Arc::strong_count(&inner).saturating_sub(1);
                Err(CloseError::QueuesInUse { handles, port: Port { inner } })
            }
        }
    }
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Port").field(&self.inner.info).finish()
    }
}
