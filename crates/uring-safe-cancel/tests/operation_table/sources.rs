//! Files on which a read, or a write, waits.

use super::environment::{owned, path};
use std::ffi::CString;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

/// A file, and what must stay open for it to wait.
pub struct Source {
    pub name: &'static str,
    pub file: OwnedFd,
    pub peer: Option<OwnedFd>,
    /// How many bytes an operation on it takes.
    pub length: usize,
}

pub fn pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    (reader.into(), writer.into())
}

pub fn eventfd(value: u32) -> OwnedFd {
    // SAFETY: the call takes two integers.
    owned(unsafe { libc::eventfd(value, libc::EFD_CLOEXEC) })
}

pub fn fifo() -> std::path::PathBuf {
    let path = path("fifo");
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the pointer is to a C string that outlives the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    path
}

fn fifo_without_data() -> OwnedFd {
    let path = fifo();
    // For reading and writing, a FIFO opens without a peer.
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path);
    std::fs::remove_file(path).unwrap();
    file.unwrap().into()
}

fn timerfd() -> OwnedFd {
    // SAFETY: the call takes two integers.
    owned(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) })
}

fn inotify() -> OwnedFd {
    // SAFETY: the call takes an integer.
    owned(unsafe { libc::inotify_init1(libc::IN_CLOEXEC) })
}

fn signalfd() -> OwnedFd {
    let mut signals = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the pointer is to a set of this frame, which the calls initialise and read.
    owned(unsafe {
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGURG);
        libc::signalfd(-1, signals.as_ptr(), libc::SFD_CLOEXEC)
    })
}

/// The slave's side of a terminal, and the master's.
pub fn terminal() -> (OwnedFd, OwnedFd) {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the call takes an integer.
    let master = owned(unsafe { libc::posix_openpt(flags) });
    // SAFETY: the call takes a descriptor that is open.
    assert_eq!(unsafe { libc::unlockpt(master.as_raw_fd()) }, 0);
    // SAFETY: the call takes a descriptor that is open, and two integers.
    let slave = owned(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) });
    (slave, master)
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback interface");
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// All on which a read waits.
pub fn empty() -> Vec<Source> {
    let alone = |name, file, length| Source { name, file, peer: None, length };
    let (reader, writer) = pipe();
    let (slave, master) = terminal();
    let (here, there) = UnixStream::pair().unwrap();
    let (client, server) = tcp();
    let pair =
        |name, file: OwnedFd, peer: OwnedFd| Source { name, file, peer: Some(peer), length: 64 };
    vec![
        pair("pipe", reader, writer),
        alone("FIFO", fifo_without_data(), 64),
        alone("eventfd", eventfd(0), 8),
        alone("timerfd", timerfd(), 8),
        // Room for an event with the longest name.
        alone("inotify", inotify(), 512),
        alone("signalfd", signalfd(), 128),
        pair("pty", slave, master),
        pair("unix socket", here.into(), there.into()),
        pair("tcp socket", client.into(), server.into()),
    ]
}

/// All on which a write waits.
pub fn full() -> Vec<Source> {
    let (reader, writer) = pipe();
    let (here, there) = UnixStream::pair().unwrap();
    fill(&writer);
    let here: OwnedFd = here.into();
    fill(&here);
    // One below the most that it can hold: eight bytes more than one wait.
    let event = eventfd(0);
    std::fs::File::from(event.try_clone().unwrap())
        .write_all(&(u64::MAX - 1).to_ne_bytes())
        .unwrap();
    vec![
        Source { name: "full pipe", file: writer, peer: Some(reader), length: 4096 },
        Source { name: "full eventfd", file: event, peer: None, length: 8 },
        Source { name: "full unix socket", file: here, peer: Some(there.into()), length: 4096 },
    ]
}

/// Writes until a write would wait.
pub fn fill(file: &OwnedFd) -> usize {
    set_nonblocking(file, true);
    let mut writer = std::fs::File::from(file.try_clone().unwrap());
    let mut total = 0;
    for chunk in [vec![0; 65_536], vec![0; 1]] {
        while let Ok(count) = writer.write(&chunk) {
            total += count;
        }
    }
    set_nonblocking(file, false);
    total
}

pub fn set_nonblocking(file: &impl AsRawFd, nonblocking: bool) {
    // SAFETY: the calls take integers.
    unsafe {
        let flags = libc::fcntl(file.as_raw_fd(), libc::F_GETFL);
        let flags = if nonblocking { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
        assert_eq!(libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags), 0);
    }
}
