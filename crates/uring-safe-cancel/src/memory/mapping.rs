//! One anonymous mapping.

use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;

/// Rounds up to whole pages of 4 KiB, the smallest that Linux has on the machines we build for; where
/// pages are larger, mmap rounds further by itself. `None` on overflow.
pub(super) fn round_up(length: usize) -> Option<usize> {
    const PAGE: usize = 4096;
    Some(length.checked_add(PAGE - 1)? / PAGE * PAGE)
}

/// The pages of this machine: 4 KiB, or more on some arm64.
pub(super) fn page_bytes() -> usize {
    static PAGE: OnceLock<usize> = OnceLock::new();
    *PAGE.get_or_init(|| {
        // SAFETY: the call takes a number, and gives one.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(1 << 16)
    })
}

/// Pages of our own, unmapped on drop.
#[derive(Debug)]
pub(super) struct Mapping {
    address: NonNull<u8>,
    length: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and has no interior state.
unsafe impl Send for Mapping {}
// SAFETY: as above; access to the bytes is the holders' business, see `Memory`.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(super) fn new(length: usize) -> io::Result<Self> {
        // SAFETY: an anonymous mapping at an address of the kernel's choice disturbs no other one.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the range is the mapping just made. MADV_DONTFORK: a fork during a direct read would
        // leave the parent with a copy of the page, and the device with the original.
        if unsafe { libc::madvise(address, length, libc::MADV_DONTFORK) } != 0 {
            let error = io::Error::last_os_error();
            // SAFETY: as above, and nobody else knows the mapping yet.
            unsafe { libc::munmap(address, length) };
            return Err(error);
        }
        let address = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { address, length })
    }

    /// Gives the pages back that lie in a part of it whole; the part stays where it is. True if all of its bytes are zeros
    /// then. The caller knows that nobody holds the part.
    pub(super) fn discard(&self, start: usize, length: usize) -> bool {
        let page = page_bytes();
        let (first, end) = (start.next_multiple_of(page), (start + length) / page * page);
        if first >= end {
            return false;
        }
        // SAFETY: the range lies in this mapping, and what was in it is nobody's.
        let answer = unsafe {
            let address = self.address.as_ptr().add(first);
            libc::madvise(address.cast(), end - first, libc::MADV_DONTNEED)
        };
        answer == 0 && first == start && end == start + length
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    pub(super) fn address(&self) -> NonNull<u8> {
        self.address
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // Whoever maps these addresses next may use them.
        super::poison::allow(self.address.as_ptr() as usize, self.length);
        // SAFETY: the range is this mapping's own, and its last holder is gone.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.length) };
    }
}
