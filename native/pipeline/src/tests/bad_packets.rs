//! Every field of every header, truncated and corrupted: nothing is led astray, read past its end, or uncounted.
//!
//! The lab checks of each packet that it and every copy of it is sent, punted or counted. A read past a frame's end would panic: frames are
//! slices, whose bounds are checked here as in the engine, and this crate forbids `unsafe`. What is sent is read here by hand: it must be of
//! the VN that the packet asked for, and the very frame that came in.

use types::{DropReason, PortId};
use wire::{ArpOperation, ArpPacket, NdFrame, fold, sum};

use super::busy::{self, MULTIHOMED, VLAN, ip_of, ip6_of};
use super::lab::*;
use super::sent::{Sent, geneve, sent};

/// A good packet: its name, where it comes in, and where it has IP headers, the outermost first.
pub struct Good {
    name: &'static str,
    pub port: PortId,
    pub bytes: Vec<u8>,
    ip: Vec<usize>,
}

/// Bytes from the front that are headers, whatever the packet.
pub const HEADERS: usize = 180;

/// An IPv4 packet of `length` bytes behind its EtherType, of right checksum.
fn v4(from: [u8; 6], to: [u8; 6], protocol: u8, length: usize) -> Vec<u8> {
    let mut packet = ipv4(length as u16);
    (packet[8], packet[10], packet[11]) = (0x40, 64, protocol);
    packet[14..18].copy_from_slice(&ip_of(from).octets());
    packet[18..22].copy_from_slice(&ip_of(to).octets());
    packet[24..26].copy_from_slice(&[0, 81]);
    mend_sums(&mut packet[2..]);
    packet
}

/// An IPv6 packet of `length` bytes behind its EtherType: destination options, a fragment header, UDP.
fn v6(from: [u8; 6], to: [u8; 6], length: usize) -> Vec<u8> {
    let mut packet = ipv6(length as u16);
    (packet[8], packet[9]) = (60, 64);
    packet[10..26].copy_from_slice(&ip6_of(from).octets());
    packet[26..42].copy_from_slice(&ip6_of(to).octets());
    (packet[42], packet[50]) = (44, 17);
    packet
}

