//! The groups that we are in on each link, as routers and snooping switches are told: the host's side of IGMP (RFC 3376) and MLD (RFC 3810) as
//! a machine without I/O.
//!
//! We hear a group from whoever sends ("exclude nobody"), so a group is joined or left and has no further state. News is told at once and
//! again as often as the robustness variable says, each time after a random while; a query is answered after a random while that it bounds.
//! Who asks by an older version is answered by it, until it has been silent for long (RFC 3376, 7.2.1; RFC 3810, 8.2.1). Other hosts' reports
//! are not heard, so none of ours is held back because of them, which a switch that snoops would have to forgive (RFC 4541, 2.1.1).
//!
//! ```text
//!  not wanted ──want──▶ joined: told ─▶ told again, robustness - 1 times ─▶ quiet ◀──▶ asked: answer due
//!       ▲                  │ no longer wanted
//!       └── told again ◀── left: told
//! ```
//! What is kept of a query is bounded: an instant and a few sources a group. Whatever asks for more is answered as if about the whole group.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use types::PortId;
use wire::{MEMBERSHIP_SOURCES, MembershipProtocol, MembershipQuery, MembershipRecord, RecordKind};

/// How often news is told unless a querier says otherwise (RFC 3376, 8.1; RFC 3810, 9.1).
const ROBUSTNESS: u8 = 2;
/// Seconds between general queries unless a querier says otherwise (RFC 3376, 8.2; RFC 3810, 9.2).
const INTERVAL: Duration = Duration::from_secs(125);
/// How long an answer to a general query may take (RFC 3376, 8.3; RFC 3810, 9.3): part of how long an older querier counts as present.
const RESPONSE: Duration = Duration::from_secs(10);
/// The longest while between two tellings of one piece of news (RFC 3376, 8.11; RFC 3810, 9.11).
const REPEAT: Duration = Duration::from_secs(1);
/// The same of older versions (RFC 2236, 8.10; RFC 2710, 7.10).
const REPEAT_OLD: Duration = Duration::from_secs(10);

/// What is to be told on a link. A protocol without records tells each of them in a packet of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The link.
    pub port: PortId,
    /// The protocol to tell it by.
    pub protocol: MembershipProtocol,
    /// What to tell.
    pub records: Vec<MembershipRecord>,
}

/// A group that we are in, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The link, and the group.
    pub group: (PortId, IpAddr),
    /// The protocol that is spoken there.
    pub protocol: MembershipProtocol,
    /// How often the group was reported.
    pub reports: u64,
    /// Queries that were heard on the link, of all groups of the family.
    pub queries: u64,
}

#[derive(Debug, Default)]
struct Group {
    /// False: it was left, which is still being told.
    wanted: bool,
    /// News to be told so often, the next time then.
    news: Option<(u8, Instant)>,
    /// A query to be answered then, about these sources only.
    answer: Option<(Instant, Vec<IpAddr>)>,
    reports: u64,
}

/// One family on one link.
#[derive(Debug)]
struct Link {
    groups: BTreeMap<IpAddr, Group>,
    /// Until when queriers of the oldest version, and of the one after it, count as present.
    older: [Option<Instant>; 2],
    robustness: u8,
    interval: Duration,
    /// When all groups are to be reported together.
    answer: Option<Instant>,
    queries: u64,
}

impl Link {
    fn new() -> Self {
        let (groups, robustness, interval) = (BTreeMap::new(), ROBUSTNESS, INTERVAL);
        Self { groups, older: [None; 2], robustness, interval, answer: None, queries: 0 }
    }

    fn protocol(&self, is_v6: bool, now: Instant) -> MembershipProtocol {
        let is_present = |until: Option<Instant>| until.is_some_and(|until| now < until);
        match (is_v6, self.older.map(is_present)) {
            (true, [_, true]) => MembershipProtocol::Mld1,
            (true, _) => MembershipProtocol::Mld2,
            (false, [true, _]) => MembershipProtocol::Igmp1,
            (false, [_, true]) => MembershipProtocol::Igmp2,
            (false, _) => MembershipProtocol::Igmp3,
        }
    }

