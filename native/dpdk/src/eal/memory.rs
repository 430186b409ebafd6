//! What memory there is, asked before the EAL is: it cannot be started a second time, and it may take seconds to fail.
use crate::Errno;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// Keeps other processes that use this crate from starting their EAL meanwhile. Several that start at once, each having seen
/// enough huge pages for itself, would otherwise take them from each other and fail.
///
/// It is a lock on DPDK's own library, the one file that they all have open; the kernel drops it with the process.
pub(super) struct StartLock(#[allow(dead_code)] Option<File>);

impl StartLock {
    /// Waits for its turn, twenty seconds at most: ten processes that start on a busy machine take as long, and whoever holds it
    /// longer is stuck, and no reason to be stuck too.
    pub(super) fn take() -> Self {
        StartLock(Self::try_take())
    }

    fn try_take() -> Option<File> {
        let eal = dpdk_bindings::rte_eal_init as *const libc::c_void;
        // SAFETY: fills a structure of this stack frame; the name it points to belongs to the loader and stays.
        let path = unsafe {
            let mut info: libc::Dl_info = std::mem::zeroed();
            if libc::dladdr(eal, &mut info) == 0 || info.dli_fname.is_null() {
                return None;
            }
            CStr::from_ptr(info.dli_fname)
        };
        let file = File::open(OsStr::from_bytes(path.to_bytes())).ok()?;
        let deadline = Instant::now() + Duration::from_secs(20);
        // SAFETY: only locks a file of ours.
        while unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(file)
    }
}

/// What the kernel says could be used without swapping, in MB.
pub(super) fn available_mb() -> u32 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes =
        meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse().ok());
    kilobytes.map_or(u32::MAX, |kilobytes: u64| (kilobytes >> 10) as u32)
}

/// None if huge pages for `memory_mb` can be had now; else why not.
///
/// The question is put to the kernel by reserving them: that also knows of pages that others have reserved but not yet
/// touched, and of limits of a control group. They are given back at once, so a stranger may still be faster; see [`StartLock`].
pub(super) fn why_no_hugepages(memory_mb: u32) -> Option<String> {
    let sizes_kb = page_sizes_kb();
    if sizes_kb.is_empty() {
        return Some("the kernel has none".into());
    }
    let bytes = (memory_mb as usize) << 20;
    let mut reason = String::new();
    for size_kb in sizes_kb {
        match reserve(bytes, size_kb << 10) {
            Ok(()) => return None,
            Err(errno) => {
                let free = read_number(size_kb, "free_hugepages");
                reason = format!("{memory_mb} MB of pages of {size_kb} kB cannot be had: {errno}, {free} pages free");
            }
        }
    }
    Some(reason)
}

/// The sizes of which the kernel holds any page, smallest last, so that the reason given is about the usual one.
fn page_sizes_kb() -> Vec<usize> {
    let Ok(entries) = std::fs::read_dir("/sys/kernel/mm/hugepages") else { return Vec::new() };
    let mut sizes: Vec<usize> = entries
        .filter_map(|entry| {
            entry.ok()?.file_name().to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()
        })
        .filter(|&size_kb| read_number(size_kb, "nr_hugepages") > 0)
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

fn read_number(size_kb: usize, file: &str) -> u64 {
    let path = format!("/sys/kernel/mm/hugepages/hugepages-{size_kb}kB/{file}");
    std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn reserve(bytes: usize, page: usize) -> Result<(), Errno> {
    let bytes = bytes.next_multiple_of(page);
    // mmap takes the page size as its binary logarithm, from bit 26 on.
    let size = (page.trailing_zeros() << libc::MAP_HUGE_SHIFT) as i32;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB | size;
    // SAFETY: a new anonymous mapping, unmapped at once and never touched.
    unsafe {
        let address = libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if address == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        libc::munmap(address, bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_that_absurd_amounts_cannot_be_had() {
        assert!(available_mb() > 64);
        assert!(why_no_hugepages(1 << 20).is_some());
    }
}
