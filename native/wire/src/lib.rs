//! Headers as they lie on the wire: borrowed views and emitters, checksums, the flow hash.
//!
//! A view is a `#[repr(C)]` struct of big-endian fields laid over the packet after one length check; nothing is copied, nothing
//! allocated, and reading a field cannot fail. The crate knows no tables, no VNs and no policy: what to do with a header that is
//! legal but unwelcome is the pipeline's business.
#![forbid(unsafe_code)]

mod arp;
mod checksum;
mod ecn;
mod ethernet;
mod flow;
mod geneve;
mod icmp;
mod icmpv6;
mod igmp;
mod inner;
mod ipv4;
mod ipv6;
mod membership;
mod mld;
mod multicast;
mod nd;
mod outer;
mod too_big;
mod udp;
mod upper;
mod vxlan;

pub use arp::{ArpOperation, ArpPacket};
pub use checksum::{fold, sum, update, verify_ones};
pub use ecn::Ecn;
pub use ethernet::{ETHERNET_HEADER, EtherType, EthernetHeader, SHORTEST_FRAME, TagStack, VLAN_TAG, VlanTag, macs};
pub use flow::{Flow, flow};
pub use geneve::{GENEVE_HEADER, GENEVE_PORT, GeneveHeader, GeneveOption, GeneveOptions};
pub use icmp::{IcmpEcho, echo_to_reply};
pub use icmpv6::{NdFrame, NdMessage, echo_to_reply_v6, icmpv6_checksum_ok, solicited_node};
pub use igmp::read_igmp;
pub use inner::InnerIp;
pub use ipv4::{IPV4_HEADER, Ipv4Header, Protocol, claimed_ip_length};
pub use ipv6::{IPV6_HEADER, Ipv6Header};
pub use membership::{
    MEMBERSHIP_SOURCES, MembershipFrame, MembershipProtocol, MembershipQuery, MembershipRecord, RecordKind,
};
pub use mld::read_mld;
pub use multicast::{is_overlay_group, multicast_mac};
pub use nd::{ICMPV6, ND_HOP_LIMIT, NeighbourAdvertisement, NeighbourSolicitation};
pub use outer::{Encap, OPTIONS_MAX, OUTER_MAX, OUTER_MIN, Outer, are_sendable};
pub use too_big::{TOO_BIG_V4, TOO_BIG_V6, TooBig};
pub use udp::{UDP_HEADER, UdpHeader};
pub use upper::UpperLayer;
pub use vxlan::{VXLAN_HEADER, VXLAN_PORT, VxlanHeader};

pub use zerocopy::{FromBytes, IntoBytes};
