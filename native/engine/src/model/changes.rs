//! A batch, sorted by object: numbers turned into types, each object at most once.

use core::net::IpAddr;

use pipeline::PuntClass;
use tables::TagPolicy;
use types::{AclId, GroupId, MacAddr, NextHopId, PortId, Selector, VapId, Vid, VnId, Vni};
use wire::{Encap, is_overlay_group};

use super::acl::AclSpec;
use super::paths::Prefix;
use super::tunnel::{check_options, encap_of};
use super::wishes::{Wish, Wishes};
use crate::error::{EngineError, Object};
use crate::neighbour::Neighbour;
use crate::schema::{self, Command, Dest, Kind, NextHopOptions, UnderlayOptions, VapOptions, VnOptions};

/// The smallest MTU that IPv4 allows (RFC 791, 3.2), and the largest that a 16-bit length with all our headers does.
const MTU: core::ops::RangeInclusive<u16> = 68..=9600;
/// The longest flood list, and the most sources of one VN.
const LIST: usize = 16_384;

/// How many next hops a group has.
const MEMBERS: core::ops::RangeInclusive<usize> = 1..=16;

/// A port to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortSpec {
    /// For people.
    pub name: String,
    /// Bytes of IP.
    pub mtu: u16,
    /// The device.
    pub kind: Kind,
}

/// A VN to be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VnSpec {
    /// Context ID under which this NVE receives it.
    pub vni: Option<Vni>,
    /// The tenant's IP MTU.
    pub mtu: u16,
    /// What is special about it.
    pub options: VnOptions,
}

/// A VAP to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VapSpec {
    /// Its VN.
    pub vn: VnId,
    /// Its port.
    pub port: PortId,
    /// Its frames.
    pub selector: Selector,
    /// Whether a source MAC must have a row that names it.
    pub guard: bool,
    /// Whether a source MAC without such a row is told.
    pub learn: bool,
    /// Whether unknown unicast goes here.
    pub uplink: bool,
    /// Whether a frame may go back to where it came from.
    pub reflect: bool,
    /// What is done with the tenant's own tags.
    pub tags: TagPolicy,
    /// What is special about it.
    pub options: VapOptions,
}

/// An FDB row to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowSpec {
    /// Where its MAC is.
    pub dest: Dest,
    /// Seconds without a frame of the MAC after which that is told; 0: never.
    pub age_s: u16,
}

/// An underlay address to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnderlaySpec {
    /// The NVE's address.
    pub ip: IpAddr,
    /// Its prefix length, 1 to 31 or 127.
    pub prefix: u8,
    /// What is special about it.
    pub options: UnderlayOptions,
}

/// A next hop to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextHopSpec {
    /// The remote NVE.
    pub remote: IpAddr,
    /// The encapsulation that it takes.
    pub encap: Encap,
    /// The VNI under which it receives.
    pub vni: Vni,
    /// How it is sent to.
    pub options: NextHopOptions,
}

impl UnderlaySpec {
    /// Whether `remote` is a neighbour on this link, and not this NVE.
    pub fn has_on_link(&self, remote: IpAddr) -> bool {
        remote != self.ip && network(remote, self.prefix) == network(self.ip, self.prefix)
    }
}

/// What a group of the underlay must be.
pub(super) const OVERLAY_GROUP: &str = "a multicast group beyond the link's own (224.0.0.0/24, ff02::/16) and those of named sources (232.0.0.0/8, ff3x::/32)";

/// A batch, sorted by object.
#[derive(Default, Debug)]
pub struct Changes {
    pub ports: Wishes<PortId, PortSpec>,
    pub vns: Wishes<VnId, VnSpec>,
    pub vaps: Wishes<VapId, VapSpec>,
    pub underlays: Wishes<Neighbour, UnderlaySpec>,
    pub next_hops: Wishes<NextHopId, NextHopSpec>,
    pub rows: Wishes<(VnId, MacAddr), RowSpec>,
    pub floods: Wishes<VnId, Vec<Dest>>,
    pub groups: Wishes<GroupId, Vec<(NextHopId, u8)>>,
    pub alive: Wishes<NextHopId, bool>,
    pub sources: Wishes<VnId, Vec<IpAddr>>,
    pub neighbours: Wishes<Neighbour, MacAddr>,
    pub routes: Wishes<Prefix, Vec<IpAddr>>,
    pub exceptions: Wishes<PortId, PortId>,
    pub pairs: Wishes<(VnId, IpAddr), MacAddr>,
    /// Groups that VNs are to be in, and the port where.
    pub joined: Wishes<(VnId, IpAddr), PortId>,
    pub acls: Wishes<AclId, AclSpec>,
    /// What each source may send of a class; none: the default.
    pub police: Wishes<PuntClass, (u32, u32)>,
    /// Links that are to be down; a wish to be gone is one to be up.
    pub down: Wishes<PortId, ()>,
}

