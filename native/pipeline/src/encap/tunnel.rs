//! How frames are tunnelled to a next hop, and the table entry made of it.

use std::sync::Arc;

use tables::{HEADER_HEAD, HEADER_TAIL, NextHopEntry, Work};
use types::PortId;
use wire::{ETHERNET_HEADER, Ecn, Encap, GENEVE_HEADER, OUTER_MAX, Outer, VLAN_TAG, VXLAN_HEADER};

/// What becomes of a frame's ECN field in the outer header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EcnMode {
    /// It is copied (RFC 6040, 4.1, normal mode).
    Standard,
    /// It is copied, but CE becomes ECT(0), as Linux and Open vSwitch do.
    Kernel,
    /// The outer packet says Not-ECT (RFC 6040, 4.1, compatibility mode).
    Off,
}

/// How frames are tunnelled to a next hop.
#[derive(Clone, Debug)]
pub struct Tunnel<'a> {
    /// The outer header; a field that follows the frame says here what it is for a frame that has none.
    pub outer: Outer<'a>,
    /// The port to leave by.
    pub port: PortId,
    /// The longest IP packet that the path takes, bytes.
    pub mtu: u16,
    /// The first and the last UDP source port.
    pub ports: (u16, u16),
    /// Fields that follow the frame: [`Work::TTL`], [`Work::DF`], [`Work::DSCP`], [`Work::PCP`]; and whether there is a checksum.
    pub work: Work,
    /// The outer DSCP for each inner one.
    pub dscp: Option<Arc<[u8; 64]>>,
    /// ECN.
    pub ecn: EcnMode,
}

impl<'a> Tunnel<'a> {
    /// The UDP source ports that RFC 7348, 5, recommends.
    pub const PORTS: (u16, u16) = (49_152, 65_535);

    /// The tunnel that nobody asked anything special of: ECN is copied, nothing else follows the frame, and there is a checksum if the outer
    /// packet is IPv6 (RFC 8200, 8.1; RFC 7348, 5: IPv4 should have none).
    pub fn new(outer: Outer<'a>, port: PortId, mtu: u16) -> Self {
        let work = Work::NONE.with_if(outer.source.1.is_ipv6(), Work::CHECKSUM);
        Self { outer, port, mtu, ports: Self::PORTS, work, dscp: None, ecn: EcnMode::Standard }
    }

    /// The table entry; `None` if there can be no such header ([`Outer::write`]).
    pub fn entry(&self) -> Option<NextHopEntry> {
        let Outer { source, tag, encap, options, dont_fragment, .. } = self.outer;
        let is_v6 = source.1.is_ipv6();
        let work = self
            .work
            .with_if(is_v6, Work::V6)
            .with_if(self.ecn == EcnMode::Kernel, Work::ECN_KERNEL)
            .with_if(!is_v6 && !dont_fragment, Work::IDENTIFY);
        let tunnel_length = match encap {
            Encap::Vxlan => VXLAN_HEADER,
            Encap::Geneve => GENEVE_HEADER + options.len(),
        };
        let mut header = [0; OUTER_MAX];
        let header_length = self.outer.write(&mut header)?;
        let work = work.with_if(header_length > HEADER_TAIL, Work::LONG);
        let link = ETHERNET_HEADER + tag.map_or(0, |_| VLAN_TAG);
        let (mut head, mut tail) = ([0; HEADER_HEAD], [0; HEADER_TAIL]);
        head.copy_from_slice(&header[..HEADER_HEAD]);
        tail.copy_from_slice(&header[HEADER_HEAD..]);
        Some(NextHopEntry {
            max_frame: (usize::from(self.mtu) + link).saturating_sub(header_length) as u16,
            port: self.port.0,
            ports_from: self.ports.0,
            ports: self.ports.1.saturating_sub(self.ports.0).saturating_add(1),
            work,
            tunnel_length: tunnel_length as u16,
            header_length: header_length as u8,
            ecn: if self.ecn == EcnMode::Standard { Ecn::MASK } else { 0 },
            tail,
            head,
            dscp: self.dscp.clone(),
        })
    }
}
