//! Tunnelled packets as NVE 2 sends blue's, of every kind, written by hand.

use wire::{Encap, fold, sum};

use super::lab::*;

/// A packet from NVE 2 to us, written by hand.
#[derive(Clone)]
pub struct Sent<'a> {
    pub is_v6: bool,
    pub class: u8,
    pub port: u16,
    pub tunnel: Vec<u8>,
    pub has_checksum: bool,
    pub inner: &'a [u8],
}

pub fn sent(is_v6: bool, encap: Encap, inner: &[u8]) -> Sent<'_> {
    let vni = (BLUE_VNI << 8).to_be_bytes();
    let (port, start) = match encap {
        Encap::Vxlan => (4789, [8, 0, 0, 0]),
        Encap::Geneve => (6081, [0, 0, 0x65, 0x58]),
    };
    Sent { is_v6, class: 0, port, tunnel: [start, vni].concat(), has_checksum: is_v6, inner }
}

pub fn geneve<'a>(start: [u8; 4], options: &[u8], inner: &'a [u8]) -> Sent<'a> {
    let tunnel = [&start, &(BLUE_VNI << 8).to_be_bytes(), options].concat();
    Sent { tunnel, ..sent(false, Encap::Geneve, inner) }
}

impl Sent<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let length = (8 + self.tunnel.len() + self.inner.len()) as u16;
        let ports = [&[0xc0, 1][..], &self.port.to_be_bytes(), &length.to_be_bytes(), &[0, 0]].concat();
        let mut udp = [&ports[..], &self.tunnel, self.inner].concat();
        let addresses = if self.is_v6 {
            [NVE_2_6.1.octets(), US_6.1.octets()].concat()
        } else {
            [NVE_2.1.octets(), US.1.octets()].concat()
        };
        if self.has_checksum {
            let checksum = !fold(sum(&udp, sum(&addresses, 17 + u64::from(length))));
            udp[6..8].copy_from_slice(&checksum.to_be_bytes());
        }
        let mut ip = if self.is_v6 {
            let start = [0x60 | self.class >> 4, self.class << 4, 0, 0];
            [&start[..], &length.to_be_bytes(), &[17, 64], &addresses].concat()
        } else {
            let start =
                [&[0x45, self.class][..], &(length + 20).to_be_bytes(), &[0, 0, 0x40, 0, 64, 17, 0, 0]].concat();
            [start, addresses].concat()
        };
        if !self.is_v6 {
            let checksum = !fold(sum(&ip, 0));
            ip[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        let ether_type = if self.is_v6 { [0x86, 0xdd] } else { [8, 0] };
        [&US.0[..], &NVE_2.0, &ether_type, &ip, &udp].concat()
    }
}
