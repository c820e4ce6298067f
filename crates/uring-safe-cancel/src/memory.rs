//! The memory that the kernel may see: pages that the core mapped itself, and nothing else.
//!
//! An [`Arena`] hands out [`Memory`], a counted reference to a piece of a mapping. The in-flight table
//! holds one for each operation until the final CQE, a client may hold others (a JavaScript
//! ArrayBuffer, a tokio client's buffer), and the piece is used again only after the last one is gone.

mod chunk;
mod mapping;
mod poison;

pub use chunk::Memory;
use chunk::{Chunk, Origin};
use mapping::Mapping;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Pieces of these sizes are cut from slabs and used again. Larger requests get a mapping of their size.
/// The first is for what only the core reads (a path, a timespec): a million sleeps must not need a page
/// each. The others are whole pages, so that data is aligned for O_DIRECT.
const CLASSES: [usize; 5] = [256, 4 << 10, 16 << 10, 64 << 10, 256 << 10];
const SMALL: usize = 0;
const SMALLEST_OF_PAGES: usize = 1;
/// A slab: large enough that mapping is rare, small enough that a ring with one read costs little
/// (untouched pages cost nothing).
const SLAB_BYTES: usize = 1 << 20;
/// A slab is at most this part of an arena, so that the pieces of one size do not use a small one up.
const SLAB_SHARE: usize = 16;
/// How many bytes of large mappings are kept for the next request of the same size: mapping and
/// faulting a mebibyte costs more than copying it.
const IDLE_BYTES: usize = 64 << 20;
/// How many free bytes of all kinds are kept: what a burst needed and nobody needs any more goes back.
const FREE_BYTES: usize = 2 * IDLE_BYTES;

/// How much of an arena is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArenaUse {
    /// Bytes mapped, in use or kept for later.
    pub mapped: usize,
    /// Bytes in pieces that somebody holds.
    pub held: usize,
}

/// A bounded source of core memory. Clones share it; it can be used from any thread.
#[derive(Clone, Debug)]
pub struct Arena {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    usage: ArenaUse,
    free: [Vec<(Arc<Mapping>, usize)>; CLASSES.len()],
    idle: Vec<Mapping>,
    idle_bytes: usize,
    /// How many pieces came back since the last [`State::reclaim`].
    returned: usize,
    /// Nobody will ask for memory any more.
    is_retired: bool,
}

impl State {
    /// Whether it is time to unmap. Looking costs as much as there is free, so it must have grown by half.
    fn is_due(&self) -> bool {
        let ArenaUse { mapped, held } = self.usage;
        if !self.is_retired && mapped - held <= FREE_BYTES {
            return false;
        }
        let pieces = self.idle.len() + self.free.iter().map(Vec::len).sum::<usize>();
        held == 0 || 2 * self.returned >= pieces
    }

    /// Unmaps what nobody holds: idle mappings, and slabs whose pieces have all come back.
    fn reclaim(&mut self) {
        if std::mem::take(&mut self.returned) == 0 {
            return;
        }
        self.usage.mapped -= std::mem::take(&mut self.idle_bytes);
        self.idle.clear();
        for free in &mut self.free {
            let mut pieces: HashMap<usize, usize> = HashMap::new();
            for (slab, _) in free.iter() {
                *pieces.entry(slab.address().as_ptr() as usize).or_default() += 1;
            }
            // A slab is counted by its free pieces here, and by each that somebody holds.
            for (slab, _) in free.iter() {
                let address = slab.address().as_ptr() as usize;
                if pieces.get(&address).is_some_and(|&count| count < Arc::strong_count(slab)) {
                    pieces.remove(&address);
                }
            }
            free.retain(|(slab, _)| {
                let is_free = pieces.contains_key(&(slab.address().as_ptr() as usize));
                if is_free && Arc::strong_count(slab) == 1 {
                    self.usage.mapped -= slab.length();
                }
                !is_free
            });
        }
    }
}

