//! What is asked of the control thread besides batches: recordings, frames to send, traces.

use types::{DropReason, PortId};
use wire::ETHERNET_HEADER;

use super::Control;
use crate::capture::{SNAP_MAX, Wanted};
use crate::error::{EngineError, Object};
use crate::request::Answer;
use crate::schema::{Capture, CaptureFilter, Inject, Trace};
use crate::show::Show;
use crate::{capture, schema, trace};

impl Control {
    /// Begins to record, or ends it; the answer is the number that the frames will carry.
    pub(super) fn capture(&mut self, Capture(filter, snap): &Capture) -> Answer {
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

    pub(super) fn show(&self) -> Show<'_> {
        Show {
            model: &self.model,
            forwarding: &self.forwarding,
            pool: self.devices.pool(),
            devices: &self.devices,
            neighbours: &self.neighbours,
            addresses: &self.addresses,
            memberships: &self.memberships,
            region: &self.region,
        }
    }

    pub(super) fn inject(&mut self, Inject(port, frame): &Inject) -> Answer {
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

    pub(super) fn trace(&mut self, Trace(port, frame): &Trace) -> Answer {
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
}

fn reason_of(name: &str) -> Result<DropReason, EngineError> {
    let found = DropReason::ALL.iter().find(|reason| reason.name() == name).copied();
    let expected = "one of docs/drops.md, the engine's".to_owned();
    found.ok_or(EngineError::Mismatch { what: "drop reason", got: name.to_owned(), expected })
}
