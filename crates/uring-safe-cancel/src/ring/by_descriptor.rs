//! Who works on a descriptor: lists of slots by the descriptor's number, so that cancelling those on one costs as much as
//! there are of them, and not as much as there are on all. They are kept from the first such cancel on: who never makes one
//! pays nothing for them.

use super::lines::NumberHasher;
use crate::table::KEPT_SLOTS;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::os::fd::RawFd;

/// Numbers below have their lists in an array that grows with the highest: the kernel gives the lowest that is free. The
/// others, and what is no descriptor, have theirs in a map.
const DENSE_NUMBERS: usize = 1 << 16;

const NOWHERE: u32 = u32::MAX;

/// A slot's neighbours among those on its descriptor. The first one's `previous` is the last.
#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
}

#[derive(Debug, Default)]
pub(super) struct ByDescriptor {
    is_kept: bool,
    /// The first slot on each number.
    dense: Vec<u32>,
    sparse: HashMap<RawFd, u32, BuildHasherDefault<NumberHasher>>,
    /// By slot.
    links: Vec<Link>,
}

impl ByDescriptor {
    /// Keeps the lists from now on. `there`: who is there already, and has told so to no list.
    #[inline]
    pub(super) fn keep(&mut self, there: impl FnOnce() -> Vec<(RawFd, u32)>) {
        if !self.is_kept {
            self.is_kept = true;
            there().into_iter().for_each(|(number, slot)| self.add(number, slot));
        }
    }

    #[inline(always)]
    fn first(&self, number: RawFd) -> u32 {
        // A negative number is beyond all that are dense, too.
        match self.dense.get(number as u32 as usize) {
            Some(&slot) => slot,
            None => self.first_beyond(number),
        }
    }

    #[inline(always)]
    fn set_first(&mut self, number: RawFd, slot: u32) {
        match self.dense.get_mut(number as u32 as usize) {
            Some(place) => *place = slot,
            None => self.set_first_beyond(number, slot),
        }
    }

    #[cold]
    fn first_beyond(&self, number: RawFd) -> u32 {
        self.sparse.get(&number).copied().unwrap_or(NOWHERE)
    }

    #[cold]
    fn set_first_beyond(&mut self, number: RawFd, slot: u32) {
        if (number as u32 as usize) < DENSE_NUMBERS {
            self.dense.resize(number as usize + 1, NOWHERE);
            self.dense[number as usize] = slot;
        } else if slot == NOWHERE {
            self.sparse.remove(&number);
        } else {
            self.sparse.insert(number, slot);
        }
    }

    #[cold]
    fn grow(&mut self, slot: u32) {
        self.links.resize(slot as usize + 1, Link { previous: NOWHERE, next: NOWHERE });
    }

    /// An operation on `number` took a slot.
    #[inline(always)]
    pub(super) fn add(&mut self, number: RawFd, slot: u32) {
        if self.is_kept {
            self.link(number, slot);
        }
    }

    fn link(&mut self, number: RawFd, slot: u32) {
        if self.links.len() <= slot as usize {
            self.grow(slot);
        }
        let first = self.first(number);
        if first == NOWHERE {
            self.links[slot as usize] = Link { previous: slot, next: NOWHERE };
            self.set_first(number, slot);
            return;
        }
        let last = std::mem::replace(&mut self.links[first as usize].previous, slot);
        self.links[last as usize].next = slot;
        self.links[slot as usize] = Link { previous: last, next: NOWHERE };
    }

    /// It has left it.
    #[inline(always)]
    pub(super) fn remove(&mut self, number: RawFd, slot: u32) {
        if self.is_kept {
            self.unlink(number, slot);
        }
    }

    fn unlink(&mut self, number: RawFd, slot: u32) {
        let Link { previous, next } = self.links[slot as usize];
        let first = self.first(number);
        if first == slot {
            self.set_first(number, next);
        } else {
            self.links[previous as usize].next = next;
        }
        match next {
            NOWHERE if first != slot => self.links[first as usize].previous = previous,
            NOWHERE => {}
            next => self.links[next as usize].previous = previous,
        }
    }

    /// The slots on `number`, in the order of their coming.
    pub(super) fn on(&self, number: RawFd) -> impl Iterator<Item = u32> + '_ {
        let there = |slot| (slot != NOWHERE).then_some(slot);
        std::iter::successors(there(self.first(number)), move |&slot| {
            there(self.links[slot as usize].next)
        })
    }

    /// How many slots it has places for.
    #[inline(always)]
    pub(super) fn slots(&self) -> usize {
        self.links.len()
    }

    /// There are only so many slots now.
    pub(super) fn shrink(&mut self, slots: usize) {
        if self.links.len() > KEPT_SLOTS && self.links.len() > 2 * slots {
            self.links.truncate(slots.max(KEPT_SLOTS));
            self.links.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn lists_hold_who_came_and_has_not_left_in_order() {
        let mut seed = 11_u64;
        let mut random = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let numbers = [0, 1, 7, DENSE_NUMBERS as RawFd - 1, DENSE_NUMBERS as RawFd, RawFd::MAX, -1];
        let mut lists = ByDescriptor::default();
        lists.keep(Vec::new);
        let mut expected: BTreeMap<RawFd, Vec<u32>> = BTreeMap::new();
        let mut free: Vec<u32> = (0..64).collect();
        for _ in 0..20_000 {
            let number = numbers[random(numbers.len() as u64) as usize];
            let list = expected.entry(number).or_default();
            if random(2) == 0 && !free.is_empty() {
                let slot = free.swap_remove(random(free.len() as u64) as usize);
                list.push(slot);
                lists.add(number, slot);
            } else if !list.is_empty() {
                let slot = list.remove(random(list.len() as u64) as usize);
                free.push(slot);
                lists.remove(number, slot);
            }
            assert_eq!(lists.on(number).collect::<Vec<_>>(), expected[&number]);
        }
        assert!(lists.sparse.len() <= 3, "only who is there has an entry");
    }
}
