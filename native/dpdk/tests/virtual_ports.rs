//! EAL, buffers, and the ports that need neither privilege nor a kernel interface.
mod common;

use arrayvec::ArrayVec;
use common::{assert_frames, close, config, eal, frame, open, pool, receive, send};
use dpdk::{CleanupError, CloseError, Eal, EalConfig, EalError, Mbuf, Mempool, MempoolConfig, MempoolError};
use dpdk::{PollerThread, Port, PortError, PortKind, Step, ThreadError, clock, cpu, free_all};

#[test]
fn the_eal_starts_once_and_leaves_this_thread_alone() {
    let before = cpu::allowed();
    let eal = eal();
    assert_eq!(cpu::allowed(), before);
    assert!(eal.info().version.starts_with("DPDK "), "{:?}", eal.info());
    let again = Eal::init(&EalConfig::default()).unwrap_err();
    assert!(matches!(again, EalError::Again { state: "a running EAL" }), "{again}");
    // Its log is ours, not on stderr.
    assert!(dpdk::log::drain().lines.iter().any(|line| line.starts_with("EAL: ")));
    let hz = clock::tsc_hz(eal);
    let start = clock::tsc();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let seconds = (clock::tsc() - start) as f64 / hz as f64;
    assert!((0.015..2.0).contains(&seconds), "{seconds}");
}

#[test]
fn a_wrong_configuration_is_named_before_dpdk_is_touched() {
    let init = |config: EalConfig| Eal::init(&config).unwrap_err().to_string();
    assert_eq!(init(EalConfig { memory_mb: 1, ..EalConfig::default() }), "memory_mb must be 64 to 1048576, not 1");
    let error = init(EalConfig { cpus: Some(vec![1023]), ..EalConfig::default() });
    assert!(error.starts_with("CPU 1023 is not among those this process may use (["), "{error}");
    let error = init(EalConfig { extra: vec!["--help".into()], ..EalConfig::default() });
    assert!(error.starts_with("the extra EAL argument \"--help\" is refused"), "{error}");
}

