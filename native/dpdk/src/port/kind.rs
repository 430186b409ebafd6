//! The typed description of a port, and how it becomes the text that DPDK's drivers read.
use super::{PortError, pci, vhost};
use crate::Mempool;
use dpdk_bindings as ffi;

/// What a port should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortConfig {
    /// A name for people; appears in errors and in [`super::PortInfo`].
    pub name: String,
    /// What is at the other end.
    pub kind: PortKind,
    /// Bytes above Ethernet that a frame may carry: 68 to 65,535, and what the driver takes. It is set on the kernel's interface
    /// too, where there is one.
    pub mtu: u16,
    /// Pairs of queues. This version takes 1.
    pub queues: u16,
}

/// The kinds of port. Their drivers come with DPDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortKind {
    /// A new interface of the kernel, `iface`, is the other end; it may be moved to another namespace while the port runs. It
    /// disappears with the port. MTU at most 1504 (DPDK 22.11).
    Tap {
        /// Name of the interface to be made.
        iface: String,
        /// Its MAC address; None picks a random one.
        mac: Option<[u8; 6]>,
    },
    /// An existing interface `iface`: a NIC with a kernel driver, or one end of a veth pair. Its frames no longer reach the
    /// kernel. MTU at most 3506, and what a buffer holds (less 402 bytes). Frames with two tags need an MTU that is 4 larger.
    ///
    /// The kernel at the other end of a veth must finish its checksums, and must put tags into the frame: `ethtool -K DEV tx off
    /// txvlan off` there.
    AfXdp {
        /// Name of the interface.
        iface: String,
    },
    /// Frames come from one file and go to another.
    Pcap {
        /// The file to read; None receives nothing.
        rx: Option<String>,
        /// The file to write; None drops what is sent.
        tx: Option<String>,
        /// Read the file again and again, from memory. Its frames then occupy buffers of the pool.
        infinite_rx: bool,
    },
    /// An endless source of zeroes and a sink.
    Null {
        /// Length of a received frame in bytes, 14 to what a buffer holds.
        size: u16,
        /// Receive nothing: a sink only, and a cheaper one.
        no_rx: bool,
    },
    /// What is sent comes back on the same port. Holds 1024 frames.
    Ring,
    /// A virtual machine or a container by vhost-user: the port listens on a socket, the other end connects, as often as it likes, and
    /// shares its memory. The socket disappears with the port.
    Vhost {
        /// Absolute path of the socket to be made, at most 107 bytes.
        path: String,
    },
    /// A function of a NIC by its address, "0000:03:00.0". It must be bound to a driver that hands it over, such as vfio-pci.
    Pci {
        /// Domain, bus, device and function.
        address: String,
    },
    /// Any other device, as DPDK writes it: "net_memif0,role=client", or "0000:03:00.0,dv_flow_en=0". Passed through, so what the driver is
    /// told here it does, even if that breaks the process.
    Devargs(String),
}

/// What `net_af_xdp` keeps in front of a frame: DPDK's headroom, and the kernel's XDP_PACKET_HEADROOM (256) behind it.
const AF_XDP_HEADROOM: u16 = 384;
/// Ethernet header.
const HEADER: u16 = 14;
/// One VLAN tag.
const TAG: u16 = 4;