    /// Notes what a query says of its sender.
    fn meet(&mut self, query: &MembershipQuery<'_>, now: Instant) {
        let until = Some(now + self.interval * self.robustness.into() + RESPONSE);
        match query.protocol {
            MembershipProtocol::Igmp1 => self.older[0] = until,
            // Who asks about one group may be a proxy of another querier (RFC 3376, 7.2.1).
            MembershipProtocol::Igmp2 if query.group.is_some() => {}
            MembershipProtocol::Igmp2 | MembershipProtocol::Mld1 => self.older[1] = until,
            MembershipProtocol::Igmp3 | MembershipProtocol::Mld2 => {
                self.robustness = if query.robustness == 0 { ROBUSTNESS } else { query.robustness };
                self.interval = match query.interval_s {
                    0 => INTERVAL,
                    seconds => Duration::from_secs(seconds.into()),
                };
            }
        }
    }

    /// Forgets what was to be told: the protocol has changed.
    fn forget(&mut self) {
        self.answer = None;
        self.groups.retain(|_, group| group.wanted);
        self.groups.values_mut().for_each(|group| (group.news, group.answer) = (None, None));
    }
}

/// The machine.
#[derive(Debug)]
pub struct Memberships {
    /// By port, and whether it is IPv6.
    links: BTreeMap<(PortId, bool), Link>,
    random: u64,
    /// Nothing is due before; `None`: nothing at all.
    next: Option<Instant>,
}

impl Memberships {
    /// In no group. `seed` should be random: hosts must not answer all at once.
    pub fn new(seed: u64) -> Self {
        Self { links: BTreeMap::new(), random: seed | 1, next: None }
    }

    /// The groups that we are in from now on, and no others.
    pub fn want(&mut self, wanted: &BTreeSet<(PortId, IpAddr)>, now: Instant) {
        for (port, ip) in wanted {
            let link = self.links.entry((*port, ip.is_ipv6())).or_insert_with(Link::new);
            let group = link.groups.entry(*ip).or_default();
            if !core::mem::replace(&mut group.wanted, true) {
                group.news = Some((link.robustness, now));
            }
        }
        for ((port, _), link) in &mut self.links {
            let left = |ip: &IpAddr, group: &Group| group.wanted && !wanted.contains(&(*port, *ip));
            for (_, group) in link.groups.iter_mut().filter(|(ip, group)| left(ip, group)) {
                (group.wanted, group.news, group.answer) = (false, Some((link.robustness, now)), None);
            }
        }
        self.next = Some(now);
    }

    /// A link came up, or has got the address that it should be told from (RFC 3590, 4): whoever is there now has heard nothing.
    pub fn introduce(&mut self, port: PortId, now: Instant) {
        for (_, link) in self.links.iter_mut().filter(|((other, _), _)| *other == port) {
            let robustness = link.robustness;
            let all = link.groups.values_mut().filter(|group| group.wanted);
            all.for_each(|group| group.news = Some((robustness, now)));
        }
        self.next = Some(now);
    }

    /// A port is gone.
    pub fn forget(&mut self, port: PortId) {
        self.links.retain(|(other, _), _| *other != port);
    }

    /// Somebody asks.
    pub fn heard(&mut self, port: PortId, query: &MembershipQuery<'_>, now: Instant) {
        let is_v6 = matches!(query.protocol, MembershipProtocol::Mld1 | MembershipProtocol::Mld2);
        let Some(link) = self.links.get_mut(&(port, is_v6)) else { return };
        link.queries += 1;
        let before = link.protocol(is_v6, now);
        link.meet(query, now);
        let protocol = link.protocol(is_v6, now);
        if protocol != before {
            link.forget();
        }
        self.next = Some(now);
        let random = &mut self.random;
        let mut due = || now + while_below(random, Duration::from_millis(query.max_response_ms.into()));
        let sooner = |old: Option<Instant>, due: Instant| Some(old.map_or(due, |old| old.min(due)));
        match query.group {
            None if protocol.has_records() => link.answer = sooner(link.answer, due()),
            None => {
                for group in link.groups.values_mut().filter(|group| group.wanted) {
                    let old = group.answer.as_ref().map(|(old, _)| *old);
                    group.answer = sooner(old, due()).map(|due| (due, Vec::new()));
                }
            }
            Some(ip) => {
                let due = due();
                // What is to be told of all groups tells of this one, too.
                let is_told = link.answer.is_some_and(|all| all <= due);
                let Some(group) = link.groups.get_mut(&ip).filter(|group| group.wanted && !is_told) else { return };
                let asked: Vec<IpAddr> = query.sources().take(MEMBERSHIP_SOURCES + 1).collect();
                group.answer = Some(match group.answer.take() {
                    None => (due, bounded(asked)),
                    Some((old, sources)) if sources.is_empty() || asked.is_empty() => (old.min(due), Vec::new()),
                    Some((old, mut sources)) => {
                        let new: Vec<_> = asked.into_iter().filter(|source| !sources.contains(source)).collect();
                        sources.extend(new);
                        (old.min(due), bounded(sources))
                    }
                });
            }
        }
    }

