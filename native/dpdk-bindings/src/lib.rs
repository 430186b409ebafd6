//! Raw bindings to DPDK: what `build.rs` generates from its allow-list, and nothing else.
//!
//! Functions called `shim_*` stand for static inlines and macros that have no symbol of their own (`src/shim.c`). Nothing
//! here is safe, and nothing but the crate `dpdk` should use it.
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals, missing_docs, unnecessary_transmutes)]
#![allow(clippy::all, clippy::pedantic, unsafe_op_in_unsafe_fn)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
