//! The thread that moves packets: receive a burst, run the pipeline, send. It allocates nothing, locks nothing, logs nothing.
//!
//! A poller is handed (port, queue) pairs and gives them back when asked; it reads tables at burst boundaries, and says there that it
//! holds nothing ([`tables::QuiescentReader`]). When nothing arrives it sleeps on the drivers' descriptors (or for a growing
//! time where a driver has none), or spins if told so. What it has to tell goes through rings in the [`Region`].

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arrayvec::ArrayVec;
use dpdk::clock::tsc;
use dpdk::wait::{Waker, readable};
use dpdk::{Eal, Errno, Mbuf, Mempool, PollerThread, RxQueue, TxQueue, free_all};
use pipeline::{BURST, Burst, Counters, PuntClass, Sighting, Sink};
use tables::{Snapshot, VapMeters};
use types::{DropReason, MacAddr, PortId};

use crate::capture::{Place, Taps};
use crate::control::VAPS;
use crate::forwarding::Readers;
use crate::frame::{Frame, SharedFrame};
use crate::police::Police;
use crate::region::{PollerCounter, Pushed, Region, RingReader, RingWriter};
use crate::schema::Poll;
use crate::sightings::Sightings;

/// Frames that may wait for one port within one burst: its own and copies.
const PENDING: usize = 2 * BURST;
/// Bytes from which on two segments are cheaper than a copy.
const WORTH_SHARING: usize = 256;
/// Injected frames taken in one turn.
const INJECT: usize = 8;
/// Empty turns before the first sleep.
const PATIENCE: u32 = 64;
/// The shortest and the longest sleep where a driver cannot wake us.
const NAP: (Duration, Duration) = (Duration::from_micros(20), Duration::from_micros(500));
/// What a record to the control thread is tagged with in place of a [`PuntClass`] if it is a sighting and no frame.
pub const SIGHTING: u32 = 0xffff;
/// The longest sleep where every driver can.
const SLEEP: Duration = Duration::from_millis(100);

/// What a poller is asked besides moving packets.
pub enum Task {
    /// Poll this queue pair from now on.
    Attach(PortId, RxQueue, TxQueue),
    /// Let this much of a class be punted from now on: packets a second, and at once.
    Police(PuntClass, (u32, u32)),
    /// Stop doing so, drop the queues, and say so.
    Detach(PortId, Sender<()>),
}

#[derive(Default)]
struct Mailbox {
    waiting: AtomicBool,
    stop: AtomicBool,
    failed: AtomicBool,
    tasks: Mutex<Vec<Task>>,
}

/// A running poller, seen from the control thread.
pub struct Poller {
    mailbox: Arc<Mailbox>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

/// What a poller works with.
pub struct Surroundings {
    /// The EAL.
    pub eal: Eal,
    /// Where copies come from.
    pub pool: Mempool,
    /// The tables.
    pub readers: Readers,
    /// Counters.
    pub region: Arc<Region>,
    /// To the control thread.
    pub punts: RingWriter,
    /// From the control thread.
    pub injects: RingReader,
    /// To the driver: frames that somebody wants to see.
    pub captured: RingWriter,
    /// What to do when idle.
    pub poll: Poll,
    /// CPUs to run on; `None`: all allowed.
    pub cpus: Option<Vec<u16>>,
}

impl Poller {
    /// Starts a poller without ports.
    pub fn start(surroundings: Surroundings) -> Result<Self, Errno> {
        let mailbox = Arc::new(Mailbox::default());
        let waker = Arc::new(Waker::new()?);
        let (their_mailbox, their_waker) = (Arc::clone(&mailbox), Arc::clone(&waker));
        let body = move || {
            let run = core::panic::AssertUnwindSafe(|| run(surroundings, &their_mailbox, &their_waker));
            if std::panic::catch_unwind(run).is_err() {
                their_mailbox.failed.store(true, Ordering::Release);
            }
        };
        let thread = std::thread::Builder::new().name("nve-poller".into()).spawn(body);
        let thread = thread.map_err(|error| Errno::new(error.raw_os_error().unwrap_or(libc::EAGAIN)))?;
        Ok(Self { mailbox, waker, thread: Some(thread) })
    }

    /// Gives it tasks, which it does together between two bursts.
    pub fn tasks(&self, tasks: Vec<Task>) {
        self.mailbox.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(tasks);
        self.mailbox.waiting.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Wakes it: something was put into its inject ring.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Whether it has ended by a panic.
    pub fn has_failed(&self) -> bool {
        self.mailbox.failed.load(Ordering::Acquire)
    }

    /// A handle that asks it to stop, and tells whether it has.
    pub fn stopper(&self) -> impl Fn() + Send + Sync + use<> {
        let (mailbox, waker) = (Arc::clone(&self.mailbox), Arc::clone(&self.waker));
        move || {
            mailbox.stop.store(true, Ordering::Release);
            waker.wake();
        }
    }
}

impl Drop for Poller {
    /// Stops the thread, which drops its queues, and drops those that it never came to take.
    fn drop(&mut self) {
        self.stopper()();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.mailbox.tasks.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

struct Queues {
    rx: Vec<(PortId, RxQueue)>,
    tx: [Option<TxQueue>; PortId::LIMIT],
}

/// Where the pipeline's packets go.
struct Out<'a> {
    tx: &'a mut [Option<TxQueue>; PortId::LIMIT],
    pending: &'a mut [ArrayVec<Mbuf, PENDING>; PortId::LIMIT],
    /// Ports with something pending, one bit each.
    touched: u64,
    pool: &'a Mempool,
    punts: &'a RingWriter,
    police: &'a mut Police,
    sightings: &'a mut Sightings,
    counters: Counters<'a>,
    region: &'a Region,
    taps: &'a mut Taps,
    snapshot: &'a Snapshot,
}

impl Sink<Frame> for Out<'_> {
    type Shared = SharedFrame;