impl Changes {
    /// Sorts a batch, and refuses what cannot be right whatever there is.
    pub(super) fn sort(commands: Vec<Command>) -> (Self, Vec<(usize, EngineError)>) {
        let mut changes = Self::default();
        let mut refused = Vec::new();
        for (at, command) in commands.into_iter().enumerate() {
            if let Err(error) = changes.add(at, command) {
                refused.push((at, error));
            }
        }
        (changes, refused)
    }

    fn add(&mut self, at: usize, command: Command) -> Result<(), EngineError> {
        match command {
            Command::PortAdd { port, name, mtu, kind } => {
                let number = usize::from(port.0);
                check("port", port, "0 to 63", number < PortId::LIMIT)?;
                check("name", &name, "1 to 64 bytes", (1..=64).contains(&name.len()))?;
                mtu_in_range(mtu)?;
                wish(&mut self.ports, at, port, Object::Port(port), Some(PortSpec { name, mtu, kind }))
            }
            Command::PortDel { port } => wish(&mut self.ports, at, port, Object::Port(port), None),
            Command::VnSet { vn, vni, mtu, options } => {
                mtu_in_range(mtu)?;
                let spec = VnSpec { vni: vni.map(vni_of).transpose()?, mtu, options };
                wish(&mut self.vns, at, vn, Object::Vn(vn), Some(spec))
            }
            Command::VnDel { vn } => wish(&mut self.vns, at, vn, Object::Vn(vn), None),
            Command::VapSet { vap, vn, port, selector, flags, tags, options } => {
                check("flags", flags, "bits 0 to 3", flags & !15 == 0)?;
                let flag = |bit: u8| flags & 1 << bit != 0;
                let selector = selector_of(selector)?;
                options.police.map_or(Ok(()), |(rate, burst)| rate_in_range("police", rate, burst))?;
                options.storm.map_or(Ok(()), |(rate, burst)| rate_in_range("storm", rate.into(), burst))?;
                let (guard, uplink, reflect, learn) = (flag(0), flag(1), flag(2), flag(3));
                let tags = policy_of(tags)?;
                let spec = VapSpec { vn, port, selector, guard, learn, uplink, reflect, tags, options };
                wish(&mut self.vaps, at, vap, Object::Vap(vap), Some(spec))
            }
            Command::VapDel { vap } => wish(&mut self.vaps, at, vap, Object::Vap(vap), None),
            Command::UnderlaySet { port, ip, prefix, options } => {
                check("ip", ip, "a unicast address", is_unicast(ip))?;
                let (longest, expected) = if ip.is_ipv4() { (31, "1 to 31") } else { (127, "1 to 127") };
                check("prefix_len", prefix, expected, (1..=longest).contains(&prefix))?;
                options.vlan.map(vid_of).transpose()?;
                let spec = UnderlaySpec { ip, prefix, options };
                wish(&mut self.underlays, at, (port, ip), Object::Underlay(port, ip), Some(spec))
            }
            Command::UnderlayDel { port, ip } => {
                wish(&mut self.underlays, at, (port, ip), Object::Underlay(port, ip), None)
            }
            Command::NextHopSet { next_hop, remote, encap, context_id, options } => {
                let encap = encap_of(encap)?;
                check_options(&options, encap)?;
                match options.port {
                    None => check("remote", remote, "a unicast address, or a group and a port", is_unicast(remote))?,
                    Some(_) => check("remote", remote, OVERLAY_GROUP, is_overlay_group(remote))?,
                }
                let spec = NextHopSpec { remote, encap, vni: vni_of(context_id)?, options };
                wish(&mut self.next_hops, at, next_hop, Object::NextHop(next_hop), Some(spec))
            }
            Command::NextHopDel { next_hop } => {
                wish(&mut self.next_hops, at, next_hop, Object::NextHop(next_hop), None)
            }
            Command::FdbSet { vn, mac, dest, age_s } => {
                check("mac", mac, "a station's address", mac.is_station())?;
                wish(&mut self.rows, at, (vn, mac), Object::Row(vn, mac), Some(RowSpec { dest, age_s }))
            }
            Command::FdbDel { vn, mac } => wish(&mut self.rows, at, (vn, mac), Object::Row(vn, mac), None),
            Command::FloodSet { vn, mut dests } => {
                check("dests", dests.len(), "at most 16384 entries", dests.len() <= LIST)?;
                let is_vap = |dest: &Dest| matches!(dest, Dest::Vap(_));
                check(
                    "dests",
                    "a VAP",
                    "next hops and groups: a VN's own VAPs always belong to it",
                    !dests.iter().any(is_vap),
                )?;
                dests.sort_unstable();
                dests.dedup();
                wish(&mut self.floods, at, vn, Object::Flood(vn), Some(dests))
            }
            Command::GroupSet { group, members } => {
                check("members", members.len(), "1 to 16 entries", MEMBERS.contains(&members.len()))?;
                let mut members: Vec<_> = members.into_iter().map(|(id, weight)| (NextHopId(id), weight)).collect();
                check("weight", 0, "1 to 255", members.iter().all(|(_, weight)| *weight != 0))?;
                members.sort_unstable();
                if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                    return Err(EngineError::Duplicate { object: Object::NextHop(pair[0].0) });
                }
                wish(&mut self.groups, at, group, Object::Group(group), Some(members))
            }
            Command::GroupDel { group } => wish(&mut self.groups, at, group, Object::Group(group), None),
            Command::NextHopAlive { next_hop, alive } => {
                wish(&mut self.alive, at, next_hop, Object::NextHop(next_hop), Some(alive))
            }
            Command::SourcesSet { vn, mut sources } => {
                check("ips", sources.len(), "at most 16384 entries", sources.len() <= LIST)?;
                sources.sort_unstable();
                sources.dedup();
                wish(&mut self.sources, at, vn, Object::Sources(vn), Some(sources))
            }
            Command::NeighbourSet { port, ip, mac } => {
                check("ip", ip, "a unicast address", is_unicast(ip))?;
                check("mac", mac, "a station's address", mac.is_station())?;
                wish(&mut self.neighbours, at, (port, ip), Object::Neighbour(port, ip), Some(mac))
            }
            Command::NeighbourDel { port, ip } => {
                wish(&mut self.neighbours, at, (port, ip), Object::Neighbour(port, ip), None)
            }
            Command::PairSet { vn, ip, mac } => {
                check("ip", ip, "a station's address", is_unicast(ip))?;
                check("mac", mac, "a station's address", mac.is_station())?;
                wish(&mut self.pairs, at, (vn, ip), Object::Pair(vn, ip), Some(mac))
            }
            Command::PairDel { vn, ip } => wish(&mut self.pairs, at, (vn, ip), Object::Pair(vn, ip), None),
            Command::McastSet { vn, port, group } => {
                check("group", group, OVERLAY_GROUP, is_overlay_group(group))?;
                wish(&mut self.joined, at, (vn, group), Object::Mcast(vn, group), Some(port))
            }
            Command::McastDel { vn, group } => wish(&mut self.joined, at, (vn, group), Object::Mcast(vn, group), None),
            Command::RouteSet { prefix, length, gateways } => {
                let key = prefix_of(prefix, length)?;
                check("gateways", gateways.len(), "1 to 8", (1..=8).contains(&gateways.len()))?;
                for gateway in &gateways {
                    let same_family = gateway.is_ipv4() == prefix.is_ipv4();
                    let expected = "a unicast address of the prefix's family";
                    check("gateway", gateway, expected, same_family && is_unicast(*gateway))?;
                }
                wish(&mut self.routes, at, key, Object::Route(key), Some(gateways))
            }
            Command::RouteDel { prefix, length } => {
                let key = prefix_of(prefix, length)?;
                wish(&mut self.routes, at, key, Object::Route(key), None)
            }
            Command::ExceptionSet { port, tap } => wish(&mut self.exceptions, at, port, Object::Exception(port), tap),
            Command::AclSet { acl, default, rules } => {
                wish(&mut self.acls, at, acl, Object::Acl(acl), Some(AclSpec::check(default, rules)?))
            }
            Command::AclDel { acl } => wish(&mut self.acls, at, acl, Object::Acl(acl), None),
            Command::PoliceSet { class, rate } => {
                let named = PuntClass::ALL.into_iter().find(|known| known.name() == class);
                let expected = "a class of punts";
                let class = named.ok_or(EngineError::OutOfRange { field: "class", got: class, expected })?;
                rate.map_or(Ok(()), |(per_second, burst)| rate_in_range("per_second", per_second.into(), burst))?;
                wish(&mut self.police, at, class, Object::Police(class), rate)
            }
            Command::PortAdmin { port, up } => wish(&mut self.down, at, port, Object::Link(port), (!up).then_some(())),
            Command::Unknown { op } => Err(EngineError::UnknownCommand { op }),
        }
    }
}

