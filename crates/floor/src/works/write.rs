//! Durable writes: one block at random, then fdatasync.

use super::{open, BLOCK};
use crate::engine::{Queue, Work};
use crate::memory::Buffers;
use crate::random::Random;
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{opcode, IoUring};
use serde_json::Value;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

const WRITE: u8 = 0;
const SYNC: u8 = 1;

/// A write of a block and an fdatasync.
pub struct Write {
    file: File,
    blocks: u32,
    random: Random,
    buffers: Buffers,
}

impl Write {
    /// From `{ path }`.
    pub fn new(work: &Value, seed: u32) -> io::Result<Self> {
        let file = open(work, true, 0)?;
        let blocks = (file.metadata()?.len() / u64::from(BLOCK)) as u32;
        Ok(Self { file, blocks, random: Random::new(seed), buffers: Buffers::none() })
    }
}

impl Work for Write {
    fn prepare(&mut self, _ring: &IoUring, lanes: usize) -> io::Result<()> {
        if self.buffers.lanes() != lanes {
            self.buffers = Buffers::new(lanes, BLOCK as usize)?;
        }
        Ok(())
    }

    #[inline]
    fn begin(&mut self, lane: usize, queue: &mut Queue<'_, '_>) {
        let block = self.random.below(self.blocks);
        self.buffers.set_word(lane, block);
        let entry =
            opcode::Write::new(Fd(self.file.as_raw_fd()), self.buffers.address(lane), BLOCK)
                .offset(u64::from(block) * u64::from(BLOCK))
                .build();
        queue.push(lane, WRITE, entry);
    }

    #[inline]
    fn complete(&mut self, lane: usize, part: u8, result: i32, queue: &mut Queue<'_, '_>) -> bool {
        if part == SYNC {
            assert_eq!(result, 0, "an fdatasync");
            return true;
        }
        assert_eq!(result, BLOCK as i32, "a whole write");
        let sync = opcode::Fsync::new(Fd(self.file.as_raw_fd())).flags(FsyncFlags::DATASYNC);
        queue.push(lane, SYNC, sync.build());
        false
    }
}
