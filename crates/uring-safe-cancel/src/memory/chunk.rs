//! A piece of a mapping, and the counted reference to it.

use super::pool::Slab;
use super::Shared;
use std::sync::Arc;

/// Where a piece goes when its last holder is gone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    Class(usize),
    Large,
}

#[derive(Debug)]
pub(super) struct Chunk {
    /// `None` only while it is dropped.
    slab: Option<Arc<Slab>>,
    start: usize,
    origin: Origin,
    arena: Arc<Shared>,
}

impl Chunk {
    pub(super) fn new(slab: Arc<Slab>, start: usize, origin: Origin, arena: Arc<Shared>) -> Self {
        Self { slab: Some(slab), start, origin, arena }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Some(slab) = self.slab.take() {
            self.arena.give_back(slab, self.start, self.origin);
        }
    }
}

/// A part of a piece of core memory, counted: the piece lives as long as any `Memory` on it. Clones
/// are parts of the same piece. The bytes are reached by address only, because the kernel, or whoever
/// holds another clone, may be writing them.
#[derive(Clone, Debug)]
pub struct Memory {
    chunk: Arc<Chunk>,
    address: usize,
    length: usize,
}

impl Memory {
    pub(super) fn new(chunk: Arc<Chunk>, length: usize) -> Self {
        let start = chunk.start;
        // A chunk has its slab until it is dropped, and this one was just handed in.
        let address = chunk.slab.as_ref().map_or(0, |slab| slab.address() + start);
        Self { chunk, address, length }
    }

    /// A part of this part. `None` if it does not lie within.
    pub fn slice(&self, offset: usize, length: usize) -> Option<Self> {
        (offset.checked_add(length)? <= self.length).then(|| Self {
            chunk: Arc::clone(&self.chunk),
            address: self.address + offset,
            length,
        })
    }

    /// Shortens the part to `length` bytes, if it is longer.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// The address of the first byte.
    #[inline]
    pub fn address(&self) -> usize {
        self.address
    }

    /// A pointer to the first byte, good for `len` bytes while this `Memory` (or a clone) lives.
    #[inline]
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.address as *mut u8
    }

    /// How many bytes it has.
    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it has no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether nobody else holds a part of the same piece.
    #[inline]
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.chunk) == 1
    }
}
