use super::Request;
use io_uring::opcode;
use io_uring::squeue::Entry;

/// Does nothing, by way of the kernel.
#[derive(Debug)]
pub struct Nop;

impl Request for Nop {
    const OPCODE: u8 = opcode::Nop::CODE;
    const SINCE: (u32, u32) = (5, 1);
    const HOT: bool = true;
    const NAME: &'static str = "nop";

    #[inline(always)]
    fn entry(&self) -> Entry {
        opcode::Nop::new().build()
    }
}
