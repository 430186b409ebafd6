//! The EAL from start to end. It starts once in a process, so each case runs in a process of its own: this binary again, told by
//! an environment variable which case to run.
#![allow(clippy::unwrap_used)] // Test code, though not in a function marked as a test.

use dpdk::{CleanupError, Eal, EalConfig, EalError, Hugepages, Mempool, MempoolConfig, Port, PortConfig, PortKind};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

const CASE: &str = "DPDK_LIFECYCLE_CASE";

fn small() -> EalConfig {
    EalConfig { hugepages: Hugepages::Off, memory_mb: 128, ..EalConfig::default() }
}

/// Runs `body` in a process of its own, as user `uid` if given, and returns what it wrote; it must succeed.
fn alone(name: &str, uid: Option<u32>, body: fn()) -> Option<Output> {
    if std::env::var(CASE).is_ok_and(|case| case == name) {
        body();
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(CASE, name);
    if let Some(uid) = uid {
        command.uid(uid).gid(uid).current_dir("/");
    }
    let output = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {}\n{text}", output.status);
    assert!(text.contains("1 passed"), "{name} did not run:\n{text}");
    for noise in ["EAL:", "TELEMETRY", "Usage", "libbpf", "tap_", "PMD"] {
        assert!(!text.contains(noise), "DPDK wrote to the terminal:\n{text}");
    }
    Some(output)
}

#[test]
fn ends_when_nothing_uses_it_and_never_starts_again() {
    alone("ends_when_nothing_uses_it_and_never_starts_again", None, || {
        let eal = Eal::init(&small()).unwrap();
        let pool = Mempool::create(&eal, &MempoolConfig { count: 1023, ..MempoolConfig::default() }).unwrap();
        let kind = PortKind::Null { size: 60, no_rx: false };
        let mut port = Port::open(&pool, &PortConfig { name: "n".into(), kind, mtu: 1500, queues: 1 }).unwrap();
        let mut batch = Vec::with_capacity(4);
        port.take_queues()[0].0.burst(&mut batch);
        let kept = batch.pop().unwrap();
        drop(batch);
        let Err(CleanupError::InUse { handles: 2, eal }) = eal.cleanup() else {
            panic!("pool and port were overlooked")
        };
        port.close().unwrap();
        drop(pool);
        let Err(CleanupError::BuffersInUse { mbufs: 1, eal }) = eal.cleanup() else {
            panic!("a buffer was overlooked")
        };
        drop(kept);
        eal.cleanup().unwrap();
        let again = Eal::init(&small()).unwrap_err();
        assert_eq!(
            again.to_string(),
            "this process has closed its EAL; DPDK starts once in a process: start a new process"
        );
    });
}

#[test]
fn two_threads_cannot_both_start_it() {
    alone("two_threads_cannot_both_start_it", None, || {
        let results = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| Eal::init(&small()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(results.iter().all(|result| matches!(result, Ok(_) | Err(EalError::Again { .. }))));
    });
}

#[test]
fn needs_no_privilege_without_huge_pages() {
    // Only root can become somebody else; anybody else is nobody already.
    // SAFETY: no arguments, no failure.
    let uid = (unsafe { libc::geteuid() } == 0).then_some(65_534);
    let exe = std::env::current_exe().unwrap();
    let reachable = Command::new("true").uid(uid.unwrap_or(0)).current_dir(exe.parent().unwrap()).status().is_ok();
    let uid = if reachable { uid } else { None };
    if uid.is_none() {
        println!("run as the current user: nobody cannot reach {}", exe.display());
    }
    alone("needs_no_privilege_without_huge_pages", uid, || {
        let eal = Eal::init(&small()).unwrap();
        let pool = Mempool::create(&eal, &MempoolConfig { count: 1023, ..MempoolConfig::default() }).unwrap();
        let kind = PortKind::Tap { iface: "dpdk-nobody".into(), mac: None };
        let tap = Port::open(&pool, &PortConfig { name: "t".into(), kind, mtu: 1500, queues: 1 });
        // SAFETY: no arguments, no failure.
        if unsafe { libc::geteuid() } != 0 {
            let error = tap.unwrap_err();
            assert!(error.to_string().starts_with("no permission to make a tap interface"), "{error}");
            assert!(error.remedy().unwrap().contains("CAP_NET_ADMIN"));
        }
    });
}

#[test]
fn more_memory_than_there_is_is_refused_at_once() {
    alone("more_memory_than_there_is_is_refused_at_once", None, || {
        let start = std::time::Instant::now();
        let config = EalConfig { memory_mb: 1 << 20, ..small() };
        let error = Eal::init(&config).unwrap_err();
        assert!(matches!(error, EalError::NoMemory { asked_mb: 1_048_576, .. }), "{error}");
        assert!(start.elapsed().as_secs() < 2);
        // DPDK was not touched, so a better configuration works.
        Eal::init(&small()).unwrap();
    });
}

#[test]
fn no_child_inherits_a_descriptor() {
    alone("no_child_inherits_a_descriptor", None, || {
        let list = || {
            let output = Command::new("ls").arg("/proc/self/fd").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let before = list();
        let eal = Eal::init(&small()).unwrap();
        let pool = Mempool::create(&eal, &MempoolConfig { count: 1023, ..MempoolConfig::default() }).unwrap();
        assert_eq!(list(), before);
        // SAFETY: concerns this process, which is the test's own.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0 {
            let kind = PortKind::Tap { iface: "t0".into(), mac: None };
            let _port = Port::open(&pool, &PortConfig { name: "t".into(), kind, mtu: 1500, queues: 1 }).unwrap();
            assert_eq!(list(), before);
        }
    });
}

#[test]
fn a_refused_start_brings_the_log_with_it() {
    alone("a_refused_start_brings_the_log_with_it", None, || {
        // An option that may be passed, with a value that only DPDK can judge.
        let config = EalConfig { extra: vec!["--mbuf-pool-ops-name=x".into(), "--block=nonsense".into()], ..small() };
        match Eal::init(&config).unwrap_err() {
            EalError::Refused { log, .. } => assert!(log.iter().any(|line| line.contains("nonsense")), "{log:?}"),
            other => panic!("{other}"),
        }
        let again = Eal::init(&small()).unwrap_err();
        assert!(matches!(again, EalError::Again { state: "an EAL that failed to start" }), "{again}");
    });
}

#[test]
fn processes_that_start_at_once_do_not_take_each_others_huge_pages() {
    let name = "processes_that_start_at_once_do_not_take_each_others_huge_pages";
    let body = || {
        // On a machine with huge pages for some of them, the others do without; on one with none, all do.
        let config = EalConfig { hugepages: Hugepages::Auto, memory_mb: 128, ..EalConfig::default() };
        let eal = Eal::init(&config).unwrap();
        assert_eq!(eal.info().hugepages, eal.info().no_hugepages_because.is_none());
        Mempool::create(&eal, &MempoolConfig::default()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
    };
    if std::env::var(CASE).is_ok_and(|case| case == name) {
        return body();
    }
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| alone(name, None, || ()));
        }
    });
}
