//! Buffers of the lanes: one mapping, so that each begins at a page.

use std::io;

/// A buffer for each lane.
#[derive(Debug)]
pub struct Buffers {
    base: *mut u8,
    length: usize,
    lanes: usize,
}

/// Also what direct I/O asks of addresses.
const PAGE: usize = 4096;

// SAFETY: the mapping is this value's alone.
unsafe impl Send for Buffers {}

impl Buffers {
    /// None.
    pub fn none() -> Self {
        Self { base: std::ptr::null_mut(), length: 0, lanes: 0 }
    }

    /// `lanes` buffers of `length` bytes, every page of them touched.
    pub fn new(lanes: usize, length: usize) -> io::Result<Self> {
        let length = length.next_multiple_of(PAGE);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: a new mapping, anywhere.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), lanes * length, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { base: base.cast(), length, lanes })
    }

    /// How many there are.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Where a lane's buffer begins.
    #[inline]
    pub fn address(&self, lane: usize) -> *mut u8 {
        debug_assert!(lane < self.lanes);
        // SAFETY: within the mapping.
        unsafe { self.base.add(lane * self.length) }
    }

    /// The first four bytes of a lane's buffer.
    #[inline]
    pub fn word(&self, lane: usize) -> u32 {
        // SAFETY: page-aligned, within the mapping, and the kernel is done with it.
        unsafe { self.address(lane).cast::<u32>().read_volatile() }
    }

    /// Writes the first four bytes of a lane's buffer.
    #[inline]
    pub fn set_word(&mut self, lane: usize, word: u32) {
        // SAFETY: as in `word`.
        unsafe { self.address(lane).cast::<u32>().write_volatile(word) }
    }

    /// For registration.
    pub fn vectors(&self) -> Vec<libc::iovec> {
        (0..self.lanes)
            .map(|lane| libc::iovec { iov_base: self.address(lane).cast(), iov_len: self.length })
            .collect()
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        if !self.base.is_null() {
            // SAFETY: the mapping that `new` made. Nothing is in flight when a work is dropped.
            unsafe { libc::munmap(self.base.cast(), self.lanes * self.length) };
        }
    }
}
