//! Making a ring: its options, the kernel's side, and how they are wired to an environment.

use super::probe::SetupFailure;
use crate::calls;
use crate::completions::Completions;
use crate::delivery;
use crate::regions::{Ends, Regions};
use crate::ring::NodeRing;
use crate::teardown;
use crate::waker::Waker;
use napi::bindgen_prelude::{Either, Env, Function, Object, Result};
use napi::{sys, JsValue};
use napi_derive::napi;
use std::ptr;
use std::time::Duration;
use uring_safe_cancel::{CancelPolicy, Options, RealKernel, Ring, Unsupported};

/// A ring's options, validated by TypeScript. Times are in milliseconds.
#[napi(object)]
pub struct NativeOptions {
    /// SQEs.
    pub entries: u32,
    /// CQEs.
    pub completion_entries: u32,
    /// Operations that may wait.
    pub queue_limit: u32,
    /// Bytes of core memory.
    pub arena_bytes: f64,
    /// How long `destroy` waits.
    pub drain_timeout: f64,
    /// Whether cancels are issued again.
    pub reissue: bool,
    /// The time to the second cancel.
    pub first_delay: f64,
    /// The longest time between two cancels.
    pub max_delay: f64,
    /// The time until an operation is reported as stuck.
    pub stuck_after: f64,
    /// Whether the waker is to be libuv's, which the runtime must have.
    pub use_uv: bool,
    /// Whether the runtime is Node itself.
    pub is_node: bool,
    /// Whether this is a worker of it.
    pub is_worker: bool,
}

impl NativeOptions {
    fn of_core(&self) -> Options {
        Options {
            entries: self.entries,
            completions: self.completion_entries,
            queue_limit: self.queue_limit,
            arena_bytes: self.arena_bytes as usize,
            cancel: CancelPolicy {
                reissue: self.reissue,
                first_delay: milliseconds(self.first_delay),
                max_delay: milliseconds(self.max_delay),
                stuck_after: milliseconds(self.stuck_after),
            },
        }
    }

    /// How the environment ends.
    fn ends(&self) -> Ends {
        match (self.is_node, self.is_worker) {
            (false, _) => Ends::Quietly,
            (true, false) => Ends::WithProcess,
            (true, true) => Ends::Alone,
        }
    }
}

fn milliseconds(time: f64) -> Duration {
    Duration::try_from_secs_f64(time / 1000.0).unwrap_or(Duration::MAX)
}

/// Makes a ring of this environment. Its `words` is the array that it shares with JavaScript, of so many words;
/// `onCompletions(count)` is called when the event loop has been woken.
#[napi(ts_return_type = "SetupFailure | object")]
pub fn create_ring<'env>(
    env: Env,
    options: NativeOptions,
    words: u32,
    on_completions: Function<'env, f64, ()>,
) -> Result<Either<SetupFailure, Object<'env>>> {
    let core_options = options.of_core();
    let kernel = match RealKernel::new(core_options.entries, core_options.completions) {
        Ok(kernel) => kernel,
        Err(error) => {
            let errno = error.error.raw_os_error().unwrap_or(0);
            return Ok(Either::A(SetupFailure::new(error.reason, errno)));
        }
    };
    let descriptor = kernel.descriptor();
    let size = kernel.completions();
    let core = Ring::new(kernel, size, core_options);
    let raw = env.raw();
    let drain = milliseconds(options.drain_timeout);
    let regions = Regions::new(options.ends());
    // SAFETY: `raw` is the running callback's.
    let Some((completions, array)) = (unsafe { Completions::make(raw, &regions, words) }) else {
        let unsupported = Unsupported::Other(libc::ENOMEM);
        return Ok(Either::A(SetupFailure::new(unsupported, libc::ENOMEM)));
    };
    let ring = Box::into_raw(Box::new(NodeRing::new(raw, core, completions, drain, regions)));
    // SAFETY: the callback runs, and the box lives until `teardown` frees it.
    let started =
        unsafe { Waker::start(raw, delivery::listener(ring), descriptor, options.use_uv) };
    let waker = match started {
        Ok(waker) => waker,
        Err(error) => {
            // SAFETY: nobody else has the box yet, and this is the environment's thread.
            unsafe {
                (*ring).completions.let_go();
                drop(Box::from_raw(ring));
            }
            let Some(errno) = error.raw_os_error() else {
                return Err(napi::Error::from_reason(error.to_string()));
            };
            let unsupported = match errno {
                libc::EMFILE | libc::ENFILE => Unsupported::NoDescriptor,
                errno => Unsupported::Other(errno),
            };
            return Ok(Either::A(SetupFailure::new(unsupported, errno)));
        }
    };
    // SAFETY: as above. The object's finaliser frees the box, once the ring is finished.
    let object = unsafe {
        (*ring).waker = Some(waker);
        teardown::guard(raw, ring, options.use_uv);
        sys::napi_create_reference(raw, on_completions.raw(), 1, &mut (*ring).callback);
        let object = calls::functions(raw, ring);
        sys::napi_set_named_property(raw, object, c"words".as_ptr(), array);
        sys::napi_add_finalizer(
            raw,
            object,
            ring.cast(),
            Some(teardown::on_collected),
            ptr::null_mut(),
            ptr::null_mut(),
        );
        object
    };
    Ok(Either::B(Object::from_raw(raw, object)))
}
