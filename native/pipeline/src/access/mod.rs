//! From a tenant: which VAP a frame belongs to, and whether it may have come from there.

mod classify;
mod guard;
mod suppress;

pub use classify::{check_shape, classify, leaves_as, vap_of};
pub use guard::{CHECKED, guard};
pub use suppress::suppress;
