//! ECN across a tunnel (RFC 6040, which RFC 9599 and 9601 extend to shims like VXLAN and Geneve).

/// The ECN field of an IP header (RFC 3168, 5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Ecn {
    /// The transport does not know ECN.
    NotEct = 0b00,
    /// ECN-capable, codepoint 1.
    Ect1 = 0b01,
    /// ECN-capable, codepoint 0.
    Ect0 = 0b10,
    /// Congestion was met.
    Ce = 0b11,
}

use Ecn::{Ce, Ect0, Ect1, NotEct};

impl Ecn {
    /// The lower two bits of a TOS byte or traffic class.
    pub const MASK: u8 = 0b11;
    /// Every codepoint, at its number.
    pub const ALL: [Self; 4] = [NotEct, Ect1, Ect0, Ce];

    /// The ECN field of a TOS byte or traffic class.
    #[inline]
    pub const fn of(class: u8) -> Self {
        Self::ALL[(class & Self::MASK) as usize]
    }

    /// The outer field that the Linux kernel and Open vSwitch send for an inner one: like the normal mode of RFC 6040, 4.1, but congestion
    /// that was met before the tunnel is not shown outside (as the full-functionality mode of RFC 3168, 9.1.1, had it).
    #[inline]
    pub const fn kernel_encap(inner: Self) -> Self {
        match inner {
            Ce => Ect0,
            other => other,
        }
    }

    /// The field of the frame that leaves the tunnel, by RFC 6040, 4.2, figure 4; `None` if the packet must be dropped: its transport would
    /// not understand that it met congestion.
    #[inline]
    pub const fn decap(inner: Self, outer: Self) -> Option<Self> {
        match (inner, outer) {
            (NotEct, Ce) => None,
            (NotEct, NotEct | Ect0 | Ect1) => Some(NotEct),
            (Ect0, NotEct | Ect0) => Some(Ect0),
            (Ect0, Ect1) => Some(Ect1),
            (Ect1, NotEct | Ect0 | Ect1) => Some(Ect1),
            (Ect0 | Ect1, Ce) => Some(Ce),
            (Ce, _) => Some(Ce),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decap_is_figure_4_of_rfc_6040() {
        // Rows inner, columns outer: Not-ECT, ECT(0), ECT(1), CE.
        let figure = [
            (NotEct, [Some(NotEct), Some(NotEct), Some(NotEct), None]),
            (Ect0, [Some(Ect0), Some(Ect0), Some(Ect1), Some(Ce)]),
            (Ect1, [Some(Ect1), Some(Ect1), Some(Ect1), Some(Ce)]),
            (Ce, [Some(Ce), Some(Ce), Some(Ce), Some(Ce)]),
        ];
        for (inner, row) in figure {
            for (outer, left) in [NotEct, Ect0, Ect1, Ce].into_iter().zip(row) {
                assert_eq!(Ecn::decap(inner, outer), left, "{inner:?} in {outer:?}");
            }
        }
    }

    #[test]
    fn the_kernel_hides_earlier_congestion_from_the_tunnel() {
        let sent = [NotEct, Ect0, Ect1, Ce].map(Ecn::kernel_encap);
        assert_eq!(sent, [NotEct, Ect0, Ect1, Ect0]);
    }

    #[test]
    fn the_field_is_the_lower_two_bits() {
        for class in 0..=255u8 {
            assert_eq!(Ecn::of(class) as u8, class & 3);
        }
    }
}
