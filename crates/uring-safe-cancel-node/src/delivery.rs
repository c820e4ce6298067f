//! What a ring does when its waker tells of completions: from the event loop into JavaScript.

use crate::budget;
use crate::ring::NodeRing;
use crate::waker::Listener;
use napi::sys;
use std::ffi::c_void;
use std::ptr;

/// What a waker of `ring` calls, on the environment's thread, outside of JavaScript, while the ring is live and nobody borrows it.
pub(crate) fn listener(ring: *mut NodeRing) -> Listener {
    Listener { data: ring.cast(), turn, deliver_in_turn, deliver }
}

/// # Safety
///
/// As for [`call_with_completions`], of `data`.
unsafe fn turn(data: *mut c_void) {
    // SAFETY: the caller vouches for the ring.
    unsafe { (*data.cast::<NodeRing>()).turn() };
}

/// # Safety
///
/// As for [`call_with_completions`], of `data`.
unsafe fn deliver(data: *mut c_void) {
    // SAFETY: the caller vouches for the ring.
    unsafe { call_with_completions(data.cast()) };
}

/// The ring has completions. It, or whoever has waited longer for it, gives JavaScript some, if this turn of the event loop
/// has time left: otherwise the loop comes back, because the descriptor stays readable.
///
/// # Safety
///
/// As for [`call_with_completions`], of `data`.
unsafe fn deliver_in_turn(data: *mut c_void) {
    let ring = data.cast::<NodeRing>();
    // SAFETY: the caller vouches for the ring. Those in the queue are live, see `teardown::finish`, and of this thread. No
    // borrow outlives its line.
    unsafe {
        if (*ring).is_destroyed {
            call_with_completions(ring);
            return;
        }
        if !std::mem::replace(&mut (*ring).is_queued, true) {
            budget::enqueue(data);
        }
        while let Some(next) = budget::next() {
            let next = next.cast::<NodeRing>();
            (*next).is_queued = false;
            // JavaScript may finish either ring: neither is looked at after that.
            if call_with_completions(next) || next == ring {
                return;
            }
        }
    }
}

/// Reaps, and gives JavaScript what came: whether it was called.
///
/// # Safety
///
/// `ring` is live, no borrow of it is, and this is its environment's thread, outside of JavaScript.
unsafe fn call_with_completions(ring: *mut NodeRing) -> bool {
    // SAFETY: the caller vouches for the ring. The borrow ends before JavaScript runs.
    let (env, callback, count, has_news) = {
        // SAFETY: as above.
        let ring = unsafe { &mut *ring };
        if ring.core.is_none() {
            return false;
        }
        // SAFETY: this is the environment's thread, outside of JavaScript.
        unsafe { ring.completions.find() };
        let count = ring.deliver();
        let is_drained = ring.core.as_ref().is_some_and(uring_safe_cancel::Ring::is_drained);
        // JavaScript has the timer by which to flush again.
        let has_news = !ring.reports.is_empty() || is_drained || ring.is_again;
        (ring.env, ring.callback, count, has_news)
    };
    if count == 0 && !has_news {
        return false;
    }
    // SAFETY: the environment is live while its ring is, and this is its thread.
    unsafe { call(env, callback, count) };
    true
}

/// Calls JavaScript's `onCompletions(count)`, and runs the microtasks behind it.
///
/// # Safety
///
/// `env` is live, this is its thread, and `callback` is a reference to a function.
unsafe fn call(env: sys::napi_env, callback: sys::napi_ref, count: usize) {
    let (mut scope, mut function, mut receiver) =
        (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let mut argument = ptr::null_mut();
    let mut result = ptr::null_mut();
    // SAFETY: the caller vouches for `env` and `callback`; the values live in the scope.
    unsafe {
        if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
            return;
        }
        sys::napi_get_reference_value(env, callback, &mut function);
        sys::napi_get_global(env, &mut receiver);
        sys::napi_create_double(env, count as f64, &mut argument);
        let status = sys::napi_make_callback(
            env,
            ptr::null_mut(),
            receiver,
            function,
            1,
            &argument,
            &mut result,
        );
        if status == sys::Status::napi_pending_exception {
            let mut error = ptr::null_mut();
            sys::napi_get_and_clear_last_exception(env, &mut error);
            sys::napi_fatal_exception(env, error);
        }
        sys::napi_close_handle_scope(env, scope);
    }
}
