//! Rules of access lists as they are written: maps, of which every key but the action may be absent.

use std::net::IpAddr;

use serde::{Deserialize, Serialize, Serializer};
use types::MacAddr;

use super::command::{Bytes, Ip};

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It goes on.
    Permit,
    /// It goes no further.
    Deny,
}

/// A MAC, and a mask of its bits that matter.
pub type MaskedMac = (Bytes<6>, Bytes<6>);
/// An address and a prefix length.
pub type Prefix = (Ip, u8);

/// A rule. Ranges are not checked yet.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What becomes of a frame that matches.
    pub action: Action,
    /// Source MAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_mac: Option<MaskedMac>,
    /// Destination MAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst_mac: Option<MaskedMac>,
    /// EtherType behind all tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ether_type: Option<u16>,
    /// VID of the tenant's outermost tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vid: Option<u16>,
    /// Source address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_ip: Option<Prefix>,
    /// Destination address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst_ip: Option<Prefix>,
    /// IP protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
    /// First and last source port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_port: Option<(u16, u16)>,
    /// First and last destination port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst_port: Option<(u16, u16)>,
    /// Flags of TCP, and which of them matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_flags: Option<(u8, u8)>,
    /// Type of ICMP or ICMPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// Code of that type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
}

impl Rule {
    /// A rule that every frame matches.
    pub const fn any(action: Action) -> Self {
        Self {
            action,
            src_mac: None,
            dst_mac: None,
            ether_type: None,
            vid: None,
            src_ip: None,
            dst_ip: None,
            protocol: None,
            src_port: None,
            dst_port: None,
            tcp_flags: None,
            icmp_type: None,
            icmp_code: None,
        }
    }
}

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl Serialize for Ip {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            IpAddr::V4(ip) => serializer.serialize_bytes(&ip.octets()),
            IpAddr::V6(ip) => serializer.serialize_bytes(&ip.octets()),
        }
    }
}

impl From<MacAddr> for Bytes<6> {
    fn from(mac: MacAddr) -> Self {
        Self(mac.0)
    }
}
