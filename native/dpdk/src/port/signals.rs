//! Keeps `net_tap` from using signals.
//!
//! The driver asks the kernel for a real-time signal at every frame that arrives, to save an idle poll its `readv`. The signal goes
//! to any thread of the process, which in a host program means: its main thread is interrupted for every burst of frames, and if
//! the queue of signals overflows the kernel sends SIGIO, which ends the process. When the driver finds every real-time signal
//! taken it goes without, and an idle poll costs one `readv`. So all of them are taken while such a port is opened.

/// While it lives, no real-time signal has its default action; then those that had it have it again.
pub(super) struct HiddenSignals(Vec<i32>);

impl HiddenSignals {
    pub(super) fn hide() -> Self {
        let mut hidden = Vec::new();
        for signal in libc::SIGRTMIN()..=libc::SIGRTMAX() {
            // SAFETY: plain data of this stack frame; "ignore" has no handler that could run.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                if libc::sigaction(signal, std::ptr::null(), &mut action) != 0 || action.sa_sigaction != libc::SIG_DFL {
                    continue;
                }
                action.sa_sigaction = libc::SIG_IGN;
                if libc::sigaction(signal, &action, std::ptr::null_mut()) == 0 {
                    hidden.push(signal);
                }
            }
        }
        HiddenSignals(hidden)
    }
}

impl Drop for HiddenSignals {
    fn drop(&mut self) {
        for &signal in &self.0 {
            // SAFETY: as above; only signals that nobody has given another action since.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                if libc::sigaction(signal, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN {
                    action.sa_sigaction = libc::SIG_DFL;
                    libc::sigaction(signal, &action, std::ptr::null_mut());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(signal: i32) -> usize {
        // SAFETY: reads the disposition into a local.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut action);
            action.sa_sigaction
        }
    }

    #[test]
    fn takes_all_and_gives_them_back() {
        let signal = libc::SIGRTMIN() + 3;
        assert_eq!(action(signal), libc::SIG_DFL);
        let hidden = HiddenSignals::hide();
        assert_eq!(action(signal), libc::SIG_IGN);
        drop(hidden);
        assert_eq!(action(signal), libc::SIG_DFL);
    }
}
