//! A file whose server never answers: the one thing that defies its cancel for certain.

use super::children;
use super::environment::{lacks, path, FUSE};
use super::ours::{self, extra, ring_with, TestRing};
use super::raw::{leaked, Raw, PATIENCE};
use super::row::code;
use io_uring::{opcode, types};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use uring_safe_cancel::{Arena, Options, Verdict};

/// A mount, until it is dropped: then its server ends, and everything on it fails.
struct Silent {
    server: Child,
    directory: PathBuf,
    file: PathBuf,
}

impl Silent {
    fn mount(arguments: &[&str]) -> Self {
        let directory = path("silent");
        std::fs::create_dir(&directory).unwrap();
        let mut server = Command::new(program())
            .args(arguments)
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(
            !line.is_empty(),
            "no file that never answers: it needs /dev/fuse, and root or user namespaces (where it cannot be had, \
             OPERATION_TABLE_WITHOUT={FUSE} names it)"
        );
        Self { server, directory, file: line.trim_end().into() }
    }

    fn open(&self) -> File {
        File::open(&self.file).unwrap()
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
        let _ = std::fs::remove_dir(&self.directory);
    }
}

/// The server of crates/sandbox: built if need be, or in `URING_SAFE_CANCEL_PROGRAMS` where nothing can be built.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(programs) = std::env::var_os("URING_SAFE_CANCEL_PROGRAMS") {
            return Path::new(&programs).join("silent-fuse");
        }
        // This test lies in TARGET/PROFILE/deps.
        let test = std::env::current_exe().unwrap();
        let target = test.ancestors().nth(3).unwrap();
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "uring-safe-cancel-sandbox"])
            .args(["--bin", "silent-fuse", "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo");
        assert!(status.success(), "silent-fuse was not built");
        target.join("debug/silent-fuse")
    })
}

const LENGTH: usize = 8192;

/// Whether pages are mapped. (Reading them would crash if not.)
pub fn is_mapped(address: usize, length: usize) -> bool {
    let mut pages = vec![0u8; length.div_ceil(4096)];
    // SAFETY: the vector has a byte for each page; the call touches no byte of the pages themselves.
    unsafe { libc::mincore(address as *mut _, length, pages.as_mut_ptr()) == 0 }
}

/// A ring with a read that no cancel ends, and where that read's memory lies.
fn hung(options: Options, file: &File, asynchronous: bool) -> (TestRing, usize) {
    // Until a worker of the kernel has it: before, it is cancelled as any other work.
    for attempt in 1..100 {
        let mut ring = ring_with(options.clone());
        let read = ours::read(&ring, file, LENGTH, 0);
        let address = read.memory.address();
        let key = ours::submit(&mut ring, read, extra(asynchronous), 42);
        ours::flush_idle(&mut ring);
        std::thread::sleep(Duration::from_millis(10) * attempt);
        assert!(ring.cancel(key));
        if ours::next_within(&mut ring, Duration::from_millis(20)).is_none() {
            return (ring, address);
        }
    }
    panic!("a read that nobody answers was always cancelled");
}

fn assert_never_used_again(arena: &Arena, address: usize, length: usize) {
    assert!(is_mapped(address, length), "what was given up is never unmapped");
    let pieces: Vec<_> = (0..600).map(|_| arena.allocate(length).unwrap()).collect();
    for piece in &pieces {
        let is_apart = piece.address() + length <= address || address + length <= piece.address();
        assert!(is_apart, "what was given up is never handed out again");
    }
}

#[test]
fn a_read_that_no_cancel_ends_is_reported_cancelled_on_and_given_up_at_destroy() {
    if lacks(FUSE) {
        return;
    }
    for asynchronous in [false, true] {
        let silent = Silent::mount(&[]);
        let file = silent.open();

        let buffer = leaked(LENGTH);
        let fd = types::Fd(file.as_raw_fd());
        let (mut raw, tag, first) = (1..100)
            .find_map(|attempt| {
                let mut raw = Raw::new();
                let read = opcode::Read::new(fd, buffer.as_mut_ptr(), LENGTH as u32).build();
                let tag = raw.submit(read, asynchronous);
                std::thread::sleep(Duration::from_millis(10) * attempt);
                let answer = raw.cancel(tag);
                (answer == -libc::EALREADY).then_some((raw, tag, answer))
            })
            .expect("a read that hangs");
        let mut answers = vec![first];
        for _ in 0..20 {
            answers.push(raw.cancel(tag));
            assert_eq!(raw.result(tag, Duration::from_millis(2)), None, "nobody answered it");
        }
        assert!(answers.iter().all(|&answer| answer == -libc::EALREADY), "{answers:?}");

        let mut options = Options::default();
        options.cancel.stuck_after = Duration::from_millis(50);
        options.cancel.max_delay = Duration::from_millis(5);
        let (mut ring, address) = hung(options, &file, asynchronous);
        let begun = Instant::now();
        let mut reports = ring.take_stuck_reports();
        while reports.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "it is reported");
            assert!(ours::next_within(&mut ring, Duration::from_millis(5)).is_none());
            reports = ring.take_stuck_reports();
        }
        let report = &reports[0];
        let last = report.last_answer.unwrap();
        assert_eq!((report.operation, report.descriptor), ("read", Some(file.as_raw_fd())));
        assert_eq!((report.after, last), (Duration::from_millis(50), -libc::EALREADY));
        assert!(report.attempts >= 2, "{report:?}");
        assert_eq!(ring.client(report.key), Some(&42), "it stays tracked");
        let attempts = ring.stats().cancel_attempts;
        while ring.stats().cancel_attempts < attempts + 5 {
            assert!(begun.elapsed() < PATIENCE, "it is cancelled on");
            assert!(ours::next_within(&mut ring, Duration::from_millis(5)).is_none());
        }
        assert!(ring.take_stuck_reports().is_empty(), "it is reported once");
        assert_eq!((ring.stats().stuck, ring.stats().in_flight), (1, 1));

        let arena = ring.arena().clone();
        ring.destroy(Duration::from_millis(30));
        let done = ours::drain(&mut ring);
        assert_eq!((done.len(), done[0].client, done[0].verdict), (1, 42, Verdict::Stuck));
        assert!(done[0].operation.is_none(), "its memory is not given back");
        assert!(ring.is_drained() && ring.is_given_up());
        let mode = if asynchronous { "async" } else { "plain" };
        println!(
            "row: read, silent FUSE server, {mode}; kernel: {} x {} -> none; library: reported after {} \
             cancels, given up by destroy after {}",
            code(first), answers.len(), report.attempts, done[0].attempts
        );
        drop(ring);
        assert!(arena.usage().held >= LENGTH);
        assert_never_used_again(&arena, address, LENGTH);
    }
}

