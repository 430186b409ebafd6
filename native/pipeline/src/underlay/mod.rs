//! From the underlay: is it for this NVE, is it a tunnelled packet of a VN it knows, and may its sender send it.

mod context;
mod decap;
mod exception;
mod host;
mod host_v6;
mod learn;
mod multicast;
mod outer;
mod tunnelled;
mod vlan;

pub use context::{context, permit};
pub use decap::decapsulate;
pub use exception::from_kernel;
pub use learn::{learn, outer_source};
pub use multicast::joined;
pub use outer::outer;
