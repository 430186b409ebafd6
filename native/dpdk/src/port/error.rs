//! What can go wrong with a port, and what a person can do about it.
use crate::Errno;
use crate::eal::tail;
use std::fmt;

/// The step of opening or closing a port that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The driver makes the device.
    Attach,
    /// The device is configured for its number of queues.
    Configure,
    /// The MTU is set.
    Mtu,
    /// The receive queue is set up.
    RxQueue,
    /// The transmit queue is set up.
    TxQueue,
    /// The device is started.
    Start,
    /// The link is taken down or up.
    Link,
    /// `rte_eth_dev_set_mc_addr_list` or `rte_eth_allmulticast_enable`.
    Groups,
    /// The device is stopped.
    Stop,
    /// The device is closed.
    Close,
    /// The driver lets the device go.
    Detach,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Attach => "attaching",
            Step::Configure => "configuring",
            Step::Mtu => "setting the MTU",
            Step::RxQueue => "setting up the receive queue",
            Step::TxQueue => "setting up the transmit queue",
            Step::Start => "starting",
            Step::Link => "setting the link of",
            Step::Groups => "setting the groups of",
            Step::Stop => "stopping",
            Step::Close => "closing",
            Step::Detach => "detaching",
        })
    }
}

/// Why a port could not be opened (or closed). [`PortError::remedy`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The name of an interface is not one.
    #[error("{iface:?} is no name of a network interface: 1 to 15 letters, digits, '.', '_' or '-'")]
    BadIface {
        /// The name.
        iface: String,
    },
    /// The path of a file cannot be passed to the driver.
    #[error("the path {path:?} cannot be used: it is empty, too long, or contains a comma, a space or a quote")]
    BadPath {
        /// The path.
        path: String,
    },
    /// Device arguments that are not passed on.
    #[error("the device arguments {devargs:?} are refused: {reason}")]
    BadDevargs {
        /// The arguments.
        devargs: String,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A pcap port needs a file to read or one to write.
    #[error("a net_pcap port needs a file to read or a file to write")]
    NoFile,
    /// A file cannot be opened.
    #[error("the file {path} cannot be opened: {errno}")]
    File {
        /// The path.
        path: String,
        /// The reason.
        errno: Errno,
    },
    /// The path of a socket is longer than a socket takes.
    #[error("the path of the socket {path} has {length} bytes, and a Unix socket takes {max}")]
    SocketPathTooLong {
        /// The path.
        path: String,
        /// Its bytes.
        length: usize,
        /// The most.
        max: usize,
    },
    /// The directory of a socket is not there.
    #[error("the socket {path} cannot be made: there is no directory {directory}")]
    NoDirectory {
        /// The socket.
        path: String,
        /// Its directory.
        directory: String,
    },
    /// A socket is to be made where something else is.
    #[error("the socket {path} cannot be made: something else has that name")]
    NotASocket {
        /// The path.
        path: String,
    },
    /// Somebody listens on a socket.
    #[error("the socket {path} is in use: a process listens on it")]
    SocketInUse {
        /// The path.
        path: String,
    },
    /// No address of a PCI function.
    #[error("{address:?} is no address of a PCI device: written in full it is like 0000:03:00.0, in small letters")]
    BadPciAddress {
        /// The address.
        address: String,
    },
    /// There is no such PCI function.
    #[error("there is no PCI device {address}")]
    NoSuchDevice {
        /// The address.
        address: String,
    },
    /// The kernel's driver does not hand the function over.
    #[error("the PCI device {address} belongs to {driver}, which gives nothing to DPDK")]
    PciDriver {
        /// The address.
        address: String,
        /// The driver.
        driver: String,
    },
    /// A number is out of range.
    #[error("{field} must be {min} to {max}, not {value}")]
    OutOfRange {
        /// Which field of the configuration.
        field: &'static str,
        /// The value asked for.
        value: u32,
        /// Smallest value allowed.
        min: u32,
        /// Largest value allowed.
        max: u32,
    },
    /// There is no such interface in this network namespace.
    #[error("there is no network interface {iface} in this network namespace")]
    NoSuchIface {
        /// The interface.
        iface: String,
    },
    /// There is an interface of the name already.
    #[error("there is a network interface {iface} already")]
    IfaceExists {
        /// The interface.
        iface: String,
    },
    /// The interface spreads frames over several queues, and the port would see those of one only.
    #[error(
        "the network interface {iface} has {queues} receive queues; a port takes one, and would miss the frames of the others"
    )]
    ManyQueues {
        /// The interface.
        iface: String,
        /// How many.
        queues: u32,
    },
    /// The system does not permit it.
    #[error("no permission to {what}: {errno}")]
    NoPermission {
        /// What was tried.
        what: &'static str,
        /// The reason.
        errno: Errno,
    },
    /// The kernel refuses AF_XDP or an XDP program on the interface.
    #[error("the kernel refuses to {what} on {iface}: {errno}")]
    Xdp {
        /// What was tried.
        what: &'static str,
        /// The interface.
        iface: String,
        /// The reason.
        errno: Errno,
    },
    /// The MTU is more than the driver, the kernel or a buffer can take.
    #[error("an MTU of {mtu} is too large here: at most {max} ({limit})")]
    MtuTooLarge {
        /// The MTU asked for.
        mtu: u16,
        /// What is possible.
        max: u16,
        /// Where the limit comes from.
        limit: &'static str,
    },
    /// Buffers are too long or too short for this kind of port.
    #[error("the pool's buffers of {data_room} bytes do not suit {driver}: it takes {min} to {max}")]
    BuffersUnsuitable {
        /// The driver.
        driver: &'static str,
        /// The pool's.
        data_room: u16,
        /// Smallest possible.
        min: u16,
        /// Largest possible.
        max: u16,
    },
    /// The pool has not enough buffers left.
    #[error("the port needs {needed} packet buffers, and only {available} are free")]
    PoolExhausted {
        /// What it would take.
        needed: u32,
        /// What is there.
        available: u32,
    },
    /// DPDK holds no more ports.
    #[error("there are {max} ports already, the most that DPDK was built for")]
    TooManyPorts {
        /// The limit.
        max: usize,
    },
    /// A step failed for a reason that only DPDK's log tells.
    #[error("port {port}: {step} failed: {errno}{}", tail(log))]
    Step {
        /// The port's name.
        port: String,
        /// Which step.
        step: Step,
        /// The reason, as far as it is known.
        errno: Errno,
        /// What DPDK wrote to its log meanwhile.
        log: Vec<String>,
    },
}

