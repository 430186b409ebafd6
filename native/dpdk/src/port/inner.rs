//! A device from attaching to detaching. [`Inner`] is made as soon as the device exists, so whatever fails afterwards is undone
//! by dropping it.
use super::signals::HiddenSignals;
use super::xdp::{self, Held, Leftovers};
use super::{MAX_PORTS, PortConfig, PortError, PortInfo, PortKind, PortStats, Step, netdev, pci, vhost};
use crate::{Errno, Mempool, fds, log};
use dpdk_bindings as ffi;
use std::ffi::{CStr, CString};
use std::mem::zeroed;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One port is opened or closed at a time: which descriptors a port opened is told by comparing before and after.
static CONTROL: Mutex<()> = Mutex::new(());
static OPEN_PORTS: AtomicUsize = AtomicUsize::new(0);

/// Frames that a queue holds, where the driver has a choice.
const DESCRIPTORS: u16 = 1024;
/// `net_tap` takes one buffer per descriptor and uses one.
const TAP_DESCRIPTORS: u16 = 32;
/// A veth takes an XDP program only if a frame of its peer fits into a page with 256 bytes in front, a header of 14 and the
/// kernel's 320 behind.
const VETH_MAX_MTU: u16 = 3506;

/// A device.
pub(super) struct Inner {
    pub(super) info: PortInfo,
    pub(super) may_chain: bool,
    /// Whether it sends frames in several segments.
    pub(super) takes_chains: bool,
    /// Frames dropped because they were longer than a buffer.
    pub(super) oversize: AtomicU64,
    kind: PortKind,
    pool: Mempool,
    device: *mut ffi::rte_device,
    leftovers: Leftovers,
    held: Option<Held>,
    readiness: Option<RawFd>,
    /// Whether frames to other MACs than its own may be kept from it.
    filters: bool,
    promiscuous: bool,
    started: bool,
    /// False once it has been taken apart, or must not be.
    attached: bool,
}

// SAFETY: the pointer to the device is only used when the port is closed, under the control lock.
unsafe impl Send for Inner {}
// SAFETY: everything that is done through `&self` DPDK allows at any time from any thread.
unsafe impl Sync for Inner {}

impl Inner {
    pub(super) fn open(pool: &Mempool, config: &PortConfig) -> Result<Inner, PortError> {
        let PortConfig { kind, mtu, .. } = config;
        let range = |field, value: u16, min, max| match (min..=max).contains(&u32::from(value)) {
            true => Ok(()),
            false => Err(PortError::OutOfRange { field, value: value.into(), min, max }),
        };
        range("queues", config.queues, 1, 1)?;
        range("mtu", *mtu, 68, 65_535)?;
        kind.check(pool)?;
        let room = pool.data_room().saturating_sub(kind.rx_headroom() + kind.frame_overhead());
        if *mtu > room {
            return Err(PortError::MtuTooLarge { mtu: *mtu, max: room, limit: "the size of the packet buffers" });
        }
        let _control = lock();
        if OPEN_PORTS.load(Ordering::Relaxed) >= MAX_PORTS {
            return Err(PortError::TooManyPorts { max: MAX_PORTS });
        }
        let is_veth = prepare(kind, *mtu, pool)?;
        let opened = fds::Opened::watch();
        let _signals = HiddenSignals::hide();
        let mut inner = Inner::attach(pool, config, is_veth)?;
        let result = inner.set_up(*mtu, is_veth, &opened);
        opened.close_on_exec();
        if let Err(error) = result {
            // What went wrong first is what matters.
            let _ = inner.take_apart();
            return Err(error);
        }
        Ok(inner)
    }

