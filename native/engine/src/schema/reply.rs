//! What the engine answers.

use serde::{Serialize, Serializer};
use types::Selector;

use super::options::{Cursor, SCHEMA};
use crate::error::{ContextMap, EngineError};

/// Encodes a value that cannot fail to be encoded: numbers, texts and byte strings in arrays, and structs as maps.
pub(super) fn encode(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(value).unwrap_or_default()
}

/// `[epoch, batch_id, applied, [[index, code, context], …]]`.
pub fn result_reply(epoch: u64, batch: u64, refused: &[(usize, EngineError)]) -> Vec<u8> {
    let errors: Vec<_> = refused.iter().map(|(index, error)| (*index, error.code(), ContextMap(error))).collect();
    encode(&(epoch, batch, refused.is_empty(), errors))
}

/// `[[row, …], cursor]`.
pub fn dump_reply<R: Serialize>(rows: &[R], cursor: Option<Cursor>) -> Vec<u8> {
    encode(&(rows, cursor))
}

/// `[ports, vaps, drops, pollers]`.
pub fn stats_reply(stats: &impl Serialize) -> Vec<u8> {
    encode(stats)
}

/// An event as it goes into the ring.
pub fn event(event: &impl Serialize) -> Vec<u8> {
    encode(event)
}

/// What there is to know about an open engine.
#[derive(Clone, Debug, Serialize)]
pub struct Info {
    /// DPDK's version.
    pub dpdk: String,
    /// Whether packet buffers lie in huge pages.
    pub hugepages: bool,
    /// Pollers.
    pub pollers: u8,
    /// FDB rows there can be.
    pub fdb_capacity: u32,
    /// Ports there can be.
    pub max_ports: u16,
}

/// `[schema, epoch, info]`.
pub fn info_reply(epoch: u64, info: &Info) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    match (SCHEMA, epoch, info).serialize(&mut serializer) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}

/// A selector as a command has it.
pub struct SelectorRow(pub Selector);

impl Serialize for SelectorRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Selector::Port => ["port"].serialize(serializer),
            Selector::Untagged => ["untagged"].serialize(serializer),
            Selector::CTag(vid) => ("c-tag", vid.get()).serialize(serializer),
            Selector::STag(vid) => ("s-tag", vid.get()).serialize(serializer),
            Selector::SAndCTag(s, c) => ("s-tag+c-tag", s.get(), c.get()).serialize(serializer),
        }
    }
}
