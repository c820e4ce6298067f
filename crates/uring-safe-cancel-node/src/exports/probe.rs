//! What this machine's io_uring can do, or why there is none.

use napi_derive::napi;
use std::collections::BTreeMap;
use uring_safe_cancel::{SetupError, Unsupported};

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
    pub(super) fn new(unsupported: Unsupported, errno: i32) -> Self {
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