    fn attach(pool: &Mempool, config: &PortConfig, is_veth: bool) -> Result<Inner, PortError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let failure = Failure { port: &config.name, mark: log::mark() };
        let (name, devargs) = config.kind.devargs(NUMBER.fetch_add(1, Ordering::Relaxed), is_veth);
        let bad = || PortError::BadDevargs { devargs: devargs.clone(), reason: "a zero byte" };
        let c_name = CString::new(name).map_err(|_| bad())?;
        let c_devargs = CString::new(devargs.as_str()).map_err(|_| bad())?;
        // SAFETY: the EAL runs as long as the pool's handle lives; the strings live through the calls, and the structures are
        // filled by them.
        unsafe {
            failure.check(Step::Attach, ffi::rte_dev_probe(c_devargs.as_ptr()))?;
            let mut id = 0;
            failure.check(Step::Attach, ffi::rte_eth_dev_get_port_by_name(c_name.as_ptr(), &mut id))?;
            let mut device: ffi::rte_eth_dev_info = zeroed();
            failure.check(Step::Attach, ffi::rte_eth_dev_info_get(id, &mut device))?;
            let mut mac = zeroed();
            failure.check(Step::Attach, ffi::rte_eth_macaddr_get(id, &mut mac))?;
            let driver = match device.driver_name.is_null() {
                true => String::new(),
                false => CStr::from_ptr(device.driver_name).to_string_lossy().into_owned(),
            };
            OPEN_PORTS.fetch_add(1, Ordering::Relaxed);
            Ok(Inner {
                info: PortInfo {
                    name: config.name.clone(),
                    driver,
                    id,
                    mac: mac.addr_bytes,
                    mtu: config.mtu,
                    max_frame: config.mtu.saturating_add(config.kind.frame_overhead()),
                    socket: u16::try_from(ffi::rte_eth_dev_socket_id(id)).ok(),
                },
                may_chain: config.kind.may_chain(),
                takes_chains: false,
                oversize: AtomicU64::new(0),
                kind: config.kind.clone(),
                pool: pool.clone(),
                device: device.device,
                leftovers: Leftovers::default(),
                held: None,
                readiness: None,
                filters: false,
                promiscuous: false,
                started: false,
                attached: true,
            })
        }
    }

    fn set_up(&mut self, mtu: u16, is_veth: bool, opened: &fds::Opened) -> Result<(), PortError> {
        let name = self.info.name.clone();
        let failure = Failure { port: &name, mark: log::mark() };
        let id = self.info.id;
        // SAFETY: the port exists; the structures are valid and live through the calls.
        unsafe {
            let mut device: ffi::rte_eth_dev_info = zeroed();
            failure.check(Step::Configure, ffi::rte_eth_dev_info_get(id, &mut device))?;
            let max = max_mtu(&device);
            if mtu > max {
                return Err(PortError::MtuTooLarge { mtu, max, limit: "the driver" });
            }
            let mut conf: ffi::rte_eth_conf = zeroed();
            conf.rxmode.mtu = mtu.into();
            conf.txmode.offloads = self.kind.chain_offload(device.tx_offload_capa);
            self.takes_chains = self.kind.takes_chains(conf.txmode.offloads);
            failure.check(Step::Configure, ffi::rte_eth_dev_configure(id, 1, 1, &conf))?;
            // Configuring notes the MTU; this tells the kernel's interface, if there is one.
            let code = ffi::rte_eth_dev_set_mtu(id, mtu);
            if code != -libc::ENOTSUP {
                failure.check(Step::Mtu, code)?;
            }
            let wanted = if matches!(self.kind, PortKind::Tap { .. }) { TAP_DESCRIPTORS } else { DESCRIPTORS };
            let (mut rx, mut tx) = (wanted, wanted);
            failure.check(Step::Configure, ffi::rte_eth_dev_adjust_nb_rx_tx_desc(id, &mut rx, &mut tx))?;
            let code = ffi::rte_eth_rx_queue_setup(id, 0, rx, u32::MAX, ptr::null(), self.pool.as_ptr());
            self.leftovers = Leftovers::of(&opened.new_fds());
            self.readiness = self.find_readiness(opened);
            if code != 0 && matches!(self.kind, PortKind::AfXdp { .. }) {
                // The driver has freed memory that its close would use: the device is left behind, never to be touched again.
                self.attached = false;
                std::mem::take(&mut self.leftovers).close();
                self.pool.eal().note_lost(xdp::FILL_BUFFERS);
            }
            failure.check(Step::RxQueue, code)?;
            self.held = self.leftovers.socket().and_then(|socket| Held::new(socket, &self.pool));
            failure.check(Step::TxQueue, ffi::rte_eth_tx_queue_setup(id, 0, tx, u32::MAX, ptr::null()))?;
            failure.check(Step::Start, ffi::rte_eth_dev_start(id))?;
            self.started = true;
            // An NVE's port hears frames for MAC addresses that are not its own. A veth and a tap do anyway.
            self.filters = match self.kind {
                PortKind::AfXdp { .. } => !is_veth,
                PortKind::Pci { .. } | PortKind::Devargs(_) => true,
                _ => false,
            };
            self.promiscuous = self.filters && ffi::rte_eth_promiscuous_enable(id) == 0;
        }
        Ok(())
    }

    fn find_readiness(&self, opened: &fds::Opened) -> Option<RawFd> {
        match self.kind {
            PortKind::AfXdp { .. } => self.leftovers.socket(),
            // The first one keeps the interface alive and carries no frames; the queue's was opened last.
            PortKind::Tap { .. } => {
                let is_tun = |fd: &RawFd| fds::identity(*fd).is_some_and(|identity| identity == "/dev/net/tun");
                opened.new_fds().into_iter().rfind(is_tun)
            }
            _ => None,
        }
    }

    pub(super) fn readiness(&self) -> Option<BorrowedFd<'_>> {
        // SAFETY: open as long as the port is.
        self.readiness.map(|fd| unsafe { BorrowedFd::borrow_raw(fd) })
    }

    pub(super) fn link_up(&self) -> bool {
        match (&self.kind, self.readiness()) {
            (PortKind::Tap { .. }, Some(fd)) => netdev::tun_is_up(fd),
            (PortKind::AfXdp { iface }, _) => netdev::is_running(iface),
            _ => {
                // SAFETY: the port exists, and the call fills the structure.
                unsafe {
                    let mut link: ffi::rte_eth_link = zeroed();
                    ffi::rte_eth_link_get_nowait(self.info.id, &mut link) == 0 && link.link_status() == 1
                }
            }
        }
    }

    pub(super) fn set_link(&self, up: bool) -> Result<(), PortError> {
        let failure = Failure { port: &self.info.name, mark: log::mark() };
        let code = match (&self.kind, self.readiness()) {
            (PortKind::Tap { .. }, Some(fd)) => match netdev::set_tun_carrier(fd, up) {
                Ok(()) => 0,
                Err(errno) => -errno.get(),
            },
            // SAFETY: the port exists.
            _ if up => unsafe { ffi::rte_eth_dev_set_link_up(self.info.id) },
            // SAFETY: the same.
            _ => unsafe { ffi::rte_eth_dev_set_link_down(self.info.id) },
        };
        failure.check(Step::Link, code)
    }

    pub(super) fn hear_groups(&self, macs: &[[u8; 6]]) -> Result<(), PortError> {
        if !self.filters || self.promiscuous {
            return Ok(());
        }
        let failure = Failure { port: &self.info.name, mark: log::mark() };
        let mut list: Vec<_> = macs.iter().map(|mac| ffi::rte_ether_addr { addr_bytes: *mac }).collect();
        // SAFETY: the port exists, and the list lives through the call, which copies it.
        let code = unsafe { ffi::rte_eth_dev_set_mc_addr_list(self.info.id, list.as_mut_ptr(), list.len() as u32) };
        if code == 0 {
            return Ok(());
        }
        // Too many for the NIC, or its driver has no such list: then all groups, or what it says about that.
        // SAFETY: the port exists.
        failure.check(Step::Groups, unsafe { ffi::rte_eth_allmulticast_enable(self.info.id) })
    }

    pub(super) fn stats(&self) -> PortStats {
        // SAFETY: the port exists, and the call fills the structure.
        let stats = unsafe {
            let mut stats: ffi::rte_eth_stats = zeroed();
            if ffi::rte_eth_stats_get(self.info.id, &mut stats) != 0 {
                return PortStats::default();
            }
            stats
        };
        PortStats {
            rx_packets: stats.ipackets,
            rx_bytes: stats.ibytes,
            rx_missed: stats.imissed,
            rx_errors: stats.ierrors,
            rx_no_buffer: stats.rx_nombuf,
            rx_oversize: self.oversize.load(Ordering::Relaxed),
            tx_packets: stats.opackets,
            tx_bytes: stats.obytes,
            tx_errors: stats.oerrors,
        }
    }

    /// Stops, closes and detaches the device; the first failure is reported, the rest done anyway.
    pub(super) fn shutdown(&mut self) -> Result<(), PortError> {
        if !self.attached {
            return Ok(());
        }
        let _control = lock();
        self.take_apart()
    }

    fn take_apart(&mut self) -> Result<(), PortError> {
        if !std::mem::take(&mut self.attached) {
            return Ok(());
        }
        let id = self.info.id;
        let failure = Failure { port: &self.info.name, mark: log::mark() };
        // SAFETY: the port exists, and no queue of it: each holds a reference to what is dropped or unwrapped here.
        let results = unsafe {
            if self.kind == PortKind::Ring && self.started {
                drain(id);
            }
            if self.promiscuous {
                ffi::rte_eth_promiscuous_disable(id);
            }
            let stopped = if self.started { ffi::rte_eth_dev_stop(id) } else { 0 };
            let leftovers = std::mem::take(&mut self.leftovers);
            let held = self.held.take();
            held.iter().for_each(Held::settle);
            let closed = ffi::rte_eth_dev_close(id);
            let detached = ffi::rte_dev_remove(self.device);
            match held {
                Some(held) => self.pool.eal().note_lost(held.give_back(&self.pool, leftovers)),
                None => leftovers.close(),
            }
            [(Step::Stop, stopped), (Step::Close, closed), (Step::Detach, detached)]
        };
        if let PortKind::Tap { iface, .. } = &self.kind {
            netdev::wait_until_gone(iface);
        }
        OPEN_PORTS.fetch_sub(1, Ordering::Relaxed);
        results.into_iter().try_for_each(|(step, code)| failure.check(step, code))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody to tell a failure to.
        let _ = self.shutdown();
    }
}

