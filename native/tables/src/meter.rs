//! Rates, and the meters that hold a flow to one: the generic cell rate algorithm (ITU-T I.371), for packets or for bytes.
//!
//! A meter is one word, the theoretical arrival time of what comes next. It belongs to one poller, which tells the time; what a tick is, only
//! whoever makes the rates knows. Nothing here can overflow: times are counted modulo 2^64, and what a meter owes is bounded.

use core::cell::Cell;

/// Parts of a tick that a meter counts in: at 100 Gbit/s a short frame takes about a dozen ticks, and rounding must not show.
const PART: u32 = 4;
/// Further binary digits of what one unit takes: a byte at 100 Gbit/s takes less than a tick.
const FINE: u32 = 16;

/// So many units a second, and so many at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rate {
    /// Ticks that one unit takes, in 2^-(PART + FINE).
    unit: u64,
    /// What may be owed, in parts of a tick.
    burst: i64,
}

impl Rate {
    /// `(a second, at once)`, by a clock of `hz` ticks a second; nothing a second counts as one.
    pub const fn new(hz: u64, (per_second, at_once): (u64, u64)) -> Self {
        let per_second = if per_second == 0 { 1 } else { per_second };
        let unit = ((hz as u128) << (PART + FINE)) / per_second as u128;
        let unit = if unit > u64::MAX as u128 { u64::MAX } else { unit as u64 };
        let burst = (unit as u128 * at_once as u128) >> FINE;
        let burst = if burst > Self::LONGEST as u128 { Self::LONGEST } else { burst as i64 };
        Self { unit, burst }
    }

    /// A quarter of what a time can differ from another.
    const LONGEST: i64 = i64::MAX / 4;

    /// What `units` take, in parts of a tick.
    #[inline(always)]
    fn cost(&self, units: u32) -> i64 {
        let cost = (u128::from(self.unit) * u128::from(units)) >> FINE;
        if cost > Self::LONGEST as u128 { Self::LONGEST } else { cost as i64 }
    }
}

/// Measures one flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Meter(u64);

impl Meter {
    /// Whether `units` more may pass at `now`: never, if they are more than the rate lets pass at once.
    #[inline]
    pub fn admit(&mut self, rate: &Rate, units: u32, now: u64) -> bool {
        let now = now << PART;
        let owed = (self.0.wrapping_sub(now) as i64).clamp(0, 2 * Rate::LONGEST);
        let after = owed + rate.cost(units);
        let conforms = after <= rate.burst;
        // A meter may have been another's, or of another rate, and then owes more than this rate ever lets anybody owe.
        let owes = if conforms { after } else { owed.min(rate.burst) };
        self.0 = now.wrapping_add(owes as u64);
        conforms
    }
}

/// Meters of one poller, by index. A meter of an index that was another's before starts in its debt, within the new rate's bounds.
pub struct Meters(Box<[Cell<Meter>]>);

impl Meters {
    /// `count` meters that owe nothing.
    pub fn new(count: usize) -> Self {
        Self(vec![Cell::new(Meter::default()); count].into_boxed_slice())
    }

    /// Whether `units` more of flow `index` may pass at `now`; not, if there is no such meter.
    #[inline]
    pub fn admit(&self, index: usize, rate: &Rate, units: u32, now: u64) -> bool {
        let Some(cell) = self.0.get(index) else { return false };
        let mut meter = cell.get();
        let admitted = meter.admit(rate, units, now);
        cell.set(meter);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HZ: u64 = 1_000_000;

    #[test]
    fn a_burst_passes_at_once_and_then_the_rate() {
        let rate = Rate::new(HZ, (100, 5));
        let mut meter = Meter::default();
        let mut admitted = |now| (0..20).filter(|_| meter.admit(&rate, 1, now)).count();
        let now = 7 * HZ;
        assert_eq!(admitted(now), 5);
        assert_eq!(admitted(now), 0);
        assert_eq!(admitted(now + 3 * HZ / 100), 3);
        assert_eq!(admitted(now + 60 * HZ), 5, "credit does not pile up");
    }

    #[test]
    fn bytes_at_line_rates_are_counted_within_a_percent() {
        const GHZ: u64 = 2_500_000_000;
        for (gigabit, frame) in [(1u64, 64u32), (10, 1500), (100, 64), (400, 9000)] {
            let rate = Rate::new(GHZ, (gigabit * 125_000_000, 100_000));
            let mut meter = Meter::default();
            let sent: u64 =
                (0..2_000_000u64).filter(|at| meter.admit(&rate, frame, GHZ + at * 5)).map(|_| u64::from(frame)).sum();
            let expected = gigabit * 125_000_000 * 10_000_000 / GHZ + 100_000;
            let offered = 2_000_000 * u64::from(frame);
            let (low, high) = (expected.min(offered) * 99 / 100, expected * 101 / 100);
            assert!((low..=high).contains(&sent), "{gigabit} Gbit/s of {frame}: {sent} of {expected}");
        }
    }

    #[test]
    fn another_rates_debt_is_bounded_by_ones_own() {
        let (slow, fast) = (Rate::new(HZ, (1, 1_000)), Rate::new(HZ, (1_000, 10)));
        let mut meter = Meter::default();
        assert_eq!((0..1_000).filter(|_| meter.admit(&slow, 1, HZ)).count(), 1_000);
        assert!(!meter.admit(&fast, 1, HZ));
        assert!(meter.admit(&fast, 1, HZ + HZ / 100), "not after a thousand seconds");
    }

    #[test]
    fn meters_are_apart_and_no_index_is_out_of_bounds() {
        let (meters, rate) = (Meters::new(2), Rate::new(HZ, (1, 1)));
        assert!(meters.admit(0, &rate, 1, HZ) && meters.admit(1, &rate, 1, HZ));
        assert!(!meters.admit(0, &rate, 1, HZ) && !meters.admit(1, &rate, 1, HZ) && !meters.admit(2, &rate, 1, HZ));
    }

    proptest! {
        /// Whatever the clock and the rate, no arithmetic goes wrong.
        #[test]
        fn no_number_breaks_a_meter(
            hz in 1u64..1 << 40, per_second in any::<u64>(), at_once in any::<u64>(), start in any::<u64>(),
            steps in proptest::collection::vec((0u64..1 << 30, any::<u32>()), 1..50),
        ) {
            let (rate, mut meter, mut now) = (Rate::new(hz, (per_second, at_once)), Meter::default(), start);
            for (step, units) in steps {
                now = now.wrapping_add(step);
                meter.admit(&rate, units, now);
            }
        }

        #[test]
        fn never_more_than_a_burst_and_what_the_time_gives(
            per_second in 1u64..1000, at_once in 1u64..50, gaps in proptest::collection::vec(0u64..20_000, 1..300),
        ) {
            let (rate, mut meter, mut now) = (Rate::new(HZ, (per_second, at_once)), Meter::default(), HZ);
            let mut passed = 0;
            for gap in gaps {
                now += gap;
                passed += u64::from(meter.admit(&rate, 1, now));
                prop_assert!(passed <= at_once + 1 + (now - HZ) * per_second / HZ, "{} at {}", passed, now);
            }
        }
    }
}
