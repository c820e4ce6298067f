//! The pieces of an arena that nobody holds, and how they make way for each other.
//!
//! Pieces of a few sizes are cut from slabs. A free piece is *warm* (it was used, and memory stands behind it) or *cold* (its
//! pages are not there until they are touched). Only what is held or warm counts against the limit: what one size has left
//! over serves any other once its pages are discarded, and a piece that somebody keeps holds up no more than itself.
//! What stays is the cold pieces' place among the addresses, for each size at most as much as it once had in use.

use super::chunk::Origin;
use super::mapping::{self, Mapping};
use super::{poison, ArenaError, ArenaUse};
use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;

/// Pieces of these sizes are cut from slabs and used again. Larger requests get a mapping of their size.
/// The first is for what only the core reads (a path, a timespec): a million sleeps must not need a page
/// each. The others are whole pages, so that data is aligned for O_DIRECT.
pub(super) const CLASSES: [usize; 5] = [256, 4 << 10, 16 << 10, 64 << 10, 256 << 10];
/// A slab: large enough that mapping is rare, small enough that one can be free of pieces.
pub(super) const SLAB_BYTES: usize = 1 << 20;
/// How many bytes of large mappings are kept for the next request of the same size: mapping and
/// faulting a mebibyte costs more than copying it.
const IDLE_BYTES: usize = 64 << 20;
/// How many free bytes of all kinds are kept: what a burst needed and nobody needs any more goes back.
pub(super) const FREE_BYTES: usize = 2 * IDLE_BYTES;

/// A mapping, of pieces or of one.
#[derive(Debug)]
pub(super) struct Slab {
    mapping: Mapping,
    /// How many of its pieces somebody holds.
    held: Cell<u32>,
}

// SAFETY: the count is touched under the pool's lock only; the mapping is `Sync` itself.
unsafe impl Sync for Slab {}

impl Slab {
    fn new(bytes: usize) -> std::io::Result<Self> {
        let mapping = Mapping::new(bytes)?;
        poison::forbid(mapping.address().as_ptr() as usize, bytes);
        Ok(Self { mapping, held: Cell::new(0) })
    }

    pub(super) fn length(&self) -> usize {
        self.mapping.length()
    }

    pub(super) fn address(&self) -> usize {
        self.mapping.address().as_ptr() as usize
    }
}

/// A piece on its way to its first holder.
pub(super) struct Piece {
    pub(super) slab: Arc<Slab>,
    pub(super) start: usize,
    pub(super) origin: Origin,
    /// Whether all its bytes are known to be zeros.
    pub(super) is_zero: bool,
}

type Warm = (Arc<Slab>, usize);

#[derive(Debug)]
struct Cold {
    slab: Arc<Slab>,
    start: usize,
    is_zero: bool,
}

#[derive(Debug, Default)]
pub(super) struct Pool {
    usage: ArenaUse,
    warm: [Vec<Warm>; CLASSES.len()],
    cold: [Vec<Cold>; CLASSES.len()],
    /// Large ones.
    idle: Vec<Arc<Slab>>,
    idle_bytes: usize,
    /// How many pieces came back since the last [`Pool::reclaim`].
    returned: usize,
    /// Nobody will ask for memory any more.
    is_retired: bool,
}

impl Pool {
    pub(super) fn usage(&self) -> ArenaUse {
        self.usage
    }

    pub(super) fn retire(&mut self) {
        self.is_retired = true;
        self.returned += 1;
        self.reclaim();
    }

    pub(super) fn take_class(&mut self, class: usize, limit: usize) -> Result<Piece, ArenaError> {
        let size = CLASSES[class];
        let origin = Origin::Class(class);
        if let Some((slab, start)) = self.warm[class].pop() {
            slab.held.set(slab.held.get() + 1);
            self.usage.held += size;
            return Ok(Piece { slab, start, origin, is_zero: false });
        }
        self.make_room(size, limit)?;
        if self.cold[class].is_empty() {
            let slab = Arc::new(self.map(SLAB_BYTES)?);
            let starts = (0..SLAB_BYTES).step_by(size).rev();
            let pieces = starts.map(|start| Cold { slab: Arc::clone(&slab), start, is_zero: true });
            self.cold[class].extend(pieces);
        }
        let Some(Cold { slab, start, is_zero }) = self.cold[class].pop() else {
            unreachable!("a slab has a piece")
        };
        slab.held.set(slab.held.get() + 1);
        self.usage.mapped += size;
        self.usage.held += size;
        Ok(Piece { slab, start, origin, is_zero })
    }

