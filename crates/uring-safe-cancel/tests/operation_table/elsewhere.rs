//! Operations that the library does not have, on the kernel alone: what it would meet if it had them, and why it
//! does without some. Left out: uring_cmd (no driver that is everywhere), multishot and zero-copy operations.

use super::children;
use super::raw::{leaked, Fate, Raw, PATIENCE};
use super::row::{code, row, Known, ARMED, RESTART};
use super::sources::{fill, pipe};
use io_uring::squeue::{Entry, Flags};
use io_uring::{opcode, types};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const NONE: &str = "does not have it";
const PAUSE: Duration = Duration::from_millis(10);

fn fd(file: &impl AsRawFd) -> types::Fd {
    types::Fd(file.as_raw_fd())
}

/// Submits, cancels until it ends, and requires what is known.
fn pin(name: &str, entry: Entry, known: &Known, exactly: Option<(i32, i32)>) {
    let mut raw = Raw::new();
    let tag = raw.submit(entry, false);
    std::thread::sleep(PAUSE);
    assert!(!raw.is_done(tag), "{name}: it should wait, but {:?}", raw.result(tag, PATIENCE));
    let fate = raw.end(tag);
    row(name, &fate, known, exactly, NONE);
}

#[test]
fn sockets() {
    let cancelled = Some((0, -libc::ECANCELED));
    let (here, there) = UnixStream::pair().unwrap();
    let buffer = leaked(4096);
    let recv = opcode::Recv::new(fd(&here), buffer.as_mut_ptr(), 64).build();
    pin("recv, unix socket, plain", recv, &ARMED, cancelled);

    let full: OwnedFd = there.try_clone().unwrap().into();
    fill(&full);
    let send = opcode::Send::new(fd(&there), buffer.as_ptr(), 4096).build();
    pin("send, full unix socket, plain", send, &ARMED, cancelled);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let null = std::ptr::null_mut();
    let accept = opcode::Accept::new(fd(&listener), null, null.cast()).build();
    pin("accept, tcp socket, plain", accept, &ARMED, cancelled);
}

/// Part of the bytes have come: a cancel delivers them, so it must not be taken for "nothing happened".
#[test]
fn recv_with_msg_waitall_and_a_part_of_the_bytes() {
    use std::io::Write;
    let (here, mut there) = UnixStream::pair().unwrap();
    let buffer = leaked(64);
    let mut raw = Raw::new();
    let recv = opcode::Recv::new(fd(&here), buffer.as_mut_ptr(), 64).flags(libc::MSG_WAITALL);
    let tag = raw.submit(recv.build(), false);
    there.write_all(b"part").unwrap();
    std::thread::sleep(PAUSE);
    assert!(!raw.is_done(tag));
    let fate = raw.end(tag);
    let known = Known { answers: &[0], results: &[4, -libc::ECANCELED] };
    row("recv MSG_WAITALL, unix socket with a part, plain", &fate, &known, Some((0, 4)), NONE);
}

#[test]
fn connect_in_syn_sent() {
    // A listener whose queue is full answers no SYN.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: the call takes two integers.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let std::net::SocketAddr::V4(to) = listener.local_addr().unwrap() else { panic!() };
    let address = leaked(size_of::<libc::sockaddr_in>());
    let name = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*to.ip()).to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: the memory is page-aligned, as long, and nobody else knows it.
    unsafe { address.as_mut_ptr().cast::<libc::sockaddr_in>().write(name) };
    let mut raw = Raw::new();
    let mut sockets = Vec::new();
    for _ in 0..16 {
        // SAFETY: the call takes integers.
        let socket = super::environment::owned(unsafe {
            libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0)
        });
        let length = size_of::<libc::sockaddr_in>() as u32;
        let connect = opcode::Connect::new(fd(&socket), address.as_ptr().cast(), length);
        let tag = raw.submit(connect.build(), false);
        sockets.push(socket);
        if raw.result(tag, Duration::from_millis(50)).is_none() {
            let fate = raw.end(tag);
            row(
                "connect, tcp socket in SYN-SENT, plain",
                &fate,
                &ARMED,
                Some((0, -libc::ECANCELED)),
                NONE,
            );
            return;
        }
    }
    panic!("the listener's queue was never full");
}

#[test]
fn splice_and_tee_from_an_empty_pipe() {
    let (source, _writer) = pipe();
    let (_reader, target) = pipe();
    let known = Known {
        answers: &[-libc::EALREADY, -libc::ENOENT, 0],
        results: &[RESTART, -libc::EINTR, -libc::ECANCELED],
    };
    for (name, entry) in [
        ("splice", opcode::Splice::new(fd(&source), -1, fd(&target), -1, 64).build()),
        ("tee", opcode::Tee::new(fd(&source), fd(&target), 64).build()),
    ] {
        // Until a worker of the kernel waits in it.
        let fate = (1..100).find_map(|attempt| {
            let mut raw = Raw::new();
            let tag = raw.submit(entry.clone(), false);
            std::thread::sleep(PAUSE * attempt);
            let fate = raw.end(tag);
            (fate.answers[0] == -libc::EALREADY).then_some(fate)
        });
        let fate = fate.expect("a cancel that met a worker");
        row(
            &format!("{name}, empty pipe, plain"),
            &fate,
            &known,
            Some((-libc::EALREADY, RESTART)),
            NONE,
        );
    }
}

