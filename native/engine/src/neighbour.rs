//! Who is at which MAC on the underlay links: ARP (RFC 826) and neighbour discovery (RFC 4861, 7) as one machine without I/O.
//!
//! Every neighbour that a next hop needs is resolved ahead of traffic and kept fresh: asked by broadcast until it answers, asked
//! by unicast when its answer grows old, forgotten when it stays silent. Answers from anybody else are ignored, so that the table
//! cannot be filled from the network. A neighbour that the controller has fixed is neither asked for nor listened to. Time comes in,
//! frames and changes go out.
//!
//! ```text
//! want → Incomplete ──answer──▶ Reachable ──REFRESH──▶ Reachable, asking ──answer──▶ Reachable
//!             ▲  │ every RETRY: ask                         │ PROBES unanswered
//!             └──┴───────────────── Failed (still asked) ◀──┘
//! ```

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use types::{MacAddr, PortId};

/// How long between questions.
const RETRY: Duration = Duration::from_secs(1);
/// How old an answer may grow before it is asked for again.
const REFRESH: Duration = Duration::from_secs(30);
/// Unanswered questions before a neighbour counts as gone.
const PROBES: u8 = 3;

/// What is known of a neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Asked, never answered.
    Incomplete,
    /// At this MAC.
    Reachable(MacAddr),
    /// No longer answers.
    Failed,
    /// At this MAC, because the controller says so.
    Static(MacAddr),
}

impl State {
    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Reachable(_) => "reachable",
            Self::Failed => "failed",
            Self::Static(_) => "static",
        }
    }

    /// The neighbour's MAC, if it can be sent to.
    pub fn mac(self) -> Option<MacAddr> {
        match self {
            Self::Reachable(mac) | Self::Static(mac) => Some(mac),
            Self::Incomplete | Self::Failed => None,
        }
    }

    fn is_static(self) -> bool {
        matches!(self, Self::Static(_))
    }
}

/// A neighbour: a link and an address on it.
pub type Neighbour = (PortId, IpAddr);

/// What the machine wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Ask for the neighbour, of everybody or of the MAC it had.
    Ask(Neighbour, MacAddr),
    /// The neighbour's state changed.
    Changed(Neighbour, State),
}

#[derive(Debug)]
struct Entry {
    state: State,
    /// When to ask next.
    due: Instant,
    /// Questions since the last answer.
    asked: u8,
}

/// The machine.
#[derive(Default, Debug)]
pub struct Neighbours(BTreeMap<Neighbour, Entry>);

impl Neighbours {
    /// The neighbours that are needed from now on, and no others but static ones.
    pub fn want(&mut self, wanted: &BTreeSet<Neighbour>, now: Instant) -> Vec<Effect> {
        self.0.retain(|neighbour, entry| wanted.contains(neighbour) || entry.state.is_static());
        let mut effects = Vec::new();
        for neighbour in wanted {
            self.0.entry(*neighbour).or_insert_with(|| {
                effects.push(Effect::Ask(*neighbour, MacAddr::BROADCAST));
                Entry { state: State::Incomplete, due: now + RETRY, asked: 1 }
            });
        }
        effects
    }

    /// The controller fixes a neighbour's MAC, or (`None`) leaves it to the neighbour again, which is then asked at the next
    /// [`Self::poll`].
    pub fn fix(&mut self, neighbour: Neighbour, mac: Option<MacAddr>, now: Instant) -> Option<Effect> {
        let state = mac.map_or(State::Incomplete, State::Static);
        let old = self.0.get(&neighbour).map(|entry| entry.state);
        // To release what is not fixed changes nothing.
        if old == Some(state) || mac.is_none() && !old.is_some_and(State::is_static) {
            return None;
        }
        self.0.insert(neighbour, Entry { state, due: now, asked: 0 });
        Some(Effect::Changed(neighbour, state))
    }

    /// Somebody on `port` says that `ip` is at `mac`.
    pub fn answered(&mut self, neighbour: Neighbour, mac: MacAddr, now: Instant) -> Option<Effect> {
        let entry = self.0.get_mut(&neighbour).filter(|entry| !entry.state.is_static())?;
        entry.due = now + REFRESH;
        entry.asked = 0;
        let state = State::Reachable(mac);
        (entry.state != state).then(|| {
            entry.state = state;
            Effect::Changed(neighbour, state)
        })
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        let due = |entry: &Entry| entry.due <= now && !entry.state.is_static();
        for (neighbour, entry) in self.0.iter_mut().filter(|(_, entry)| due(entry)) {
            entry.due = now + RETRY;
            if entry.asked >= PROBES && entry.state != State::Failed {
                entry.state = State::Failed;
                effects.push(Effect::Changed(*neighbour, State::Failed));
            }
            entry.asked = entry.asked.saturating_add(1);
            effects.push(Effect::Ask(*neighbour, entry.state.mac().unwrap_or(MacAddr::BROADCAST)));
        }
        effects
    }

