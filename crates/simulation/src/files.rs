//! The client's files. Each is a pipe, or a file in memory where a position is wanted, so that its inode
//! tells it from all others; and a pipe tells when its last write end was closed, so that no duplicate that
//! the ring made can be forgotten. What kind of file each is, the ring is told at random.

use crate::kernel::Probe;
use crate::lines::Moves;
use crate::record::Record;
use fastrand::Rng;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use uring_safe_cancel::descriptor::{FileKind, OpenFile};

/// One file.
#[derive(Debug)]
pub struct File {
    /// The client's descriptor, until it closes it.
    pub descriptor: Option<Arc<OpenFile>>,
    /// Its number.
    pub number: RawFd,
    /// The file's inode.
    pub inode: u64,
    /// What the ring is told that it is.
    pub kind: FileKind,
    /// Whether it is appended to.
    appends: bool,
    /// Whether -EAGAIN of a read or a write is waited out.
    pub waits: bool,
    /// Whether reads at the current position move it.
    pub has_position: bool,
    /// The other end of a pipe.
    reader: Option<OwnedFd>,
}

impl File {
    /// A pipe's write end.
    pub fn pipe(random: &mut Rng) -> io::Result<Self> {
        /// What has no position, and does not wait when it is let go.
        const KINDS: [FileKind; 5] = [
            FileKind::Pipe,
            FileKind::Pipe,
            FileKind::Pipe,
            FileKind::Anonymous,
            FileKind::PromptDevice,
        ];
        Self::pipe_of(KINDS[random.usize(..KINDS.len())])
    }

    fn pipe_of(kind: FileKind) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        // Of no bytes it must be possible to read it, too.
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        let both = std::fs::File::options().read(true).write(true).open(path)?;
        Ok(Self::new(both.into(), Some(reader.into()), kind))
    }

    /// A file in memory.
    pub fn regular(random: &mut Rng) -> io::Result<Self> {
        const KINDS: [FileKind; 5] = [
            FileKind::Local,
            FileKind::Local,
            FileKind::Layered,
            FileKind::Block,
            FileKind::Pseudo { has_content: false },
        ];
        const NAME: &CStr = c"simulation";
        // SAFETY: the name ends in NUL.
        let number = unsafe { libc::memfd_create(NAME.as_ptr(), libc::MFD_CLOEXEC) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made this descriptor for us.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        let mut file = Self::new(descriptor, None, KINDS[random.usize(..KINDS.len())]);
        file.appends = random.u8(..4) == 0;
        let nonblocking = random.bool();
        let flags = [(file.appends, libc::O_APPEND), (nonblocking, libc::O_NONBLOCK)];
        let flags = flags.iter().filter(|flag| flag.0).fold(libc::O_RDWR, |all, flag| all | flag.1);
        // SAFETY: the call takes integers.
        if unsafe { libc::fcntl(number, libc::F_SETFL, flags) } != 0 {
            return Err(io::Error::last_os_error());
        }
        file.waits = nonblocking && matches!(file.kind, FileKind::Pseudo { .. });
        Ok(file)
    }

    fn new(descriptor: OwnedFd, reader: Option<OwnedFd>, kind: FileKind) -> Self {
        let number = descriptor.as_raw_fd();
        Self {
            inode: crate::kernel::inode(number).unwrap_or(0),
            number,
            kind,
            appends: false,
            waits: reader.is_some(),
            has_position: reader.is_none(),
            reader,
            descriptor: Some(Arc::new(descriptor.into())),
        }
    }

    /// How an operation moves its position.
    pub fn moves(&self, record: &Record) -> Moves {
        let is_made_up = matches!(self.kind, FileKind::Pseudo { .. });
        match (record.at_position, record.kind.writes() && self.appends, is_made_up) {
            (false, ..) => Moves::Nothing,
            (true, true, true) => Moves::Kernel,
            (true, true, false) => Moves::ToEnd,
            (true, false, true) => Moves::After,
            (true, false, false) => Moves::Reserved,
        }
    }

    /// Closes the client's number.
    pub fn close(&mut self) {
        self.descriptor = None;
    }

    /// Whether somebody still has a descriptor of the pipe's write end. (Of a file in memory nobody can tell.)
    pub fn is_open(&self) -> bool {
        let Some(reader) = &self.reader else { return false };
        let mut poll = libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to a pollfd of this frame.
        let polled = unsafe { libc::poll(&mut poll, 1, 0) };
        assert!(polled >= 0, "poll: {}", io::Error::last_os_error());
        poll.revents & libc::POLLHUP == 0
    }
}

