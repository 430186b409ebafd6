//! The kernel's side of a test: namespaces, `ip`, and raw sockets that show a frame as it was on the wire.
use std::ffi::CString;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

/// Moves the current thread (a test has its own) into a new network namespace, which disappears with it. False, with the reason
/// printed, if that is not permitted: the test then cannot run.
pub fn enter_namespace() -> bool {
    // SAFETY: concerns the current thread only.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        println!("skipped: a network namespace cannot be made ({}); run as root", io::Error::last_os_error());
        return false;
    }
    ip("link set lo up");
    true
}

/// A path to the current thread's namespace, by which other processes find it.
pub fn namespace_path() -> String {
    // SAFETY: no arguments, no failure.
    format!("/proc/{}/task/{}/ns/net", std::process::id(), unsafe { libc::gettid() })
}

/// Runs `ip` in the current thread's namespace; it must succeed.
pub fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

pub fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split_whitespace()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A raw socket on an interface of the current thread's namespace.
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    pub fn open(iface: &str) -> Self {
        const PACKET_AUXDATA: i32 = 8;
        let name = CString::new(iface).unwrap();
        // SAFETY: ordinary socket calls on structures of this stack frame.
        unsafe {
            let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
            assert!(fd >= 0, "{}", io::Error::last_os_error());
            let socket = OwnedFd::from_raw_fd(fd);
            let on: i32 = 1;
            libc::setsockopt(fd, libc::SOL_PACKET, PACKET_AUXDATA, (&raw const on).cast(), 4);
            let mut address: libc::sockaddr_ll = zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
            address.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
            assert!(address.sll_ifindex > 0, "no interface {iface}");
            let code = libc::bind(fd, (&raw const address).cast(), size_of_val(&address) as u32);
            assert_eq!(code, 0, "{}", io::Error::last_os_error());
            PacketSocket(socket)
        }
    }

    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: the frame lives through the call.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent == frame.len() as isize { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// The next frame from the wire (not one we sent), with the tag that the kernel takes off put back; None after `timeout`.
    pub fn receive(&self, timeout: Duration) -> Option<Vec<u8>> {
        const TP_STATUS_VLAN_VALID: u32 = 0x10;
        loop {
            // SAFETY: ordinary socket calls on structures of this stack frame.
            unsafe {
                let mut entry = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
                if libc::poll(&mut entry, 1, timeout.as_millis() as i32) != 1 {
                    return None;
                }
                let mut frame = vec![0u8; 9216];
                let mut part = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
                let mut control = [0u64; 16];
                let mut address: libc::sockaddr_ll = zeroed();
                let mut message: libc::msghdr = zeroed();
                message.msg_name = (&raw mut address).cast();
                message.msg_namelen = size_of_val(&address) as u32;
                message.msg_iov = &mut part;
                message.msg_iovlen = 1;
                message.msg_control = control.as_mut_ptr().cast();
                message.msg_controllen = size_of_val(&control);
                let length = libc::recvmsg(self.0.as_raw_fd(), &mut message, 0);
                assert!(length >= 0, "{}", io::Error::last_os_error());
                if address.sll_pkttype == libc::PACKET_OUTGOING {
                    continue;
                }
                frame.truncate(length as usize);
                let header = libc::CMSG_FIRSTHDR(&message);
                if !header.is_null() {
                    let aux: libc::tpacket_auxdata =
                        libc::CMSG_DATA(header).cast::<libc::tpacket_auxdata>().read_unaligned();
                    if aux.tp_status & TP_STATUS_VLAN_VALID != 0 {
                        let tag = [aux.tp_vlan_tpid.to_be_bytes(), aux.tp_vlan_tci.to_be_bytes()].concat();
                        frame.splice(12..12, tag);
                    }
                }
                return Some(frame);
            }
        }
    }

    /// Receives until `count` frames that `wanted` accepts have come, or nothing comes for a second.
    pub fn receive_all(&self, count: usize, wanted: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let mut got = Vec::new();
        while got.len() < count {
            match self.receive(Duration::from_secs(1)) {
                Some(frame) if wanted(&frame) => got.push(frame),
                Some(_) => {}
                None => break,
            }
        }
        got
    }
}

/// Moves the current thread into another thread's namespace.
pub fn join_namespace(path: &str) {
    let file = std::fs::File::open(path).unwrap();
    // SAFETY: concerns the current thread only.
    assert_eq!(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }, 0, "{}", io::Error::last_os_error());
}