fn wish<K: Ord, T>(
    wishes: &mut Wishes<K, T>,
    at: usize,
    key: K,
    object: Object,
    to: Option<T>,
) -> Result<(), EngineError> {
    if wishes.add(key, Wish { at, to }) { Ok(()) } else { Err(EngineError::Duplicate { object }) }
}

pub(super) fn check(
    field: &'static str,
    got: impl ToString,
    expected: &'static str,
    holds: bool,
) -> Result<(), EngineError> {
    if holds { Ok(()) } else { Err(EngineError::OutOfRange { field, got: got.to_string(), expected }) }
}

fn rate_in_range(field: &'static str, rate: u64, burst: u32) -> Result<(), EngineError> {
    check(field, format_args!("{rate}, {burst} at once"), "1 or more, and 1 or more at once", rate > 0 && burst > 0)
}

pub(super) fn mtu_in_range(mtu: u16) -> Result<(), EngineError> {
    check("mtu", mtu, "68 to 9600", MTU.contains(&mtu))
}

fn vni_of(vni: u32) -> Result<Vni, EngineError> {
    Vni::try_from(vni).map_err(|_| EngineError::OutOfRange {
        field: "vni",
        got: vni.to_string(),
        expected: "1 to 16777215",
    })
}

fn vid_of(vid: u16) -> Result<Vid, EngineError> {
    Vid::try_from(vid).map_err(|_| EngineError::OutOfRange {
        field: "vid",
        got: vid.to_string(),
        expected: "1 to 4094",
    })
}

