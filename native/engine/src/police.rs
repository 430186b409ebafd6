//! How much of each class a port may hand to the control plane: a flood on one link must not keep another's station waiting, nor one source's
//! flood another's on the same link.
//!
//! Of each class a port has a few places, and a source MAC that holds one has a rate of its own. It keeps its place while it sends, and loses it
//! to a newcomer once it has been silent; a source without a place shares one more meter with all like it. So whoever floods under one MAC
//! spends its own share, and whoever invents MACs takes the free places and exhausts the newcomers' share, and in neither case that of a
//! station that was there before. All of it is of fixed size, and touched only by the rare packet that is punted.

use pipeline::PuntClass;
use tables::{Meter, Rate};
use types::{MacAddr, PortId};

/// Packets a second, and packets at once, of a class, unless the controller says otherwise: of each source that has a place, and of all others
/// together.
pub const fn default_rate(class: PuntClass) -> (u32, u32) {
    match class {
        // VDP of thousands of interfaces comes in bursts: after a link comes up, and with every round of keep-alives.
        PuntClass::Ecp => (2_000, 500),
        PuntClass::Arp | PuntClass::Nd => (2_000, 256),
        // A session of the control plane in-band: by full packets, about 200 Mbit/s of each neighbour.
        PuntClass::Exception => (20_000, 1_000),
        // LLDP of a link and all of its S-channels comes at once.
        PuntClass::Lldp | PuntClass::LinkLocal | PuntClass::Membership => (100, 128),
    }
}

/// Sources of a class at a port that have a share of their own.
const PLACES: usize = 15;
/// Seconds of silence after which a place may be taken: LLDP is sent every 30, keep-alives of VDP more often.
const SILENCE: u64 = 100;

/// A source that has a share of its own.
#[derive(Clone, Copy, Default)]
struct Place {
    source: u64,
    last: u64,
    meter: Meter,
}

/// One class at one port.
#[derive(Clone, Copy, Default)]
struct Shares {
    places: [Place; PLACES],
    others: Meter,
}

impl Shares {
    /// The meter of a source, whose place it becomes if one is free.
    fn meter(&mut self, source: MacAddr, now: u64, silence: u64) -> &mut Meter {
        let source = source.to_u64();
        let is_free = |place: &Place| place.source == 0 || now.saturating_sub(place.last) > silence;
        let held = self.places.iter().position(|place| place.source == source);
        match held.or_else(|| self.places.iter().position(is_free)) {
            Some(at) => {
                let place = &mut self.places[at];
                if held.is_none() {
                    *place = Place { source, ..Place::default() };
                }
                place.last = now;
                &mut place.meter
            }
            None => &mut self.others,
        }
    }
}

const fn packets(hz: u64, (per_second, at_once): (u32, u32)) -> Rate {
    Rate::new(hz, (per_second as u64, at_once as u64))
}

/// The meters of one poller.
pub struct Police {
    shares: Box<[[Shares; PuntClass::COUNT]]>,
    rates: [Rate; PuntClass::COUNT],
    hz: u64,
    silence: u64,
}

impl Police {
    /// Meters for a clock of `hz` ticks a second.
    pub fn new(hz: u64) -> Self {
        let shares = vec![[Shares::default(); PuntClass::COUNT]; PortId::LIMIT].into_boxed_slice();
        let rates = PuntClass::ALL.map(|class| packets(hz, default_rate(class)));
        Self { shares, rates, hz, silence: SILENCE * hz }
    }

    /// Makes `rate` that of a class: packets a second, and at once.
    pub fn set(&mut self, class: PuntClass, rate: (u32, u32)) {
        self.rates[class as usize] = packets(self.hz, rate);
    }

