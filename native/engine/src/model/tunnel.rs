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

/// TTL of what goes to a group unless told otherwise: it stays on the link (RFC 1112, 6.1; as Linux does).
const GROUP_TTL: u8 = 1;

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
    /// The tunnel from this NVE's end to the neighbour's, each a MAC and an IP address, by `port`, whose link takes IP packets of `mtu` bytes
    /// in this VLAN.
    pub fn tunnel(
        &self,
        [source, destination]: [(MacAddr, IpAddr); 2],
        port: PortId,
        vlan: Option<u16>,
        mtu: u16,
    ) -> Tunnel<'_> {
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
            tag: vlan.map(|vid| u16::from(fixed(pcp, 0)) << 13 | vid),
            class: fixed(dscp, 0) << 2,
            ttl: fixed(ttl, if self.remote.is_multicast() { GROUP_TTL } else { Outer::TTL }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use types::Vni;

    const PLAIN: NextHopOptions = NextHopOptions {
        ttl: None,
        df: None,
        dscp: None,
        ecn: None,
        checksum: None,
        ports: None,
        options: Vec::new(),
        pcp: None,
        mtu: None,
        port: None,
    };
    /// A Geneve option of four bytes.
    const OPTION: [u8; 8] = [1, 2, 3, 1, 9, 9, 9, 9];

    fn tunnel(options: NextHopOptions, last: impl Fn(u8) -> IpAddr, look: impl FnOnce(Tunnel<'_>)) {
        let (remote, vni) = ([192, 0, 2, 2].into(), Vni::try_from(7).unwrap());
        let spec = NextHopSpec { remote, encap: Encap::Geneve, vni, options };
        let end = |number| (MacAddr([2, 0, 0, 0, 0, number]), last(number));
        look(spec.tunnel([end(1), end(2)], PortId(3), None, 1600));
    }

    fn v4(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn v6(last: u8) -> IpAddr {
        [0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()].into()
    }

    #[test]
    fn each_option_out_of_range_is_refused_by_its_name() {
        let dscp = |dscp| NextHopOptions { dscp: Some(dscp), ..PLAIN };
        let mut map = [0; 64];
        map[63] = 64;
        let cases = [
            ("ttl", NextHopOptions { ttl: Some(Follow::Fixed(0)), ..PLAIN }),
            ("dscp", dscp(Dscp::Plain(Follow::Fixed(64)))),
            ("dscp", dscp(Dscp::Map(map))),
            ("ports", NextHopOptions { ports: Some((0, 9)), ..PLAIN }),
            ("ports", NextHopOptions { ports: Some((9, 8)), ..PLAIN }),
            ("pcp", NextHopOptions { pcp: Some(Follow::Fixed(8)), ..PLAIN }),
            ("mtu", NextHopOptions { mtu: Some(67), ..PLAIN }),
            ("options", NextHopOptions { options: OPTION[..7].to_vec(), ..PLAIN }),
            ("options", NextHopOptions { options: vec![0; 36], ..PLAIN }),
        ];
        for (name, options) in cases {
            let refused = check_options(&options, Encap::Geneve);
            assert!(
                matches!(refused, Err(EngineError::OutOfRange { field, .. }) if field == name),
                "{name}: {refused:?}"
            );
        }
        let with_options = NextHopOptions { options: OPTION.to_vec(), ..PLAIN };
        assert!(check_options(&with_options, Encap::Geneve).is_ok());
        assert!(check_options(&with_options, Encap::Vxlan).is_err(), "VXLAN has no options");
        assert!(check_options(&PLAIN, Encap::Vxlan).is_ok());
    }

    #[test]
    fn without_options_a_tunnel_is_as_the_rfcs_recommend() {
        for (last, work) in [(v4 as fn(u8) -> IpAddr, Work::NONE), (v6, Work::CHECKSUM)] {
            tunnel(PLAIN, last, |tunnel| {
                let Outer { ttl, class, dont_fragment, .. } = tunnel.outer;
                assert_eq!((ttl, class, dont_fragment, tunnel.work), (64, 0, true, work));
                assert_eq!((tunnel.ports, tunnel.mtu, tunnel.ecn), ((49_152, 65_535), 1600, EcnMode::Standard));
            });
        }
    }

    #[test]
    fn what_goes_to_a_group_stays_on_the_link_unless_told_otherwise() {
        let group = |last| [239, 1, 1, last].into();
        for (ttl, expected) in [(None, 1), (Some(Follow::Fixed(9)), 9), (Some(Follow::Inherit), 1)] {
            let spec = NextHopSpec {
                remote: group(1),
                encap: Encap::Vxlan,
                vni: Vni::try_from(7).unwrap(),
                options: NextHopOptions { ttl, port: Some(3), ..PLAIN },
            };
            let ends = [(MacAddr([2, 0, 0, 0, 0, 1]), v4(1)), (MacAddr([1, 0, 0x5e, 1, 1, 1]), group(1))];
            assert_eq!(spec.tunnel(ends, PortId(3), None, 1600).outer.ttl, expected);
        }
    }

    #[test]
    fn every_option_has_its_effect() {
        let fixed = NextHopOptions {
            ttl: Some(Follow::Fixed(9)),
            df: Some(Df::Unset),
            dscp: Some(Dscp::Plain(Follow::Fixed(46))),
            ecn: Some(Ecn::Off),
            checksum: Some(false),
            ports: Some((1, 2)),
            options: OPTION.to_vec(),
            pcp: None,
            mtu: Some(1400),
            port: None,
        };
        tunnel(fixed, v6, |tunnel| {
            let Outer { ttl, class, dont_fragment, options, .. } = tunnel.outer;
            assert_eq!((ttl, class, dont_fragment, options), (9, 46 << 2, false, &OPTION[..]));
            assert_eq!((tunnel.ports, tunnel.mtu, tunnel.ecn, tunnel.work), ((1, 2), 1400, EcnMode::Off, Work::NONE));
        });
        let followed = NextHopOptions {
            ttl: Some(Follow::Inherit),
            df: Some(Df::Inherit),
            dscp: Some(Dscp::Map([5; 64])),
            ecn: Some(Ecn::Kernel),
            checksum: Some(true),
            mtu: Some(9000),
            ..PLAIN
        };
        tunnel(followed, v4, |tunnel| {
            let work = Work::TTL.with(Work::DF).with(Work::DSCP).with(Work::CHECKSUM);
            assert_eq!(
                (tunnel.work, tunnel.ecn, tunnel.mtu),
                (work, EcnMode::Kernel, 1600),
                "the port's MTU is the limit"
            );
            assert_eq!((tunnel.dscp.as_deref(), tunnel.outer.class), (Some(&[5; 64]), 0));
        });
    }
}
