//! Core memory that one owner reads and writes.

use crate::memory::{Arena, ArenaError, Memory};
use std::ops::{Deref, DerefMut, Range};

/// Bytes of core memory with one owner: you, or the operation that they were moved into. Made by
/// [`Ring::alloc`](super::Ring::alloc); page-aligned, so good for `O_DIRECT`.
///
/// Operations use the bytes that it dereferences to: all, unless [`Buffer::narrow`] says otherwise.
///
/// ```
/// # use uring_safe_cancel::{tokio::Ring, Options};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
/// #     .block_on(async {
/// # let ring = Ring::new(Options::default())?;
/// let mut buffer = ring.alloc(8)?;
/// buffer.copy_from_slice(b"narrowed");
/// buffer.narrow(0..6);
/// assert_eq!(&*buffer, b"narrow");
/// buffer.widen();
/// assert_eq!(buffer.len(), 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Buffer {
    /// `None` if the kernel still holds the memory.
    whole: Option<Memory>,
    range: Range<usize>,
}

impl Buffer {
    pub(super) fn zeroed(arena: &Arena, length: usize) -> Result<Self, ArenaError> {
        Ok(Self { whole: Some(arena.allocate_zeroed(length)?), range: 0..length })
    }

    pub(super) fn copied(arena: &Arena, bytes: &[u8]) -> Result<Self, ArenaError> {
        let memory = arena.allocate(bytes.len())?;
        // SAFETY: the memory was just allocated with room for the bytes, and nobody else knows it.
        unsafe { memory.as_mut_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(Self { whole: Some(memory), range: 0..bytes.len() })
    }

    /// What is left of a buffer that the kernel still holds: nothing.
    pub(super) fn gone() -> Self {
        Self { whole: None, range: 0..0 }
    }

    /// The part that an operation works on. Whoever calls this must neither read nor write the buffer
    /// until the operation has settled.
    pub(super) fn lend(&self, arena: &Arena) -> Result<Memory, ArenaError> {
        let part = self.whole.as_ref().and_then(|m| m.slice(self.range.start, self.range.len()));
        // A buffer without memory stands for no bytes; the kernel still wants an address.
        part.map_or_else(|| arena.allocate(0), Ok)
    }

    /// How many bytes it has in all, narrowed or not. Zero if the kernel still holds the memory
    /// ([`Error::Stuck`](super::Error::Stuck)).
    pub fn capacity(&self) -> usize {
        self.whole.as_ref().map_or(0, Memory::len)
    }

    /// Restricts it to `range`, counted in bytes from its true beginning and clipped to its
    /// capacity: what the next operation works on, and what it dereferences to.
    pub fn narrow(&mut self, range: Range<usize>) {
        let end = range.end.min(self.capacity());
        self.range = range.start.min(end)..end;
    }

    /// Undoes [`Buffer::narrow`].
    pub fn widen(&mut self) {
        self.range = 0..self.capacity();
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let Some(memory) = &self.whole else { return &[] };
        // SAFETY: the mapping lives as long as `whole`, and was initialised by the kernel (zeros) or
        // later by its users. The range lies within it. Nobody writes meanwhile: a `Buffer` is never
        // cloned, its parts are lent only to operations that own the `Buffer`, and those give it back
        // after their final CQE, or without its memory.
        unsafe {
            std::slice::from_raw_parts(
                memory.as_mut_ptr().add(self.range.start).cast_const(),
                self.range.len(),
            )
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        let Some(memory) = &self.whole else { return &mut [] };
        // SAFETY: as in `deref`; and nobody reads meanwhile, for the same reasons.
        unsafe {
            std::slice::from_raw_parts_mut(
                memory.as_mut_ptr().add(self.range.start),
                self.range.len(),
            )
        }
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buffer")
            .field("range", &self.range)
            .field("capacity", &self.capacity())
            .finish()
    }
}
