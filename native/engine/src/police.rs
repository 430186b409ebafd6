//! How much of each class a port may hand to the control plane: a flood on one link must not keep another's station waiting.
//!
//! One number per port and class (the theoretical arrival time of the generic cell rate algorithm), so that policing is a load,
//! a compare and a store on the rare packet that is punted.

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

/// The meters of one poller.
pub struct Police {
    due: Box<[[u64; PuntClass::COUNT]; PortId::LIMIT]>,
    hz: u64,
}

impl Police {
    /// Meters for a clock of `hz` ticks a second.
    pub fn new(hz: u64) -> Self {
        Self { due: Box::new([[0; PuntClass::COUNT]; PortId::LIMIT]), hz }
    }

    /// Whether one more packet of `class` may pass at `now`.
    pub fn admit(&mut self, port: PortId, class: PuntClass, now: u64) -> bool {
        let (per_second, at_once) = rate(class as usize);
        let interval = self.hz / per_second;
        let Some(due) = self.due.get_mut(usize::from(port.0)).map(|classes| &mut classes[class as usize]) else {
            return false;
        };
        let start = (*due).max(now);
        if start - now > interval * (at_once - 1) {
            return false;
        }
        *due = start + interval;
        true
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
