//! What the pipeline needs of a packet buffer and of the world that packets leave to.

use core::net::IpAddr;

use tables::Index;
use types::{DropReason, MacAddr, PortId};

/// A frame in one contiguous buffer, with room before and after it.
pub trait Packet: Sized {
    /// The frame, from its destination MAC to its last byte before the FCS.
    fn data(&self) -> &[u8];
    /// The same, to be changed.
    fn data_mut(&mut self) -> &mut [u8];
    /// Grows the frame by `N` bytes at its front and returns them, of unspecified content; `None` if there is no headroom.
    fn prepend<const N: usize>(&mut self) -> Option<&mut [u8; N]>;
    /// Takes `length` bytes off the front; `length` is at most the frame's length.
    fn trim_front(&mut self, length: usize);
    /// The last `length` bytes that were taken off the front, while nothing has been put there since; `None` if there is no such room.
    fn trimmed(&self, length: usize) -> Option<&[u8]>;
    /// Cuts the frame to `length` bytes; `length` is at most the frame's length.
    fn truncate(&mut self, length: usize);
    /// Adds zeros until the frame has `length` bytes; a buffer without room for them stays as it is.
    fn pad(&mut self, length: usize);
    /// Whether the frame continues in further buffers, which the pipeline does not follow.
    fn is_segmented(&self) -> bool;
    /// Asks for the first bytes of the frame to be loaded.
    fn prefetch(&self);
}

/// Why a frame is handed to the control plane.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum PuntClass {
    /// A group address that bridges do not forward (802.1Q, 8.6.3), and neither of the next two.
    LinkLocal = 0,
    /// ARP of the underlay that may change what we know of a neighbour.
    Arp = 1,
    /// LLDP.
    Lldp = 2,
    /// ECP, which carries VDP.
    Ecp = 3,
    /// Neighbour discovery of the underlay that may change what we know of a neighbour, or of our own address.
    Nd = 4,
    /// What the kernel gets of an underlay port's traffic: not the control plane, but policed as that is.
    Exception = 5,
    /// Queries of IGMP and MLD: who wants which group?
    Membership = 6,
}

impl PuntClass {
    /// Every class, at its number.
    pub const ALL: [Self; 7] =
        [Self::LinkLocal, Self::Arp, Self::Lldp, Self::Ecp, Self::Nd, Self::Exception, Self::Membership];
    /// The class's name, in `snake_case`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkLocal => "link_local",
            Self::Arp => "arp",
            Self::Lldp => "lldp",
            Self::Ecp => "ecp",
            Self::Nd => "nd",
            Self::Exception => "exception",
            Self::Membership => "membership",
        }
    }

    /// How many classes there are.
    pub const COUNT: usize = Self::ALL.len();
}

/// Where a MAC is, going by a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// At a VAP of this index: a frame came from it.
    Vap(Index),
    /// Behind another NVE: a tunnelled frame came from it.
    Nve(IpAddr),
    /// A frame was for it, and nobody knows.
    Nowhere,
}

/// A MAC of which no row says what a frame does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// The port that the frame came in by.
    pub port: PortId,
    /// Index of the VN.
    pub vn: Index,
    /// The MAC.
    pub mac: MacAddr,
    /// Where it is.
    pub place: Place,
}

/// Where packets go.
pub trait Sink<P> {
    /// A frame that is sent many times and no longer changed.
    type Shared: AsRef<[u8]>;
    /// Sends `packet` out of `port`. What the port cannot take is dropped and counted by the sink, for `origin`.
    fn transmit(&mut self, port: u16, packet: P, origin: PortId);
    /// A copy of `packet` with the same room before it; `None` if there is no buffer.
    fn copy(&mut self, packet: &P) -> Option<P>;
    /// Gives up changing `packet`.
    fn share(&mut self, packet: P) -> Self::Shared;
    /// Takes a shared frame back to change it, if nothing that was sent still refers to it.
    fn unshare(&mut self, frame: Self::Shared) -> Result<P, Self::Shared>;
    /// Sends `header` and the shared frame behind it out of `port` as one packet, as [`Self::transmit`] does; false if there is no buffer.
    fn transmit_behind(&mut self, port: u16, header: &[u8], frame: &Self::Shared, origin: PortId) -> bool;
    /// Tells that one packet has become `copies` more.
    fn replicated(&mut self, copies: usize);
    /// Sends `packet` to the kernel out of `port`, if its class has not had enough. What it has too much is dropped and counted by the sink.
    fn divert(&mut self, port: u16, packet: P, origin: PortId);
    /// Hands a copy of `frame` to the control plane, or says why not.
    fn punt(&mut self, class: PuntClass, port: PortId, frame: &[u8]) -> Result<(), DropReason>;
    /// Shows a frame that has been dropped and counted, as it was then.
    fn dropped(&mut self, _frame: &[u8], _port: PortId, _reason: DropReason) {}
    /// Tells of a MAC of which no row says what a frame does. Called for every such frame; the sink tells as much of it as it sees fit.
    fn seen(&mut self, sighting: Sighting);
}
