//! Collections of buffers that bursts fill and empty without copying more than pointers.
use crate::Mbuf;
use arrayvec::ArrayVec;
use dpdk_bindings as ffi;
use std::mem::MaybeUninit;

/// A growable row of [`Mbuf`]s in one piece of memory: `Vec<Mbuf>` or `ArrayVec<Mbuf, N>`. It is never made to allocate: a
/// burst receives at most what fits.
///
/// # Safety
/// `spare` is exactly the memory behind the elements; after `set_len(n)` the first `n` are the elements.
pub unsafe trait Batch {
    /// The room behind the elements.
    fn spare(&mut self) -> &mut [MaybeUninit<Mbuf>];
    /// The elements.
    fn filled(&mut self) -> &mut [Mbuf];
    /// Changes how many elements there are, without dropping any.
    ///
    /// # Safety
    /// The first `len` places must hold initialised buffers, and those cut off must not be lost by accident.
    unsafe fn set_len(&mut self, len: usize);
}

// SAFETY: as `Vec` documents.
unsafe impl Batch for Vec<Mbuf> {
    #[inline(always)]
    fn spare(&mut self) -> &mut [MaybeUninit<Mbuf>] {
        self.spare_capacity_mut()
    }
    #[inline(always)]
    fn filled(&mut self) -> &mut [Mbuf] {
        self
    }
    #[inline(always)]
    unsafe fn set_len(&mut self, len: usize) {
        // SAFETY: promised by the caller.
        unsafe { Vec::set_len(self, len) }
    }
}

// SAFETY: as `ArrayVec` documents.
unsafe impl<const N: usize> Batch for ArrayVec<Mbuf, N> {
    #[inline(always)]
    fn spare(&mut self) -> &mut [MaybeUninit<Mbuf>] {
        let len = self.len();
        // SAFETY: the places from `len` to N belong to the array and may hold anything.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr().add(len).cast(), N - len) }
    }
    #[inline(always)]
    fn filled(&mut self) -> &mut [Mbuf] {
        self
    }
    #[inline(always)]
    unsafe fn set_len(&mut self, len: usize) {
        // SAFETY: promised by the caller.
        unsafe { ArrayVec::set_len(self, len) }
    }
}

/// Removes the first `n` elements, which somebody else now owns; the rest moves to the front.
///
/// # Safety
/// `n` is at most the number of elements, and the first `n` must not be used or dropped through the batch again.
#[inline(always)]
pub(crate) unsafe fn forget_front<B: Batch>(batch: &mut B, n: usize) {
    let filled = batch.filled();
    let rest = filled.len() - n;
    let start = filled.as_mut_ptr();
    if n != 0 && rest != 0 {
        // SAFETY: both ranges lie within the elements.
        unsafe { std::ptr::copy(start.add(n), start, rest) };
    }
    // SAFETY: the first `rest` places hold the elements that stay.
    unsafe { batch.set_len(rest) };
}

/// Frees all buffers with one call, which is cheaper than dropping them one by one.
#[inline]
pub fn free_all<B: Batch>(batch: &mut B) {
    let filled = batch.filled();
    let (start, count) = (filled.as_mut_ptr(), filled.len());
    // SAFETY: an Mbuf is a pointer to an owned buffer (`repr(transparent)`); none of them is used again.
    unsafe {
        ffi::rte_pktmbuf_free_bulk(start.cast(), count as u32);
        batch.set_len(0);
    }
}
