//! Loaded (by dlopen, as Node's `process.dlopen` does) it forbids io_uring to the thread that loads it, for good: a seccomp
//! filter as a program may install late, when its rings are there already. `FORBID_IO_URING` is the errno that the
//! calls answer, as a number.

use uring_safe_cancel_sandbox::filter::{forbid_io_uring, ALL_CALLS};

extern "C" fn forbid() {
    let errno = std::env::var("FORBID_IO_URING").ok().and_then(|errno| errno.parse().ok());
    let errno = errno.expect("FORBID_IO_URING is an errno");
    forbid_io_uring(errno, &ALL_CALLS).expect("a seccomp filter");
}

#[used]
#[link_section = ".init_array"]
static AT_LOAD: extern "C" fn() = forbid;
