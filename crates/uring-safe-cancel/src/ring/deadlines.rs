//! When something is due: a heap of slots, each with up to three deadlines.
//!
//! An operation enters only if a flush left it unsettled, so that the usual operation, and the usual
//! cancel, never come here.

use crate::kernel::Nanoseconds;
use crate::table::KEPT_SLOTS;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The next cancel.
    Retry,
    /// The report that the operation is stuck.
    Stuck,
    /// The operation's own timeout.
    Timeout,
}

const NEVER: Nanoseconds = Nanoseconds::MAX;
const NOT_IN_HEAP: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: [Nanoseconds; 3],
    position: u32,
}

const EMPTY: Entry = Entry { at: [NEVER; 3], position: NOT_IN_HEAP };

impl Entry {
    fn earliest(&self) -> Nanoseconds {
        self.at[0].min(self.at[1]).min(self.at[2])
    }
}

#[derive(Debug, Default)]
pub(super) struct Deadlines {
    entries: Vec<Entry>,
    heap: Vec<u32>,
}

impl Deadlines {
    pub(super) fn earliest(&self) -> Option<Nanoseconds> {
        self.heap.first().map(|&slot| self.entries[slot as usize].earliest())
    }

    pub(super) fn set(&mut self, slot: u32, due: Due, at: Nanoseconds) {
        if self.entries.len() <= slot as usize {
            self.entries.resize(slot as usize + 1, EMPTY);
        }
        let entry = &mut self.entries[slot as usize];
        entry.at[due as usize] = at;
        if entry.position == NOT_IN_HEAP {
            entry.position = self.heap.len() as u32;
            self.heap.push(slot);
        }
        self.restore(self.entries[slot as usize].position as usize);
    }

    /// Forgets all deadlines of a slot.
    #[inline]
    pub(super) fn clear(&mut self, slot: u32) {
        if let Some(entry) = self.entries.get(slot as usize) {
            if entry.position != NOT_IN_HEAP {
                self.remove(slot);
            }
        }
    }

    /// Takes the earliest deadline that is due at `now`.
    pub(super) fn pop(&mut self, now: Nanoseconds) -> Option<(u32, Due)> {
        let slot = *self.heap.first()?;
        let entry = &mut self.entries[slot as usize];
        let at = entry.earliest();
        if at > now {
            return None;
        }
        let due = [Due::Retry, Due::Stuck, Due::Timeout]
            .into_iter()
            .find(|&due| entry.at[due as usize] == at)?;
        entry.at[due as usize] = NEVER;
        if entry.earliest() == NEVER {
            self.remove(slot);
        } else {
            self.restore(0);
        }
        Some((slot, due))
    }

    /// How many slots it has places for.
    #[inline(always)]
    pub(super) fn slots(&self) -> usize {
        self.entries.len()
    }

    /// There are only so many slots now: the others have no deadlines.
    pub(super) fn shrink(&mut self, slots: usize) {
        if self.entries.len() > KEPT_SLOTS && self.entries.len() > 2 * slots {
            self.entries.truncate(slots.max(KEPT_SLOTS));
            self.entries.shrink_to_fit();
            self.heap.shrink_to(KEPT_SLOTS);
        }
    }

    fn remove(&mut self, slot: u32) {
        let position = self.entries[slot as usize].position as usize;
        self.entries[slot as usize] = EMPTY;
        self.heap.swap_remove(position);
        if let Some(&moved) = self.heap.get(position) {
            self.entries[moved as usize].position = position as u32;
            self.restore(position);
        }
    }

    /// Moves the slot at `position` up or down to where it belongs.
    fn restore(&mut self, mut position: usize) {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.key(parent) <= self.key(position) {
                break;
            }
            self.swap(parent, position);
            position = parent;
        }
        loop {
            let mut smallest = position;
            for child in [2 * position + 1, 2 * position + 2] {
                if child < self.heap.len() && self.key(child) < self.key(smallest) {
                    smallest = child;
                }
            }
            if smallest == position {
                return;
            }
            self.swap(smallest, position);
            position = smallest;
        }
    }

    fn key(&self, position: usize) -> Nanoseconds {
        self.entries[self.heap[position] as usize].earliest()
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.entries[self.heap[one] as usize].position = one as u32;
        self.entries[self.heap[other] as usize].position = other as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A multiplicative generator: the test must be the same on every run.
    fn numbers(mut seed: u64) -> impl FnMut(u64) -> u64 {
        move |below| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        }
    }

    #[test]
    fn pops_in_the_order_of_time_whatever_was_set_moved_and_cleared() {
        let mut random = numbers(7);
        let mut deadlines = Deadlines::default();
        let mut model = BTreeSet::new();
        for _ in 0..50_000 {
            let slot = random(40) as u32;
            let due = [Due::Retry, Due::Stuck, Due::Timeout][random(3) as usize];
            match random(4) {
                0 | 1 => {
                    let at = random(1000);
                    model.retain(|&(_, s, d)| (s, d) != (slot, due as usize));
                    model.insert((at, slot, due as usize));
                    deadlines.set(slot, due, at);
                }
                2 => {
                    model.retain(|&(_, s, _)| s != slot);
                    deadlines.clear(slot);
                }
                _ => {
                    let now = random(1000);
                    let expected = model.first().filter(|entry| entry.0 <= now).map(|e| e.0);
                    let popped = deadlines.pop(now);
                    assert_eq!(popped.is_some(), expected.is_some());
                    if let (Some((slot, due)), Some(at)) = (popped, expected) {
                        assert!(model.remove(&(at, slot, due as usize)), "not the earliest");
                    }
                }
            }
            assert_eq!(deadlines.earliest(), model.first().map(|entry| entry.0));
        }
    }
}
