//! What one history is like. Each feature is never there, rare, common or nearly always there, on its
//! own (swarm testing): a history without refusals gets deeper into the rest than one that has everything.

use fastrand::Rng;
use std::time::Duration;
use uring_safe_cancel::{CancelPolicy, Options};

/// How often something happens, in 1024ths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance(u16);

impl Chance {
    /// Never.
    pub const NEVER: Self = Self(0);

    /// At most so often: none of it, a little, some, or the most.
    fn swarm(random: &mut Rng, most: u16) -> Self {
        Self(match random.u8(..10) {
            0..4 => 0,
            4..7 => random.u16(1..=(most / 40).max(1)),
            7..9 => random.u16(1..=(most / 4).max(1)),
            _ => random.u16(1..=most),
        })
    }

    /// Whether it happens now.
    #[inline]
    pub fn happens(self, random: &mut Rng) -> bool {
        self.0 != 0 && random.u16(..1024) < self.0
    }
}

/// What the kernel does to the ring.
#[derive(Clone, Debug)]
pub struct KernelHabits {
    /// Fewer bytes than there were asked for.
    pub short: Chance,
    /// -EINTR.
    pub interrupted: Chance,
    /// -512 to -516.
    pub restart: Chance,
    /// -EAGAIN, or -ECANCELED where there is no worker.
    pub again: Chance,
    /// -EBUSY, -ENOMEM, -EIO.
    pub error: Chance,
    /// A part of the bytes comes with `F_MORE`.
    pub more: Chance,
    /// A write's memory is announced as free by `NOTIF`.
    pub notification: Chance,
    /// CQEs stay inside the kernel until the next enter.
    pub held_back: Chance,
    /// enter takes a part.
    pub partial: Chance,
    /// enter fails.
    pub refusal: Chance,
    /// It goes on failing for a while.
    pub outage: Chance,
    /// An operation waits until it is cancelled.
    pub hang: Chance,
    /// It hangs, and no cancel helps.
    pub silent: Chance,
    /// How many operations may be silent at a time.
    pub most_silent: u32,
    /// A cancel is lost, and perhaps the next one too.
    pub lost: Chance,
    /// A cancel that works still leaves bytes, or an error.
    pub ends_otherwise: Chance,
    /// The timer's SQE fails with -ENOMEM.
    pub timer_fails: Chance,
    /// The kernel has no TIMEOUT_UPDATE.
    pub lacks_update: bool,
    /// A change of the timer fails once, or comes too late.
    pub update_fails: Chance,
    /// A file's operation is a worker's.
    pub worker: Chance,
    /// It is, and one at a time.
    pub in_turn: Chance,
    /// No worker is given what could have one.
    pub spared: Chance,
    /// The usual time from one step of an operation to the next, in nanoseconds.
    pub delay: u64,
    /// Something happens at once instead.
    pub at_once: Chance,
}

/// What the client does to the ring.
#[derive(Clone, Debug)]
pub struct ClientHabits {
    /// How many operations it has pending, about.
    pub population: usize,
    /// How many it submits before it flushes, at most.
    pub batch: usize,
    /// It cancels an operation.
    pub cancel: Chance,
    /// It cancels every operation of a descriptor, or all.
    pub cancel_many: Chance,
    /// It cancels something it cancelled before, or that has settled.
    pub cancel_stale: Chance,
    /// It drops an operation.
    pub drop: Chance,
    /// It asks for a timeout.
    pub timeout: Chance,
    /// It asks for `IOSQE_ASYNC`.
    pub asynchronous: Chance,
    /// It reads or writes at the current position.
    pub position: Chance,
    /// It flushes with a limit.
    pub limit: Chance,
    /// It flushes without a reason.
    pub spurious: Chance,
    /// It waits inside a flush.
    pub block: Chance,
    /// It keeps an operation's memory for a while.
    pub keep: Chance,
    /// It closes a descriptor and opens another file, perhaps by the same number.
    pub reuse_number: Chance,
    /// It asks for a lot of memory.
    pub large: Chance,
    /// It gives the ring a descriptor to hold instead of a number.
    pub held: Chance,
    /// How long it does something else before it looks at the ring, at most, in nanoseconds.
    pub pause: u64,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// SQEs.
    pub entries: u32,
    /// CQEs.
    pub completions: u32,
    /// What the ring is made with.
    pub options: Options,
    /// Rings, one after the other.
    pub lives: u32,
    /// Operations of each.
    pub operations: u32,
    /// See [`KernelHabits`].
    pub kernel: KernelHabits,
    /// See [`ClientHabits`].
    pub client: ClientHabits,
}

