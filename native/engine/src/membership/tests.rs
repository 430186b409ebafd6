use super::*;

const PORT: PortId = PortId(1);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn wanted(groups: &[&str]) -> BTreeSet<(PortId, IpAddr)> {
    groups.iter().map(|group| (PORT, ip(group))).collect()
}

/// A machine and its time.
struct Bench {
    memberships: Memberships,
    now: Instant,
}

impl Bench {
    /// In these groups, and everybody knows.
    fn quiet(groups: &[&str]) -> Self {
        let now = Instant::now();
        let mut bench = Self { memberships: Memberships::new(7), now };
        bench.memberships.want(&wanted(groups), now);
        bench.run(Duration::from_secs(30));
        bench
    }

    /// What is told within a while: when, by which protocol, of which groups what.
    fn run(&mut self, length: Duration) -> Vec<(Duration, String)> {
        let (mut told, end, began) = (Vec::new(), self.now + length, self.now);
        while self.now <= end {
            for report in self.memberships.poll(self.now) {
                assert_eq!(report.port, PORT);
                let records: Vec<_> = report.records.iter().map(text).collect();
                told.push((self.now - began, format!("{}: {}", report.protocol.name(), records.join(", "))));
            }
            self.now += Duration::from_millis(1);
        }
        told
    }

    fn hear(&mut self, query: MembershipQuery<'_>) {
        self.memberships.heard(PORT, &query, self.now);
    }

    fn row(&self, group: &str) -> Option<(&'static str, u64, u64)> {
        let row = self.memberships.rows(self.now).find(|row| row.group == (PORT, ip(group)))?;
        Some((row.protocol.name(), row.reports, row.queries))
    }
}

fn text(record: &MembershipRecord) -> String {
    let sources: Vec<_> = record.sources.iter().map(ToString::to_string).collect();
    format!("{:?} {} [{}]", record.kind, record.group, sources.join(" "))
}

fn texts(told: &[(Duration, String)]) -> Vec<&str> {
    told.iter().map(|(_, text)| text.as_str()).collect()
}

const GENERAL: MembershipQuery<'_> = MembershipQuery {
    protocol: MembershipProtocol::Igmp3,
    group: None,
    max_response_ms: 2_000,
    robustness: 2,
    interval_s: 125,
    sources: &[],
};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn news_is_told_at_once_and_once_more_within_a_second() {
    let now = Instant::now();
    let mut bench = Bench { memberships: Memberships::new(1), now };
    bench.memberships.want(&wanted(&["239.1.1.1", "239.1.1.2", "ff05::1"]), now);
    let told = bench.run(MINUTE);
    let together = "igmpv3: ToExclude 239.1.1.1 [], ToExclude 239.1.1.2 []";
    assert_eq!(texts(&told)[..2], [together, "mldv2: ToExclude ff05::1 []"], "one report of both groups");
    assert!(told[0].0.is_zero() && told[1].0.is_zero());
    let again = |group: &str| told[2..].iter().filter(|(_, text)| text.contains(group)).collect::<Vec<_>>();
    for group in ["239.1.1.1", "239.1.1.2", "ff05::1"] {
        let [(when, _)] = again(group)[..] else { panic!("{told:?}") };
        assert!(!when.is_zero() && *when <= REPEAT, "{group}");
    }

    bench.memberships.want(&wanted(&["239.1.1.2"]), bench.now);
    assert_eq!(bench.row("239.1.1.1"), None);
    let told = bench.run(MINUTE);
    assert_eq!(texts(&told)[..2], ["igmpv3: ToInclude 239.1.1.1 []", "mldv2: ToInclude ff05::1 []"]);
    assert_eq!((told.len(), bench.run(MINUTE).len()), (4, 0));
    bench.memberships.want(&wanted(&["239.1.1.2"]), bench.now);
    assert_eq!(bench.run(MINUTE).len(), 0, "nothing new");
    assert_eq!(bench.row("239.1.1.2"), Some(("igmpv3", 2, 0)));
}

