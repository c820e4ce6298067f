//! What the addon exports: a ring, and a few things that Node lacks.

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
use std::collections::BTreeMap;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;
use uring_safe_cancel::{CancelPolicy, Options, RealKernel, Ring, SetupError, Unsupported};

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

/// Why there is no ring.
#[napi(object)]
pub struct SetupFailure {
    /// ENOSYS, EPERM, ENOMEM, EMFILE or EOTHER.
    pub code: String,
    /// A negative errno, or 0.
    pub errno: i32,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl SetupFailure {
    fn new(unsupported: Unsupported, errno: i32) -> Self {
        Self {
            code: unsupported.code().to_owned(),
            errno: -errno,
            reason: unsupported.to_string(),
            remedy: unsupported.remedy().to_owned(),
        }
    }
}

/// Why the kernel takes nothing any more of a ring that it gave: what it answers with this errno, and what to do.
#[napi]
pub fn forbidden(errno: i32) -> SetupFailure {
    SetupFailure::new(SetupError::forbidden(errno).reason, errno)
}

/// What this machine's io_uring can do.
#[napi(object)]
pub struct NativeProbe {
    /// The kernel's release.
    pub kernel: String,
    /// Why there is no io_uring.
    pub failure: Option<SetupFailure>,
    /// Which operations the kernel knows.
    pub operations: BTreeMap<String, bool>,
    /// Which setup flags it knows.
    pub flags: BTreeMap<String, bool>,
}

/// The version that this addon is of.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Asks the kernel, with a small ring that is closed again.
#[napi]
pub fn probe() -> NativeProbe {
    let probe = uring_safe_cancel::probe();
    let missing = probe.fallbacks;
    let is_there = probe.unsupported.is_none();
    let flags = [
        ("SINGLE_ISSUER", missing.single_issuer),
        ("COOP_TASKRUN", missing.coop_taskrun),
        ("SUBMIT_ALL", missing.submit_all),
    ];
    NativeProbe {
        kernel: probe.kernel,
        failure: probe.unsupported.map(|unsupported| SetupFailure::new(unsupported, 0)),
        operations: probe.operations.iter().map(|&(name, is)| (name.to_owned(), is)).collect(),
        flags: flags.map(|(name, missing)| (name.to_owned(), is_there && !missing)).into(),
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
    let core_options = Options {
        entries: options.entries,
        completions: options.completion_entries,
        queue_limit: options.queue_limit,
        arena_bytes: options.arena_bytes as usize,
        cancel: CancelPolicy {
            reissue: options.reissue,
            first_delay: milliseconds(options.first_delay),
            max_delay: milliseconds(options.max_delay),
            stuck_after: milliseconds(options.stuck_after),
        },
    };
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
    let regions = Regions::new(match (options.is_node, options.is_worker) {
        (false, _) => Ends::Quietly,
        (true, false) => Ends::WithProcess,
        (true, true) => Ends::Alone,
    });
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

/// A new eventfd, close-on-exec. Answers the descriptor, or a negative errno.
#[napi]
pub fn eventfd(initial: u32, flags: i32) -> i32 {
    // SAFETY: the call takes two integers.
    let descriptor = unsafe { libc::eventfd(initial, flags | libc::EFD_CLOEXEC) };
    if descriptor < 0 {
        -last_errno()
    } else {
        descriptor
    }
}

/// A new pipe, close-on-exec: both descriptors, or a negative errno alone.
#[napi]
pub fn pipe(flags: i32) -> Vec<i32> {
    let mut ends = [-1; 2];
    // SAFETY: the array has room for both descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), flags | libc::O_CLOEXEC) } != 0 {
        return vec![-last_errno()];
    }
    // SAFETY: the kernel just made them for us.
    let [reader, writer] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    vec![reader.into_raw_fd(), writer.into_raw_fd()]
}

fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}
