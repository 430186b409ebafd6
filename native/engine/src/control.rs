//! The control thread: it starts the EAL, owns everything but the packets, and does one thing after the other.
//!
//! It is the single writer of the tables and the only one who answers requests. Between requests it looks after neighbours,
//! links and pollers. The EAL starts on it and not on the caller's thread, whose CPU affinity must stay as it is.

use core::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use std::collections::{BTreeMap, BTreeSet};

use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port};
use pipeline::{Place, PuntClass, Sighting};
use serde_bytes::Bytes;
use types::{DropReason, MacAddr, PortId, VapId};
use wire::{
    ArpOperation, ArpPacket, ETHERNET_HEADER, EtherType, EthernetHeader, FromBytes, IntoBytes, Ipv6Header, NdFrame,
    NdMessage,
};

use crate::addresses::{self, Addresses};
use crate::capture::{self, SNAP_MAX, Wanted};
use crate::devices::Devices;
use crate::dpdk_error::{eal_error, pool_error};
use crate::error::{EngineError, Object};
use crate::forwarding::{Forwarding, Readers, World};
use crate::model::{Changes, Model};
use crate::neighbour::{Effect, Neighbour, Neighbours};
use crate::police::default_rate;
use crate::poller::{Poller, SIGHTING, Surroundings, Task};
use crate::region::{Pushed, Region, RingReader, RingWriter};
use crate::request::{Answer, Doorbell, Reply, Request};
use crate::schema::{self, Batch, Capture, CaptureFilter, Dump, Hugepages, Info, Inject, Options, SCHEMA, Trace};
use crate::show::{self, Show};
use crate::sightings::Sightings;
use crate::trace;

/// How often the control thread looks around when nobody asks anything.
const TICK: Duration = Duration::from_millis(5);
/// How often it looks at links and DPDK's log.
const LOOK: Duration = Duration::from_millis(500);
/// How often it looks at the links of underlay ports: what goes by a dead one must go by another at once.
const LOOK_UNDERLAY: Duration = Duration::from_millis(50);
/// About what a burst takes.
const BURST_TIME: Duration = Duration::from_micros(20);
/// How long a batch waits for a poller to come to the end of its burst, which may not have a CPU meanwhile.
const CATCH_UP: Duration = Duration::from_millis(100);
/// The most commands of one batch.
const BATCH: usize = 20_000;
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