/// Asks the kernel what the drivers do not tell. Returns whether the interface is a veth.
fn prepare(kind: &PortKind, mtu: u16, pool: &Mempool) -> Result<bool, PortError> {
    match kind {
        PortKind::Tap { iface, .. } => {
            if netdev::index(iface).is_some() {
                return Err(PortError::IfaceExists { iface: iface.clone() });
            }
            enough(pool, TAP_DESCRIPTORS.into())?;
            netdev::check_tun().map(|()| false)
        }
        PortKind::AfXdp { iface } => {
            let Some(index) = netdev::index(iface) else {
                return Err(PortError::NoSuchIface { iface: iface.clone() });
            };
            let queues = netdev::rx_queues(iface);
            if queues != 1 {
                return Err(PortError::ManyQueues { iface: iface.clone(), queues });
            }
            let is_veth = netdev::driver(iface) == "veth";
            if is_veth && mtu > VETH_MAX_MTU {
                return Err(PortError::MtuTooLarge { mtu, max: VETH_MAX_MTU, limit: "XDP on a veth" });
            }
            // Twice: what a failing driver loses must not starve the others.
            enough(pool, 2 * xdp::FILL_BUFFERS)?;
            xdp::preflight(iface, index, is_veth, pool).map(|()| is_veth)
        }
        PortKind::Pcap { rx, tx, .. } => {
            let failed = |path: &String, error: std::io::Error| PortError::File {
                path: path.clone(),
                errno: Errno::new(error.raw_os_error().unwrap_or(libc::EIO)),
            };
            if let Some(path) = rx {
                std::fs::File::open(path).map_err(|error| failed(path, error))?;
            }
            if let Some(path) = tx {
                let options = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path);
                options.map_err(|error| failed(path, error))?;
            }
            Ok(false)
        }
        PortKind::Vhost { path } => vhost::make_way(path).map(|()| false),
        PortKind::Pci { address } => pci::check_device(Path::new(pci::DEVICES), address).map(|()| false),
        PortKind::Null { .. } | PortKind::Ring | PortKind::Devargs(_) => Ok(false),
    }
}