#[test]
fn waits_of_newer_kernels() {
    let known = Known { answers: &[0, 1], results: &[-libc::ECANCELED] };
    let raw = Raw::new();
    let mut rows = Vec::new();
    if raw.has(opcode::FutexWait::CODE) {
        /// `FUTEX2_SIZE_U32 | FUTEX2_PRIVATE`
        const FUTEX: u32 = 2 | 128;
        let word = leaked(4).as_ptr().cast::<u32>();
        let all = u64::from(u32::MAX);
        rows.push(("futex_wait, -", opcode::FutexWait::new(word, 0, all, FUTEX).build(), 1));
    }
    let mut child = children::start("idle", "");
    if raw.has(opcode::WaitId::CODE) {
        let wait = opcode::WaitId::new(libc::P_PID, child.id(), libc::WEXITED);
        rows.push(("waitid, a child", wait.build(), 1));
    }
    // SAFETY: the call takes an integer.
    let epoll = super::environment::owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) });
    if raw.has(opcode::EpollWait::CODE) {
        let events = leaked(64).as_mut_ptr().cast();
        rows.push(("epoll_wait, -", opcode::EpollWait::new(fd(&epoll), events, 1).build(), 0));
    }
    println!(
        "row: futex_wait, waitid and epoll_wait; kernel: has {} of 3; library: {NONE}",
        rows.len()
    );
    for (name, entry, answer) in rows {
        pin(&format!("{name}, plain"), entry, &known, Some((answer, -libc::ECANCELED)));
    }
    drop(child.stdin.take());
    assert!(children::end(&mut child, PATIENCE).is_some());
}

/// The second of a chain has not started: it is not found, and there is no CQE of it while the head is pending.
#[test]
fn the_second_of_a_link_chain() {
    let (reader, _writer) = pipe();
    let mut raw = Raw::new();
    let buffer = leaked(64);
    let read = opcode::Read::new(fd(&reader), buffer.as_mut_ptr(), 64).build();
    let head = raw.queue(read, Flags::IO_LINK);
    let second = raw.queue(opcode::Nop::new().build(), Flags::empty());
    raw.enter();
    let answer = raw.cancel(second);
    let early = raw.result(second, Duration::from_millis(30));
    println!(
        "row: nop, linked behind a read; kernel: {} -> {early:?}; library: does not link",
        code(answer)
    );
    assert_eq!((answer, early), (-libc::ENOENT, None));
    assert_eq!(raw.end(head).result, -libc::ECANCELED);
    assert_eq!(raw.result(second, PATIENCE), Some(-libc::ECANCELED));
}

#[test]
fn a_link_timeout_is_cancelled_by_its_head() {
    let (reader, _writer) = pipe();
    let mut raw = Raw::new();
    let time = leaked(size_of::<types::Timespec>()).as_mut_ptr().cast::<types::Timespec>();
    // SAFETY: the memory is page-aligned, has room for it, and nobody else knows it.
    unsafe { time.write(types::Timespec::new().sec(3600)) };
    let buffer = leaked(64);
    let read = opcode::Read::new(fd(&reader), buffer.as_mut_ptr(), 64).build();
    let head = raw.queue(read, Flags::IO_LINK);
    let timeout = raw.queue(opcode::LinkTimeout::new(time).build(), Flags::empty());
    raw.enter();
    let answer = raw.cancel(timeout);
    let known = Known { answers: &[-libc::ENOENT, 0], results: &[-libc::ECANCELED] };
    let fate = Fate { answers: vec![answer], ..raw.end(head) };
    assert!(raw.result(timeout, PATIENCE).is_some(), "it ends with its head");
    row(
        "link_timeout, -, behind a read",
        &fate,
        &known,
        Some((-libc::ENOENT, -libc::ECANCELED)),
        "does not link",
    );
}

/// The cancel of a drained operation has no CQE while it is deferred: the library waits for each answer, and so
/// never drains.
#[test]
fn a_drained_operation() {
    use std::io::Write;
    let (reader, writer) = pipe();
    let mut raw = Raw::new();
    let buffer = leaked(64);
    let read = opcode::Read::new(fd(&reader), buffer.as_mut_ptr(), 64).build();
    let head = raw.submit(read, false);
    let drained = raw.queue(opcode::Nop::new().build(), Flags::IO_DRAIN);
    raw.enter();
    let cancel = raw.submit(opcode::AsyncCancel::new(drained).build(), false);
    let answer = raw.result(cancel, Duration::from_millis(50));
    let early = raw.result(drained, Duration::ZERO);
    std::fs::File::from(writer).write_all(b"x").unwrap();
    assert_eq!(raw.result(head, PATIENCE), Some(1));
    let (late, end) = (raw.result(cancel, PATIENCE), raw.result(drained, PATIENCE));
    println!(
        "row: nop, drained behind a read; kernel: {answer:?} -> {early:?}, and when the read is over {late:?} -> \
         {end:?}; library: does not drain"
    );
    assert!(late.is_some() && end.is_some());
    if super::environment::release() == (6, 18) {
        assert_eq!((answer, early), (None, None));
    }
}

/// A stream whose peer shuts it down reads 0: the one way to end a wait that needs no cancel.
#[test]
fn shutdown_ends_a_recv() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (_server, _) = listener.accept().unwrap();
    let mut raw = Raw::new();
    let buffer = leaked(64);
    let tag = raw.submit(opcode::Recv::new(fd(&client), buffer.as_mut_ptr(), 64).build(), false);
    client.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(raw.result(tag, PATIENCE), Some(0));
    println!("row: recv, tcp socket that is shut down, plain; kernel: - -> 0; library: {NONE}");
}
