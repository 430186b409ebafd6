//! Recording frames for people: of a port, of a VAP, or those that are dropped.
//!
//! The control thread writes what is wanted into two words of the region; the poller reads them once a turn, and while nobody wants anything a
//! burst pays for a comparison. What is wanted goes into a ring, cut to the length that was asked for; what the ring does not take is lost and
//! counted. A VAP's frames are those of its port that its selector selects: as they come, before tags are removed, and as they leave.

use core::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use dpdk::Mbuf;
use pipeline::vap_of;
use serde_bytes::Bytes;
use tables::{Index, PortEntry, Snapshot};
use types::{DropReason, PortId};

use crate::region::RingWriter;
use crate::schema;

/// Words of the region that say what is wanted.
pub const WORDS: usize = 2;
/// The longest part of a frame that is recorded.
pub const SNAP_MAX: u16 = 9_728;
const HEADER: usize = 18;
/// For a port, VAP index or reason: any, or none.
const ANY: u16 = u16::MAX;
const ANY_REASON: u8 = u8::MAX;

/// Which frames are recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Those that come in or leave by a port.
    Port(PortId),
    /// Those of the VAP of this index, at this port.
    Vap(PortId, Index),
    /// Those that are dropped, having come in by this port, and for this reason; or any.
    Drops(Option<PortId>, Option<DropReason>),
}

/// Where a frame was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Received by the port.
    In = 0,
    /// Sent by the port.
    Out = 1,
    /// Dropped, having come in by the port.
    Dropped = 2,
}

/// Writes what is wanted; `session`, not 0, is told with every frame. `None` ends it.
pub fn set(words: &[AtomicU64], wanted: Option<Wanted>, session: u16, snap: u16) {
    let word = wanted.map_or(0, |wanted| {
        let (kind, port, vap, reason) = match wanted {
            Wanted::Port(port) => (1u8, port.0, ANY, ANY_REASON),
            Wanted::Vap(port, vap) => (2, port.0, vap, ANY_REASON),
            Wanted::Drops(port, reason) => {
                (3, port.map_or(ANY, |port| port.0), ANY, reason.map_or(ANY_REASON, |reason| reason as u8))
            }
        };
        u64::from(kind)
            | u64::from(reason) << 8
            | u64::from(port) << 16
            | u64::from(vap) << 32
            | u64::from(session) << 48
    });
    if let [wants, length] = words {
        length.store(snap.into(), Ordering::Relaxed);
        wants.store(word, Ordering::Release);
    }
}

/// The poller's end.
pub struct Taps {
    word: u64,
    /// The port whose frames are wanted; [`ANY`] while none are.
    port: u16,
    vap: Index,
    /// Whether dropped frames are.
    drops: bool,
    snap: usize,
    ring: RingWriter,
    record: Box<[u8; HEADER + SNAP_MAX as usize]>,
}

impl Taps {
    /// Taps that write to `ring`.
    pub fn new(ring: RingWriter) -> Self {
        let record = Box::new([0; HEADER + SNAP_MAX as usize]);
        Self { word: 0, port: ANY, vap: ANY, drops: false, snap: 0, ring, record }
    }

    /// Looks what is wanted.
    #[inline]
    pub fn look(&mut self, words: &[AtomicU64]) {
        if let [wants, length] = words {
            let word = wants.load(Ordering::Acquire);
            if word != self.word {
                self.want(word, length.load(Ordering::Relaxed));
            }
        }
    }

    #[cold]
    fn want(&mut self, word: u64, snap: u64) {
        let kind = word as u8;
        self.word = word;
        self.drops = kind == 3;
        self.port = if kind == 1 || kind == 2 { (word >> 16) as u16 } else { ANY };
        self.vap = (word >> 32) as u16;
        self.snap = snap.min(SNAP_MAX.into()) as usize;
    }

    /// Records those of `frames` that are wanted.
    #[inline]
    pub fn frames(&mut self, port: u16, place: Place, frames: &[Mbuf], snapshot: &Snapshot) {
        if self.port == port {
            self.record_all(place, frames, snapshot);
        }
    }

    #[cold]
    fn record_all(&mut self, place: Place, frames: &[Mbuf], snapshot: &Snapshot) {
        let port = self.port;
        for frame in frames {
            if self.vap == ANY || self.is_of_vap(frame.data(), snapshot) {
                let room = &mut self.record[HEADER..HEADER + self.snap];
                let kept = frame.copy_to(room);
                self.push(port, place, ANY_REASON, kept, frame.chain_len());
            }
        }
    }

    fn is_of_vap(&self, frame: &[u8], snapshot: &Snapshot) -> bool {
        match snapshot.port(PortId(self.port)) {
            PortEntry::Access(port) => vap_of(port, frame) == Some(self.vap),
            _ => false,
        }
    }

