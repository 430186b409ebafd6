//! What the tests share: the one EAL of a test binary, and a network namespace per test.
#![allow(dead_code)] // Each test binary uses a part of it.
#![allow(clippy::unwrap_used, clippy::panic)] // Test code, though not in a function marked as a test.

pub mod kernel;

use dpdk::{
    Eal, EalConfig, Hugepages, Mbuf, Mempool, MempoolConfig, Port, PortConfig, PortKind, RxQueue, TxQueue, free_all,
};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// True if the tests are to use huge pages, of which 600 MB must then be free: DPDK_TEST_HUGEPAGES=1.
pub fn hugepages() -> bool {
    std::env::var("DPDK_TEST_HUGEPAGES").is_ok_and(|value| value == "1")
}

/// The EAL of this test binary; without huge pages, so that it needs neither them nor privilege, unless told otherwise.
pub fn eal() -> &'static Eal {
    static EAL: OnceLock<Eal> = OnceLock::new();
    EAL.get_or_init(|| {
        let kind = if hugepages() { Hugepages::Auto } else { Hugepages::Off };
        let eal = Eal::init(&EalConfig { hugepages: kind, memory_mb: 512, ..EalConfig::default() }).unwrap();
        assert_eq!(eal.info().hugepages, hugepages(), "{:?}", eal.info());
        eal
    })
}

/// A pool of a test's own, so that what it loses is seen.
pub fn pool(count: u32, data_room: u16) -> Mempool {
    Mempool::create(eal(), &MempoolConfig { count, data_room, cache: 0 }).unwrap()
}

pub fn config(kind: PortKind, mtu: u16) -> PortConfig {
    PortConfig { name: "test".into(), kind, mtu, queues: 1 }
}

/// Opens a port and takes its queues.
pub fn open(pool: &Mempool, kind: PortKind, mtu: u16) -> (Port, RxQueue, TxQueue) {
    let mut port = Port::open(pool, &config(kind, mtu)).unwrap();
    let (rx, tx) = port.take_queues().pop().unwrap();
    (port, rx, tx)
}

/// Gives the queues back and closes the port.
pub fn close((port, rx, tx): (Port, RxQueue, TxQueue)) {
    drop((rx, tx));
    port.close().unwrap();
}

/// A frame of `len` bytes whose payload depends on `seed`.
pub fn frame(len: usize, seed: u8) -> Vec<u8> {
    let mut frame = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, seed, 0x88, 0xb5];
    frame.extend((frame.len()..len).map(|i| (i as u8).wrapping_mul(7).wrapping_add(seed)));
    frame.truncate(len);
    frame
}

/// The same with an 802.1Q tag of VID 100.
pub fn tagged(len: usize, seed: u8) -> Vec<u8> {
    let mut tagged = frame(len - 4, seed);
    tagged.splice(12..12, [0x81, 0x00, 0x00, 0x64]);
    tagged
}

/// Sends copies of `frames`, all of which must go.
pub fn send(pool: &Mempool, tx: &mut TxQueue, frames: &[Vec<u8>]) {
    let mut batch: Vec<Mbuf> = frames.iter().map(|frame| pool.copy_of(frame).unwrap()).collect();
    let sent = tx.burst(&mut batch);
    assert_eq!((sent, batch.len()), (frames.len(), 0));
}

/// Polls until `count` frames that `wanted` accepts have arrived (others, such as the kernel's own IPv6 noise, are dropped), or
/// two seconds have passed.
pub fn receive(rx: &mut RxQueue, count: usize, wanted: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    let mut batch = Vec::with_capacity(32);
    let deadline = Instant::now() + Duration::from_secs(2);
    while got.len() < count && Instant::now() < deadline {
        if rx.burst_up_to(&mut batch, 32) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        got.extend(batch.iter().map(|mbuf| mbuf.data().to_vec()).filter(|data| wanted(data)));
        free_all(&mut batch);
    }
    got
}

/// True for what [`frame`] and [`tagged`] make.
pub fn is_ours(data: &[u8]) -> bool {
    data.len() >= 18 && (data[12..14] == [0x88, 0xb5] || data[12..14] == [0x81, 0]) && data[6..11] == [2, 0, 0, 0, 0]
}

/// Waits up to two seconds for something.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 2 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Fails with lengths and the first difference rather than with pages of bytes.
pub fn assert_frames(got: &[Vec<u8>], wanted: &[Vec<u8>]) {
    let lengths = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(got), lengths(wanted), "lengths of the frames");
    for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let at = got.iter().zip(wanted).position(|(got, wanted)| got != wanted);
        assert_eq!(at, None, "frame {i} of {} bytes differs at this byte", got.len());
    }
}
