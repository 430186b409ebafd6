//! `net_vhost` with a real peer: DPDK's own virtio-user device in `dpdk-testpmd`, which sends back what it receives. Neither end needs huge
//! pages: the memory that is shared is an anonymous file.
#![allow(clippy::unwrap_used, reason = "the helpers of a test fail it as the test itself would")]
mod common;

use common::{assert_frames, close, config, eventually, frame, is_ours, open, pool, receive, send, tagged};
use dpdk::{Port, PortError, PortKind};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A directory of a test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dpdk-vhost-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }
    fn kind(&self, name: &str) -> PortKind {
        PortKind::Vhost { path: self.path(name) }
    }
    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A virtual machine as far as the port can tell.
struct Station(Child);

impl Station {
    fn start(socket: &str) -> Option<Self> {
        let device = format!("net_virtio_user0,path={socket},queues=1,mac=02:00:00:00:00:aa");
        let eal =
            ["-l", "0,1", "-m", "128", "--no-huge", "--no-shconf", "--no-telemetry", "--no-pci", "--iova-mode=va"];
        let test = ["--", "--auto-start", "--forward-mode=io", "--total-num-mbufs=2048", "--no-lsc-interrupt"];
        let child = Command::new("dpdk-testpmd")
            .args(eal)
            .args(["--vdev", &device])
            .args(test)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        child.ok().map(Self)
    }

    /// Ends it as a machine that is shut down ends.
    fn stop(mut self) -> String {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        let mut said = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        self.0.wait().unwrap();
        said
    }
}

/// It crashes.
impl Drop for Station {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_station_comes_goes_and_comes_again() {
    let (folder, pool) = (Folder::new("station"), pool(4095, 2176));
    let (port, mut rx, mut tx) = open(&pool, folder.kind("station"), 1500);
    assert_eq!((port.info().driver.as_str(), port.info().mtu, port.info().max_frame), ("net_vhost", 1500, 1522));
    assert!(!port.link_up(), "nobody is there");
    // What is sent to nobody is not taken, and not lost either.
    let mut batch = vec![pool.copy_of(&frame(60, 0)).unwrap()];
    assert_eq!((tx.burst(&mut batch), batch.len()), (0, 1));
    drop(batch);
    for round in 0..2 {
        let Some(station) = Station::start(&folder.path("station")) else {
            println!("skipped: there is no dpdk-testpmd (Debian: apt-get install dpdk-dev)");
            return;
        };
        eventually_in(10, "the link comes up", || port.link_up());
        let frames: Vec<Vec<u8>> =
            (0..40u8).map(|i| if i % 2 == 0 { frame(60 + i as usize * 36, i) } else { tagged(1518, i) }).collect();
        // The station begins to receive a moment after it is connected.
        eventually_in(10, "the first frame comes back", || {
            tx.burst(&mut vec![pool.copy_of(&frames[0]).unwrap()]);
            !receive_within(&mut rx, 50).is_empty()
        });
        while !receive_within(&mut rx, 100).is_empty() {}
        send(&pool, &mut tx, &frames);
        assert_frames(&receive(&mut rx, frames.len(), is_ours), &frames);
        match round {
            0 => assert!(station.stop().contains("RX-packets")),
            _ => drop(station),
        }
        eventually("the link goes down", || !port.link_up());
    }
    let stats = port.stats();
    assert!(stats.rx_packets >= 82 && stats.tx_packets >= 82, "{stats:?}");
    close((port, rx, tx));
    assert!(!Path::new(&folder.path("station")).exists(), "the socket goes with the port");
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn what_cannot_be_a_socket_is_refused_by_name_and_what_can_be_is_made_again() {
    let (folder, pool) = (Folder::new("refused"), pool(2047, 2176));
    let refused = |kind: PortKind| Port::open(&pool, &config(kind, 1500)).unwrap_err();
    std::fs::write(folder.path("file"), "").unwrap();
    assert!(matches!(refused(folder.kind("file")), PortError::NotASocket { .. }));
    assert!(matches!(refused(folder.kind("absent/socket")), PortError::NoDirectory { .. }));
    assert!(matches!(refused(folder.kind(&"long".repeat(30))), PortError::SocketPathTooLong { max: 107, .. }));
    assert!(matches!(refused(PortKind::Vhost { path: "relative".into() }), PortError::BadPath { .. }));
    assert!(matches!(refused(PortKind::Pci { address: "ffff:fe:1f.6".into() }), PortError::NoSuchDevice { .. }));
    for _ in 0..3 {
        let port = open(&pool, folder.kind("again"), 1500);
        assert!(matches!(refused(folder.kind("again")), PortError::SocketInUse { .. }), "by ourselves");
        close(port);
    }
    assert_eq!(pool.in_use(), 0);
}

fn receive_within(rx: &mut dpdk::RxQueue, milliseconds: u64) -> Vec<Vec<u8>> {
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    let mut batch = Vec::with_capacity(32);
    rx.burst_up_to(&mut batch, 32);
    batch.iter().map(|mbuf| mbuf.data().to_vec()).collect()
}

/// As [`eventually`], for what another process takes its time over.
fn eventually_in(seconds: u64, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "not within {seconds} s: {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
