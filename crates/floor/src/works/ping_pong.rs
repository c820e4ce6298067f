//! One byte there and back: between two ends of this thread, or to a process that echoes it.

use crate::engine::{Queue, Work};
use crate::pairs;
use io_uring::types::Fd;
use io_uring::{opcode, IoUring};
use std::io;

const NEAR_WRITE: u8 = 0;
const NEAR_READ: u8 = 1;
const FAR_READ: u8 = 2;
const FAR_WRITE: u8 = 3;

/// A byte for each part of a lane's operation.
struct Lane {
    ends: pairs::Ends,
    bytes: Box<[u8; 4]>,
    /// Sides that have not done their part.
    left: u8,
}

/// A ping and a pong.
pub struct PingPong {
    lanes: Vec<Lane>,
    echoed: bool,
}

impl PingPong {
    /// On the descriptors that `floor pairs` left. `echoed`: the far ends are another process's.
    pub fn new(echoed: bool) -> io::Result<Self> {
        let lanes = pairs::inherited()?
            .into_iter()
            .map(|ends| Lane { ends, bytes: Box::new([0; 4]), left: 0 })
            .collect();
        Ok(Self { lanes, echoed })
    }
}

impl Lane {
    fn read(&mut self, index: usize, part: u8, descriptor: i32, queue: &mut Queue<'_, '_>) {
        let address = &mut self.bytes[usize::from(part)];
        queue.push(index, part, opcode::Read::new(Fd(descriptor), address, 1).build());
    }

    fn write(&mut self, index: usize, part: u8, descriptor: i32, queue: &mut Queue<'_, '_>) {
        let address = &self.bytes[usize::from(part)];
        queue.push(index, part, opcode::Write::new(Fd(descriptor), address, 1).build());
    }
}

impl Work for PingPong {
    fn prepare(&mut self, _ring: &IoUring, lanes: usize) -> io::Result<()> {
        let there_are = self.lanes.len();
        if lanes > there_are {
            return Err(io::Error::other(format!("{lanes} lanes of {there_are} pairs")));
        }
        Ok(())
    }

    #[inline]
    fn begin(&mut self, index: usize, queue: &mut Queue<'_, '_>) {
        let echoed = self.echoed;
        let lane = &mut self.lanes[index];
        let ping = &mut lane.bytes[usize::from(NEAR_WRITE)];
        *ping = ping.wrapping_add(1);
        lane.left = if echoed { 1 } else { 2 };
        if !echoed {
            lane.read(index, FAR_READ, lane.ends.far_in, queue);
        }
        lane.write(index, NEAR_WRITE, lane.ends.near_out, queue);
    }

    #[inline]
    fn complete(&mut self, index: usize, part: u8, result: i32, queue: &mut Queue<'_, '_>) -> bool {
        assert_eq!(result, 1, "a byte");
        let lane = &mut self.lanes[index];
        match part {
            NEAR_WRITE => lane.read(index, NEAR_READ, lane.ends.near_in, queue),
            FAR_READ => {
                lane.bytes[usize::from(FAR_WRITE)] = lane.bytes[usize::from(FAR_READ)];
                lane.write(index, FAR_WRITE, lane.ends.far_out, queue);
            }
            FAR_WRITE => lane.left -= 1,
            _ => {
                assert_eq!(
                    lane.bytes[usize::from(NEAR_READ)],
                    lane.bytes[usize::from(NEAR_WRITE)],
                    "the byte that was sent"
                );
                lane.left -= 1;
            }
        }
        lane.left == 0
    }
}