#[test]
fn the_eal_is_not_cleaned_up_under_its_users() {
    let held = eal().clone();
    match held.cleanup() {
        Err(CleanupError::InUse { handles, .. }) => assert!(handles >= 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_thread_is_registered_while_its_guard_lives() {
    let eal = eal();
    for _ in 0..200 {
        // More often than there are places.
        std::thread::spawn(move || {
            let guard = PollerThread::register(eal).unwrap();
            assert!(matches!(PollerThread::register(eal), Err(ThreadError::Registered)));
            drop(guard);
            drop(PollerThread::register(eal).unwrap());
        })
        .join()
        .unwrap();
    }
}

#[test]
fn a_frame_grows_and_shrinks_within_its_buffer() {
    let pool = pool(63, 512);
    let mut mbuf = pool.copy_of(b"abcdefgh").unwrap();
    assert_eq!((mbuf.len(), mbuf.headroom(), mbuf.tailroom(), mbuf.segments()), (8, 128, 512 - 128 - 8, 1));
    assert!(mbuf.trim_front(2));
    assert_eq!(mbuf.data(), b"cdefgh");
    mbuf.prepend(3).unwrap().copy_from_slice(b"xyz");
    mbuf.append(1).unwrap()[0] = b'!';
    assert_eq!(mbuf.data(), b"xyzcdefgh!");
    mbuf.truncate(4);
    mbuf.truncate(9);
    assert_eq!(mbuf.data(), b"xyzc");
    mbuf.data_mut()[0] = b'X';
    assert_eq!(mbuf.data(), b"Xyzc");
    // What does not fit is refused and changes nothing.
    assert!(mbuf.prepend(128).is_none() && mbuf.prepend(65_536).is_none() && mbuf.prepend(usize::MAX).is_none());
    assert!(mbuf.append(mbuf.tailroom() + 1).is_none() && mbuf.append(usize::MAX).is_none());
    assert!(!mbuf.trim_front(5));
    assert_eq!(mbuf.data(), b"Xyzc");
    mbuf.append(mbuf.tailroom()).unwrap();
    assert_eq!((mbuf.tailroom(), mbuf.len() + mbuf.headroom()), (0, 512));
    mbuf.prepend(mbuf.headroom()).unwrap();
    assert_eq!(mbuf.len(), 512);
    assert!(mbuf.trim_front(512) && mbuf.is_empty());
    assert!(pool.copy_of(&[0; 385]).is_none());
    drop(mbuf);
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn a_pool_is_exhausted_and_recovers() {
    let pool = pool(63, 256);
    let mut all: Vec<Mbuf> = std::iter::from_fn(|| pool.alloc()).collect();
    assert_eq!((all.len(), pool.available(), pool.in_use()), (63, 0, 63));
    free_all(&mut all);
    assert_eq!((all.len(), pool.available()), (0, 63));
    let mut batch = ArrayVec::<Mbuf, 32>::new();
    assert!(pool.alloc_bulk(&mut batch, 20));
    assert!(!pool.alloc_bulk(&mut batch, 13), "the batch has room for 12");
    assert!(pool.alloc_bulk(&mut batch, 12));
    let mut more = Vec::with_capacity(64);
    assert!(!pool.alloc_bulk(&mut more, 32), "the pool has 31");
    assert_eq!((batch.len(), more.len()), (32, 0));
    drop(batch);
    assert_eq!(pool.in_use(), 0);
    let many = MempoolConfig { count: 1 << 23, data_room: 2176, cache: 0 };
    assert!(matches!(Mempool::create(eal(), &many), Err(MempoolError::NoMemory { count: 8_388_608, .. })));
    let tiny = MempoolConfig { count: 0, ..many };
    assert!(matches!(Mempool::create(eal(), &tiny), Err(MempoolError::OutOfRange { field: "count", .. })));
}

#[test]
fn a_shared_frame_goes_out_behind_many_headers_unchanged_and_is_freed_with_the_last() {
    let pool = pool(255, 2176);
    let path = format!("/tmp/dpdk-shared-{}.pcap", std::process::id());
    let sink = PortKind::Pcap { rx: None, tx: Some(path.clone()), infinite_rx: false };
    let (port, rx, mut tx) = open(&pool, sink, 1600);
    assert!(tx.takes_chains());
    let payload = frame(1400, 7);
    let shared = pool.copy_of(&payload).unwrap().share();
    let mut batch: Vec<Mbuf> = (0..16u8).map(|i| shared.behind(pool.copy_of(&[i; 50]).unwrap()).unwrap()).collect();
    assert_eq!((batch[0].segments(), batch[0].data(), pool.in_use()), (2, &[0; 50][..], 17));
    assert_eq!(tx.burst(&mut batch), 16);
    assert_eq!((shared.data(), pool.in_use()), (&payload[..], 1));
    let mut alone = shared.unshare().unwrap();
    alone.data_mut()[0] = 1;
    let shared = alone.share();
    // Chains that nobody sends are freed with the rest.
    let unsent = shared.behind(pool.copy_of(&[9; 50]).unwrap()).unwrap();
    drop(shared.unshare().unwrap_err());
    assert_eq!(pool.in_use(), 2);
    drop(unsent);
    assert_eq!(pool.in_use(), 0);
    close((port, rx, tx));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let records: Vec<&[u8]> = bytes[24..].chunks(16 + 1450).map(|record| &record[16..]).collect();
    assert_eq!(records.len(), 16);
    for (i, record) in records.iter().enumerate() {
        assert_eq!(record, &[&[i as u8; 50][..], &payload].concat());
    }
    let (port, rx, tx) = open(&pool, PortKind::Ring, 1500);
    assert!(!tx.takes_chains(), "what it sends, it receives");
    close((port, rx, tx));
}

#[test]
fn net_ring_returns_what_was_sent_in_order() {
    let pool = pool(2047, 2176);
    let (port, mut rx, mut tx) = open(&pool, PortKind::Ring, 1500);
    assert_eq!((port.info().driver.as_str(), port.info().mtu, port.info().max_frame), ("net_ring", 1500, 1522));
    assert!(port.link_up());
    let frames: Vec<Vec<u8>> = (0..100).map(|i| frame(60 + i as usize * 14, i)).collect();
    send(&pool, &mut tx, &frames);
    // A batch of 32 is filled to its capacity, no further.
    let mut batch = ArrayVec::<Mbuf, 32>::new();
    assert_eq!((rx.burst(&mut batch), rx.burst(&mut batch)), (32, 0));
    assert!(batch.iter().zip(&frames).all(|(mbuf, frame)| mbuf.data() == frame));
    batch.clear();
    assert_frames(&receive(&mut rx, 68, |_| true), &frames[32..]);
    let stats = port.stats();
    assert_eq!((stats.rx_packets, stats.tx_packets), (100, 100));
    close((port, rx, tx));
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn what_a_port_does_not_take_stays_in_front() {
    let pool = pool(2047, 256);
    let (port, rx, mut tx) = open(&pool, PortKind::Ring, 68);
    let mut batch: Vec<Mbuf> = (0..1030u16).map(|i| pool.copy_of(&i.to_be_bytes()).unwrap()).collect();
    assert_eq!(tx.burst(&mut batch), 1023, "a ring of 1024 holds one less");
    let left: Vec<u16> = batch.iter().map(|mbuf| u16::from_be_bytes([mbuf.data()[0], mbuf.data()[1]])).collect();
    assert_eq!(left, [1023, 1024, 1025, 1026, 1027, 1028, 1029]);
    assert_eq!(tx.burst(&mut batch), 0);
    assert_eq!(batch.len(), 7);
    drop(batch);
    // 1023 frames wait in the ring when the port is closed.
    close((port, rx, tx));
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn net_null_gives_zeroes_and_takes_everything() {
    let pool = pool(1023, 2176);
    let (port, mut rx, mut tx) = open(&pool, PortKind::Null { size: 64, no_rx: false }, 1500);
    let mut batch = Vec::with_capacity(32);
    assert_eq!(rx.burst_up_to(&mut batch, 32), 32);
    assert!(batch.iter().all(|mbuf| mbuf.data() == [0; 64]));
    assert_eq!((tx.burst(&mut batch), batch.len()), (32, 0));
    close((port, rx, tx));
    let (port, mut rx, tx) = open(&pool, PortKind::Null { size: 64, no_rx: true }, 1500);
    assert_eq!(rx.burst(&mut batch), 0);
    close((port, rx, tx));
    assert_eq!(pool.in_use(), 0);
    // The driver would write past the end of the buffer.
    let error = Port::open(&pool, &config(PortKind::Null { size: 2049, no_rx: false }, 1500)).unwrap_err();
    assert_eq!(error.to_string(), "the frame size of a net_null port must be 14 to 2048, not 2049");
}

#[test]
fn net_pcap_writes_and_reads_a_file() {
    let pool = pool(1023, 2176);
    let path = std::env::temp_dir().join(format!("splitnve-dpdk-test-{}.pcap", std::process::id()));
    let file = path.to_str().unwrap().to_owned();
    let frames: Vec<Vec<u8>> = [60, 64, 590, 1514, 1600].iter().map(|&len| frame(len, len as u8)).collect();

    let writer = open(&pool, PortKind::Pcap { rx: None, tx: Some(file.clone()), infinite_rx: false }, 2000);
    let (port, mut rx, mut tx) = writer;
    send(&pool, &mut tx, &frames);
    assert_eq!(receive(&mut rx, 0, |_| true).len(), 0);
    close((port, rx, tx));

    let (port, mut rx, tx) = open(&pool, PortKind::Pcap { rx: Some(file.clone()), tx: None, infinite_rx: false }, 2000);
    assert_frames(&receive(&mut rx, 5, |_| true), &frames);
    assert_eq!(rx.burst(&mut Vec::with_capacity(4)), 0, "the file is at its end");
    close((port, rx, tx));

    let (port, mut rx, mut tx) =
        open(&pool, PortKind::Pcap { rx: Some(file.clone()), tx: None, infinite_rx: true }, 2000);
    let got = receive(&mut rx, 20, |_| true);
    assert_eq!(got[..20], [frames.clone(), frames.clone(), frames.clone(), frames.clone()].concat()[..]);
    send(&pool, &mut tx, &frames);
    close((port, rx, tx));
    assert_eq!(pool.in_use(), 0);

    // Frames longer than a buffer come in pieces from this driver; they are dropped and counted.
    let small = common::pool(1023, 256 + 128);
    let (port, mut rx, tx) = open(&small, PortKind::Pcap { rx: Some(file), tx: None, infinite_rx: false }, 200);
    assert_frames(&receive(&mut rx, 2, |_| true), &frames[..2]);
    let mut rest = Vec::with_capacity(8);
    rx.burst(&mut rest);
    assert_eq!((rest.len(), port.stats().rx_oversize), (0, 3));
    close((port, rx, tx));
    assert_eq!(small.in_use(), 0);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_port_is_not_closed_under_its_queues() {
    let pool = pool(1023, 256);
    let mut port = Port::open(&pool, &config(PortKind::Ring, 68)).unwrap();
    let (mut rx, mut tx) = port.take_queues().pop().unwrap();
    assert!(port.take_queues().is_empty(), "the queues were given away already");
    let port = match port.close() {
        Err(CloseError::QueuesInUse { handles: 2, port }) => port,
        other => panic!("{other:?}"),
    };
    // The queues work on another thread, and go on working after the refusal.
    let (rx, tx) = std::thread::spawn(move || {
        let _registered = PollerThread::register(eal()).unwrap();
        let mut batch = vec![pool.copy_of(b"x").unwrap()];
        assert_eq!((tx.burst(&mut batch), rx.burst(&mut batch)), (1, 1));
        (rx, tx)
    })
    .join()
    .unwrap();
    drop(rx);
    let mut port = match port.close() {
        Err(CloseError::QueuesInUse { handles: 1, port }) => port,
        other => panic!("{other:?}"),
    };
    drop(tx);
    assert_eq!(port.take_queues().len(), 1, "given back queues are handed out again");
    port.close().unwrap();
}

#[test]
fn ports_come_and_go_without_losing_a_buffer() {
    let pool = pool(2047, 2176);
    for round in 0..50 {
        let kind = if round % 2 == 0 { PortKind::Ring } else { PortKind::Null { size: 60, no_rx: false } };
        let (port, mut rx, mut tx) = open(&pool, kind, 1500);
        send(&pool, &mut tx, &[frame(60, 1), frame(1514, 2)]);
        let mut batch = Vec::with_capacity(2);
        assert_eq!(rx.burst_up_to(&mut batch, 2), 2);
        drop(batch);
        close((port, rx, tx));
        assert_eq!(pool.in_use(), 0);
    }
}

#[test]
fn mistakes_are_named() {
    let pool = pool(1023, 2176);
    let open = |kind, mtu| Port::open(&pool, &config(kind, mtu)).unwrap_err();
    let error = open(PortKind::Ring, 67);
    assert_eq!(error.to_string(), "mtu must be 68 to 65535, not 67");
    let error = open(PortKind::Ring, 2027);
    assert_eq!(error.to_string(), "an MTU of 2027 is too large here: at most 2026 (the size of the packet buffers)");
    let error = open(PortKind::Pcap { rx: Some("/nonexistent/x.pcap".into()), tx: None, infinite_rx: false }, 1500);
    assert_eq!(error.to_string(), "the file /nonexistent/x.pcap cannot be opened: No such file or directory (errno 2)");
    assert_eq!(error.remedy(), Some("check the path and its permissions"));
    let error = open(PortKind::Pcap { rx: None, tx: None, infinite_rx: false }, 1500);
    assert!(matches!(error, PortError::NoFile));
    let error = open(PortKind::AfXdp { iface: "no-such-if".into() }, 1500);
    assert_eq!(error.to_string(), "there is no network interface no-such-if in this network namespace");
    let error = open(PortKind::Tap { iface: "a/b".into(), mac: None }, 1500);
    assert!(matches!(error, PortError::BadIface { .. }));
    // Passed through: a driver that is not there, and a PCI address where nothing is.
    for devargs in ["net_nonsense0", "ffff:00:00.0"] {
        match open(PortKind::Devargs(devargs.into()), 1500) {
            PortError::Step { step: Step::Attach, log, .. } => assert!(!log.is_empty()),
            other => panic!("{devargs}: {other}"),
        }
    }
    let bad = std::env::temp_dir().join(format!("splitnve-dpdk-bad-{}.pcap", std::process::id()));
    std::fs::write(&bad, b"not a capture").unwrap();
    let kind = PortKind::Pcap { rx: Some(bad.to_str().unwrap().into()), tx: None, infinite_rx: false };
    match open(kind, 1500) {
        PortError::Step { step: Step::Attach | Step::Start, log, .. } => assert!(!log.is_empty()),
        other => panic!("{other}"),
    }
    std::fs::remove_file(bad).unwrap();
    assert_eq!(pool.in_use(), 0);
}