fn one_of<T: Copy>(random: &mut Rng, choices: &[T]) -> T {
    choices[random.usize(..choices.len())]
}

impl Configuration {
    /// A random one.
    pub fn new(random: &mut Rng) -> Self {
        let completions = one_of(random, &[8, 8, 9, 16, 32, 64, 128, 512]);
        let entries = one_of(random, &[1, 2, 4, 8, 16, 64, 256]).min(completions);
        let first_delay = one_of(random, &[1, 20, 200, 200, 3000]);
        let cancel = CancelPolicy {
            reissue: true,
            first_delay: Duration::from_micros(first_delay),
            max_delay: Duration::from_micros(one_of(random, &[500, 10_000, 100_000, 100_000])),
            stuck_after: Duration::from_millis(one_of(random, &[0, 1, 40, 1000, 5000])),
        };
        let options = Options {
            entries,
            completions,
            queue_limit: one_of(random, &[0, 1, 7, 100, 1 << 20, 1 << 20]),
            arena_bytes: one_of(random, &[64 << 10, 1 << 20, 8 << 20, 64 << 20, usize::MAX]),
            cancel,
        };
        let mut configuration = Self {
            entries,
            completions,
            options,
            lives: random.u32(1..=3),
            operations: random.u32(200..=3000),
            kernel: KernelHabits::new(random),
            client: ClientHabits::new(random),
        };
        if random.u8(..32) == 0 {
            configuration.let_it_storm(random);
        }
        configuration
    }
}

impl Configuration {
    /// Interruptions without end. Each operation takes a hundred submissions, so that there are few.
    fn let_it_storm(&mut self, random: &mut Rng) {
        const ALMOST_ALWAYS: Chance = Chance(1020);
        self.operations = 100;
        match random.bool() {
            true => self.kernel.interrupted = ALMOST_ALWAYS,
            false => self.kernel.restart = ALMOST_ALWAYS,
        }
    }
}

impl KernelHabits {
    fn new(random: &mut Rng) -> Self {
        Self {
            short: Chance::swarm(random, 900),
            interrupted: Chance::swarm(random, 400),
            restart: Chance::swarm(random, 400),
            again: Chance::swarm(random, 600),
            error: Chance::swarm(random, 400),
            more: Chance::swarm(random, 600),
            notification: Chance::swarm(random, 600),
            held_back: Chance::swarm(random, 1024),
            partial: Chance::swarm(random, 700),
            refusal: Chance::swarm(random, 600),
            outage: Chance::swarm(random, 40),
            hang: Chance::swarm(random, 700),
            silent: Chance::swarm(random, 40),
            most_silent: random.u32(0..4),
            lost: Chance::swarm(random, 1000),
            ends_otherwise: Chance::swarm(random, 900),
            timer_fails: Chance::swarm(random, 500),
            lacks_update: random.u8(..4) == 0,
            update_fails: Chance::swarm(random, 500),
            worker: Chance::swarm(random, 900),
            in_turn: Chance::swarm(random, 900),
            spared: Chance::swarm(random, 900),
            delay: one_of(random, &[100, 5_000, 50_000, 2_000_000, 300_000_000]),
            at_once: Chance::swarm(random, 1024),
        }
    }
}

impl ClientHabits {
    fn new(random: &mut Rng) -> Self {
        Self {
            population: one_of(random, &[1, 3, 8, 20, 60, 200]),
            batch: one_of(random, &[1, 2, 8, 64]),
            cancel: Chance::swarm(random, 900),
            cancel_many: Chance::swarm(random, 60),
            cancel_stale: Chance::swarm(random, 300),
            drop: Chance::swarm(random, 500),
            timeout: Chance::swarm(random, 900),
            asynchronous: Chance::swarm(random, 900),
            position: Chance::swarm(random, 900),
            limit: Chance::swarm(random, 600),
            spurious: Chance::swarm(random, 900),
            block: Chance::swarm(random, 300),
            keep: Chance::swarm(random, 700),
            reuse_number: Chance::swarm(random, 30),
            large: Chance::swarm(random, 20),
            held: Chance::swarm(random, 600),
            pause: one_of(random, &[0, 1_000, 100_000, 10_000_000]),
        }
    }
}
