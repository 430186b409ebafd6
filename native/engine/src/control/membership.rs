//! Group membership on the underlay's links: which groups we are in, and what the machine says about them as frames.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeSet;
use std::time::Instant;

use types::{MacAddr, PortId};
use wire::{
    ETHERNET_HEADER, EtherType, MembershipFrame, MembershipProtocol, RecordKind, multicast_mac, read_igmp, read_mld,
    solicited_node,
};

use super::Control;
use crate::membership::Report;

impl Control {
    /// Goes into the groups that VNs have joined and those in which we are solicited (RFC 4861, 7.2.1), and out of all others.
    pub(super) fn join(&mut self, now: Instant) {
        let joined = self.model.joined.iter().map(|((_, group), port)| (*port, *group));
        let solicited = self.addresses.iter().filter_map(|(port, ip)| match ip {
            IpAddr::V6(ip) => Some((port, IpAddr::from(solicited_node(ip)))),
            IpAddr::V4(_) => None,
        });
        let wanted: BTreeSet<(PortId, IpAddr)> = joined.chain(solicited).collect();
        self.memberships.want(&wanted, now);
        let failed = self.devices.hear(|port| {
            let groups = wanted.range((port, IpAddr::V4(Ipv4Addr::UNSPECIFIED))..=(port, IpAddr::V6(u128::MAX.into())));
            groups.map(|(_, group)| MacAddr(multicast_mac(*group))).collect()
        });
        failed.iter().for_each(|line| self.event(&("log", line)));
        self.tell_of_groups(now);
    }

    /// An address of ours may be used from now on, or not: whoever heard of our groups from nobody hears of them from it.
    pub(super) fn readdressed(&mut self, port: PortId, ip: IpAddr) {
        if matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
            self.memberships.introduce(port, Instant::now());
        }
    }

    /// A query of IGMP or MLD.
    pub(super) fn heard_query(&mut self, port: PortId, frame: &[u8]) {
        let Some((ethernet, packet)) = frame.split_first_chunk::<ETHERNET_HEADER>() else { return };
        let query = match u16::from_be_bytes([ethernet[12], ethernet[13]]) {
            EtherType::IPV4 => read_igmp(packet),
            _ => read_mld(packet),
        };
        if let Some(Some(query)) = query {
            self.memberships.heard(port, &query, Instant::now());
        }
    }

    /// Tells what is due.
    pub(super) fn tell_of_groups(&mut self, now: Instant) {
        for report in self.memberships.poll(now) {
            self.report(&report);
        }
    }

    fn report(&self, Report { port, protocol, records }: &Report) {
        let is_v6 = matches!(protocol, MembershipProtocol::Mld1 | MembershipProtocol::Mld2);
        let from = (self.devices.mac(*port).0, self.source_of_reports(*port, is_v6));
        let mtu = self.model.ports.get(port).map_or(0, |row| row.spec.mtu);
        if protocol.has_records() {
            let mut rest = &records[..];
            while !rest.is_empty() {
                let (frame, count) = MembershipFrame::report(from, mtu, rest);
                // One that no packet of this link takes is left out.
                rest = &rest[count.max(1)..];
                if count != 0 {
                    self.send_on_link(*port, frame.bytes());
                }
            }
            return;
        }
        for record in records {
            let frame = match record.kind {
                RecordKind::ToInclude if !protocol.has_leave() || from.1.is_unspecified() => continue,
                RecordKind::ToInclude => MembershipFrame::leave(from, record.group),
                _ => MembershipFrame::old_report(*protocol, from, record.group),
            };
            self.send_on_link(*port, frame.bytes());
        }
    }

    /// IPv4: an address of the port. IPv6: its link-local address, or none while that is tried (RFC 3810, 5.2.13).
    fn source_of_reports(&self, port: PortId, is_v6: bool) -> IpAddr {
        match is_v6 {
            true => self.addresses.link_local(port).unwrap_or(Ipv6Addr::UNSPECIFIED).into(),
            false => {
                let mut ours = self.model.addresses(port).map(|spec| spec.ip);
                ours.find(IpAddr::is_ipv4).unwrap_or(Ipv4Addr::UNSPECIFIED.into())
            }
        }
    }
}
