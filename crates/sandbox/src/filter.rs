//! A seccomp filter in classic BPF, assembled by hand.

use libc::{
    sock_filter, sock_fprog, BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP,
};
use libc::{BPF_K, BPF_LD, BPF_RET, BPF_W};
use std::io;
use std::mem::offset_of;
use std::ops::RangeInclusive;

/// io_uring_setup, io_uring_enter and io_uring_register have the same numbers everywhere.
pub const ALL_CALLS: RangeInclusive<u32> = 425..=427;
const _: () = assert!(libc::SYS_io_uring_setup as u32 == *ALL_CALLS.start());
const _: () = assert!(libc::SYS_io_uring_register as u32 == *ALL_CALLS.end());

/// The x32 calls of x86_64 are told by this bit of the number, not by the architecture.
const WITHOUT_X32_BIT: u32 = !0x4000_0000;

/// `AUDIT_ARCH_…` of linux/audit.h: the ELF machine, 64 bits, little-endian. A number means another call
/// on another architecture.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: Option<u32> = Some(0xC000_003E);
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: Option<u32> = Some(0xC000_00B7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: Option<u32> = None;

const fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Goes on behind `jt` or `jf` further instructions.
const fn jump(test: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | test | BPF_K) as u16, jt, jf, k }
}

const fn load(offset: usize) -> sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset as u32)
}

fn program(architecture: u32, errno: u16, calls: &RangeInclusive<u32>) -> [sock_filter; 9] {
    [
        load(offset_of!(libc::seccomp_data, arch)),
        jump(BPF_JEQ, architecture, 0, 6),
        load(offset_of!(libc::seccomp_data, nr)),
        statement(BPF_ALU | BPF_AND | BPF_K, WITHOUT_X32_BIT),
        jump(BPF_JGE, *calls.start(), 0, 2),
        jump(BPF_JGT, *calls.end(), 1, 0),
        statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ERRNO | u32::from(errno)),
        statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW),
        // A 32-bit program could get around the filter by its own numbers.
        statement(BPF_RET | BPF_K, libc::SECCOMP_RET_KILL_PROCESS),
    ]
}

/// Makes `calls`, of [`ALL_CALLS`], fail with `errno` in this thread, in those that it starts and in its children, for
/// good.
///
/// # Errors
///
/// The kernel's; ENOTSUP on an architecture whose numbers are not known here.
pub fn forbid_io_uring(errno: u16, calls: &RangeInclusive<u32>) -> io::Result<()> {
    let architecture = ARCHITECTURE.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTSUP))?;
    let mut filter = program(architecture, errno, calls);
    let program = sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the call takes integers only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the pointer is to a program whose filter, of that length, lives in this frame; the kernel
    // copies both before it returns.
    let set =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do: enough of classic BPF for this program.
    fn verdict(architecture: u32, number: u32, calls: &RangeInclusive<u32>) -> u32 {
        let program = program(0xC000_003E, libc::ENOSYS as u16, calls);
        let (mut accumulator, mut at) = (0u32, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let skip = |test: bool| usize::from(if test { jt } else { jf });
            match u32::from(code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => {
                    accumulator = if k == 0 { number } else { architecture };
                }
                code if code == BPF_ALU | BPF_AND | BPF_K => accumulator &= k,
                code if code == BPF_JMP | BPF_JEQ | BPF_K => at += skip(accumulator == k),
                code if code == BPF_JMP | BPF_JGE | BPF_K => at += skip(accumulator >= k),
                code if code == BPF_JMP | BPF_JGT | BPF_K => at += skip(accumulator > k),
                code if code == BPF_RET | BPF_K => return k,
                code => panic!("{code}"),
            }
        }
    }

    #[test]
    fn exactly_the_calls_asked_for_are_forbidden() {
        let forbidden = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
        for calls in [ALL_CALLS, 425..=425, 426..=426, 427..=427] {
            for number in (0..600).chain([WITHOUT_X32_BIT]) {
                let expected = match calls.contains(&number) {
                    true => forbidden,
                    false => libc::SECCOMP_RET_ALLOW,
                };
                let x32 = number | 0x4000_0000;
                assert_eq!(verdict(0xC000_003E, number, &calls), expected, "{number}");
                assert_eq!(verdict(0xC000_003E, x32, &calls), expected, "x32 {number}");
                let i386 = verdict(0x4000_0003, number, &calls);
                assert_eq!(i386, libc::SECCOMP_RET_KILL_PROCESS, "i386");
            }
        }
    }
}
