//! The command interface as bytes: `docs/engine.md`. Decoding checks shapes; whether a value is allowed, and whether
//! what it names exists, is the model's business.

mod acl;
mod attributes;
mod capture;
mod command;
mod options;
mod reply;
mod trace;

pub use acl::{Action, Rule};
pub use attributes::{Df, Dscp, DscpOut, Ecn, Follow, NextHopOptions, UnderlayOptions, Unknown, VapOptions, VnOptions};
pub use capture::{Capture, CaptureFilter};
#[cfg(test)]
pub use command::Bytes;
pub use command::{Batch, Command, Dest, Ip, Kind, Selector, Tags};
pub use options::{Cursor, Dump, Hugepages, Inject, Options, Poll, SCHEMA};
pub use reply::{Info, SelectorRow, dump_reply, event, info_reply, result_reply, stats_reply};
pub use trace::{Fact, Facts, Outcome, Trace, TraceReply, TraceStep, trace_reply};

use crate::error::EngineError;
use serde::de::DeserializeOwned;

/// Decodes `bytes`, all of them.
pub fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, EngineError> {
    let malformed = |detail: String| EngineError::Malformed { what, detail };
    let mut rest = bytes;
    let mut decoder = rmp_serde::Deserializer::new(&mut rest);
    decoder.set_max_depth(16);
    let value = T::deserialize(&mut decoder).map_err(|error| malformed(error.to_string()))?;
    match rest.len() {
        0 => Ok(value),
        rest => Err(malformed(format!("{rest} bytes too many"))),
    }
}

#[cfg(test)]
mod tests;