#[test]
fn who_comes_back_while_leaving_is_in_again() {
    let mut bench = Bench::quiet(&["239.1.1.1"]);
    bench.memberships.want(&wanted(&[]), bench.now);
    assert_eq!(texts(&bench.run(Duration::ZERO)), ["igmpv3: ToInclude 239.1.1.1 []"]);
    bench.memberships.want(&wanted(&["239.1.1.1"]), bench.now);
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv3: ToExclude 239.1.1.1 []"; 2]);
    bench.memberships.introduce(PORT, bench.now);
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv3: ToExclude 239.1.1.1 []"; 2], "the link was down");
    bench.memberships.forget(PORT);
    bench.memberships.want(&wanted(&[]), bench.now);
    assert!(bench.run(MINUTE).is_empty(), "a port that is gone is told nothing");
}

#[test]
fn a_query_is_answered_once_after_a_random_while_that_it_bounds() {
    let mut whiles = BTreeSet::new();
    for seed in 1..50 {
        let mut bench = Bench::quiet(&["239.1.1.1", "239.1.1.2"]);
        bench.memberships.random = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed);
        bench.hear(GENERAL);
        bench.run(Duration::from_millis(1));
        bench.hear(GENERAL);
        let told = bench.run(MINUTE);
        let all = "igmpv3: IsExclude 239.1.1.1 [], IsExclude 239.1.1.2 []";
        assert!(texts(&told) == [all] || texts(&told).is_empty(), "{told:?}");
        whiles.extend(told.iter().map(|(when, _)| when.as_millis() / 200));
        assert!(told.iter().all(|(when, _)| *when <= Duration::from_secs(2)));
    }
    assert!(whiles.len() > 6, "spread over two seconds: {whiles:?}");

    let mut bench = Bench::quiet(&["239.1.1.1", "239.1.1.2"]);
    bench.hear(MembershipQuery { group: Some(ip("239.1.1.2")), ..GENERAL });
    bench.hear(MembershipQuery { group: Some(ip("239.1.1.9")), ..GENERAL });
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv3: IsExclude 239.1.1.2 []"]);
    assert_eq!(bench.row("239.1.1.2").unwrap().2, 2);
    bench.hear(MembershipQuery { max_response_ms: 0, ..GENERAL });
    assert_eq!(bench.run(Duration::ZERO).len(), 1, "at once");
}

/// A query about these sources of a group.
fn about(sources: &[u8]) -> MembershipQuery<'_> {
    MembershipQuery { group: Some(ip("239.1.1.1")), sources, ..GENERAL }
}

#[test]
fn the_longest_while_that_can_be_asked_for_is_one() {
    let longest = Duration::from_millis(8_387_584);
    let whiles: Vec<_> = (1..200u64).map(|seed| while_below(&mut (seed << 40 | seed), longest)).collect();
    assert!(whiles.iter().all(|length| *length <= longest) && whiles.iter().any(|length| *length > longest / 2));
}

#[test]
fn who_asks_about_sources_is_told_of_them_and_too_many_are_the_whole_group() {
    let of = |sources: &[[u8; 4]]| sources.concat();
    let mut bench = Bench::quiet(&["239.1.1.1"]);
    bench.hear(about(&of(&[[10, 0, 0, 1], [10, 0, 0, 2]])));
    bench.hear(about(&of(&[[10, 0, 0, 2], [10, 0, 0, 3]])));
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv3: IsInclude 239.1.1.1 [10.0.0.1 10.0.0.2 10.0.0.3]"]);
    bench.hear(about(&of(&[[10, 0, 0, 1]])));
    bench.hear(about(&[]));
    bench.hear(about(&of(&[[10, 0, 0, 1]])));
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv3: IsExclude 239.1.1.1 []"], "about whoever sends");
    let many: Vec<u8> = (0..=MEMBERSHIP_SOURCES as u8).flat_map(|last| [10, 0, 0, last]).collect();
    bench.hear(about(&many));
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv3: IsExclude 239.1.1.1 []"]);
    for last in 0..200u8 {
        bench.hear(about(&of(&[[10, 0, 1, last]])));
        let kept = bench.memberships.links[&(PORT, false)].groups[&ip("239.1.1.1")].answer.as_ref();
        assert!(kept.is_some_and(|(_, sources)| sources.len() <= MEMBERSHIP_SOURCES), "one by one");
    }
    bench.hear(MembershipQuery { max_response_ms: 0, ..GENERAL });
    assert_eq!(texts(&bench.run(Duration::ZERO)), ["igmpv3: IsExclude 239.1.1.1 []"], "all includes it");
}

