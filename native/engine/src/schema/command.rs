//! Batches of commands.

use core::fmt;
use core::net::IpAddr;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use types::{AclId, GroupId, MacAddr, NextHopId, PortId, VapId, VnId};

use super::acl::{Action, Rule};
use super::attributes::{NextHopOptions, UnderlayOptions, VapOptions, VnOptions};

/// A batch as it came.
#[derive(Debug, serde::Deserialize)]
pub struct Batch(pub u32, pub u64, pub u64, pub Vec<Command>);

/// One command. Ranges are not checked yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Op 1.
    PortAdd { port: PortId, name: String, mtu: u16, kind: Kind },
    /// Op 2.
    PortDel { port: PortId },
    /// Op 3.
    VnSet { vn: VnId, vni: Option<u32>, mtu: u16, options: VnOptions },
    /// Op 4.
    VnDel { vn: VnId },
    /// Op 5.
    VapSet { vap: VapId, vn: VnId, port: PortId, selector: Selector, flags: u8, tags: Tags, options: VapOptions },
    /// Op 6.
    VapDel { vap: VapId },
    /// Op 7.
    UnderlaySet { port: PortId, ip: IpAddr, prefix: u8, options: UnderlayOptions },
    /// Op 8.
    UnderlayDel { port: PortId, ip: IpAddr },
    /// Op 9.
    NextHopSet { next_hop: NextHopId, remote: IpAddr, encap: u8, context_id: u32, options: NextHopOptions },
    /// Op 10.
    NextHopDel { next_hop: NextHopId },
    /// Op 11.
    FdbSet { vn: VnId, mac: MacAddr, dest: Dest, age_s: u16 },
    /// Op 12.
    FdbDel { vn: VnId, mac: MacAddr },
    /// Op 13.
    FloodSet { vn: VnId, dests: Vec<Dest> },
    /// Op 14.
    SourcesSet { vn: VnId, sources: Vec<IpAddr> },
    /// Op 15.
    NeighbourSet { port: PortId, ip: IpAddr, mac: MacAddr },
    /// Op 16.
    NeighbourDel { port: PortId, ip: IpAddr },
    /// Op 23.
    McastSet { vn: VnId, port: PortId, group: IpAddr },
    /// Op 24.
    McastDel { vn: VnId, group: IpAddr },
    /// Op 25.
    AclSet { acl: AclId, default: Action, rules: Vec<Rule> },
    /// Op 26.
    AclDel { acl: AclId },
    /// Op 27.
    PairSet { vn: VnId, ip: IpAddr, mac: MacAddr },
    /// Op 28.
    PairDel { vn: VnId, ip: IpAddr },
    /// Op 17.
    GroupSet { group: GroupId, members: Vec<(u32, u8)> },
    /// Op 18.
    GroupDel { group: GroupId },
    /// Op 19.
    NextHopAlive { next_hop: NextHopId, alive: bool },
    /// Op 20.
    RouteSet { prefix: IpAddr, length: u8, gateways: Vec<IpAddr> },
    /// Op 21.
    RouteDel { prefix: IpAddr, length: u8 },
    /// Op 22.
    ExceptionSet { port: PortId, tap: Option<PortId> },
    /// Op 29; `None`: the default.
    PoliceSet { class: String, rate: Option<(u32, u32)> },
    /// Op 30.
    PortAdmin { port: PortId, up: bool },
    /// Any other op.
    Unknown { op: u64 },
}

/// What a port is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `net_tap`.
    Tap { iface: String, mac: Option<MacAddr> },
    /// `net_af_xdp`.
    AfXdp { iface: String },
    /// `net_pcap`.
    Pcap { rx: Option<String>, tx: Option<String>, infinite_rx: bool },
    /// `net_null`.
    Null { size: u16, no_rx: bool },
    /// `net_ring`.
    Ring,
    /// `net_vhost`.
    Vhost { path: String },
    /// A PCI function by its address.
    Pci { address: String },
    /// Any other device, passed through.
    Devargs(String),
}

/// Which frames of a port belong to a VAP; not yet known to be VIDs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selector {
    /// All frames.
    Port,
    /// Untagged frames.
    Untagged,
    /// Frames with this C-TAG.
    CTag(u16),
    /// Frames with this S-TAG.
    STag(u16),
    /// Frames with this S-TAG and this C-TAG behind it.
    SAndCTag(u16, u16),
}

/// What is done with the tenant's own tags.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tags {
    /// A tagged frame is dropped.
    Refuse,
    /// They are carried.
    Pass,
    /// They are removed.
    Strip,
    /// Only these C-TAGs are carried.
    List(Vec<u16>),
}

