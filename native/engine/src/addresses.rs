//! Which of our IPv6 addresses may be used: duplicate address detection (RFC 4862, 5.4) as a machine without I/O.
//!
//! An address is tentative at first: it is asked for once its link is up, and becomes ours if nobody answers for a second. Who answers, or
//! wants it at the same time, makes it a duplicate: it is told, and not used until the controller takes it away and sets another or
//! the same again. IPv4 addresses are used at once. Optimistic use (RFC 4429) is not done. A port with IPv6 has a link-local address
//! besides, whether or not the controller gave it one.
//!
//! ```text
//! add → Tentative ──link up──▶ Tentative, asking ──RETRANS──▶ Preferred
//!                                    │ somebody has it, or wants it
//!                                    ▼
//!                                Duplicate
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use types::{MacAddr, PortId};

use crate::neighbour::Neighbour;

/// How long an answer may take (RFC 4861, 10: RETRANS_TIMER); one question is enough (RFC 4862, 5.1).
const RETRANS: Duration = Duration::from_secs(1);

/// Of link-local addresses (RFC 4291, 2.5.6).
pub const LINK_LOCAL_PREFIX: u8 = 64;

/// What an address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Not known to be ours alone.
    Tentative,
    /// Ours.
    Preferred,
    /// Somebody else's.
    Duplicate,
}

impl State {
    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tentative => "tentative",
            Self::Preferred => "preferred",
            Self::Duplicate => "duplicate",
        }
    }
}

/// What the machine wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Ask whether anybody has it.
    Probe(Neighbour),
    /// Its state changed.
    Changed(Neighbour, State),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    state: State,
    /// When nobody has answered; `None` while nobody has been asked.
    due: Option<Instant>,
    /// Nobody gave it: it is there because every link with IPv6 has one.
    automatic: bool,
}

/// The machine: addresses by port. What it does not know is not ours.
#[derive(Default, Debug)]
pub struct Addresses(BTreeMap<Neighbour, Entry>);

impl Addresses {
    /// An address is to be ours.
    pub fn add(&mut self, address: Neighbour) {
        let state = if address.1.is_ipv6() { State::Tentative } else { State::Preferred };
        let entry = self.0.entry(address).or_insert(Entry { state, due: None, automatic: false });
        entry.automatic = false;
    }

    /// It is no longer.
    pub fn remove(&mut self, address: Neighbour) {
        self.0.remove(&address);
    }

    /// Sees to it that a port with IPv6 has a link-local address (RFC 4291, 2.1): one that is made of its MAC, if the controller gave none.
    /// To be called when addresses of the port came or went.
    pub fn complete(&mut self, port: PortId, mac: MacAddr) {
        let given = || self.of(port).filter(|(_, entry)| !entry.automatic).map(|(ip, _)| ip);
        let is_needed = given().next().is_some() && !given().any(|ip| ip.is_unicast_link_local());
        let old = self.automatic(port);
        match (is_needed, old) {
            (true, None) => {
                let entry = Entry { state: State::Tentative, due: None, automatic: true };
                self.0.insert((port, link_local(mac).into()), entry);
            }
            (false, Some(ip)) => self.remove((port, ip.into())),
            _ => {}
        }
    }

    /// The link-local address that nobody gave a port.
    pub fn automatic(&self, port: PortId) -> Option<Ipv6Addr> {
        self.of(port).find(|(_, entry)| entry.automatic).map(|(ip, _)| ip)
    }

    /// The link-local address of a port, if it is ours.
    pub fn link_local(&self, port: PortId) -> Option<Ipv6Addr> {
        let mut ours = self.of(port).filter(|(_, entry)| entry.state == State::Preferred);
        ours.find(|(ip, _)| ip.is_unicast_link_local()).map(|(ip, _)| ip)
    }

    /// Every address, whatever its state.
    pub fn iter(&self) -> impl Iterator<Item = Neighbour> {
        self.0.keys().copied()
    }

    /// The IPv6 addresses of a port.
    fn of(&self, port: PortId) -> impl Iterator<Item = (Ipv6Addr, &Entry)> {
        let all = (port, IpAddr::V4(Ipv4Addr::UNSPECIFIED))..=(port, IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)));
        self.0.range(all).filter_map(|((_, ip), entry)| if let IpAddr::V6(ip) = ip { Some((*ip, entry)) } else { None })
    }

    /// Somebody else has it, or wants it.
    pub fn claimed(&mut self, address: Neighbour) -> Option<Effect> {
        let entry = self.0.get_mut(&address).filter(|entry| entry.state == State::Tentative)?;
        entry.state = State::Duplicate;
        Some(Effect::Changed(address, State::Duplicate))
    }

    /// Does what is due; `is_up` tells whether a port's link is.
    pub fn poll(&mut self, now: Instant, is_up: impl Fn(PortId) -> bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (address, entry) in self.0.iter_mut().filter(|(_, entry)| entry.state == State::Tentative) {
            match entry.due {
                None if is_up(address.0) => {
                    entry.due = Some(now + RETRANS);
                    effects.push(Effect::Probe(*address));
                }
                Some(due) if due <= now => {
                    entry.state = State::Preferred;
                    effects.push(Effect::Changed(*address, State::Preferred));
                }
                _ => {}
            }
        }
        effects
    }

    /// The state of an address of ours.
    pub fn state(&self, address: Neighbour) -> Option<State> {
        self.0.get(&address).map(|entry| entry.state)
    }
}

