//! The groups of the underlay that VNs have joined at a port: tunnelled packets to a group are a VN's only where it has joined it.
//!
//! One port's table is replaced whole when a VN joins or leaves there, which is rare; it is read for packets to groups only.

use core::net::IpAddr;
use std::collections::BTreeMap;

use crate::snapshot::Index;

/// The groups of a port, each with the VNs that receive it, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined(Box<[(IpAddr, Box<[Index]>)]>);

impl Joined {
    /// Whether there is no group.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some VN has joined `group`.
    pub fn has(&self, group: IpAddr) -> bool {
        self.find(group).is_some()
    }

    /// Whether the VN of index `vn` has joined `group`.
    pub fn admits(&self, group: IpAddr, vn: Index) -> bool {
        self.find(group).is_some_and(|vns| vns.binary_search(&vn).is_ok())
    }

    fn find(&self, group: IpAddr) -> Option<&[Index]> {
        let at = self.0.binary_search_by_key(&group, |(other, _)| *other).ok()?;
        self.0.get(at).map(|(_, vns)| &vns[..])
    }
}

impl FromIterator<(IpAddr, Index)> for Joined {
    fn from_iter<I: IntoIterator<Item = (IpAddr, Index)>>(pairs: I) -> Self {
        let mut groups: BTreeMap<IpAddr, Vec<Index>> = BTreeMap::new();
        pairs.into_iter().for_each(|(group, vn)| groups.entry(group).or_default().push(vn));
        let sorted = |mut vns: Vec<Index>| {
            vns.sort_unstable();
            vns.into_boxed_slice()
        };
        Self(groups.into_iter().map(|(group, vns)| (group, sorted(vns))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_for_those_who_joined_it_only() {
        let [one, other, none] = [1, 2, 3].map(|last| IpAddr::from([239, 1, 1, last]));
        let joined: Joined = [(other, 7), (one, 9), (one, 3)].into_iter().collect();
        let admits = |group| [3, 7, 9].map(|vn| joined.admits(group, vn));
        assert_eq!([admits(one), admits(other), admits(none)], [[true, false, true], [false, true, false], [false; 3]]);
        assert_eq!([one, other, none].map(|group| joined.has(group)), [true, true, false]);
        assert!(!joined.is_empty() && Joined::default().is_empty());
    }
}