impl PortError {
    /// What a person can do, if anything can be said.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            PortError::NoSuchIface { .. } => "create it first, or check the name and the namespace: ip link show",
            PortError::IfaceExists { .. } => "choose another name, or delete it: ip link del NAME",
            PortError::ManyQueues { .. } => {
                "give it one queue: ethtool -L NAME combined 1 (veth: ethtool -L NAME rx 1 tx 1)"
            }
            PortError::NoPermission { .. } => {
                "run as root, or with the capabilities CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON"
            }
            PortError::Xdp { errno, .. } => match errno.get() {
                libc::EBUSY | libc::EEXIST => {
                    "another program uses the interface: ip -d link show NAME names it, ip link set NAME xdp off removes it"
                }
                libc::ERANGE => "lower the MTU of the interface and of its peer to at most 3506",
                libc::EAFNOSUPPORT => "use a kernel with CONFIG_XDP_SOCKETS",
                libc::ENOBUFS | libc::ENOMEM => "raise the limit of locked memory (ulimit -l), or use a smaller pool",
                libc::EOPNOTSUPP => "the driver of the interface cannot do XDP: use another kind of port",
                _ => return None,
            },
            PortError::MtuTooLarge { .. } => "lower the MTU, or use larger packet buffers if these are the limit",
            PortError::BuffersUnsuitable { .. } => "change the size of the packet buffers",
            PortError::PoolExhausted { .. } => "use more packet buffers, or fewer ports",
            PortError::TooManyPorts { .. } => "remove a port first",
            PortError::File { .. } => "check the path and its permissions",
            PortError::SocketPathTooLong { .. } => "choose a shorter path, such as one in /run",
            PortError::NoDirectory { .. } => "create the directory: mkdir -p DIRECTORY",
            PortError::NotASocket { .. } => "choose another path, or move what is there away",
            PortError::SocketInUse { .. } => "choose another path, or stop that process: ss -xlp src PATH names it",
            PortError::BadPciAddress { .. } | PortError::NoSuchDevice { .. } => {
                "lspci -D lists the devices that there are"
            }
            PortError::PciDriver { .. } => "bind it to vfio-pci: dpdk-devbind.py --bind=vfio-pci ADDRESS",
            _ => return None,
        })
    }
}