/// Checksums of the IP packet that `bytes` begins with, and of what it carries, made right: UDP's if there is one, and ICMP's.
fn mend_sums(bytes: &mut [u8]) {
    let is_v4 = bytes.first().is_some_and(|first| first >> 4 == 4);
    let header = if is_v4 { 20 } else { 40 };
    if bytes.len() < header {
        return;
    }
    if is_v4 {
        let checksum = sum_of(&mut bytes[..20], 10, 0);
        bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
    let length =
        usize::from(u16::from_be_bytes([bytes[2 + 2 * usize::from(!is_v4)], bytes[3 + 2 * usize::from(!is_v4)]]));
    let end = if is_v4 { length } else { 40 + length };
    let protocol = bytes[if is_v4 { 9 } else { 6 }];
    let addresses = bytes[if is_v4 { 12 } else { 8 }..header].to_vec();
    let Some(message) = bytes.get_mut(header..end) else { return };
    let pseudo = |length: usize| sum(&addresses, u64::from(protocol) + length as u64);
    match protocol {
        17 if message.len() >= 8 && message[6..8] != [0, 0] => {
            let length = usize::from(u16::from_be_bytes([message[4], message[5]]));
            let Some(datagram) = message.get_mut(..length).filter(|datagram| datagram.len() >= 8) else { return };
            let checksum = sum_of(datagram, 6, pseudo(length)).max(1);
            message[6..8].copy_from_slice(&checksum.to_be_bytes());
        }
        1 | 58 if message.len() >= 4 => {
            let before = if protocol == 58 { pseudo(message.len()) } else { 0 };
            let checksum = sum_of(message, 2, before);
            message[2..4].copy_from_slice(&checksum.to_be_bytes());
        }
        _ => {}
    }
}

/// The checksum of `bytes`, which is at `at`.
fn sum_of(bytes: &mut [u8], at: usize, before: u64) -> u16 {
    bytes[at..at + 2].fill(0);
    !fold(sum(bytes, before))
}

/// The lengths that IP and UDP headers say made those that there are.
fn mend_lengths(bytes: &mut [u8]) {
    let length = bytes.len();
    let is_v4 = bytes.first().is_some_and(|first| first >> 4 == 4);
    let header = if is_v4 { 20 } else { 40 };
    if length < header {
        return;
    }
    let says = if is_v4 { length } else { length - header } as u16;
    let at = if is_v4 { 2 } else { 4 };
    bytes[at..at + 2].copy_from_slice(&says.to_be_bytes());
    if bytes[if is_v4 { 9 } else { 6 }] == 17 && length >= header + 8 {
        bytes[header + 4..header + 6].copy_from_slice(&((length - header) as u16).to_be_bytes());
    }
}

pub fn from_tenants() -> Vec<Good> {
    let of = |name, port, bytes, ip: &[usize]| Good { name, port, bytes, ip: ip.to_vec() };
    let blue = |name, frame: &[u8], ip: &[usize]| of(name, LINK_1, tagged(0x8100, BLUE_TAG | 0xa000, frame), ip);
    let ask = ArpPacket::new(ArpOperation::Request, (HERE, ip_of(HERE)), ([0; 6], ip_of(THERE)));
    let solicit = NdFrame::solicitation((HERE, ip6_of(HERE)), ip6_of(THERE), None);
    let snap = [&[0, 54, 0xaa, 0xaa, 3, 0, 0, 0][..], &v4(HERE, THERE, 17, 46)].concat();
    let big = frame(THERE, HERE, &v4(HERE, THERE, 17, 1508));
    let inner = |to| frame(to, HERE, &v4(HERE, to, 17, 60));
    vec![
        blue("UDP to another NVE", &inner(THERE), &[18]),
        blue("TCP to a group of next hops", &frame(MULTIHOMED, HERE, &v4(HERE, MULTIHOMED, 6, 60)), &[18]),
        blue("IPv6 to a neighbour", &frame(BESIDE, HERE, &v6(HERE, BESIDE, 90)), &[18]),
        blue("ICMP", &frame(BESIDE, HERE, &v4(HERE, BESIDE, 1, 60)), &[18]),
        blue("broadcast", &inner(BROADCAST), &[18]),
        blue("unknown", &inner(NOBODY), &[18]),
        blue("ARP that is answered", &arp(BROADCAST, ask), &[]),
        blue("a solicitation that is answered", solicit.bytes(), &[18]),
        blue("too big for IPv4", &big, &[18]),
        blue("too big for IPv6", &frame(THERE, HERE, &v6(HERE, THERE, 1508)), &[18]),
        blue("a tag of its own", &tagged(0x8100, 5, &inner(BESIDE)), &[22]),
        blue("three tags", &tagged(0x88a8, 5, &tagged(0x8100, 6, &inner(BESIDE))), &[26]),
        blue("SNAP", &frame(BESIDE, HERE, &snap), &[26]),
        of("red, to all", LINK_1, tagged(0x8100, RED_TAG, &inner(BROADCAST)), &[18]),
        of("an S-TAG", LINK_1, tagged(0x88a8, 7, &tagged(0x8100, BLUE_TAG, &inner(THERE))), &[22]),
        of("untagged", LINK_2, frame(HERE, BESIDE, &v4(BESIDE, HERE, 17, 60)), &[14]),
        of("LLDP", LINK_2, frame([1, 0x80, 0xc2, 0, 0, 0xe], BESIDE, &[0x88, 0xcc, 2, 7, 4]), &[]),
    ]
}

pub fn from_the_underlay() -> Vec<Good> {
    let inner = frame(HERE, THERE, &v4(THERE, HERE, 17, 60));
    let asks = arp(BROADCAST, ArpPacket::new(ArpOperation::Request, (THERE, ip_of(THERE)), ([0; 6], ip_of(HERE))));
    let solicits = NdFrame::solicitation((THERE, ip6_of(THERE)), ip6_of(HERE), None);
    let options = [1, 2, 3, 1, 9, 8, 7, 6, 1, 2, 4, 0];
    let mut all = Vec::new();
    for is_v6 in [false, true] {
        let inner_at = |before: usize| vec![14, 14 + if is_v6 { 40 } else { 20 } + before + 14];
        let mut add = |name, sent: &Sent<'_>, ip| all.push(Good { name, port: UNDERLAY, bytes: sent.bytes(), ip });
        for has_checksum in [false, true] {
            let vxlan = Sent { has_checksum, ..sent(is_v6, wire::Encap::Vxlan, &inner) };
            add("VXLAN", &vxlan, inner_at(16));
            let geneve = Sent { is_v6, has_checksum, ..geneve([3, 0, 0x65, 0x58], &options, &inner) };
            add("Geneve with options", &geneve, inner_at(28));
        }
        add("VXLAN with ARP", &sent(is_v6, wire::Encap::Vxlan, &asks), vec![14]);
        add("Geneve with ND", &sent(is_v6, wire::Encap::Geneve, solicits.bytes()), inner_at(16));
        let in_tags = tagged(0x88a8, 5, &tagged(0x8100, 6, &inner));
        let carried = Sent { class: 2, ..sent(is_v6, wire::Encap::Vxlan, &in_tags) };
        add("VXLAN with tags", &carried, inner_at(24));
        let broadcast = frame(BROADCAST, THERE, &v4(THERE, HERE, 17, 60));
        add("VXLAN to all", &sent(is_v6, wire::Encap::Vxlan, &broadcast), inner_at(16));
    }
    let mut ping = outer(NVE_2, US, 1, &[8, 0, 0, 0, 0x12, 0x34, 0, 1, 7, 7, 7]);
    mend_sums(&mut ping[14..]);
    let header = [&[0x86, 0xdd, 0x60, 0, 0, 0, 0, 11, 58, 64][..], &NVE_2_6.1.octets(), &US_6.1.octets()].concat();
    let mut ping_6 = frame(US.0, NVE_2.0, &[&header[..], &[128, 0, 0, 0, 0x12, 0x34, 0, 1, 7, 7, 7]].concat());
    mend_sums(&mut ping_6[14..]);
    let request = ArpPacket::new(ArpOperation::Request, (NVE_2.0, NVE_2.1), ([0; 6], US.1));
    let announcement = ArpPacket::new(ArpOperation::Reply, (NVE_2.0, NVE_2.1), (NVE_2.0, NVE_2.1));
    let of = |name, bytes, ip: &[usize]| Good { name, port: UNDERLAY, bytes, ip: ip.to_vec() };
    all.extend([
        of("ARP", arp(BROADCAST, request), &[]),
        of("ARP announcement", arp(BROADCAST, announcement), &[]),
        of("echo", ping, &[14]),
        of("echo of ICMPv6", ping_6, &[14]),
        of("solicitation", NdFrame::solicitation(NVE_2_6, US_6.1, None).bytes().to_vec(), &[14]),
        of("probe", NdFrame::probe(NVE_2.0, US_6.1).bytes().to_vec(), &[14]),
        of("advertisement", NdFrame::advertisement(NVE_2_6, US_6).bytes().to_vec(), &[14]),
    ]);
    all
}

/// The same in the VLAN of the link.
pub fn in_vlan(good: &Good) -> Good {
    let ip = good.ip.iter().map(|at| at + 4).collect();
    Good { bytes: tagged(0x8100, VLAN, &good.bytes), ip, ..*good }
}

impl Good {
    /// The packet cut at `length`, with the lengths that it says, and with lengths and checksums that fit.
    fn cut(&self, length: usize) -> [Vec<u8>; 2] {
        let raw = self.bytes[..length].to_vec();
        let mut mended = raw.clone();
        for at in self.ip.iter().rev().filter(|at| **at < length) {
            mend_lengths(&mut mended[*at..]);
            mend_sums(&mut mended[*at..]);
        }
        [raw, mended]
    }

    /// The packet with something changed, and the same with right checksums: so it is not these that keep it out.
    pub fn changed(&self, change: impl FnOnce(&mut [u8])) -> [Vec<u8>; 2] {
        let mut raw = self.bytes.clone();
        change(&mut raw);
        let mut mended = raw.clone();
        self.ip.iter().rev().for_each(|at| mend_sums(&mut mended[*at..]));
        [raw, mended]
    }

    /// Every way in which it is spoilt: each byte each bit, and to the edges; each two bytes, as a length, a port or an EtherType is; cut anywhere.
    fn spoilt(&self) -> Vec<Vec<u8>> {
        let headers = self.bytes.len().min(HEADERS);
        let mut all: Vec<Vec<u8>> = (0..=headers).flat_map(|length| self.cut(length)).collect();
        for at in 0..headers {
            let bits = (0..8).map(|bit| self.bytes[at] ^ 1 << bit);
            let edges = [0x00, 0xff, self.bytes[at].wrapping_add(1), self.bytes[at].wrapping_sub(1)];
            all.extend(bits.chain(edges).flat_map(|value| self.changed(|bytes| bytes[at] = value)));
            let Some(word) = self.bytes.get(at..at + 2).map(|word| u16::from_be_bytes([word[0], word[1]])) else {
                continue;
            };
            let rest = (self.bytes.len() - at) as u16;
            for value in [0, 1, 0x7fff, 0x8000, 0xffff, word.wrapping_add(1), word.wrapping_sub(1), rest, rest + 1] {
                all.extend(self.changed(|bytes| bytes[at..at + 2].copy_from_slice(&value.to_be_bytes())));
            }
        }
        all
    }
}

/// A frame inside its VN, by how it lies on a link: of access links behind the tag, of the underlay behind the tunnel's headers.
pub fn inside(port: PortId, packet: &[u8]) -> Option<(u16, Vec<u8>)> {
    let word = |at: usize| packet.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    match port {
        LINK_1 if word(12)? == 0x8100 => {
            let vn = match word(14)? & 0x0fff {
                BLUE_TAG => BLUE,
                RED_TAG => RED,
                _ => return None,
            };
            Some((vn, [&packet[..12], &packet[16..]].concat()))
        }
        LINK_2 if word(12)? == 0x8100 && word(14)? & 0x0fff == 0 => {
            Some((BLUE, [&packet[..12], &packet[16..]].concat()))
        }
        LINK_2 => Some((BLUE, packet.to_vec())),
        UNDERLAY => {
            let ip = if word(12)? == 0x8100 { 18 } else { 14 };
            let udp = ip + if word(ip - 2)? == 0x86dd { 40 } else { 20 };
            let tunnel = udp + 8;
            let options = if word(udp + 2)? == 6081 { usize::from(packet.get(tunnel)? & 0x3f) * 4 } else { 0 };
            let vn = match u32::from_be_bytes(*packet.get(tunnel + 4..)?.first_chunk()?) >> 8 {
                BLUE_VNI => BLUE,
                RED_VNI => RED,
                _ => return None,
            };
            Some((vn, packet.get(tunnel + 8 + options..udp + usize::from(word(udp + 4)?))?.to_vec()))
        }
        _ => None,
    }
}

/// ARP, ICMP and neighbour discovery of the NVE's own addresses.
fn is_answer(port: u16, packet: &[u8]) -> bool {
    let at = if packet[12..14] == [0x81, 0] { 16 } else { 12 };
    let is_icmp = match packet[at..at + 2] {
        [8, 0] => packet[at + 11] == 1,
        [0x86, 0xdd] => packet[at + 8] == 58,
        _ => false,
    };
    port == UNDERLAY.0 && (packet[at..at + 2] == [8, 6] || is_icmp)
}

/// Without what a tunnel changes: DSCP, ECN and the checksum over them.
fn without_class(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let mut at = 12;
    while at < 20 && matches!(frame.get(at..at + 2), Some([0x81, 0] | [0x88, 0xa8])) {
        at += 4;
    }
    let ip = at + 2;
    match frame.get(at..at + 2) {
        Some([8, 0]) if frame.len() >= ip + 20 => {
            frame[ip + 1] = 0;
            frame[ip + 10..ip + 12].fill(0);
        }
        Some([0x86, 0xdd]) if frame.len() >= ip + 40 => {
            (frame[ip], frame[ip + 1]) = (frame[ip] & 0xf0, frame[ip + 1] & 0x0f)
        }
        _ => {}
    }
    frame
}

/// Fails if what leaves is of another VN than the packet, or not the frame that came in.
fn is_led_right(good: &Good, bytes: &[u8], effects: &Effects) {
    let told = |packet: &[u8]| format!("{}: {bytes:02x?} left as {packet:02x?}", good.name);
    let instead = |reason: &DropReason| matches!(reason, DropReason::VnMtu | DropReason::UnderlayMtu);
    let is_ours = !effects.suppressed.is_empty() || effects.dropped.iter().any(|(reason, _)| instead(reason));
    for (by, packet) in effects.sent.iter().filter(|(by, packet)| !is_answer(*by, packet)) {
        let Some((vn, frame)) = inside(PortId(*by), packet) else { panic!("{}", told(packet)) };
        let Some((asked, arrived)) = inside(good.port, bytes) else { panic!("{}", told(packet)) };
        assert_eq!(vn, asked, "{}", told(packet));
        if is_ours {
            continue;
        }
        let (left, came) = (without_class(&frame), without_class(&arrived));
        let padding = left.strip_prefix(&came[..]).unwrap_or_else(|| panic!("{}", told(packet)));
        assert!(padding.iter().all(|byte| *byte == 0), "{}", told(packet));
        assert!(padding.is_empty() || *by != UNDERLAY.0 && packet.len() == 60, "{}", told(packet));
    }
}

/// Runs all that becomes of good packets when they are spoilt; returns how many there were, and which reasons they were dropped for.
fn all_of(lab: &Lab, good: &[Good]) -> (usize, Vec<DropReason>) {
    let mut count = 0;
    let mut reasons = Vec::new();
    for good in good {
        is_led_right(good, &good.bytes, &lab.run(good.port, &good.bytes));
        for bytes in good.spoilt() {
            let effects = lab.run(good.port, &bytes);
            is_led_right(good, &bytes, &effects);
            reasons.extend(effects.dropped.iter().map(|(reason, _)| *reason));
            count += 1;
        }
    }
    reasons.sort_unstable_by_key(|reason| *reason as u16);
    reasons.dedup();
    (count, reasons)
}

/// The plain lab, in which ways cross: both VNs know each other's stations, and only the VN keeps them apart.
fn plain() -> Lab {
    let mut lab = Lab::new();
    lab.row(RED, BESIDE, tables::Destination::NextHop(1));
    lab
}

#[test]
fn no_good_packet_is_dropped_by_the_lab_that_asks_for_everything() {
    let lab = busy::lab();
    let names = |good: &[Good]| {
        good.iter()
            .filter(|good| !lab.run(good.port, &good.bytes).dropped.is_empty())
            .map(|good| good.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&from_tenants()), ["too big for IPv4", "too big for IPv6", "an S-TAG"]);
    let underlay: Vec<Good> = from_the_underlay().iter().map(in_vlan).collect();
    assert_eq!(names(&underlay), Vec::<&str>::new());
}

#[test]
fn nothing_that_a_tenant_spoils_is_led_astray_or_uncounted() {
    use DropReason::*;
    for (lab, reached) in [
        (plain(), &[Truncated, Untagged, UnknownTag, UnexpectedStag, TenantTag, SourceInvalid, VnMtu][..]),
        (busy::lab(), &[Truncated, SourceGuard, IpGuard, AclIn, VnMtu, UnexpectedStag]),
    ] {
        let (count, reasons) = all_of(&lab, &from_tenants());
        assert!(count > 40_000, "{count}");
        assert!(reached.iter().all(|reason| reasons.contains(reason)), "{reasons:?}");
    }
}

#[test]
fn nothing_that_the_underlay_spoils_is_led_astray_or_uncounted() {
    use DropReason::*;
    let good = from_the_underlay();
    let outer = [Truncated, NotForUs, OuterInvalid, OuterOptions, OuterFragment, OuterChecksum, NotOverlay];
    let tunnel = [VxlanFlags, GeneveInvalid, GeneveControl, GeneveCritical, GeneveProtocol, UnknownVni, SourceNve];
    let others = [OuterExtension, ArpInvalid, NdInvalid, SourceInvalid, Ecn];
    for (lab, good, more) in [
        (
            plain(),
            good.iter().map(|good| Good { bytes: good.bytes.clone(), ip: good.ip.clone(), ..*good }).collect(),
            [OuterZeroChecksum, SplitHorizon],
        ),
        (busy::lab(), good.iter().map(in_vlan).collect::<Vec<_>>(), [OuterTag, AclOut]),
    ] {
        let (count, reasons) = all_of(&lab, &good);
        assert!(count > 60_000, "{count}");
        let reached = outer.iter().chain(&tunnel).chain(&others).chain(&more);
        let missed: Vec<_> = reached.filter(|reason| !reasons.contains(reason)).collect();
        assert!(missed.is_empty(), "{missed:?} of {reasons:?}");
    }
}
