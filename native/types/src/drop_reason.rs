//! Why a packet went no further. One closed list: a drop without a reason cannot be written.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)*) => {
        /// The reason why a packet was dropped. Its name is what statistics, events and documentation show.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $name,)*
        }

        impl DropReason {
            /// Every reason, in the order of its number.
            pub const ALL: &'static [DropReason] = &[$(DropReason::$name),*];
            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The reason's name, in `snake_case`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(DropReason::$name => $text,)*
                }
            }

            /// What the reason means, for people.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(DropReason::$name => concat!($($doc),+),)*
                }
                .trim()
            }
        }
    };
}

reasons! {
    /// The frame ends before a header that it announces, or its IP length claims more than there is.
    Truncated = "truncated",
    /// The frame lies in more than one buffer, which this port was not to deliver.
    Segmented = "segmented",
    /// The port is being closed, or not open yet.
    PortUnused = "port_unused",

    /// Access: no tag, or a priority tag, and the port has no VAP for untagged frames.
    Untagged = "untagged",
    /// Access: a C-TAG that was never negotiated on this port.
    UnknownTag = "unknown_tag",
    /// Access: an S-TAG (0x88A8), and the port has no VAP that takes any.
    UnexpectedStag = "unexpected_stag",
    /// The tenant's own frame carries a tag that its VAP does not take (RFC 8014, 3.1.1), or that would make it another VAP's on the link.
    TenantTag = "tenant_tag",
    /// The source MAC is a group address or zero.
    SourceInvalid = "source_invalid",
    /// Access: the source MAC is no TSI's of this VAP.
    SourceGuard = "source_guard",
    /// Access: more to groups and to unknown MACs than the VAP's storm limit lets pass.
    Storm = "storm",
    /// Access: more than the VAP's policer lets pass.
    Policed = "policed",
    /// Access: the source IP of ARP or IP is no pair of the source MAC in the VN.
    IpGuard = "ip_guard",
    /// An access list of the VAP or VN that the frame came from denies it, or cannot be decided.
    AclIn = "acl_in",
    /// An access list of the VAP or VN that the frame, or a copy, goes to denies it, or cannot be decided.
    AclOut = "acl_out",
    /// A group address that bridges do not forward (802.1Q, 8.6.3), and nobody here takes it; or LLDP or ECP for a station at a whole port.
    LinkLocal = "link_local",
    /// The destination is at the VAP that the frame came from, and the VAP does not reflect.
    SameVap = "same_vap",
    /// No row for the destination MAC, and the VN has no VAP for unknown unicast.
    UnknownUnicast = "unknown_unicast",
    /// A group frame of a VN that has nobody else.
    NoReceiver = "no_receiver",
    /// The tenant's frame is longer than the VN's MTU.
    VnMtu = "vn_mtu",

    /// Underlay to underlay: a frame that came by tunnel never leaves by tunnel (split horizon).
    SplitHorizon = "split_horizon",
    /// The next hop's MAC address is not known (yet).
    NeighbourUnresolved = "neighbour_unresolved",
    /// The next hop's link is down, or its death was told; or no next hop of the group lives.
    NextHopDown = "next_hop_down",
    /// The encapsulated packet is longer than the underlay port's MTU, and an NVE does not fragment (RFC 7348, 4.3).
    UnderlayMtu = "underlay_mtu",
    /// No headroom for the outer header.
    NoHeadroom = "no_headroom",
    /// No buffer left for a copy.
    NoBuffer = "no_buffer",
    /// The port to leave by took no more.
    TxFull = "tx_full",

    /// Underlay: the frame's MAC or IP destination is not this NVE.
    NotForUs = "not_for_us",
    /// Underlay: not in the VLAN of the port (a priority tag counts as none), or tagged twice.
    OuterTag = "outer_tag",
    /// Underlay: wrong IPv4 header checksum, version or length.
    OuterInvalid = "outer_invalid",
    /// Underlay: IPv4 options.
    OuterOptions = "outer_options",
    /// Underlay: a fragment of an outer packet (RFC 7348, 4.3).
    OuterFragment = "outer_fragment",
    /// Underlay: the outer UDP checksum is there and wrong (RFC 7348, 5).
    OuterChecksum = "outer_checksum",
    /// Underlay: IPv6 without a UDP checksum, to an address that does not take that (RFC 6936, 5).
    OuterZeroChecksum = "outer_zero_checksum",
    /// Underlay: an IPv6 extension header.
    OuterExtension = "outer_extension",
    /// Underlay: for us, but neither overlay, ARP, ND nor ICMP echo, and nobody takes the rest.
    NotOverlay = "not_overlay",
    /// Underlay: VXLAN without the I flag (RFC 7348, 5).
    VxlanFlags = "vxlan_flags",
    /// Underlay: Geneve of an unknown version, or options whose lengths do not sum up (RFC 8926, 3.4 and 3.5).
    GeneveInvalid = "geneve_invalid",
    /// Underlay: a Geneve control message (RFC 8926, 3.4).
    GeneveControl = "geneve_control",
    /// Underlay: a critical Geneve option that this NVE does not know (RFC 8926, 3.5.1).
    GeneveCritical = "geneve_critical",
    /// Underlay: Geneve that carries no Ethernet frame.
    GeneveProtocol = "geneve_protocol",
    /// Underlay: a reserved bit of the tunnel's header is set, and the VN is strict.
    ReservedBits = "reserved_bits",
    /// Underlay: congestion was met, and the tenant's transport would not understand it (RFC 6040, 4.2).
    Ecn = "ecn",
    /// Underlay: a VNI under which this NVE receives no VN.
    UnknownVni = "unknown_vni",
    /// Underlay: the outer source address is no NVE of the VN.
    SourceNve = "source_nve",
    /// Underlay: ARP that is malformed, not for us, or claims our address.
    ArpInvalid = "arp_invalid",
    /// Underlay: neighbour discovery that must be ignored (RFC 4861, 7.1), is not for us, or claims our address; or ICMPv6 of a wrong checksum.
    NdInvalid = "nd_invalid",
    /// Underlay: IGMP or MLD that must be ignored (RFC 3376, 4.1; RFC 3810, 6.2): malformed, or not from this link.
    MembershipInvalid = "membership_invalid",
    /// Punt: more of its class than the port may hand to the control plane.
    PuntPoliced = "punt_policed",
    /// Punt: the ring to the control plane was full.
    PuntFull = "punt_full",
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_dense_and_names_unique() {
        for (number, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, number);
        }
        let names: HashSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), DropReason::COUNT);
    }

    #[test]
    fn the_page_lists_every_reason() {
        let page = include_str!("../../../docs/drops.md");
        for reason in DropReason::ALL {
            let row = format!("| `{}` | {} |", reason.name(), reason.meaning());
            assert!(page.contains(&row), "docs/drops.md lacks {row}");
        }
    }
}