    #[inline]
    fn transmit(&mut self, port: u16, packet: Frame, origin: PortId) {
        let at = usize::from(port) % PortId::LIMIT;
        if self.pending[at].is_full() {
            self.flush_port(at, origin);
        }
        self.pending[at].push(packet.0);
        self.touched |= 1 << at;
    }

    fn copy(&mut self, packet: &Frame) -> Option<Frame> {
        self.pool.copy_of(packet.0.data()).map(Frame)
    }

    fn share(&mut self, packet: Frame) -> SharedFrame {
        SharedFrame(packet.0.share())
    }

    fn unshare(&mut self, frame: SharedFrame) -> Result<Frame, SharedFrame> {
        frame.0.unshare().map(Frame).map_err(SharedFrame)
    }

    fn transmit_behind(&mut self, port: u16, header: &[u8], frame: &SharedFrame, origin: PortId) -> bool {
        let data = frame.0.data();
        let takes_chains = self.tx[usize::from(port) % PortId::LIMIT].as_ref().is_some_and(TxQueue::takes_chains);
        let packet = if takes_chains && data.len() >= WORTH_SHARING {
            self.pool.copy_of(header).and_then(|header| frame.0.behind(header))
        } else {
            self.pool.copy_of(data).and_then(|mut copy| {
                copy.prepend(header.len())?.copy_from_slice(header);
                Some(copy)
            })
        };
        packet.map(|packet| self.transmit(port, Frame(packet), origin)).is_some()
    }

    fn replicated(&mut self, copies: usize) {
        self.region.count(PollerCounter::Copies, copies as u64);
    }

    fn divert(&mut self, port: u16, packet: Frame, origin: PortId) {
        match self.police.admit(origin, PuntClass::Exception, source_of(packet.0.data()), tsc()) {
            true => self.transmit(port, packet, origin),
            false => {
                self.counters.dropped(origin, DropReason::PuntPoliced, 1);
                self.taps.dropped(packet.0.data(), origin, DropReason::PuntPoliced);
            }
        }
    }

    fn punt(&mut self, class: PuntClass, port: PortId, frame: &[u8]) -> Result<(), DropReason> {
        if !self.police.admit(port, class, source_of(frame), tsc()) {
            return Err(DropReason::PuntPoliced);
        }
        match self.punts.push((class as u32) << 16 | u32::from(port.0), frame) {
            Pushed::Lost => Err(DropReason::PuntFull),
            _ => Ok(()),
        }
    }

    fn dropped(&mut self, frame: &[u8], port: PortId, reason: DropReason) {
        self.taps.dropped(frame, port, reason);
    }

    fn seen(&mut self, sighting: Sighting) {
        if self.sightings.admit(&sighting, tsc()) {
            let tag = SIGHTING << 16 | u32::from(sighting.port.0);
            if self.punts.push(tag, &Sightings::encode(&sighting)) == Pushed::Lost {
                self.sightings.forget(&sighting);
            }
        }
    }
}

fn source_of(frame: &[u8]) -> MacAddr {
    frame.get(6..).and_then(<[u8]>::first_chunk).map_or_else(MacAddr::default, |source| MacAddr(*source))
}

impl Out<'_> {
    /// Sends all that is pending; `origin` is where it came in.
    #[inline]
    fn flush(&mut self, origin: PortId) {
        while self.touched != 0 {
            let at = self.touched.trailing_zeros() as usize;
            self.touched &= self.touched - 1;
            self.flush_port(at, origin);
        }
    }

