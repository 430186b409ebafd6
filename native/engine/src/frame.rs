//! DPDK's packet buffer as the pipeline's packet.

use dpdk::{Mbuf, SharedMbuf};
use pipeline::Packet;

/// An [`Mbuf`] that the pipeline can work on. (Neither crate knows the other, so the bridge is a type of ours.)
#[repr(transparent)]
pub struct Frame(pub Mbuf);

/// A frame that is sent many times and no longer changed.
pub struct SharedFrame(pub SharedMbuf);

impl AsRef<[u8]> for SharedFrame {
    #[inline(always)]
    fn as_ref(&self) -> &[u8] {
        self.0.data()
    }
}

impl Packet for Frame {
    #[inline(always)]
    fn data(&self) -> &[u8] {
        self.0.data()
    }

    #[inline(always)]
    fn data_mut(&mut self) -> &mut [u8] {
        self.0.data_mut()
    }

    #[inline(always)]
    fn prepend<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.0.prepend(N)?.first_chunk_mut()
    }

    #[inline(always)]
    fn trim_front(&mut self, length: usize) {
        let cut = self.0.trim_front(length);
        debug_assert!(cut, "{length} bytes off a frame of {}", self.0.len());
    }

    #[inline(always)]
    fn trimmed(&self, length: usize) -> Option<&[u8]> {
        self.0.before(length)
    }

    #[inline(always)]
    fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    #[cold]
    fn pad(&mut self, length: usize) {
        let missing = length.saturating_sub(self.0.len());
        if let Some(room) = self.0.append(missing) {
            room.fill(0);
        }
    }

    #[inline(always)]
    fn is_segmented(&self) -> bool {
        self.0.segments() != 1
    }

    #[inline(always)]
    fn prefetch(&self) {
        self.0.prefetch_data();
    }
}
