//! open and close: what becomes of descriptors.

use super::environment::path;
use super::ours::{self, cancelled, extra};
use super::raw::{leaked, Raw};
use super::row::{row, words, Known, RESTART};
use super::sources::fifo;
use io_uring::{opcode, types};
use std::ffi::CString;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use uring_safe_cancel::operation::{Close, Open};
use uring_safe_cancel::Verdict;

/// Long enough for a worker of the kernel to wait inside of the open.
const WAITING: Duration = Duration::from_millis(20);

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}

fn entry(path: &CString, flags: i32) -> io_uring::squeue::Entry {
    let bytes = path.to_bytes_with_nul();
    let memory = leaked(bytes.len());
    memory.copy_from_slice(bytes);
    let open = opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), memory.as_ptr().cast());
    open.flags(flags | libc::O_CLOEXEC).build()
}

#[test]
fn a_fifo_without_a_peer() {
    let known = Known {
        answers: &[-libc::EALREADY, -libc::ENOENT, 0],
        results: &[RESTART, -libc::EINTR, -libc::ECANCELED],
    };
    let path = fifo();
    let name = c_path(&path);
    for (side, flags) in [("read", libc::O_RDONLY), ("write", libc::O_WRONLY)] {
        // Until a worker of the kernel waits inside of the open: before, it is cancelled as any other work.
        let fate = (1..100)
            .map(|attempt| {
                let mut raw = Raw::new();
                let tag = raw.submit(entry(&name, flags), true);
                std::thread::sleep(WAITING * attempt);
                raw.end(tag)
            })
            .find(|fate| fate.answers[0] == -libc::EALREADY)
            .expect("a cancel that met a worker");
        let mut ring = ours::ring();
        let open = Open::new(ring.arena(), &name, flags, 0).unwrap();
        let ours = cancelled(&mut ring, open, extra(true), WAITING);
        let exactly = Some((-libc::EALREADY, RESTART));
        row(
            &format!("open, FIFO to {side} without a peer, async"),
            &fate,
            &known,
            exactly,
            &words(&ours),
        );
        assert_eq!(ours.completion.verdict, Verdict::Cancelled);
        assert!(ours.completion.opened.is_none());
    }
    std::fs::remove_file(path).unwrap();
}

/// The kernel's first, inline attempt opens with O_NONBLOCK: to read that succeeds without a peer, to write it is
/// ENXIO. The library waits as open(2) does.
#[test]
fn a_fifo_without_a_peer_opened_plain_waits_only_in_the_library() {
    let path = fifo();
    let name = c_path(&path);
    // The name is looked up in the cache only.
    assert!(path.exists());
    for (side, flags) in [("read", libc::O_RDONLY), ("write", libc::O_WRONLY)] {
        let mut raw = Raw::new();
        let tag = raw.submit(entry(&name, flags), false);
        std::thread::sleep(WAITING);
        let fate = raw.end(tag);
        let mut ring = ours::ring();
        let open = Open::new(ring.arena(), &name, flags, 0).unwrap();
        let ours = cancelled(&mut ring, open, extra(false), WAITING);
        println!(
            "row: open, FIFO to {side} without a peer, plain; kernel: {:?} -> {}; library: {}",
            fate.answers,
            fate.result,
            words(&ours)
        );
        assert_eq!(ours.completion.verdict, Verdict::Cancelled);
        assert!(ours.completion.opened.is_none());
        if fate.result >= 0 {
            drop(super::environment::owned(fate.result));
        }
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_fifo_opened_with_o_nonblock_does_not_wait() {
    let path = fifo();
    let name = c_path(&path);
    for (flags, expected) in [
        (libc::O_WRONLY, Verdict::Failed(libc::ENXIO)),
        (libc::O_RDWR, Verdict::Completed(0)),
        (libc::O_RDONLY, Verdict::Completed(0)),
    ] {
        let mut ring = ours::ring();
        let open = Open::new(ring.arena(), &name, flags | libc::O_NONBLOCK, 0).unwrap();
        ours::submit(&mut ring, open, extra(false), 0);
        let mut done = Vec::new();
        while done.is_empty() {
            ring.flush_and_wait(&mut |completion| done.push(completion));
        }
        match (expected, done[0].verdict) {
            (Verdict::Completed(_), Verdict::Completed(_)) => assert!(done[0].opened.is_some()),
            (expected, verdict) => assert_eq!(verdict, expected),
        }
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_file_that_is_there() {
    let path = path("open");
    std::fs::write(&path, "text").unwrap();
    let name = c_path(&path);
    for asynchronous in [false, true] {
        let mut raw = Raw::new();
        let tag = raw.submit(entry(&name, libc::O_RDONLY), asynchronous);
        let fate = raw.end(tag);
        let mut ring = ours::ring();
        let open = Open::new(ring.arena(), &name, libc::O_RDONLY, 0).unwrap();
        let ours = cancelled(&mut ring, open, extra(asynchronous), Duration::ZERO);
        let mode = if asynchronous { "async" } else { "plain" };
        println!(
            "row: open, file, {mode}; kernel: {:?} -> {}; library: {}",
            fate.answers,
            fate.result,
            words(&ours)
        );
        let known = [0, -libc::ENOENT, -libc::EALREADY];
        assert!(fate.answers.iter().all(|answer| known.contains(answer)), "{fate:?}");
        if fate.result >= 0 {
            drop(super::environment::owned(fate.result));
        }
        match (ours.completion.verdict, &ours.completion.opened) {
            (Verdict::Completed(number), Some(opened)) => assert_eq!(opened.as_raw_fd(), number),
            (Verdict::Cancelled, None) => {}
            other => panic!("{other:?}"),
        }
    }
    std::fs::remove_file(path).unwrap();
}

/// The kernel may cancel a close that waits for a worker, and the descriptor stays open. The library never asks.
#[test]
fn a_close_is_never_cancelled() {
    let known =
        Known { answers: &[-libc::ENOENT, -libc::EALREADY, 0], results: &[0, -libc::ECANCELED] };
    for asynchronous in [false, true] {
        let mode = if asynchronous { "async" } else { "plain" };
        let number = OwnedFd::from(std::fs::File::open("/dev/null").unwrap()).into_raw_fd();
        let mut raw = Raw::new();
        let tag = raw.submit(opcode::Close::new(types::Fd(number)).build(), asynchronous);
        let fate = raw.end(tag);
        if fate.result != 0 {
            drop(super::environment::owned(number));
        }
        let (reader, writer) = super::sources::pipe();
        let number = writer.into_raw_fd();
        let mut ring = ours::ring();
        let key = ours::submit(&mut ring, Close::new(number), extra(asynchronous), 1);
        assert!(!ring.cancel(key));
        assert_eq!(ring.cancel_descriptor(number), 0);
        let done = ours::drain(&mut ring);
        assert_eq!(done[0].verdict, Verdict::Completed(0));
        let mut byte = 0u8;
        // SAFETY: the pointer is to one byte of this frame.
        let end = unsafe { libc::read(reader.as_raw_fd(), (&raw mut byte).cast(), 1) };
        assert_eq!(end, 0, "the pipe's end");
        row(&format!("close, -, {mode}"), &fate, &known, None, "not asked; completed 0");
    }
}