/// What a client has besides memory.
#[derive(Debug)]
pub struct Files {
    /// Those in use. The last is what simulated opens open.
    pub list: Vec<File>,
    /// Those whose number was closed.
    pub retired: Vec<File>,
    /// Descriptors that opens brought.
    pub opened: Vec<OwnedFd>,
    /// Reaches memory that may be gone.
    pub probe: Probe,
}

/// Pipes that operations work on.
const PIPES: usize = 2;
/// Files with a position.
const REGULAR: usize = 2;

impl Files {
    /// New ones.
    pub fn new(random: &mut Rng) -> io::Result<Self> {
        /// How many clients have one whose files are closed by a thread.
        const CLOSED_ELSEWHERE: u8 = 8;
        let mut list = Vec::new();
        for _ in 0..PIPES {
            list.push(File::pipe(random)?);
        }
        for _ in 0..REGULAR {
            list.push(File::regular(random)?);
        }
        list.push(File::pipe_of(match random.u8(..CLOSED_ELSEWHERE) {
            0 => FileKind::Layered,
            _ => FileKind::Pipe,
        })?);
        Ok(Self { list, retired: Vec::new(), opened: Vec::new(), probe: Probe::new()? })
    }

    /// How many operations may work on.
    pub fn usable(&self) -> usize {
        self.list.len() - 1
    }

    /// What simulated opens open.
    pub fn opens(&self) -> RawFd {
        self.list[self.list.len() - 1].number
    }

    /// Whether a thread of the library closes those.
    pub fn are_opens_elsewhere(&self) -> bool {
        self.list[self.list.len() - 1].kind == FileKind::Layered
    }

    /// Closes a file's number, and lets it mean another. Whether it could: a descriptor that the ring holds
    /// stays as it is.
    pub fn replace(&mut self, index: usize, mut new: File) -> bool {
        let old = &mut self.list[index];
        let is_shared = old.descriptor.as_ref().is_none_or(|own| Arc::strong_count(own) > 1);
        if !is_shared {
            // SAFETY: both descriptors are the client's; the old one goes on to own its number.
            let number = unsafe { libc::dup3(new.number, old.number, libc::O_CLOEXEC) };
            assert_eq!(number, old.number, "dup3: {}", io::Error::last_os_error());
            let own = old.descriptor.take().and_then(Arc::into_inner);
            // What was known of it was of the other file.
            new.descriptor = own.map(|own| Arc::new(OpenFile::from(OwnedFd::from(own))));
            new.number = number;
        }
        let mut old = std::mem::replace(old, new);
        old.close();
        self.retire(old);
        !is_shared
    }

    /// Keeps a file whose number was closed, as long as somebody has it open.
    pub fn retire(&mut self, file: File) {
        /// Looking costs a system call for each.
        const MANY: usize = 32;
        self.retired.push(file);
        if self.retired.len() > MANY {
            self.retired.retain(File::is_open);
        }
    }

    /// Closes all of the client's descriptors.
    pub fn close(&mut self) {
        self.opened.clear();
        for file in &mut self.list {
            file.close();
        }
    }

    /// How many files are still open, somewhere.
    pub fn open(&self) -> usize {
        self.list.iter().chain(&self.retired).filter(|file| file.is_open()).count()
    }
}
