use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::thread;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct K(u64);

impl Key for K {
    fn pack(self) -> u64 {
        self.0
    }
}

#[test]
fn a_bucket_is_one_cache_line() {
    assert_eq!(size_of::<Bucket>(), 64);
    assert_eq!(align_of::<Bucket>(), 64);
}

#[test]
fn fills_to_its_capacity_and_says_when_it_is_full() {
    for capacity in [1, 7, 1000, 65_536] {
        let mut map = concurrent_map::<K>(capacity, 0x5eed);
        for key in 1..=capacity as u64 {
            assert_eq!(map.insert(K(key), key as u32), Ok(None));
        }
        assert_eq!(map.insert(K(capacity as u64 + 1), 0), Err(Full { capacity }));
        assert_eq!(map.insert(K(1), 77), Ok(Some(1)), "a change needs no room");
        let reader = map.reader();
        assert_eq!(reader.get(K(capacity as u64 + 1)), None);
        assert!((2..=capacity as u64).all(|key| reader.get(K(key)) == Some(key as u32)));
    }
}

#[test]
fn overflow_chains_shrink_back_when_rows_go() {
    let mut map = concurrent_map::<K>(64, 1);
    for round in 0..50 {
        for key in 1..=64 {
            map.insert(K(key + round * 1000), key as u32).unwrap();
        }
        for key in 1..=64 {
            assert_eq!(map.remove(K(key + round * 1000)), Some(key as u32));
        }
    }
    assert!(map.is_empty());
    assert!(map.shared.buckets.iter().all(|bucket| bucket.overflow.load(Ordering::Relaxed) == 0));
}

/// Addresses that somebody counts up, in whatever byte, fill the buckets as random ones would: 100 rows then pass about 6 full ones.
#[test]
fn keys_in_sequence_spread_as_random_ones() {
    const ROWS: u64 = 8192;
    for seed in [0, 1, 0x5eed, u64::MAX] {
        for byte in [0, 1, 2, 3, 6] {
            let mut map = concurrent_map::<K>(ROWS as usize, seed);
            for n in 0..ROWS {
                map.insert(K(1 << 62 ^ n << (8 * byte)), 0).unwrap();
            }
            let passed: u32 = map.shared.buckets.iter().map(|bucket| bucket.overflow.load(Ordering::Relaxed)).sum();
            assert!(u64::from(passed) < ROWS * 8 / 100, "seed {seed:#x}, byte {byte}: {passed}");
        }
    }
}

#[test]
fn a_look_up_of_nothing_finds_nothing() {
    let mut map = concurrent_map::<K>(4, 1);
    map.insert(K(5), 5).unwrap();
    map.remove(K(5));
    assert_eq!(map.reader().finish(LookUp::NONE), None);
}

#[test]
fn a_watched_row_is_marked_once_an_era_and_another_never() {
    let mut map = concurrent_map::<K>(64, 1);
    (1..=64).for_each(|key| assert_eq!(map.insert(K(key), 7), Ok(None)));
    let reader = map.reader();
    let mark = |key, era| reader.finish_row(reader.begin(K(key))).unwrap().mark(era);
    (1..=64).for_each(|key| mark(key, 9));
    assert!((1..=64).all(|key| map.seen(K(key)) == Some(UNWATCHED)));
    (1..=64).step_by(2).for_each(|key| map.watch(K(key), true));
    assert_eq!((map.seen(K(1)), map.seen(K(2)), map.seen(K(65))), (Some(UNSEEN), Some(UNWATCHED), None));
    (1..=64).for_each(|key| mark(key, 9));
    assert!((1..=64).all(|key| map.seen(K(key)) == Some(if key % 2 == 1 { 9 } else { UNWATCHED })));
    map.watch(K(1), false);
    mark(1, 11);
    assert_eq!(map.seen(K(1)), Some(UNWATCHED));
    map.remove(K(3));
    map.insert(K(3), 7).unwrap();
    assert_eq!(map.seen(K(3)), Some(UNWATCHED), "a new row in the old place");
}

proptest! {
    #[test]
    fn behaves_like_a_hash_map(ops in proptest::collection::vec((any::<bool>(), 1u64..40, any::<u32>()), 0..400), seed in any::<u64>()) {
        let mut map = concurrent_map::<K>(24, seed);
        let mut model = HashMap::new();
        let reader = map.reader();
        for (insert, key, value) in ops {
            if insert {
                let expected = if model.len() == 24 && !model.contains_key(&key) {
                    Err(Full { capacity: 24 })
                } else {
                    Ok(model.insert(key, value))
                };
                prop_assert_eq!(map.insert(K(key), value), expected);
            } else {
                prop_assert_eq!(map.remove(K(key)), model.remove(&key));
            }
            prop_assert_eq!(map.len(), model.len());
            for key in 1..40 {
                prop_assert_eq!(reader.get(K(key)), model.get(&key).copied());
            }
        }
    }
}

/// A reader never sees one key's value under another key, and never misses a row that stays.
#[test]
fn readers_see_whole_rows_while_slots_are_reused() {
    let mut map = concurrent_map::<K>(16, 3);
    let stays = K(1_000_000);
    map.insert(stays, 42).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let reader = map.reader();
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    for key in 1..200 {
                        if let Some(value) = reader.get(K(key)) {
                            assert_eq!(u64::from(value), key, "a value of another key");
                        }
                    }
                    assert_eq!(reader.get(stays), Some(42));
                }
            });
        }
        for round in 0..20_000u64 {
            let base = 1 + (round * 7) % 180;
            for key in base..base + 15 {
                map.insert(K(key), key as u32).unwrap();
            }
            for key in base..base + 15 {
                map.remove(K(key));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}
