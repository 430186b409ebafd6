//! The engine as its driver holds it: every call is a request to the control thread, answered when it is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::capture;
use crate::control::{Control, region, ring};
use crate::error::EngineError;
use crate::region::RingReader;
use crate::request::{Doorbell, Reply, Request};
use crate::schema::{self, Options};

/// The most bytes that one drain of a ring returns; the rest stays for the next.
const DRAIN: usize = 256 * 1024;
/// The same of recorded frames, which are worked on one by one.
const CAPTURED: usize = 64 * 1024;

/// A running engine. Dropping it closes it.
pub struct Engine {
    requests: Sender<(Request, Reply)>,
    events: Mutex<RingReader>,
    punts: Mutex<RingReader>,
    captured: Mutex<RingReader>,
    stop: Box<dyn Fn() + Send + Sync>,
    ended: Arc<AtomicBool>,
}

impl Engine {
    /// Starts an engine; `opened` gets it and the answer to `open`, from the control thread. `doorbell` is called, from that thread, when
    /// there are events or punts to be taken.
    pub fn open(
        options: Vec<u8>,
        doorbell: Doorbell,
        opened: impl FnOnce(Result<(Self, Vec<u8>), EngineError>) + Send + 'static,
    ) {
        let body = move || {
            let region = region();
            let start = schema::decode::<Options>("options", &options)
                .and_then(|options| Control::open(&options, Arc::clone(&region), doorbell));
            let (control, info) = match start {
                Ok(started) => started,
                Err(error) => return opened(Err(error)),
            };
            let (requests, receiver) = channel();
            let ended = Arc::new(AtomicBool::new(false));
            let engine = Self {
                requests,
                events: Mutex::new(region.ring(ring::EVENTS).1),
                punts: Mutex::new(region.ring(ring::PUNTS).1),
                captured: Mutex::new(region.ring(ring::CAPTURED).1),
                stop: Box::new(control.stopper()),
                ended: Arc::clone(&ended),
            };
            opened(Ok((engine, info)));
            let run = core::panic::AssertUnwindSafe(|| control.run(&receiver));
            // A panic drops all requests, whose senders then see the engine closed.
            let _ = std::panic::catch_unwind(run);
            ended.store(true, Ordering::Release);
        };
        // The thread is not joined: `close` answers when it is done, and a process that ends takes it along.
        drop(std::thread::Builder::new().name("nve-control".into()).spawn(body));
    }

    /// Applies a batch.
    pub fn apply(&self, batch: Vec<u8>, reply: Reply) {
        self.request(Request::Apply(batch), reply);
    }

    /// One page of rows.
    pub fn dump(&self, request: Vec<u8>, reply: Reply) {
        self.request(Request::Dump(request), reply);
    }

    /// Begins to record frames, or ends it.
    pub fn capture(&self, request: Vec<u8>, reply: Reply) {
        self.request(Request::Capture(request), reply);
    }

    /// Takes recorded frames, back to back.
    pub fn captured(&self) -> Vec<u8> {
        let mut ring = self.captured.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = ring.take_lost();
        let mut bytes = if lost == 0 { Vec::new() } else { schema::event(&(0u16, lost)) };
        let mut record = Vec::new();
        while bytes.len() < CAPTURED && ring.pop(&mut record).is_some() {
            bytes.extend(capture::message(&record).into_iter().flatten());
        }
        bytes
    }

    /// All counters.
    pub fn stats(&self, reply: Reply) {
        self.request(Request::Stats, reply);
    }

    /// Sends a frame out of a port.
    pub fn inject(&self, request: Vec<u8>, reply: Reply) {
        self.request(Request::Inject(request), reply);
    }

    /// What would become of a frame.
    pub fn trace(&self, request: Vec<u8>, reply: Reply) {
        self.request(Request::Trace(request), reply);
    }

    /// Stops and closes everything.
    pub fn close(&self, reply: Reply) {
        self.request(Request::Close, reply);
    }

    /// Takes events, back to back.
    pub fn events(&self) -> Vec<u8> {
        let mut ring = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = ring.take_lost();
        let mut bytes = if lost == 0 { Vec::new() } else { schema::event(&("overflow", "events", lost)) };
        drain(&mut ring, &mut bytes);
        bytes
    }

    /// Takes punts, back to back.
    pub fn punts(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        drain(&mut self.punts.lock().unwrap_or_else(PoisonError::into_inner), &mut bytes);
        bytes
    }

    /// For a process that is about to end: no packet moves any more when this returns, or `deadline` has passed.
    pub fn shutdown_now(&self, deadline: Duration) {
        (self.stop)();
        self.close(Reply::new(drop));
        let until = Instant::now() + deadline;
        while !self.ended.load(Ordering::Acquire) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn request(&self, request: Request, reply: Reply) {
        // A request that cannot be sent is dropped, and its reply then says that the engine is closed.
        let _ = self.requests.send((request, reply));
    }
}

fn drain(ring: &mut RingReader, bytes: &mut Vec<u8>) {
    let mut record = Vec::new();
    while bytes.len() < DRAIN && ring.pop(&mut record).is_some() {
        bytes.extend_from_slice(&record);
    }
}
