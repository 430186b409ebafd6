//! The options of an object: maps with text keys, of which each may be absent. A key that is not known is refused by its name, so that
//! nobody believes to have set what this engine does not do.

use serde::{Deserialize, Serialize};

/// Options of a VN.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct VnOptions {
    /// The access list of frames from its tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl_in: Option<u32>,
    /// The access list of frames to its tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl_out: Option<u32>,
}

/// Options of a VAP.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct VapOptions {
    /// The access list of frames from its tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl_in: Option<u32>,
    /// The access list of frames to its tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl_out: Option<u32>,
    /// Bits a second that its tenant may send, and bytes at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub police: Option<(u64, u32)>,
    /// Frames a second that its tenant may send to groups and unknown MACs, and at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm: Option<(u32, u32)>,
    /// Whether a source IP must be a pair of the source MAC.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub guard_ip: bool,
}

/// Options of an underlay address.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnderlayOptions {}

/// Options of a next hop.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NextHopOptions {}
