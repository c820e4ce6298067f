//! What this machine's io_uring can do, or why it can do nothing.

use super::setup::Fallbacks;
use super::unsupported::{parse_release, release, Release, Unsupported};
use super::RealKernel;
use crate::operation::CODES;
use io_uring::{opcode, IoUring};

/// What this machine's io_uring can do.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The kernel's release, as uname(2) has it.
    pub kernel: String,
    /// Why there is no io_uring; `None` if there is.
    pub unsupported: Option<Unsupported>,
    /// Which of the operations that this crate uses the kernel knows.
    pub operations: Vec<(&'static str, bool)>,
    /// What a ring does without here.
    pub fallbacks: Fallbacks,
}

/// What the ring submits for itself, beside the operations.
const CANCEL: (&str, u8, Release) = ("cancel", opcode::AsyncCancel::CODE, (5, 5));
/// The operation came with 5.5; its flag for a change with 5.11, which no probe tells.
const TIMEOUT_UPDATE: (&str, u8, Release) = ("timeout_update", opcode::TimeoutUpdate::CODE, (5, 5));

/// The codes that this crate submits, and the kernels that brought them.
fn codes() -> Vec<(&'static str, u8, Release)> {
    let mut codes = Vec::new();
    for &code in CODES {
        codes.push(code);
        // The ring's timer is the code of an operation, whose change is read beside it.
        if code.1 == opcode::Timeout::CODE {
            codes.push(TIMEOUT_UPDATE);
        }
    }
    codes.push(CANCEL);
    codes
}

/// Asks the kernel, with a small ring that is closed again.
pub fn probe() -> Probe {
    let none = Probe {
        kernel: release(),
        unsupported: None,
        operations: Vec::new(),
        fallbacks: Fallbacks::default(),
    };
    match RealKernel::new(8, 16) {
        Ok(ring) => Probe {
            operations: operations(&ring.ring.0, &none.kernel),
            fallbacks: ring.fallbacks(),
            ..none
        },
        Err(error) => Probe { unsupported: Some(error.reason), ..none },
    }
}

fn operations(ring: &IoUring, kernel: &str) -> Vec<(&'static str, bool)> {
    let mut known = io_uring::Probe::new();
    match ring.submitter().register_probe(&mut known) {
        Ok(()) => {
            codes().into_iter().map(|(name, code, _)| (name, known.is_supported(code))).collect()
        }
        // No probe before 5.6; and a filter may forbid io_uring_register, of which a ring needs nothing.
        Err(_) => operations_of(kernel),
    }
}

/// Which operations a kernel knows by its release.
fn operations_of(kernel: &str) -> Vec<(&'static str, bool)> {
    let release = parse_release(kernel);
    let is_known = |since| release.is_some_and(|release| release >= since);
    codes().into_iter().map(|(name, _, since)| (name, is_known(since))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown_to(kernel: &str) -> Vec<&'static str> {
        operations_of(kernel).iter().filter(|(_, is)| !is).map(|&(name, _)| name).collect()
    }

    #[test]
    fn operations_by_release_where_the_kernel_may_not_be_asked() {
        assert!(unknown_to("5.11.0").is_empty());
        assert!(unknown_to("5.10.0-46-cloud-amd64").is_empty());
        assert_eq!(
            unknown_to("5.4.0"),
            ["read", "write", "timeout_update", "open", "close", "cancel"]
        );
        assert_eq!(unknown_to("unknown").len(), codes().len());
    }

    #[test]
    fn what_the_kernel_says_and_what_its_release_says_agree() {
        let Ok(ring) = RealKernel::new(8, 16) else { return };
        assert_eq!(operations(&ring.ring.0, "unknown"), operations_of(&release()));
    }
}
