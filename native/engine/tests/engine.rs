//! The engine as its driver sees it, on real DPDK ports: a ring in place of an access link, files in place of the underlay.
//!
//! DPDK starts once in a process, so this is one test in steps.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail it as the test itself would")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use engine::{Engine, EngineError, Reply};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::{ByteBuf, Bytes};

const EPOCH: u64 = 7;
const ACCESS: u16 = 0;
const UNDERLAY: u16 = 1;
const LATE: u16 = 2;
const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const THERE: [u8; 6] = [2, 0, 0, 0, 0, 2];
const NVE_2: ([u8; 6], [u8; 4]) = ([2, 0xee, 0, 0, 0, 2], [192, 0, 2, 2]);
/// Nobody is there.
const SILENT: [u8; 4] = [192, 0, 2, 99];
const US: [u8; 4] = [192, 0, 2, 1];

fn there(mac: [u8; 6]) -> ByteBuf {
    ByteBuf::from(mac)
}

type Answer<T> = Result<T, EngineError>;

fn pack(value: impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(&value).unwrap()
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> T {
    rmp_serde::from_slice(bytes).unwrap()
}

fn open(options: Vec<u8>, doorbells: &Arc<AtomicUsize>) -> Answer<Engine> {
    let (sender, receiver) = channel();
    let doorbells = Arc::clone(doorbells);
    let ring = Box::new(move || {
        doorbells.fetch_add(1, Ordering::Relaxed);
    });
    Engine::open(options, ring, move |result| sender.send(result).unwrap());
    receiver.recv_timeout(Duration::from_secs(20)).unwrap().map(|(engine, _)| engine)
}

/// Calls and waits for the answer.
fn call(start: impl FnOnce(Reply)) -> Answer<Vec<u8>> {
    let (sender, receiver) = channel();
    start(Reply::new(move |result| sender.send(result).unwrap()));
    receiver.recv_timeout(Duration::from_secs(20)).unwrap()
}

/// `(applied, [(index, code)])`.
fn apply(engine: &Engine, commands: impl Serialize) -> (bool, Vec<(usize, String)>) {
    let answer = call(|reply| engine.apply(pack((2, EPOCH, 1, commands)), reply)).unwrap();
    let (_, _, applied, refused): (u64, u64, bool, Vec<(usize, String, serde::de::IgnoredAny)>) = unpack(&answer);
    (applied, refused.into_iter().map(|(at, code, _)| (at, code)).collect())
}

fn drops(engine: &Engine) -> Vec<(u16, String, u64)> {
    type Stats = (serde::de::IgnoredAny, Vec<(u16, String, u64)>, serde::de::IgnoredAny);
    unpack::<Stats>(&call(|reply| engine.stats(reply)).unwrap()).1
}

fn dropped(engine: &Engine, port: u16, reason: &str) -> u64 {
    drops(engine).into_iter().find(|(at, name, _)| *at == port && name == reason).map_or(0, |(_, _, count)| count)
}

fn inject(engine: &Engine, port: u16, frame: &[u8]) -> Answer<Vec<u8>> {
    call(|reply| engine.inject(pack((port, Bytes::new(frame))), reply))
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < until, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn tenant_frame(vid: u16, destination: [u8; 6], source: [u8; 6]) -> Vec<u8> {
    let mut frame = [&destination[..], &source[..], &[0x81, 0], &vid.to_be_bytes(), &[8, 0, 0x45, 0, 0, 46]].concat();
    frame.resize(64, 0);
    frame
}

fn pcap(path: &Path, frames: &[Vec<u8>]) {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for frame in frames {
        for word in [0, 0, frame.len() as u32, frame.len() as u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(frame);
    }
    std::fs::write(path, bytes).unwrap();
}

fn frames_of(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let (mut rest, mut frames) = (&bytes[24..], Vec::new());
    while rest.len() >= 16 {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        frames.push(rest[16..16 + length].to_vec());
        rest = &rest[16 + length..];
    }
    frames
}

/// What NVE 2 would say if it were asked: where it is, and a tunnelled frame for our tenant.
fn from_nve_2() -> Vec<Vec<u8>> {
    let arp = [&[0xff; 6][..], &NVE_2.0, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2], &NVE_2.0, &NVE_2.1, &[0; 6], &US].concat();
    vec![arp]
}

#[test]
fn the_engine_on_real_ports() {
    let folder: PathBuf = std::env::temp_dir().join(format!("splitnve-engine-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (rx, tx) = (folder.join("rx.pcap"), folder.join("tx.pcap"));
    pcap(&rx, &from_nve_2());

    let config = serde_json::json!({
        "hugepages": "off", "memory_mb": 128, "mbufs": 8191, "mbuf_size": 2176, "pollers": 1, "poll": "sleep",
        "fdb_capacity": 1000, "cpus": null, "extra_eal": [],
    });
    let doorbells = Arc::default();
    let refused = open(pack((3, 9, EPOCH, &config)), &doorbells).err().map(|error| error.code());
    assert_eq!(refused, Some("NVE-ENG-003"), "another schema, and the EAL has not been touched");
    let engine = open(pack((2, 2, EPOCH, &config)), &doorbells).unwrap();

    let port = |id: u16, mtu: u16, kind: serde_json::Value| serde_json::json!([1, id, format!("p{id}"), mtu, kind]);
    let files = serde_json::json!(["net_pcap", rx, tx, true]);

    // A port that cannot be opened takes the whole batch with it, and the port opened beside it is closed again.
    let bad = serde_json::json!(["net_pcap", folder.join("absent.pcap"), null, false]);
    assert_eq!(
        apply(&engine, (port(ACCESS, 1500, serde_json::json!(["net_ring"])), port(9, 1500, bad))),
        (false, vec![(1, "NVE-DPDK-002".to_owned())])
    );
    assert_eq!(ports(&engine), Vec::<u16>::new());

    let made = apply(&engine, (port(ACCESS, 1500, serde_json::json!(["net_ring"])), port(UNDERLAY, 1600, files)));
    assert_eq!(made, (true, vec![]));
    let made = apply(
        &engine,
        (
            (3, 1, 5001, 1500),
            (5, 1, 1, ACCESS, ("c-tag", 100), 1),
            (7, UNDERLAY, Bytes::new(&US), 24),
            (9, 1, Bytes::new(&NVE_2.1), 1, 5001),
            (11, 1, there(HERE), (0, 1)),
            (11, 1, there(THERE), (1, 1)),
        ),
    );
    assert_eq!(made, (true, vec![]));

    // The neighbour's answer is in the file; the engine hears it because a next hop needs it.
    eventually("the neighbour", || neighbours(&engine) == [("reachable".to_owned(), Some(NVE_2.0.to_vec()))]);
    assert!(doorbells.load(Ordering::Relaxed) > 0);
    assert!(engine.events().windows(9).any(|window| window == b"neighbour"));
    assert!(engine.events().is_empty());

    // A static neighbour is where the controller says, whatever the answers in the file say; released, it is where they say.
    let elsewhere = [2, 0xee, 0, 0, 0, 3];
    let off_link = (15, UNDERLAY, Bytes::new(&[198, 51, 100, 2]), there(elsewhere));
    assert_eq!(apply(&engine, (off_link,)), (false, vec![(0, "NVE-ENG-010".to_owned())]));
    assert_eq!(apply(&engine, ((15, UNDERLAY, Bytes::new(&NVE_2.1), there(elsewhere)),)), (true, vec![]));
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(neighbours(&engine), [("static".to_owned(), Some(elsewhere.to_vec()))]);
    assert!(engine.events().windows(6).any(|window| window == b"static"));
    assert_eq!(apply(&engine, ((16, UNDERLAY, Bytes::new(&NVE_2.1)),)), (true, vec![]));
    eventually("the answer", || neighbours(&engine) == [("reachable".to_owned(), Some(NVE_2.0.to_vec()))]);

    // What leaves by the ring comes in by the ring: an injected frame is a tenant's frame.
    inject(&engine, ACCESS, &tenant_frame(100, THERE, HERE)).unwrap();
    inject(&engine, ACCESS, &tenant_frame(101, THERE, HERE)).unwrap();
    inject(&engine, ACCESS, &tenant_frame(100, THERE, THERE)).unwrap();
    eventually("the drops", || {
        dropped(&engine, ACCESS, "unknown_tag") == 1 && dropped(&engine, ACCESS, "source_guard") == 1
    });
    for (frame, code) in [(vec![0; 13], "NVE-ENG-014"), (vec![0; 4000], "NVE-ENG-014")] {
        assert_eq!(inject(&engine, ACCESS, &frame).unwrap_err().code(), code);
    }
    assert_eq!(inject(&engine, 33, &[0; 64]).unwrap_err().code(), "NVE-ENG-014");

    a_trace_tells_what_would_be_and_changes_nothing(&engine);
    a_new_station_is_learned_once(&engine);
    frames_that_wait_in_a_new_port_meet_all_of_the_batch(&engine, &folder.join("waiting.pcap"));

    // Whoever does not answer is asked for, and then counts as gone.
    assert_eq!(apply(&engine, ((9, 2, Bytes::new(&SILENT), 1, 5001),)), (true, vec![]));
    eventually("the silent one", || neighbours(&engine).contains(&("failed".to_owned(), None)));
    assert_eq!(apply(&engine, ((10, 2),)), (true, vec![]));

    // Ports go at run time, under traffic, and what was written is whole.
    assert_eq!(apply(&engine, ((2, UNDERLAY),)), (false, vec![(0, "NVE-ENG-006".to_owned())]));
    let gone = apply(
        &engine,
        (
            (2, UNDERLAY),
            (8, UNDERLAY, Bytes::new(&US)),
            (10, 1),
            (12, 1, there(THERE)),
            (6, 1),
            (12, 1, there(HERE)),
            (4, 1),
        ),
    );
    assert_eq!(gone, (true, vec![]));
    assert_eq!(ports(&engine), [ACCESS]);
    let sent = frames_of(&tx);
    assert!(sent.iter().any(|frame| frame[12..14] == [8, 6] && frame[38..42] == SILENT), "an ARP request");
    let tunnelled: Vec<_> = sent.iter().filter(|frame| frame[12..14] == [8, 0]).collect();
    assert_eq!(tunnelled.len(), 1, "one of three frames was good");
    assert_eq!((&tunnelled[0][..6], tunnelled[0].len()), (&NVE_2.0[..], 50 + 60));
    assert_eq!(tunnelled[0][46..50], (5001u32 << 8).to_be_bytes());
    assert_eq!(tunnelled[0][50..62], [THERE, HERE].concat());

    // After its VN the tag is nobody's.
    inject(&engine, ACCESS, &tenant_frame(100, THERE, HERE)).unwrap();
    eventually("the drop", || dropped(&engine, ACCESS, "unknown_tag") == 2);

    assert_eq!(call(|reply| engine.apply(vec![0xc1], reply)).unwrap_err().code(), "NVE-ENG-001");
    assert_eq!(call(|reply| engine.apply(pack((2, EPOCH + 1, 1, [(); 0])), reply)).unwrap_err().code(), "NVE-ENG-003");
    assert_eq!(call(|reply| engine.dump(pack(("fishes", (), 10)), reply)).unwrap_err().code(), "NVE-ENG-003");
    assert_eq!(call(|reply| engine.dump(pack(("vns", (), 0)), reply)).unwrap_err().code(), "NVE-ENG-007");

    paging(&engine);

    // Ports that the poller has hardly begun to poll are no obstacle.
    let ring = |id| port(id, 1500, serde_json::json!(["net_ring"]));
    assert_eq!(apply(&engine, (10..18u16).map(ring).collect::<Vec<_>>()), (true, vec![]));
    assert_eq!(call(|reply| engine.close(reply)), Ok(vec![]));
    assert_eq!(call(|reply| engine.stats(reply)), Err(EngineError::Closed));
    let again = open(pack((2, 2, EPOCH, &config)), &doorbells).err().map(|error| error.code());
    assert_eq!(again, Some("NVE-EAL-001"));
    std::fs::remove_dir_all(folder).unwrap();
}

fn ports(engine: &Engine) -> Vec<u16> {
    type Row = (u16, String, String, ByteBuf, u16, bool, String);
    let (rows, _): (Vec<Row>, Option<(u64, u128)>) =
        unpack(&call(|reply| engine.dump(pack(("ports", (), 64)), reply)).unwrap());
    rows.into_iter().map(|row| row.0).collect()
}

fn neighbours(engine: &Engine) -> Vec<(String, Option<Vec<u8>>)> {
    type Row = (u16, ByteBuf, Option<ByteBuf>, String);
    let answer = call(|reply| engine.dump(pack(("neighbours", (), 64)), reply)).unwrap();
    let (rows, _): (Vec<Row>, Option<(u64, u128)>) = unpack(&answer);
    rows.into_iter().map(|(_, _, mac, state)| (state, mac.map(ByteBuf::into_vec))).collect()
}

/// Rows of several VNs, page by page, are all rows in order.
fn paging(engine: &Engine) {
    let vns: Vec<_> = (10..13u32).map(|vn| (3, vn, None::<u32>, 1500)).collect();
    assert_eq!(apply(engine, vns), (true, vec![]));
    let vaps: Vec<_> = (10..13u32).map(|vn| (5, vn, vn, ACCESS, ("c-tag", vn), 0)).collect();
    assert_eq!(apply(engine, vaps), (true, vec![]));
    let mac = |last: u8| ByteBuf::from([2, 0, 0, 0, 0, last]);
    let rows: Vec<_> = (10..13u32).flat_map(|vn| (0..7).map(move |last| (11, vn, mac(last), (0, vn)))).collect();
    assert_eq!(apply(engine, rows), (true, vec![]));
    let (mut seen, mut cursor) = (Vec::new(), None::<(u64, u128)>);
    loop {
        let answer = call(|reply| engine.dump(pack(("fdb", cursor, 4)), reply)).unwrap();
        type Row = (u32, ByteBuf, (u8, u32), u16);
        let (rows, next): (Vec<Row>, _) = unpack(&answer);
        seen.extend(rows.into_iter().map(|(vn, mac, _, _)| (vn, mac[5])));
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let all: Vec<_> = (10..13u32).flat_map(|vn| (0..7u8).map(move |last| (vn, last))).collect();
    assert_eq!(seen, all);
}

/// The same frames as above; what the trace says would leave is what left.
fn a_trace_tells_what_would_be_and_changes_nothing(engine: &Engine) {
    #[derive(serde::Deserialize, PartialEq, Debug)]
    #[serde(untagged)]
    enum Fact {
        Number(u64),
        Other(serde::de::IgnoredAny),
    }
    type Traced = (
        String,
        Option<String>,
        Option<String>,
        Vec<(u16, ByteBuf)>,
        Vec<(String, u64)>,
        Vec<(u32, u64, u64, u64, u64)>,
        Vec<(u32, u32, ByteBuf)>,
        Vec<(String, std::collections::HashMap<String, Fact>)>,
    );
    let traced = |port: u16, frame: &[u8]| -> Traced {
        unpack(&call(|reply| engine.trace(pack((port, Bytes::new(frame))), reply)).unwrap())
    };
    // At the underlay port the file of the test comes in without end.
    let counted = || {
        let drops = drops(engine).into_iter().filter(|(port, ..)| *port == ACCESS).collect::<Vec<_>>();
        (drops, call(|reply| engine.dump(pack(("vap_counters", (), 64)), reply)))
    };
    let before = counted();

    let (outcome, detail, _, frames, drops, vaps, learned, steps) = traced(ACCESS, &tenant_frame(100, THERE, HERE));
    assert_eq!((outcome.as_str(), detail, drops, learned), ("sent", None, vec![], vec![]));
    assert_eq!(vaps, [(1, 1, 64, 0, 0)]);
    let names: Vec<_> = steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["port", "classify", "guard", "forward", "rewrite"]);
    assert_eq!((&steps[1].1["vap"], &steps[1].1["vn"]), (&Fact::Number(1), &Fact::Number(1)));
    assert_eq!((&steps[4].1["nh"], &steps[4].1["port"]), (&Fact::Number(1), &Fact::Number(UNDERLAY.into())));
    let (port, packet) = &frames[0];
    assert_eq!((*port, &packet[..6], packet.len()), (UNDERLAY, &NVE_2.0[..], 50 + 60));
    assert_eq!(packet[50..62], [THERE, HERE].concat());

    let (outcome, detail, meaning, frames, drops, ..) = traced(ACCESS, &tenant_frame(100, THERE, THERE));
    assert_eq!((outcome.as_str(), detail.as_deref(), frames.len()), ("dropped", Some("source_guard"), 0));
    assert_eq!(meaning.as_deref(), Some("Access: the source MAC is no TSI's of this VAP."));
    assert_eq!(drops, [("source_guard".to_owned(), 1)]);
    // Longer than a buffer of this engine: it would come in pieces.
    assert_eq!(traced(ACCESS, &[0; 3000]).1.as_deref(), Some("segmented"));
    assert_eq!(traced(ACCESS, &[]).1.as_deref(), Some("truncated"));

    let refused = |port: u16, length: usize| {
        call(|reply| engine.trace(pack((port, Bytes::new(&vec![0; length]))), reply)).unwrap_err().code()
    };
    assert_eq!((refused(33, 64), refused(ACCESS, 16_385)), ("NVE-ENG-005", "NVE-ENG-007"));
    assert_eq!(counted(), before);
}

/// At a VAP that learns the frames of a new station pass, and its MAC is told once; its row there ends that, a row elsewhere is told again.
fn a_new_station_is_learned_once(engine: &Engine) {
    const NEW: [u8; 6] = [2, 0, 0, 0, 0, 0x55];
    let sent = |frames: u64| {
        let before = dropped(engine, ACCESS, "same_vap");
        (0..frames).for_each(|_| inject(engine, ACCESS, &tenant_frame(200, HERE, NEW)).map(drop).unwrap());
        // To a station of the same VAP, so that each is counted.
        eventually("the frames", || dropped(engine, ACCESS, "same_vap") == before + frames);
    };
    // How often the events since the last call tell of the station.
    let told = || {
        let event = pack(("learned", 20, 20, Bytes::new(&NEW)));
        engine.events().windows(event.len()).filter(|window| *window == event).count()
    };
    let station = |mac: [u8; 6], vap: u32| (11, 20, there(mac), (0, vap));
    let flags = (1 << 0) | (1 << 3);
    assert_eq!(apply(engine, ((3, 20, None::<u32>, 1500), (5, 20, 20, ACCESS, ("c-tag", 200), flags))), (true, vec![]));
    assert_eq!(apply(engine, (station(HERE, 20),)), (true, vec![]));
    told();
    sent(10);
    eventually("the event", || told() == 1);
    assert_eq!(apply(engine, (station(NEW, 20),)), (true, vec![]));
    sent(10);
    // Moved to another VAP: the guard refuses it here, and it is told after the second for which it counts as told.
    assert_eq!(apply(engine, ((5, 21, 20, ACCESS, ("c-tag", 201), flags), station(NEW, 21))), (true, vec![]));
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(told(), 0, "once for twenty frames");
    inject(engine, ACCESS, &tenant_frame(200, HERE, NEW)).unwrap();
    eventually("the move", || told() == 1);
    assert_eq!(dropped(engine, ACCESS, "source_guard"), 2);
    assert_eq!(apply(engine, ((5, 20, 20, ACCESS, ("c-tag", 200), 16),)), (false, vec![(0, "NVE-ENG-007".to_owned())]));
    let away = ((12, 20, there(HERE)), (12, 20, there(NEW)), (6, 20), (6, 21), (4, 20));
    assert_eq!(apply(engine, away), (true, vec![]));
}

/// The batch is long, and the frames' destination is its last row: a poller that began early would not find it.
fn frames_that_wait_in_a_new_port_meet_all_of_the_batch(engine: &Engine, file: &Path) {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Command {
        PortAdd(serde_json::Value),
        VapSet((u8, u16, u32, u16, (&'static str, u16), u8)),
        FdbSet((u8, u32, ByteBuf, (u8, u16))),
    }
    let station = |at: u16| [2, 0, 0, 9, (at >> 8) as u8, at as u8];
    let rows = 900;
    pcap(file, &vec![tenant_frame(100, station(rows - 1), HERE); 3]);
    let mut batch = vec![
        Command::PortAdd(serde_json::json!([1, LATE, "late", 1500, ["net_pcap", file, null, false]])),
        Command::VapSet((5, LATE, 1, LATE, ("c-tag", 100), 0)),
    ];
    batch.extend((0..rows).map(|at| Command::FdbSet((11, 1, ByteBuf::from(station(at)), (0, LATE)))));
    assert_eq!(apply(engine, batch), (true, vec![]));
    eventually("the drops", || dropped(engine, LATE, "same_vap") == 3);
    let gone = (0..rows).map(|at| (12, 1, ByteBuf::from(station(at)))).collect::<Vec<_>>();
    assert_eq!(apply(engine, gone), (true, vec![]));
    assert_eq!(apply(engine, ((6, LATE), (2, LATE))), (true, vec![]));
}