impl PortKind {
    /// The driver, as far as the description names it.
    pub(super) fn driver(&self) -> &'static str {
        match self {
            PortKind::Tap { .. } => "net_tap",
            PortKind::AfXdp { .. } => "net_af_xdp",
            PortKind::Pcap { .. } => "net_pcap",
            PortKind::Null { .. } => "net_null",
            PortKind::Ring => "net_ring",
            PortKind::Vhost { .. } => "net_vhost",
            PortKind::Pci { .. } | PortKind::Devargs(_) => "",
        }
    }

    /// True if the driver may deliver one frame in several buffers.
    pub(super) fn may_chain(&self) -> bool {
        matches!(self, PortKind::Pcap { .. } | PortKind::Pci { .. } | PortKind::Devargs(_))
    }

    /// What the driver is asked for, so that it sends frames in several segments. A NIC is not asked: many of its drivers would give up
    /// their fastest way of sending for it, and every frame would pay for what only copies need.
    pub(super) fn chain_offload(&self, capabilities: u64) -> u64 {
        match self {
            PortKind::Tap { .. } | PortKind::Vhost { .. } => capabilities & ffi::SHIM_RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
            _ => 0,
        }
    }

    /// Whether the driver, asked for `offloads`, sends frames in several segments. Two do and do not say so: `net_null` frees what it is
    /// given, and `net_pcap` gathers. What goes into a `net_ring` comes out of it, and the receiver wants it in one piece.
    pub(super) fn takes_chains(&self, offloads: u64) -> bool {
        offloads != 0 || matches!(self, PortKind::Null { .. } | PortKind::Pcap { .. })
    }

    /// Bytes of a buffer that the driver keeps in front of a received frame.
    pub(super) fn rx_headroom(&self) -> u16 {
        match self {
            PortKind::AfXdp { .. } => AF_XDP_HEADROOM,
            _ => crate::HEADROOM as u16,
        }
    }

    /// Bytes that a frame may be longer than the MTU: the header and as many tags as pass. A kernel interface carries one tag beyond
    /// its MTU and drops what is longer without a word.
    pub(super) fn frame_overhead(&self) -> u16 {
        match self {
            PortKind::AfXdp { .. } => HEADER + TAG,
            _ => HEADER + 2 * TAG,
        }
    }

    /// Checks what can be checked without asking the system.
    pub(super) fn check(&self, pool: &Mempool) -> Result<(), PortError> {
        match self {
            PortKind::Tap { iface, .. } | PortKind::AfXdp { iface } => check_iface(iface),
            PortKind::Pcap { rx: None, tx: None, .. } => Err(PortError::NoFile),
            PortKind::Pcap { rx: None, infinite_rx: true, .. } => Err(PortError::NoFile),
            PortKind::Pcap { rx, tx, .. } => [rx, tx].into_iter().flatten().try_for_each(|path| check_path(path)),
            PortKind::Null { size, .. } => {
                // The driver itself does not check, and would write past the end of the buffer.
                let (field, value, max) =
                    ("the frame size of a net_null port", u32::from(*size), pool.max_frame() as u32);
                if (14..=max).contains(&value) {
                    Ok(())
                } else {
                    Err(PortError::OutOfRange { field, value, min: 14, max })
                }
            }
            PortKind::Ring => Ok(()),
            PortKind::Vhost { path } => vhost::check_path(path),
            PortKind::Pci { address } => pci::check_address(address),
            PortKind::Devargs(devargs) => check_devargs(devargs),
        }
    }

    /// The device's name in DPDK, and the whole text. `number` makes the name unique in this process.
    pub(super) fn devargs(&self, number: u32, is_veth: bool) -> (String, String) {
        if let PortKind::Devargs(devargs) | PortKind::Pci { address: devargs } = self {
            let name = devargs.split(',').next().unwrap_or_default();
            return (name.to_owned(), devargs.clone());
        }
        let name = format!("{}{number}", self.driver());
        let mut text = name.clone();
        let mut add = |key: &str, value: &str| text.push_str(&format!(",{key}={value}"));
        match self {
            PortKind::Tap { iface, mac } => {
                add("iface", iface);
                if let Some([a, b, c, d, e, f]) = mac {
                    add("mac", &format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"));
                }
            }
            PortKind::AfXdp { iface } => {
                add("iface", iface);
                if is_veth {
                    // veth copies anyway. Without busy polling an empty receive burst costs no system call; with a driver that
                    // does zero copy it could then sleep for a second, so there the default stays.
                    add("force_copy", "1");
                    add("busy_budget", "0");
                }
            }
            PortKind::Pcap { rx, tx, infinite_rx } => {
                rx.iter().for_each(|path| add("rx_pcap", path));
                tx.iter().for_each(|path| add("tx_pcap", path));
                if *infinite_rx {
                    add("infinite_rx", "1");
                }
            }
            PortKind::Null { no_rx: true, .. } => add("no-rx", "1"),
            PortKind::Null { size, no_rx: false } => {
                add("size", &size.to_string());
                // Without this the frames would be whatever the buffers held before.
                add("copy", "1");
            }
            PortKind::Vhost { path } => {
                add("iface", path);
                // One buffer a frame, whatever the other end would like; and no frame that is yet to be cut into segments.
                add("linear-buffer", "1");
                add("tso", "0");
            }
            PortKind::Ring | PortKind::Pci { .. } | PortKind::Devargs(_) => {}
        }
        (name, text)
    }
}

