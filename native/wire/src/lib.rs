//! Headers as they lie on the wire: borrowed views and emitters, checksums, the flow hash.
//!
//! A view is a `#[repr(C)]` struct of big-endian fields laid over the packet after one length check; nothing is copied, nothing
//! allocated, and reading a field cannot fail. The crate knows no tables, no VNs and no policy: what to do with a header that is
//! legal but unwelcome is the pipeline's business.
#![forbid(unsafe_code)]

mod arp;
mod checksum;
mod ethernet;
mod flow;
mod icmp;
mod ipv4;
mod udp;
mod vxlan;

pub use arp::{ArpOperation, ArpPacket};
pub use checksum::{fold, sum, verify_ones};
pub use ethernet::{ETHERNET_HEADER, EtherType, EthernetHeader, TagStack, VLAN_TAG, VlanTag};
pub use flow::flow_hash;
pub use icmp::{IcmpEcho, echo_to_reply};
pub use ipv4::{IPV4_HEADER, Ipv4Header, Protocol, claimed_ip_length};
pub use udp::{UDP_HEADER, UdpHeader};
pub use vxlan::{OuterHeader, VXLAN_HEADER, VXLAN_OVERHEAD, VXLAN_PORT, VxlanHeader};

pub use zerocopy::{FromBytes, IntoBytes};
