//! `errno` as a value.
use std::fmt;

/// A POSIX error number, as the kernel, the C library and DPDK give it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// From a positive or, as most of DPDK returns it, negative number.
    pub fn new(number: i32) -> Self {
        Errno(number.saturating_abs())
    }

    /// The error of the last failed call of the C library on this thread.
    pub fn last() -> Self {
        Errno::new(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    /// DPDK's own thread-local error number.
    pub(crate) fn rte() -> Self {
        // SAFETY: reads a thread-local integer.
        Errno::new(unsafe { dpdk_bindings::shim_rte_errno() })
    }

    /// Of a DPDK function that returns `-errno`, or `-1` with the number in `rte_errno`.
    pub(crate) fn returned(code: i32) -> Self {
        if code == -1 && Errno::rte().0 != 0 { Errno::rte() } else { Errno::new(code) }
    }

    /// The number itself, never negative.
    pub fn get(self) -> i32 {
        self.0
    }

    /// True if this is one of the two ways to say "not permitted".
    pub fn is_permission(self) -> bool {
        matches!(self.0, libc::EPERM | libc::EACCES)
    }
}

impl fmt::Display for Errno {
    /// "No such device (errno 19)"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        write!(f, "{text} (errno {})", self.0)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errno({self})")
    }
}
