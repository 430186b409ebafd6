//! The options of an object: maps with text keys, of which each may be absent. A key that is not known is refused by its name, so that
//! nobody believes to have set what this engine does not do.

use serde::Deserialize;

/// Options of a VN.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VnOptions {}

/// Options of a VAP.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VapOptions {}

/// Options of an underlay address.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnderlayOptions {
    /// VID of the C-TAG that every frame on the link has; without it, none has.
    pub vlan: Option<u16>,
}

/// Options of a next hop.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NextHopOptions {}
