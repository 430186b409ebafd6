//! The kernel interface of AF_XDP (linux/if_xdp.h), as far as it is needed to try a bind and to read the rings.
use super::{Umem, owned, raw};
use crate::Errno;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// Pages of a ring, by their offset for mmap.
const PAGES: [i64; 4] = [
    libc::XDP_PGOFF_RX_RING,
    libc::XDP_PGOFF_TX_RING,
    libc::XDP_UMEM_PGOFF_FILL_RING as i64,
    libc::XDP_UMEM_PGOFF_COMPLETION_RING as i64,
];
const RX: usize = 0;
const TX: usize = 1;
const FILL: usize = 2;
const COMPLETION: usize = 3;

/// With chunks that are not aligned, an address has the offset within its chunk in its upper 16 bits.
const CHUNK_MASK: u64 = (1 << 48) - 1;

pub(super) fn socket() -> Result<OwnedFd, Errno> {
    // SAFETY: only makes a descriptor.
    owned(i64::from(unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) }))
}

/// Whether the first queue of an interface without zero copy is free: it is bound with zero copy, which is refused with EOPNOTSUPP
/// if it is, and with EBUSY if not. (A bind that succeeds would keep the queue busy for a while after it is undone.)
pub(super) fn check_free(index: u32, umem: &Umem) -> Result<(), Errno> {
    let socket = socket()?;
    // SAFETY: all zeroes is valid; the kernel of any version takes this structure.
    let mut region: libc::xdp_umem_reg = unsafe { std::mem::zeroed() };
    region.addr = umem.address as u64;
    region.len = u64::from(umem.object) * 2;
    region.chunk_size = umem.object;
    region.headroom = umem.headroom;
    region.flags = libc::XDP_UMEM_UNALIGNED_CHUNK_FLAG;
    set(&socket, libc::XDP_UMEM_REG, &region)?;
    for ring in [libc::XDP_UMEM_FILL_RING, libc::XDP_UMEM_COMPLETION_RING, libc::XDP_RX_RING, libc::XDP_TX_RING] {
        set(&socket, ring, &64u32)?;
    }
    // SAFETY: all zeroes is a valid address.
    let mut address: libc::sockaddr_xdp = unsafe { std::mem::zeroed() };
    address.sxdp_family = libc::AF_XDP as u16;
    address.sxdp_flags = libc::XDP_ZEROCOPY;
    address.sxdp_ifindex = index;
    // SAFETY: the address lives through the call and has the size given.
    let code = unsafe { libc::bind(raw(&socket), (&raw const address).cast(), size_of_val(&address) as u32) };
    match Errno::last() {
        _ if code == 0 => Ok(()),
        errno if errno.get() == libc::EOPNOTSUPP => Ok(()),
        errno => Err(errno),
    }
}

fn set<T>(socket: &OwnedFd, option: i32, value: &T) -> Result<(), Errno> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value lives through the call and has the size given.
    let code = unsafe { libc::setsockopt(raw(socket), libc::SOL_XDP, option, (value as *const T).cast(), length) };
    if code == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// The four rings of a socket, mapped for reading. The mapping keeps the socket alive, whoever closes it.
pub(in super::super) struct Rings([Ring; 4]);

impl Rings {
    /// Maps the rings of somebody's socket; None if it is not a complete AF_XDP socket.
    pub(super) fn map(socket: RawFd) -> Option<Rings> {
        // SAFETY: all zeroes is valid.
        let mut offsets: libc::xdp_mmap_offsets = unsafe { std::mem::zeroed() };
        let mut length = size_of_val(&offsets) as libc::socklen_t;
        // SAFETY: the structure has the size given.
        let code = unsafe {
            libc::getsockopt(socket, libc::SOL_XDP, libc::XDP_MMAP_OFFSETS, (&raw mut offsets).cast(), &mut length)
        };
        if code != 0 || length as usize != size_of_val(&offsets) {
            return None;
        }
        let descriptor = size_of::<libc::xdp_desc>();
        Some(Rings([
            Ring::map(socket, PAGES[RX], &offsets.rx, descriptor)?,
            Ring::map(socket, PAGES[TX], &offsets.tx, descriptor)?,
            Ring::map(socket, PAGES[FILL], &offsets.fr, size_of::<u64>())?,
            Ring::map(socket, PAGES[COMPLETION], &offsets.cr, size_of::<u64>())?,
        ]))
    }

    /// Frames that the kernel took for sending and has not reported as sent.
    pub(super) fn in_flight(&self) -> u32 {
        self.0[TX].consumer().wrapping_sub(self.0[COMPLETION].producer())
    }

    /// Offsets of the chunks that wait in any ring. The receive ring first: what moves does so from the fill ring to it, and is
    /// then seen twice rather than not at all or (which the caller's set makes good) once.
    pub(super) fn chunks(&self) -> Vec<u64> {
        [FILL, RX, TX, COMPLETION]
            .iter()
            .flat_map(|&ring| self.0[ring].waiting())
            .map(|address| address & CHUNK_MASK)
            .collect()
    }
}

struct Ring {
    memory: *mut u8,
    length: usize,
    producer: usize,
    consumer: usize,
    entries: usize,
    entry: usize,
    count: u32,
}

impl Ring {
    fn map(socket: RawFd, page: i64, offsets: &libc::xdp_ring_offset, entry: usize) -> Option<Ring> {
        let entries = offsets.desc as usize;
        // The size of a ring cannot be asked for, but it is a power of two, and mapping more than there is fails.
        (8..=16).rev().find_map(|exponent| {
            let count = 1usize << exponent;
            let length = entries + count * entry;
            // SAFETY: a new mapping of a ring; read only.
            let memory = unsafe {
                let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
                libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, flags, socket, page)
            };
            (memory != libc::MAP_FAILED).then_some(Ring {
                memory: memory.cast(),
                length,
                producer: offsets.producer as usize,
                consumer: offsets.consumer as usize,
                entries,
                entry,
                count: count as u32,
            })
        })
    }

    fn counter(&self, offset: usize) -> u32 {
        // SAFETY: the kernel says that an aligned counter is at this place of the mapping.
        unsafe { (*self.memory.add(offset).cast::<AtomicU32>()).load(Ordering::Acquire) }
    }

    fn producer(&self) -> u32 {
        self.counter(self.producer)
    }

    fn consumer(&self) -> u32 {
        self.counter(self.consumer)
    }

    /// The addresses between consumer and producer. Those of descriptors are their first eight bytes.
    fn waiting(&self) -> Vec<u64> {
        let (producer, consumer) = (self.producer(), self.consumer());
        let waiting = producer.wrapping_sub(consumer).min(self.count);
        let read = |i: u32| {
            let slot = (consumer.wrapping_add(i) & (self.count - 1)) as usize;
            // SAFETY: the slot lies within the mapping; the entry is eight bytes or begins with them, aligned.
            unsafe { self.memory.add(self.entries + slot * self.entry).cast::<u64>().read_volatile() }
        };
        (0..waiting).map(read).collect()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`, and nothing refers to it any more.
        unsafe { libc::munmap(self.memory.cast(), self.length) };
    }
}
