//! The options of an object: maps with text keys, of which each may be absent. A key that is not known is refused by its name, so that
//! nobody believes to have set what this engine does not do.

use serde::Deserialize;

/// Options of a VN.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VnOptions {
    /// What becomes of unicast to a MAC without a row, where there is no uplink.
    pub unknown: Unknown,
    /// MACs behind other NVEs are told as they are seen, and every NVE may send.
    pub learn: bool,
    /// ARP and neighbour solicitations are answered from the VN's pairs.
    pub suppress: bool,
}

/// See [`VnOptions::unknown`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// Dropped.
    #[default]
    Drop,
    /// Dropped, and told.
    Query,
    /// Sent to everybody.
    Flood,
}

/// Options of a VAP.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VapOptions {}

/// Options of an underlay address.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnderlayOptions {}

/// Options of a next hop.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NextHopOptions {}