/// Why an [`Arena`] gave no memory.
#[derive(Debug)]
pub enum ArenaError {
    /// It would hold more than its limit.
    Full {
        /// What was asked for, in bytes.
        requested: usize,
        /// What is held, in bytes.
        held: usize,
        /// The arena's limit, in bytes.
        limit: usize,
    },
    /// The kernel refused to map.
    Map(io::Error),
}

impl std::fmt::Display for ArenaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full { requested, held, limit } => {
                write!(f, "{requested} bytes do not fit: {held} of the arena's {limit} are in use")
            }
            Self::Map(error) => write!(f, "mapping memory failed: {error}"),
        }
    }
}

impl std::error::Error for ArenaError {}

impl Arena {
    /// An arena that maps at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { shared: Arc::new(Shared { limit, state: Mutex::default() }) }
    }

    /// The most it maps, in bytes.
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// Nobody will ask for memory any more: what is free is unmapped now, and the rest when it comes back.
    pub fn retire(&self) {
        let mut state = self.shared.lock();
        state.is_retired = true;
        state.returned += 1;
        state.reclaim();
    }

    /// What is in use now.
    pub fn usage(&self) -> ArenaUse {
        self.shared.lock().usage
    }

    /// At least one page-aligned piece of `length` bytes, with whatever was left in it.
    pub fn allocate(&self, length: usize) -> Result<Memory, ArenaError> {
        self.take(length, SMALLEST_OF_PAGES).map(|(memory, _)| memory)
    }

    /// The same for what no device sees: aligned to 256 bytes only, and cheap if it is short.
    pub fn allocate_small(&self, length: usize) -> Result<Memory, ArenaError> {
        self.take(length, SMALL).map(|(memory, _)| memory)
    }

    /// The same, filled with zeros.
    pub fn allocate_zeroed(&self, length: usize) -> Result<Memory, ArenaError> {
        let (memory, is_fresh) = self.take(length, SMALLEST_OF_PAGES)?;
        if !is_fresh {
            // SAFETY: the piece was just taken: nobody else holds it, and its mapping is live.
            unsafe { std::ptr::write_bytes(memory.as_mut_ptr(), 0, length) };
        }
        Ok(memory)
    }

    fn take(&self, length: usize, smallest: usize) -> Result<(Memory, bool), ArenaError> {
        let fitting = (smallest..CLASSES.len()).find(|&class| length <= CLASSES[class]);
        let (mapping, start, origin, is_fresh) = match fitting {
            Some(class) => self.shared.take_class(class)?,
            None => self.shared.take_large(length)?,
        };
        poison::allow(mapping.address().as_ptr() as usize + start, length);
        let chunk = Chunk::new(mapping, start, origin, Arc::clone(&self.shared));
        Ok((Memory::new(Arc::new(chunk), length), is_fresh))
    }
}