/// Where an FDB row points, or a copy of a group frame goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Dest {
    /// To a VAP.
    Vap(VapId),
    /// To a next hop.
    NextHop(NextHopId),
    /// To a living next hop of a group.
    Group(GroupId),
}

/// The elements of one positional array, in order; what is beyond them is skipped.
struct Fields<'a, A>(&'a mut A);

impl<'de, A: SeqAccess<'de>> Fields<'_, A> {
    fn next<T: Deserialize<'de>>(&mut self, name: &'static str) -> Result<T, A::Error> {
        self.0.next_element()?.ok_or_else(|| A::Error::custom(format_args!("the field `{name}` is missing")))
    }
    fn port(&mut self) -> Result<PortId, A::Error> {
        self.next("port").map(PortId)
    }
    fn vn(&mut self) -> Result<VnId, A::Error> {
        self.next("vn").map(VnId)
    }
    fn vap(&mut self) -> Result<VapId, A::Error> {
        self.next("vap").map(VapId)
    }
    fn next_hop(&mut self) -> Result<NextHopId, A::Error> {
        self.next("nh").map(NextHopId)
    }
    fn group(&mut self) -> Result<GroupId, A::Error> {
        self.next("group").map(GroupId)
    }
    fn mac(&mut self) -> Result<MacAddr, A::Error> {
        self.next::<Bytes<6>>("mac").map(|bytes| MacAddr(bytes.0))
    }
    fn ip(&mut self, name: &'static str) -> Result<IpAddr, A::Error> {
        self.next::<Ip>(name).map(|ip| ip.0)
    }
    fn ips(&mut self, name: &'static str) -> Result<Vec<IpAddr>, A::Error> {
        Ok(self.next::<Vec<Ip>>(name)?.into_iter().map(|ip| ip.0).collect())
    }
    /// An element that an older controller does not send.
    fn optional<T: Deserialize<'de>>(&mut self) -> Result<Option<T>, A::Error> {
        self.0.next_element()
    }
    /// A map of options; without it, none is set.
    fn options<T: Deserialize<'de> + Default>(&mut self) -> Result<T, A::Error> {
        Ok(self.optional()?.unwrap_or_default())
    }
    fn skip_rest(&mut self) -> Result<(), A::Error> {
        while self.0.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

macro_rules! positional {
    ($type:ty, $expecting:literal, |$fields:ident| $body:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Positional;
                impl<'de> Visitor<'de> for Positional {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<$type, A::Error> {
                        let mut fields = Fields(&mut seq);
                        let value = {
                            let $fields = &mut fields;
                            $body
                        };
                        fields.skip_rest()?;
                        Ok(value)
                    }
                }
                deserializer.deserialize_seq(Positional)
            }
        }
    };
}

positional!(Command, "a command", |f| match f.next::<u64>("op")? {
    1 => Command::PortAdd { port: f.port()?, name: f.next("name")?, mtu: f.next("mtu")?, kind: f.next("kind")? },
    2 => Command::PortDel { port: f.port()? },
    3 => Command::VnSet { vn: f.vn()?, vni: f.next("vni")?, mtu: f.next("mtu")?, options: f.options()? },
    4 => Command::VnDel { vn: f.vn()? },
    5 => Command::VapSet {
        vap: f.vap()?,
        vn: f.vn()?,
        port: f.port()?,
        selector: f.next("selector")?,
        flags: f.next("flags")?,
        tags: f.optional()?.unwrap_or(Tags::Refuse),
        options: f.options()?
    },
    6 => Command::VapDel { vap: f.vap()? },
    7 =>
        Command::UnderlaySet { port: f.port()?, ip: f.ip("ip")?, prefix: f.next("prefix_len")?, options: f.options()? },
    8 => Command::UnderlayDel { port: f.port()?, ip: f.ip("ip")? },
    9 => Command::NextHopSet {
        next_hop: f.next_hop()?,
        remote: f.ip("remote")?,
        encap: f.next("encap")?,
        context_id: f.next("context_id")?,
        options: f.options()?
    },
    10 => Command::NextHopDel { next_hop: f.next_hop()? },
    11 => Command::FdbSet { vn: f.vn()?, mac: f.mac()?, dest: f.next("dest")?, age_s: f.optional()?.unwrap_or(0) },
    12 => Command::FdbDel { vn: f.vn()?, mac: f.mac()? },
    13 => Command::FloodSet { vn: f.vn()?, dests: f.next("dests")? },
    14 => Command::SourcesSet { vn: f.vn()?, sources: f.ips("ips")? },
    15 => Command::NeighbourSet { port: f.port()?, ip: f.ip("ip")?, mac: f.mac()? },
    16 => Command::NeighbourDel { port: f.port()?, ip: f.ip("ip")? },
    17 => Command::GroupSet { group: f.group()?, members: f.next("members")? },
    18 => Command::GroupDel { group: f.group()? },
    19 => Command::NextHopAlive { next_hop: f.next_hop()?, alive: f.next("alive")? },
    20 => Command::RouteSet { prefix: f.ip("prefix")?, length: f.next("prefix_len")?, gateways: f.ips("gateways")? },
    21 => Command::RouteDel { prefix: f.ip("prefix")?, length: f.next("prefix_len")? },
    22 => Command::ExceptionSet { port: f.port()?, tap: f.next::<Option<u16>>("tap")?.map(PortId) },
    23 => Command::McastSet { vn: f.vn()?, port: f.port()?, group: f.ip("group")? },
    24 => Command::McastDel { vn: f.vn()?, group: f.ip("group")? },
    25 => Command::AclSet { acl: AclId(f.next("acl")?), default: f.next("default")?, rules: f.next("rules")? },
    26 => Command::AclDel { acl: AclId(f.next("acl")?) },
    27 => Command::PairSet { vn: f.vn()?, ip: f.ip("ip")?, mac: f.mac()? },
    28 => Command::PairDel { vn: f.vn()?, ip: f.ip("ip")? },
    29 => Command::PoliceSet {
        class: f.next("class")?,
        rate: match f.next::<Option<u32>>("per_second")? {
            Some(per_second) => Some((per_second, f.next("burst")?)),
            None => None,
        },
    },
    30 => Command::PortAdmin { port: f.port()?, up: f.next("up")? },
    op => Command::Unknown { op },
});

