//! What `net_af_xdp` leaves undone: saying why it fails, and giving back what it held.
//!
//! * Its receive queue set-up answers every failure with EINVAL, loses 2048 buffers in doing so, and leaves pointers behind
//!   that make closing the port unsafe. So [`preflight`] does the same steps first, with real error numbers, and undoes them.
//! * Its close (DPDK 22.11) neither closes the socket (the interface stays bound, and cannot be opened again) nor frees the
//!   buffers that wait in the socket's rings. [`Held`] reads these from the rings, which the kernel shares with us, and frees
//!   them after the socket is gone.
mod bpf;
mod rings;

use super::{PortError, netdev};
use crate::{Errno, Mempool, fds};
use dpdk_bindings as ffi;
use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

pub(super) use rings::Rings;

/// The driver's ring of buffers to be filled takes this many at once.
pub(super) const FILL_BUFFERS: u32 = 2048;

/// Memory of a pool, as the driver registers it with the kernel.
struct Umem {
    address: usize,
    length: usize,
    /// Bytes from an object's start to its mbuf.
    header: usize,
    object: u32,
    headroom: u32,
}

impl Umem {
    /// None if the pool is not one piece of memory: the driver does not check, and the kernel would write anywhere.
    fn of(pool: &Mempool) -> Option<Umem> {
        // SAFETY: the pool lives; these read its fields.
        let (chunks, base, header, object) = unsafe {
            let pool = pool.as_ptr();
            (
                ffi::shim_rte_mempool_mem_chunks(pool),
                ffi::shim_rte_mempool_base(pool) as usize,
                ffi::shim_rte_mempool_header_size(pool),
                ffi::shim_rte_mempool_object_size(pool),
            )
        };
        if chunks != 1 || base == 0 {
            return None;
        }
        let address = base & !(page_size() - 1);
        let length = pool.count() as usize * object as usize + (base - address);
        let headroom = header + size_of::<ffi::rte_mbuf>() as u32 + crate::HEADROOM as u32;
        Some(Umem { address, length, header: header as usize, object, headroom })
    }
}

/// Tries on `iface` what the driver is going to do, so that a failure has a reason.
pub(super) fn preflight(iface: &str, index: u32, is_veth: bool, pool: &Mempool) -> Result<(), PortError> {
    let refused = |what| {
        let iface = iface.to_owned();
        move |errno: Errno| match errno.is_permission() {
            true => PortError::NoPermission { what, errno },
            false => PortError::Xdp { what, iface, errno },
        }
    };
    let data_room = pool.data_room();
    let unsuitable = PortError::BuffersUnsuitable { driver: "net_af_xdp", data_room, min: 1856, max: 3840 };
    let Some(umem) = Umem::of(pool) else { return Err(unsuitable) };
    // The kernel's own limits for one chunk (xdp_umem_reg).
    if umem.object < 2048 || umem.object as usize > page_size() {
        return Err(unsuitable);
    }
    if !netdev::has_capability(netdev::CAP_IPC_LOCK) && umem.length as u64 > lockable_bytes() {
        return Err(refused("lock the packet buffers in memory")(Errno::new(libc::ENOBUFS)));
    }
    bpf::try_attach(index).map_err(refused("attach an XDP program"))?;
    rings::socket().map_err(refused("open an AF_XDP socket"))?;
    if !is_veth {
        return Ok(());
    }
    // A socket that was closed lets go of its interface a little later: whoever closes a port may open it again at once.
    let deadline = Instant::now() + Duration::from_millis(500);
    loop {
        match rings::check_free(index, &umem) {
            Err(errno) if errno.get() == libc::EBUSY && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result.map_err(refused("bind an AF_XDP socket")),
        }
    }
}

/// How much memory this user may lock.
fn lockable_bytes() -> u64 {
    // SAFETY: fills a structure of this stack frame.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) == 0 { limit.rlim_cur } else { u64::MAX }
    }
}

/// What a port's socket holds. Made when the port is opened, because the rings cannot be mapped any more once the interface has
/// been deleted.
pub(super) struct Held {
    rings: Rings,
    umem: Umem,
}

impl Held {
    pub(super) fn new(socket: RawFd, pool: &Mempool) -> Option<Held> {
        Some(Held { rings: Rings::map(socket)?, umem: Umem::of(pool)? })
    }

    /// Waits shortly for the kernel to finish what it is sending; to be called when nothing more is sent.
    pub(super) fn settle(&self) {
        let deadline = Instant::now() + Duration::from_millis(100);
        while self.rings.in_flight() != 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Frees the buffers, after the driver has closed the port. `leftovers` are the port's descriptors that the driver has not closed; closing them here releases the
    /// socket, so that the kernel writes into no buffer any more. Returns how many buffers are lost nevertheless: those of
    /// frames that some receiver has not consumed.
    pub(super) fn give_back(self, pool: &Mempool, leftovers: Leftovers) -> u32 {
        let lost = self.rings.in_flight();
        // A set: an entry may move from one ring to another while they are read.
        let chunks: BTreeSet<u64> = self.rings.chunks().into_iter().collect();
        drop(self.rings);
        leftovers.close();
        for chunk in chunks {
            let mbuf = (self.umem.address + chunk as usize + self.umem.header) as *mut ffi::rte_mbuf;
            let end = self.umem.address + self.umem.length;
            if chunk as usize >= self.umem.length || mbuf as usize + size_of::<ffi::rte_mbuf>() > end {
                continue;
            }
            // SAFETY: an address that the driver put into a ring of this pool's memory, so a buffer of the pool that
            // belonged to the driver; driver and kernel have let go of it.
            unsafe {
                if (*mbuf).pool == pool.as_ptr() {
                    ffi::shim_rte_pktmbuf_free(mbuf);
                }
            }
        }
        lost
    }
}

/// Descriptors that opening a port left open, with what they were then.
#[derive(Default)]
pub(super) struct Leftovers(Vec<(RawFd, String)>);

impl Leftovers {
    /// Of `opened`, those that are of AF_XDP or BPF.
    pub(super) fn of(opened: &[RawFd]) -> Self {
        let known = |fd: RawFd| {
            let identity = fds::identity(fd)?;
            (fds::is_xdp_socket(fd) || identity.starts_with("anon_inode:bpf")).then_some((fd, identity))
        };
        Leftovers(opened.iter().filter_map(|&fd| known(fd)).collect())
    }

    /// The socket among them.
    pub(super) fn socket(&self) -> Option<RawFd> {
        self.0.iter().map(|&(fd, _)| fd).find(|&fd| fds::is_xdp_socket(fd))
    }

    /// Closes those that are still what they were.
    pub(super) fn close(self) {
        for (fd, identity) in self.0 {
            if fds::identity(fd).as_ref() == Some(&identity) {
                // SAFETY: opened for this port, recognised, and the port is closed.
                unsafe { fds::close(fd) };
            }
        }
    }
}

fn page_size() -> usize {
    // SAFETY: reads a constant of the system.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Takes over a descriptor that a system call returned.
fn owned(fd: i64) -> Result<OwnedFd, Errno> {
    if fd < 0 {
        return Err(Errno::last());
    }
    // SAFETY: just returned by the kernel, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn raw(fd: &OwnedFd) -> RawFd {
    fd.as_raw_fd()
}
