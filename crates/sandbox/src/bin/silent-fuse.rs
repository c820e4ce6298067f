//! `silent-fuse [--direct-io] [--slow] [--delay MILLISECONDS OPERATIONS] MOUNTPOINT`: a filesystem with one file, `file`, that never answers a read.
//!
//! As most servers do, it lets the kernel read pages in the background: who waits for them can be killed. With
//! `--direct-io` a read is a request of its own, and once the server has it, Linux keeps even who was killed. With `--slow`
//! the kernel asks for the file's attributes whenever somebody wants them, and after the first read that takes three seconds.
//! With `--delay` these operations (`read,write,open,flush,poll`) are answered, each so much later.
//!
//! Nothing else that can be had on every machine defies its cancel for certain, so this is what tests of
//! stuck operations read. It prints the file's path when it serves, then a line `read` for each read that
//! has reached it, and ends, which answers everything with ENOTCONN, when its standard input does. Who is
//! not root gets the mount in a namespace of its own, and a path that leads there.

use std::ffi::{CString, OsStr};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Operations of the FUSE protocol (linux/fuse.h) that a read of a file needs.
mod opcode {
    pub const LOOKUP: u32 = 1;
    pub const GETATTR: u32 = 3;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const WRITE: u32 = 16;
    pub const INIT: u32 = 26;
    pub const FLUSH: u32 = 25;
    pub const FORGET: u32 = 2;
    pub const INTERRUPT: u32 = 36;
    pub const POLL: u32 = 40;
    pub const BATCH_FORGET: u32 = 42;
}

/// No machine is so busy that a test takes as long, and who waits for it all the same does not hang.
const SLOW: Duration = Duration::from_secs(3);
const ROOT: u64 = 1;
const THE_FILE: u64 = 2;
const FILE_BYTES: u64 = 1 << 20;
/// The protocol's version: any that has 64 bytes of INIT answer.
const MAJOR: u32 = 7;
const MINOR: u32 = 31;
/// `FUSE_ASYNC_READ`: pages are read in the background.
const ASYNC_READ: u32 = 1;
/// `FOPEN_DIRECT_IO`: past the page cache.
const DIRECT_IO: u32 = 1;
/// `FOPEN_KEEP_CACHE`: or else a second open would wait for the pages that the first one reads.
const KEEP_CACHE: u32 = 2;
const MAX_WRITE: u32 = 128 << 10;
/// What the kernel wants as the smallest buffer for requests.
const REQUEST_BYTES: usize = MAX_WRITE as usize + 4096;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let is_direct = arguments.next_if(|argument| argument == "--direct-io").is_some();
    let is_slow = arguments.next_if(|argument| argument == "--slow").is_some();
    let mut delays = Delays::default();
    if arguments.next_if(|argument| argument == "--delay").is_some() {
        let (milliseconds, names) = (arguments.next(), arguments.next());
        let Some(parsed) =
            milliseconds.zip(names).and_then(|(time, names)| Delays::parse(&time, &names))
        else {
            eprintln!("silent-fuse: --delay MILLISECONDS read,write,open,flush,poll");
            return ExitCode::from(64);
        };
        delays = parsed;
    }
    let Some(mountpoint) = arguments.next().map(PathBuf::from) else {
        eprintln!(
            "usage: silent-fuse [--direct-io] [--slow] [--delay MILLISECONDS OPERATIONS] MOUNTPOINT"
        );
        return ExitCode::from(64);
    };
    let server = Server {
        open_flags: if is_direct { DIRECT_IO } else { KEEP_CACHE },
        validity_seconds: if is_slow { 0 } else { 3600 },
        is_slow,
        delays,
        was_read: false,
    };
    match run(&mountpoint, server) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "silent-fuse: {}: {error} (it needs /dev/fuse, and root or user namespaces)",
                mountpoint.display()
            );
            ExitCode::FAILURE
        }
    }
}