/// Stricter than the kernel: what is safe in devargs, in a shell and in a path.
fn check_iface(iface: &str) -> Result<(), PortError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let good = (1..=15).contains(&iface.len()) && iface.bytes().all(plain) && !matches!(iface, "." | "..");
    if good { Ok(()) } else { Err(PortError::BadIface { iface: iface.to_owned() }) }
}

pub(super) fn check_path(path: &str) -> Result<(), PortError> {
    let bad = |byte: u8| byte <= b' ' || matches!(byte, b',' | b'"' | b'\'' | b'[' | b']' | 0x7f);
    if path.is_empty() || path.len() > 1024 || path.bytes().any(bad) {
        return Err(PortError::BadPath { path: path.to_owned() });
    }
    Ok(())
}

fn check_devargs(devargs: &str) -> Result<(), PortError> {
    let refuse = |reason| Err(PortError::BadDevargs { devargs: devargs.to_owned(), reason });
    let name = devargs.split(',').next().unwrap_or_default();
    if name.is_empty()
        || name.len() > 63
        || devargs.len() > 1023
        || !devargs.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return refuse(
            "they are a device and its options, without spaces: net_memif0,role=client, or 0000:03:00.0,dv_flow_en=0",
        );
    }
    // These have checks of their own, without which they are not safe.
    let has_kind = |driver: &&str| name.starts_with(*driver);
    if ["net_tap", "net_af_xdp", "net_pcap", "net_null", "net_ring", "net_vhost"].iter().any(has_kind) {
        return refuse("this driver has a kind of its own: use that");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn becomes_what_the_drivers_read() {
        let text = |kind: PortKind, is_veth| kind.devargs(7, is_veth).1;
        let mac = Some([2, 0, 0, 0, 0xab, 1]);
        assert_eq!(text(PortKind::Tap { iface: "t0".into(), mac }, false), "net_tap7,iface=t0,mac=02:00:00:00:ab:01");
        assert_eq!(text(PortKind::Tap { iface: "t0".into(), mac: None }, false), "net_tap7,iface=t0");
        let veth = PortKind::AfXdp { iface: "v0".into() };
        assert_eq!(text(veth.clone(), true), "net_af_xdp7,iface=v0,force_copy=1,busy_budget=0");
        assert_eq!(text(veth, false), "net_af_xdp7,iface=v0");
        let pcap = PortKind::Pcap { rx: Some("/a".into()), tx: None, infinite_rx: true };
        assert_eq!(text(pcap, false), "net_pcap7,rx_pcap=/a,infinite_rx=1");
        assert_eq!(text(PortKind::Null { size: 64, no_rx: false }, false), "net_null7,size=64,copy=1");
        assert_eq!(text(PortKind::Null { size: 64, no_rx: true }, false), "net_null7,no-rx=1");
        assert_eq!(text(PortKind::Ring, false), "net_ring7");
        let vhost = PortKind::Vhost { path: "/x".into() };
        assert_eq!(text(vhost, false), "net_vhost7,iface=/x,linear-buffer=1,tso=0");
        let memif = PortKind::Devargs("net_memif0,role=client".into()).devargs(7, false);
        assert_eq!(memif, ("net_memif0".into(), "net_memif0,role=client".into()));
        let pci = PortKind::Pci { address: "0000:03:00.0".into() }.devargs(7, false);
        assert_eq!(pci, ("0000:03:00.0".into(), "0000:03:00.0".into()));
    }

    #[test]
    fn refuses_names_that_would_become_arguments() {
        for iface in ["", "a,b", "a b", "a/b", "..", "a=b", "a\0", "sixteencharacter"] {
            assert!(check_iface(iface).is_err(), "{iface:?}");
        }
        check_iface("veth-a_1.100").unwrap();
        for path in ["", "/tmp/a,b", "/tmp/a b", "/tmp/\n"] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
        for devargs in ["", ",x=1", "a b", "net\n", "net_null0,size=9000", "net_vhost0,iface=/x"] {
            assert!(check_devargs(devargs).is_err(), "{devargs:?}");
        }
    }
}
