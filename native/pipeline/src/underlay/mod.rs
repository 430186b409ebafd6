//! From the underlay: is it for this NVE, is it a tunnelled packet of a VN it knows, and may its sender send it.

mod context;
mod decap;
mod host;
mod learn;
mod outer;
mod tunnelled;

pub use context::{context, permit};
pub use decap::decapsulate;
pub use learn::learn;
pub use outer::outer;