positional!(Kind, "a kind of port", |f| match f.next::<String>("driver")?.as_str() {
    "net_tap" =>
        Kind::Tap { iface: f.next("iface")?, mac: f.next::<Option<Bytes<6>>>("mac")?.map(|bytes| MacAddr(bytes.0)) },
    "net_af_xdp" => Kind::AfXdp { iface: f.next("iface")? },
    "net_pcap" => Kind::Pcap { rx: f.next("rx_file")?, tx: f.next("tx_file")?, infinite_rx: f.next("infinite_rx")? },
    "net_null" => Kind::Null { size: f.next("packet_size")?, no_rx: f.next("no_rx")? },
    "net_ring" => Kind::Ring,
    "net_vhost" => Kind::Vhost { path: f.next("path")? },
    "pci" => Kind::Pci { address: f.next("address")? },
    "devargs" => Kind::Devargs(f.next("devargs")?),
    other => return Err(A::Error::custom(format_args!("unknown driver `{other}`"))),
});

positional!(Selector, "a selector", |f| match f.next::<String>("selector")?.as_str() {
    "port" => Selector::Port,
    "untagged" => Selector::Untagged,
    "c-tag" => Selector::CTag(f.next("vid")?),
    "s-tag" => Selector::STag(f.next("vid")?),
    "s-tag+c-tag" => Selector::SAndCTag(f.next("s_vid")?, f.next("c_vid")?),
    other => return Err(A::Error::custom(format_args!("unknown selector `{other}`"))),
});

positional!(Tags, "a tag policy", |f| match f.next::<String>("tags")?.as_str() {
    "refuse" => Tags::Refuse,
    "pass" => Tags::Pass,
    "strip" => Tags::Strip,
    "list" => Tags::List(f.next("vids")?),
    other => return Err(A::Error::custom(format_args!("unknown tag policy `{other}`"))),
});

positional!(Dest, "a destination", |f| match f.next::<u8>("dest")? {
    0 => Dest::Vap(f.vap()?),
    1 => Dest::NextHop(f.next_hop()?),
    2 => Dest::Group(f.group()?),
    other => return Err(A::Error::custom(format_args!("unknown kind of destination {other}"))),
});

/// `bin` of exactly `N` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bytes<const N: usize>(pub [u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Exactly<const N: usize>;
        impl<const N: usize> Visitor<'_> for Exactly<N> {
            type Value = Bytes<N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "bin of {N} bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes<N>, E> {
                bytes.try_into().map(Bytes).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Exactly::<N>)
    }
}

/// `bin` of 4 bytes (IPv4) or 16 (IPv6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ip(pub IpAddr);

impl<'de> Deserialize<'de> for Ip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EitherFamily;
        impl Visitor<'_> for EitherFamily {
            type Value = Ip;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bin of 4 or 16 bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Ip, E> {
                let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
                let ip = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
                ip.map(Ip).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(EitherFamily)
    }
}