fn enough(pool: &Mempool, needed: u32) -> Result<(), PortError> {
    let available = pool.available();
    if available < needed { Err(PortError::PoolExhausted { needed, available }) } else { Ok(()) }
}

/// As ethdev computes it: the driver's limit for a frame with FCS, less the overhead.
fn max_mtu(device: &ffi::rte_eth_dev_info) -> u16 {
    let overhead = match device.max_mtu != u16::MAX && device.max_rx_pktlen > u32::from(device.max_mtu) {
        true => device.max_rx_pktlen - u32::from(device.max_mtu),
        false => 18,
    };
    let by_frame = u16::try_from(device.max_rx_pktlen.saturating_sub(overhead)).unwrap_or(u16::MAX);
    device.max_mtu.min(by_frame)
}

/// Frees what waits in a port that would otherwise forget it.
///
/// # Safety
/// The port runs, and nobody else receives from it.
unsafe fn drain(id: u16) {
    let mut mbufs = [ptr::null_mut(); 32];
    loop {
        // SAFETY: promised by the caller; the array holds what is received.
        unsafe {
            let count = ffi::shim_rte_eth_rx_burst(id, 0, mbufs.as_mut_ptr(), 32);
            if count == 0 {
                return;
            }
            ffi::rte_pktmbuf_free_bulk(mbufs.as_mut_ptr(), count.into());
        }
    }
}

/// Turns return codes into errors with the log of the time since it was made.
struct Failure<'a> {
    port: &'a str,
    mark: u64,
}

impl Failure<'_> {
    fn check(&self, step: Step, code: i32) -> Result<(), PortError> {
        if code >= 0 {
            return Ok(());
        }
        let (port, errno) = (self.port.to_owned(), Errno::returned(code));
        Err(PortError::Step { port, step, errno, log: log::since(self.mark) })
    }
}

fn lock() -> MutexGuard<'static, ()> {
    CONTROL.lock().unwrap_or_else(PoisonError::into_inner)
}
