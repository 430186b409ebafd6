//! What a session is opened with, and what it is asked.

use serde::Deserialize;

/// The one schema this engine speaks.
pub const SCHEMA: u32 = 2;

/// `[schema_min, schema_max, epoch, config]`.
#[derive(Debug, Deserialize)]
pub struct Options(pub u32, pub u32, pub u64, pub Config);

/// What the engine needs of the machine.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// `auto`: huge pages if there are enough free ones; `off`: ordinary memory.
    pub hugepages: Hugepages,
    /// Memory for packet buffers and DPDK itself, MiB.
    pub memory_mb: u32,
    /// Packet buffers.
    pub mbufs: u32,
    /// Bytes of each of them, headroom included.
    pub mbuf_size: u16,
    /// Pollers.
    pub pollers: u8,
    /// What an idle poller does.
    pub poll: Poll,
    /// FDB rows, all VNs together.
    pub fdb_capacity: u32,
    /// CPUs that pollers may use; all allowed ones by default.
    pub cpus: Option<Vec<u16>>,
    /// Further words for the EAL.
    pub extra_eal: Vec<String>,
}

/// See [`Config::hugepages`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hugepages {
    /// If there are enough.
    Auto,
    /// Never.
    Off,
}

/// What an idle poller does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Poll {
    /// Sleeps, longer and longer, up to half a millisecond.
    Sleep,
    /// Spins.
    Busy,
}

/// Where a dump goes on; only this side knows what it means.
pub type Cursor = (u64, u128);

/// `[kind, cursor or nil, limit]`.
#[derive(Debug, Deserialize)]
pub struct Dump(pub String, pub Option<Cursor>, pub u32);

/// `[port, frame]`.
#[derive(Debug, Deserialize)]
pub struct Inject(pub u16, #[serde(with = "serde_bytes")] pub Vec<u8>);
