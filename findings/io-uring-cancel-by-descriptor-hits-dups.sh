#!/usr/bin/env bash
# io_uring (seen on Linux 6.18): a cancel "by descriptor" also hits what runs on other descriptors of the same open file.
#
# Expected: io_uring_prep_cancel(3) says of IORING_ASYNC_CANCEL_FD that requests are found by their descriptor: a cancel
# for number 7 then ends what was submitted for 7, as close(7) concerns 7 alone.
# Happens: the kernel compares the open file behind the number. All duplicates (dup, inherited ones) are hit as well, while
# a second open of the same device is not. In a terminal 0, 1 and 2 are usually duplicates of one: to cancel the writes
# that wait on standard output ends the read that waits on standard input.
# Hurts: runtimes that cancel by number when a handle is closed: the reads of another handle, made by try_clone(), or of
# standard input, end with ECANCELED, which looks as if somebody had asked for it.
# Instead: cancel by user_data.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
io-uring = "=0.7.16"
libc = "=0.2.191"
E
cat >src/main.rs <<'E'
use io_uring::{opcode, types, IoUring};
use std::collections::BTreeMap;

fn main() {
    // A terminal, opened twice; 10 and 11 are as standard input and output, 12 is opened by its name.
    let name = unsafe {
        let master = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY);
        assert!(libc::grantpt(master) == 0 && libc::unlockpt(master) == 0);
        libc::ptsname(master)
    };
    let open = || unsafe { libc::open(name, libc::O_RDWR | libc::O_NOCTTY) };
    unsafe {
        let fd = open();
        libc::dup2(fd, 10);
        libc::dup2(fd, 11);
        libc::dup2(open(), 12);
    }
    for (name, number) in [("a duplicate", 11), ("another open of the same terminal", 12)] {
        let mut ring = IoUring::new(8).unwrap();
        let buffer = Box::leak(Box::new([0u8; 8]));
        let read = opcode::Read::new(types::Fd(10), buffer.as_mut_ptr(), 8).offset(!0).build().user_data(1);
        unsafe { ring.submission().push(&read).unwrap() };
        ring.submit().unwrap();
        let which = types::CancelBuilder::fd(types::Fd(number)).all();
        let cancel = opcode::AsyncCancel2::new(which).build().user_data(2);
        unsafe { ring.submission().push(&cancel).unwrap() };
        ring.submit_and_wait(1).unwrap();
        let time = types::Timespec::new().nsec(200_000_000);
        let _ = ring.submitter().submit_with_args(2, &types::SubmitArgs::new().timespec(&time));
        let results: BTreeMap<_, _> = ring.completion().map(|entry| (entry.user_data(), entry.result())).collect();
        println!("cancel for {name}: {} cancelled, the read's result: {:?}", results[&2], results.get(&1));
    }
}
E
nice cargo build --quiet 2>&1; echo "Linux $(uname -r | cut -d. -f1-2), io-uring 0.7.16"
./target/debug/finding | tee out
grep -q "^cancel for a duplicate: 1 cancelled, the read's result: Some(-125)$" out
grep -q "^cancel for another open of the same terminal: 0 cancelled, the read's result: None$" out
