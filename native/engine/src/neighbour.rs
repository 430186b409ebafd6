//! Who is at which MAC on the underlay links: ARP (RFC 826) and neighbour discovery (RFC 4861, 7) as one machine without I/O.
//!
//! Every neighbour that a next hop needs is resolved ahead of traffic and kept fresh: asked by broadcast until it answers, asked
//! by unicast when its answer grows old, forgotten when it stays silent. What goes to one that is dead leaves its group for another's
//! sake, so that must not take long: [`FRESH`] and [`PROBES`] times [`PROBE`], less than three seconds. Answers from anybody else are
//! ignored, so that the table cannot be filled from the network. A neighbour that the controller has fixed is neither asked for nor
//! listened to. Time comes in, frames and changes go out.
//!
//! ```text
//! want → Incomplete ──answer──▶ Reachable ──FRESH──▶ Reachable, asking ──answer──▶ Reachable
//!             ▲  │ every RETRY: ask                       │ PROBES unanswered, PROBE apart
//!             └──┴─────────────── Failed (still asked) ◀──┘
//! ```
//!
//! Everybody is asked about one address at most once a second (RFC 1122, 2.3.2.1), and less often the longer nobody answers: a neighbour that
//! comes back says so itself, as hosts do, or is found within [`SLOWEST`]. The neighbour alone is asked more often (RFC 4861, 7.3.3, would wait
//! a second each time). However many there are, questions leave one by one ([`PACE`]), so that neither a link nor who answers has to take
//! them all at once; with more than [`FRESH`] by [`PACE`], that is 4,000, it takes longer until the dead one is found.

use core::net::{IpAddr, Ipv4Addr};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use types::{MacAddr, PortId};

/// How long between questions to everybody, at first.
const RETRY: Duration = Duration::from_secs(1);
/// How long at the most.
const SLOWEST: Duration = Duration::from_secs(8);
/// How old an answer may grow before it is asked for again; up to a quarter less, so that who answered together is not asked together.
const FRESH: Duration = Duration::from_secs(2);
/// How long between questions to a neighbour that answered before.
const PROBE: Duration = Duration::from_millis(300);
/// Unanswered questions before a neighbour counts as gone (RFC 4861, 10: MAX_UNICAST_SOLICIT).
const PROBES: u8 = 3;
/// How long between any two questions. Half of what is let through to us of answers ([`default_rate`](crate::police::default_rate)).
const PACE: Duration = Duration::from_micros(500);
/// How many may leave at once after a pause.
const AT_ONCE: u32 = 32;

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
pub struct Neighbours {
    entries: BTreeMap<Neighbour, Entry>,
    /// Who is to be asked, in the order of time: everybody but static ones.
    queue: BTreeSet<(Instant, Neighbour)>,
    /// When the next question may leave, if they left at their pace.
    next: Option<Instant>,
    /// Answers so far: they are not all as old as each other.
    answers: u32,
}

impl Neighbours {
    /// The neighbours that are needed from now on, and no others but static ones. New ones are asked for at the next [`Self::poll`].
    pub fn want(&mut self, wanted: &BTreeSet<Neighbour>, now: Instant) {
        let (entries, queue) = (&mut self.entries, &mut self.queue);
        entries.retain(|neighbour, entry| {
            let stays = wanted.contains(neighbour) || entry.state.is_static();
            if !stays {
                queue.remove(&(entry.due, *neighbour));
            }
            stays
        });
        for neighbour in wanted {
            entries.entry(*neighbour).or_insert_with(|| {
                queue.insert((now, *neighbour));
                Entry { state: State::Incomplete, due: now, asked: 0 }
            });
        }
    }

    /// The controller fixes a neighbour's MAC, or (`None`) leaves it to the neighbour again, which is then asked at the next
    /// [`Self::poll`].
    pub fn fix(&mut self, neighbour: Neighbour, mac: Option<MacAddr>, now: Instant) -> Option<Effect> {
        let state = mac.map_or(State::Incomplete, State::Static);
        let old = self.entries.get(&neighbour).map(|entry| (entry.state, entry.due));
        // To release what is not fixed changes nothing.
        if old.is_some_and(|(old, _)| old == state) || mac.is_none() && !old.is_some_and(|(old, _)| old.is_static()) {
            return None;
        }
        if let Some((_, due)) = old {
            self.queue.remove(&(due, neighbour));
        }
        self.entries.insert(neighbour, Entry { state, due: now, asked: 0 });
        if !state.is_static() {
            self.queue.insert((now, neighbour));
        }
        Some(Effect::Changed(neighbour, state))
    }

