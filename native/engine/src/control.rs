//! The control thread: it starts the EAL, owns everything but the packets, and does one thing after the other.
//!
//! It is the single writer of the tables and the only one who answers requests. Between requests it looks after neighbours,
//! links and pollers. The EAL starts on it and not on the caller's thread, whose CPU affinity must stay as it is.

mod batch;
mod known;
mod membership;
mod requests;
mod told;
mod underlay;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use dpdk::{Eal, EalConfig, Mempool, MempoolConfig};
use types::{PortId, VapId};

use crate::addresses::Addresses;
use crate::devices::Devices;
use crate::dpdk_error::{eal_error, pool_error};
use crate::error::EngineError;
use crate::forwarding::{Forwarding, Readers};
use crate::membership::Memberships;
use crate::model::Model;
use crate::neighbour::Neighbours;
use crate::poller::{Poller, Surroundings};
use crate::region::{Pushed, Region, RingReader, RingWriter};
use crate::request::{Answer, Doorbell, Reply, Request};
use crate::schema::{self, Capture, Dump, Hugepages, Info, Inject, Options, SCHEMA, Trace};

/// How often the control thread looks around when nobody asks anything.
const TICK: Duration = Duration::from_millis(5);
/// How often it looks at links and DPDK's log.
const LOOK: Duration = Duration::from_millis(500);
/// How often it looks at the links of underlay ports: what goes by a dead one must go by another at once.
const LOOK_UNDERLAY: Duration = Duration::from_millis(50);
/// VAP indices, and so counters, that there can be.
pub const VAPS: usize = 65_535;

/// The rings of the region, by number, and their sizes in words.
pub mod ring {
    /// Poller to control thread: frames.
    pub const PUNT: usize = 0;
    /// Control thread to poller: frames.
    pub const INJECT: usize = 1;
    /// Control thread to driver: events.
    pub const EVENTS: usize = 2;
    /// Control thread to driver: frames.
    pub const PUNTS: usize = 3;
    /// Poller to driver: recorded frames.
    pub const CAPTURED: usize = 4;
    /// Words of each.
    pub const WORDS: [usize; 5] = [1 << 16, 1 << 16, 1 << 15, 1 << 16, 1 << 18];
}

/// Everything the control thread owns.
pub struct Control {
    epoch: u64,
    model: Model,
    forwarding: Forwarding,
    /// For traces. Never online: the tables' writer does not read while it writes.
    readers: Readers,
    devices: Devices,
    neighbours: Neighbours,
    addresses: Addresses,
    memberships: Memberships,
    poller: Poller,
    region: Arc<Region>,
    from_poller: RingReader,
    to_poller: RingWriter,
    events: RingWriter,
    punts: RingWriter,
    doorbell: Doorbell,
    links: BTreeMap<PortId, bool>,
    looked: Instant,
    looked_underlay: Instant,
    looked_at_ages: Instant,
    poller_failed: bool,
    /// Of the last recording, and the VAP that it is about.
    session: u16,
    captured_vap: Option<VapId>,
    scratch: Vec<u8>,
    eal: Eal,
}

/// A region with room for everything one engine needs.
pub fn region() -> Arc<Region> {
    Region::new(VAPS, &ring::WORDS)
}

impl Control {
    /// Starts the EAL, the pool and the poller; returns the answer to `open`.
    pub fn open(options: &Options, region: Arc<Region>, doorbell: Doorbell) -> Result<(Self, Vec<u8>), EngineError> {
        let Options(schema_min, schema_max, epoch, config) = options;
        if !(*schema_min..=*schema_max).contains(&SCHEMA) {
            let (got, expected) = (format!("{schema_min} to {schema_max}"), SCHEMA.to_string());
            return Err(EngineError::Mismatch { what: "schema", got, expected });
        }
        if config.pollers != 1 {
            // A port has one queue, and a queue one poller.
            let got = config.pollers.to_string();
            return Err(EngineError::OutOfRange { field: "pollers", got, expected: "1" });
        }
        if !(1..=1 << 24).contains(&config.fdb_capacity) {
            let got = config.fdb_capacity.to_string();
            return Err(EngineError::OutOfRange { field: "fdb_capacity", got, expected: "1 to 16777216" });
        }
        let hugepages = match config.hugepages {
            Hugepages::Auto => dpdk::Hugepages::Auto,
            Hugepages::Off => dpdk::Hugepages::Off,
        };
        let eal = Eal::init(&EalConfig {
            hugepages,
            memory_mb: config.memory_mb,
            cpus: config.cpus.clone(),
            extra: config.extra_eal.clone(),
        })
        .map_err(eal_error)?;
        let pool = Mempool::create(&eal, &MempoolConfig { count: config.mbufs, data_room: config.mbuf_size, cache: 0 })
            .map_err(pool_error)?;
        let mut forwarding = Forwarding::new(config.fdb_capacity as usize, seed(), dpdk::clock::tsc_hz(&eal));
        let (punt, from_poller) = region.ring(ring::PUNT);
        let (to_poller, injects) = region.ring(ring::INJECT);
        let poller = Poller::start(Surroundings {
            eal: eal.clone(),
            pool: pool.clone(),
            readers: forwarding.readers(),
            region: Arc::clone(&region),
            punts: punt,
            injects,
            captured: region.ring(ring::CAPTURED).0,
            poll: config.poll,
            cpus: config.cpus.clone(),
        })
        .map_err(|errno| EngineError::Internal { detail: format!("no poller thread: {errno}") })?;
        let info = Info {
            dpdk: eal.info().version.clone(),
            hugepages: eal.info().hugepages,
            pollers: config.pollers,
            fdb_capacity: config.fdb_capacity,
            // Ids go to 63, but DPDK, as Debian builds it, holds 32 devices.
            max_ports: PortId::LIMIT.min(dpdk::MAX_PORTS) as u16,
        };
        let control = Self {
            epoch: *epoch,
            model: Model::default(),
            readers: forwarding.readers(),
            forwarding,
            devices: Devices::new(pool),
            neighbours: Neighbours::default(),
            addresses: Addresses::default(),
            memberships: Memberships::new(seed()),
            poller,
            events: region.ring(ring::EVENTS).0,
            punts: region.ring(ring::PUNTS).0,
            region,
            from_poller,
            to_poller,
            doorbell,
            links: BTreeMap::new(),
            looked: Instant::now(),
            looked_underlay: Instant::now(),
            looked_at_ages: Instant::now(),
            poller_failed: false,
            session: 0,
            captured_vap: None,
            scratch: Vec::new(),
            eal,
        };
        Ok((control, schema::info_reply(*epoch, &info)))
    }