type Piece = (Arc<Mapping>, usize, Origin, bool);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock in a way that leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_class(&self, class: usize) -> Result<Piece, ArenaError> {
        let size = CLASSES[class];
        let mut state = self.lock();
        if let Some((mapping, start)) = state.free[class].pop() {
            state.usage.held += size;
            return Ok((mapping, start, Origin::Class(class), false));
        }
        // A small arena is used up by smaller slabs.
        let room = self.limit.saturating_sub(state.usage.mapped);
        let bytes = SLAB_BYTES.min(self.limit / SLAB_SHARE).min(room) / size * size;
        let slab = self.map(&mut state, bytes.max(size).max(CLASSES[SMALLEST_OF_PAGES]))?;
        let slab = Arc::new(slab);
        for start in (size..slab.length()).step_by(size).rev() {
            state.free[class].push((Arc::clone(&slab), start));
        }
        state.usage.held += size;
        Ok((slab, 0, Origin::Class(class), true))
    }

    fn take_large(&self, length: usize) -> Result<Piece, ArenaError> {
        let mut state = self.lock();
        let size = mapping::round_up(length).ok_or_else(|| self.full(&state, length))?;
        let found = state.idle.iter().rposition(|mapping| mapping.length() == size);
        let (mapping, is_fresh) = match found {
            Some(index) => {
                state.idle_bytes -= size;
                (state.idle.swap_remove(index), false)
            }
            None => (self.map(&mut state, size)?, true),
        };
        state.usage.held += size;
        Ok((Arc::new(mapping), 0, Origin::Large, is_fresh))
    }

    fn map(&self, state: &mut State, size: usize) -> Result<Mapping, ArenaError> {
        if state.usage.mapped.saturating_add(size) > self.limit {
            state.reclaim();
        }
        if state.usage.mapped.saturating_add(size) > self.limit {
            return Err(self.full(state, size));
        }
        let mapping = Mapping::new(size).map_err(ArenaError::Map)?;
        poison::forbid(mapping.address().as_ptr() as usize, size);
        state.usage.mapped += size;
        Ok(mapping)
    }

    fn full(&self, state: &State, requested: usize) -> ArenaError {
        ArenaError::Full { requested, held: state.usage.held, limit: self.limit }
    }

    /// Takes a piece back whose last holder is gone.
    fn give_back(&self, mapping: Arc<Mapping>, start: usize, origin: Origin) {
        let size = match origin {
            Origin::Class(class) => CLASSES[class],
            Origin::Large => mapping.length(),
        };
        poison::forbid(mapping.address().as_ptr() as usize + start, size);
        let mut state = self.lock();
        state.returned += 1;
        match origin {
            Origin::Class(class) => {
                state.usage.held -= size;
                state.free[class].push((mapping, start));
            }
            Origin::Large => {
                state.usage.held -= size;
                match Arc::try_unwrap(mapping) {
                    Ok(mapping) if state.idle_bytes + size <= IDLE_BYTES => {
                        state.idle_bytes += size;
                        state.idle.push(mapping);
                    }
                    _ => state.usage.mapped -= size,
                }
            }
        }
        if state.is_due() {
            state.reclaim();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clause_3_a_piece_is_reused_only_after_its_last_holder_is_gone() {
        let arena = Arena::new(4 << 20);
        let first = arena.allocate(4096).unwrap();
        let address = first.address();
        let also_first = first.clone();
        drop(first);
        let second = arena.allocate(4096).unwrap();
        assert_ne!(second.address(), address, "the clone still holds the piece");
        drop(also_first);
        assert_eq!(arena.allocate(4096).unwrap().address(), address);
    }

    #[test]
    fn clause_7_what_a_burst_needed_is_unmapped_when_it_comes_back() {
        for size in [4 << 10, 256 << 10, 1 << 20] {
            let arena = Arena::new(1 << 30);
            let burst: Vec<_> =
                (0..(400 << 20) / size).map(|_| arena.allocate(size).unwrap()).collect();
            assert!(arena.usage().held >= 400 << 20);
            drop(burst);
            let ArenaUse { mapped, held } = arena.usage();
            assert_eq!(held, 0);
            assert!(mapped <= FREE_BYTES + SLAB_BYTES, "{mapped} bytes of pieces of {size}");
            assert!(mapped > 0, "some is kept for the next");
        }
    }

    #[test]
    fn clause_7_a_retired_arena_keeps_nothing_but_what_is_held() {
        let arena = Arena::new(1 << 30);
        let kept = arena.allocate(4 << 10).unwrap();
        let mut others: Vec<_> = (0..1000).map(|_| arena.allocate(4 << 10).unwrap()).collect();
        let large = arena.allocate(2 << 20).unwrap();
        drop(others.split_off(500));
        let before = arena.usage().mapped;
        arena.retire();
        assert!(arena.usage().mapped < before, "what was free");
        drop(large);
        drop(others);
        assert!(arena.usage().mapped <= 2 * SLAB_BYTES, "{:?}", arena.usage());
        drop(kept);
        assert_eq!(arena.usage(), ArenaUse::default());
    }

    #[test]
    fn clause_7_the_limit_is_an_error_that_says_how_much_is_held() {
        let arena = Arena::new(1 << 20);
        let held = arena.allocate(512 << 10).unwrap();
        let error = arena.allocate(600 << 10).unwrap_err();
        assert!(matches!(
            error,
            ArenaError::Full { requested: 614_400, held: 524_288, limit: 1_048_576 }
        ));
        drop(held);
        arena.allocate(600 << 10).expect("idle mappings make way");
    }

    #[test]
    fn clause_7_what_is_free_in_one_size_makes_way_for_any_other() {
        let arena = Arena::new(4 << 20);
        for length in [4 << 10, 16 << 10, 64 << 10, 256 << 10, 3 << 20, 1, 70_000] {
            let mut pieces = Vec::new();
            while let Ok(piece) = arena.allocate(length) {
                pieces.push(piece);
            }
            let usage = arena.usage();
            assert!(usage.held > 2 << 20, "{length}: only {} bytes were to be had", usage.held);
            assert!(usage.mapped <= 4 << 20);
            // Every slab keeps one: none may be unmapped under it.
            pieces.truncate(1);
            let kept = pieces.pop().unwrap();
            // SAFETY: this test alone holds the piece.
            unsafe { kept.as_mut_ptr().write_bytes(0xAA, length) };
            let other = if length > 16 << 10 { 4 << 10 } else { 64 << 10 };
            let others: Vec<_> = std::iter::from_fn(|| arena.allocate(other).ok()).collect();
            assert!(!others.is_empty(), "{length}");
            // SAFETY: as above.
            assert!(unsafe { kept.as_mut_ptr().read() } == 0xAA);
        }
        assert_eq!(arena.usage().held, 0);
    }

    #[test]
    fn clause_7_one_size_of_a_small_arena_leaves_room_for_the_others() {
        let arena = Arena::new(1 << 20);
        let _large = arena.allocate(256 << 10).unwrap();
        let _larger = arena.allocate(300 << 10).unwrap();
        for _ in 0..4 {
            std::mem::forget(arena.allocate(64 << 10).expect("half of the arena is free"));
        }
    }

    #[test]
    fn zeroed_memory_is_zero_also_the_second_time() {
        let arena = Arena::new(16 << 20);
        for length in [100, 5000, 3 << 20] {
            for _ in 0..2 {
                let memory = arena.allocate_zeroed(length).unwrap();
                // SAFETY: this test alone holds the piece.
                let bytes = unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr(), length) };
                assert!(bytes.iter().all(|&byte| byte == 0));
                bytes.fill(0xAA);
            }
        }
        assert_eq!(arena.usage().held, 0);
    }

    #[test]
    fn a_hundred_thousand_small_pieces_need_no_page_each() {
        let arena = Arena::new(64 << 20);
        let pieces: Vec<_> = (0..100_000).map(|_| arena.allocate_small(16).unwrap()).collect();
        assert!(pieces.iter().all(|piece| piece.address() % 256 == 0));
        assert_eq!(arena.usage().held, 100_000 * 256);
        drop(pieces);
        assert_eq!(arena.usage().held, 0);
        arena.allocate(60 << 20).expect("their slabs make way");
    }

    #[cfg(asan)]
    #[test]
    fn clause_3_what_nobody_holds_is_forbidden() {
        use poison::is_forbidden;
        let arena = Arena::new(64 << 20);
        for length in [1, 100, 4096, 5000, 300_000, 3 << 20] {
            let memory = arena.allocate(length).unwrap();
            let (first, last) = (memory.address(), memory.address() + length - 1);
            assert!(!is_forbidden(first) && !is_forbidden(last), "{length}");
            assert!(length % 4096 == 0 || is_forbidden(last + 1), "{length}: what is beyond it");
            let other = memory.clone();
            drop(memory);
            assert!(!is_forbidden(first), "{length}: it is still held");
            drop(other);
            assert!(is_forbidden(first) && is_forbidden(last), "{length}");
        }
    }

    #[test]
    fn every_piece_is_page_aligned() {
        let arena = Arena::new(64 << 20);
        let pieces: Vec<_> = [1, 4096, 4097, 70_000, 300_000, 2_000_000]
            .iter()
            .map(|&length| arena.allocate(length).unwrap())
            .collect();
        assert!(pieces.iter().all(|piece| piece.address() % 4096 == 0));
    }
}