    /// Whether one more packet of `class` from `source` may pass at `now`.
    pub fn admit(&mut self, port: PortId, class: PuntClass, source: MacAddr, now: u64) -> bool {
        let Some(shares) = self.shares.get_mut(usize::from(port.0)) else { return false };
        let meter = shares[class as usize].meter(source, now, self.silence);
        meter.admit(&self.rates[class as usize], 1, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: u64 = 1_000_000;
    const NOW: u64 = 5_000 * HZ;

    fn mac(number: u32) -> MacAddr {
        let [a, b, c, d] = number.to_be_bytes();
        MacAddr([2, 1, a, b, c, d])
    }

    #[test]
    fn a_burst_passes_then_the_rate_and_others_are_not_touched() {
        let mut police = Police::new(HZ);
        let admitted = |police: &mut Police, now| {
            (0..300).filter(|_| police.admit(PortId(1), PuntClass::Lldp, mac(1), now)).count()
        };
        assert_eq!(admitted(&mut police, NOW), 128);
        assert_eq!(admitted(&mut police, NOW), 0);
        assert_eq!(admitted(&mut police, NOW + 3 * HZ / 100), 3, "100 a second");
        assert!(police.admit(PortId(1), PuntClass::Ecp, mac(1), NOW), "another class");
        assert!(police.admit(PortId(2), PuntClass::Lldp, mac(1), NOW), "another port");
        assert!(police.admit(PortId(1), PuntClass::Lldp, mac(2), NOW), "another source");
        assert_eq!(admitted(&mut police, NOW + 60 * HZ), 128, "credit does not pile up");
        assert!(!police.admit(PortId(64), PuntClass::Lldp, mac(1), NOW), "no such port");
    }

    #[test]
    fn a_class_has_the_rate_that_it_is_given() {
        let mut police = Police::new(HZ);
        let mut admitted = |class, rate| {
            police.set(class, rate);
            (0..300).filter(|_| police.admit(PortId(1), class, mac(1), NOW)).count()
        };
        assert_eq!(admitted(PuntClass::Lldp, (10, 7)), 7);
        assert_eq!(
            admitted(PuntClass::Lldp, default_rate(PuntClass::Lldp)),
            128 - 70,
            "what was sent before counts for its time"
        );
        assert_eq!(admitted(PuntClass::Ecp, (1, 1)), 1);
    }

    /// A station sends ECP ten times a second while others flood the port, a thousand frames for each of its own.
    fn honest_frames_that_pass(mut flooder: impl FnMut(u32) -> MacAddr, keep_alive: u64) -> (usize, usize) {
        let mut police = Police::new(HZ);
        let mut passed = (0, 0);
        let mut sent = 0;
        assert!(police.admit(PortId(1), PuntClass::Ecp, mac(0), NOW));
        for turn in 1..=300 {
            let now = NOW + turn * keep_alive;
            for _ in 0..1_000 {
                sent += 1;
                passed.1 += usize::from(police.admit(PortId(1), PuntClass::Ecp, flooder(sent), now));
            }
            passed.0 += usize::from(police.admit(PortId(1), PuntClass::Ecp, mac(0), now));
        }
        passed
    }

    #[test]
    fn an_honest_station_is_heard_whatever_floods_its_port() {
        for (name, keep_alive) in [("busy", HZ / 10), ("quiet", 30 * HZ)] {
            let (heard, flood) = honest_frames_that_pass(|_| mac(1), keep_alive);
            assert_eq!(heard, 300, "{name}, one flooder");
            assert!((500..=300 * 500).contains(&flood), "{flood} of one flooder");
            let (heard, _) = honest_frames_that_pass(|number| mac(1 + number % 100), keep_alive);
            assert_eq!(heard, 300, "{name}, a hundred flooders");
            let (heard, _) = honest_frames_that_pass(|number| mac(1 + number), keep_alive);
            assert_eq!(heard, 300, "{name}, a new MAC with every frame");
        }
    }

    #[test]
    fn a_silent_sources_place_goes_to_a_newcomer_and_what_all_may_send_is_bounded() {
        let mut police = Police::new(HZ);
        let everybody = |police: &mut Police, from: u32, now| -> usize {
            let all = (from..from + 1_000).flat_map(|number| [mac(number); 200]);
            all.filter(|source| police.admit(PortId(1), PuntClass::Lldp, *source, now)).count()
        };
        assert_eq!(everybody(&mut police, 0, NOW), 128 * (PLACES + 1));
        assert_eq!(everybody(&mut police, 5_000, NOW), 0, "places are taken, and the newcomers' share is spent");
        let later = NOW + (SILENCE + 1) * HZ;
        assert_eq!(everybody(&mut police, 5_000, later), 128 * (PLACES + 1));
    }
}