    /// The MAC of a neighbour, if it is known.
    pub fn mac(&self, neighbour: Neighbour) -> Option<MacAddr> {
        self.0.get(&neighbour)?.state.mac()
    }

    /// Every neighbour and its state.
    pub fn iter(&self) -> impl Iterator<Item = (Neighbour, State)> {
        self.0.iter().map(|(neighbour, entry)| (*neighbour, entry.state))
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    const THERE: Neighbour = (PortId(1), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));
    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 3]);

    #[test]
    fn a_neighbour_is_asked_for_until_it_answers_refreshed_and_given_up() {
        let wanted = BTreeSet::from([THERE]);
        let mut neighbours = Neighbours::default();
        let mut now = Instant::now();
        assert_eq!(neighbours.want(&wanted, now), [Effect::Ask(THERE, MacAddr::BROADCAST)]);
        assert_eq!(neighbours.poll(now), []);
        now += RETRY;
        assert_eq!(neighbours.poll(now), [Effect::Ask(THERE, MacAddr::BROADCAST)]);
        let reachable = Effect::Changed(THERE, State::Reachable(MAC));
        assert_eq!(neighbours.answered(THERE, MAC, now), Some(reachable));
        assert_eq!(neighbours.answered(THERE, MAC, now), None, "nothing new");
        assert_eq!(neighbours.want(&wanted, now), [], "known, and not asked again");
        assert_eq!(neighbours.mac(THERE), Some(MAC));

        now += REFRESH;
        for _ in 0..PROBES {
            assert_eq!(neighbours.poll(now), [Effect::Ask(THERE, MAC)], "by unicast, and still used");
            now += RETRY;
        }
        let failed = Effect::Changed(THERE, State::Failed);
        assert_eq!(neighbours.poll(now), [failed, Effect::Ask(THERE, MacAddr::BROADCAST)]);
        now += RETRY;
        assert_eq!(neighbours.poll(now), [Effect::Ask(THERE, MacAddr::BROADCAST)], "asked on, said once");
        assert_eq!(neighbours.answered(THERE, OTHER, now), Some(Effect::Changed(THERE, State::Reachable(OTHER))));
    }

    #[test]
    fn a_changed_mac_is_taken_over_and_strangers_are_ignored() {
        let mut neighbours = Neighbours::default();
        let now = Instant::now();
        neighbours.want(&BTreeSet::from([THERE]), now);
        neighbours.answered(THERE, MAC, now);
        assert_eq!(neighbours.answered(THERE, OTHER, now), Some(Effect::Changed(THERE, State::Reachable(OTHER))));
        let stranger = (PortId(1), Ipv4Addr::new(192, 0, 2, 77).into());
        assert_eq!(neighbours.answered(stranger, MAC, now), None);
        assert_eq!(neighbours.iter().count(), 1);
        neighbours.want(&BTreeSet::new(), now);
        assert_eq!(neighbours.iter().count(), 0);
    }

    #[test]
    fn a_static_neighbour_is_never_asked_nor_listened_to_until_it_is_released() {
        let (wanted, nobody) = (BTreeSet::from([THERE]), BTreeSet::new());
        let mut neighbours = Neighbours::default();
        let mut now = Instant::now();
        assert_eq!(neighbours.fix(THERE, None, now), None, "it was not fixed");
        let fixed = Effect::Changed(THERE, State::Static(MAC));
        assert_eq!(neighbours.fix(THERE, Some(MAC), now), Some(fixed));
        assert_eq!(neighbours.fix(THERE, Some(MAC), now), None, "nothing new");
        assert_eq!(neighbours.want(&wanted, now), []);
        assert_eq!(neighbours.want(&nobody, now), []);
        now += REFRESH;
        assert_eq!(neighbours.poll(now), []);
        assert_eq!(neighbours.answered(THERE, OTHER, now), None);
        assert_eq!(neighbours.mac(THERE), Some(MAC), "kept, needed or not");
        let moved = Effect::Changed(THERE, State::Static(OTHER));
        assert_eq!(neighbours.fix(THERE, Some(OTHER), now), Some(moved));

        neighbours.want(&wanted, now);
        assert_eq!(neighbours.fix(THERE, None, now), Some(Effect::Changed(THERE, State::Incomplete)));
        assert_eq!(neighbours.want(&wanted, now), []);
        assert_eq!(neighbours.poll(now), [Effect::Ask(THERE, MacAddr::BROADCAST)]);
        assert_eq!(neighbours.answered(THERE, MAC, now), Some(Effect::Changed(THERE, State::Reachable(MAC))));
        assert_eq!(neighbours.fix(THERE, None, now), None, "an answer is not a fixed MAC");
        neighbours.fix(THERE, Some(MAC), now);
        neighbours.fix(THERE, None, now);
        neighbours.want(&nobody, now);
        assert_eq!(neighbours.iter().count(), 0);
    }
}
