//! The random client of a ring, and what it checks.

mod asleep;
mod build;
mod end;
mod laws;
mod live;
mod settle;
mod submit;

pub use end::Ending;

use crate::coverage::Fault;
use crate::files::Files;
use crate::kernel::SimulatedKernel;
use crate::pattern::Pattern;
use crate::record::Stage;
use crate::trace::Step;
use crate::world::World;
use fastrand::Rng;
use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use uring_safe_cancel::kernel::Nanoseconds;
use uring_safe_cancel::{Arena, Completion, Key, Operation, Ring};

/// The client's token: the operation's serial number.
pub(crate) type SimulatedRing = Ring<SimulatedKernel, u64>;

/// An operation that is over, and whose memory the client still has.
#[derive(Debug)]
struct Kept {
    operation: Operation,
    /// Bytes of core memory.
    held: usize,
    parts: Vec<(usize, u32)>,
    /// What the memory must go on to hold, and how many bytes of it.
    content: Option<(Pattern, usize)>,
}

/// See the [module](self).
pub struct Client {
    /// Not dropped if a check fails: a ring in an impossible state could fail again while it is dropped.
    ring: ManuallyDrop<SimulatedRing>,
    world: Rc<RefCell<World>>,
    arena: Arena,
    random: Rng,
    files: Files,
    kept: VecDeque<Kept>,
    /// Operations that were pending once, and may be.
    live: Vec<Key>,
    /// Some that have settled.
    past: Vec<Key>,
    /// What a flush delivered, and how far the kernel was with it then.
    done: Vec<(Completion<u64>, Stage)>,
    serial: u64,
    accepted: u64,
    settled: u64,
    received: u64,
    discarded: u64,
    discards: u64,
    rescued: u64,
    reported: u64,
    /// Bytes of core memory that operations, the client, and what was given up hold.
    held: usize,
    /// The most pieces of memory at a time, about.
    most_pieces: usize,
    is_open: bool,
    /// Files whose number is in SQEs that were not flushed.
    unlooked: Vec<usize>,
    /// Something was submitted or cancelled since the last flush.
    is_dirty: bool,
    /// The last flush wants another.
    again: bool,
    /// When the last flushes began, while the kernel took nothing.
    refused_at: Vec<Nanoseconds>,
    /// How long `destroy` waits, while no flush has ended since.
    drain: Option<Nanoseconds>,
    /// When `destroy` gives up.
    drain_deadline: Option<Nanoseconds>,
}

impl Client {
    /// A client with a new ring.
    pub fn new(world: World, mut random: Rng, first_serial: u64) -> Self {
        let configuration = &world.configuration;
        let (options, completions) = (configuration.options.clone(), configuration.completions);
        let world = Rc::new(RefCell::new(world));
        let kernel = SimulatedKernel(Rc::clone(&world));
        let ring = Ring::new(kernel, completions, options);
        let files = Files::new(&mut random).expect("descriptors for the client's files");
        world.borrow_mut().opens = files.opens();
        files
            .list
            .iter()
            .enumerate()
            .for_each(|(index, file)| world.borrow_mut().know(index, file));
        Self {
            arena: ring.arena().clone(),
            ring: ManuallyDrop::new(ring),
            world,
            random,
            files,
            kept: VecDeque::new(),
            live: Vec::new(),
            past: Vec::new(),
            done: Vec::new(),
            serial: first_serial,
            accepted: 0,
            settled: 0,
            received: 0,
            discarded: 0,
            discards: 0,
            rescued: 0,
            reported: 0,
            held: 0,
            most_pieces: 0,
            is_open: true,
            unlooked: Vec::new(),
            is_dirty: false,
            again: false,
            refused_at: Vec::new(),
            drain: None,
            drain_deadline: None,
        }
    }

    fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    fn count(&self, fault: Fault) {
        self.world().coverage.count(fault);
    }

    fn now(&self) -> Nanoseconds {
        self.world().now
    }

    /// Lets time pass.
    fn pass(&mut self, time: Nanoseconds) {
        let mut world = self.world();
        let until = world.now.saturating_add(time);
        world.advance_to(until);
    }

    /// Hands everything to the ring's kernel, and takes what is there, until it costs so much.
    fn flush(&mut self, budget: usize) {
        self.world().note(Step::Flush(budget));
        self.begin_flush();
        let (done, world) = (&mut self.done, &self.world);
        let (mut spent, mut last) = (0, 0);
        let mut sink = |completion: Completion<u64>| {
            last = cost(completion.client);
            spent += last;
            deliver(done, world, completion);
            last
        };
        let flushed = self.ring.flush_within(budget, &mut sink);
        assert_eq!(flushed.delivered, self.done.len());
        assert!(spent - last < budget.max(1), "more than the budget");
        if spent >= budget {
            // What is late now may be so for the budget.
            self.refused_at.clear();
        }
        self.flushed(flushed.again);
    }

    /// The same, but waits for something.
    fn flush_and_wait(&mut self) {
        self.world().note(Step::Flush(usize::MAX));
        self.count(Fault::Blocked);
        self.begin_flush();
        let (done, world) = (&mut self.done, &self.world);
        let mut sink = |completion| deliver(done, world, completion);
        let flushed = self.ring.flush_and_wait(&mut sink);
        self.flushed(flushed.again);
    }

    fn flushed(&mut self, again: bool) {
        self.world().note(Step::Flushed(self.done.len(), again));
        self.is_dirty = false;
        self.again = again;
        if let Some(drain) = self.drain.take() {
            let deadline = self.world().clock_read_at.saturating_add(drain);
            self.drain_deadline = Some(deadline.min(u64::MAX - 1));
        }
        if again {
            self.count(Fault::FlushedAgain);
        } else {
            assert!(self.world().submissions.is_empty(), "SQEs that nobody would hand over");
            self.unlooked.clear();
        }
        self.world().begin_deadlines();
        for (completion, stage) in std::mem::take(&mut self.done) {
            self.settle(completion, stage);
        }
        self.take_reports();
        self.check_refused();
        self.check_positions();
        if self.ring.pending() == 0 && self.kept.is_empty() && !self.ring.is_given_up() {
            let open = self.files.retired.iter().filter(|file| file.is_open()).count();
            assert_eq!(open, 0, "clause 5: the ring keeps a file open that nobody uses");
            self.files.retired.clear();
        }
    }

    /// Whether something tells the client to flush.
    fn is_awake(&self) -> bool {
        self.is_dirty || self.again || self.world().is_readable()
    }
}

/// What an operation's completion costs of a flush's budget.
fn cost(serial: u64) -> usize {
    1 + (serial % 4) as usize
}

fn deliver(
    done: &mut Vec<(Completion<u64>, Stage)>,
    world: &RefCell<World>,
    completion: Completion<u64>,
) {
    let stage = world.borrow_mut().record(completion.key).stage;
    done.push((completion, stage));
}