    pub(super) fn take_large(&mut self, length: usize, limit: usize) -> Result<Piece, ArenaError> {
        let size = mapping::round_up(length).ok_or_else(|| self.full(length, limit))?;
        let found = self.idle.iter().rposition(|slab| slab.length() == size);
        let (slab, is_zero) = if let Some(index) = found {
            self.idle_bytes -= size;
            (self.idle.swap_remove(index), false)
        } else {
            self.make_room(size, limit)?;
            let slab = Arc::new(self.map(size)?);
            self.usage.mapped += size;
            (slab, true)
        };
        self.usage.held += size;
        Ok(Piece { slab, start: 0, origin: Origin::Large, is_zero })
    }

    /// Takes a piece back that nobody holds.
    pub(super) fn give_back(&mut self, slab: Arc<Slab>, start: usize, origin: Origin) {
        self.returned += 1;
        match origin {
            Origin::Class(class) => {
                slab.held.set(slab.held.get() - 1);
                self.usage.held -= CLASSES[class];
                self.warm[class].push((slab, start));
            }
            Origin::Large => {
                let size = slab.length();
                self.usage.held -= size;
                if self.idle_bytes + size <= IDLE_BYTES {
                    self.idle_bytes += size;
                    self.idle.push(slab);
                } else {
                    self.usage.mapped -= size;
                }
            }
        }
        if self.is_due() {
            self.reclaim();
        }
    }

    /// Lets what is free make way, if `size` bytes more would be too many.
    fn make_room(&mut self, size: usize, limit: usize) -> Result<(), ArenaError> {
        if self.usage.mapped.saturating_add(size) > limit {
            self.reclaim();
        }
        if self.usage.mapped.saturating_add(size) > limit {
            return Err(self.full(size, limit));
        }
        Ok(())
    }

    fn map(&mut self, bytes: usize) -> Result<Slab, ArenaError> {
        Slab::new(bytes).or_else(|_| {
            // The process may be short of addresses or mappings, some of which are ours.
            self.reclaim();
            Slab::new(bytes).map_err(ArenaError::Map)
        })
    }

    fn full(&self, requested: usize, limit: usize) -> ArenaError {
        ArenaError::Full { requested, held: self.usage.held, limit }
    }

    /// Whether it is time to give memory back. Looking costs as much as there is free, so it must have grown by half.
    fn is_due(&self) -> bool {
        let ArenaUse { mapped, held } = self.usage;
        if !self.is_retired && mapped - held <= FREE_BYTES {
            return false;
        }
        let pieces = self.idle.len() + self.warm.iter().map(Vec::len).sum::<usize>();
        held == 0 || 2 * self.returned >= pieces
    }

    /// Gives back what nobody holds: unmaps large mappings, and slabs whose pieces have all come back; discards the pages of
    /// the other free pieces.
    fn reclaim(&mut self) {
        if std::mem::take(&mut self.returned) == 0 {
            return;
        }
        self.usage.mapped -= std::mem::take(&mut self.idle_bytes);
        self.idle.clear();
        for (class, size) in CLASSES.into_iter().enumerate() {
            let mut warm = std::mem::take(&mut self.warm[class]);
            self.usage.mapped -= warm.len() * size;
            let is_empty = |slab: &Slab| slab.held.get() == 0;
            let mut empty = HashSet::new();
            warm.retain(|(slab, _)| {
                if is_empty(slab) {
                    empty.insert(slab.address());
                }
                !is_empty(slab)
            });
            let mut discarded = cool(warm, size);
            if !empty.is_empty() {
                self.cold[class].retain(|piece| !is_empty(&piece.slab));
            }
            self.cold[class].append(&mut discarded);
        }
    }
}

/// Discards the pages of free pieces, those that are neighbours together.
fn cool(mut warm: Vec<Warm>, size: usize) -> Vec<Cold> {
    // From the last to the first: a pool takes from the end.
    warm.sort_unstable_by_key(|(slab, start)| std::cmp::Reverse((slab.address(), *start)));
    let runs = warm.chunk_by(|one, next| Arc::ptr_eq(&one.0, &next.0) && one.1 == next.1 + size);
    let mut cold = Vec::with_capacity(warm.len());
    for run in runs {
        let (Some((slab, end)), Some((_, first))) = (run.first(), run.last()) else { continue };
        let is_zero = slab.mapping.discard(*first, end + size - first);
        cold.extend(run.iter().map(|&(ref slab, start)| Cold {
            slab: Arc::clone(slab),
            start,
            is_zero,
        }));
    }
    cold
}
