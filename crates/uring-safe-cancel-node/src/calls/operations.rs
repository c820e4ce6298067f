//! The operations that programs make seldom: one door for all, and an arm for each.

use super::answer;
use super::submit::{refuse, Numbers};
use crate::arguments::Arguments;
use crate::protocol::{code, refusal, Given, Header};
use crate::ring::{Keep, NodeRing};
use napi::sys;
use std::ffi::CStr;
use std::time::Duration;
use uring_safe_cancel::operation::{Close, Open, Poll, Sleep, Sync};
use uring_safe_cancel::{Arena, Extra, Operation};

/// submit(bytes?): the operation that [`Given::Code`] says, of [`Given::First`] and [`Given::Second`] and, where it has a path,
/// of `bytes`.
pub(super) unsafe extern "C" fn submit(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node-API calls this with a running callback's values.
    unsafe {
        answer::<1>(env, info, |ring, arguments| {
            if ring.completions.given(Given::Code) as i32 == code::CLOSE {
                return close(ring);
            }
            let Some(core) = &ring.core else { return refusal::CLOSED };
            match operation(ring, core.arena(), arguments) {
                Ok(operation) => {
                    let Numbers { id, extra, .. } = Numbers::of(ring);
                    ring.submit(id, Keep::No, operation, extra)
                }
                Err(code) => code,
            }
        })
    }
}

fn operation(ring: &NodeRing, arena: &Arena, arguments: &Arguments<1>) -> Result<Operation, i32> {
    let given = |argument| ring.completions.given(argument);
    let (first, second) = (given(Given::First), given(Given::Second));
    let Numbers { descriptor, .. } = Numbers::of(ring);
    Ok(match given(Given::Code) as i32 {
        code::POLL => Poll { descriptor, events: first as u32 }.into(),
        code::SLEEP => {
            let time = Duration::try_from_secs_f64(first / 1000.0);
            let time = time.map_err(|_| refusal::BAD_ARGUMENT)?;
            Sleep::new(arena, time).map_err(|error| refuse(&error))?.into()
        }
        code::OPEN => {
            let (address, length) = arguments.bytes(0);
            if length == 0 {
                return Err(refusal::BAD_ARGUMENT);
            }
            // SAFETY: the runtime says that so many bytes lie there, and JavaScript does not run.
            let bytes = unsafe { std::slice::from_raw_parts(address, length) };
            let path = CStr::from_bytes_with_nul(bytes).map_err(|_| refusal::BAD_ARGUMENT)?;
            let open = Open::new(arena, path, first as i32, second as u32);
            open.map_err(|error| refuse(&error))?.into()
        }
        code::SYNC => Sync { descriptor, data_only: first == 1.0 }.into(),
        _ => return Err(refusal::BAD_ARGUMENT),
    })
}

/// Cannot be cancelled, and is never refused. Of a ring that is finished it is a close(2).
fn close(ring: &mut NodeRing) -> i32 {
    let Numbers { id, descriptor, .. } = Numbers::of(ring);
    let close = Close::new(descriptor.number());
    if ring.core.is_none() {
        return close.at_once().map_or_else(|errno| -errno, |()| 0);
    }
    // Whatever the last flush said: there is something to settle now.
    ring.completions.set_header(Header::Drained, 0);
    ring.submit(id, Keep::No, close.into(), Extra::default())
}
