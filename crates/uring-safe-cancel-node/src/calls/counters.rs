//! What a ring counted, and what it reports.

use super::{answer, with};
use crate::arguments::{from_int, from_number, typed_array};
use crate::protocol::{refusal, Counter, Header, COUNTERS_TOTAL};
use napi::sys;
use std::ffi::c_char;
use std::ptr;
use uring_safe_cancel::Stats;

/// stats(target): fills a Float64Array.
pub(super) unsafe extern "C" fn stats(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node-API calls this with a running callback's values, as for all functions below.
    unsafe {
        answer::<1>(env, info, |ring, arguments| {
            let Some(core) = &ring.core else { return refusal::CLOSED };
            let words = counters(&core.stats(), core.arena().usage().held);
            let (data, length) = typed_array::<f64>(env, arguments.value(0));
            if length < words.len() {
                return refusal::BAD_ARGUMENT;
            }
            data.copy_from_nonoverlapping(words.as_ptr(), words.len());
            words.len() as i32
        })
    }
}

/// The counters, each at its place.
fn counters(stats: &Stats, arena_held: usize) -> [f64; COUNTERS_TOTAL] {
    let mut numbers = [0.0; COUNTERS_TOTAL];
    let mut set = |counter: Counter, number: f64| numbers[counter as usize] = number;
    set(Counter::Submitted, stats.submitted as f64);
    set(Counter::Completed, stats.completed as f64);
    set(Counter::InFlight, f64::from(stats.in_flight));
    set(Counter::Queued, f64::from(stats.queued));
    set(Counter::CancelsRequested, stats.cancels_requested as f64);
    set(Counter::CancelAttempts, stats.cancel_attempts as f64);
    set(Counter::Reissues, stats.reissues as f64);
    set(Counter::Rescued, stats.rescued as f64);
    set(Counter::Stuck, stats.stuck as f64);
    set(Counter::MaxAttempts, f64::from(stats.max_attempts));
    set(Counter::AnswersFound, stats.answers.found as f64);
    set(Counter::AnswersNotFound, stats.answers.not_found as f64);
    set(Counter::AnswersAlready, stats.answers.already as f64);
    set(Counter::AnswersOther, stats.answers.other as f64);
    set(Counter::Refusals, stats.refusals as f64);
    set(Counter::Discarded, stats.discarded as f64);
    set(Counter::ArenaHeld, arena_held as f64);
    numbers
}

/// takeReports(): an array of [id, operation, fd or -1, attempts, last answer or 1, milliseconds] for
/// each operation reported as stuck. (1 is no answer that a cancel by tag gives for our operations.)
pub(super) unsafe extern "C" fn take_reports(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `stats`.
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
