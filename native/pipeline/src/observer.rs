//! Watching a burst on its way. What the engine would do with a frame is told by the code that does it: whoever wants to know hands the
//! pipeline an observer, which reads the packets and their scratch after every step. Pollers hand it `()`, which compiles to nothing.

use types::DropReason;

use crate::meta::{Meta, Verdict};

/// A step of the pipeline, in the order in which a packet meets them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Access: port and tags gave the VAP and its VN.
    Classify,
    /// Access: the source MAC was looked at.
    Guard,
    /// Access: what the tenant may send was asked.
    Policy,
    /// Access: a question was answered in the place of who is asked.
    Suppress,
    /// Underlay: the outer headers were checked.
    Outer,
    /// Underlay: the Context ID gave the VN.
    Context,
    /// Underlay: the sender was looked at.
    Permit,
    /// Underlay: the outer headers went, and the tenant's frame was checked.
    Decap,
    /// Underlay: the inner source MAC was looked at, in a VN that learns.
    Learn,
    /// The destination gave the way.
    Forward,
    /// What has one destination became what leaves.
    Rewrite,
}

impl Step {
    /// The step's name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classify => "classify",
            Self::Guard => "guard",
            Self::Policy => "policy",
            Self::Suppress => "suppress",
            Self::Outer => "outer",
            Self::Context => "context",
            Self::Permit => "permit",
            Self::Decap => "decap",
            Self::Learn => "learn",
            Self::Forward => "forward",
            Self::Rewrite => "rewrite",
        }
    }
}

/// What is called on a burst's way. Its methods must not change what happens, and are given nothing by which they could.
pub trait Observer<P> {
    /// After a step over the whole burst. A packet that was decided before passed it by.
    #[inline(always)]
    fn after(&mut self, _step: Step, _burst: &[P], _metas: &[Meta]) {}

    /// A group frame's copy for one receiver: it leaves by a port, or does not leave.
    #[inline(always)]
    fn copied(&mut self, _to: Verdict, _result: Result<u16, DropReason>) {}
}

/// Nobody watches.
impl<P> Observer<P> for () {}
