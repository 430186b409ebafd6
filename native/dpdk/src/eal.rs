//! The EAL, DPDK's runtime: one per process, never a second one, not even after [`Eal::cleanup`].
//!
//! It starts on a thread of its own that ends right after, because `rte_eal_init` pins the thread that calls it and every
//! thread made from there on inherits the pinning. So the caller, and every other thread, keeps its affinity and signal mask.
//! Nothing of it appears on stdout, stderr or in syslog: see [`crate::log`]. No NIC of the machine is touched until a port
//! names it. No file stays behind, whatever way the
//! process ends; only the empty directory /run/dpdk/rte.
mod args;
mod config;
mod memory;

pub use config::{EalConfig, Hugepages};

use crate::{Errno, cpu, fds, log, thread};
use dpdk_bindings as ffi;
use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The oldest DPDK that works, as (year, month).
pub const MIN_DPDK: (u32, u32) = (22, 11);

const NEVER: u8 = 0;
const STARTED: u8 = 1;
const FAILED: u8 = 2;
const CLEANED: u8 = 3;
const STARTING: u8 = 4;
/// What became of this process's one EAL.
static STATE: AtomicU8 = AtomicU8::new(NEVER);

/// Why the EAL did not start.
#[derive(Debug, thiserror::Error)]
pub enum EalError {
    /// This process has, or has had, its EAL. Start a new process.
    #[error("this process has {state}; DPDK starts once in a process: start a new process")]
    Again {
        /// "a running EAL", "an EAL that is starting", "an EAL that failed to start", "closed its EAL"
        state: &'static str,
    },
    /// Too little or too much memory was asked for.
    #[error("memory_mb must be {min} to {max}, not {value}")]
    MemoryOutOfRange {
        /// The value asked for.
        value: u32,
        /// Smallest value allowed.
        min: u32,
        /// Largest value allowed.
        max: u32,
    },
    /// A CPU is not there, or not allowed to this process.
    #[error(
        "CPU {cpu} is not among those this process may use ({allowed:?}); change `cpus`, or the affinity it is started with"
    )]
    CpuNotAllowed {
        /// The CPU asked for.
        cpu: u16,
        /// The CPUs allowed.
        allowed: Vec<u16>,
    },
    /// An extra EAL argument is not one that may be passed, or its value is not well-formed.
    #[error("the extra EAL argument {argument:?} is refused: {reason}")]
    BadArgument {
        /// The argument at fault.
        argument: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The DPDK on this machine is older than the one needed.
    #[error("this machine's {found} is too old: 22.11 or newer is needed; install a newer libdpdk")]
    TooOld {
        /// As DPDK calls itself: "DPDK 21.11.0".
        found: String,
    },
    /// The system lacks the memory.
    #[error("no memory: {asked_mb} MB asked for, {available_mb} MB free; lower memory_mb, or free some memory")]
    NoMemory {
        /// What was asked for.
        asked_mb: u32,
        /// What the kernel says is available.
        available_mb: u32,
        /// DPDK's last log lines.
        log: Vec<String>,
    },
    /// The operating system does not permit it.
    #[error("no permission to start DPDK ({errno}); run as root, or without huge pages{}", tail(log))]
    NoPermission {
        /// The reason.
        errno: Errno,
        /// DPDK's last log lines.
        log: Vec<String>,
    },
    /// The EAL refused for another reason, which its log names.
    #[error("DPDK's EAL does not start: {errno}{}", tail(log))]
    Refused {
        /// The reason.
        errno: Errno,
        /// DPDK's last log lines.
        log: Vec<String>,
    },
}

/// "; its log: …", or nothing if there is no log.
pub(crate) fn tail(log: &[String]) -> String {
    match log {
        [] => String::new(),
        lines => format!("; its log: {}", lines[lines.len().saturating_sub(4)..].join(" | ")),
    }
}

/// Why the EAL was not cleaned up; it runs on.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    /// Ports, pools or registered threads live.
    #[error("{handles} ports, queues, pools or poller threads still use the EAL")]
    InUse {
        /// How many handles there are besides the one given.
        handles: usize,
        /// The EAL again.
        eal: Eal,
    },
    /// Packet buffers are still owned by somebody.
    #[error("{mbufs} packet buffers have not been given back")]
    BuffersInUse {
        /// How many.
        mbufs: u32,
        /// The EAL again.
        eal: Eal,
    },
}

/// What is known about the running EAL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EalInfo {
    /// As DPDK calls itself: "DPDK 22.11.11".
    pub version: String,
    /// True if its memory is on huge pages.
    pub hugepages: bool,
    /// Why not, if they were wanted.
    pub no_hugepages_because: Option<String>,
    /// Its memory.
    pub memory_mb: u32,
}

struct Inner {
    info: EalInfo,
    pools: Mutex<Vec<Pool>>,
    /// Buffers that a driver has lost and that will never come back.
    lost: AtomicU32,
}

struct Pool(NonNull<ffi::rte_mempool>);
// SAFETY: only used under the EAL's lock, and pools may be used from any thread.
unsafe impl Send for Pool {}

/// The running EAL; a handle, cheap to clone. Dropping the last one leaves the EAL running until the process ends.
#[derive(Clone)]
pub struct Eal(Arc<Inner>);

impl std::fmt::Debug for Eal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Eal").field(&self.0.info).finish()
    }
}

