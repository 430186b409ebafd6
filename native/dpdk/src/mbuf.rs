//! One packet buffer.
//!
//! ```text
//!  buf_addr            data_off            data_off + data_len             buf_len
//!  │      headroom      │        frame      │          tailroom             │
//!  └────────────────────┴───────────────────┴───────────────────────────────┘
//!    prepend ◄──                              ──► append
//! ```
//!
//! Invariant of this crate: an [`Mbuf`] is one segment, and nobody else refers to it. Pools hand out such buffers, and receive
//! queues drop what arrives in several segments. So `data()` is the whole frame. The one exception is made for sending the same frame
//! many times: a [`SharedMbuf`] can no longer be changed, and what [`SharedMbuf::behind`] makes of it is a header of its own, which
//! `data()` is then, with the shared frame as second segment.
use dpdk_bindings as ffi;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Bytes that a fresh buffer keeps free in front of the frame (some drivers leave more).
pub const HEADROOM: usize = ffi::RTE_PKTMBUF_HEADROOM as usize;

/// A packet buffer with one frame, owned: dropping it gives it back to its pool. It is as large as a pointer, so that a slice of
/// these is what DPDK's burst functions take.
#[repr(transparent)]
pub struct Mbuf(NonNull<ffi::rte_mbuf>);

// SAFETY: a buffer belongs to one owner, and pools may be used from any thread.
unsafe impl Send for Mbuf {}
// SAFETY: `&Mbuf` only reads.
unsafe impl Sync for Mbuf {}

impl Mbuf {
    /// Takes over a buffer from DPDK.
    ///
    /// # Safety
    /// `mbuf` must be an allocated buffer of one segment to which nobody else refers.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(mbuf: NonNull<ffi::rte_mbuf>) -> Self {
        Mbuf(mbuf)
    }

    #[inline(always)]
    fn raw(&self) -> &ffi::rte_mbuf {
        // SAFETY: owned and initialised by the pool.
        unsafe { self.0.as_ref() }
    }

    #[inline(always)]
    fn raw_mut(&mut self) -> &mut ffi::rte_mbuf {
        // SAFETY: owned and initialised by the pool.
        unsafe { self.0.as_mut() }
    }

    #[inline(always)]
    fn set_len(&mut self, len: u16) {
        let raw = self.raw_mut();
        raw.data_len = len;
        raw.pkt_len = len.into();
    }

    /// Length of the frame in bytes.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.raw().data_len.into()
    }

    /// True if there is no frame in it.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frame.
    #[inline(always)]
    pub fn data(&self) -> &[u8] {
        let raw = self.raw();
        // SAFETY: data_off + data_len stay within the buffer: pool and drivers start so, and every method below checks.
        unsafe { std::slice::from_raw_parts(raw.buf_addr.cast::<u8>().add(raw.data_off.into()), raw.data_len.into()) }
    }

    /// The frame, to be changed in place.
    #[inline(always)]
    pub fn data_mut(&mut self) -> &mut [u8] {
        let raw = self.raw();
        // SAFETY: as in `data`, and nobody else refers to the buffer.
        unsafe {
            std::slice::from_raw_parts_mut(raw.buf_addr.cast::<u8>().add(raw.data_off.into()), raw.data_len.into())
        }
    }

    /// Bytes free in front of the frame.
    #[inline(always)]
    pub fn headroom(&self) -> usize {
        self.raw().data_off.into()
    }

    /// Bytes free behind the frame.
    #[inline(always)]
    pub fn tailroom(&self) -> usize {
        let raw = self.raw();
        usize::from(raw.buf_len).saturating_sub(usize::from(raw.data_off) + usize::from(raw.data_len))
    }

    /// Makes the frame `n` bytes longer at its front and returns these bytes, whose content is arbitrary. None, and nothing
    /// changes, if the headroom is too small.
    #[inline(always)]
    pub fn prepend(&mut self, n: usize) -> Option<&mut [u8]> {
        let len = self.raw().data_len.checked_add(u16::try_from(n).ok()?)?;
        let offset = self.raw().data_off.checked_sub(n as u16)?;
        self.raw_mut().data_off = offset;
        self.set_len(len);
        self.data_mut().get_mut(..n)
    }

    /// Cuts `n` bytes off the frame's front. False, and nothing changes, if it is shorter.
    #[inline(always)]
    #[must_use]
    pub fn trim_front(&mut self, n: usize) -> bool {
        if n > self.len() {
            return false;
        }
        self.raw_mut().data_off += n as u16;
        self.set_len(self.raw().data_len - n as u16);
        true
    }

    /// The `n` bytes in front of the frame, which hold what was cut off, or anything. None if the headroom is smaller.
    #[inline(always)]
    pub fn before(&self, n: usize) -> Option<&[u8]> {
        let raw = self.raw();
        let start = self.headroom().checked_sub(n)?;
        // SAFETY: the bytes lie between the buffer's start and data_off, which is within it.
        Some(unsafe { std::slice::from_raw_parts(raw.buf_addr.cast::<u8>().add(start), n) })
    }

    /// Cuts the frame to `len` bytes; a shorter frame stays as it is.
    #[inline(always)]
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            self.set_len(len as u16);
        }
    }

    /// Makes the frame `n` bytes longer at its end and returns these bytes, whose content is arbitrary. None, and nothing
    /// changes, if the tailroom is too small.
    #[inline(always)]
    pub fn append(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.tailroom() {
            return None;
        }
        let old = self.len();
        self.set_len(self.raw().data_len + n as u16);
        self.data_mut().get_mut(old..)
    }

    /// Length of all segments together in bytes.
    #[inline]
    pub fn chain_len(&self) -> usize {
        self.raw().pkt_len as usize
    }

    /// Copies the frame, all of its segments, into `to` as far as that goes; returns how many bytes.
    pub fn copy_to(&self, to: &mut [u8]) -> usize {
        let mut copied = 0;
        let mut segment = Some(self.raw());
        while let Some(raw) = segment {
            // SAFETY: as in `data`; segments of a chain live as long as its head.
            let bytes = unsafe {
                std::slice::from_raw_parts(raw.buf_addr.cast::<u8>().add(raw.data_off.into()), raw.data_len.into())
            };
            let room = &mut to[copied..];
            let length = bytes.len().min(room.len());
            room[..length].copy_from_slice(&bytes[..length]);
            copied += length;
            // SAFETY: null, or the next segment of the chain.
            segment = unsafe { raw.next.as_ref() };
        }
        copied
    }

    /// Number of segments: 1, or 2 if a shared frame follows (see the invariant above).
    #[inline(always)]
    pub fn segments(&self) -> u16 {
        self.raw().nb_segs
    }

    /// DPDK's port number of the port where the frame came in; 65535 if it came from none.
    #[inline(always)]
    pub fn port(&self) -> u16 {
        self.raw().port
    }

    /// Offload flags (`RTE_MBUF_F_*`).
    #[inline(always)]
    pub fn flags(&self) -> u64 {
        self.raw().ol_flags
    }

    /// Forgets everything that the receiving driver noted about the frame. A forwarder that asks for no offload calls this, so
    /// that no receive flag is taken for a transmit flag.
    #[inline(always)]
    pub fn clear_flags(&mut self) {
        self.raw_mut().ol_flags = 0;
    }

    /// True if the driver found the frame's IP checksum wrong.
    #[inline(always)]
    pub fn ip_checksum_bad(&self) -> bool {
        self.flags() & RX_IP_MASK == ffi::RTE_MBUF_F_RX_IP_CKSUM_BAD as u64
    }

    /// True if the driver found the frame's TCP or UDP checksum wrong.
    #[inline(always)]
    pub fn l4_checksum_bad(&self) -> bool {
        self.flags() & RX_L4_MASK == ffi::RTE_MBUF_F_RX_L4_CKSUM_BAD as u64
    }

    /// Loads the buffer's header into the cache.
    #[inline(always)]
    pub fn prefetch(&self) {
        prefetch(self.0.as_ptr().cast());
    }

    /// Loads the first cache line of the frame into the cache; reads the buffer's header for it.
    #[inline(always)]
    pub fn prefetch_data(&self) {
        let raw = self.raw();
        // SAFETY: stays within the buffer; a prefetch does not access memory anyway.
        prefetch(unsafe { raw.buf_addr.cast::<u8>().add(raw.data_off.into()) });
    }
}

