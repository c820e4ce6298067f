//! The ring among those that this thread has registered: `io_uring_enter` then need not look its descriptor up, which is a
//! twentieth of what one operation by itself takes.

use io_uring::IoUring;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Of linux/io_uring.h; the io-uring crate keeps them to itself.
const REGISTER_RING_FDS: libc::c_uint = 20;
const UNREGISTER_RING_FDS: libc::c_uint = 21;
const ENTER_GETEVENTS: libc::c_uint = 1 << 0;
const ENTER_REGISTERED_RING: libc::c_uint = 1 << 4;

/// `struct io_uring_rsrc_update`, as these two calls use it.
#[repr(C)]
struct Place {
    index: u32,
    reserved: u32,
    descriptor: u64,
}

/// "Any index".
const ANY: u32 = u32::MAX;

/// How this thread names its ring to the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name {
    Index(u32),
    /// Before Linux 5.18, where registering is forbidden, and for the seventeenth ring of a thread.
    Descriptor,
}

fn register(ring: RawFd, opcode: libc::c_uint, place: &mut Place) -> libc::c_long {
    let place: *mut Place = place;
    // SAFETY: both operations read and write one place, which is this call's.
    unsafe { libc::syscall(libc::SYS_io_uring_register, ring, opcode, place, 1) }
}

impl Name {
    pub(super) fn register(ring: &IoUring) -> Self {
        let descriptor = ring.as_raw_fd();
        let mut place = Place { index: ANY, reserved: 0, descriptor: descriptor as u64 };
        match register(descriptor, REGISTER_RING_FDS, &mut place) {
            1 => Self::Index(place.index),
            _ => Self::Descriptor,
        }
    }

    /// To be called before the ring is closed: until then, or until the thread ends, the kernel keeps it. It can only fail where
    /// registering was forbidden meanwhile.
    pub(super) fn unregister(self, ring: &IoUring) {
        if let Self::Index(index) = self {
            let mut place = Place { index, reserved: 0, descriptor: 0 };
            register(ring.as_raw_fd(), UNREGISTER_RING_FDS, &mut place);
        }
    }

    /// Hands the queued SQEs over, and waits for `wanted` CQEs.
    #[inline]
    pub(super) fn enter(self, ring: &mut IoUring, wanted: u32) -> io::Result<()> {
        let Self::Index(index) = self else {
            return ring.submit_and_wait(wanted as usize).map(drop);
        };
        let queue = ring.submission();
        let must_reap = wanted > 0 || queue.cq_overflow() || queue.taskrun();
        let flags = ENTER_REGISTERED_RING | if must_reap { ENTER_GETEVENTS } else { 0 };
        let queued = queue.len() as u32;
        drop(queue);
        let no_mask: *const libc::sigset_t = std::ptr::null();
        // SAFETY: the entries' addresses are good, as those who queued them vouched, and there is no mask.
        let answer = unsafe {
            libc::syscall(libc::SYS_io_uring_enter, index, queued, wanted, flags, no_mask, 0usize)
        };
        if answer < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::RealKernel;
    use super::Name;
    use crate::kernel::Kernel;
    use crate::tag::{Key, Kind, Tag};
    use io_uring::opcode;

    /// So many rings may a thread have registered (`IO_RINGFD_REG_MAX`).
    const MOST: usize = 16;

    fn is_registered(kernel: &RealKernel) -> bool {
        matches!(kernel.name, Name::Index(_))
    }

    fn knows_registration() -> bool {
        is_registered(&RealKernel::new(8, 8).expect("a ring"))
    }

    #[test]
    fn rings_beyond_those_that_can_be_registered_work_all_the_same() {
        let expected = if knows_registration() { MOST } else { 0 };
        let mut rings: Vec<_> =
            (0..MOST + 4).map(|_| RealKernel::new(8, 8).expect("a ring")).collect();
        let registered = rings.iter().filter(|ring| is_registered(ring)).count();
        assert_eq!(registered, expected);
        for (slot, ring) in rings.iter_mut().enumerate() {
            let tag = Tag::new(Kind::Target, Key { slot: slot as u32, generation: 1 });
            // SAFETY: a nop has no addresses.
            unsafe { ring.queue_entry(tag, opcode::Nop::new().build(), false) }.expect("room");
            ring.enter(1).expect("it takes a nop");
            assert_eq!(ring.reap().expect("its CQE").user_data, tag.user_data());
        }
    }

    #[test]
    fn a_ring_that_is_gone_leaves_its_place_to_others() {
        let expected = knows_registration();
        for _ in 0..3 * MOST {
            let kernel = RealKernel::new(8, 8).expect("a ring");
            assert_eq!(is_registered(&kernel), expected);
        }
    }
}
