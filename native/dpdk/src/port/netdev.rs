//! Questions to the kernel about a network interface of the current namespace. Sockets and ioctls only: /sys shows the
//! namespace it was mounted in, which need not be this one.
use super::PortError;
use crate::Errno;
use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// Its index, if there is such an interface.
pub(super) fn index(iface: &str) -> Option<u32> {
    let name = std::ffi::CString::new(iface).ok()?;
    // SAFETY: a valid string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => None,
        index => Some(index),
    }
}

/// Waits for an interface that has just been closed to disappear, 200 ms at most. A child of this process that has been forked and
/// has not yet become another program holds on to it.
pub(super) fn wait_until_gone(iface: &str) {
    let deadline = Instant::now() + Duration::from_millis(200);
    while index(iface).is_some() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// True if it is up and has a carrier.
pub(super) fn is_running(iface: &str) -> bool {
    let mut request = request(iface);
    // SAFETY: SIOCGIFFLAGS fills the flags.
    unsafe {
        ioctl(libc::SIOCGIFFLAGS, &mut request).is_ok() && {
            let flags = i32::from(request.ifr_ifru.ifru_flags);
            flags & libc::IFF_UP != 0 && flags & libc::IFF_RUNNING != 0
        }
    }
}

/// Its driver, as ethtool names it: "veth". Empty if it does not say.
pub(super) fn driver(iface: &str) -> String {
    /// `struct ethtool_drvinfo` of linux/ethtool.h.
    #[repr(C)]
    struct DriverInfo {
        cmd: u32,
        driver: [u8; 32],
        rest: [u8; 160],
    }
    const ETHTOOL_GDRVINFO: u32 = 3;
    let mut info = DriverInfo { cmd: ETHTOOL_GDRVINFO, driver: [0; 32], rest: [0; 160] };
    match ethtool(iface, &mut info) {
        Ok(()) => {
            let end = info.driver.iter().position(|&byte| byte == 0).unwrap_or(32);
            String::from_utf8_lossy(&info.driver[..end]).into_owned()
        }
        Err(_) => String::new(),
    }
}

/// How many receive queues it uses now.
pub(super) fn rx_queues(iface: &str) -> u32 {
    /// `struct ethtool_channels` of linux/ethtool.h.
    #[repr(C)]
    #[derive(Default)]
    struct Channels {
        cmd: u32,
        max: [u32; 4],
        rx: u32,
        tx: u32,
        other: u32,
        combined: u32,
    }
    const ETHTOOL_GCHANNELS: u32 = 0x3c;
    let mut channels = Channels { cmd: ETHTOOL_GCHANNELS, ..Channels::default() };
    match ethtool(iface, &mut channels) {
        Ok(()) => (channels.rx + channels.combined).max(1),
        Err(_) => 1,
    }
}

/// Whether this process may make a tap interface: the driver itself would only say EINVAL.
pub(super) fn check_tun() -> Result<(), PortError> {
    let refused = |errno| PortError::NoPermission { what: "make a tap interface", errno };
    match OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
        Ok(_) if !has_capability(CAP_NET_ADMIN) => Err(refused(Errno::new(libc::EPERM))),
        Ok(_) => Ok(()),
        Err(error) => {
            let errno = Errno::new(error.raw_os_error().unwrap_or(libc::ENOENT));
            Err(match errno.is_permission() {
                true => refused(errno),
                false => PortError::File { path: "/dev/net/tun".into(), errno },
            })
        }
    }
}

/// True if the interface behind a tun descriptor is up, in whatever namespace it is by now: the kernel calls the descriptor
/// writable exactly then.
pub(super) fn tun_is_up(fd: BorrowedFd<'_>) -> bool {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one valid entry; returns at once.
    unsafe { libc::poll(&mut entry, 1, 0) == 1 && entry.revents & libc::POLLOUT != 0 }
}

/// Gives the interface behind a tun descriptor its carrier, or takes it, in whatever namespace it is by now.
pub(super) fn set_tun_carrier(fd: BorrowedFd<'_>, up: bool) -> Result<(), Errno> {
    /// `TUNSETCARRIER` of linux/if_tun.h, since Linux 5.0.
    const TUNSETCARRIER: u64 = 0x4004_54e2;
    let carrier = libc::c_int::from(up);
    // SAFETY: the operation reads one integer, which lives through the call.
    match unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETCARRIER as _, &carrier) } {
        0 => Ok(()),
        _ => Err(Errno::last()),
    }
}

pub(super) const CAP_NET_ADMIN: u32 = 12;
pub(super) const CAP_IPC_LOCK: u32 = 14;

/// Whether this process has a capability (linux/capability.h); yes if that cannot be told.
pub(super) fn has_capability(capability: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    effective.is_none_or(|mask| mask >> capability & 1 == 1)
}

fn ethtool<T>(iface: &str, command: &mut T) -> Result<(), Errno> {
    const SIOCETHTOOL: u64 = 0x8946;
    let mut request = request(iface);
    request.ifr_ifru.ifru_data = (command as *mut T).cast();
    ioctl(SIOCETHTOOL as _, &mut request)
}

fn request(iface: &str) -> libc::ifreq {
    // SAFETY: all zeroes is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays 0.
    for (to, &from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(iface.as_bytes()) {
        *to = from as libc::c_char;
    }
    request
}

fn ioctl(operation: libc::Ioctl, request: &mut libc::ifreq) -> Result<(), Errno> {
    // SAFETY: only makes a descriptor; any socket of the namespace will do.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(Errno::last());
    }
    // SAFETY: just made, so nobody else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: the operations used here read and write the request, and what its data pointer points to.
    match unsafe { libc::ioctl(socket.as_raw_fd(), operation, request) } {
        0 => Ok(()),
        _ => Err(Errno::last()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_about_loopback() {
        assert_eq!(index("lo"), Some(1));
        assert_eq!(index("no-such-if"), None);
        assert_eq!(driver("lo"), "");
        assert_eq!(rx_queues("lo"), 1);
        assert!(!is_running("no-such-if"));
    }
}
