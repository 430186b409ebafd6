//! `net_tap`: the other end is an interface of the kernel. Each test works in a network namespace of its own thread.
mod common;

use common::kernel::{PacketSocket, enter_namespace, ip, namespace_path};
use common::{assert_frames, close, config, eal, eventually, frame, is_ours, open, pool, receive, send, tagged};
use dpdk::{Port, PortError, PortKind, wait};
use std::sync::mpsc;
use std::time::Duration;

fn tap(iface: &str) -> PortKind {
    PortKind::Tap { iface: iface.into(), mac: Some([2, 0, 0, 0, 0, 0x77]) }
}

/// Frames that must pass in both directions: the shortest, tagged ones, and the longest with a tag.
fn frames() -> Vec<Vec<u8>> {
    vec![frame(60, 1), tagged(64, 2), frame(590, 3), frame(1514, 4), tagged(1518, 5)]
}

#[test]
fn the_kernels_end_has_the_mac_and_the_mtu_and_carries_frames() {
    if !enter_namespace() {
        return;
    }
    let pool = pool(1023, 2176);
    let (port, mut rx, mut tx) = open(&pool, tap("t0"), 1504);
    let link = ip("link show t0");
    assert!(link.contains("mtu 1504") && link.contains("02:00:00:00:00:77"), "{link}");
    assert_eq!((port.info().mac, port.info().driver.as_str()), ([2, 0, 0, 0, 0, 0x77], "net_tap"));
    assert!(port.link_up());

    let socket = PacketSocket::open("t0");
    send(&pool, &mut tx, &frames());
    assert_frames(&socket.receive_all(5, is_ours), &frames());
    // A frame in two segments is one frame to the kernel.
    assert!(tx.takes_chains());
    let whole = frame(1514, 6);
    let shared = pool.copy_of(&whole[50..]).unwrap().share();
    let mut chains = vec![shared.behind(pool.copy_of(&whole[..50]).unwrap()).unwrap()];
    assert_eq!(tx.burst(&mut chains), 1);
    drop(shared);
    assert_frames(&socket.receive_all(1, is_ours), &[whole]);
    frames().iter().for_each(|frame| socket.send(frame).unwrap());
    assert_frames(&receive(&mut rx, 5, is_ours), &frames());

    ip("link set t0 down");
    assert!(!port.link_up());
    // Nothing is sent into an interface that is down, and nothing is lost track of.
    let mut batch = vec![pool.copy_of(&frame(60, 1)).unwrap()];
    assert_eq!((tx.burst(&mut batch), batch.len()), (0, 1));
    drop(batch);
    ip("link set t0 up");
    assert!(port.link_up());
    // A longer frame than the MTU allows is refused, and stays.
    let mut batch = vec![pool.copy_of(&frame(1527, 1)).unwrap(), pool.copy_of(&frame(60, 1)).unwrap()];
    assert_eq!((tx.burst(&mut batch), batch.len()), (0, 2));
    drop(batch);

    close((port, rx, tx));
    assert!(!ip("link show").contains("t0"));
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn the_kernels_end_loses_its_carrier_and_gets_it_back() {
    if !enter_namespace() {
        return;
    }
    let pool = pool(1023, 2176);
    let (port, rx, tx) = open(&pool, tap("t0"), 1500);
    let has_carrier = || !ip("link show t0").contains("NO-CARRIER");
    assert!(has_carrier());
    for up in [false, false, true, false, true] {
        port.set_link(up).unwrap();
        assert_eq!(has_carrier(), up);
        // What the kernel's end is told is not what it tells: it is up all the time.
        assert!(port.link_up());
    }
    close((port, rx, tx));
}

#[test]
fn goes_on_when_the_kernels_end_moves_to_another_namespace() {
    if !enter_namespace() {
        return;
    }
    let pool = pool(1023, 2176);
    let (port, mut rx, mut tx) = open(&pool, tap("t0"), 1500);
    let (to_tenant, from_test) = mpsc::channel::<()>();
    let (to_test, from_tenant) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            assert!(enter_namespace());
            to_test.send(namespace_path()).unwrap();
            from_test.recv().unwrap();
            // Its new owner names and numbers it as it likes.
            ip("link set t0 name eth0");
            ip("link set eth0 address 02:00:00:00:00:99 mtu 1400");
            to_test.send(String::new()).unwrap();
            from_test.recv().unwrap();
            ip("link set eth0 up");
            let socket = PacketSocket::open("eth0");
            to_test.send(String::new()).unwrap();
            assert_frames(&socket.receive_all(5, is_ours), &frames());
            [frame(60, 1), tagged(1418, 2)].iter().for_each(|frame| socket.send(frame).unwrap());
            from_test.recv().unwrap();
            assert!(!ip("link show").contains("eth0"), "the interface disappears with the port");
        });
        let path = from_tenant.recv().unwrap();
        ip(&format!("link set t0 netns {path}"));
        assert!(!ip("link show").contains("t0"));
        to_tenant.send(()).unwrap();
        from_tenant.recv().unwrap();
        assert!(!port.link_up(), "an interface is down after it was moved");
        to_tenant.send(()).unwrap();
        from_tenant.recv().unwrap();
        assert!(port.link_up());
        send(&pool, &mut tx, &frames());
        assert_frames(&receive(&mut rx, 2, is_ours), &[frame(60, 1), tagged(1418, 2)]);
        close((port, rx, tx));
        to_tenant.send(()).unwrap();
    });
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn a_sleeping_poller_wakes_at_a_frame() {
    if !enter_namespace() {
        return;
    }
    let pool = pool(1023, 2176);
    let (port, mut rx, tx) = open(&pool, tap("t0"), 1500);
    ip("link set t0 down");
    ip("-6 addr flush dev t0");
    ip("link set t0 up");
    let socket = PacketSocket::open("t0");
    // The kernel says hello by itself on an interface that comes up; wait until it is quiet.
    let mut batch = Vec::with_capacity(32);
    while wait::readable(&[rx.readiness().unwrap()], Duration::from_millis(1500)) {
        rx.burst(&mut batch);
        batch.clear();
    }
    assert!(!wait::readable(&[rx.readiness().unwrap()], Duration::ZERO));
    socket.send(&frame(60, 1)).unwrap();
    assert!(wait::readable(&[rx.readiness().unwrap()], Duration::from_secs(2)));
    assert_frames(&receive(&mut rx, 1, is_ours), &[frame(60, 1)]);
    close((port, rx, tx));
}