    /// What is due.
    pub fn poll(&mut self, now: Instant) -> Vec<Report> {
        let mut reports = Vec::new();
        if self.next.is_none_or(|next| now < next) {
            return reports;
        }
        let mut next: Option<Instant> = None;
        let is_due = |due: Instant| due <= now;
        for ((port, is_v6), link) in &mut self.links {
            let protocol = link.protocol(*is_v6, now);
            let repeat = if protocol.has_records() { REPEAT } else { REPEAT_OLD };
            let all = link.answer.take_if(|due| is_due(*due)).is_some();
            let (mut news, mut answers) = (Vec::new(), Vec::new());
            for (ip, group) in &mut link.groups {
                let record = |kind, sources| MembershipRecord { kind, group: *ip, sources };
                if let Some((times, _)) = group.news.take_if(|(_, due)| is_due(*due)) {
                    let kind = if group.wanted { RecordKind::ToExclude } else { RecordKind::ToInclude };
                    news.push(record(kind, Vec::new()));
                    group.reports += 1;
                    let again = now + while_below(&mut self.random, repeat);
                    group.news = times.checked_sub(1).filter(|times| *times != 0).map(|times| (times, again));
                }
                let answer = group.answer.take_if(|(due, _)| is_due(*due));
                if group.wanted && (all || answer.is_some()) {
                    // From whoever sends, so from each of those that were asked about (RFC 3376, 5.2; RFC 3810, 6.3).
                    answers.push(match answer {
                        Some((_, sources)) if !all && !sources.is_empty() => record(RecordKind::IsInclude, sources),
                        _ => record(RecordKind::IsExclude, Vec::new()),
                    });
                    group.reports += 1;
                }
                let dues = group.news.iter().map(|(_, due)| *due).chain(group.answer.iter().map(|(due, _)| *due));
                next = dues.chain(next).min();
            }
            next = link.answer.into_iter().chain(next).min();
            link.groups.retain(|_, group| group.wanted || group.news.is_some());
            let said = [news, answers].into_iter().filter(|records| !records.is_empty());
            reports.extend(said.map(|records| Report { port: *port, protocol, records }));
        }
        self.next = next;
        reports
    }

    /// The groups that we are in.
    pub fn rows(&self, now: Instant) -> impl Iterator<Item = Row> {
        self.links.iter().flat_map(move |((port, is_v6), link)| {
            let protocol = link.protocol(*is_v6, now);
            let wanted = link.groups.iter().filter(|(_, group)| group.wanted);
            wanted.map(move |(ip, group)| Row {
                group: (*port, *ip),
                protocol,
                reports: group.reports,
                queries: link.queries,
            })
        })
    }
}

/// Sources to be answered about; none, that is the whole group, if they are too many.
fn bounded(sources: Vec<IpAddr>) -> Vec<IpAddr> {
    if sources.len() > MEMBERSHIP_SOURCES { Vec::new() } else { sources }
}

/// A random while, at most `longest` (xorshift64*).
fn while_below(random: &mut u64, longest: Duration) -> Duration {
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    let number = random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
    Duration::from_micros(((longest.as_micros() * u128::from(number)) >> 32) as u64)
}

#[cfg(test)]
mod tests;
