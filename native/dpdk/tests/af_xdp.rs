//! `net_af_xdp` on veth pairs. Each test works in a network namespace of its own thread.
#![allow(clippy::unwrap_used)] // Test code, though not in a function marked as a test.

mod common;

use common::kernel::{PacketSocket, enter_namespace, ip, join_namespace, namespace_path, run};
use common::{assert_frames, close, config, eventually, frame, is_ours, open, pool, receive, send, tagged};
use dpdk::{Mbuf, Port, PortError, PortKind, wait};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

fn af_xdp(iface: &str) -> PortKind {
    PortKind::AfXdp { iface: iface.into() }
}

/// Makes the pair v0, v1; false, with the reason printed, if the test cannot run.
fn veth() -> bool {
    if !enter_namespace() {
        return false;
    }
    ip("link add v0 type veth peer name v1");
    ip("link set v0 up");
    ip("link set v1 up");
    true
}

/// Frames of all lengths that an underlay with an MTU of 1550 needs, one of them tagged.
fn frames() -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> =
        [60, 61, 64, 128, 590, 1500, 1514, 1518, 1554, 1564].into_iter().map(|len| frame(len, len as u8)).collect();
    frames.extend([tagged(64, 1), tagged(1518, 2), tagged(1568, 3)]);
    frames
}

