//! What there is, as rows: `dump` and `stats` of `docs/engine.md`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::Bound;
use core::sync::atomic::Ordering;
use std::collections::BTreeMap;
use std::time::Instant;

use dpdk::{Eal, Mempool, clock};
use pipeline::PuntClass;
use serde::Serialize;
use serde_bytes::{ByteBuf, Bytes};
use tables::TagPolicy;
use types::{AclId, DropReason, GroupId, MacAddr, NextHopId, PortId, VapId, VnId};
use wire::Encap;

use crate::addresses::{self, Addresses};
use crate::devices::Devices;
use crate::error::EngineError;
use crate::forwarding::Forwarding;
use crate::membership::Memberships;
use crate::model::Model;
use crate::neighbour::Neighbours;
use crate::police::default_rate;
use crate::region::{PollerCounter, Region};
use crate::schema::{Cursor, Dest, Dump, Rule, SelectorRow, dump_reply, stats_reply};

/// The most rows of one page.
const PAGE: u32 = 10_000;

/// Everything that can be shown.
pub struct Show<'a> {
    /// What the controller said.
    pub model: &'a Model,
    /// The tables.
    pub forwarding: &'a Forwarding,
    /// The packet buffers.
    pub pool: &'a Mempool,
    /// The devices.
    pub devices: &'a Devices,
    /// The neighbours.
    pub neighbours: &'a Neighbours,
    /// What our addresses are.
    pub addresses: &'a Addresses,
    /// The groups that we are in.
    pub memberships: &'a Memberships,
    /// The counters.
    pub region: &'a Region,
}

/// The first rows, at most `limit`, and where to go on if there are more.
fn page<R: Serialize>(rows: impl Iterator<Item = (Cursor, R)>, limit: u32) -> Vec<u8> {
    let mut rows = rows.peekable();
    let mut last = None;
    let page: Vec<R> = rows.by_ref().take(limit as usize).map(|(cursor, row)| (last = Some(cursor), row).1).collect();
    let more = rows.peek().is_some();
    dump_reply(&page, last.filter(|_| more))
}

fn mac(mac: &MacAddr) -> &Bytes {
    Bytes::new(&mac.0)
}

/// A destination as the schema has it.
fn dest_row(dest: Dest) -> (u8, u32) {
    match dest {
        Dest::Vap(vap) => (0, vap.0),
        Dest::NextHop(next_hop) => (1, next_hop.0),
        Dest::Group(group) => (2, group.0),
    }
}

/// An address as a command has it.
pub fn ip(ip: IpAddr) -> ByteBuf {
    ByteBuf::from(match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    })
}

/// The place of an address on a port among all.
fn place(port: PortId, ip: IpAddr) -> Cursor {
    match ip {
        IpAddr::V4(ip) => (u64::from(port.0) << 1, ip.to_bits().into()),
        IpAddr::V6(ip) => (u64::from(port.0) << 1 | 1, ip.to_bits()),
    }
}

