//! Access control lists: ordered rules, of which the first that matches decides, and a default for what none matches.
//!
//! A frame's fields lie in an [`AclKey`] in a few words, whoever read them, and a rule is decoded beforehand: a mask over the same words, what
//! they must be then, and two ranges for ports. So a rule costs the same few operations, of 16 bytes each, whatever it looks at. IPv4
//! addresses lie in the last 32 bits of the words of IPv6's: a rule that looks at addresses looks at the EtherType, too.

use core::sync::atomic::{AtomicU64, Ordering};

use types::MacAddr;

const WORDS: usize = 8;
const PORTS: usize = 7;
/// Bits of the second word behind the source MAC: the outermost VID in 12, and then these.
const TAGGED: u64 = 1 << 12;
const LAYER_4: u64 = 1 << 13;
const VID: u64 = 0xfff;

/// What is behind an IP header, if the packet is no later fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Layer4 {
    /// Source port; of ICMP and ICMPv6 the type, and the code in the low byte.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Flags of TCP.
    pub tcp_flags: u8,
}

/// All that a rule can look at, of one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, align(64))]
pub struct AclKey {
    /// MACs with EtherType and tag, source and destination address, what is behind them, and the ports.
    words: [u64; WORDS],
}

impl AclKey {
    /// The key of a frame that is not IP: its MACs, the EtherType behind its tags, and the VID of the outermost if there is any.
    #[inline]
    pub fn new(destination: MacAddr, source: MacAddr, ether_type: u16, vid: Option<u16>) -> Self {
        let tag = vid.map_or(0, |vid| TAGGED | u64::from(vid) & VID);
        let mut words = [0; WORDS];
        words[0] = destination.to_u64() << 16 | u64::from(ether_type);
        words[1] = source.to_u64() << 16 | tag;
        Self { words }
    }

    /// Adds what an IP header says; `layer_4` is `None` if the packet is a later fragment, or its protocol has none of it.
    #[inline]
    pub fn with_ip(mut self, source: u128, destination: u128, protocol: u8, layer_4: Option<Layer4>) -> Self {
        [self.words[2], self.words[3]] = halves(source);
        [self.words[4], self.words[5]] = halves(destination);
        self.words[6] = u64::from(protocol);
        if let Some(Layer4 { source, destination, tcp_flags }) = layer_4 {
            self.words[1] |= LAYER_4;
            self.words[6] |= u64::from(tcp_flags) << 8;
            self.words[PORTS] = u64::from(source) | u64::from(destination) << 16;
        }
        self
    }
}

fn halves(address: u128) -> [u64; 2] {
    [(address >> 64) as u64, address as u64]
}

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It goes on.
    Permit,
    /// It goes no further.
    Deny,
}

/// From `.0` to `.1`, both included.
type Ports = (u16, u16);

/// What a key's words must be, where a bit of `masks` is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, align(64))]
struct Words {
    masks: [u64; WORDS],
    values: [u64; WORDS],
}

/// A rule: what a frame must be for it to match. Every setter narrows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AclRule {
    words: Words,
    rest: Rest,
}

/// What is asked of a key whose words are right, and what then becomes of the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Rest {
    source_ports: Ports,
    destination_ports: Ports,
    action: Action,
}

impl AclRule {
    /// A rule that every frame matches.
    pub const fn any(action: Action) -> Self {
        let all = (0, u16::MAX);
        let words = Words { masks: [0; WORDS], values: [0; WORDS] };
        Self { words, rest: Rest { source_ports: all, destination_ports: all, action } }
    }

    fn field(&mut self, word: usize, shift: u32, mask: u64, value: u64) {
        let Words { masks, values } = &mut self.words;
        masks[word] |= mask << shift;
        values[word] = values[word] & !(mask << shift) | (value & mask) << shift;
    }

    /// The bits of the destination MAC that are set in `mask`.
    pub fn destination_mac(&mut self, mac: MacAddr, mask: MacAddr) {
        self.field(0, 16, mask.to_u64(), mac.to_u64());
    }

    /// The bits of the source MAC that are set in `mask`.
    pub fn source_mac(&mut self, mac: MacAddr, mask: MacAddr) {
        self.field(1, 16, mask.to_u64(), mac.to_u64());
    }

