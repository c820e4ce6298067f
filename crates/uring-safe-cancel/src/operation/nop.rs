use crate::kernel::Work;

/// Does nothing, by way of the kernel.
#[derive(Debug)]
pub struct Nop;

impl Nop {
    #[inline]
    pub(super) fn work(&self) -> Work {
        Work::Nop
    }
}