impl Show<'_> {
    /// One page of one kind of row.
    pub fn dump(&self, Dump(kind, cursor, limit): &Dump) -> Result<Vec<u8>, EngineError> {
        if !(1..=PAGE).contains(limit) {
            return Err(EngineError::OutOfRange { field: "limit", got: limit.to_string(), expected: "1 to 10000" });
        }
        // Rows are ordered by cursor, and a page starts behind the last one's.
        let after = |at: &Cursor| cursor.is_none_or(|cursor| *at > cursor);
        let start = u32::try_from(cursor.map_or(0, |cursor| cursor.0)).unwrap_or(u32::MAX);
        match kind.as_str() {
            "ports" => Ok(page(self.ports().filter(|(at, _)| after(at)), *limit)),
            "vns" => Ok(page(self.vns(start).filter(|(at, _)| after(at)), *limit)),
            "vaps" => Ok(page(self.vaps(start).filter(|(at, _)| after(at)), *limit)),
            "underlays" => Ok(page(self.underlays().filter(|(at, _)| after(at)), *limit)),
            "nexthops" => Ok(page(self.next_hops(start).filter(|(at, _)| after(at)), *limit)),
            "groups" => Ok(page(self.groups(start).filter(|(at, _)| after(at)), *limit)),
            "fdb" => Ok(page(self.rows(*cursor), *limit)),
            "acls" => Ok(page(self.acls(start).filter(|(at, _)| after(at)), *limit)),
            "police" => Ok(page(self.police().filter(|(at, _)| after(at)), *limit)),
            "pairs" => Ok(page(self.pairs(*cursor), *limit)),
            "routes" => Ok(page(self.routes().filter(|(at, _)| after(at)), *limit)),
            "exceptions" => Ok(page(self.exceptions().filter(|(at, _)| after(at)), *limit)),
            "mcasts" => Ok(page(self.mcasts().filter(|(at, _)| after(at)), *limit)),
            "neighbours" => Ok(page(self.neighbours().filter(|(at, _)| after(at)), *limit)),
            "vap_counters" => Ok(page(self.vap_counters(start).filter(|(at, _)| after(at)), *limit)),
            "memory" => Ok(page(self.memory().filter(|(at, _)| after(at)), *limit)),
            _ => Err(EngineError::Mismatch {
                what: "kind of row",
                got: kind.clone(),
                expected: "ports, vns, vaps, underlays, routes, exceptions, nexthops, groups, mcasts, fdb, neighbours, acls, police, pairs, vap_counters or memory"
                    .into(),
            }),
        }
    }

    fn acls(&self, start: u32) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        self.model.acls.range(AclId(start)..).flat_map(|(id, row)| {
            let default = Rule::any(row.spec.default);
            let rules = row.spec.rules.iter().cloned().enumerate().map(|(at, rule)| (Some(at), rule));
            rules
                .chain([(None, default)])
                .zip(row.list.decided())
                .enumerate()
                .map(|(at, ((number, rule), packets))| ((id.0.into(), at as u128), (id.0, number, rule, packets)))
        })
    }

    fn police(&self) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        PuntClass::ALL.into_iter().enumerate().map(|(at, class)| {
            let set = self.model.police.get(&class);
            let (per_second, burst) = set.copied().unwrap_or(default_rate(class));
            ((at as u64, 0), (class.name(), per_second, burst, set.is_none()))
        })
    }

    fn ports(&self) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        self.model.ports.iter().map(|(id, row)| {
            let up = self.devices.get(*id).is_some_and(dpdk::Port::link_up);
            let spec = &row.spec;
            let role = self.model.role(*id);
            ((id.0.into(), 0), (id.0, &spec.name, spec.driver(), mac(&row.mac), spec.mtu, up, role))
        })
    }

    fn vns(&self, start: u32) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        self.model.vns.range(VnId(start)..).map(|(id, row)| {
            let flood: Vec<_> = row.flood.iter().map(|dest| dest_row(*dest)).collect();
            let sources: Vec<_> = row.sources.iter().map(|source| ip(*source)).collect();
            let vni = row.spec.vni.map(types::Vni::get);
            (
                (id.0.into(), 0),
                (id.0, vni, row.spec.mtu, row.vaps.len(), row.rows.len(), flood, sources, &row.spec.options),
            )
        })
    }

    fn vaps(&self, start: u32) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        self.model.vaps.range(VapId(start)..).map(|(id, row)| {
            let spec = &row.spec;
            let flags = u8::from(spec.guard)
                | u8::from(spec.uplink) << 1
                | u8::from(spec.reflect) << 2
                | u8::from(spec.learn) << 3;
            let (selector, tags) = (SelectorRow(spec.selector), TagsRow(&spec.tags));
            ((id.0.into(), 0), (id.0, spec.vn.0, spec.port.0, selector, flags, tags, &spec.options))
        })
    }

    fn underlays(&self) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        let given = self.model.underlays.iter().map(|(key, spec)| (*key, spec.prefix));
        let automatic =
            self.model.ports.keys().filter_map(|port| Some((*port, self.addresses.automatic(*port)?.into())));
        let all: BTreeMap<_, _> = given.chain(automatic.map(|key| (key, addresses::LINK_LOCAL_PREFIX))).collect();
        all.into_iter().map(|((port, address), prefix)| {
            let mac = self.model.ports.get(&port).map(|row| mac(&row.mac));
            let state = self.addresses.state((port, address)).map(addresses::State::name);
            (place(port, address), (port.0, ip(address), prefix, mac, state, self.model.vlan(port)))
        })
    }

    fn next_hops(&self, start: u32) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        self.model.next_hops.range(NextHopId(start)..).map(|(id, row)| {
            let remote = ip(row.spec.remote);
            let neighbour = row.group_mac().or_else(|| self.neighbours.mac(row.path.to()));
            let state = self.forwarding.state_of(row);
            let neighbour = neighbour.map(|mac| serde_bytes::ByteArray::new(mac.0));
            (
                (id.0.into(), 0),
                (id.0, remote, encap_number(row.spec.encap), row.spec.vni.get(), row.path.port.0, neighbour, state),
            )
        })
    }

    fn groups(&self, start: u32) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        self.model.groups.range(GroupId(start)..).map(|(id, row)| {
            let members = row.members.iter().map(|(next_hop, weight)| {
                let index = self.model.next_hops.get(next_hop).map(|row| row.index);
                (next_hop.0, *weight, index.map_or(0, |index| self.forwarding.places(row, index)))
            });
            ((id.0.into(), 0), (id.0, row.vn.map(|vn| vn.0), members.collect::<Vec<_>>()))
        })
    }

    fn rows(&self, cursor: Option<Cursor>) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        let (vn, last) = cursor.map_or((0, None), |(vn, mac)| (u32::try_from(vn).unwrap_or(u32::MAX), Some(mac)));
        self.model.vns.range(VnId(vn)..).flat_map(move |(id, row)| {
            let from = last.filter(|_| id.0 == vn).map_or(MacAddr::default(), |mac| MacAddr::from_u64(mac as u64 + 1));
            row.rows.range(from..).map(|(address, dest)| {
                let age_s = self.model.ageing.age_s(*id, *address);
                ((id.0.into(), address.to_u64().into()), (id.0, mac(address), dest_row(*dest), age_s))
            })
        })
    }

    /// IPv4 before IPv6: a cursor's first number says of which family its address is.
    fn pairs(&self, cursor: Option<Cursor>) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        let last = cursor.map(|(vn_and_family, bits)| {
            let ip = match vn_and_family & 1 {
                0 => IpAddr::from(Ipv4Addr::from_bits(bits as u32)),
                _ => Ipv6Addr::from_bits(bits).into(),
            };
            (VnId(u32::try_from(vn_and_family >> 1).unwrap_or(u32::MAX)), ip)
        });
        let start = last.map_or(VnId(0), |(vn, _)| vn);
        self.model.vns.range(start..).flat_map(move |(id, row)| {
            let after = last.filter(|(vn, _)| vn == id).map_or(Bound::Unbounded, |(_, ip)| Bound::Excluded(ip));
            row.pairs.range((after, Bound::Unbounded)).map(|(ip, owner)| {
                let (family, bits, bytes) = match ip {
                    IpAddr::V4(ip) => (0, ip.to_bits().into(), ip.octets().to_vec()),
                    IpAddr::V6(ip) => (1, ip.to_bits(), ip.octets().to_vec()),
                };
                ((u64::from(id.0) << 1 | family, bits), (id.0, serde_bytes::ByteBuf::from(bytes), mac(owner)))
            })
        })
    }

    fn routes(&self) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        self.model.routes.iter().map(|((length, prefix), gateways)| {
            let gateways: Vec<_> = gateways.iter().map(|gateway| ip(*gateway)).collect();
            (place(PortId((*length).into()), *prefix), (ip(*prefix), *length, gateways))
        })
    }

    fn exceptions(&self) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        self.model.exceptions.iter().map(|(port, tap)| ((port.0.into(), 0), (port.0, tap.0)))
    }

    fn neighbours(&self) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        self.neighbours.iter().map(|((port, address), state)| {
            let mac = state.mac().map(|mac| serde_bytes::ByteArray::new(mac.0));
            (place(port, address), (port.0, ip(address), mac, state.name()))
        })
    }

    fn mcasts(&self) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        let mut vns: BTreeMap<(PortId, IpAddr), Vec<u32>> = BTreeMap::new();
        for ((vn, group), port) in &self.model.joined {
            vns.entry((*port, *group)).or_default().push(vn.0);
        }
        self.memberships.rows(Instant::now()).map(move |row| {
            let (port, group) = row.group;
            let vns = vns.get(&row.group).cloned().unwrap_or_default();
            (place(port, group), (port.0, ip(group), vns, row.protocol.name(), row.reports, row.queries))
        })
    }

    fn memory(&self) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        let mut rows = self.forwarding.memory(self.model);
        let (pool, used) = (u64::from(self.pool.count()), u64::from(self.pool.in_use()));
        rows.push(("buffers", used, Some(pool), self.pool.bytes() as u64));
        rows.push(("region", 0, None, self.region.bytes() as u64));
        rows.into_iter().zip(1..).map(|(row, at)| ((at, 0), row))
    }

    fn vap_counters(&self, start: u32) -> impl Iterator<Item = (Cursor, impl Serialize)> {
        self.model.vaps.range(VapId(start)..).map(|(id, row)| {
            let [in_packets, in_bytes, out_packets, out_bytes, suppressed] =
                core::array::from_fn(|at| self.region.vap(row.index)[at].wrapping_sub(row.counters_before[at]));
            ((id.0.into(), 0), (id.0, in_packets, in_bytes, out_packets, out_bytes, suppressed))
        })
    }

    /// The counters of what there is little of: ports, drops, pollers.
    pub fn stats(&self, eal: &Eal) -> Vec<u8> {
        let ports: Vec<_> = self
            .devices
            .iter()
            .map(|(id, port)| {
                let s = port.stats();
                let errors = s.rx_errors + s.rx_no_buffer + s.rx_oversize;
                (id.0, s.rx_packets, s.rx_bytes, s.tx_packets, s.tx_bytes, s.rx_missed, errors)
            })
            .collect();
        let drops = self.region.drops().iter().enumerate().filter_map(|(at, word)| {
            let packets = word.load(Ordering::Relaxed);
            let (port, reason) = (PortId((at / DropReason::COUNT) as u16), DropReason::ALL[at % DropReason::COUNT]);
            (packets != 0).then_some((port.0, reason.name(), packets))
        });
        let of = |counter| self.region.poller(counter);
        let poller = (
            0u8,
            of(PollerCounter::Polls),
            of(PollerCounter::EmptyPolls),
            of(PollerCounter::Packets),
            of(PollerCounter::BusyCycles),
            of(PollerCounter::IdleCycles),
            clock::tsc_hz(eal),
            of(PollerCounter::Copies),
        );
        stats_reply(&(ports, drops.collect::<Vec<_>>(), [poller]))
    }
}

fn encap_number(encap: Encap) -> u8 {
    match encap {
        Encap::Vxlan => 1,
        Encap::Geneve => 2,
    }
}

/// A tag policy as a command has it.
struct TagsRow<'a>(&'a TagPolicy);

impl Serialize for TagsRow<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            TagPolicy::Refuse => ["refuse"].serialize(serializer),
            TagPolicy::Pass => ["pass"].serialize(serializer),
            TagPolicy::Strip => ["strip"].serialize(serializer),
            TagPolicy::List(bits) => {
                let listed = |vid: &u16| TagPolicy::lists(bits, *vid);
                ("list", (1..4095).filter(listed).collect::<Vec<_>>()).serialize(serializer)
            }
        }
    }
}