    /// Somebody on `port` says that `ip` is at `mac`.
    pub fn answered(&mut self, neighbour: Neighbour, mac: MacAddr, now: Instant) -> Option<Effect> {
        let entry = self.entries.get_mut(&neighbour).filter(|entry| !entry.state.is_static())?;
        self.answers = self.answers.wrapping_add(1);
        // Five and eight have no common factor: neighbours that answer in turn get all eighths.
        let early = FRESH / 32 * (self.answers.wrapping_mul(5) % 8);
        self.queue.remove(&(entry.due, neighbour));
        entry.due = now + (FRESH - early);
        entry.asked = 0;
        self.queue.insert((entry.due, neighbour));
        let state = State::Reachable(mac);
        (entry.state != state).then(|| {
            entry.state = state;
            Effect::Changed(neighbour, state)
        })
    }

    /// A link came up: whoever did not answer there is asked as if for the first time.
    pub fn revive(&mut self, port: PortId, now: Instant) {
        let all = (port, IpAddr::V4(Ipv4Addr::UNSPECIFIED))..=(port, IpAddr::V6(u128::MAX.into()));
        let is_silent = |entry: &Entry| entry.state.mac().is_none();
        for (neighbour, entry) in self.entries.range_mut(all).filter(|(_, entry)| is_silent(entry)) {
            self.queue.remove(&(entry.due, *neighbour));
            (entry.due, entry.asked) = (now, 0);
            self.queue.insert((now, *neighbour));
        }
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((due, neighbour)) = self.queue.first().copied().filter(|(due, _)| *due <= now) {
            let Some(entry) = self.entries.get_mut(&neighbour) else { break };
            if entry.asked >= PROBES && entry.state != State::Failed {
                entry.state = State::Failed;
                effects.push(Effect::Changed(neighbour, State::Failed));
            }
            let next = self.next.unwrap_or(now).max(now);
            if next > now + PACE * AT_ONCE {
                break;
            }
            self.next = Some(next + PACE);
            effects.push(Effect::Ask(neighbour, entry.state.mac().unwrap_or(MacAddr::BROADCAST)));
            entry.asked = entry.asked.saturating_add(1);
            let in_vain = u32::from(entry.asked.saturating_sub(PROBES + 1)).min(8);
            let wait = if entry.state.mac().is_some() { PROBE } else { (RETRY * 2u32.pow(in_vain)).min(SLOWEST) };
            entry.due = now + wait;
            self.queue.remove(&(due, neighbour));
            self.queue.insert((entry.due, neighbour));
        }
        effects
    }

    /// The MAC of a neighbour, if it is known.
    pub fn mac(&self, neighbour: Neighbour) -> Option<MacAddr> {
        self.entries.get(&neighbour)?.state.mac()
    }

    /// Whether a neighbour no longer answers.
    pub fn has_failed(&self, neighbour: Neighbour) -> bool {
        self.entries.get(&neighbour).is_some_and(|entry| entry.state == State::Failed)
    }

    /// Every neighbour and its state.
    pub fn iter(&self) -> impl Iterator<Item = (Neighbour, State)> {
        self.entries.iter().map(|(neighbour, entry)| (*neighbour, entry.state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: Neighbour = (PortId(1), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));
    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 3]);

    fn everybody(neighbour: Neighbour) -> Effect {
        Effect::Ask(neighbour, MacAddr::BROADCAST)
    }

