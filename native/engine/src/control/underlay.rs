//! The underlay's neighbours, addresses and links: what the machines say is done, and what the links say is told to them.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::time::Instant;

use types::{MacAddr, PortId};
use wire::{
    ArpOperation, ArpPacket, ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, IntoBytes, Ipv6Header, NdFrame,
    NdMessage,
};

use super::Control;
use super::known::{Known, known};
use crate::neighbour::{Effect, Neighbour};
use crate::{addresses, show};

impl Control {
    /// Looks after the neighbours that next hops and routes need, and no others.
    pub(super) fn want(&mut self, now: Instant) {
        let next_hops = self.model.next_hops.values().filter(|row| row.group_mac().is_none());
        let mut wanted: BTreeSet<Neighbour> = next_hops.map(|row| row.path.to()).collect();
        let paths = self.model.paths();
        let gateways = self.model.routes.values().flatten();
        wanted.extend(gateways.filter_map(|gateway| paths.on_link(*gateway, &|_| true)).map(|path| path.to()));
        let asked = self.neighbours.want(&wanted, now);
        self.carry_out(asked);
    }

    /// Links or gateways came or went.
    pub(super) fn redirect(&mut self) {
        if known!(self, |model, forwarding, world| forwarding.redirect(model, &world)) {
            self.want(Instant::now());
        }
    }

    pub(super) fn look_at_links(&mut self, is_looked_at: fn(&str) -> bool) {
        let ports = self.devices.iter().filter(|(id, _)| is_looked_at(self.model.role(*id)));
        let links = ports.map(|(id, port)| (id, port.link_up()));
        let changed: Vec<_> = links.filter(|(id, up)| self.links.get(id) != Some(up)).collect();
        if changed.is_empty() {
            return;
        }
        let mut is_underlay = false;
        for (id, up) in &changed {
            self.links.insert(*id, *up);
            self.event(&("link", id.0, *up));
            is_underlay |= self.model.role(*id) == "underlay";
            if *up {
                self.memberships.introduce(*id, Instant::now());
            }
        }
        let changed: Vec<_> = changed.into_iter().map(|(id, _)| id).collect();
        known!(self, |model, forwarding, world| forwarding.links(model, &changed, &world));
        if is_underlay {
            self.redirect();
        }
    }

    /// ARP of a neighbour.
    pub(super) fn heard(&mut self, port: PortId, frame: &[u8]) {
        let Some((arp, _)) = frame.get(ETHERNET_HEADER..).and_then(ArpPacket::parse) else { return };
        let neighbour = (port, IpAddr::from(arp.sender_ip));
        let effect = self.neighbours.answered(neighbour, MacAddr(arp.sender_mac), Instant::now());
        self.carry_out(effect.into_iter().collect());
    }

    /// Neighbour discovery: of a neighbour, or of somebody who has an address that we are about to use.
    pub(super) fn heard_v6(&mut self, port: PortId, frame: &[u8]) {
        let packet = frame.get(ETHERNET_HEADER..).unwrap_or_default();
        let Ok((ip, message)) = Ipv6Header::ref_from_prefix(packet) else { return };
        match NdMessage::parse(ip, message) {
            Some(NdMessage::Solicitation { target, .. }) => self.claimed((port, target.into())),
            Some(NdMessage::Advertisement { target, link, replaces }) => {
                let neighbour = (port, target.into());
                self.claimed(neighbour);
                // One that does not override tells nothing new of who is known (RFC 4861, 7.2.5).
                let known = self.neighbours.mac(neighbour);
                let mac = link.map(MacAddr).or(known).filter(|mac| replaces || known.is_none_or(|known| known == *mac));
                let effect = mac.and_then(|mac| self.neighbours.answered(neighbour, mac, Instant::now()));
                self.carry_out(effect.into_iter().collect());
            }
            None => {}
        }
    }

    pub(super) fn claimed(&mut self, address: Neighbour) {
        let effect = self.addresses.claimed(address);
        self.carry_out_of_addresses(effect.into_iter().collect());
    }

    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask(neighbour, to) => self.ask(neighbour, to),
                Effect::Changed(neighbour, state) => {
                    known!(self, |model, forwarding, world| forwarding.resolve(model, neighbour, &world));
                    if self.model.is_gateway(neighbour) {
                        self.redirect();
                    }
                    self.event(&("neighbour", neighbour.0.0, show::ip(neighbour.1), state.name()));
                }
            }
        }
    }

    pub(super) fn carry_out_of_addresses(&mut self, effects: Vec<addresses::Effect>) {
        for effect in effects {
            match effect {
                addresses::Effect::Probe((port, IpAddr::V6(ip))) => {
                    self.send_on_link(port, NdFrame::probe(self.devices.mac(port).0, ip).bytes());
                }
                addresses::Effect::Probe(_) => {}
                addresses::Effect::Changed((port, ip), state) => {
                    known!(self, |model, forwarding, world| forwarding.readdress(model, port, &world));
                    self.event(&("address", port.0, show::ip(ip), state.name()));
                    self.readdressed(port, ip);
                }
            }
        }
    }

    /// Sends an ARP request or a neighbour solicitation for a neighbour, from an address that we may use.
    pub(super) fn ask(&self, (port, ip): Neighbour, to: MacAddr) {
        let is_usable = |ip| self.addresses.state((port, ip)) == Some(addresses::State::Preferred);
        let mut sources = self.model.addresses(port).filter(|spec| spec.has_on_link(ip)).map(|spec| spec.ip);
        let mac = self.devices.mac(port).0;
        match (sources.find(|ip| is_usable(*ip)), ip) {
            (Some(IpAddr::V4(source)), IpAddr::V4(ip)) => {
                let header = EthernetHeader { destination: to.0, source: mac, ether_type: EtherType::ARP.into() };
                let request = ArpPacket::new(ArpOperation::Request, (mac, source), ([0; 6], ip));
                self.send_on_link(port, &[header.as_bytes(), request.as_bytes()].concat());
            }
            (Some(IpAddr::V6(source)), IpAddr::V6(ip)) => {
                let to = (to != MacAddr::BROADCAST).then_some(to.0);
                self.send_on_link(port, NdFrame::solicitation((mac, source), ip, to).bytes());
            }
            _ => {}
        }
    }

    /// Sends a frame out of an underlay port, in its VLAN.
    pub(super) fn send_on_link(&self, port: PortId, frame: &[u8]) {
        match (self.model.vlan(port), frame.split_first_chunk::<12>()) {
            (Some(vlan), Some((macs, rest))) => {
                self.send(port, &[&macs[..], &EtherType::C_TAG.to_be_bytes(), &vlan.to_be_bytes(), rest].concat())
            }
            _ => self.send(port, frame),
        };
    }
}
