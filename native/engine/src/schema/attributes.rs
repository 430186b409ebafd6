//! The options of an object: maps with text keys, of which each may be absent. A key that is not known is refused by its name, so that
//! nobody believes to have set what this engine does not do.

use core::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

/// In a dump, too, an option that has its default is absent.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Options of a VN.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct VnOptions {
    /// The access list of frames from its tenants.
    #[serde(skip_serializing_if = "is_default")]
    pub acl_in: Option<u32>,
    /// The access list of frames to its tenants.
    #[serde(skip_serializing_if = "is_default")]
    pub acl_out: Option<u32>,
    /// What becomes of unicast to a MAC without a row, where there is no uplink.
    #[serde(skip_serializing_if = "is_default")]
    pub unknown: Unknown,
    /// MACs behind other NVEs are told as they are seen, and every NVE may send.
    #[serde(skip_serializing_if = "is_default")]
    pub learn: bool,
    /// ARP and neighbour solicitations are answered from the VN's pairs.
    #[serde(skip_serializing_if = "is_default")]
    pub suppress: bool,
    /// Whether a tunnelled packet with a reserved bit set is dropped.
    #[serde(skip_serializing_if = "is_default")]
    pub strict: bool,
    /// What becomes of the outer DSCP.
    #[serde(skip_serializing_if = "is_default")]
    pub dscp_out: DscpOut,
}

/// See [`VnOptions::dscp_out`] (RFC 2983).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DscpOut {
    /// It goes with the outer header.
    #[default]
    Pipe,
    /// The frame takes it.
    Uniform,
}

/// See [`VnOptions::unknown`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct VapOptions {
    /// The access list of frames from its tenant.
    #[serde(skip_serializing_if = "is_default")]
    pub acl_in: Option<u32>,
    /// The access list of frames to its tenant.
    #[serde(skip_serializing_if = "is_default")]
    pub acl_out: Option<u32>,
    /// Bits a second that its tenant may send, and bytes at once.
    #[serde(skip_serializing_if = "is_default")]
    pub police: Option<(u64, u32)>,
    /// Frames a second that its tenant may send to groups and unknown MACs, and at once.
    #[serde(skip_serializing_if = "is_default")]
    pub storm: Option<(u32, u32)>,
    /// Whether a source IP must be a pair of the source MAC.
    #[serde(skip_serializing_if = "is_default")]
    pub guard_ip: bool,
}

/// Options of an underlay address.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnderlayOptions {
    /// VID of the C-TAG that every frame on the link has; without it, none has.
    pub vlan: Option<u16>,
    /// Whether tunnelled packets without a UDP checksum are taken, over IPv6.
    pub zero_checksum: bool,
}

/// Options of a next hop: how frames are tunnelled to it. Ranges are not checked yet.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NextHopOptions {
    /// Outer TTL or hop limit.
    pub ttl: Option<Follow<u8>>,
    /// Outer DF bit (IPv4).
    pub df: Option<Df>,
    /// Outer DSCP.
    pub dscp: Option<Dscp>,
    /// Outer ECN field.
    pub ecn: Option<Ecn>,
    /// Whether there is an outer UDP checksum.
    pub checksum: Option<bool>,
    /// The first and the last UDP source port.
    pub ports: Option<(u16, u16)>,
    /// Geneve options, as they are sent.
    #[serde(with = "serde_bytes")]
    pub options: Vec<u8>,
    /// PCP of the outer tag.
    pub pcp: Option<Follow<u8>>,
    /// The longest IP packet that the path takes, bytes.
    pub mtu: Option<u16>,
    /// The underlay port to leave by, to a multicast group.
    pub port: Option<u16>,
}

/// A value, or that it follows the frame's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow<T> {
    /// Always this.
    Fixed(T),
    /// What the frame has.
    Inherit,
}

/// See [`NextHopOptions::df`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Df {
    /// Routers must not fragment.
    Set,
    /// They may.
    Unset,
    /// What the frame says.
    Inherit,
}

/// See [`NextHopOptions::dscp`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dscp {
    /// Always the same, or the frame's (RFC 2983: pipe or uniform).
    Plain(Follow<u8>),
    /// One for each of the frame's.
    Map([u8; 64]),
}

/// See [`NextHopOptions::ecn`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ecn {
    /// RFC 6040, normal mode.
    Standard,
    /// As the Linux kernel does.
    Kernel,
    /// Not-ECT.
    Off,
}

/// An unsigned number, `"inherit"`, or 64 bytes where a map may stand.
struct DscpVisitor {
    map: bool,
}

impl Visitor<'_> for DscpVisitor {
    type Value = Dscp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.map { "a number, \"inherit\", or bin of 64 bytes" } else { "a number or \"inherit\"" })
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Dscp, E> {
        let number = u8::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
        Ok(Dscp::Plain(Follow::Fixed(number)))
    }
    fn visit_str<E: Error>(self, word: &str) -> Result<Dscp, E> {
        if word == "inherit" {
            Ok(Dscp::Plain(Follow::Inherit))
        } else {
            Err(E::invalid_value(Unexpected::Str(word), &self))
        }
    }
    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Dscp, E> {
        match <[u8; 64]>::try_from(bytes) {
            Ok(map) if self.map => Ok(Dscp::Map(map)),
            _ => Err(E::invalid_length(bytes.len(), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Dscp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DscpVisitor { map: true })
    }
}

impl<'de> Deserialize<'de> for Follow<u8> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(DscpVisitor { map: false })? {
            Dscp::Plain(follow) => Ok(follow),
            Dscp::Map(_) => Err(D::Error::custom("a map has no place here")),
        }
    }
}
