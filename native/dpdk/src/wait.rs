//! Sleeping until a frame arrives, for pollers that do not spin.
//!
//! Some drivers have a file descriptor that becomes readable when a frame waits ([`crate::RxQueue::readiness`]); the others
//! can only be polled, so a poller passes a timeout. [`Waker`] lets another thread end the sleep.
use crate::Errno;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd};
use std::time::Duration;

/// The most descriptors that one [`readable`] looks at; more are ignored.
pub const MAX_FDS: usize = 64;

/// Sleeps until one of `fds` is readable (true), or until `timeout` (an hour at most) has passed (false). An interruption counts
/// as readable. A broken descriptor, such as that of an interface somebody has deleted, never ends the sleep. Allocates nothing.
pub fn readable(fds: &[BorrowedFd<'_>], timeout: Duration) -> bool {
    let mut entries = [libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 }; MAX_FDS];
    for (entry, fd) in entries.iter_mut().zip(fds) {
        entry.fd = fd.as_raw_fd();
    }
    let entries = &mut entries[..fds.len().min(MAX_FDS)];
    let timeout = libc::timespec { tv_sec: timeout.as_secs().min(3600) as _, tv_nsec: timeout.subsec_nanos() as _ };
    loop {
        // SAFETY: the entries are valid, the descriptors borrowed, and the timeout lives through the call.
        let code = unsafe { libc::ppoll(entries.as_mut_ptr(), entries.len() as _, &timeout, std::ptr::null()) };
        if code <= 0 {
            return code < 0;
        }
        if entries.iter().any(|entry| entry.revents & libc::POLLIN != 0) {
            return true;
        }
        // Only broken ones: without them, again. A negative number is passed over.
        entries.iter_mut().filter(|entry| entry.revents != 0).for_each(|entry| entry.fd = -1);
    }
}

/// Ends a [`readable`] of another thread that sleeps on its descriptor.
#[derive(Debug)]
pub struct Waker(File);

impl Waker {
    /// A waker that has not been rung.
    pub fn new() -> Result<Self, Errno> {
        // SAFETY: only makes a new descriptor.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(Errno::last());
        }
        // SAFETY: just made, so nobody else owns it.
        Ok(Waker(unsafe { File::from_raw_fd(fd) }))
    }

    /// Makes the descriptor readable until [`Waker::clear`].
    pub fn wake(&self) {
        // A full counter (EAGAIN) is readable already.
        let _ = (&self.0).write(&1u64.to_ne_bytes());
    }

    /// Forgets all rings so far.
    pub fn clear(&self) {
        let _ = (&self.0).read(&mut [0; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_ends_the_sleep_until_it_is_cleared() {
        let waker = Waker::new().unwrap();
        assert!(!readable(&[waker.as_fd()], Duration::from_millis(1)));
        std::thread::scope(|scope| {
            scope.spawn(|| waker.wake());
            assert!(readable(&[waker.as_fd()], Duration::from_secs(10)));
        });
        assert!(readable(&[waker.as_fd()], Duration::ZERO));
        waker.clear();
        waker.clear();
        assert!(!readable(&[waker.as_fd()], Duration::ZERO));
    }
}
