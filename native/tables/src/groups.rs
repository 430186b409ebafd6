//! Groups of next hops: each flow of a VN goes to one of those that live.
//!
//! The writer keeps for each group a ready table of places, and a reader takes the place that a flow's hash names: one load. A place keeps
//! its next hop while that lives, so that the death of one moves its own flows only ([`share_out`]).

use crate::snapshot::{Index, NextHopIndex, Snapshot};

/// Places of a group: a number that many numbers of members divide.
pub const GROUP_PLACES: usize = 60;

/// A group of next hops.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct GroupEntry {
    /// Which next hop has each place; all are [`Self::NOBODY`] while none lives.
    pub places: [NextHopIndex; GROUP_PLACES],
    /// The VN whose rows and list name it: nobody else's frames go by it, in whatever order a poller sees tables change.
    pub vn: Index,
}

impl GroupEntry {
    /// No next hop.
    pub const NOBODY: NextHopIndex = NextHopIndex::MAX;
    /// A group that is not there.
    pub const CLOSED: Self = Self { places: [Self::NOBODY; GROUP_PLACES], vn: Snapshot::NONE };

    /// The next hop of a flow. The hash's lower half chooses, because the upper one makes the outer source port.
    #[inline(always)]
    pub fn member(&self, flow_hash: u32) -> NextHopIndex {
        self.places[((flow_hash & 0xffff) as usize * GROUP_PLACES) >> 16]
    }
}

impl Default for GroupEntry {
    fn default() -> Self {
        Self::CLOSED
    }
}

/// Gives every place to one of `living` (a next hop and its weight, at least 1), in proportion to their weights. Who has a place keeps it,
/// unless it is needed for one that has too few: one that has come, or come back.
pub fn share_out(places: &mut [NextHopIndex; GROUP_PLACES], living: &[(NextHopIndex, u8)]) {
    if living.is_empty() {
        return places.fill(GroupEntry::NOBODY);
    }
    let due = due_places(living);
    let mut held = vec![0usize; living.len()];
    let mut free = Vec::new();
    for (at, place) in places.iter().enumerate() {
        match living.iter().position(|(next_hop, _)| next_hop == place) {
            Some(owner) if held[owner] < due[owner] => held[owner] += 1,
            _ => free.push(at),
        }
    }
    let mut free = free.into_iter();
    for (owner, (next_hop, _)) in living.iter().enumerate() {
        for at in free.by_ref().take(due[owner] - held[owner]) {
            places[at] = *next_hop;
        }
    }
}

/// How many places each is due. Place after place goes to whoever has the fewest for its weight (Adams' method): everybody gets one at
/// least, and when one leaves, nobody who stays is due less than before.
fn due_places(living: &[(NextHopIndex, u8)]) -> Vec<usize> {
    let mut due = vec![0usize; living.len()];
    for _ in 0..GROUP_PLACES {
        let load = |at: &usize| (due[*at] * 1_000_000) / usize::from(living[*at].1.max(1));
        if let Some(next) = (0..living.len()).min_by_key(load) {
            due[next] += 1;
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shared(living: &[(NextHopIndex, u8)]) -> [NextHopIndex; GROUP_PLACES] {
        let mut places = GroupEntry::CLOSED.places;
        share_out(&mut places, living);
        places
    }

    fn count(places: &[NextHopIndex], next_hop: NextHopIndex) -> usize {
        places.iter().filter(|place| **place == next_hop).count()
    }

    #[test]
    fn places_go_by_weight_and_everybody_gets_one() {
        let places = shared(&[(7, 1), (8, 3)]);
        assert_eq!([7, 8].map(|next_hop| count(&places, next_hop)), [15, 45]);
        let places = shared(&[(7, 1), (8, 255)]);
        assert_eq!([7, 8].map(|next_hop| count(&places, next_hop)), [1, 59]);
        assert_eq!(shared(&[]), GroupEntry::CLOSED.places);
    }

    #[test]
    fn a_member_that_comes_back_takes_its_share_from_the_others() {
        let mut places = shared(&[(1, 1), (2, 1), (3, 1)]);
        share_out(&mut places, &[(1, 1), (3, 1)]);
        assert_eq!([1, 2, 3].map(|next_hop| count(&places, next_hop)), [30, 0, 30]);
        let before = places;
        share_out(&mut places, &[(1, 1), (2, 1), (3, 1)]);
        assert_eq!([1, 2, 3].map(|next_hop| count(&places, next_hop)), [20, 20, 20]);
        let moved = places.iter().zip(before).filter(|(now, then)| **now != *then);
        assert!(moved.clone().all(|(now, _)| *now == 2), "no flow moves between the others");
        assert_eq!(moved.count(), 20);
    }

    #[test]
    fn every_place_is_reached_and_hashes_above_the_lower_half_do_not_matter() {
        let mut entry = GroupEntry::CLOSED;
        entry.places = core::array::from_fn(|at| at as u32);
        let reached: std::collections::BTreeSet<_> = (0..=0xffff).map(|hash| entry.member(hash)).collect();
        assert_eq!(reached.len(), GROUP_PLACES);
        assert_eq!(entry.member(0xabcd_1234), entry.member(0x1234));
        assert_eq!(size_of::<GroupEntry>(), 256);
    }

    proptest! {
        #[test]
        fn the_death_of_one_moves_its_own_flows_only(weights in proptest::collection::vec(1u8.., 1..16), dead in any::<proptest::sample::Index>()) {
            let living: Vec<_> = weights.iter().enumerate().map(|(at, weight)| (at as u32, *weight)).collect();
            let before = shared(&living);
            prop_assert!(living.iter().all(|(next_hop, _)| count(&before, *next_hop) > 0));
            let dead = dead.index(living.len()) as u32;
            let left: Vec<_> = living.into_iter().filter(|(next_hop, _)| *next_hop != dead).collect();
            let mut after = before;
            share_out(&mut after, &left);
            for (then, now) in before.iter().zip(&after) {
                let kept = if *then == dead { *now != dead } else { now == then };
                prop_assert!(kept);
            }
            let mut again = after;
            share_out(&mut again, &left);
            prop_assert_eq!(again, after, "nothing new, nothing moves");
        }
    }
}
