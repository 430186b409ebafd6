//! File descriptors that DPDK opens. It opens them without close-on-exec, so every child of the process would inherit device
//! and memory files; and some of its drivers never close them.
//!
//! There is no way to ask DPDK which they are: they are what is there after a call and was not before, by number and by what it
//! refers to (a number is used again as soon as its file is closed). Another thread may open files in that time; marking one of those as close-on-exec is harmless (who passes files on to a child does it with
//! `dup2`, which clears the mark), and nothing else is done to a descriptor without knowing exactly what it is.
use std::collections::BTreeMap;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Remembers which descriptors were open.
pub(crate) struct Opened(BTreeMap<RawFd, String>);

impl Opened {
    /// Starts watching.
    pub(crate) fn watch() -> Self {
        Opened(open_fds())
    }

    /// The descriptors opened since that are still open.
    pub(crate) fn new_fds(&self) -> Vec<RawFd> {
        let is_new = |(fd, identity): (RawFd, String)| (self.0.get(&fd) != Some(&identity)).then_some(fd);
        open_fds().into_iter().filter_map(is_new).collect()
    }

    /// Marks them so that no child inherits them, and returns them.
    pub(crate) fn close_on_exec(&self) -> Vec<RawFd> {
        let new = self.new_fds();
        for &fd in &new {
            // SAFETY: changes one flag of a descriptor; on one closed meanwhile it does nothing.
            unsafe {
                let flags = libc::fcntl(fd, libc::F_GETFD);
                if flags >= 0 {
                    libc::fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC);
                }
            }
        }
        new
    }
}

/// What a descriptor refers to, precise enough to recognise it later: "socket:[4711]", "anon_inode:bpf-map 12".
pub(crate) fn identity(fd: RawFd) -> Option<String> {
    let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
    let mut identity = target.to_str()?.to_owned();
    if identity.starts_with("anon_inode:bpf") {
        // All anonymous files share one inode; BPF objects have an id of their own.
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
        let id = info.lines().find_map(|line| line.strip_prefix("map_id:").or(line.strip_prefix("prog_id:")));
        identity = format!("{identity} {}", id.unwrap_or_default().trim());
    }
    Some(identity)
}

/// True for a socket of the family AF_XDP.
pub(crate) fn is_xdp_socket(fd: RawFd) -> bool {
    let mut domain: libc::c_int = 0;
    let mut length = size_of_val(&domain) as libc::socklen_t;
    // SAFETY: the option fits the variable whose size is given.
    let code =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_DOMAIN, (&raw mut domain).cast(), &mut length) };
    code == 0 && domain == libc::AF_XDP
}

/// Closes a descriptor that its opener has forgotten.
///
/// # Safety
/// Nobody may use the descriptor any more.
pub(crate) unsafe fn close(fd: RawFd) {
    // SAFETY: promised by the caller.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
}

fn open_fds() -> BTreeMap<RawFd, String> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return BTreeMap::new() };
    let listed: Vec<RawFd> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The list contains the descriptor it was read through; that is closed by now, so it has no identity.
    listed.into_iter().filter_map(|fd| Some((fd, identity(fd)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn sees_what_was_opened_since() {
        let opened = Opened::watch();
        // SAFETY: duplicates a descriptor without close-on-exec, as DPDK does.
        let fd = unsafe { libc::dup(0) };
        assert!(opened.close_on_exec().contains(&fd));
        // SAFETY: reads a flag; then closes what was opened above.
        unsafe {
            assert_eq!(libc::fcntl(fd, libc::F_GETFD), libc::FD_CLOEXEC);
            close(fd);
        }
    }

    #[test]
    fn sees_a_new_file_under_an_old_number() {
        let old = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let opened = Opened::watch();
        let new = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        // SAFETY: replaces one socket of this test by another.
        unsafe { libc::dup2(new.as_raw_fd(), old.as_raw_fd()) };
        assert!(opened.new_fds().contains(&old.as_raw_fd()));
    }

    #[test]
    fn recognises_sockets() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(identity(socket.as_raw_fd()).unwrap().starts_with("socket:["));
        assert!(!is_xdp_socket(socket.as_raw_fd()));
        assert_eq!(identity(-1), None);
    }
}
