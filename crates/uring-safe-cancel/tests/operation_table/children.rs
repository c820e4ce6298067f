//! Programs that run in a process of their own: this test binary, started again for one "test".

use super::ours::{self, TestRing};
use super::raw::PATIENCE;
use super::sources::{eventfd, pipe};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use uring_safe_cancel::operation::{Poll, Sleep, CURRENT_POSITION};

const PROGRAM: &str = "OPERATION_TABLE_PROGRAM";
const ARGUMENT: &str = "OPERATION_TABLE_ARGUMENT";
/// The line that says that a program has what it was started for in flight.
const READY: &str = "ready";

/// Starts a program, and waits until it is ready. Its standard input stays open.
pub fn start(program: &str, argument: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "children::a_program_of_another_test", "--nocapture"])
        .env(PROGRAM, program)
        .env(ARGUMENT, argument)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // The test harness speaks too.
    while !line.trim_end().ends_with(READY) {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "{program} ended before it was ready");
    }
    child.stdout = Some(output.into_inner());
    child
}

/// How it ends, if it does in time. One that does not is killed.
pub fn end(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if begun.elapsed() > patience {
            child.kill().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ready() {
    // Not `print`, which the harness may capture.
    use std::io::Write;
    let mut output = std::io::stdout();
    output.write_all(format!("\n{READY}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}

/// Not a test of its own: where the variable is not set, there is nothing to do.
#[test]
fn a_program_of_another_test() {
    let Ok(program) = std::env::var(PROGRAM) else { return };
    let argument = std::env::var(ARGUMENT).unwrap_or_default();
    // What `main` does. The harness calls this in another thread, and Linux lets no thread end before the workers
    // of its rings have ended (see `fuse.rs`), but for the end of the whole process.
    let end = std::panic::catch_unwind(|| run(&program, &argument));
    std::process::exit(if end.is_ok() { 0 } else { 101 });
}

fn run(program: &str, argument: &str) {
    match program {
        "idle" => idle(),
        "silent" => silent(argument),
        "waits" => waits(argument),
        "threads" => threads(),
        "two rings" => two_rings(),
        "stopped" => super::interrupted::program(argument, ready),
        other => panic!("no program {other}"),
    }
}

fn idle() {
    ready();
    let _ = std::io::stdin().read(&mut [0]);
}

/// Ends as `END:...` says.
fn end_as(end: &str, ring: TestRing) {
    match end {
        "exit" => {
            std::mem::forget(ring);
            std::process::exit(3)
        }
        "panic" => {
            let _ring = ring;
            panic!("on purpose")
        }
        // Neither dropped nor destroyed: the kernel alone ends what is in flight.
        "return" => std::mem::forget(ring),
        "drop" => drop(ring),
        "destroy" => {
            let mut ring = ring;
            ring.destroy(Duration::from_millis(100));
            ours::drain(&mut ring);
        }
        other => panic!("no end {other}"),
    }
}

/// `END PATH`: ends with a read in flight that its server never answers.
fn silent(argument: &str) {
    let (end, path) = argument.split_once(' ').unwrap();
    let file = File::open(path).unwrap();
    let mut ring = ours::ring();
    let read = ours::read(&ring, &file, 4096, 0);
    let key = ours::submit(&mut ring, read, ours::ASYNCHRONOUS, 1);
    ours::flush_idle(&mut ring);
    std::thread::sleep(Duration::from_millis(50));
    ring.cancel(key);
    ring.flush(usize::MAX, &mut |_| ());
    ready();
    end_as(end, ring);
}

/// `END`: ends with polls, sleeps and reads in flight, asynchronous ones too.
fn waits(argument: &str) {
    let (reader, _writer) = pipe();
    let event = eventfd(0);
    let mut ring = ours::ring();
    for client in 0..100 {
        let extra = ours::extra(client % 2 == 0);
        let events = libc::POLLIN as u32;
        let poll = Poll { descriptor: ours::borrowed(&reader), events };
        ours::submit(&mut ring, poll, extra, client);
        let sleep = Sleep::new(ring.arena(), Duration::from_secs(300)).unwrap();
        ours::submit(&mut ring, sleep, extra, client);
        let read = ours::read(&ring, &event, 8, CURRENT_POSITION);
        ours::submit(&mut ring, read, extra, client);
    }
    ours::flush_idle(&mut ring);
    ready();
    end_as(argument, ring);
}

/// Ends while threads wait in the kernel, each for a ring of its own.
fn threads() {
    let (reader, _writer) = pipe();
    let started = std::sync::Arc::new(std::sync::Barrier::new(9));
    for _ in 0..8 {
        let (started, reader) = (started.clone(), reader.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut ring = ours::ring();
            for client in 0..16 {
                let read = ours::read(&ring, &reader, 8, CURRENT_POSITION);
                ours::submit(&mut ring, read, ours::extra(client % 2 == 0), client);
            }
            ours::flush_idle(&mut ring);
            started.wait();
            ring.flush_and_wait(&mut |_| ());
        });
    }
    started.wait();
    ready();
    std::process::exit(3);
}

/// Ends with two rings that hold each other: each polls the other's descriptor.
fn two_rings() {
    let mut rings = [ours::ring(), ours::ring()];
    let numbers = rings.each_ref().map(|ring| ring.kernel().descriptor());
    let event = eventfd(0);
    for (ring, number) in rings.iter_mut().zip([numbers[1], numbers[0]]) {
        let descriptor = uring_safe_cancel::Descriptor::Borrowed(number);
        let poll = Poll { descriptor, events: libc::POLLIN as u32 };
        ours::submit(ring, poll, ours::PLAIN, 0);
        let read = ours::read(ring, &event, 8, CURRENT_POSITION);
        ours::submit(ring, read, ours::ASYNCHRONOUS, 1);
        ours::flush_idle(ring);
    }
    ready();
    std::mem::forget(rings);
    std::process::exit(3);
}

/// A process with operations in flight ends as it would without, however it ends.
#[test]
fn a_process_ends_with_operations_in_flight() {
    let ends = [("exit", 3), ("panic", 101), ("return", 0), ("drop", 0), ("destroy", 0)];
    let programs = ends.map(|(name, status)| ("waits", name, status));
    for (program, argument, status) in
        programs.into_iter().chain([("threads", "", 3), ("two rings", "", 3)])
    {
        let mut child = start(program, argument);
        let ended = end(&mut child, PATIENCE);
        let ended = ended.unwrap_or_else(|| panic!("{program} {argument} hangs"));
        assert_eq!(ended.code(), Some(status), "{program} {argument}: {ended}");
    }
}
