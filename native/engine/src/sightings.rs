//! Which source MACs of VAPs that learn are told: each once a while, and of none too many.
//!
//! Whoever programs the rows answers within milliseconds, and until then every frame of the station is a sighting; a station may also
//! invent a new MAC for every frame. So a poller remembers what it told lately, in a table of fixed size that forgets by being
//! overwritten, and tells at most so many a second for each VAP and each port. What is not told now is told by a later frame.

use pipeline::Sighting;
use types::{MacAddr, PortId};

use tables::{Meter, Rate};

/// What one VAP, and one port, may tell a second, and at once.
const VAP: (u64, u64) = (500, 256);
const PORT: (u64, u64) = (5_000, 1_024);
/// MACs that are remembered, and meters of VAPs: two VAPs whose indices are so far apart share one.
const TOLD: usize = 1024;
const VAPS: usize = 4096;

#[derive(Clone, Copy, Default)]
struct Told {
    source: u64,
    vap: u16,
    vn: u16,
    until: u64,
}

/// What one poller told, and may tell.
pub struct Sightings {
    told: Box<[Told; TOLD]>,
    vaps: Box<[Meter; VAPS]>,
    ports: Box<[Meter; PortId::LIMIT]>,
    vap_rate: Rate,
    port_rate: Rate,
    second: u64,
}

impl Sightings {
    /// Bytes of [`Self::encode`].
    const RECORD: usize = 10;

    /// Nothing told yet, by a clock of `hz` ticks a second.
    pub fn new(hz: u64) -> Self {
        Self {
            told: Box::new([Told::default(); TOLD]),
            vaps: Box::new([Meter::default(); VAPS]),
            ports: Box::new([Meter::default(); PortId::LIMIT]),
            vap_rate: Rate::new(hz, VAP),
            port_rate: Rate::new(hz, PORT),
            second: hz,
        }
    }

    /// Whether this is to be told at `now`; if so, it counts as told for a second.
    pub fn admit(&mut self, sighting: &Sighting, now: u64) -> bool {
        let Sighting { port, vap, vn, source } = *sighting;
        let source = source.to_u64();
        let told = &mut self.told[slot(source, vap)];
        if (told.source, told.vap, told.vn) == (source, vap, vn) && now < told.until {
            return false;
        }
        let port = &mut self.ports[usize::from(port.0) % PortId::LIMIT];
        let admitted =
            self.vaps[usize::from(vap) % VAPS].admit(&self.vap_rate, 1, now) && port.admit(&self.port_rate, 1, now);
        if admitted {
            *told = Told { source, vap, vn, until: now + self.second };
        }
        admitted
    }

    /// Forgets that this was told.
    pub fn forget(&mut self, sighting: &Sighting) {
        self.told[slot(sighting.source.to_u64(), sighting.vap)] = Told::default();
    }

    /// The record for the control thread.
    pub fn encode(sighting: &Sighting) -> [u8; Self::RECORD] {
        let mut record = [0; Self::RECORD];
        record[..2].copy_from_slice(&sighting.vap.to_le_bytes());
        record[2..4].copy_from_slice(&sighting.vn.to_le_bytes());
        record[4..].copy_from_slice(&sighting.source.0);
        record
    }

    /// The inverse, for a sighting at `port`; `None` if it is no record.
    pub fn decode(port: PortId, record: &[u8]) -> Option<Sighting> {
        let [v, a, n, m, source @ ..] = *<&[u8; Self::RECORD]>::try_from(record).ok()?;
        let (vap, vn) = (u16::from_le_bytes([v, a]), u16::from_le_bytes([n, m]));
        Some(Sighting { port, vap, vn, source: MacAddr(source) })
    }
}

/// Where a sighting is remembered. Who finds two that meet gains nothing but to be told twice.
fn slot(source: u64, vap: u16) -> usize {
    ((source << 16 | u64::from(vap)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize % TOLD
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: u64 = 1_000_000;

    fn at(port: u16, vap: u16, station: u32) -> Sighting {
        let [_, a, b, c] = station.to_be_bytes();
        Sighting { port: PortId(port), vap, vn: 7, source: MacAddr([2, 0, 0, a, b, c]) }
    }

    #[test]
    fn a_mac_is_told_once_a_second_and_again_elsewhere() {
        let mut sightings = Sightings::new(HZ);
        let now = 5 * HZ;
        assert!(sightings.admit(&at(1, 3, 1), now));
        assert!((1..1000).all(|later| !sightings.admit(&at(1, 3, 1), now + later)));
        assert!(sightings.admit(&at(1, 4, 1), now), "at another VAP");
        assert!(sightings.admit(&at(1, 3, 1), now + HZ), "a second later");
        sightings.forget(&at(1, 3, 1));
        assert!(sightings.admit(&at(1, 3, 1), now + HZ), "what was lost on the way is told again");
    }

    #[test]
    fn new_macs_without_end_are_policed_by_vap_and_by_port() {
        let mut sightings = Sightings::new(HZ);
        let now = 5 * HZ;
        let mut flood = |port, vaps: core::ops::Range<u16>| -> usize {
            let all = vaps.flat_map(|vap| (0..2_000).map(move |station| at(port, vap, station)));
            all.filter(|sighting| sightings.admit(sighting, now)).count()
        };
        assert_eq!(flood(1, 0..1), 256, "one VAP");
        assert_eq!(flood(1, 1..2), 256, "its neighbour on the port is told, too");
        assert_eq!(flood(1, 2..20), 1_024 - 2 * 256, "all of the port");
        assert_eq!(flood(2, 20..21), 256, "another port");
    }

    #[test]
    fn records_round_trip_and_others_are_none() {
        let sighting = at(9, 0x1234, 0x00ab_cdef);
        assert_eq!(Sightings::decode(PortId(9), &Sightings::encode(&sighting)), Some(sighting));
        assert_eq!(Sightings::decode(PortId(9), &[0; 9]), None);
    }
}
