//! Interruptions that nobody asked for: a process that is stopped and continued (Ctrl-Z, fg) gets -ERESTARTSYS for
//! what waits interruptibly in a worker. The library submits it again.

use super::children;
use super::environment::path;
use super::ours::{self, next_within};
use super::raw::{leaked, Raw, PATIENCE};
use super::row::{code, RESTART};
use super::sources::fifo;
use io_uring::{opcode, types};
use std::ffi::CString;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use uring_safe_cancel::operation::Open;
use uring_safe_cancel::Verdict;

/// The program: opens two FIFOs without a peer, `argument` by the library.
pub fn program(argument: &str, ready: impl Fn()) {
    let name = CString::new(argument).unwrap();
    let mut ring = ours::ring();
    let open = Open::new(ring.arena(), &name, libc::O_RDONLY, 0).unwrap();
    ours::submit(&mut ring, open, ours::ASYNCHRONOUS, 1);
    ours::flush_idle(&mut ring);

    let other = fifo();
    let bytes = other.as_os_str().as_bytes();
    let memory = leaked(bytes.len() + 1);
    memory[..bytes.len()].copy_from_slice(bytes);
    let mut raw = Raw::new();
    let open = opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), memory.as_ptr().cast());
    let tag = raw.submit(open.build(), true);

    ready();
    // Stopped and continued several times by now, or soon.
    let done = next_within(&mut ring, PATIENCE).expect("the writer that opens it completes it");
    let seen = raw.result(tag, Duration::from_millis(10)).map_or("waits".to_owned(), code);
    std::fs::remove_file(other).unwrap();
    assert!(seen == "waits" || seen == code(RESTART) || seen == code(-libc::EINTR), "{seen}");
    assert!(matches!(done.verdict, Verdict::Completed(_)), "{done:?}");
    println!(
        "row: open, FIFO of a process that is stopped and continued, async; kernel: not asked -> {seen}; \
         library: {:?}",
        done.verdict
    );
    if seen == "waits" {
        // It would hold this process in its end, were it not killed.
        std::process::exit(0);
    }
}

fn state(pid: u32) -> Option<char> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    status.rsplit_once(") ")?.1.chars().next()
}

fn signal(pid: u32, signal: i32) {
    // SAFETY: the call takes two integers; the process is a child that has not been waited for.
    assert_eq!(unsafe { libc::kill(pid as i32, signal) }, 0);
}

/// A writer, once somebody reads.
fn write_end(path: &Path) -> std::fs::File {
    let begun = Instant::now();
    loop {
        let file =
            std::fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path);
        match file {
            Ok(file) => return file,
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENXIO)),
        }
        assert!(begun.elapsed() < PATIENCE, "nobody opens it to read any more");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_open_survives_that_its_process_is_stopped() {
    let path = fifo();
    let mut child = children::start("stopped", path.to_str().unwrap());
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(20));
        signal(child.id(), libc::SIGSTOP);
        let begun = Instant::now();
        while state(child.id()) != Some('T') {
            assert!(begun.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
        signal(child.id(), libc::SIGCONT);
    }
    let writer = write_end(&path);
    let ended = children::end(&mut child, PATIENCE).expect("it ends");
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    println!("{}", output.lines().find(|line| line.starts_with("row:")).unwrap_or(&output));
    assert!(ended.success(), "{ended}: {output}");
    drop(writer);
    std::fs::remove_file(path).unwrap();
}

/// The kernel finds a path when it runs the open, not when it is asked: so the bytes of the path are the ring's.
#[test]
fn an_open_has_a_path_of_its_own() {
    let path = path("own");
    std::fs::write(&path, "own").unwrap();
    let mut name = path.as_os_str().as_bytes().to_vec();
    name.push(0);
    let mut ring = ours::ring();
    for client in 0..64 {
        let text = CString::from_vec_with_nul(name.clone()).unwrap();
        let open = Open::new(ring.arena(), &text, libc::O_RDONLY, 0).unwrap();
        ours::submit(&mut ring, open, ours::ASYNCHRONOUS, client);
        drop(text);
    }
    let done = ours::drain(&mut ring);
    assert_eq!(done.len(), 64);
    for completion in done {
        let Verdict::Completed(_) = completion.verdict else { panic!("{completion:?}") };
        let mut text = String::new();
        std::fs::File::from(completion.opened.unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "own");
    }
    std::fs::remove_file(path).unwrap();
}
