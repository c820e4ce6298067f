//! Doubly linked lists through the table's slots: in order, and with removal from the middle, so that
//! cancelling a waiting operation costs the same wherever it stands. A slot is in at most one list.

/// No slot.
pub(super) const NOWHERE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Link {
    previous: u32,
    next: u32,
}

const UNLINKED: Link = Link { previous: NOWHERE, next: NOWHERE };

/// The links of all slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Links(Vec<Link>);

impl Links {
    pub(super) fn grow(&mut self) {
        self.0.push(UNLINKED);
    }

    /// The last slots are gone; they stood in no list.
    pub(super) fn truncate(&mut self, slots: usize) {
        self.0.truncate(slots);
    }

    pub(super) fn shrink_to(&mut self, slots: usize) {
        self.0.shrink_to(slots);
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

/// A list of slots of one [`Table`](super::Table).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List {
    first: u32,
    last: u32,
    length: u32,
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    /// An empty list.
    pub const fn new() -> Self {
        Self { first: NOWHERE, last: NOWHERE, length: 0 }
    }

    /// Whether no slot stands in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first == NOWHERE
    }

    /// How many slots stand in it.
    pub fn len(&self) -> u32 {
        self.length
    }

    #[cfg(test)]
    pub(super) fn iter<'a>(&self, links: &'a Links) -> impl Iterator<Item = u32> + 'a {
        let listed = |slot| (slot != NOWHERE).then_some(slot);
        std::iter::successors(listed(self.first), move |&slot| listed(links.0[slot as usize].next))
    }

    pub(super) fn push_back(&mut self, links: &mut Links, slot: u32) {
        debug_assert!(links.0[slot as usize] == UNLINKED && self.first != slot);
        links.0[slot as usize].previous = self.last;
        match self.last {
            NOWHERE => self.first = slot,
            last => links.0[last as usize].next = slot,
        }
        self.last = slot;
        self.length += 1;
    }

    #[inline]
    pub(super) fn push_front(&mut self, links: &mut Links, slot: u32) {
        debug_assert!(links.0[slot as usize] == UNLINKED && self.first != slot);
        links.0[slot as usize].next = self.first;
        match self.first {
            NOWHERE => self.last = slot,
            first => links.0[first as usize].previous = slot,
        }
        self.first = slot;
        self.length += 1;
    }

    #[inline]
    pub(super) fn pop_front(&mut self, links: &mut Links) -> Option<u32> {
        let slot = self.first;
        if slot == NOWHERE {
            return None;
        }
        self.remove(links, slot);
        Some(slot)
    }

    pub(super) fn remove(&mut self, links: &mut Links, slot: u32) {
        let Link { previous, next } = std::mem::replace(&mut links.0[slot as usize], UNLINKED);
        match previous {
            NOWHERE => {
                debug_assert!(self.first == slot, "not in this list");
                self.first = next;
            }
            previous => links.0[previous as usize].next = next,
        }
        match next {
            NOWHERE => {
                debug_assert!(self.last == slot, "not in this list");
                self.last = previous;
            }
            next => links.0[next as usize].previous = previous,
        }
        self.length -= 1;
    }
}
