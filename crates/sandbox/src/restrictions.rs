//! Limits, and the loss of privileges.

use std::io;

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn soft_and_hard(value: u64) -> libc::rlimit {
    libc::rlimit { rlim_cur: value, rlim_max: value }
}

/// Limits locked memory, in bytes.
///
/// # Errors
///
/// EPERM if that would raise the hard limit without the privilege.
pub fn limit_locked_memory(bytes: u64) -> io::Result<()> {
    // SAFETY: the pointer is to a limit of this frame.
    check(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &soft_and_hard(bytes)) })
}

/// Limits descriptors: the lowest number that none may have.
///
/// # Errors
///
/// EPERM if that would raise the hard limit without the privilege.
pub fn limit_descriptors(count: u64) -> io::Result<()> {
    // SAFETY: the pointer is to a limit of this frame.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &soft_and_hard(count)) })
}

/// Gives this process's children a time namespace, whose monotonic clock is so many seconds ahead.
///
/// # Errors
///
/// EPERM unless privileged; ERANGE if the clock would begin before zero; EINVAL before Linux 5.6, or without
/// CONFIG_TIME_NS.
pub fn shift_clock_of_children(seconds: i64) -> io::Result<()> {
    // SAFETY: the call takes an integer only.
    check(unsafe { libc::unshare(libc::CLONE_NEWTIME) })?;
    std::fs::write("/proc/self/timens_offsets", format!("monotonic {seconds} 0\n"))
}

/// Becomes a user and the group of the same number, without any other group.
///
/// # Errors
///
/// EPERM unless privileged.
pub fn become_user(id: u32) -> io::Result<()> {
    // SAFETY: no groups are read, and the pointer may be null then.
    check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: the call takes integers only. The group first, while there is the privilege.
    check(unsafe { libc::setresgid(id, id, id) })?;
    // SAFETY: as above.
    check(unsafe { libc::setresuid(id, id, id) })
}
