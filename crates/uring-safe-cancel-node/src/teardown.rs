//! The end of a ring: when JavaScript has drained it, or when its environment ends.
//!
//! A main thread's `process.exit()`, an uncaught exception and a signal run none of this: the kernel
//! cleans up, and no destructor of ours touches a ring.

use crate::ring::NodeRing;
use napi::sys;
use std::ffi::c_void;
use std::ptr;

/// Makes the environment's end wait for the ring.
///
/// # Safety
///
/// `env` is that of a running callback, and `ring` lives until [`finish`] has run.
pub(crate) unsafe fn guard(env: sys::napi_env, ring: *mut NodeRing) {
    // SAFETY: the caller vouches for both.
    unsafe {
        let handle = &mut (*ring).cleanup;
        sys::napi_add_async_cleanup_hook(env, Some(on_environment_end), ring.cast(), handle);
    }
}

/// The environment ends: no JavaScript runs any more. Blocks until the kernel has let go of everything,
/// or the ring's time to drain is over.
extern "C" fn on_environment_end(_handle: sys::napi_async_cleanup_hook_handle, ring: *mut c_void) {
    let ring = ring.cast::<NodeRing>();
    // SAFETY: the hook is removed before the ring is freed, runs on the environment's thread, and
    // nobody borrows the ring while no callback runs.
    unsafe {
        (*ring).drain_silently();
        finish(ring);
    }
}

/// Closes a ring that has drained: the poll first, then the ring's descriptor.
///
/// # Safety
///
/// `ring` is live, no borrow of it is, and this is its environment's thread.
pub(crate) unsafe fn finish(ring: *mut NodeRing) {
    // SAFETY: the caller vouches for the ring. The borrow ends before the waker stops.
    let (core, waker) = unsafe {
        let ring = &mut *ring;
        ring.completions.forget();
        for reference in &mut ring.references {
            let reference = std::mem::replace(reference, ptr::null_mut());
            if !reference.is_null() {
                sys::napi_delete_reference(ring.env, reference);
            }
        }
        (ring.core.take(), ring.waker.take())
    };
    if let Some(waker) = waker {
        // SAFETY: as above; `stopped` is the last to touch the ring's waker.
        unsafe { waker.stop(ring, stopped) };
    }
    // Nobody polls the ring's descriptor any more, so it closes now: a program that makes and closes
    // rings without an event loop's turn between them would run out of descriptors.
    drop(core);
}

/// Nothing of the waker is left: the environment may end.
///
/// # Safety
///
/// As for [`finish`].
unsafe fn stopped(ring: *mut NodeRing) {
    // SAFETY: the caller vouches for the ring.
    let cleanup = unsafe {
        let ring = &mut *ring;
        std::mem::replace(&mut ring.cleanup, ptr::null_mut())
    };
    if !cleanup.is_null() {
        // SAFETY: the handle is the one that `guard` got, and is removed once.
        unsafe { sys::napi_remove_async_cleanup_hook(cleanup) };
    }
}

/// Frees the ring's box, when the object that carries its functions is collected. A ring that nobody
/// closed is kept: its callback reference keeps the object.
pub(crate) unsafe extern "C" fn on_collected(
    _env: sys::napi_env,
    ring: *mut c_void,
    _hint: *mut c_void,
) {
    let ring = ring.cast::<NodeRing>();
    // SAFETY: the box was made for the object, and its finaliser runs once. While the waker or the hook
    // still knows the pointer (the environment ends), the box stays.
    unsafe {
        if (*ring).core.is_none() && (*ring).cleanup.is_null() {
            drop(Box::from_raw(ring));
        }
    }
}
