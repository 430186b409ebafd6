//! The two ends of a queue pair, as a poller thread uses them.
use super::inner::Inner;
use crate::Batch;
use crate::batch::forget_front;
use dpdk_bindings as ffi;
use std::cell::Cell;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Receives frames. Send but not Sync, and `burst` takes `&mut`: one thread at a time, as DPDK demands.
pub struct RxQueue {
    port: u16,
    may_chain: bool,
    inner: Arc<Inner>,
    _one_thread: PhantomData<Cell<()>>,
}

/// Sends frames. Send but not Sync, like [`RxQueue`].
pub struct TxQueue {
    port: u16,
    inner: Arc<Inner>,
    _one_thread: PhantomData<Cell<()>>,
}

impl RxQueue {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        RxQueue { port: inner.info.id, may_chain: inner.may_chain, inner, _one_thread: PhantomData }
    }

    /// Appends the frames that wait to `batch`, at most as many as fit without it growing, and returns how many. Never
    /// blocks.
    #[inline]
    pub fn burst<B: Batch>(&mut self, batch: &mut B) -> usize {
        self.burst_up_to(batch, usize::from(u16::MAX))
    }

    /// [`RxQueue::burst`] with at most `max` frames.
    #[inline]
    pub fn burst_up_to<B: Batch>(&mut self, batch: &mut B, max: usize) -> usize {
        let len = batch.filled().len();
        let spare = batch.spare();
        let room = spare.len().min(max).min(usize::from(u16::MAX)) as u16;
        let start = spare.as_mut_ptr();
        // SAFETY: the port runs as long as `inner` lives and this is its only receiver; there is room for `room` pointers, and an
        // Mbuf is one. The first `count` are then buffers that DPDK gave away.
        unsafe {
            let count = usize::from(ffi::shim_rte_eth_rx_burst(self.port, 0, start.cast(), room));
            let count = if self.may_chain { self.drop_chains(start.cast(), count) } else { count };
            batch.set_len(len + count);
            count
        }
    }

    /// Frees what does not fit into one buffer and closes the gaps. Out of line: only files and unknown drivers need it.
    ///
    /// # Safety
    /// `start` points to `count` owned buffers.
    #[inline(never)]
    unsafe fn drop_chains(&self, start: *mut *mut ffi::rte_mbuf, count: usize) -> usize {
        // SAFETY: promised by the caller.
        let mbufs = unsafe { std::slice::from_raw_parts_mut(start, count) };
        let mut kept = 0;
        for i in 0..count {
            let mbuf = mbufs[i];
            // SAFETY: an owned buffer.
            unsafe {
                if (*mbuf).nb_segs == 1 {
                    mbufs[kept] = mbuf;
                    kept += 1;
                } else {
                    ffi::shim_rte_pktmbuf_free(mbuf);
                }
            }
        }
        if kept != count {
            self.inner.oversize.fetch_add((count - kept) as u64, Ordering::Relaxed);
        }
        kept
    }

    /// A descriptor that is readable while frames wait, if the driver has one (`net_tap`, `net_af_xdp`).
    pub fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.inner.readiness()
    }

    /// DPDK's number of the port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl TxQueue {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        TxQueue { port: inner.info.id, inner, _one_thread: PhantomData }
    }

    /// Sends the frames of `batch` in order and returns how many; those are gone, the rest stays. Never blocks.
    ///
    /// What stays may be tried again, but not for ever: a driver stops at a frame that it will never take (too long for it, or the
    /// kernel's end is down). Drop it after a try or two ([`crate::free_all`]).
    #[inline]
    pub fn burst<B: Batch>(&mut self, batch: &mut B) -> usize {
        let filled = batch.filled();
        let count = filled.len().min(usize::from(u16::MAX)) as u16;
        // SAFETY: the port runs as long as `inner` lives and this is its only sender; an Mbuf is a pointer to an owned buffer, and
        // the first `sent` are DPDK's afterwards.
        unsafe {
            let sent = usize::from(ffi::shim_rte_eth_tx_burst(self.port, 0, filled.as_mut_ptr().cast(), count));
            forget_front(batch, sent);
            sent
        }
    }

    /// Whether it sends what [`crate::SharedMbuf::behind`] makes.
    #[inline]
    pub fn takes_chains(&self) -> bool {
        self.inner.takes_chains
    }

    /// DPDK's number of the port.
    pub fn port(&self) -> u16 {
        self.inner.info.id
    }
}