    /// The EtherType behind all tags.
    pub fn ether_type(&mut self, ether_type: u16) {
        self.field(0, 0, 0xffff, ether_type.into());
    }

    /// The VID of the outermost tag.
    pub fn vid(&mut self, vid: u16) {
        self.field(1, 0, TAGGED | VID, TAGGED | u64::from(vid));
    }

    /// The bits of the source address that are set in `mask`.
    pub fn source_ip(&mut self, ip: u128, mask: u128) {
        let ([high, low], [high_mask, low_mask]) = (halves(ip), halves(mask));
        self.field(2, 0, high_mask, high);
        self.field(3, 0, low_mask, low);
    }

    /// The bits of the destination address that are set in `mask`.
    pub fn destination_ip(&mut self, ip: u128, mask: u128) {
        let ([high, low], [high_mask, low_mask]) = (halves(ip), halves(mask));
        self.field(4, 0, high_mask, high);
        self.field(5, 0, low_mask, low);
    }

    /// The protocol behind the IP header and its extensions.
    pub fn protocol(&mut self, protocol: u8) {
        self.field(6, 0, 0xff, protocol.into());
    }

    /// The bits of TCP's flags that are set in `mask`.
    pub fn tcp_flags(&mut self, flags: u8, mask: u8) {
        self.field(1, 0, LAYER_4, LAYER_4);
        self.field(6, 8, mask.into(), flags.into());
    }

    /// From the first to the last source port, or type and code of ICMP as [`Layer4::source`] has them.
    pub fn source_ports(&mut self, ports: Ports) {
        self.rest.source_ports = ports;
        self.ports(0, ports);
    }

    /// From the first to the last destination port.
    pub fn destination_ports(&mut self, ports: Ports) {
        self.rest.destination_ports = ports;
        self.ports(16, ports);
    }

    /// A single port is told by the words already.
    fn ports(&mut self, shift: u32, (first, last): Ports) {
        self.field(1, 0, LAYER_4, LAYER_4);
        if first == last {
            self.field(PORTS, shift, 0xffff, first.into());
        }
    }
}

impl Words {
    #[inline(always)]
    fn match_those_of(&self, key: &AclKey) -> bool {
        let mut differ = 0;
        for at in 0..WORDS {
            differ |= (key.words[at] & self.masks[at]) ^ self.values[at];
        }
        differ == 0
    }
}

impl Rest {
    #[inline(always)]
    fn matches(&self, key: &AclKey) -> bool {
        let within = |port: u64, (first, last): Ports| (port as u16).wrapping_sub(first) <= last.wrapping_sub(first);
        let ports = key.words[PORTS];
        within(ports, self.source_ports) && within(ports >> 16, self.destination_ports)
    }
}

/// A list, and how often each of its rules decided. A changed list is another one, and counts from 0.
#[derive(Debug)]
pub struct Acl {
    /// Of each rule, apart: most of what is read of most rules is this.
    words: Box<[Words]>,
    rests: Box<[Rest]>,
    default: Action,
    /// A word for each rule, and one for the default. Only a poller writes them.
    decided: Box<[AtomicU64]>,
}

impl Acl {
    /// A list of `rules` in their order.
    pub fn new(rules: impl IntoIterator<Item = AclRule>, default: Action) -> Self {
        let (words, rests): (Vec<_>, Vec<_>) = rules.into_iter().map(|rule| (rule.words, rule.rest)).unzip();
        let decided = (0..=words.len()).map(|_| AtomicU64::new(0)).collect();
        Self { words: words.into(), rests: rests.into(), default, decided }
    }

    /// What the list says of a frame, and the number of the rule that decided; the default is behind the last.
    #[inline]
    pub fn decide(&self, key: &AclKey) -> (Action, usize) {
        for (at, (words, rest)) in self.words.iter().zip(&self.rests).enumerate() {
            if words.match_those_of(key) && rest.matches(key) {
                return (rest.action, at);
            }
        }
        (self.default, self.words.len())
    }

    /// Where frames that rule `at` decided are counted.
    #[inline]
    pub fn counter(&self, at: usize) -> Option<&AtomicU64> {
        self.decided.get(at)
    }

    /// Frames that each rule decided, in order, and at last the default.
    pub fn decided(&self) -> impl ExactSizeIterator<Item = u64> {
        self.decided.iter().map(|word| word.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