impl Eal {
    /// Starts the EAL. May be called on any thread; takes 0.15 to 0.4 s.
    ///
    /// A wrong configuration is found before DPDK is touched, and the call may be repeated. After DPDK itself has refused, only
    /// a new process can try again.
    pub fn init(config: &EalConfig) -> Result<Eal, EalError> {
        let cpus = config.check()?;
        let version = version()?;
        // Claimed before anything is tried: two threads may come at once.
        STATE.compare_exchange(NEVER, STARTING, Ordering::AcqRel, Ordering::Acquire).map_err(|state| {
            EalError::Again {
                state: match state {
                    STARTED => "a running EAL",
                    STARTING => "an EAL that is starting",
                    CLEANED => "closed its EAL",
                    _ => "an EAL that failed to start",
                },
            }
        })?;
        let _turn = memory::StartLock::take();
        let available_mb = memory::available_mb();
        let no_hugepages_because = match config.hugepages {
            Hugepages::Off => None,
            Hugepages::Auto => memory::why_no_hugepages(config.memory_mb),
        };
        let hugepages = config.hugepages == Hugepages::Auto && no_hugepages_because.is_none();
        if !hugepages && config.memory_mb > available_mb {
            STATE.store(NEVER, Ordering::Release);
            return Err(EalError::NoMemory { asked_mb: config.memory_mb, available_mb, log: Vec::new() });
        }
        let argv = args::argv(config, hugepages, &cpus);
        let started = std::thread::scope(|scope| {
            let start = || start(argv, config.cpus.as_deref());
            match std::thread::Builder::new().name("dpdk-eal".into()).spawn_scoped(scope, start) {
                Ok(thread) => thread.join().unwrap_or_else(|_| Err((Errno::new(libc::EFAULT), Vec::new()))),
                Err(error) => Err((Errno::new(error.raw_os_error().unwrap_or(libc::EAGAIN)), Vec::new())),
            }
        });
        STATE.store(if started.is_ok() { STARTED } else { FAILED }, Ordering::Release);
        match started {
            Ok(()) => {
                let memory_mb = config.memory_mb;
                let info = EalInfo { version, hugepages, no_hugepages_because, memory_mb };
                Ok(Eal(Arc::new(Inner { info, pools: Mutex::default(), lost: AtomicU32::new(0) })))
            }
            Err((errno, log)) if errno.get() == libc::ENOMEM => {
                Err(EalError::NoMemory { asked_mb: config.memory_mb, available_mb, log })
            }
            Err((errno, log)) if errno.is_permission() => Err(EalError::NoPermission { errno, log }),
            Err((errno, log)) => Err(EalError::Refused { errno, log }),
        }
    }

    /// What is known about the EAL.
    pub fn info(&self) -> &EalInfo {
        &self.0.info
    }

    /// Ends the EAL and gives its memory back to the system. Refused while anything of it is in use.
    pub fn cleanup(self) -> Result<(), CleanupError> {
        let mut handles = Arc::strong_count(&self.0);
        if handles == 1 {
            let used: u32 = self.lock_pools().iter().map(|pool| pool.in_use()).sum();
            let mbufs = used.saturating_sub(self.0.lost.load(Ordering::Acquire));
            if mbufs != 0 {
                return Err(CleanupError::BuffersInUse { mbufs, eal: self });
            }
            // The count may have changed since only if another thread held a handle to clone, and it was the only one.
            match Arc::try_unwrap(self.0) {
                Ok(_) => {
                    STATE.store(CLEANED, Ordering::Release);
                    // SAFETY: no handle and no buffer is left, so nothing refers to what this unmaps.
                    unsafe { ffi::rte_eal_cleanup() };
                    return Ok(());
                }
                Err(inner) => {
                    handles = Arc::strong_count(&inner);
                    return Err(CleanupError::InUse { handles: handles - 1, eal: Eal(inner) });
                }
            }
        }
        Err(CleanupError::InUse { handles: handles - 1, eal: self })
    }

    pub(crate) fn remember_pool(&self, pool: NonNull<ffi::rte_mempool>) {
        self.lock_pools().push(Pool(pool));
    }

    /// Notes that a driver has lost `count` buffers for good.
    pub(crate) fn note_lost(&self, count: u32) {
        self.0.lost.fetch_add(count, Ordering::AcqRel);
    }

    fn lock_pools(&self) -> std::sync::MutexGuard<'_, Vec<Pool>> {
        self.0.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn in_use(&self) -> u32 {
        // SAFETY: pools live as long as the EAL.
        unsafe { ffi::rte_mempool_in_use_count(self.0.as_ptr()) }
    }
}

fn version() -> Result<String, EalError> {
    // SAFETY: these read constants.
    let (found, year, month) = unsafe {
        let found = CStr::from_ptr(ffi::rte_version()).to_string_lossy().into_owned();
        (found, ffi::rte_version_year(), ffi::rte_version_month())
    };
    if (year, month) < MIN_DPDK { Err(EalError::TooOld { found }) } else { Ok(found) }
}

/// The body of the EAL's own thread.
fn start(argv: Vec<CString>, cpus: Option<&[u16]>) -> Result<(), (Errno, Vec<String>)> {
    // What the EAL creates here (its interrupt thread) inherits these two.
    thread::block_signals();
    if let Some(cpus) = cpus {
        cpu::restrict_current_thread(cpus).map_err(|errno| (errno, Vec::new()))?;
    }
    let opened = fds::Opened::watch();
    if !log::redirect_dpdk() {
        return Err((Errno::new(libc::ENOMEM), Vec::new()));
    }
    let mark = log::mark();
    // DPDK permutes the array and keeps some of the strings: both are left to it for good.
    let argv: &mut [*mut c_char] = argv.into_iter().map(CString::into_raw).collect::<Vec<_>>().leak();
    // SAFETY: valid strings that live forever; STATE lets one thread come here, once.
    let code = unsafe { ffi::rte_eal_init(argv.len() as i32, argv.as_mut_ptr()) };
    log::redirect_libraries();
    opened.close_on_exec();
    if code < 0 { Err((Errno::rte(), log::since(mark))) } else { Ok(()) }
}
