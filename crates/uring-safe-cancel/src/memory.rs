//! The memory that the kernel may see: pages that the core mapped itself, and nothing else.
//!
//! An [`Arena`] hands out [`Memory`], a counted reference to a piece of a mapping. The in-flight table
//! holds one for each operation until the final CQE, a client may hold others (a JavaScript
//! ArrayBuffer, a tokio client's buffer), and the piece is used again only after the last one is gone.

mod chunk;
mod mapping;
mod poison;
mod pool;
#[cfg(test)]
mod tests;

pub use chunk::Memory;
use chunk::{Chunk, Origin};
use pool::{Pool, CLASSES};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SMALL: usize = 0;
const SMALLEST_OF_PAGES: usize = 1;

/// How much of an arena is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArenaUse {
    /// Bytes in pieces that somebody holds, or that are kept for the next request.
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
    pool: Mutex<Pool>,
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
    /// An arena of at most `limit` bytes. A request is served if it fits beside what is held, however the arena was used
    /// before.
    pub fn new(limit: usize) -> Self {
        Self { shared: Arc::new(Shared { limit, pool: Mutex::default() }) }
    }

    /// The most it holds, or keeps for the next request, in bytes.
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// Nobody will ask for memory any more: what is free is unmapped now, and the rest when it comes back.
    pub fn retire(&self) {
        self.shared.lock().retire();
    }

    /// What is in use now.
    pub fn usage(&self) -> ArenaUse {
        self.shared.lock().usage()
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
        let (memory, is_zero) = self.take(length, SMALLEST_OF_PAGES)?;
        if !is_zero {
            // SAFETY: the piece was just taken: nobody else holds it, and its mapping is live.
            unsafe { std::ptr::write_bytes(memory.as_mut_ptr(), 0, length) };
        }
        Ok(memory)
    }

    fn take(&self, length: usize, smallest: usize) -> Result<(Memory, bool), ArenaError> {
        let fitting = (smallest..CLASSES.len()).find(|&class| length <= CLASSES[class]);
        let mut pool = self.shared.lock();
        let pool::Piece { slab, start, origin, is_zero } = match fitting {
            Some(class) => pool.take_class(class, self.shared.limit)?,
            None => pool.take_large(length, self.shared.limit)?,
        };
        drop(pool);
        poison::allow(slab.address() + start, length);
        let chunk = Chunk::new(slab, start, origin, Arc::clone(&self.shared));
        Ok((Memory::new(Arc::new(chunk), length), is_zero))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pool> {
        // No code that can panic runs under the lock in a way that leaves the pool half changed.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a piece back whose last holder is gone.
    fn give_back(&self, slab: Arc<pool::Slab>, start: usize, origin: Origin) {
        let size = match origin {
            Origin::Class(class) => CLASSES[class],
            Origin::Large => slab.length(),
        };
        poison::forbid(slab.address() + start, size);
        self.lock().give_back(slab, start, origin);
    }
}
