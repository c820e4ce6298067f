//! The raw functions of one ring. Each reads numbers, does one thing, and answers with a number:
//! 0 or a count, or a negative errno or [`refusal`](crate::protocol::refusal).

mod counters;
mod life;
mod memory;
mod operations;
mod submit;
mod vectored;

use crate::arguments::{from_int, Arguments};
use crate::ring::NodeRing;
use napi::sys;
use std::ffi::{c_void, CStr};
use std::ptr;

type Callback = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

const FUNCTIONS: &[(&CStr, Callback)] = &[
    (c"nop", submit::nop),
    (c"read", submit::read),
    (c"readRegion", submit::read_region),
    (c"write", submit::write),
    (c"writeRegion", submit::write_region),
    (c"submit", operations::submit),
    (c"readv", vectored::read_vectored),
    (c"writev", vectored::write_vectored),
    (c"cancel", cancel),
    (c"has", has),
    (c"flush", flush),
    (c"turn", turn),
    (c"copy", memory::copy),
    (c"release", memory::release),
    (c"alloc", memory::alloc),
    (c"stats", counters::stats),
    (c"takeReports", counters::take_reports),
    (c"setReferenced", life::set_referenced),
    (c"close", life::close),
    (c"destroy", life::destroy),
    (c"finish", life::finish),
];

/// An object with the functions, each of which carries `ring`.
///
/// # Safety
///
/// `env` is that of a running callback. `ring` outlives the functions.
pub(crate) unsafe fn functions(env: sys::napi_env, ring: *mut NodeRing) -> sys::napi_value {
    let mut object = ptr::null_mut();
    // SAFETY: the caller vouches for `env`; names and callbacks are static.
    unsafe {
        sys::napi_create_object(env, &mut object);
        for &(name, callback) in FUNCTIONS {
            let mut function = ptr::null_mut();
            let length = name.to_bytes().len() as isize;
            let data = ring.cast::<c_void>();
            sys::napi_create_function(
                env,
                name.as_ptr(),
                length,
                Some(callback),
                data,
                &mut function,
            );
            sys::napi_set_named_property(env, object, name.as_ptr(), function);
        }
    }
    object
}

/// Runs `body` with the ring of a raw callback and its arguments.
///
/// # Safety
///
/// `env` and `info` are those of a running callback made by [`functions`].
#[inline]
unsafe fn with<const N: usize, R>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&mut NodeRing, &Arguments<N>) -> R,
) -> R {
    // SAFETY: the caller vouches for both.
    let arguments = unsafe { Arguments::<N>::new(env, info) };
    // SAFETY: the data pointer is the functions' ring, and no borrow outlives a callback.
    let ring = unsafe { NodeRing::from_data(arguments.data) };
    // SAFETY: the caller vouches for the callback, in which no JavaScript runs.
    unsafe { ring.completions.find() };
    body(ring, &arguments)
}

/// The same for a body that answers with a number.
///
/// # Safety
///
/// As for [`with`].
#[inline]
unsafe fn answer<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&mut NodeRing, &Arguments<N>) -> i32,
) -> sys::napi_value {
    // SAFETY: the caller vouches for both.
    let number = unsafe { with(env, info, body) };
    // SAFETY: as above.
    unsafe { from_int(env, number) }
}

/// cancel(id): 1 if the operation can still be cancelled.
unsafe extern "C" fn cancel(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: Node-API calls this with a running callback's values, as for all functions below.
    unsafe { answer::<1>(env, info, |ring, arguments| i32::from(ring.cancel(arguments.uint(0)))) }
}

/// has(id): 1 if an operation was taken by that id, and its completion has not been given back.
unsafe extern "C" fn has(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: see `cancel`.
    unsafe { answer::<1>(env, info, |ring, arguments| i32::from(ring.has(arguments.uint(0)))) }
}

/// flush(): submits everything, and how many completions the array holds.
unsafe extern "C" fn flush(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: see `cancel`.
    unsafe { answer::<0>(env, info, |ring, _| ring.flush() as i32) }
}

/// turn(): a new turn of the event loop, where there is no libuv to tell; elsewhere the ring only lets go of what it kept
/// until the next.
unsafe extern "C" fn turn(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: see `cancel`.
    unsafe {
        answer::<0>(env, info, |ring, _| {
            match &ring.waker {
                Some(waker) if waker.hears_of_turns() => ring.look_around(),
                _ => ring.turn(),
            }
            0
        })
    }
}
