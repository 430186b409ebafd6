//! Identifiers that the controller chooses. They are stable names, never indices into a table.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A virtual network, as the controller numbers it. Says nothing about the VNI on any wire (RFC 8014, 4.3(4)).
    VnId(u32)
}
id! {
    /// A virtual access point: the place where a VN meets a port and a tag (RFC 8014, 3.2).
    VapId(u32)
}
id! {
    /// A next hop: remote NVE address, encapsulation and Context ID.
    NextHopId(u32)
}
id! {
    /// A group of next hops, of which each flow takes one that lives.
    GroupId(u32)
}
id! {
    /// An access control list.
    AclId(u32)
}
id! {
    /// A port of the engine, 0 to 63.
    PortId(u16)
}

impl PortId {
    /// How many ports one engine can have.
    pub const LIMIT: usize = 64;
}
