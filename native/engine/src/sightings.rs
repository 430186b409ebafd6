//! Which MACs without a fitting row are told: each once a while, and of none too many.
//!
//! Whoever programs the rows answers within milliseconds, and until then every frame of the station is a sighting; a station may also
//! invent a new MAC for every frame. So a poller remembers what it told lately, in a table of fixed size that forgets by being
//! overwritten, and tells at most so many a second for each VAP and each port. What is not told now is told by a later frame.

use core::net::IpAddr;

use pipeline::{Place, Sighting};
use types::{MacAddr, PortId};

use tables::{Meter, Rate};

/// What one VAP or VN, and one port, may tell a second, and at once: of each kind of place, so that who asks for what nobody has keeps no
/// station from being learned.
const OWNER: (u64, u64) = (500, 256);
const PORT: (u64, u64) = (5_000, 1_024);
/// MACs that are remembered, and meters of VAPs or VNs: two whose indices are so far apart share one.
const TOLD: usize = 1024;
const OWNERS: usize = 4096;
/// Kinds of place.
const KINDS: usize = 3;

#[derive(Clone, Copy)]
struct Told {
    mac: MacAddr,
    vn: u16,
    place: Place,
    until: u64,
}

impl Told {
    const NOTHING: Self = Self { mac: MacAddr([0; 6]), vn: 0, place: Place::Nowhere, until: 0 };
}

/// Meters of one kind of place.
struct Share {
    owners: Box<[Meter; OWNERS]>,
    ports: Box<[Meter; PortId::LIMIT]>,
}

/// What one poller told, and may tell.
pub struct Sightings {
    told: Box<[Told; TOLD]>,
    shares: [Share; KINDS],
    owner_rate: Rate,
    port_rate: Rate,
    second: u64,
}

impl Sightings {
    /// Bytes of [`Self::encode`]: VN, MAC, kind of place, place.
    const RECORD: usize = 25;

    /// Nothing told yet, by a clock of `hz` ticks a second.
    pub fn new(hz: u64) -> Self {
        let share = |_| Share {
            owners: Box::new([Meter::default(); OWNERS]),
            ports: Box::new([Meter::default(); PortId::LIMIT]),
        };
        Self {
            told: Box::new([Told::NOTHING; TOLD]),
            shares: core::array::from_fn(share),
            owner_rate: Rate::new(hz, OWNER),
            port_rate: Rate::new(hz, PORT),
            second: hz,
        }
    }

    /// Whether this is to be told at `now`; if so, it counts as told for a second.
    pub fn admit(&mut self, sighting: &Sighting, now: u64) -> bool {
        let Sighting { port, vn, mac, place } = *sighting;
        let told = &mut self.told[slot(sighting)];
        if (told.mac, told.vn, told.place) == (mac, vn, place) && now < told.until {
            return false;
        }
        let (kind, owner) = match place {
            Place::Vap(vap) => (0, vap),
            Place::Nve(_) => (1, vn),
            Place::Nowhere => (2, vn),
        };
        let Share { owners, ports } = &mut self.shares[kind];
        let admitted = owners[usize::from(owner) % OWNERS].admit(&self.owner_rate, 1, now)
            && ports[usize::from(port.0) % PortId::LIMIT].admit(&self.port_rate, 1, now);
        if admitted {
            *told = Told { mac, vn, place, until: now + self.second };
        }
        admitted
    }

    /// Forgets that this was told.
    pub fn forget(&mut self, sighting: &Sighting) {
        self.told[slot(sighting)] = Told::NOTHING;
    }

    /// The record for the control thread.
    pub fn encode(sighting: &Sighting) -> [u8; Self::RECORD] {
        let mut record = [0; Self::RECORD];
        record[..2].copy_from_slice(&sighting.vn.to_le_bytes());
        record[2..8].copy_from_slice(&sighting.mac.0);
        let (kind, place) = record[8..].split_at_mut(1);
        kind[0] = match sighting.place {
            Place::Vap(vap) => {
                place[..2].copy_from_slice(&vap.to_le_bytes());
                0
            }
            Place::Nve(IpAddr::V4(ip)) => {
                place[..4].copy_from_slice(&ip.octets());
                4
            }
            Place::Nve(IpAddr::V6(ip)) => {
                place.copy_from_slice(&ip.octets());
                6
            }
            Place::Nowhere => 1,
        };
        record
    }

    /// The inverse, for a sighting at `port`; `None` if it is no record.
    pub fn decode(port: PortId, record: &[u8]) -> Option<Sighting> {
        let record = <&[u8; Self::RECORD]>::try_from(record).ok()?;
        let (vn, rest) = record.split_first_chunk::<2>()?;
        let (mac, rest) = rest.split_first_chunk::<6>()?;
        let (kind, address) = rest.split_first_chunk::<1>()?;
        let place = match kind[0] {
            0 => Place::Vap(u16::from_le_bytes(*address.first_chunk()?)),
            1 => Place::Nowhere,
            4 => Place::Nve(IpAddr::from(*address.first_chunk::<4>()?)),
            6 => Place::Nve(IpAddr::from(*address.first_chunk::<16>()?)),
            _ => return None,
        };
        Some(Sighting { port, vn: u16::from_le_bytes(*vn), mac: MacAddr(*mac), place })
    }
}

/// Where a sighting is remembered. Who finds two that meet gains nothing but to be told twice.
fn slot(sighting: &Sighting) -> usize {
    let place = match sighting.place {
        Place::Vap(vap) => vap.into(),
        Place::Nve(IpAddr::V4(ip)) => u64::from(ip.to_bits()) << 16,
        Place::Nve(IpAddr::V6(ip)) => ip.to_bits() as u64,
        Place::Nowhere => u64::MAX,
    };
    let mixed = (sighting.mac.to_u64() << 16 | u64::from(sighting.vn)) ^ place.wrapping_mul(0xa076_1d64_78bd_642f);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize % TOLD
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: u64 = 1_000_000;

    fn at(port: u16, vap: u16, station: u32) -> Sighting {
        let [_, a, b, c] = station.to_be_bytes();
        Sighting { port: PortId(port), vn: 7, mac: MacAddr([2, 0, 0, a, b, c]), place: Place::Vap(vap) }
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
        let nve = |text: &str| Place::Nve(text.parse().unwrap());
        for place in [Place::Vap(0x1234), Place::Nowhere, nve("192.0.2.7"), nve("2001:db8::7")] {
            let sighting = Sighting { place, ..at(9, 0, 0x00ab_cdef) };
            assert_eq!(Sightings::decode(PortId(9), &Sightings::encode(&sighting)), Some(sighting));
        }
        assert_eq!(Sightings::decode(PortId(9), &[0; 9]), None);
        assert_eq!(Sightings::decode(PortId(9), &[9; Sightings::RECORD]), None);
    }

    #[test]
    fn who_asks_for_nobody_keeps_no_station_from_being_told() {
        let mut sightings = Sightings::new(HZ);
        let now = 5 * HZ;
        let asked = |station| Sighting { place: Place::Nowhere, ..at(1, 3, station) };
        assert_eq!((0..2_000).filter(|station| sightings.admit(&asked(*station), now)).count(), 256);
        let behind = |last: u8| Sighting { place: Place::Nve([192, 0, 2, last].into()), ..at(1, 3, 1) };
        assert!(sightings.admit(&at(1, 3, 1), now) && sightings.admit(&behind(1), now));
        assert!(!sightings.admit(&behind(1), now));
        assert!(sightings.admit(&behind(2), now), "behind another NVE");
    }
}