    #[test]
    fn a_neighbour_is_asked_for_until_it_answers_refreshed_and_given_up() {
        let wanted = BTreeSet::from([THERE]);
        let mut neighbours = Neighbours::default();
        let mut now = Instant::now();
        neighbours.want(&wanted, now);
        assert_eq!(neighbours.poll(now), [everybody(THERE)]);
        assert_eq!(neighbours.poll(now), []);
        now += RETRY;
        assert_eq!(neighbours.poll(now), [everybody(THERE)]);
        let reachable = Effect::Changed(THERE, State::Reachable(MAC));
        assert_eq!(neighbours.answered(THERE, MAC, now), Some(reachable));
        assert_eq!(neighbours.answered(THERE, MAC, now), None, "nothing new");
        neighbours.want(&wanted, now);
        assert_eq!(neighbours.poll(now), [], "known, and not asked again");
        assert_eq!(neighbours.mac(THERE), Some(MAC));

        let silent = now;
        now += FRESH;
        for _ in 0..PROBES {
            assert_eq!(neighbours.poll(now), [Effect::Ask(THERE, MAC)], "by unicast, and still used");
            now += PROBE;
        }
        assert!(now - silent < Duration::from_secs(3));
        let failed = Effect::Changed(THERE, State::Failed);
        assert_eq!(neighbours.poll(now), [failed, everybody(THERE)]);
        for seconds in [1, 2, 4, 8, 8] {
            assert_eq!(neighbours.poll(now + Duration::from_secs(seconds) - PACE), []);
            now += Duration::from_secs(seconds);
            assert_eq!(neighbours.poll(now), [everybody(THERE)], "asked on, said once");
        }
        neighbours.revive(PortId(2), now);
        assert_eq!(neighbours.poll(now), [], "another link");
        neighbours.revive(THERE.0, now);
        assert_eq!(neighbours.poll(now), [everybody(THERE)]);
        assert_eq!(neighbours.poll(now + RETRY), [everybody(THERE)], "often again, and not said again");
        assert_eq!(neighbours.answered(THERE, OTHER, now), Some(Effect::Changed(THERE, State::Reachable(OTHER))));
    }

    /// By a second machine that answers whatever it is asked, a link's time away.
    #[test]
    fn thousands_are_asked_at_a_pace_and_each_in_time() {
        let ip = |at: u16| (PortId(1), IpAddr::from([10, 0, (at >> 8) as u8, at as u8]));
        let all: BTreeSet<Neighbour> = (0..4_000).map(ip).collect();
        let (mut neighbours, start) = (Neighbours::default(), Instant::now());
        neighbours.want(&all, start);
        let dead = ip(1_234);
        let mut failed = None;
        let tick = Duration::from_millis(5);
        for at in (0..2_000).map(|n| start + tick * n) {
            let effects = neighbours.poll(at);
            let asked: Vec<_> = effects
                .iter()
                .filter_map(|effect| if let Effect::Ask(who, _) = effect { Some(*who) } else { None })
                .collect();
            assert!(asked.len() <= AT_ONCE as usize + 1, "{} at once", asked.len());
            let is_up = at < start + Duration::from_secs(5);
            for who in asked.into_iter().filter(|who| *who != dead || is_up) {
                neighbours.answered(who, MAC, at);
            }
            for effect in effects {
                if let Effect::Changed(who, State::Failed) = effect {
                    assert_eq!(failed.replace(at), None, "{who:?}");
                    assert_eq!(who, dead);
                }
            }
        }
        let took = failed.expect("it is found") - (start + Duration::from_secs(5));
        assert!(took <= Duration::from_millis(3_200), "{took:?}");
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
        neighbours.want(&wanted, now);
        neighbours.want(&nobody, now);
        now += FRESH;
        assert_eq!(neighbours.poll(now), []);
        assert_eq!(neighbours.answered(THERE, OTHER, now), None);
        assert_eq!(neighbours.mac(THERE), Some(MAC), "kept, needed or not");
        let moved = Effect::Changed(THERE, State::Static(OTHER));
        assert_eq!(neighbours.fix(THERE, Some(OTHER), now), Some(moved));

        neighbours.want(&wanted, now);
        assert_eq!(neighbours.fix(THERE, None, now), Some(Effect::Changed(THERE, State::Incomplete)));
        neighbours.want(&wanted, now);
        assert_eq!(neighbours.poll(now), [Effect::Ask(THERE, MacAddr::BROADCAST)]);
        assert_eq!(neighbours.answered(THERE, MAC, now), Some(Effect::Changed(THERE, State::Reachable(MAC))));
        assert_eq!(neighbours.fix(THERE, None, now), None, "an answer is not a fixed MAC");
        neighbours.fix(THERE, Some(MAC), now);
        neighbours.fix(THERE, None, now);
        neighbours.want(&nobody, now);
        assert_eq!(neighbours.iter().count(), 0);
    }
}
