//! The raw functions of one ring. Each reads numbers, does one thing, and answers with a number:
//! 0 or a count, or a negative errno or [`refusal`].

mod memory;
mod submit;

use crate::arguments::{from_int, from_number, typed_array, Arguments};
use crate::completions::Header;
use crate::ring::{refusal, NodeRing};
use crate::teardown;
use napi::sys;
use std::ffi::{c_char, c_void, CStr};
use std::ptr;
use uring_safe_cancel::Stats;

type Callback = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

const FUNCTIONS: &[(&CStr, Callback)] = &[
    (c"nop", submit::nop),
    (c"read", submit::read),
    (c"readRegion", submit::read_region),
    (c"write", submit::write),
    (c"writeRegion", submit::write_region),
    (c"readv", submit::read_vectored),
    (c"writev", submit::write_vectored),
    (c"poll", submit::poll),
    (c"sleep", submit::sleep),
    (c"open", submit::open),
    (c"closeDescriptor", submit::close_descriptor),
    (c"sync", submit::sync),
    (c"cancel", cancel),
    (c"has", has),
    (c"flush", flush),
    (c"turn", turn),
    (c"copy", memory::copy),
    (c"release", memory::release),
    (c"alloc", memory::alloc),
    (c"stats", stats),
    (c"takeReports", take_reports),
    (c"setReferenced", set_referenced),
    (c"close", close),
    (c"destroy", destroy),
    (c"finish", finish),
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

/// setReferenced(0 | 1): whether pending operations keep the process alive.
unsafe extern "C" fn set_referenced(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `cancel`.
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
unsafe extern "C" fn close(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: see `cancel`.
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
unsafe extern "C" fn destroy(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: see `cancel`.
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
unsafe extern "C" fn finish(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: see `cancel`.
    let arguments = unsafe { Arguments::<0>::new(env, info) };
    // SAFETY: the data pointer is the functions' ring, no borrow of it is alive, and this is the
    // environment's thread.
    unsafe { teardown::finish(arguments.data.cast::<NodeRing>()) };
    // SAFETY: see `cancel`.
    unsafe { from_int(env, 0) }
}

/// stats(target): fills a Float64Array.
unsafe extern "C" fn stats(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: see `cancel`.
    unsafe {
        answer::<1>(env, info, |ring, arguments| {
            let Some(core) = &ring.core else { return refusal::CLOSED };
            let words = stats_words(core.stats(), core.arena().usage().held);
            let (data, length) = typed_array::<f64>(env, arguments.value(0));
            if length < words.len() {
                return refusal::BAD_ARGUMENT;
            }
            data.copy_from_nonoverlapping(words.as_ptr(), words.len());
            words.len() as i32
        })
    }
}

/// The counters in the order in which TypeScript names them (src/native/counters.ts).
fn stats_words(stats: Stats, arena_held: usize) -> [f64; 17] {
    [
        stats.submitted as f64,
        stats.completed as f64,
        f64::from(stats.in_flight),
        f64::from(stats.queued),
        stats.cancels_requested as f64,
        stats.cancel_attempts as f64,
        stats.reissues as f64,
        stats.rescued as f64,
        stats.stuck as f64,
        f64::from(stats.max_attempts),
        stats.answers.found as f64,
        stats.answers.not_found as f64,
        stats.answers.already as f64,
        stats.answers.other as f64,
        stats.refusals as f64,
        stats.discarded as f64,
        arena_held as f64,
    ]
}

/// takeReports(): an array of [id, operation, fd or -1, attempts, last answer or 1, milliseconds] for
/// each operation reported as stuck. (1 is no answer that a cancel by tag gives for our operations.)
unsafe extern "C" fn take_reports(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `cancel`.
    unsafe {
        with::<0, _>(env, info, |ring, _| {
            let mut array = ptr::null_mut();
            sys::napi_create_array(env, &mut array);
            ring.completions.set_header(Header::Reports, 0);
            for (index, (id, report)) in std::mem::take(&mut ring.reports).into_iter().enumerate() {
                let mut name = ptr::null_mut();
                let text = report.operation;
                let bytes = text.as_ptr().cast::<c_char>();
                sys::napi_create_string_utf8(env, bytes, text.len() as isize, &mut name);
                let items = [
                    from_number(env, f64::from(id)),
                    name,
                    from_int(env, report.descriptor.unwrap_or(-1)),
                    from_number(env, f64::from(report.attempts)),
                    from_int(env, report.last_answer.unwrap_or(1)),
                    from_number(env, report.after.as_secs_f64() * 1000.0),
                ];
                let mut entry = ptr::null_mut();
                sys::napi_create_array(env, &mut entry);
                for (position, item) in items.into_iter().enumerate() {
                    sys::napi_set_element(env, entry, position as u32, item);
                }
                sys::napi_set_element(env, array, index as u32, entry);
            }
            array
        })
    }
}