/// A frame that can be read and sent, and no longer be changed: frames for several receivers end with it, each behind a header of its
/// own. Nobody copies it; its buffer goes back to the pool with the last of those who refer to it.
pub struct SharedMbuf(Mbuf, PhantomData<Cell<()>>);

impl Mbuf {
    /// Gives up changing the frame.
    #[inline]
    pub fn share(self) -> SharedMbuf {
        SharedMbuf(self, PhantomData)
    }
}

impl SharedMbuf {
    /// The frame.
    #[inline(always)]
    pub fn data(&self) -> &[u8] {
        self.0.data()
    }

    /// The frame to be changed again; as it was, if something refers to it still.
    #[inline]
    pub fn unshare(self) -> Result<Mbuf, SharedMbuf> {
        // SAFETY: owned and initialised. Nobody but this owner makes new references, so one is the last one.
        if unsafe { ffi::shim_rte_mbuf_refcnt_read(self.0.0.as_ptr()) } == 1 { Ok(self.0) } else { Err(self) }
    }

    /// `header` with this frame behind it, to be sent by a queue that takes frames in several segments
    /// ([`crate::TxQueue::takes_chains`]). None if `header` has more segments than a frame may have.
    #[inline]
    pub fn behind(&self, header: Mbuf) -> Option<Mbuf> {
        // 32,767 frames at a time may refer to one buffer: many times what the queues of all ports hold.
        // SAFETY: both are owned, initialised and one segment; the count keeps this buffer alive for as long as the chain lives, and
        // nobody changes it: a SharedMbuf hands out no way to, and a chain's `data_mut` reaches its first segment only.
        unsafe {
            if ffi::shim_rte_pktmbuf_chain(header.0.as_ptr(), self.0.0.as_ptr()) != 0 {
                return None;
            }
            ffi::shim_rte_mbuf_refcnt_update(self.0.0.as_ptr(), 1);
        }
        Some(header)
    }
}

impl fmt::Debug for SharedMbuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const RX_IP_MASK: u64 = (ffi::RTE_MBUF_F_RX_IP_CKSUM_BAD | ffi::RTE_MBUF_F_RX_IP_CKSUM_GOOD) as u64;
const RX_L4_MASK: u64 = (ffi::RTE_MBUF_F_RX_L4_CKSUM_BAD | ffi::RTE_MBUF_F_RX_L4_CKSUM_GOOD) as u64;

#[inline(always)]
fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; never faults.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast())
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a hint; never faults.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags))
    };
}

impl Drop for Mbuf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: owned, and not used again.
        unsafe { ffi::shim_rte_pktmbuf_free(self.0.as_ptr()) }
    }
}

impl fmt::Debug for Mbuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mbuf").field("len", &self.len()).field("headroom", &self.headroom()).finish_non_exhaustive()
    }
}