fn selector_of(selector: schema::Selector) -> Result<Selector, EngineError> {
    Ok(match selector {
        schema::Selector::Port => Selector::Port,
        schema::Selector::Untagged => Selector::Untagged,
        schema::Selector::CTag(vid) => Selector::CTag(vid_of(vid)?),
        schema::Selector::STag(vid) => Selector::STag(vid_of(vid)?),
        schema::Selector::SAndCTag(s, c) => Selector::SAndCTag(vid_of(s)?, vid_of(c)?),
    })
}

fn policy_of(tags: schema::Tags) -> Result<TagPolicy, EngineError> {
    Ok(match tags {
        schema::Tags::Refuse => TagPolicy::Refuse,
        schema::Tags::Pass => TagPolicy::Pass,
        schema::Tags::Strip => TagPolicy::Strip,
        schema::Tags::List(vids) => {
            let vids = vids.into_iter().map(vid_of).collect::<Result<Vec<_>, _>>()?;
            TagPolicy::list(vids)
        }
    })
}

/// Whether a host may have the address. An IPv4 address in IPv6's clothes has two names, and is none (RFC 4291, 2.5.5.2).
fn is_unicast(ip: IpAddr) -> bool {
    let is_special = match ip {
        IpAddr::V4(ip) => ip.is_broadcast() || ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_some(),
    };
    !(is_special || ip.is_multicast() || ip.is_unspecified() || ip.is_loopback())
}

fn prefix_of(prefix: IpAddr, length: u8) -> Result<Prefix, EngineError> {
    let (longest, expected) = if prefix.is_ipv4() { (32, "0 to 32") } else { (128, "0 to 128") };
    check("prefix_len", length, expected, length <= longest)?;
    check("prefix", prefix, "zero behind its length", network(prefix, length) == prefix)?;
    Ok((length, prefix))
}

/// The first `length` bits of an address; of the other family's, always something else.
pub fn network(ip: IpAddr, length: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
            IpAddr::V4((ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
            IpAddr::V6((ip.to_bits() & mask).into())
        }
    }
}