/// Lets the tables be changed by what is known of ports and neighbours.
macro_rules! known {
    ($control:ident, |$model:ident, $forwarding:ident, $world:ident| $body:expr) => {{
        let Self { model: $model, forwarding: $forwarding, devices, neighbours, addresses, links, .. } = $control;
        let $world = Known { devices, neighbours, addresses, links };
        $body
    }};
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

    /// Begins to record, or ends it; the answer is the number that the frames will carry.
    fn capture(&mut self, Capture(filter, snap): &Capture) -> Answer {
        if !(1..=SNAP_MAX).contains(snap) {
            return Err(EngineError::OutOfRange { field: "snap", got: snap.to_string(), expected: "1 to 9728" });
        }
        let vap_of = |id| self.model.vaps.get(&id).ok_or(EngineError::Absent { object: Object::Vap(id) });
        let is_port = |id: PortId| {
            let there = self.model.ports.contains_key(&id);
            there.then_some(id).ok_or(EngineError::Absent { object: Object::Port(id) })
        };
        let wanted = match filter {
            None => None,
            Some(CaptureFilter::Port(id)) => Some(Wanted::Port(is_port(*id)?)),
            Some(CaptureFilter::Vap(id)) => vap_of(*id).map(|row| Some(Wanted::Vap(row.spec.port, row.index)))?,
            Some(CaptureFilter::Drops(port, reason)) => {
                Some(Wanted::Drops(port.map(is_port).transpose()?, reason.as_deref().map(reason_of).transpose()?))
            }
        };
        self.session = self.session.checked_add(1).unwrap_or(1);
        self.captured_vap = match filter {
            Some(CaptureFilter::Vap(id)) => Some(*id),
            _ => None,
        };
        capture::set(self.region.capture(), wanted, self.session, *snap);
        Ok(schema::event(&self.session))
    }

    fn show(&self) -> Show<'_> {
        Show {
            model: &self.model,
            forwarding: &self.forwarding,
            pool: self.devices.pool(),
            devices: &self.devices,
            neighbours: &self.neighbours,
            addresses: &self.addresses,
            region: &self.region,
        }
    }

    fn apply(&mut self, bytes: &[u8]) -> Answer {
        let Batch(schema, epoch, id, commands) = schema::decode("batch", bytes)?;
        if (schema, epoch) != (SCHEMA, self.epoch) {
            let (got, expected) = (format!("{schema}/{epoch}"), format!("{SCHEMA}/{}", self.epoch));
            return Err(EngineError::Mismatch { what: "schema/epoch", got, expected });
        }
        if commands.len() > BATCH {
            return Err(EngineError::TableFull { table: "batch", capacity: BATCH });
        }
        let refused = match Changes::prepare(commands, &self.model, &self.forwarding.limits()) {
            Err(refused) => refused,
            Ok(changes) => match self.open_devices(&changes) {
                Err(refused) => vec![refused],
                Ok(devices) => match self.foreign_taps(&changes, &devices) {
                    refused if refused.is_empty() => {
                        self.commit(&changes, devices);
                        refused
                    }
                    refused => refused,
                },
            },
        };
        Ok(schema::result_reply(epoch, id, &refused))
    }

    /// Opens the devices of a batch's new ports; if one fails, those opened before it are closed again.
    fn open_devices(&self, changes: &Changes) -> Result<Vec<(PortId, Port)>, (usize, EngineError)> {
        let new = changes.ports.sets().filter(|(id, _, _)| !self.model.ports.contains_key(id));
        new.map(|(id, at, spec)| (*id, at, spec))
            .map(|(id, at, spec)| self.devices.open(spec).map(|port| (id, port)).map_err(|error| (at, error)))
            .collect()
    }

    /// The kernel's ends whose MAC is not that of their underlay port: what the kernel says of its own MAC leaves as it is. Only an open device
    /// tells its MAC.
    fn foreign_taps(&self, changes: &Changes, new: &[(PortId, Port)]) -> Vec<(usize, EngineError)> {
        let mac = |id: &PortId| {
            let new = new.iter().find(|(other, _)| other == id);
            new.map_or_else(|| self.devices.mac(*id), |(_, port)| MacAddr(port.info().mac))
        };
        let foreign = changes.exceptions.sets().filter(|(port, _, tap)| mac(port) != mac(tap));
        let expected = "a port with the MAC of the underlay port";
        foreign
            .map(|(_, at, tap)| (at, EngineError::OutOfRange { field: "tap", got: mac(tap).to_string(), expected }))
            .collect()
    }

    fn commit(&mut self, changes: &Changes, devices: Vec<(PortId, Port)>) {
        let now = Instant::now();
        let fixed: Vec<Effect> = changes
            .neighbours
            .iter()
            .filter_map(|(neighbour, wish)| self.neighbours.fix(*neighbour, wish.to, now))
            .collect();
        let new: Vec<PortId> = devices.iter().map(|(id, _)| *id).collect();
        devices.into_iter().for_each(|(id, port)| self.devices.add(id, port));
        changes.underlays.sets().for_each(|(address, _, _)| self.addresses.add(*address));
        changes.underlays.dels().for_each(|(address, _)| self.addresses.remove(*address));
        let effects = known!(self, |model, forwarding, world| forwarding.apply(model, changes, &world));
        for (id, index) in effects.new_vaps {
            if let Some(row) = self.model.vaps.get_mut(&id) {
                row.counters_before = self.region.vap(index);
            }
        }
        let rates = changes
            .police
            .iter()
            .map(|(class, wish)| Task::Police(*class, wish.to.unwrap_or_else(|| default_rate(*class))));
        self.poller.tasks(rates.collect());
        // Only now, so that a frame that already waits meets all of the batch.
        self.devices.attach(&new, &self.poller);
        if self.captured_vap.is_some_and(|id| !self.model.vaps.contains_key(&id)) {
            // Its index may be another VAP's soon.
            self.captured_vap = None;
            capture::set(self.region.capture(), None, 0, 0);
        }
        for id in effects.closed_ports {
            self.devices.close(id, &self.poller);
            self.links.remove(&id);
            self.model.down.remove(&id);
        }
        self.set_links(changes);
        if effects.next_hops_changed || changes.neighbours.iter().next().is_some() {
            self.carry_out(fixed);
            self.want(now);
        }
    }

    /// Looks after the neighbours that next hops and routes need, and no others.
    fn want(&mut self, now: Instant) {
        let mut wanted: BTreeSet<Neighbour> = self.model.next_hops.values().map(|row| row.path.to()).collect();
        let paths = self.model.paths();
        let gateways = self.model.routes.values().flatten();
        wanted.extend(gateways.filter_map(|gateway| paths.on_link(*gateway, &|_| true)).map(|path| path.to()));
        let asked = self.neighbours.want(&wanted, now);
        self.carry_out(asked);
    }

    /// Links or gateways came or went.
    fn redirect(&mut self) {
        if known!(self, |model, forwarding, world| forwarding.redirect(model, &world)) {
            self.want(Instant::now());
        }
    }

    /// Takes links down and up. A driver that cannot says so in the log; its port goes on as it is.
    fn set_links(&mut self, changes: &Changes) {
        for (id, wish) in changes.down.iter() {
            let up = wish.to.is_none();
            let changed = if up { self.model.down.remove(id) } else { self.model.down.insert(*id) };
            let done = self.devices.get(*id).filter(|_| changed).map_or(Ok(()), |port| port.set_link(up));
            if let Err(error) = done {
                self.event(&("log", error.to_string()));
            }
        }
    }

    fn inject(&mut self, Inject(port, frame): &Inject) -> Answer {
        let refuse = |reason| Err(EngineError::Inject { reason });
        let Some(port) = self.devices.get(PortId(*port)).map(|device| (port, device.info().max_frame)) else {
            return refuse("there is no such port");
        };
        if frame.len() < ETHERNET_HEADER {
            return refuse("the frame is shorter than an Ethernet header");
        }
        if frame.len() > usize::from(port.1) {
            return refuse("the frame is longer than the port can send");
        }
        match self.send(PortId(*port.0), frame) {
            true => Ok(Vec::new()),
            false => refuse("the inject ring is full: try again"),
        }
    }

    fn trace(&mut self, Trace(port, frame): &Trace) -> Answer {
        let port = PortId(*port);
        if !self.model.ports.contains_key(&port) {
            return Err(EngineError::Absent { object: Object::Port(port) });
        }
        if frame.len() > trace::LONGEST {
            let got = format!("{} bytes", frame.len());
            return Err(EngineError::OutOfRange { field: "frame", got, expected: "at most 16384 bytes" });
        }
        let reply = trace::trace(&self.model, &mut self.readers, port, frame, self.devices.buffer());
        Ok(schema::trace_reply(&reply))
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

    fn look_at_links(&mut self, is_looked_at: fn(&str) -> bool) {
        let ports = self.devices.iter().filter(|(id, _)| is_looked_at(self.model.role(*id)));
        let links = ports.map(|(id, port)| (id, port.link_up()));
        let changed: Vec<_> = links.filter(|(id, up)| self.links.get(id) != Some(up)).collect();
        if changed.is_empty() {
            return;
        }
        let mut is_underlay = false;
        for (id, up) in &changed {
            self.links.insert(*id, *up);
            self.event(&("link", id.0, *up));
            is_underlay |= self.model.role(*id) == "underlay";
        }
        known!(self, |model, forwarding, world| forwarding.links(model, &changed, &world));
        if is_underlay {
            self.redirect();
        }
    }

    fn punted(&mut self, tag: u32, frame: &[u8]) {
        let port = PortId(tag as u16);
        if tag >> 16 == SIGHTING {
            return self.sighted(port, frame);
        }
        let Some(class) = PuntClass::ALL.get((tag >> 16) as usize) else { return };
        match class {
            PuntClass::Arp => return self.heard(port, frame),
            PuntClass::Nd => return self.heard_v6(port, frame),
            _ => {}
        }
        let since_epoch = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let record =
            schema::event(&(port.0, None::<u32>, class.name(), since_epoch.as_nanos() as u64, Bytes::new(frame)));
        if self.punts.push(0, &record) == Pushed::First {
            (self.doorbell)();
        }
    }

    /// ARP of a neighbour.
    fn heard(&mut self, port: PortId, frame: &[u8]) {
        let Some((arp, _)) = frame.get(ETHERNET_HEADER..).and_then(ArpPacket::parse) else { return };
        let neighbour = (port, IpAddr::from(arp.sender_ip));
        let effect = self.neighbours.answered(neighbour, MacAddr(arp.sender_mac), Instant::now());
        self.carry_out(effect.into_iter().collect());
    }

    /// Neighbour discovery: of a neighbour, or of somebody who has an address that we are about to use.
    fn heard_v6(&mut self, port: PortId, frame: &[u8]) {
        let packet = frame.get(ETHERNET_HEADER..).unwrap_or_default();
        let Ok((ip, message)) = Ipv6Header::ref_from_prefix(packet) else { return };
        match NdMessage::parse(ip, message) {
            Some(NdMessage::Solicitation { target, .. }) => self.claimed((port, target.into())),
            Some(NdMessage::Advertisement { target, link, replaces }) => {
                let neighbour = (port, target.into());
                self.claimed(neighbour);
                // One that does not override tells nothing new of who is known (RFC 4861, 7.2.5).
                let known = self.neighbours.mac(neighbour);
                let mac = link.map(MacAddr).or(known).filter(|mac| replaces || known.is_none_or(|known| known == *mac));
                let effect = mac.and_then(|mac| self.neighbours.answered(neighbour, mac, Instant::now()));
                self.carry_out(effect.into_iter().collect());
            }
            None => {}
        }
    }

    fn claimed(&mut self, address: Neighbour) {
        let effect = self.addresses.claimed(address);
        self.carry_out_of_addresses(effect.into_iter().collect());
    }

    fn sighted(&self, port: PortId, record: &[u8]) {
        let Some(Sighting { vn, mac, place, .. }) = Sightings::decode(port, record) else { return };
        let address = Bytes::new(&mac.0);
        match place {
            Place::Vap(vap) => {
                if let Some((vap, vn)) = self.model.news(vap, vn, mac) {
                    self.event(&("learned", vap.0, vn.0, address));
                }
            }
            Place::Nve(remote) => {
                if let Some(vn) = self.model.is_news_behind(vn, mac, remote) {
                    let remote = match remote {
                        IpAddr::V4(ip) => ip.octets().to_vec(),
                        IpAddr::V6(ip) => ip.octets().to_vec(),
                    };
                    self.event(&("learned_remote", vn.0, address, Bytes::new(&remote)));
                }
            }
            Place::Nowhere => {
                if let Some(vn) = self.model.is_asked_for(vn, mac) {
                    self.event(&("unknown", vn.0, address));
                }
            }
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask(neighbour, to) => self.ask(neighbour, to),
                Effect::Changed(neighbour, state) => {
                    known!(self, |model, forwarding, world| forwarding.resolve(model, neighbour, &world));
                    if self.model.is_gateway(neighbour) {
                        self.redirect();
                    }
                    self.event(&("neighbour", neighbour.0.0, show::ip(neighbour.1), state.name()));
                }
            }
        }
    }

    fn carry_out_of_addresses(&mut self, effects: Vec<addresses::Effect>) {
        for effect in effects {
            match effect {
                addresses::Effect::Probe((port, IpAddr::V6(ip))) => {
                    self.send_on_link(port, NdFrame::probe(self.devices.mac(port).0, ip).bytes());
                }
                addresses::Effect::Probe(_) => {}
                addresses::Effect::Changed((port, ip), state) => {
                    known!(self, |model, forwarding, world| forwarding.readdress(model, port, &world));
                    self.event(&("address", port.0, show::ip(ip), state.name()));
                }
            }
        }
    }

    /// Sends an ARP request or a neighbour solicitation for a neighbour, from an address that we may use.
    fn ask(&self, (port, ip): Neighbour, to: MacAddr) {
        let is_usable = |ip| self.addresses.state((port, ip)) == Some(addresses::State::Preferred);
        let mut sources = self.model.addresses(port).filter(|spec| spec.has_on_link(ip)).map(|spec| spec.ip);
        let mac = self.devices.mac(port).0;
        match (sources.find(|ip| is_usable(*ip)), ip) {
            (Some(IpAddr::V4(source)), IpAddr::V4(ip)) => {
                let header = EthernetHeader { destination: to.0, source: mac, ether_type: EtherType::ARP.into() };
                let request = ArpPacket::new(ArpOperation::Request, (mac, source), ([0; 6], ip));
                self.send_on_link(port, &[header.as_bytes(), request.as_bytes()].concat());
            }
            (Some(IpAddr::V6(source)), IpAddr::V6(ip)) => {
                let to = (to != MacAddr::BROADCAST).then_some(to.0);
                self.send_on_link(port, NdFrame::solicitation((mac, source), ip, to).bytes());
            }
            _ => {}
        }
    }

    /// Sends a frame out of an underlay port, in its VLAN.
    fn send_on_link(&self, port: PortId, frame: &[u8]) {
        match (self.model.vlan(port), frame.split_first_chunk::<12>()) {
            (Some(vlan), Some((macs, rest))) => {
                self.send(port, &[&macs[..], &EtherType::C_TAG.to_be_bytes(), &vlan.to_be_bytes(), rest].concat())
            }
            _ => self.send(port, frame),
        };
    }

    fn event(&self, event: &impl serde::Serialize) {
        let _ = self.told(event);
    }

    /// Tells an event; false if there was no room for it.
    fn told(&self, event: &impl serde::Serialize) -> bool {
        let pushed = self.events.push(0, &schema::event(event));
        if pushed == Pushed::First {
            (self.doorbell)();
        }
        pushed != Pushed::Lost
    }

    /// Tells of rows of which nothing was seen.
    fn look_at_ages(&mut self, now: Instant) {
        if now.duration_since(self.looked_at_ages) < TICK {
            return;
        }
        self.looked_at_ages = now;
        let mut ageing = core::mem::take(&mut self.model.ageing);
        let seen = |vn, mac| self.forwarding.seen(self.model.vns.get(&vn)?.index, mac);
        ageing.look(now, seen, |vn, mac| self.told(&("aged", vn.0, Bytes::new(&mac.0))));
        self.model.ageing = ageing;
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

/// What [`Forwarding`] asks of ports and neighbours.
struct Known<'a> {
    devices: &'a Devices,
    neighbours: &'a Neighbours,
    addresses: &'a Addresses,
    links: &'a BTreeMap<PortId, bool>,
}

impl World for Known<'_> {
    fn port_mac(&self, port: PortId) -> MacAddr {
        self.devices.mac(port)
    }

    fn neighbour_mac(&self, neighbour: Neighbour) -> Option<MacAddr> {
        self.neighbours.mac(neighbour)
    }

    fn lives(&self, neighbour: Neighbour) -> bool {
        self.links.get(&neighbour.0) != Some(&false) && !self.neighbours.has_failed(neighbour)
    }

    fn address(&self, address: Neighbour) -> Option<addresses::State> {
        self.addresses.state(address)
    }

    fn wait(&self, done: &dyn Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            match start.elapsed() {
                waited if waited < BURST_TIME => core::hint::spin_loop(),
                waited if waited < CATCH_UP => std::thread::sleep(BURST_TIME),
                _ => return,
            }
        }
    }
}

fn reason_of(name: &str) -> Result<DropReason, EngineError> {
    let found = DropReason::ALL.iter().find(|reason| reason.name() == name).copied();
    let expected = "one of docs/drops.md, the engine's".to_owned();
    found.ok_or(EngineError::Mismatch { what: "drop reason", got: name.to_owned(), expected })
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
