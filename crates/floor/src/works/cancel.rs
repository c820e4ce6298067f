//! A read of an empty eventfd, and its cancel.

use crate::engine::{tag, Queue, Work};
use io_uring::squeue::Flags;
use io_uring::types::{Fd, Timespec};
use io_uring::{opcode, IoUring};
use serde_json::Value;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const READ: u8 = 0;
const CANCEL: u8 = 1;
const TIMEOUT: u8 = 2;

/// What the read of each lane needs.
struct Lane {
    event: OwnedFd,
    number: Box<u64>,
    /// Completions that are still to come.
    left: u8,
}

/// A read and a cancel, or a read and a linked timeout.
pub struct Cancel {
    lanes: Vec<Lane>,
    timeout: Option<Box<Timespec>>,
}

impl Cancel {
    /// From `{ timeout }`, in microseconds; without it, the read is cancelled in the same batch.
    pub fn new(work: &Value) -> Self {
        let timeout = work["timeout"].as_u64();
        Self {
            lanes: Vec::new(),
            timeout: timeout.map(|time| Box::new(Timespec::new().nsec(time as u32 * 1000))),
        }
    }
}

impl Work for Cancel {
    fn prepare(&mut self, _ring: &IoUring, lanes: usize) -> io::Result<()> {
        while self.lanes.len() < lanes {
            // SAFETY: it touches no memory.
            let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
            if event < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: the descriptor is new, and nobody else's.
            let event = unsafe { OwnedFd::from_raw_fd(event) };
            self.lanes.push(Lane { event, number: Box::new(0), left: 0 });
        }
        Ok(())
    }

    #[inline]
    fn begin(&mut self, lane: usize, queue: &mut Queue<'_, '_>) {
        let Lane { event, number, left } = &mut self.lanes[lane];
        *left = 2;
        let address: *mut u64 = &mut **number;
        let read = opcode::Read::new(Fd(event.as_raw_fd()), address.cast(), 8).build();
        if let Some(time) = &self.timeout {
            queue.push(lane, READ, read.flags(Flags::IO_LINK));
            queue.push(lane, TIMEOUT, opcode::LinkTimeout::new(&**time).build());
        } else {
            queue.push(lane, READ, read);
            queue.push(lane, CANCEL, opcode::AsyncCancel::new(tag(lane, READ)).build());
        }
    }

    #[inline]
    fn complete(&mut self, lane: usize, part: u8, result: i32, _: &mut Queue<'_, '_>) -> bool {
        match part {
            READ => assert!(matches!(-result, libc::ECANCELED | libc::EINTR), "read: {result}"),
            CANCEL => assert_eq!(result, 0, "the cancel of a read that waits"),
            _ => assert_eq!(-result, libc::ETIME, "the timeout of a read that waits"),
        }
        let left = &mut self.lanes[lane].left;
        *left -= 1;
        *left == 0
    }
}
