//! What is to be recorded.

use serde::Deserialize;
use types::{PortId, VapId};

/// `[filter or nil, snap]`.
#[derive(Debug, Deserialize)]
pub struct Capture(pub Option<CaptureFilter>, pub u16);

/// `["port", port]`, `["vap", vap]` or `["drops", port or nil, reason or nil]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "Words")]
pub enum CaptureFilter {
    /// Of a port.
    Port(PortId),
    /// Of a VAP.
    Vap(VapId),
    /// Dropped ones, of a port and for a reason, or any.
    Drops(Option<PortId>, Option<String>),
}

#[derive(Deserialize)]
struct Words(String, Option<u32>, #[serde(default)] Option<String>);

impl TryFrom<Words> for CaptureFilter {
    type Error = String;

    fn try_from(Words(kind, id, reason): Words) -> Result<Self, String> {
        let port = |id: u32| u16::try_from(id).map(PortId).map_err(|_| format!("port {id} is no port"));
        match (kind.as_str(), id) {
            ("port", Some(id)) => port(id).map(Self::Port),
            ("vap", Some(id)) => Ok(Self::Vap(VapId(id))),
            ("drops", id) => Ok(Self::Drops(id.map(port).transpose()?, reason)),
            _ => Err(format!("a filter of kind {kind:?}: expected port or vap with an id, or drops")),
        }
    }
}