#[test]
fn frames_pass_between_two_ports_on_one_pair() {
    if !veth() {
        return;
    }
    let pool = pool(8191, 2176);
    let mut a = open(&pool, af_xdp("v0"), 1550);
    let mut b = open(&pool, af_xdp("v1"), 1550);
    assert_eq!((a.0.info().driver.as_str(), a.0.info().mtu, a.0.info().max_frame), ("net_af_xdp", 1550, 1568));
    assert!(ip("link show v0").contains("mtu 1550") && a.0.link_up() && b.0.link_up());
    // More frames than the pool has buffers, so that each buffer carries one.
    for _ in 0..400 {
        send(&pool, &mut a.2, &frames());
        assert_frames(&receive(&mut b.1, frames().len(), is_ours), &frames());
        send(&pool, &mut b.2, &frames());
        assert_frames(&receive(&mut a.1, frames().len(), is_ours), &frames());
    }
    let stats = a.0.stats();
    assert!(stats.rx_packets >= 400 * 13 && stats.tx_packets >= 400 * 13 && stats.rx_missed == 0, "{stats:?}");
    ip("link set v1 down");
    eventually("the carrier is gone", || !a.0.link_up());
    close(a);
    close(b);
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn frames_pass_between_a_port_and_the_kernel() {
    if !veth() {
        return;
    }
    let pool = pool(8191, 2176);
    ip("link set v1 mtu 1554");
    let (port, mut rx, mut tx) = open(&pool, af_xdp("v0"), 1554);
    let socket = PacketSocket::open("v1");
    // The kernel counts a tag of an outgoing frame as payload only if the frame is no 802.1Q frame.
    for frame in frames() {
        socket.send(&frame).unwrap();
    }
    let got = receive(&mut rx, frames().len(), is_ours);
    assert_frames(&got, &frames());
    send(&pool, &mut tx, &frames());
    assert_frames(&socket.receive_all(frames().len(), is_ours), &frames());
    drop(socket);
    close((port, rx, tx));
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn the_kernel_finishes_checksums_only_without_offload() {
    if !veth() {
        return;
    }
    let pool = pool(8191, 2176);
    let (port, mut rx, tx) = open(&pool, af_xdp("v0"), 1500);
    ip("addr add 10.99.0.1/24 dev v1");
    ip("neigh add 10.99.0.2 lladdr 02:00:00:00:00:02 dev v1");
    let is_udp =
        |data: &[u8]| data.len() > 42 && data[12..14] == [8, 0] && data[23] == 17 && data[30..34] == [10, 99, 0, 2];
    let socket = std::net::UdpSocket::bind("10.99.0.1:0").unwrap();
    let mut send_and_check = || {
        socket.send_to(b"hello, world", "10.99.0.2:9").unwrap();
        let got = receive(&mut rx, 1, is_udp);
        udp_checksum_is_good(&got[0])
    };
    assert!(!send_and_check(), "if this kernel finishes them anyway, the remedy is not needed any more");
    run("ethtool", "-K v1 tx off");
    assert!(send_and_check());
    close((port, rx, tx));
}

/// RFC 768, over the pseudo-header.
fn udp_checksum_is_good(frame: &[u8]) -> bool {
    let length = u16::from_be_bytes([frame[38], frame[39]]) as usize;
    let mut bytes = [&frame[26..34], &[0, 17], &frame[38..40], &frame[34..34 + length]].concat();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    (sum & 0xffff) + (sum >> 16) == 0xffff
}

#[test]
fn a_sleeping_poller_wakes_at_a_frame() {
    if !veth() {
        return;
    }
    let pool = pool(8191, 2176);
    let (port, mut rx, tx) = open(&pool, af_xdp("v0"), 1500);
    let socket = PacketSocket::open("v1");
    let mut batch: Vec<Mbuf> = Vec::with_capacity(32);
    while wait::readable(&[rx.readiness().unwrap()], Duration::from_millis(1500)) {
        rx.burst(&mut batch);
        batch.clear();
    }
    socket.send(&frame(60, 1)).unwrap();
    assert!(wait::readable(&[rx.readiness().unwrap()], Duration::from_secs(2)));
    assert_frames(&receive(&mut rx, 1, is_ours), &[frame(60, 1)]);
    close((port, rx, tx));
}

#[test]
fn comes_and_goes_without_losing_anything() {
    if !veth() {
        return;
    }
    let pool = pool(8191, 2176);
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut before = 0;
    for round in 0..12u8 {
        let (port, mut rx, mut tx) = open(&pool, af_xdp("v0"), 1500);
        let socket = PacketSocket::open("v1");
        // Frames in every ring at the end: some received and not fetched, some sent and not consumed.
        for i in 0..40 {
            socket.send(&frame(60, i)).unwrap();
        }
        assert!(receive(&mut rx, 10, is_ours).len() >= 10);
        send(&pool, &mut tx, &(0..40).map(|i| frame(1514, i)).collect::<Vec<_>>());
        for i in 0..40 {
            socket.send(&frame(60, i)).unwrap();
        }
        if round % 2 == 0 {
            drop(socket);
        }
        close((port, rx, tx));
        assert!(!ip("-d link show v0").contains("xdp"), "the program is detached");
        if round == 1 {
            before = descriptors();
        }
    }
    eventually("descriptors are back", || descriptors() <= before + 8);
    // A raw socket holds on to frames that were sent to it, and the kernel to their buffers, but to no more than that.
    assert!(pool.in_use() <= 6 * 40, "{} buffers are lost", pool.in_use());
}

#[test]
fn a_quiet_port_loses_no_buffer_at_all() {
    if !veth() {
        return;
    }
    let pool = pool(8191, 2176);
    for _ in 0..20 {
        close(open(&pool, af_xdp("v0"), 1500));
        assert_eq!(pool.in_use(), 0);
    }
}

/// Runs the test `name` of this binary in a process of its own, which finds out by [`parent_namespace`].
fn child(name: &str) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]).env(CHILD, namespace_path()).env_remove("DPDK_TEST_HUGEPAGES");
    child
}

const CHILD: &str = "DPDK_AF_XDP_CHILD";

fn parent_namespace() -> Option<String> {
    std::env::var(CHILD).ok()
}

#[test]
fn takes_over_after_a_process_that_was_killed() {
    // What such a process leaves behind is its XDP program, attached. A child is that process, in this thread's namespace.
    if let Some(namespace) = parent_namespace() {
        join_namespace(&namespace);
        let _port = open(&pool(8191, 2176), af_xdp("v0"), 1500);
        // SAFETY: ends this process the way `kill -9` does.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
    if !veth() {
        return;
    }
    let output = child("takes_over_after_a_process_that_was_killed").output().unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGKILL), "{output:?}");
    let attached = ip("-d link show v0");
    assert!(attached.contains("xdp"), "the child was to leave its program: {attached}");
    let pool = pool(8191, 2176);
    let (port, mut rx, tx) = open(&pool, af_xdp("v0"), 1500);
    PacketSocket::open("v1").send(&frame(60, 1)).unwrap();
    assert_frames(&receive(&mut rx, 1, is_ours), &[frame(60, 1)]);
    close((port, rx, tx));
    assert!(!ip("-d link show v0").contains("xdp"));
}

