//! Tells AddressSanitizer which core memory nobody may touch: free pieces, and what a piece has beyond the
//! length that was asked for. It knows the heap by itself, but nothing of pieces of our own mappings.
//!
//! Only in a build with `--cfg asan`, which `npm run test:asan` makes; otherwise both do nothing.

#[cfg(asan)]
mod runtime {
    use std::ffi::c_void;

    unsafe extern "C" {
        pub(super) fn __asan_poison_memory_region(address: *const c_void, length: usize);
        pub(super) fn __asan_unpoison_memory_region(address: *const c_void, length: usize);
    }
}

/// Whether a byte is forbidden.
#[cfg(all(test, asan))]
pub(super) fn is_forbidden(address: usize) -> bool {
    unsafe extern "C" {
        fn __asan_address_is_poisoned(address: *const std::ffi::c_void) -> i32;
    }
    // SAFETY: the runtime only looks into memory of its own.
    unsafe { __asan_address_is_poisoned(address as *const _) != 0 }
}

/// Forbids these bytes.
#[inline]
pub(super) fn forbid(address: usize, length: usize) {
    #[cfg(asan)]
    // SAFETY: the runtime only notes the range in memory of its own.
    unsafe {
        runtime::__asan_poison_memory_region(address as *const _, length);
    }
    #[cfg(not(asan))]
    let _ = (address, length);
}

/// Allows them again.
#[inline]
pub(super) fn allow(address: usize, length: usize) {
    #[cfg(asan)]
    // SAFETY: as above.
    unsafe {
        runtime::__asan_unpoison_memory_region(address as *const _, length);
    }
    #[cfg(not(asan))]
    let _ = (address, length);
}
