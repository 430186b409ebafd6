//! What DPDK and the libraries of its drivers would write to stderr, stdout or syslog ends up here instead: in a bounded
//! buffer of lines inside the process, from which its owner takes them whenever it likes.
//!
//! Lines arrive from any thread, also from pollers (drivers log there when something is wrong): a writer holds the lock
//! only to append, and when the buffer is full the oldest line goes and is counted.
use std::collections::VecDeque;
use std::ffi::c_char;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The buffer holds at most this many lines.
pub const MAX_LINES: usize = 512;
/// A line is cut after this many bytes.
pub const MAX_LINE_BYTES: usize = 512;

/// What [`drain`] returns.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Drained {
    /// Oldest first, without line ends.
    pub lines: Vec<String>,
    /// Lines that did not fit since the last call.
    pub lost: u64,
}

struct Buffer {
    lines: VecDeque<String>,
    lost: u64,
    /// Lines ever appended; lets an error find the lines that were written during the call that failed.
    total: u64,
    unfinished: Vec<u8>,
}

static BUFFER: Mutex<Buffer> = Mutex::new(Buffer { lines: VecDeque::new(), lost: 0, total: 0, unfinished: Vec::new() });

fn buffer() -> MutexGuard<'static, Buffer> {
    BUFFER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes all lines out of the buffer.
pub fn drain() -> Drained {
    let mut buffer = buffer();
    Drained { lines: buffer.lines.drain(..).collect(), lost: std::mem::take(&mut buffer.lost) }
}

/// A place in the stream of lines: [`since`] gives what came after it.
pub(crate) fn mark() -> u64 {
    buffer().total
}

/// The last lines (at most 20) written after `mark` that are still in the buffer; they stay in it.
pub(crate) fn since(mark: u64) -> Vec<String> {
    let buffer = buffer();
    let count = buffer.total.saturating_sub(mark).min(20).min(buffer.lines.len() as u64) as usize;
    buffer.lines.iter().skip(buffer.lines.len() - count).cloned().collect()
}

impl Buffer {
    fn append(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => self.finish_line(),
                _ if self.unfinished.len() < MAX_LINE_BYTES => self.unfinished.push(byte),
                _ => {}
            }
        }
    }

    fn finish_line(&mut self) {
        let line = String::from_utf8_lossy(&self.unfinished).trim_end().to_owned();
        self.unfinished.clear();
        if line.is_empty() {
            return;
        }
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
            self.lost += 1;
        }
        self.lines.push_back(line);
        self.total += 1;
    }
}

/// Receives the bytes of DPDK's log stream.
unsafe extern "C" fn sink(bytes: *const c_char, length: usize) {
    if bytes.is_null() || length == 0 {
        return;
    }
    // SAFETY: the caller (stdio, or the shim) passes `length` readable bytes.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
    buffer().append(bytes);
}

/// Redirects DPDK's log. Called once, before the EAL starts. False if there is no memory for the stream.
pub(crate) fn redirect_dpdk() -> bool {
    // SAFETY: `sink` has static lifetime, and the stream, once given to DPDK, is never closed.
    unsafe {
        let stream = dpdk_bindings::shim_stream(Some(sink));
        !stream.is_null() && dpdk_bindings::rte_openlog_stream(stream) == 0
    }
}

/// Redirects what libbpf and libxdp print, once the drivers have brought them.
pub(crate) fn redirect_libraries() {
    // SAFETY: `sink` has static lifetime.
    unsafe { dpdk_bindings::shim_capture_bpf_libraries(Some(sink)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Buffer {
        Buffer { lines: VecDeque::new(), lost: 0, total: 0, unfinished: Vec::new() }
    }

    #[test]
    fn joins_pieces_and_splits_lines() {
        let mut buffer = empty();
        buffer.append(b"EAL: one");
        buffer.append(b" line\nsecond\n\nthird");
        assert_eq!(buffer.lines, ["EAL: one line", "second"]);
        assert_eq!(buffer.unfinished, b"third");
    }

    #[test]
    fn is_bounded_in_lines_and_bytes() {
        let mut buffer = empty();
        for i in 0..MAX_LINES + 3 {
            buffer.append(format!("{i}\n").as_bytes());
        }
        assert_eq!(buffer.lines.len(), MAX_LINES);
        assert_eq!(buffer.lines[0], "3");
        assert_eq!((buffer.lost, buffer.total), (3, MAX_LINES as u64 + 3));
        buffer.append(&[b'x'; 3 * MAX_LINE_BYTES]);
        buffer.append(b"\n");
        assert_eq!(buffer.lines.back().unwrap().len(), MAX_LINE_BYTES);
    }
}
