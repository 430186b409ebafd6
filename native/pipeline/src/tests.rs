//! Declared effects: each test states exactly what leaves, by which port, and which counters move. Anything else fails it.

mod access;
mod control;
mod decap;
mod encap;
mod groups;
mod host;
mod lab;
mod learning;
mod multicast;
mod policy;
mod properties;
mod remote_learning;
mod suppress;
mod tags;
mod too_big;
mod underlay;
mod unknown;