#[test]
fn an_older_querier_is_answered_by_its_version_until_it_has_been_silent_for_long() {
    let old = |protocol| MembershipQuery { protocol, robustness: 0, interval_s: 0, ..GENERAL };
    let mut bench = Bench::quiet(&["239.1.1.1", "239.1.1.2"]);
    bench.hear(old(MembershipProtocol::Igmp2));
    let told = bench.run(MINUTE);
    let mut all = texts(&told);
    all.sort_unstable();
    assert_eq!(all, ["igmpv2: IsExclude 239.1.1.1 []", "igmpv2: IsExclude 239.1.1.2 []"], "each for itself");
    assert_ne!(told[0].0, told[1].0);
    bench.memberships.want(&wanted(&["239.1.1.1"]), bench.now);
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv2: ToInclude 239.1.1.2 []"; 2]);
    bench.hear(old(MembershipProtocol::Igmp1));
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv1: IsExclude 239.1.1.1 []"], "the oldest counts");
    // Robustness times interval and a response after the last one: 260 s.
    bench.run(Duration::from_secs(195));
    assert_eq!(bench.row("239.1.1.1").unwrap().0, "igmpv1");
    bench.run(Duration::from_secs(10));
    assert_eq!(bench.row("239.1.1.1").unwrap().0, "igmpv3");

    let mut bench = Bench::quiet(&["239.1.1.1", "ff05::1"]);
    bench.hear(MembershipQuery { group: Some(ip("239.1.1.1")), ..old(MembershipProtocol::Igmp2) });
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv3: IsExclude 239.1.1.1 []"], "about one group it proves nothing");
    bench.hear(old(MembershipProtocol::Mld1));
    assert_eq!(texts(&bench.run(MINUTE)), ["mldv1: IsExclude ff05::1 []"]);
    assert_eq!((bench.row("ff05::1").unwrap().0, bench.row("239.1.1.1").unwrap().0), ("mldv1", "igmpv3"));
}

#[test]
fn what_was_to_be_told_by_another_version_is_not_told() {
    let mut bench = Bench::quiet(&["239.1.1.1", "239.1.1.2"]);
    bench.memberships.want(&wanted(&["239.1.1.1"]), bench.now);
    bench.hear(GENERAL);
    let slow = MembershipQuery { protocol: MembershipProtocol::Igmp2, max_response_ms: 20_000, ..GENERAL };
    bench.hear(slow);
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv2: IsExclude 239.1.1.1 []"], "RFC 3376, 7.2.1");
}

#[test]
fn a_querier_says_how_often_news_is_told() {
    let mut bench = Bench::quiet(&["239.1.1.1"]);
    bench.hear(MembershipQuery { robustness: 7, interval_s: 10, max_response_ms: 0, ..GENERAL });
    bench.run(Duration::from_secs(1));
    bench.memberships.want(&wanted(&["239.1.1.1", "239.1.1.2"]), bench.now);
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv3: ToExclude 239.1.1.2 []"; 7]);
    bench.hear(MembershipQuery { robustness: 0, interval_s: 0, max_response_ms: 0, ..GENERAL });
    bench.run(Duration::from_secs(1));
    bench.memberships.want(&wanted(&["239.1.1.1"]), bench.now);
    assert_eq!(texts(&bench.run(MINUTE)), ["igmpv3: ToInclude 239.1.1.2 []"; 2], "it does not say");
}
