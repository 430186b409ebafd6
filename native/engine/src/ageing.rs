//! Which rows nothing was seen of for as long as their controller set: each is told once, and again when something was seen meanwhile.
//!
//! Pollers note in the table that a row is in use ([`tables::Row::mark`]); here is when that was last found to have changed. A look takes a
//! part of the rows, so that a million of them hold up nobody. It decides nothing: what is told stays until the controller deletes it.

use core::ops::Bound;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use types::{MacAddr, VnId};

/// Looks in which all rows should have had their turn: about a second.
const ROUND: usize = 200;
/// The most rows of one look.
const PART: usize = 2_048;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Watched {
    age_s: u16,
    /// What the table said last.
    seen: u16,
    /// When that changed; `None`: it was not looked at yet.
    since: Option<Instant>,
    is_told: bool,
}

/// The rows that age.
#[derive(Default, Debug)]
pub struct Ageing {
    rows: BTreeMap<(VnId, MacAddr), Watched>,
    /// The last row that had its turn.
    last: Option<(VnId, MacAddr)>,
}

impl Ageing {
    /// A row that is new or has moved is told after `age_s` seconds from now; 0: never, as is a row that went.
    pub fn set(&mut self, vn: VnId, mac: MacAddr, age_s: u16) {
        if age_s == 0 {
            self.rows.remove(&(vn, mac));
        } else {
            self.rows.insert((vn, mac), Watched { age_s, seen: 0, since: None, is_told: false });
        }
    }

    /// After how many seconds a row is told; 0: never.
    pub fn age_s(&self, vn: VnId, mac: MacAddr) -> u16 {
        self.rows.get(&(vn, mac)).map_or(0, |row| row.age_s)
    }

    /// Every row that ages.
    #[cfg(test)]
    pub fn rows(&self) -> impl Iterator<Item = (VnId, MacAddr, u16)> {
        self.rows.iter().map(|((vn, mac), row)| (*vn, *mac, row.age_s))
    }

    /// Looks at some rows. `seen` is what the table says of a row; `tell` says whether it was told.
    pub fn look(
        &mut self,
        now: Instant,
        seen: impl Fn(VnId, MacAddr) -> Option<u16>,
        mut tell: impl FnMut(VnId, MacAddr) -> bool,
    ) {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let part = (self.rows.len() / ROUND + 1).min(PART);
        self.last = None;
        let mut left = part;
        for ((vn, mac), row) in self.rows.range_mut((after, Bound::Unbounded)).take(part) {
            left -= 1;
            if left == 0 {
                self.last = Some((*vn, *mac));
            }
            let current = seen(*vn, *mac).unwrap_or(row.seen);
            if current != row.seen || row.since.is_none() {
                (row.seen, row.since, row.is_told) = (current, Some(now), false);
            }
            let silence = row.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
            if !row.is_told && silence >= Duration::from_secs(row.age_s.into()) {
                row.is_told = tell(*vn, *mac);
            }
        }
        if self.last == self.rows.keys().next_back().copied() {
            self.last = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const VN: VnId = VnId(7);

    fn mac(number: u32) -> MacAddr {
        let [a, b, c, d] = number.to_be_bytes();
        MacAddr([2, 0, a, b, c, d])
    }

    #[test]
    fn a_silent_row_is_told_once_and_again_after_it_was_seen() {
        let (mut ageing, start, seen, room) = (Ageing::default(), Instant::now(), Cell::new(2), Cell::new(true));
        ageing.set(VN, mac(1), 10);
        ageing.set(VN, mac(2), 0);
        let mut told_at = |second: u64| {
            let mut told = Vec::new();
            ageing.look(
                start + Duration::from_secs(second),
                |_, _| Some(seen.get()),
                |vn, mac| {
                    told.push((vn, mac));
                    room.get()
                },
            );
            told
        };
        let row = [(VN, mac(1))];
        assert_eq!((told_at(0), told_at(9), told_at(10), told_at(99)), (vec![], vec![], row.to_vec(), vec![]));
        seen.set(9);
        assert_eq!((told_at(100), told_at(109)), (vec![], vec![]), "it was seen at 100");
        seen.set(11);
        assert_eq!((told_at(109), told_at(118)), (vec![], vec![]));
        room.set(false);
        assert_eq!(
            (told_at(119), told_at(120)),
            (row.to_vec(), row.to_vec()),
            "what was lost on the way is told again"
        );
        room.set(true);
        assert_eq!((told_at(121), told_at(122)), (row.to_vec(), vec![]));
        ageing.set(VN, mac(1), 0);
        assert_eq!(ageing.rows().count(), 0);
    }

    #[test]
    fn many_rows_have_their_turn_one_part_after_the_other() {
        let (mut ageing, start) = (Ageing::default(), Instant::now());
        (0..1_000_000).for_each(|number| ageing.set(VN, mac(number), 1));
        let (most, mut told) = (Cell::new(0), 0);
        let looks = 1_000_000 / PART + 1;
        for second in [0, 1] {
            for _ in 0..looks {
                let looked = Cell::new(0);
                ageing.look(
                    start + Duration::from_secs(second),
                    |_, _| {
                        looked.set(looked.get() + 1);
                        None
                    },
                    |_, _| {
                        told += 1;
                        true
                    },
                );
                most.set(most.get().max(looked.get()));
            }
        }
        assert_eq!((told, most.get()), (1_000_000, PART), "each once");
    }
}
