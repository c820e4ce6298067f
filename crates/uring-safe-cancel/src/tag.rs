//! The identity that every SQE carries in its `user_data`.

/// What kind of SQE a tag belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// An operation that a client asked for.
    Target = 0,
    /// A cancel of the operation that has the same slot and generation.
    Cancel = 1,
    /// The ring's one timer.
    Timer = 2,
    /// A change of the ring's one timer.
    TimerUpdate = 3,
}

/// Names one operation for as long as the process lives: a slot of the in-flight table and the
/// generation that occupies it. A key that outlived its operation is recognised as stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u64,
}

impl Key {
    /// The slot's index in the in-flight table.
    pub fn slot(self) -> u32 {
        self.slot
    }

    /// How often the slot had been taken when this operation took it.
    pub fn generation(self) -> u64 {
        self.generation
    }
}

/// The `user_data` of an SQE: slot, generation and kind, never a pointer, so that a late cancel can
/// only miss, and never hit a later operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(u64);

/// 2^24 slots: more than the table's upper bound, [`crate::ring::MAX_SLOTS`].
const SLOT_BITS: u32 = 24;
/// 2^37 generations a slot. A slot is reused only after every CQE that names it has arrived, so that
/// even a wrap-around (four hours of ten million operations a second in one slot) confuses nothing.
const GENERATION_BITS: u32 = 37;
const KIND_BITS: u32 = 3;
const _: () = assert!(SLOT_BITS + GENERATION_BITS + KIND_BITS == 64);

/// The highest slot index that a tag can hold.
pub const MAX_SLOT: u32 = (1 << SLOT_BITS) - 1;
/// Generations are counted modulo this mask.
pub const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;

impl Tag {
    /// The tag of `kind` for `key`.
    pub fn new(kind: Kind, key: Key) -> Self {
        debug_assert!(key.slot <= MAX_SLOT);
        debug_assert!(key.generation <= GENERATION_MASK);
        Self(
            (key.generation << (SLOT_BITS + KIND_BITS))
                | (u64::from(key.slot) << KIND_BITS)
                | kind as u64,
        )
    }

    /// Reads a `user_data` back; `None` if no tag of ours looks like that.
    pub fn from_user_data(user_data: u64) -> Option<Self> {
        (user_data & ((1 << KIND_BITS) - 1) <= Kind::TimerUpdate as u64).then_some(Self(user_data))
    }

    /// The value for the SQE.
    pub fn user_data(self) -> u64 {
        self.0
    }

    /// What kind of SQE this is.
    pub fn kind(self) -> Kind {
        match self.0 & ((1 << KIND_BITS) - 1) {
            0 => Kind::Target,
            1 => Kind::Cancel,
            2 => Kind::Timer,
            _ => Kind::TimerUpdate,
        }
    }

    /// The operation (or, for the timer's kinds, the arming) that it names.
    pub fn key(self) -> Key {
        Key {
            slot: ((self.0 >> KIND_BITS) as u32) & MAX_SLOT,
            generation: self.0 >> (SLOT_BITS + KIND_BITS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clause_6_a_tag_gives_back_its_slot_generation_and_kind() {
        for kind in [Kind::Target, Kind::Cancel, Kind::Timer, Kind::TimerUpdate] {
            for slot in [0, 1, 77_777, MAX_SLOT] {
                for generation in [0, 1, 1 << 32, GENERATION_MASK] {
                    let key = Key { slot, generation };
                    let tag = Tag::from_user_data(Tag::new(kind, key).user_data()).unwrap();
                    assert_eq!((tag.kind(), tag.key()), (kind, key));
                }
            }
        }
        assert_eq!(Tag::from_user_data(u64::MAX), None, "a kind that is not ours");
    }
}
