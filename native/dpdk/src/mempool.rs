//! Pools of packet buffers.
//!
//! A pool lives as long as the EAL: buffers of it may be anywhere (in a driver, in a ring, with a thread), and none of them
//! holds a reference. So dropping the last handle frees no memory, and a process makes a few pools at start and keeps them.
use crate::{Batch, Eal, Errno, HEADROOM, Mbuf, log};
use dpdk_bindings as ffi;
use std::ffi::{CStr, CString};
use std::ptr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a pool should be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolConfig {
    /// Number of buffers, 1 to 2^24. One less than a power of two uses memory best.
    pub count: u32,
    /// Bytes of each buffer, headroom (128) included: 256 to 65,535. The longest frame of most ports is this minus 128; of a
    /// `net_af_xdp` port this minus 384, and such a port wants 1856 to 3840.
    pub data_room: u16,
    /// Buffers that each registered thread may keep for itself, at most 512. 0 picks 256, or less in a small pool.
    pub cache: u16,
}

impl Default for MempoolConfig {
    fn default() -> Self {
        MempoolConfig { count: 16_383, data_room: 2176, cache: 0 }
    }
}

/// Why a pool could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MempoolError {
    /// A number is out of range.
    #[error("{field} of a buffer pool must be {min} to {max}, not {value}")]
    OutOfRange {
        /// Which field of the configuration.
        field: &'static str,
        /// The value that was asked for.
        value: u32,
        /// Smallest value allowed.
        min: u32,
        /// Largest value allowed.
        max: u32,
    },
    /// The EAL's memory does not suffice.
    #[error(
        "no memory for {count} packet buffers of {data_room} bytes (about {needed_mb} MB); give the EAL more memory"
    )]
    NoMemory {
        /// Buffers asked for.
        count: u32,
        /// Bytes of each.
        data_room: u16,
        /// What the pool needs, roughly.
        needed_mb: u32,
    },
    /// DPDK refused for another reason.
    #[error("DPDK cannot make a pool of packet buffers: {errno}")]
    Refused {
        /// The reason.
        errno: Errno,
        /// The last lines of its log.
        log: Vec<String>,
    },
}

/// A pool of packet buffers; a handle, cheap to clone.
#[derive(Clone)]
pub struct Mempool {
    pool: NonNull<ffi::rte_mempool>,
    data_room: u16,
    count: u32,
    eal: Eal,
}

// SAFETY: DPDK pools are made for concurrent use, and the EAL cannot end while a handle lives.
unsafe impl Send for Mempool {}
// SAFETY: as above.
unsafe impl Sync for Mempool {}

impl Mempool {
    /// Makes a pool.
    pub fn create(eal: &Eal, config: &MempoolConfig) -> Result<Self, MempoolError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let MempoolConfig { count, data_room, cache } = *config;
        check("count", count, 1, 1 << 24)?;
        check("data_room", data_room.into(), 256, 65_535)?;
        check("cache", cache.into(), 0, 512)?;
        // DPDK wants the cache, times 1.5, to be below the number of buffers.
        let cache = if cache == 0 { 256 } else { cache.into() }.min(count / 2);
        let name = CString::new(format!("mbufs{}", NUMBER.fetch_add(1, Ordering::Relaxed))).unwrap_or_default();
        let mark = log::mark();
        // SAFETY: the EAL runs as long as `eal` lives.
        let Some(pool) = (unsafe { create(&name, count, cache, data_room) }) else {
            let errno = Errno::rte();
            // 128 bytes of mbuf and 64 of the pool's own precede each buffer.
            let needed_mb = ((u64::from(count) * (u64::from(data_room) + 192)) >> 20) as u32 + 1;
            return Err(match errno.get() {
                libc::ENOMEM => MempoolError::NoMemory { count, data_room, needed_mb },
                _ => MempoolError::Refused { errno, log: log::since(mark) },
            });
        };
        eal.remember_pool(pool);
        Ok(Mempool { pool, data_room, count, eal: eal.clone() })
    }

    /// An empty buffer with [`HEADROOM`] bytes in front; None if the pool is exhausted.
    #[inline]
    pub fn alloc(&self) -> Option<Mbuf> {
        // SAFETY: the pool lives; a fresh buffer has one segment and one owner.
        unsafe { NonNull::new(ffi::shim_rte_pktmbuf_alloc(self.pool.as_ptr())).map(|mbuf| Mbuf::from_raw(mbuf)) }
    }

    /// Appends `n` empty buffers to `batch`: all of them, or (false) none because the pool or the batch has no room.
    #[inline]
    pub fn alloc_bulk<B: Batch>(&self, batch: &mut B, n: usize) -> bool {
        let len = batch.filled().len();
        let spare = batch.spare();
        if n > spare.len() {
            return false;
        }
        // SAFETY: there is room for `n` pointers, and an Mbuf is one; on success all are fresh buffers.
        unsafe {
            if ffi::shim_rte_pktmbuf_alloc_bulk(self.pool.as_ptr(), spare.as_mut_ptr().cast(), n as u32) != 0 {
                return false;
            }
            batch.set_len(len + n);
        }
        true
    }

    /// A buffer with a copy of `frame`; None if the pool is exhausted or the frame too long for a buffer.
    #[inline]
    pub fn copy_of(&self, frame: &[u8]) -> Option<Mbuf> {
        let mut mbuf = self.alloc()?;
        mbuf.append(frame.len())?.copy_from_slice(frame);
        Some(mbuf)
    }

    /// Number of buffers.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of each buffer, headroom included.
    pub fn data_room(&self) -> u16 {
        self.data_room
    }

    /// About the bytes that it takes: before each buffer are 128 bytes of mbuf and 64 of the pool's own.
    pub fn bytes(&self) -> usize {
        self.count as usize * (usize::from(self.data_room) + 192)
    }

    /// The longest frame that fits into a buffer with the usual headroom.
    pub fn max_frame(&self) -> usize {
        usize::from(self.data_room) - HEADROOM
    }

    /// Buffers that are free now (in the pool or in a thread's cache). Costs a walk over the caches.
    pub fn available(&self) -> u32 {
        // SAFETY: the pool lives.
        unsafe { ffi::rte_mempool_avail_count(self.pool.as_ptr()) }
    }

    /// Buffers that are somewhere else now.
    pub fn in_use(&self) -> u32 {
        self.count.saturating_sub(self.available())
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::rte_mempool {
        self.pool.as_ptr()
    }

    pub(crate) fn eal(&self) -> &Eal {
        &self.eal
    }
}

