//! Core memory and JavaScript: copying out of it, and ArrayBuffers on it.

use super::{answer, with};
use crate::arguments::from_int;
use crate::protocol::{refusal, Given, Header};
use crate::ring::Kept;
use napi::sys;
use uring_safe_cancel::ArenaError;

/// copy(bytes): copies `length` of the kept memory of a completed read, or of one of its parts, from `position`, into
/// `bytes` at `start` (see [`Given`]). Answers `length`, or -1 if the destination is detached or too small.
pub(super) unsafe extern "C" fn copy(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node-API calls this with a running callback's values, as for all functions below.
    unsafe {
        answer::<1>(env, info, |ring, arguments| {
            let given = |argument| ring.completions.given(argument);
            let part = given(Given::Region) as usize;
            let from = given(Given::Position) as usize;
            let length = given(Given::Length) as usize;
            let start = given(Given::Start) as usize;
            let id = given(Given::Id) as u32;
            let memory = match ring.kept(id) {
                Some(Kept::One(memory)) if part == 0 => memory,
                Some(Kept::Many(parts)) if part < parts.len() => &mut parts[part],
                _ => return refusal::BAD_ARGUMENT,
            };
            let Some(source) = memory.slice(from, length) else { return refusal::BAD_ARGUMENT };
            let (address, available) = arguments.bytes(0);
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

/// alloc(bytes, most, slabs): an ArrayBuffer of zeros on core memory. Its region is in the header. A number if
/// there is no memory, or if more than `most` bytes of the arena were held then; where it is to be a slab, for which `slabs`
/// is above 0, also if JavaScript had more than so many bytes of slabs then.
pub(super) unsafe extern "C" fn alloc(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `copy`.
    unsafe {
        with::<3, _>(env, info, |ring, arguments| {
            let Some(core) = &ring.core else { return from_int(env, refusal::CLOSED) };
            let (bytes, most) = (arguments.number(0) as usize, arguments.number(1) as usize);
            let most_slabs = arguments.number(2) as usize;
            let (is_slab, slabs) = (most_slabs > 0, ring.regions.slab_bytes());
            ring.completions.set_header(Header::Slabs, (slabs >> 10) as i32);
            if core.arena().usage().held.saturating_add(bytes) > most
                || (is_slab && slabs.saturating_add(bytes) > most_slabs)
            {
                return from_int(env, refusal::ARENA_FULL);
            }
            match core.arena().allocate_zeroed(bytes) {
                Ok(memory) => match ring.regions.expose(env, memory, is_slab) {
                    Some((buffer, region)) => {
                        ring.completions.set_header(Header::Region, region as i32);
                        buffer
                    }
                    None => from_int(env, refusal::NOT_EXTERNAL),
                },
                Err(ArenaError::Full { .. }) => from_int(env, refusal::ARENA_FULL),
                Err(ArenaError::Map(error)) => {
                    from_int(env, -error.raw_os_error().unwrap_or(libc::ENOMEM))
                }
            }
        })
    }
}