#[test]
fn no_signal_is_used() {
    if !enter_namespace() {
        return;
    }
    let pool = pool(1023, 2176);
    let (port, mut rx, tx) = open(&pool, tap("t0"), 1500);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let caught =
        status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok()).unwrap();
    // Signal n is bit n-1; glibc itself catches 32 and 33.
    assert_eq!(caught >> 33, 0, "a real-time signal is caught: {caught:x}");
    let socket = PacketSocket::open("t0");
    socket.send(&frame(60, 9)).unwrap();
    assert_eq!(receive(&mut rx, 1, is_ours).len(), 1);
    close((port, rx, tx));
}

#[test]
fn comes_and_goes_without_losing_anything() {
    if !enter_namespace() {
        return;
    }
    eal();
    let pool = pool(1023, 2176);
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut before = 0;
    for round in 0..12 {
        let (port, mut rx, mut tx) = open(&pool, tap("t0"), 1500);
        let socket = PacketSocket::open("t0");
        send(&pool, &mut tx, &frames()[..2]);
        assert_eq!(socket.receive_all(2, is_ours).len(), 2);
        socket.send(&frame(60, 1)).unwrap();
        assert_frames(&receive(&mut rx, 1, is_ours), &[frame(60, 1)]);
        // One that nobody fetches.
        socket.send(&frame(60, 2)).unwrap();
        close((port, rx, tx));
        drop(socket);
        assert_eq!(pool.in_use(), 0, "round {round}");
        if round == 1 {
            before = descriptors();
        }
    }
    // Other tests of this binary open and close files too.
    eventually("descriptors are back", || descriptors() <= before + 8);
}

#[test]
fn survives_that_its_interface_is_deleted() {
    if !enter_namespace() {
        return;
    }
    let pool = pool(1023, 2176);
    let (port, mut rx, mut tx) = open(&pool, tap("t0"), 1500);
    ip("link del t0");
    assert!(!port.link_up());
    let mut batch = vec![pool.copy_of(&frame(60, 1)).unwrap()];
    assert_eq!((tx.burst(&mut batch), rx.burst(&mut Vec::with_capacity(4))), (0, 0));
    drop(batch);
    assert!(!wait::readable(&[rx.readiness().unwrap()], Duration::from_millis(50)));
    close((port, rx, tx));
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn mistakes_are_named() {
    if !enter_namespace() {
        return;
    }
    let pool = pool(1023, 2176);
    let error = Port::open(&pool, &config(tap("lo"), 1500)).unwrap_err();
    assert_eq!(error.to_string(), "there is a network interface lo already");
    let error = Port::open(&pool, &config(tap("t0"), 1505)).unwrap_err();
    assert_eq!(error.to_string(), "an MTU of 1505 is too large here: at most 1504 (the driver)");
    assert!(matches!(error, PortError::MtuTooLarge { .. }));
    assert!(!ip("link show").contains("t0"), "a port that was refused leaves no interface");
    let hungry = common::pool(31, 2176);
    let error = Port::open(&hungry, &config(tap("t0"), 1500)).unwrap_err();
    assert_eq!(error.to_string(), "the port needs 32 packet buffers, and only 31 are free");
    assert_eq!((pool.in_use(), hungry.in_use()), (0, 0));
}
