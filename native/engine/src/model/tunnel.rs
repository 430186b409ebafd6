//! How frames are tunnelled to a next hop: what its options mean, and which are refused.

use core::net::IpAddr;
use std::sync::Arc;

use pipeline::{EcnMode, Tunnel};
use tables::Work;
use types::{MacAddr, PortId};
use wire::{Encap, OPTIONS_MAX, Outer, are_sendable};

use super::changes::{NextHopSpec, check, mtu_in_range};
use crate::error::EngineError;
use crate::schema::{Df, Dscp, Ecn, Follow, NextHopOptions};

/// The encapsulation of its number on the command interface.
pub fn encap_of(number: u8) -> Result<Encap, EngineError> {
    match number {
        1 => Ok(Encap::Vxlan),
        2 => Ok(Encap::Geneve),
        _ => Err(EngineError::OutOfRange {
            field: "encap",
            got: number.to_string(),
            expected: "1 (VXLAN) or 2 (Geneve)",
        }),
    }
}

/// Refuses what no header can carry.
pub fn check_options(options: &NextHopOptions, encap: Encap) -> Result<(), EngineError> {
    if let Some(Follow::Fixed(ttl)) = options.ttl {
        check("ttl", ttl, "1 to 255", ttl != 0)?;
    }
    let highest = match &options.dscp {
        Some(Dscp::Plain(Follow::Fixed(dscp))) => *dscp,
        Some(Dscp::Map(map)) => map.iter().copied().max().unwrap_or(0),
        _ => 0,
    };
    check("dscp", highest, "0 to 63", highest <= 63)?;
    if let Some((from, to)) = options.ports {
        check(
            "ports",
            format_args!("{from} to {to}"),
            "1 to 65535, the first not above the last",
            0 < from && from <= to,
        )?;
    }
    if let Some(Follow::Fixed(pcp)) = options.pcp {
        check("pcp", pcp, "0 to 7", pcp <= 7)?;
    }
    if let Some(mtu) = options.mtu {
        mtu_in_range(mtu)?;
    }
    let length = options.options.len();
    check("options", length, "none, since only Geneve has any", length == 0 || encap == Encap::Geneve)?;
    const { assert!(OPTIONS_MAX == 32) };
    let expected = "at most 32 bytes of Geneve options whose lengths sum up";
    check("options", format_args!("{length} bytes"), expected, are_sendable(&options.options))
}

impl NextHopSpec {
    /// The tunnel from this NVE's end to the neighbour's, each a MAC and an IP address, by `port`, whose link takes IP packets of `mtu` bytes.
    pub fn tunnel(&self, [source, destination]: [(MacAddr, IpAddr); 2], port: PortId, mtu: u16) -> Tunnel<'_> {
        let options = &self.options;
        let (ttl, pcp) = (options.ttl, options.pcp);
        let (dscp, map) = match &options.dscp {
            Some(Dscp::Map(map)) => (Some(Follow::Inherit), Some(Arc::new(*map))),
            Some(Dscp::Plain(dscp)) => (Some(*dscp), None),
            None => (None, None),
        };
        let fixed = |value: Option<Follow<u8>>, default| match value {
            Some(Follow::Fixed(value)) => value,
            _ => default,
        };
        let outer = Outer {
            class: fixed(dscp, 0) << 2,
            ttl: fixed(ttl, Outer::TTL),
            dont_fragment: matches!(options.df, None | Some(Df::Set)),
            options: &options.options,
            ..Outer::new(source, destination, self.encap, self.vni)
        };
        let tunnel = Tunnel::new(outer, port, options.mtu.map_or(mtu, |path| path.min(mtu)));
        let has_checksum = options.checksum.unwrap_or(tunnel.work.has(Work::CHECKSUM));
        let inherits = |value| value == Some(Follow::Inherit);
        let work = Work::NONE
            .with_if(has_checksum, Work::CHECKSUM)
            .with_if(inherits(ttl), Work::TTL)
            .with_if(inherits(dscp), Work::DSCP)
            .with_if(inherits(pcp) && outer.tag.is_some(), Work::PCP)
            .with_if(options.df == Some(Df::Inherit), Work::DF);
        let ecn = match options.ecn {
            None | Some(Ecn::Standard) => EcnMode::Standard,
            Some(Ecn::Kernel) => EcnMode::Kernel,
            Some(Ecn::Off) => EcnMode::Off,
        };
        Tunnel { ports: options.ports.unwrap_or(Tunnel::PORTS), work, dscp: map, ecn, ..tunnel }
    }
}
