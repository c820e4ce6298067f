//! The end of a ring: when JavaScript has drained it, or when its environment ends.
//!
//! A main thread's `process.exit()`, an uncaught exception and a signal run none of this: the kernel
//! cleans up, and no destructor of ours touches a ring.

use crate::budget;
use crate::ring::{Cleanup, NodeRing};
use napi::sys;
use std::ffi::c_void;
use std::ptr;

/// Makes the environment's end wait for the ring.
///
/// # Safety
///
/// `env` is that of a running callback, and `ring` lives until [`stopped`] has run.
pub(crate) unsafe fn guard(env: sys::napi_env, ring: *mut NodeRing, uses_uv: bool) {
    // SAFETY: the caller vouches for both.
    unsafe {
        if uses_uv {
            let mut handle = ptr::null_mut();
            sys::napi_add_async_cleanup_hook(env, Some(on_end_with_uv), ring.cast(), &mut handle);
            (*ring).cleanup = Cleanup::Asynchronous(handle);
        } else {
            sys::napi_add_env_cleanup_hook(env, Some(on_end), ring.cast());
            (*ring).cleanup = Cleanup::Plain;
        }
    }
}

extern "C" fn on_end_with_uv(_handle: sys::napi_async_cleanup_hook_handle, ring: *mut c_void) {
    // SAFETY: the hook is removed before the ring is freed, and runs on the environment's thread.
    unsafe { end(ring.cast()) };
}

unsafe extern "C" fn on_end(ring: *mut c_void) {
    let ring = ring.cast::<NodeRing>();
    // SAFETY: as above. The hook is running: it is not there to be removed any more.
    unsafe {
        (*ring).cleanup = Cleanup::None;
        end(ring);
    }
}

/// The environment ends: no JavaScript runs any more. Blocks until the kernel has let go of everything,
/// or the ring's time to drain is over.
///
/// # Safety
///
/// As for [`finish`].
unsafe fn end(ring: *mut NodeRing) {
    // SAFETY: the caller vouches for the ring.
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
    budget::forget(ring.cast());
    // SAFETY: the caller vouches for the ring. The borrow ends before the waker stops.
    let (core, waker) = unsafe {
        let ring = &mut *ring;
        // Nothing puts it back: its waker stops here.
        ring.is_queued = true;
        ring.completions.forget();
        ring.release_all();
        let callback = std::mem::replace(&mut ring.callback, ptr::null_mut());
        if !callback.is_null() {
            sys::napi_delete_reference(ring.env, callback);
        }
        (ring.core.take(), ring.waker.take())
    };
    if let Some(waker) = waker {
        // SAFETY: as above; `stopped` is the last to touch the ring's waker.
        unsafe { waker.stop(stopped) };
    }
    // Nobody polls the ring's descriptor any more, so it closes now: a program that makes and closes
    // rings without an event loop's turn between them would run out of descriptors.
    drop(core);
}

/// Nothing of the waker is left: the environment may end.
///
/// # Safety
///
/// As for [`finish`], of `data`.
unsafe fn stopped(data: *mut c_void) {
    let ring = data.cast::<NodeRing>();
    // SAFETY: the caller vouches for the ring.
    let (env, cleanup) =
        unsafe { ((*ring).env, std::mem::replace(&mut (*ring).cleanup, Cleanup::None)) };
    // SAFETY: hook and handle are those of `guard`, and are removed once.
    unsafe {
        match cleanup {
            Cleanup::None => {}
            Cleanup::Asynchronous(handle) => {
                sys::napi_remove_async_cleanup_hook(handle);
            }
            Cleanup::Plain => {
                sys::napi_remove_env_cleanup_hook(env, Some(on_end), ring.cast());
            }
        }
        (*ring).is_stopped = true;
        free_if_unused(ring);
    }
}

/// The object that carries the ring's functions is collected. (That of a ring that nobody finished is
/// kept by its callback reference.)
pub(crate) unsafe extern "C" fn on_collected(
    _env: sys::napi_env,
    ring: *mut c_void,
    _hint: *mut c_void,
) {
    let ring = ring.cast::<NodeRing>();
    // SAFETY: the box was made for the object, and its finaliser runs once.
    unsafe {
        (*ring).is_collected = true;
        free_if_unused(ring);
    }
}

/// Frees the ring's box when neither JavaScript nor the event loop knows it any more.
///
/// # Safety
///
/// `ring` is live, and no borrow of it is.
unsafe fn free_if_unused(ring: *mut NodeRing) {
    // SAFETY: the caller vouches for the ring. Both flags are set once, and this follows each.
    unsafe {
        if (*ring).is_stopped && (*ring).is_collected {
            (*ring).completions.let_go();
            drop(Box::from_raw(ring));
        }
    }
}
