//! Nothing.

use crate::engine::{Queue, Work};
use io_uring::{opcode, IoUring};
use std::io;

/// A nop.
pub struct Nop;

impl Work for Nop {
    fn prepare(&mut self, _ring: &IoUring, _lanes: usize) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn begin(&mut self, lane: usize, queue: &mut Queue<'_, '_>) {
        queue.push(lane, 0, opcode::Nop::new().build());
    }

    #[inline]
    fn complete(&mut self, _lane: usize, _part: u8, result: i32, _: &mut Queue<'_, '_>) -> bool {
        assert_eq!(result, 0, "a nop");
        true
    }
}
