//! Dense indices for one kind of object, each used again only when nobody can still hold it.

use std::collections::VecDeque;

use crate::quiescence::Quiescence;

/// Hands out indices from 0 to a limit, lowest first while there are unused ones.
pub struct IndexPool {
    unused: u32,
    limit: u32,
    retired: VecDeque<(u32, u64)>,
    free: Vec<u32>,
}

impl IndexPool {
    /// A pool of `limit` indices.
    pub fn new(limit: u32) -> Self {
        Self { unused: 0, limit, retired: VecDeque::new(), free: Vec::new() }
    }

    /// How many indices can be taken now.
    pub fn available(&mut self, quiescence: &Quiescence) -> usize {
        while let Some(&(index, generation)) = self.retired.front() {
            if !quiescence.passed(generation) {
                break;
            }
            self.retired.pop_front();
            self.free.push(index);
        }
        self.free.len() + (self.limit - self.unused) as usize
    }

    /// Takes an index; `None` when [`Self::available`] is 0.
    pub fn take(&mut self, quiescence: &Quiescence) -> Option<u32> {
        if self.available(quiescence) == 0 {
            return None;
        }
        self.free.pop().or_else(|| {
            let index = self.unused;
            self.unused += 1;
            Some(index)
        })
    }

    /// Gives back an index that is named nowhere since `generation`.
    pub fn retire(&mut self, index: u32, generation: u64) {
        self.retired.push_back((index, generation));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_comes_back_only_after_a_quiescent_state() {
        let mut quiescence = Quiescence::default();
        let reader = quiescence.reader();
        reader.online();
        let mut pool = IndexPool::new(2);
        assert_eq!(pool.take(&quiescence), Some(0));
        assert_eq!(pool.take(&quiescence), Some(1));
        assert_eq!(pool.take(&quiescence), None);
        pool.retire(0, quiescence.advance());
        assert_eq!(pool.take(&quiescence), None, "the reader may still hold 0");
        reader.quiescent();
        assert_eq!(pool.available(&quiescence), 1);
        assert_eq!(pool.take(&quiescence), Some(0));
    }
}