#[test]
fn dropping_a_ring_with_such_a_read_returns_and_leaks_its_memory() {
    if lacks(FUSE) {
        return;
    }
    let silent = Silent::mount(&[]);
    let (ring, address) = hung(Options::default(), &silent.open(), true);
    let arena = ring.arena().clone();
    drop(ring);
    assert!(arena.usage().held >= LENGTH, "leaked");
    assert_never_used_again(&arena, address, LENGTH);
    drop(silent);
    assert_never_used_again(&arena, address, LENGTH);
}

/// The kernel kills the wait for a page with the process.
#[test]
fn a_process_ends_with_such_a_read_in_flight() {
    if lacks(FUSE) {
        return;
    }
    let silent = Silent::mount(&[]);
    for (name, status) in [("exit", 3), ("panic", 101), ("return", 0), ("drop", 0), ("destroy", 0)]
    {
        let mut child = children::start("silent", &format!("{name} {}", silent.file.display()));
        let ended = children::end(&mut child, PATIENCE);
        println!("row: process with such a read, {name}; kernel: -; library: ends, {ended:?}");
        assert_eq!(ended.and_then(|ended| ended.code()), Some(status), "{name}");
    }
}

/// A thread cannot: it waits, in its end, for the kernel's workers of its rings. Whoever joins it waits too.
#[test]
fn a_thread_ends_with_such_a_read_in_flight_only_when_the_server_does() {
    if lacks(FUSE) {
        return;
    }
    let silent = Silent::mount(&[]);
    let file = silent.open();
    let (submitted, is_submitted) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let (ring, _) = hung(Options::default(), &file, true);
        drop(ring);
        submitted.send(()).unwrap();
    });
    is_submitted.recv().unwrap();
    // `is_finished` only says that its closure is done.
    let (joined, is_joined) = std::sync::mpsc::channel();
    let join = std::thread::spawn(move || {
        thread.join().unwrap();
        joined.send(()).unwrap();
    });
    let kept = is_joined.recv_timeout(Duration::from_millis(200)).is_err();
    println!("row: thread with such a read; kernel: keeps it {kept}; library: -");
    drop(silent);
    is_joined.recv_timeout(PATIENCE).expect("and then it ends");
    join.join().unwrap();
}

/// FOPEN_DIRECT_IO: the kernel would serve the read inside of the submission (not on 6.8), so that the ring gives it to a worker.
#[test]
fn a_read_past_the_cache_does_not_block_enter_plain_or_not() {
    if lacks(FUSE) {
        return;
    }
    let silent = Silent::mount(&["--direct-io"]);
    let file = silent.open();
    let (mut ring, _) = hung(Options::default(), &file, true);
    let (left, has_left) = std::sync::mpsc::channel();
    let blocked = {
        let file = file.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut ring = ours::ring();
            let read = ours::read(&ring, &file, LENGTH, 0);
            ours::submit(&mut ring, read, ours::PLAIN, 1);
            let mut done = Vec::new();
            ring.flush(usize::MAX, &mut |completion| done.push(completion.verdict));
            left.send(()).unwrap();
            done.extend(ours::drain(&mut ring).iter().map(|completion| completion.verdict));
            done
        })
    };
    // The server does not answer before it is dropped.
    has_left.recv_timeout(PATIENCE).expect("enter does not wait for the server");
    assert!(!blocked.is_finished(), "the read ends when it has");
    // Where the process is killed now, Linux keeps it until the server ends.
    let mut child = children::start("silent", &format!("exit {}", silent.file.display()));
    let kept = children::end(&mut child, Duration::from_millis(200)).is_none();

    drop(silent);
    let verdicts = blocked.join().unwrap();
    let done = ours::drain(&mut ring);
    println!(
        "row: read, silent FUSE server with FOPEN_DIRECT_IO, plain; kernel: would block enter; library: then {verdicts:?}"
    );
    println!(
        "row: read, silent FUSE server with FOPEN_DIRECT_IO, async; kernel: keeps the process {kept}; \
         library: then {:?} after {} cancels", done[0].verdict, done[0].attempts
    );
    assert!(matches!(verdicts[..], [Verdict::Failed(_)]), "{verdicts:?}");
    assert!(matches!(done[0].verdict, Verdict::Failed(_) | Verdict::Cancelled));
    assert!(children::end(&mut child, PATIENCE).is_some(), "and then the process ends");
}
