//! The client's files. Each is a pipe, or a file in memory where a position is wanted, so that its inode
//! tells it from all others; and a pipe tells when its last write end was closed, so that no duplicate that
//! the ring made can be forgotten.

use crate::kernel::Probe;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use uring_safe_cancel::descriptor::OpenFile;

/// One file.
#[derive(Debug)]
pub struct File {
    /// The client's descriptor, until it closes it.
    pub descriptor: Option<Arc<OpenFile>>,
    /// Its number.
    pub number: RawFd,
    /// The file's inode.
    pub inode: u64,
    /// Whether reads at the current position move it.
    pub has_position: bool,
    /// The other end of a pipe.
    reader: Option<OwnedFd>,
}

impl File {
    /// A pipe's write end.
    pub fn pipe() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self::new(writer.into(), Some(reader.into())))
    }

    /// A file in memory.
    pub fn regular() -> io::Result<Self> {
        const NAME: &CStr = c"simulation";
        // SAFETY: the name ends in NUL.
        let number = unsafe { libc::memfd_create(NAME.as_ptr(), libc::MFD_CLOEXEC) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made this descriptor for us.
        Ok(Self::new(unsafe { OwnedFd::from_raw_fd(number) }, None))
    }

    fn new(descriptor: OwnedFd, reader: Option<OwnedFd>) -> Self {
        let number = descriptor.as_raw_fd();
        Self {
            inode: crate::kernel::inode(number).unwrap_or(0),
            number,
            has_position: reader.is_none(),
            reader,
            descriptor: Some(Arc::new(descriptor.into())),
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
const REGULAR: usize = 1;

impl Files {
    /// New ones.
    pub fn new() -> io::Result<Self> {
        let mut list = Vec::new();
        for _ in 0..PIPES {
            list.push(File::pipe()?);
        }
        for _ in 0..REGULAR {
            list.push(File::regular()?);
        }
        list.push(File::pipe()?);
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

    /// Closes a file's number, and lets it mean another. Whether it could: a descriptor that the ring holds
    /// stays as it is.
    pub fn replace(&mut self, index: usize, mut new: File) -> bool {
        let old = &mut self.list[index];
        let is_shared = old.descriptor.as_ref().is_none_or(|own| Arc::strong_count(own) > 1);
        if !is_shared {
            // SAFETY: both descriptors are the client's; the old one goes on to own its number.
            let number = unsafe { libc::dup3(new.number, old.number, libc::O_CLOEXEC) };
            assert_eq!(number, old.number, "dup3: {}", io::Error::last_os_error());
            new.descriptor = old.descriptor.take();
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