/// The link-local address of who has this MAC (RFC 4291, 2.5.6 and appendix A; RFC 2464, 4 and 5).
fn link_local(MacAddr([a, b, c, d, e, f]): MacAddr) -> Ipv6Addr {
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Neighbour = (PortId(1), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));

    #[test]
    fn an_address_is_asked_for_when_its_link_is_up_and_used_when_nobody_answers() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        addresses.add(OURS);
        assert_eq!(addresses.poll(now + 9 * RETRANS, |_| false), [], "nobody would hear it");
        assert_eq!(addresses.state(OURS), Some(State::Tentative));
        assert_eq!(addresses.poll(now, |_| true), [Effect::Probe(OURS)]);
        assert_eq!(addresses.poll(now + RETRANS / 2, |_| true), []);
        assert_eq!(addresses.poll(now + RETRANS, |_| true), [Effect::Changed(OURS, State::Preferred)]);
        assert_eq!(addresses.poll(now + 9 * RETRANS, |_| true), []);
        assert_eq!(addresses.claimed(OURS), None, "who comes later is the duplicate");
        addresses.add(OURS);
        assert_eq!(addresses.state(OURS), Some(State::Preferred), "set again, as it is");
    }

    #[test]
    fn one_that_somebody_has_is_not_used_until_it_is_set_anew() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        addresses.add(OURS);
        assert_eq!(addresses.poll(now, |_| true), [Effect::Probe(OURS)]);
        assert_eq!(addresses.claimed(OURS), Some(Effect::Changed(OURS, State::Duplicate)));
        assert_eq!(addresses.claimed(OURS), None, "told once");
        assert_eq!(addresses.poll(now + 9 * RETRANS, |_| true), []);
        addresses.remove(OURS);
        assert_eq!(addresses.state(OURS), None);
        addresses.add(OURS);
        assert_eq!(addresses.poll(now, |_| true), [Effect::Probe(OURS)]);
    }

    #[test]
    fn a_port_with_ipv6_has_a_link_local_address_made_of_its_mac_if_nobody_gave_it_one() {
        const MAC: MacAddr = MacAddr([0x02, 0x11, 0x22, 0x33, 0x44, 0x55]);
        let (mut addresses, now, port) = (Addresses::default(), Instant::now(), OURS.0);
        let made: Ipv6Addr = "fe80::11:22ff:fe33:4455".parse().unwrap();
        let other: IpAddr = "fe80::1".parse().unwrap();
        addresses.add((port, [192, 0, 2, 1].into()));
        addresses.complete(port, MAC);
        assert_eq!(addresses.automatic(port), None, "there is no IPv6 on the port");
        addresses.add(OURS);
        addresses.complete(port, MAC);
        addresses.complete(port, MAC);
        assert_eq!((addresses.automatic(port), addresses.automatic(PortId(2))), (Some(made), None));
        let probes = [Effect::Probe(OURS), Effect::Probe((port, made.into()))];
        assert_eq!(addresses.poll(now, |_| true), probes, "it is tried like any other (RFC 4862, 5.4)");
        addresses.add((port, other));
        addresses.complete(port, MAC);
        assert_eq!((addresses.automatic(port), addresses.state((port, made.into()))), (None, None), "given another");
        addresses.remove((port, other));
        addresses.complete(port, MAC);
        assert_eq!(addresses.automatic(port), Some(made));
        addresses.add((port, made.into()));
        addresses.complete(port, MAC);
        assert_eq!(addresses.automatic(port), None, "given the same");
        assert_eq!(addresses.state((port, made.into())), Some(State::Tentative));
        addresses.remove((port, made.into()));
        addresses.complete(port, MAC);
        addresses.remove(OURS);
        addresses.complete(port, MAC);
        assert_eq!(addresses.automatic(port), None, "the last of IPv6 is gone");
    }

    #[test]
    fn an_ipv4_address_is_used_at_once() {
        let (mut addresses, ours) = (Addresses::default(), (PortId(1), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))));
        addresses.add(ours);
        assert_eq!(addresses.state(ours), Some(State::Preferred));
        assert_eq!(addresses.poll(Instant::now(), |_| true), []);
    }
}
