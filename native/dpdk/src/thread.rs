//! A poller thread: known to DPDK, and left alone by signals.
use crate::{Eal, Errno};
use std::marker::PhantomData;

/// While it lives, the current thread is registered with DPDK: it has a buffer cache of its own in every [`crate::Mempool`], and
/// signals (except those that report a fault of the thread itself) go to other threads. Dropping it undoes both.
///
/// Without it everything works too, only slower: each allocation goes to the shared ring of the pool.
pub struct PollerThread {
    _eal: Eal,
    signals: libc::sigset_t,
    /// The registration belongs to one thread: neither Send nor Sync.
    _thread: PhantomData<*const ()>,
}

/// Why a thread could not be registered.
#[derive(Debug, thiserror::Error)]
pub enum ThreadError {
    /// This thread is registered already.
    #[error("this thread is registered with DPDK already")]
    Registered,
    /// DPDK refused: usually because it knows 128 threads already.
    #[error("DPDK does not register another thread: {0}")]
    Refused(Errno),
}

impl PollerThread {
    /// Registers the current thread.
    pub fn register(eal: &Eal) -> Result<Self, ThreadError> {
        // SAFETY: the EAL runs as long as `eal` lives; the call concerns the current thread only.
        unsafe {
            if dpdk_bindings::shim_rte_lcore_id() != u32::MAX {
                return Err(ThreadError::Registered);
            }
            let code = dpdk_bindings::rte_thread_register();
            if code != 0 {
                return Err(ThreadError::Refused(Errno::returned(code)));
            }
        }
        Ok(PollerThread { _eal: eal.clone(), signals: block_signals(), _thread: PhantomData })
    }
}

impl Drop for PollerThread {
    fn drop(&mut self) {
        // SAFETY: not Send, so this is the registered thread; the mask is the one it had before.
        unsafe {
            dpdk_bindings::rte_thread_unregister();
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.signals, std::ptr::null_mut());
        }
    }
}

/// Blocks all signals on the current thread but those that a fault of its own raises (blocking these would turn a handled
/// SIGBUS, which DPDK uses when it touches huge pages, into the end of the process). Returns the mask as it was.
pub(crate) fn block_signals() -> libc::sigset_t {
    // SAFETY: the sets are plain data of this stack frame, filled before they are used.
    unsafe {
        let mut blocked = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&mut blocked);
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT] {
            libc::sigdelset(&mut blocked, fault);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before);
        before
    }
}
