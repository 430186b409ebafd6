//! What the driver is told: events, punts, sightings, ages.

use core::net::IpAddr;
use std::time::Instant;

use pipeline::{Place, PuntClass, Sighting};
use serde_bytes::Bytes;
use types::PortId;

use super::{Control, TICK};
use crate::poller::SIGHTING;
use crate::region::Pushed;
use crate::schema;
use crate::sightings::Sightings;

impl Control {
    pub(super) fn punted(&mut self, tag: u32, frame: &[u8]) {
        let port = PortId(tag as u16);
        if tag >> 16 == SIGHTING {
            return self.sighted(port, frame);
        }
        let Some(class) = PuntClass::ALL.get((tag >> 16) as usize) else { return };
        match class {
            PuntClass::Arp => return self.heard(port, frame),
            PuntClass::Nd => return self.heard_v6(port, frame),
            PuntClass::Membership => return self.heard_query(port, frame),
            _ => {}
        }
        let since_epoch = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let record =
            schema::event(&(port.0, None::<u32>, class.name(), since_epoch.as_nanos() as u64, Bytes::new(frame)));
        if self.punts.push(0, &record) == Pushed::First {
            (self.doorbell)();
        }
    }

    pub(super) fn sighted(&self, port: PortId, record: &[u8]) {
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

    pub(super) fn event(&self, event: &impl serde::Serialize) {
        let _ = self.told(event);
    }

    /// Tells an event; false if there was no room for it.
    pub(super) fn told(&self, event: &impl serde::Serialize) -> bool {
        let pushed = self.events.push(0, &schema::event(event));
        if pushed == Pushed::First {
            (self.doorbell)();
        }
        pushed != Pushed::Lost
    }

    /// Tells of rows of which nothing was seen.
    pub(super) fn look_at_ages(&mut self, now: Instant) {
        if now.duration_since(self.looked_at_ages) < TICK {
            return;
        }
        self.looked_at_ages = now;
        let mut ageing = core::mem::take(&mut self.model.ageing);
        let seen = |vn, mac| self.forwarding.seen(self.model.vns.get(&vn)?.index, mac);
        ageing.look(now, seen, |vn, mac| self.told(&("aged", vn.0, Bytes::new(&mac.0))));
        self.model.ageing = ageing;
    }
}