fn run(mountpoint: &Path, server: Server) -> io::Result<()> {
    // SAFETY: the calls take no arguments and touch no memory.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let mut prefix = String::new();
    if user != 0 {
        enter_namespaces(user, group)?;
        prefix = format!("/proc/{}/root", std::process::id());
    }
    let device = mount(mountpoint)?;
    let path = format!("{prefix}{}/file", mountpoint.display());
    serve_until_stdin_ends(device, mountpoint, &path, server)
}

/// A user namespace in which this user is root, and a mount namespace that belongs to it.
fn enter_namespaces(user: u32, group: u32) -> io::Result<()> {
    // SAFETY: the call takes flags only, and this process has one thread.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

fn mount(mountpoint: &Path) -> io::Result<File> {
    let device = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
    let target = CString::new(mountpoint.as_os_str().as_bytes())?;
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    let options = CString::new(options)?;
    // SAFETY: all pointers are to C strings that outlive the call.
    let status = unsafe {
        libc::mount(
            c"silent".as_ptr(),
            target.as_ptr(),
            c"fuse".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV,
            options.as_ptr().cast(),
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(device)
}

fn serve_until_stdin_ends(
    device: File,
    mountpoint: &Path,
    path: &str,
    mut server: Server,
) -> io::Result<()> {
    let requests = device.try_clone()?;
    std::thread::spawn(move || server.serve(requests));
    println!("{path}");
    io::stdin().read_to_end(&mut Vec::new())?;
    let target = CString::new(mountpoint.as_os_str().as_bytes())?;
    // SAFETY: the pointer is to a C string that outlives the call. Detached, because files in it are
    // open; the connection ends with this process.
    if unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

struct Server {
    open_flags: u32,
    /// How long the kernel may believe what it was told.
    validity_seconds: u64,
    is_slow: bool,
    delays: Delays,
    was_read: bool,
}

/// Which operations are answered late, and how late.
#[derive(Default)]
struct Delays {
    time: Duration,
    opcodes: Vec<u32>,
}

impl Delays {
    fn parse(milliseconds: &OsStr, names: &OsStr) -> Option<Self> {
        let time = Duration::from_millis(milliseconds.to_str()?.parse().ok()?);
        let opcode = |name| match name {
            "read" => Some(opcode::READ),
            "write" => Some(opcode::WRITE),
            "open" => Some(opcode::OPEN),
            "flush" => Some(opcode::FLUSH),
            "poll" => Some(opcode::POLL),
            _ => None,
        };
        let opcodes = names.to_str()?.split(',').map(opcode).collect::<Option<_>>()?;
        Some(Self { time, opcodes })
    }

    fn of(&self, opcode: u32) -> Option<Duration> {
        self.opcodes.contains(&opcode).then_some(self.time)
    }
}

struct Request {
    opcode: u32,
    unique: u64,
    node: u64,
    /// Where a read or write begins.
    offset: u64,
    /// How many bytes it is about.
    bytes: u32,
}

impl Request {
    fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            opcode: u32::from_ne_bytes(bytes.get(4..8)?.try_into().ok()?),
            unique: u64::from_ne_bytes(bytes.get(8..16)?.try_into().ok()?),
            node: u64::from_ne_bytes(bytes.get(16..24)?.try_into().ok()?),
            // Behind a header of 40 bytes and a handle.
            offset: bytes
                .get(48..56)
                .map_or(Some(0), |bytes| Some(u64::from_ne_bytes(bytes.try_into().ok()?)))?,
            bytes: bytes
                .get(56..60)
                .map_or(Some(0), |bytes| Some(u32::from_ne_bytes(bytes.try_into().ok()?)))?,
        })
    }
}

impl Server {
    fn serve(&mut self, mut device: File) {
        let mut request = vec![0; REQUEST_BYTES];
        while let Ok(length) = device.read(&mut request) {
            let Some(request) = Request::parse(&request[..length]) else { return };
            if request.opcode == opcode::READ {
                self.was_read = true;
                println!("read");
            }
            if request.opcode == opcode::GETATTR && self.is_slow && self.was_read {
                std::thread::sleep(SLOW);
            }
            let Some(answer) = self.answer(&request) else { continue };
            let answer = frame(request.unique, answer);
            // A request that was interrupted meanwhile has nobody waiting.
            let Some(delay) = self.delays.of(request.opcode) else {
                let _ = device.write(&answer);
                continue;
            };
            let Ok(mut device) = device.try_clone() else { return };
            std::thread::spawn(move || {
                std::thread::sleep(delay);
                device.write(&answer)
            });
        }
    }

    /// The answer, or an errno; `None` for what is never answered.
    fn answer(&self, request: &Request) -> Option<Result<Vec<u8>, i32>> {
        let validity = self.validity_seconds.to_ne_bytes();
        Some(match request.opcode {
            opcode::READ if self.delays.of(opcode::READ).is_some() => {
                let left = FILE_BYTES.saturating_sub(request.offset);
                Ok(vec![b'r'; left.min(request.bytes.into()) as usize])
            }
            // How many were taken, and padding.
            opcode::WRITE => Ok([request.bytes.to_ne_bytes(), [0; 4]].concat()),
            opcode::FLUSH if self.delays.of(opcode::FLUSH).is_some() => Ok(Vec::new()),
            // POLLIN and POLLOUT, and padding.
            opcode::POLL if self.delays.of(opcode::POLL).is_some() => {
                Ok([5u32.to_ne_bytes(), [0; 4]].concat())
            }
            opcode::READ | opcode::FORGET | opcode::BATCH_FORGET | opcode::INTERRUPT => {
                return None
            }
            opcode::INIT => Ok(init()),
            opcode::LOOKUP => Ok(entry(THE_FILE, validity)),
            opcode::GETATTR => Ok([&validity[..], &[0; 8], &attributes(request.node)].concat()),
            // A handle of eight bytes, the flags, and padding.
            opcode::OPEN => Ok([&[0; 8][..], &self.open_flags.to_ne_bytes(), &[0; 4]].concat()),
            _ => Err(libc::ENOSYS),
        })
    }
}

fn frame(unique: u64, answer: Result<Vec<u8>, i32>) -> Vec<u8> {
    let (error, body) = match answer {
        Ok(body) => (0, body),
        Err(errno) => (-errno, Vec::new()),
    };
    let length = 16 + body.len() as u32;
    [&length.to_ne_bytes()[..], &error.to_ne_bytes(), &unique.to_ne_bytes(), &body].concat()
}

fn init() -> Vec<u8> {
    let mut body = Vec::with_capacity(64);
    // Version, readahead, flags, background limits (two u16), largest write, time granularity.
    for word in [MAJOR, MINOR, 0, ASYNC_READ, 0, MAX_WRITE, 1] {
        body.extend(word.to_ne_bytes());
    }
    body.resize(64, 0);
    body
}

fn entry(node: u64, validity: [u8; 8]) -> Vec<u8> {
    let generation = [0; 8];
    let nanoseconds = [0; 8];
    [&node.to_ne_bytes()[..], &generation, &validity, &validity, &nanoseconds, &attributes(node)]
        .concat()
}

fn attributes(node: u64) -> Vec<u8> {
    let (mode, size) = if node == ROOT {
        (libc::S_IFDIR | 0o755, 4096)
    } else {
        (libc::S_IFREG | 0o644, FILE_BYTES)
    };
    let mut body = Vec::with_capacity(88);
    // Inode, size, blocks, and three times.
    for number in [node, size, size / 512, 0, 0, 0] {
        body.extend(number.to_ne_bytes());
    }
    // Three nanoseconds, mode, links, owner, group, device, block size, flags.
    for word in [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0] {
        body.extend(word.to_ne_bytes());
    }
    body
}