    /// Asks the poller to stop, from any thread.
    pub fn stopper(&self) -> impl Fn() + Send + Sync + use<> {
        self.poller.stopper()
    }

    /// Serves requests until one says close, or nobody can ask any more.
    pub fn run(mut self, requests: &Receiver<(Request, Reply)>) {
        loop {
            match requests.recv_timeout(TICK) {
                Ok((Request::Close, reply)) => return reply.send(self.close()),
                Ok((request, reply)) => match guarded(|| self.serve(request)) {
                    Ok(answer) => reply.send(answer),
                    // What it left behind cannot be trusted: better no engine than a wrong one.
                    Err(error) => return reply.send(Err(error)),
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return drop(self.close()),
            }
            self.look_around();
        }
    }

    fn serve(&mut self, request: Request) -> Answer {
        match request {
            Request::Apply(bytes) => self.apply(&bytes),
            Request::Dump(bytes) => self.show().dump(&schema::decode::<Dump>("dump", &bytes)?),
            Request::Capture(bytes) => self.capture(&schema::decode::<Capture>("capture", &bytes)?),
            Request::Stats => Ok(self.show().stats(&self.eal)),
            Request::Inject(bytes) => self.inject(&schema::decode::<Inject>("inject", &bytes)?),
            Request::Trace(bytes) => self.trace(&schema::decode::<Trace>("trace", &bytes)?),
            Request::Close => Err(EngineError::Closed),
        }
    }

    fn send(&self, port: PortId, frame: &[u8]) -> bool {
        let sent = self.to_poller.push(port.0.into(), frame) != Pushed::Lost;
        self.poller.wake();
        sent
    }

    /// What is to be done whether or not anybody asks.
    fn look_around(&mut self) {
        let mut frame = core::mem::take(&mut self.scratch);
        while let Some(tag) = self.from_poller.pop(&mut frame) {
            self.punted(tag, &frame);
        }
        self.scratch = frame;
        let lost = self.from_poller.take_lost();
        if lost != 0 {
            self.event(&("overflow", "punt", lost));
        }
        let now = Instant::now();
        self.look_at_ages(now);
        let effects = self.neighbours.poll(now);
        self.carry_out(effects);
        if now.duration_since(self.looked_underlay) >= LOOK_UNDERLAY {
            self.looked_underlay = now;
            self.look_at_links(|role| role == "underlay");
        }
        let (addresses, links) = (&mut self.addresses, &self.links);
        let effects = addresses.poll(now, |port| links.get(&port) == Some(&true));
        self.carry_out_of_addresses(effects);
        self.tell_of_groups(now);
        if now.duration_since(self.looked) >= LOOK {
            self.looked = now;
            self.look_at_links(|_| true);
            dpdk::log::drain().lines.iter().for_each(|line| self.event(&("log", line)));
        }
        if self.poller.has_failed() && !self.poller_failed {
            self.poller_failed = true;
            self.event(&("poller_failed", 0u8, "the poller ended by a panic: nothing is forwarded any more"));
        }
    }

    /// Stops and closes everything, the EAL last.
    fn close(self) -> Answer {
        let Self { poller, mut devices, eal, .. } = self;
        drop(poller);
        devices.close_all();
        drop(devices);
        eal.cleanup().map(|()| Vec::new()).map_err(|error| EngineError::Internal { detail: error.to_string() })
    }
}

/// Runs `body`; a panic in it becomes an error.
fn guarded<T>(body: impl FnOnce() -> T) -> Result<T, EngineError> {
    std::panic::catch_unwind(core::panic::AssertUnwindSafe(body)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        EngineError::Internal { detail: text.unwrap_or_else(|| "a panic".to_owned()) }
    })
}

/// A number that nobody outside can guess: hash tables are seeded with it.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let detail = "the table of 3 is full".to_owned();
        assert_eq!(guarded(|| panic!("the table of {} is full", 3)), Err::<(), _>(EngineError::Internal { detail }));
        assert_eq!(guarded(|| 5), Ok(5));
    }
}
