//! What a batch wants, object by object.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What one command wants of one object: `Some` to be so, `None` to be gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish<T> {
    /// Index of the command in the batch.
    pub at: usize,
    /// The wish.
    pub to: Option<T>,
}

/// Wishes by object, each object at most once.
#[derive(Debug)]
pub struct Wishes<K, T>(BTreeMap<K, Wish<T>>);

impl<K, T> Default for Wishes<K, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, T> Wishes<K, T> {
    /// Adds a wish; false, and nothing is changed, if the object has one already.
    pub fn add(&mut self, key: K, wish: Wish<T>) -> bool {
        match self.0.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(wish);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// The wish for an object.
    pub fn get(&self, key: &K) -> Option<&Wish<T>> {
        self.0.get(key)
    }

    /// Whether there is a wish for an object.
    pub fn names(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Whether an object is to be gone.
    pub fn deletes(&self, key: &K) -> bool {
        self.0.get(key).is_some_and(|wish| wish.to.is_none())
    }

    /// All wishes.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Wish<T>)> {
        self.0.iter()
    }

    /// All objects with a wish.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    /// What is to be so: object, index of the command, wish.
    pub fn sets(&self) -> impl Iterator<Item = (&K, usize, &T)> {
        self.0.iter().filter_map(|(key, wish)| wish.to.as_ref().map(|to| (key, wish.at, to)))
    }

    /// What is to be gone: object, index of the command.
    pub fn dels(&self) -> impl Iterator<Item = (&K, usize)> {
        self.0.iter().filter(|(_, wish)| wish.to.is_none()).map(|(key, wish)| (key, wish.at))
    }
}