    #[inline]
    fn flush_port(&mut self, at: usize, origin: PortId) {
        let pending = &mut self.pending[at];
        self.taps.frames(at as u16, Place::Out, pending, self.snapshot);
        if let Some(queue) = &mut self.tx[at] {
            queue.burst(pending);
            if !pending.is_empty() {
                // The driver may have freed room just now; a second refusal is final.
                queue.burst(pending);
            }
        }
        if !pending.is_empty() {
            self.counters.dropped(origin, DropReason::TxFull, pending.len() as u64);
            pending.iter().for_each(|frame| self.taps.dropped(frame.data(), origin, DropReason::TxFull));
            free_all(pending);
        }
    }
}

fn run(surroundings: Surroundings, mailbox: &Mailbox, waker: &Waker) {
    let Surroundings { eal, pool, mut readers, region, punts, mut injects, captured, poll, cpus } = surroundings;
    // Neither is needed to work, only to work fast; both are refused rarely and harmlessly.
    let _ = cpus.map(|cpus| dpdk::cpu::restrict_current_thread(&cpus));
    let _registered = PollerThread::register(&eal);
    let mut queues = Queues { rx: Vec::with_capacity(PortId::LIMIT), tx: [const { None }; PortId::LIMIT] };
    let mut pending = Box::new([const { ArrayVec::<Mbuf, PENDING>::new_const() }; PortId::LIMIT]);
    let mut received = ArrayVec::<Mbuf, BURST>::new();
    let mut burst = Burst::<Frame>::new();
    let mut injected = Vec::with_capacity(usize::from(u16::MAX));
    let mut idle = 0u32;
    let hz = dpdk::clock::tsc_hz(&eal);
    let era_shift = hz.max(2).ilog2() - 1;
    let (mut police, mut sightings) = (Police::new(hz), Sightings::new(hz));
    let meters = VapMeters::new(VAPS);
    let mut taps = Taps::new(captured);
    let mut turn = tsc();
    // When this turn began: what was measured at the last one's end, unless there was a sleep between.
    let mut time = turn;
    readers.quiescence.online();
    while !mailbox.stop.load(Ordering::Acquire) {
        if mailbox.waiting.swap(false, Ordering::AcqRel) {
            do_tasks(mailbox, &mut queues, &mut police);
        }
        readers.quiescence.quiescent();
        taps.look(region.capture());
        let counters = region.counters();
        // About half a second, whatever the clock's rate.
        let era = (turn >> era_shift) as u16 | 1;
        let pipeline = readers.pipeline(counters, era, (&meters, time));
        let mut out = Out {
            tx: &mut queues.tx,
            pending: &mut pending,
            touched: 0,
            pool: &pool,
            punts: &punts,
            police: &mut police,
            sightings: &mut sightings,
            counters,
            region: &region,
            taps: &mut taps,
            snapshot: pipeline.snapshot,
        };
        let mut packets = 0;
        for (port, rx) in &mut queues.rx {
            let count = rx.burst(&mut received);
            if count != 0 {
                packets += count;
                out.taps.frames(port.0, Place::In, &received, pipeline.snapshot);
                burst.extend(received.drain(..).map(Frame));
                pipeline.run(*port, &mut burst, &mut out);
                out.flush(*port);
            }
        }
        for _ in 0..INJECT {
            let Some(port) = injects.pop(&mut injected) else { break };
            let port = PortId(port as u16);
            match pool.copy_of(&injected) {
                Some(mbuf) => out.transmit(port.0, Frame(mbuf), port),
                None => {
                    counters.dropped(port, DropReason::NoBuffer, 1);
                    out.taps.dropped(&injected, port, DropReason::NoBuffer);
                }
            }
            out.flush(port);
        }
        let now = tsc();
        region.count(PollerCounter::Polls, 1);
        if packets != 0 {
            region.count(PollerCounter::Packets, packets as u64);
            region.count(PollerCounter::BusyCycles, now.wrapping_sub(turn));
            idle = 0;
        } else {
            region.count(PollerCounter::EmptyPolls, 1);
            region.count(PollerCounter::IdleCycles, now.wrapping_sub(turn));
            idle = idle.saturating_add(1);
        }
        (turn, time) = (now, now);
        if idle > PATIENCE && poll == Poll::Sleep {
            readers.quiescence.offline();
            sleep(&queues, waker, idle - PATIENCE);
            readers.quiescence.online();
            time = tsc();
        }
    }
}

#[cold]
fn do_tasks(mailbox: &Mailbox, queues: &mut Queues, police: &mut Police) {
    let tasks = core::mem::take(&mut *mailbox.tasks.lock().unwrap_or_else(PoisonError::into_inner));
    for task in tasks {
        match task {
            Task::Attach(port, rx, tx) => {
                queues.rx.push((port, rx));
                queues.tx[usize::from(port.0) % PortId::LIMIT] = Some(tx);
            }
            Task::Police(class, rate) => police.set(class, rate),
            Task::Detach(port, done) => {
                queues.rx.retain(|(other, _)| *other != port);
                queues.tx[usize::from(port.0) % PortId::LIMIT] = None;
                let _ = done.send(());
            }
        }
    }
}

/// Sleeps until a driver or the control thread has something, or for a while that grows with every turn in vain.
#[cold]
fn sleep(queues: &Queues, waker: &Waker, turns: u32) {
    use std::os::fd::AsFd;
    let mut fds: ArrayVec<_, { dpdk::wait::MAX_FDS }> = ArrayVec::new();
    fds.push(waker.as_fd());
    let mut all = true;
    for (_, rx) in &queues.rx {
        match rx.readiness() {
            Some(fd) if !fds.is_full() => fds.push(fd),
            _ => all = false,
        }
    }
    let nap = NAP.0.saturating_mul(turns).min(NAP.1);
    readable(&fds, if all { SLEEP } else { nap });
    waker.clear();
}
