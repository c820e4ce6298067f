//! Reads of a file, at random or one block after the other.

use super::{open, BLOCK};
use crate::engine::{Queue, Work};
use crate::memory::Buffers;
use crate::random::Random;
use io_uring::types::{Fd, Fixed};
use io_uring::{opcode, IoUring};
use serde_json::Value;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Reads of `length` bytes, at multiples of it.
pub struct Read {
    file: File,
    length: u32,
    /// How many of that length the file has.
    pieces: u32,
    sequential: bool,
    registered: bool,
    next: u32,
    random: Random,
    buffers: Buffers,
    /// The piece that each lane reads.
    wanted: Vec<u32>,
}

impl Read {
    /// From `{ path, length, direct, sequential, registered, seed }`.
    pub fn new(work: &Value, seed: u32) -> io::Result<Self> {
        let length = work["length"].as_u64().unwrap_or(u64::from(BLOCK)) as u32;
        let direct = work["direct"] == true;
        let file = open(work, false, if direct { libc::O_DIRECT } else { 0 })?;
        let pieces = (file.metadata()?.len() / u64::from(length)) as u32;
        Ok(Self {
            file,
            length,
            pieces,
            sequential: work["sequential"] == true,
            registered: work["registered"] == true,
            next: 0,
            random: Random::new(seed),
            buffers: Buffers::none(),
            wanted: Vec::new(),
        })
    }
}

impl Work for Read {
    fn prepare(&mut self, ring: &IoUring, lanes: usize) -> io::Result<()> {
        if self.buffers.lanes() == lanes {
            return Ok(());
        }
        let buffers = Buffers::new(lanes, self.length as usize)?;
        if self.registered {
            let submitter = ring.submitter();
            if self.buffers.lanes() == 0 {
                submitter.register_files(&[self.file.as_raw_fd()])?;
            } else {
                submitter.unregister_buffers()?;
            }
            // SAFETY: the mapping stays until the next registration, or the ring's end.
            unsafe { submitter.register_buffers(&buffers.vectors()) }?;
        }
        self.buffers = buffers;
        self.wanted = vec![0; lanes];
        Ok(())
    }

    #[inline]
    fn begin(&mut self, lane: usize, queue: &mut Queue<'_, '_>) {
        let piece = if self.sequential {
            let piece = self.next;
            self.next = if piece + 1 == self.pieces { 0 } else { piece + 1 };
            piece
        } else {
            self.random.below(self.pieces)
        };
        self.wanted[lane] = piece;
        let offset = u64::from(piece) * u64::from(self.length);
        let address = self.buffers.address(lane);
        let entry = if self.registered {
            opcode::ReadFixed::new(Fixed(0), address, self.length, lane as u16)
                .offset(offset)
                .build()
        } else {
            opcode::Read::new(Fd(self.file.as_raw_fd()), address, self.length)
                .offset(offset)
                .build()
        };
        queue.push(lane, 0, entry);
    }

    #[inline]
    fn complete(&mut self, lane: usize, _part: u8, result: i32, _: &mut Queue<'_, '_>) -> bool {
        assert_eq!(result, self.length as i32, "a whole read");
        let first_block = self.wanted[lane] * (self.length / BLOCK);
        assert_eq!(self.buffers.word(lane), first_block, "the block that was asked for");
        true
    }
}