/// Any memory node.
const ANY_NODE: i32 = -1;

/// Makes a pool whose objects follow each other without gaps.
///
/// `rte_pktmbuf_pool_create` lets no object cross a page, in case a device wants physical addresses. On pages of 4 kB this costs
/// almost half of the memory; and `net_af_xdp` takes the memory of a pool for the number of objects times their size, so that
/// frames in the last objects would silently be lost. Where I/O addresses are virtual addresses no gap is needed.
///
/// # Safety
/// The EAL must run. On None, the reason is in `rte_errno`.
unsafe fn create(name: &CStr, count: u32, cache: u32, data_room: u16) -> Option<NonNull<ffi::rte_mempool>> {
    // SAFETY: promised by the caller; names are copied, the pool is given memory for exactly its objects, and nobody else knows
    // the pool until this returns.
    unsafe {
        if ffi::rte_eal_iova_mode() != ffi::RTE_IOVA_VA {
            return NonNull::new(ffi::rte_pktmbuf_pool_create(name.as_ptr(), count, cache, 0, data_room, ANY_NODE));
        }
        let object = size_of::<ffi::rte_mbuf>() as u32 + u32::from(data_room);
        let private = size_of::<ffi::rte_pktmbuf_pool_private>() as u32;
        let flags = ffi::RTE_MEMPOOL_F_NO_IOVA_CONTIG;
        let pool = ffi::rte_mempool_create_empty(name.as_ptr(), count, object, cache, private, ANY_NODE, flags);
        let made = NonNull::new(pool)?;
        let undo = || {
            let errno = ffi::shim_rte_errno();
            ffi::rte_mempool_free(pool);
            ffi::shim_rte_set_errno(errno);
            None
        };
        if ffi::rte_mempool_set_ops_byname(pool, ffi::rte_mbuf_best_mempool_ops(), ptr::null_mut()) != 0 {
            return undo();
        }
        let mut settings: ffi::rte_pktmbuf_pool_private = std::mem::zeroed();
        settings.mbuf_data_room_size = data_room;
        ffi::rte_pktmbuf_pool_init(pool, (&raw mut settings).cast());
        let length = count as usize * ffi::shim_rte_mempool_object_size(pool) as usize;
        let zone = ffi::rte_memzone_reserve_aligned(name.as_ptr(), length, ANY_NODE, 0, PAGE);
        if zone.is_null() {
            return undo();
        }
        // A virtual address is an I/O address here.
        let address = ffi::shim_rte_memzone_address(zone);
        let populated =
            ffi::rte_mempool_populate_iova(pool, address.cast(), address as u64, length, None, ptr::null_mut());
        if populated != count as i32 {
            ffi::rte_memzone_free(zone);
            return undo();
        }
        ffi::rte_mempool_obj_iter(pool, Some(ffi::rte_pktmbuf_init), ptr::null_mut());
        Some(made)
    }
}

/// Alignment of a pool's memory.
const PAGE: u32 = 4096;

fn check(field: &'static str, value: u32, min: u32, max: u32) -> Result<(), MempoolError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(MempoolError::OutOfRange { field, value, min, max }) }
}
