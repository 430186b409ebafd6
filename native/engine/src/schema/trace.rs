//! `trace`: the question, and the answer with its steps.

use serde::ser::{SerializeMap, SerializeTuple};
use serde::{Deserialize, Serialize, Serializer};
use serde_bytes::ByteBuf;
use types::{DropReason, Selector};

use super::reply::{SelectorRow, encode};

/// `[port, frame]`.
#[derive(Debug, Deserialize)]
pub struct Trace(pub u16, #[serde(with = "serde_bytes")] pub Vec<u8>);

/// What becomes of the frame.
pub enum Outcome {
    /// It leaves, once.
    Sent,
    /// Copies of it leave.
    Replicated,
    /// It goes to the control plane, under this class.
    Punted(&'static str),
    /// It goes nowhere, for this reason.
    Dropped(DropReason),
}

/// A value that a step decided, or decided by.
pub enum Fact {
    /// Not there.
    Nil,
    /// A number or id.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// A word.
    Text(&'static str),
    /// An address or header.
    Bytes(ByteBuf),
    /// A destination: 0 and a VAP, or 1 and a next hop.
    Dest(u8, u32),
    /// What selects a VAP.
    Selector(Selector),
}

/// Facts by name, in the order in which a person wants to read them.
pub type Facts = Vec<(&'static str, Fact)>;

/// A step, and its facts.
pub struct TraceStep(pub &'static str, pub Facts);

/// The answer.
pub struct TraceReply {
    /// What becomes of the frame.
    pub outcome: Outcome,
    /// What leaves, by which port.
    pub frames: Vec<(u16, ByteBuf)>,
    /// What would be counted as dropped.
    pub drops: Vec<(&'static str, u64)>,
    /// VAPs whose counters would move, and by how much.
    pub vaps: Vec<(u32, [u64; pipeline::COUNTERS_PER_VAP])>,
    /// Source MACs that would be told: VAP, VN, MAC.
    pub learned: Vec<(u32, u32, ByteBuf)>,
    /// The steps, in order.
    pub steps: Vec<TraceStep>,
}

/// `[outcome, detail, meaning, frames, drops, vaps, learned, steps]`.
pub fn trace_reply(reply: &TraceReply) -> Vec<u8> {
    let (outcome, detail, meaning) = match reply.outcome {
        Outcome::Sent => ("sent", None, None),
        Outcome::Replicated => ("replicated", None, None),
        Outcome::Punted(class) => ("punted", Some(class), None),
        Outcome::Dropped(reason) => ("dropped", Some(reason.name()), Some(reason.meaning())),
    };
    let vaps: Vec<_> = reply.vaps.iter().map(|(vap, words)| (vap, words[0], words[1], words[2], words[3])).collect();
    encode(&(outcome, detail, meaning, &reply.frames, &reply.drops, vaps, &reply.learned, &reply.steps))
}

impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_none(),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => bytes.serialize(serializer),
            Self::Dest(kind, id) => (kind, id).serialize(serializer),
            Self::Selector(selector) => SelectorRow(*selector).serialize(serializer),
        }
    }
}

impl Serialize for TraceStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Map<'a>(&'a Facts);
        impl Serialize for Map<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(self.0.len()))?;
                for (name, fact) in self.0 {
                    map.serialize_entry(name, fact)?;
                }
                map.end()
            }
        }
        let mut pair = serializer.serialize_tuple(2)?;
        pair.serialize_element(self.0)?;
        pair.serialize_element(&Map(&self.1))?;
        pair.end()
    }
}