    /// Records a dropped frame, if such are wanted.
    #[inline]
    pub fn dropped(&mut self, frame: &[u8], port: PortId, reason: DropReason) {
        if self.drops {
            self.record_drop(frame, port, reason);
        }
    }

    #[cold]
    fn record_drop(&mut self, frame: &[u8], port: PortId, reason: DropReason) {
        let (wanted_reason, wanted_port) = ((self.word >> 8) as u8, (self.word >> 16) as u16);
        let fits = (wanted_reason == ANY_REASON || wanted_reason == reason as u8)
            && (wanted_port == ANY || wanted_port == port.0);
        if fits {
            let kept = frame.len().min(self.snap);
            self.record[HEADER..HEADER + kept].copy_from_slice(&frame[..kept]);
            self.push(port.0, Place::Dropped, reason as u8, kept, frame.len());
        }
    }

    fn push(&mut self, port: u16, place: Place, reason: u8, kept: usize, length: usize) {
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
        let header = &mut self.record[..HEADER];
        header[..8].copy_from_slice(&time.to_le_bytes());
        header[8..12].copy_from_slice(&(length as u32).to_le_bytes());
        header[12..14].copy_from_slice(&((self.word >> 48) as u16).to_le_bytes());
        header[14..16].copy_from_slice(&port.to_le_bytes());
        header[16..].copy_from_slice(&[place as u8, reason]);
        self.ring.push(0, &self.record[..HEADER + kept]);
    }
}

/// A record as the driver gets it: `[session, time_ns, port, place, reason or nil, length, frame]`. None for what no poller wrote.
pub fn message(record: &[u8]) -> Option<Vec<u8>> {
    let (header, frame) = record.split_first_chunk::<HEADER>()?;
    let [t0, t1, t2, t3, t4, t5, t6, t7, l0, l1, l2, l3, s0, s1, p0, p1, place, reason] = *header;
    let time = u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let (session, port) = (u16::from_le_bytes([s0, s1]), u16::from_le_bytes([p0, p1]));
    let reason = DropReason::ALL.get(usize::from(reason)).map(|reason| reason.name());
    Some(schema::event(&(session, time, port, place, reason, length, Bytes::new(frame))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::Region;
    use std::sync::Arc;

    type Record = (u16, u64, u16, u8, Option<String>, u32, serde_bytes::ByteBuf);

    fn taken(region: &Arc<Region>, wanted: Option<Wanted>, snap: u16, drops: &[(u16, DropReason)]) -> Vec<Record> {
        let (writer, mut reader) = region.ring(0);
        let mut taps = Taps::new(writer);
        set(region.capture(), wanted, 7, snap);
        taps.look(region.capture());
        for (port, reason) in drops {
            taps.dropped(&[0xab; 100], PortId(*port), *reason);
        }
        let mut bytes = Vec::new();
        core::iter::from_fn(|| reader.pop(&mut bytes).map(|_| rmp_serde::from_slice(&message(&bytes)?).ok()))
            .flatten()
            .collect()
    }

    #[test]
    fn dropped_frames_are_recorded_by_port_and_reason_and_cut() {
        let region = Region::new(1, &[1024]);
        let drops = [(1, DropReason::Untagged), (2, DropReason::VnMtu), (1, DropReason::VnMtu)];
        let ports = |wanted| -> Vec<_> {
            taken(&region, wanted, 60, &drops).iter().map(|record| (record.2, record.4.clone())).collect()
        };
        let (untagged, mtu) = (Some("untagged".to_owned()), Some("vn_mtu".to_owned()));
        let all = vec![(1, untagged.clone()), (2, mtu.clone()), (1, mtu.clone())];
        assert_eq!(ports(Some(Wanted::Drops(None, None))), all);
        assert_eq!(ports(Some(Wanted::Drops(Some(PortId(1)), None))), [(1, untagged), (1, mtu.clone())]);
        assert_eq!(ports(Some(Wanted::Drops(None, Some(DropReason::VnMtu)))), [(2, mtu.clone()), (1, mtu)]);
        assert_eq!(ports(Some(Wanted::Port(PortId(1)))), [], "frames of a port are no drops");
        assert_eq!(ports(None), []);
        let record = &taken(&region, Some(Wanted::Drops(None, None)), 60, &drops)[0];
        assert_eq!((record.0, record.3, record.5, record.6.len()), (7, 2, 100, 60));
        assert!(record.1 > 1_600_000_000_000_000_000, "a time of this century");
    }

    #[test]
    fn what_no_poller_wrote_is_no_record() {
        assert_eq!(message(&[0; HEADER - 1]), None);
        assert!(message(&[0xff; HEADER]).is_some());
    }
}
