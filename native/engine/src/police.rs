//! How much of each class a port may hand to the control plane: a flood on one link must not keep another's station waiting.
//!
//! One number per port and class, so that policing is a load, a compare and a store on the rare packet that is punted.

use pipeline::PuntClass;
use types::PortId;

/// Packets a second, and packets at once, of a class.
const fn rate(class: usize) -> (u64, u64) {
    match class {
        // VDP of thousands of interfaces comes in bursts: after a link comes up, and with every round of keep-alives.
        3 => (20_000, 4_000),
        1 => (2_000, 256),
        _ => (100, 32),
    }
}

/// So many a second, and so many at once.
#[derive(Clone, Copy)]
pub struct Rate {
    interval: u64,
    tolerance: u64,
}

impl Rate {
    /// `(a second, at once)`, neither 0, by a clock of `hz` ticks a second.
    pub const fn new(hz: u64, (per_second, at_once): (u64, u64)) -> Self {
        let interval = hz / per_second;
        Self { interval, tolerance: interval * (at_once - 1) }
    }
}

/// Measures one flow: the theoretical arrival time of the generic cell rate algorithm.
#[derive(Clone, Copy, Default)]
pub struct Meter(u64);

impl Meter {
    /// Whether one more may pass at `now`.
    pub fn admit(&mut self, rate: &Rate, now: u64) -> bool {
        let start = self.0.max(now);
        let conforms = start - now <= rate.tolerance;
        if conforms {
            self.0 = start + rate.interval;
        }
        conforms
    }
}

/// The meters of one poller.
pub struct Police {
    meters: Box<[[Meter; PuntClass::COUNT]; PortId::LIMIT]>,
    rates: [Rate; PuntClass::COUNT],
}

impl Police {
    /// Meters for a clock of `hz` ticks a second.
    pub fn new(hz: u64) -> Self {
        let meters = Box::new([[Meter::default(); PuntClass::COUNT]; PortId::LIMIT]);
        Self { meters, rates: core::array::from_fn(|class| Rate::new(hz, rate(class))) }
    }

    /// Whether one more packet of `class` may pass at `now`.
    pub fn admit(&mut self, port: PortId, class: PuntClass, now: u64) -> bool {
        let Some(meters) = self.meters.get_mut(usize::from(port.0)) else { return false };
        meters[class as usize].admit(&self.rates[class as usize], now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_and_others_are_not_touched() {
        let mut police = Police::new(1_000_000);
        let admitted =
            |police: &mut Police, now| (0..100).filter(|_| police.admit(PortId(1), PuntClass::Lldp, now)).count();
        assert_eq!(admitted(&mut police, 5_000_000), 32);
        assert_eq!(admitted(&mut police, 5_000_000), 0);
        assert_eq!(admitted(&mut police, 5_030_000), 3, "100 a second");
        assert!(police.admit(PortId(1), PuntClass::Ecp, 5_030_000), "another class");
        assert!(police.admit(PortId(2), PuntClass::Lldp, 5_030_000), "another port");
        assert_eq!(admitted(&mut police, 60_000_000), 32, "credit does not pile up");
    }
}
