//! Core memory and JavaScript: copying out of it, and ArrayBuffers on it.

use super::{answer, with};
use crate::arguments::from_int;
use crate::completions::{Given, Header};
use crate::ring::{refusal, Kept, NodeRing};
use napi::sys;
use uring_safe_cancel::{ArenaError, Memory};

/// copy(bytes): copies `length` of the kept memory of a completed read, or of one of its parts, from `position`, into
/// `bytes` at `start` (see [`Given`]). Answers `length`, or -1 if the destination is detached or too small.
pub(super) unsafe extern "C" fn copy(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node-API calls this with a running callback's values, as for all functions below.
    unsafe {
        answer::<1>(env, info, |ring, arguments| {
            let words = ring.completions;
            let part = words.given(Given::Region) as usize;
            let memory = match ring.kept(words.given(Given::Id) as u32) {
                Some(Kept::One(memory)) if part == 0 => memory,
                Some(Kept::Many(parts)) if part < parts.len() => &mut parts[part],
                _ => return refusal::BAD_ARGUMENT,
            };
            let from = words.given(Given::Position) as usize;
            let length = words.given(Given::Length) as usize;
            let Some(source) = memory.slice(from, length) else { return refusal::BAD_ARGUMENT };
            let (address, available) = arguments.bytes(0);
            let start = words.given(Given::Start) as usize;
            if start.checked_add(length).is_none_or(|end| end > available) {
                return -1;
            }
            if length > 0 {
                // Both ranges were checked, the operation is over, and JavaScript does not run.
                std::ptr::copy(source.as_mut_ptr(), address.add(start), length);
            }
            length as i32
        })
    }
}

/// release(id): the kept memory is not needed any more.
pub(super) unsafe extern "C" fn release(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `copy`.
    unsafe {
        answer::<1>(env, info, |ring, arguments| {
            if let Some(kept) = ring.kept(arguments.uint(0)) {
                *kept = Kept::Nothing;
            }
            0
        })
    }
}

/// adopt(id, bytes): an ArrayBuffer on the kept memory, whose content beyond `bytes` is zeroed. Its
/// region is in the header. A number if there is no such memory, or if the runtime allows no ArrayBuffer on it: it is
/// kept then.
pub(super) unsafe extern "C" fn adopt(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `copy`.
    unsafe {
        with::<2, _>(env, info, |ring, arguments| {
            let id = arguments.uint(0);
            let kept = ring.kept(id).map(std::mem::take);
            let Some(Kept::One(memory)) = kept else { return from_int(env, refusal::BAD_ARGUMENT) };
            let filled = (arguments.uint(1) as usize).min(memory.len());
            // What another operation left there is none of this one's business.
            std::ptr::write_bytes(memory.as_mut_ptr().add(filled), 0, memory.len() - filled);
            expose(env, ring, memory).unwrap_or_else(|memory| {
                if let Some(kept) = ring.kept(id) {
                    *kept = Kept::One(memory);
                }
                from_int(env, refusal::NOT_EXTERNAL)
            })
        })
    }
}

/// alloc(bytes, most): an ArrayBuffer of zeros on core memory. Its region is in the header. A number if
/// there is no memory, or if more than `most` bytes of the arena were held then.
pub(super) unsafe extern "C" fn alloc(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `copy`.
    unsafe {
        with::<2, _>(env, info, |ring, arguments| {
            let Some(core) = &ring.core else { return from_int(env, refusal::CLOSED) };
            let (bytes, most) = (arguments.number(0) as usize, arguments.number(1) as usize);
            if core.arena().usage().held.saturating_add(bytes) > most {
                return from_int(env, refusal::ARENA_FULL);
            }
            match core.arena().allocate_zeroed(bytes) {
                Ok(memory) => expose(env, ring, memory)
                    .unwrap_or_else(|_| from_int(env, refusal::NOT_EXTERNAL)),
                Err(ArenaError::Full { .. }) => from_int(env, refusal::ARENA_FULL),
                Err(ArenaError::Map(error)) => {
                    from_int(env, -error.raw_os_error().unwrap_or(libc::ENOMEM))
                }
            }
        })
    }
}

/// # Safety
///
/// `env` is that of a running callback.
unsafe fn expose(
    env: sys::napi_env,
    ring: &NodeRing,
    memory: Memory,
) -> Result<sys::napi_value, Memory> {
    // SAFETY: the caller vouches for `env`.
    let (buffer, region) = unsafe { ring.regions.expose(env, memory) }?;
    ring.completions.set_header(Header::Region, region as i32);
    Ok(buffer)
}
