//! `watch-flags DESCRIPTOR`: watches the flags of an open file that it shares, until its standard input ends.
//!
//! A descriptor's flags (O_NONBLOCK, O_APPEND) belong to the open file, so whoever changes them for a moment changes them for
//! every process that has it. It prints a line `watching` after the first look, and at the end how many looks there were and
//! how often the flags were not what they had been.

use std::io::{self, Read};
use std::os::fd::RawFd;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1);
    let Some(descriptor) = argument.and_then(|number| number.parse::<RawFd>().ok()) else {
        eprintln!("usage: watch-flags DESCRIPTOR");
        return ExitCode::from(64);
    };
    let flags = || {
        // SAFETY: the call takes two integers.
        unsafe { libc::fcntl(descriptor, libc::F_GETFL) }
    };
    let before = flags();
    if before < 0 {
        eprintln!("watch-flags: {}", io::Error::last_os_error());
        return ExitCode::FAILURE;
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    std::thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::Release);
    });
    println!("watching");
    let (mut looks, mut changes) = (0u64, 0u64);
    while !is_over.load(Ordering::Acquire) {
        looks += 1;
        changes += u64::from(flags() != before);
    }
    println!("{looks} {changes}");
    ExitCode::SUCCESS
}
