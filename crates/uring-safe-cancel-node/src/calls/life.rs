//! A ring's life, as its functions in JavaScript have it.

use super::answer;
use crate::arguments::{from_int, Arguments};
use crate::ring::NodeRing;
use crate::teardown;
use napi::sys;

/// setReferenced(0 | 1): whether pending operations keep the process alive.
pub(super) unsafe extern "C" fn set_referenced(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node-API calls this with a running callback's values, as for all functions below.
    unsafe {
        answer::<1>(env, info, |ring, arguments| {
            let is_pending = ring.core.as_ref().is_some_and(|core| core.pending() > 0);
            if let Some(waker) = &mut ring.waker {
                waker.set_referenced(arguments.int(0) == 1, is_pending);
            }
            0
        })
    }
}

/// close(): no more operations.
pub(super) unsafe extern "C" fn close(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `set_referenced`.
    unsafe {
        answer::<0>(env, info, |ring, _| {
            if let Some(core) = &mut ring.core {
                core.close();
            }
            0
        })
    }
}

/// destroy(): no more operations, and those there are are cancelled.
pub(super) unsafe extern "C" fn destroy(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `set_referenced`.
    unsafe {
        answer::<0>(env, info, |ring, _| {
            if let Some(core) = &mut ring.core {
                core.destroy(ring.drain);
            }
            ring.is_destroyed = true;
            0
        })
    }
}

/// finish(): closes a drained ring, and lets the environment forget it.
pub(super) unsafe extern "C" fn finish(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `set_referenced`.
    let arguments = unsafe { Arguments::<0>::new(env, info) };
    // SAFETY: the data pointer is the functions' ring, no borrow of it is alive, and this is the
    // environment's thread.
    unsafe { teardown::finish(arguments.data.cast::<NodeRing>()) };
    // SAFETY: see `set_referenced`.
    unsafe { from_int(env, 0) }
}
