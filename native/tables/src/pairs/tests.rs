use core::net::{Ipv4Addr, Ipv6Addr};
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::thread;

use proptest::prelude::*;

use super::*;

const VN: Index = 7;

fn mac(number: u32) -> MacAddr {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddr([2, 0, a, b, c, d])
}

fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(number).into()
}

fn v6(number: u32) -> IpAddr {
    Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number)).into()
}

#[test]
fn a_bucket_is_one_cache_line() {
    assert_eq!((size_of::<Bucket>(), align_of::<Bucket>()), (64, 64));
}

#[test]
fn an_address_belongs_to_its_vn_and_its_family() {
    let mut pairs = PairWriter::new(1);
    let mut reader = pairs.reader();
    pairs.insert(VN, v4(5), mac(1));
    pairs.insert(VN + 1, v4(5), mac(2));
    pairs.insert(VN, v6(5), mac(3));
    assert_eq!(reader.load().get(VN, v4(5)), Some(mac(1)));
    assert_eq!(reader.load().get(VN + 1, v4(5)), Some(mac(2)));
    assert_eq!(reader.load().get(VN, v6(5)), Some(mac(3)));
    assert_eq!(reader.load().get(VN + 1, v6(5)), None);
    pairs.insert(VN, v4(5), mac(4));
    assert_eq!((reader.load().get(VN, v4(5)), pairs.len()), (Some(mac(4)), 3), "its owner changes in place");
    assert_eq!((pairs.remove(VN, v4(5)), pairs.remove(VN, v4(5))), (Some(mac(4)), None));
    assert_eq!((reader.load().get(VN, v4(5)), reader.load().get(VN + 1, v4(5))), (None, Some(mac(2))));
}

#[test]
fn it_grows_with_what_is_in_it_and_loses_nothing() {
    const MANY: u32 = 100_000;
    let mut pairs = PairWriter::new(0x5eed);
    assert_eq!(pairs.bytes(), SMALLEST * 64);
    let mut reader = pairs.reader();
    for number in 0..MANY {
        pairs.insert(VN, if number % 2 == 0 { v4(number) } else { v6(number) }, mac(number));
    }
    assert_eq!((pairs.len(), pairs.bytes()), (MANY as usize, 131_072 * 64));
    let table = reader.load();
    assert!((0..MANY).all(|n| table.get(VN, if n % 2 == 0 { v4(n) } else { v6(n) }) == Some(mac(n))));
    assert!((0..MANY).all(|n| table.get(VN, if n % 2 == 1 { v4(n) } else { v6(n) }).is_none()));
    for number in 0..MANY {
        pairs.remove(VN, if number % 2 == 0 { v4(number) } else { v6(number) });
    }
    assert!(pairs.is_empty());
    assert!(pairs.table.buckets.iter().all(|bucket| bucket.overflow.load(Ordering::Relaxed) == 0));
}

proptest! {
    #[test]
    fn behaves_like_a_hash_map(ops in proptest::collection::vec((any::<bool>(), 0u32..60, 0u16..2, 1u32..9), 0..400), seed in any::<u64>()) {
        let mut pairs = PairWriter::new(seed);
        let mut model = HashMap::new();
        let mut reader = pairs.reader();
        for (insert, number, vn, owner) in ops {
            let ip = if number < 30 { v4(number) } else { v6(number) };
            if insert {
                pairs.insert(vn, ip, mac(owner));
                model.insert((vn, ip), mac(owner));
            } else {
                prop_assert_eq!(pairs.remove(vn, ip), model.remove(&(vn, ip)));
            }
            prop_assert_eq!(pairs.len(), model.len());
            for number in 0..60 {
                let ip = if number < 30 { v4(number) } else { v6(number) };
                prop_assert_eq!(reader.load().get(vn, ip), model.get(&(vn, ip)).copied());
            }
        }
    }
}

/// A reader never takes one address' owner for another's, and never misses a pair that stays, whether slots are reused or the table grows.
#[test]
fn readers_see_whole_pairs_while_slots_are_reused_and_the_table_grows() {
    let mut pairs = PairWriter::new(3);
    pairs.insert(VN, v6(1_000_000), mac(42));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut reader = pairs.reader();
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let table = reader.load();
                    for number in 1..200 {
                        if let Some(owner) = table.get(VN, v4(number)) {
                            assert_eq!(owner, mac(number), "the owner of another address");
                        }
                    }
                    assert_eq!(table.get(VN, v6(1_000_000)), Some(mac(42)));
                }
            });
        }
        for round in 0..20_000u32 {
            let base = 1 + (round * 7) % 180;
            (base..base + 12).for_each(|number| pairs.insert(VN, v4(number), mac(number)));
            (base..base + 12).for_each(|number| {
                pairs.remove(VN, v4(number));
            });
        }
        (1..2_000).for_each(|number| pairs.insert(VN, v4(number), mac(number)));
        stop.store(true, Ordering::Relaxed);
    });
}