#[test]
fn two_processes_share_a_pair() {
    if let Some(namespace) = parent_namespace() {
        // The child sends back what it receives.
        join_namespace(&namespace);
        let pool = pool(8191, 2176);
        let (_port, mut rx, mut tx) = open(&pool, af_xdp("v1"), 1550);
        println!("ready");
        for _ in 0..100 {
            let frames = receive(&mut rx, 13, is_ours);
            send(&pool, &mut tx, &frames);
        }
        return;
    }
    if !veth() {
        return;
    }
    let pool = pool(8191, 2176);
    let (port, mut rx, mut tx) = open(&pool, af_xdp("v0"), 1550);
    let mut child = child("two_processes_share_a_pair").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("ready")), "the child did not open its port");
    for _ in 0..100 {
        send(&pool, &mut tx, &frames());
        assert_frames(&receive(&mut rx, frames().len(), is_ours), &frames());
    }
    assert!(child.wait().unwrap().success());
    close((port, rx, tx));
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn survives_that_its_interface_is_deleted() {
    if !veth() {
        return;
    }
    let pool = pool(8191, 2176);
    let (port, mut rx, mut tx) = open(&pool, af_xdp("v0"), 1500);
    ip("link del v0");
    assert!(!port.link_up());
    let mut batch = vec![pool.copy_of(&frame(60, 1)).unwrap()];
    tx.burst(&mut batch);
    batch.clear();
    assert_eq!(rx.burst(&mut Vec::with_capacity(4)), 0);
    assert!(!wait::readable(&[rx.readiness().unwrap()], Duration::from_millis(50)));
    drop((rx, tx));
    port.close().unwrap();
    // The frame that was to be sent may stay with the socket's ring, and goes with it.
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn mistakes_are_named() {
    if !veth() {
        return;
    }
    let pool = pool(8191, 2176);
    let error = Port::open(&pool, &config(af_xdp("v9"), 1500)).unwrap_err();
    assert_eq!(error.to_string(), "there is no network interface v9 in this network namespace");
    let error = Port::open(&pool, &config(af_xdp("v0"), 1775)).unwrap_err();
    assert_eq!(error.to_string(), "an MTU of 1775 is too large here: at most 1774 (the size of the packet buffers)");
    let large = common::pool(8191, 3840);
    let error = Port::open(&large, &config(af_xdp("v0"), 3438)).map(drop);
    assert!(error.is_ok(), "{error:?}");
    let error = Port::open(&large, &config(af_xdp("v0"), 3439)).unwrap_err();
    assert!(matches!(error, PortError::MtuTooLarge { max: 3438, .. }), "{error}");
    ip("link set v1 mtu 4000");
    let error = Port::open(&pool, &config(af_xdp("v0"), 1500)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the kernel refuses to attach an XDP program on v0: Numerical result out of range (errno 34)"
    );
    assert_eq!(error.remedy(), Some("lower the MTU of the interface and of its peer to at most 3506"));
    ip("link set v1 mtu 1500");
    for (data_room, what) in [(1500, "short"), (4096, "long")] {
        let unsuitable = common::pool(8191, data_room);
        let error = Port::open(&unsuitable, &config(af_xdp("v0"), 1000)).unwrap_err();
        assert!(matches!(error, PortError::BuffersUnsuitable { .. }), "too {what}: {error}");
    }
    let hungry = common::pool(2047, 2176);
    let error = Port::open(&hungry, &config(af_xdp("v0"), 1500)).unwrap_err();
    assert_eq!(error.to_string(), "the port needs 4096 packet buffers, and only 2047 are free");
    let first = open(&pool, af_xdp("v0"), 1500);
    let error = Port::open(&pool, &config(af_xdp("v0"), 1500)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the kernel refuses to bind an AF_XDP socket on v0: Device or resource busy (errno 16)"
    );
    close(first);
    run("ethtool", "-L v0 rx 2 tx 2");
    let error = Port::open(&pool, &config(af_xdp("v0"), 1500)).unwrap_err();
    assert!(error.to_string().starts_with("the network interface v0 has 2 receive queues"), "{error}");
    assert_eq!(pool.in_use(), 0);
}
