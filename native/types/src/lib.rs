//! The numbers of an NVE that have rules, and nothing else.
//!
//! Every value that crosses a boundary of the native side has one of these types, so that a VNI cannot be passed where a VID is
//! wanted, and an illegal one cannot exist. This crate depends on nothing and knows no packets, tables or threads.
#![forbid(unsafe_code)]

mod drop_reason;
mod ids;
mod mac;
mod selector;
mod vid;
mod vni;

pub use drop_reason::DropReason;
pub use ids::{AclId, GroupId, NextHopId, PortId, VapId, VnId};
pub use mac::{MacAddr, MacBits};
pub use selector::Selector;
pub use vid::{Vid, VidError};
pub use vni::{Vni, VniError};
