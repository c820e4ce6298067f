use super::Request;
use crate::kernel::Work;
use io_uring::opcode;

/// Does nothing, by way of the kernel.
#[derive(Debug)]
pub struct Nop;

impl Request for Nop {
    const OPCODE: u8 = opcode::Nop::CODE;
    const SINCE: (u32, u32) = (5, 1);
    const NAME: &'static str = "nop";

    #[inline]
    fn work(&self) -> Work {
        Work::Nop
    }
}
