//! Who takes turns at a file, and where its position must be. Written by hand from the contract, as all of the
//! oracle.

use crate::coverage::Fault;
use crate::files::File;
use crate::kernel::{grow, inode, seek, seek_end};
use crate::record::{Record, Target};
use crate::world::World;
use crate::Sabotage;
use rustc_hash::FxHashMap;
use std::os::fd::RawFd;
use uring_safe_cancel::descriptor::{FileKind, Look};
use uring_safe_cancel::kernel::{Access, Way};
use uring_safe_cancel::Key;

/// What is shared at a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// The position.
    Position,
    /// A worker that reads or polls, one at a time.
    Reader,
    /// A worker that writes, one at a time.
    Writer,
}

/// Where operations go one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    number: RawFd,
    lane: Lane,
}

impl Line {
    /// Which one an operation stands in, if in any.
    pub fn of(target: Target, at_position: bool, in_turn: bool, writes: bool) -> Option<Self> {
        let has_position =
            !matches!(target.kind, FileKind::Pipe | FileKind::Anonymous | FileKind::PromptDevice);
        let lane = match (at_position, in_turn, has_position, writes) {
            (true, ..) | (_, true, true, _) => Lane::Position,
            (_, false, ..) => return None,
            (_, true, false, true) => Lane::Writer,
            (_, true, false, false) => Lane::Reader,
        };
        Some(Self { number: target.number, lane })
    }
}

/// How an operation moves its file's position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moves {
    /// Not at all.
    #[default]
    Nothing,
    /// By all its bytes before it runs, and back by what they come to be less.
    Reserved,
    /// By what has come, afterwards.
    After,
    /// To the file's end, afterwards.
    ToEnd,
    /// As the kernel does.
    Kernel,
}

/// All lines, and all positions.
#[derive(Debug, Default)]
pub struct Lines {
    /// Whose SQE is on the way, by slot.
    pub running: FxHashMap<Line, u32>,
    /// The serial number of the operation that ran last.
    pub last: FxHashMap<Line, u64>,
    /// Where each file's position must be, by the file's index: the sum of what has come so far.
    pub positions: FxHashMap<usize, u64>,
    /// What the ring is told, by inode.
    kinds: FxHashMap<u64, FileKind>,
}

impl Record {
    /// The offset that its SQE must have.
    pub fn wanted_offset(&self) -> u64 {
        match self.moves {
            Moves::Nothing => self.offset,
            Moves::Reserved | Moves::After => self.position,
            Moves::ToEnd | Moves::Kernel => u64::MAX,
        }
    }
}

/// Whether operations on a kind are plain, but for those whose client wants a worker.
pub(crate) fn is_plain(kind: FileKind) -> bool {
    use FileKind::{Anonymous, Block, Layered, Local, Pipe, PromptDevice, Socket};
    matches!(kind, Pipe | Socket | Anonymous | PromptDevice | Local | Layered | Block)
}

impl World {
    /// The client has another file.
    pub fn know(&mut self, index: usize, file: &File) {
        self.lines.kinds.insert(file.inode, file.kind);
        if file.has_position {
            self.lines.positions.insert(index, 0);
        }
    }

    /// What a number leads to.
    pub(crate) fn look(&self, number: RawFd) -> Look {
        let Some(inode) = inode(number) else { return Look::at(FileKind::Unknown) };
        let mut kind = self.lines.kinds.get(&inode).copied().unwrap_or(FileKind::Unknown);
        let is_opened = || crate::kernel::inode(self.opens) == Some(inode);
        if self.sabotage == Some(Sabotage::CloseHere) && is_opened() {
            kind = FileKind::Pipe;
        }
        Look { kind, identity: (0, inode) }
    }

    /// How the operation that is being submitted must run.
    pub(crate) fn way(&mut self, kind: FileKind, access: Access, is_wanted: bool) -> Way {
        let habits = &self.configuration.kernel;
        let random = &mut self.random;
        // Where the ring need not ask, the answer is known.
        let is_free = access != Access::Sync && !is_plain(kind);
        let way = if is_free && habits.in_turn.happens(random) {
            self.coverage.count(Fault::InTurn);
            Way::InTurn
        } else if is_free && habits.worker.happens(random) {
            self.coverage.count(Fault::Worker);
            Way::Worker
        } else if is_wanted && !habits.spared.happens(random) {
            self.coverage.count(Fault::Hinted);
            Way::Hinted
        } else {
            if is_wanted {
                self.coverage.count(Fault::NoHint);
            }
            Way::Plain
        };
        if let Some(record) = &mut self.submitting {
            assert_eq!(record.way, None, "asked twice");
            record.way = Some(way);
        }
        match (self.sabotage, way) {
            (Some(Sabotage::ForgetTurn), Way::InTurn) => Way::Worker,
            _ => way,
        }
    }

    /// An operation's turn at the position has come.
    pub(crate) fn take_position(&mut self, slot: u32) {
        let record = &mut self.slots[slot as usize];
        let Some(target) = record.target.filter(|_| record.at_position && record.submissions == 0)
        else {
            return;
        };
        record.position = self.lines.positions[&target.file];
        self.coverage.count(match record.moves {
            Moves::Nothing => unreachable!("it moves nothing at a position: {record:?}"),
            Moves::Reserved => Fault::PositionReserved,
            Moves::After => Fault::PositionAfter,
            Moves::ToEnd => Fault::PositionToEnd,
            Moves::Kernel => Fault::PositionByKernel,
        });
    }

    /// The kernel appends, and moves what the ring leaves to it.
    pub(crate) fn move_by_kernel(&mut self, slot: u32, count: u32) {
        let record = &self.slots[slot as usize];
        let (Some(target), Some(number)) = (record.target, record.number) else { return };
        let appends = matches!(record.moves, Moves::ToEnd | Moves::Kernel);
        if !appends || count == 0 {
            return;
        }
        grow(number, count);
        if record.moves == Moves::Kernel {
            let end = seek(number, 0, libc::SEEK_END) as u64;
            self.lines.positions.insert(target.file, end);
        }
    }

    /// The ring has reaped the final CQE of an operation at a position.
    pub(crate) fn leave_position(&mut self, slot: u32) {
        let record = &self.slots[slot as usize];
        // What is reaped after it was given up came too late: its place was given back.
        let is_at_position = record.at_position && !record.given_up;
        let Some(target) = record.target.filter(|_| is_at_position) else { return };
        // An error moves nothing, whether it is repeated or not; a poll's mask is no count.
        let is_attempt = record.asks == crate::record::Asks::Attempt;
        let count = record.count.filter(|_| is_attempt).unwrap_or(0);
        let Some(position) = self.lines.positions.get_mut(&target.file) else { return };
        match record.moves {
            Moves::Reserved | Moves::After => *position += count as u64,
            Moves::ToEnd if count > 0 => *position = seek_end(record.number.unwrap_or(-1)) as u64,
            Moves::Nothing | Moves::ToEnd | Moves::Kernel => {}
        }
        if record.moves == Moves::Reserved && (count as u32) < record.length {
            self.coverage.count(Fault::PositionGivenBack);
        }
    }

    /// An operation was given up before its final CQE was reaped: nobody knows what came.
    pub(crate) fn forget_move(&mut self, key: Key) {
        let record = self.record(key);
        let (position, moves) = (record.position, record.moves);
        let file = record.target.map(|target| target.file);
        if matches!(moves, Moves::Reserved | Moves::After | Moves::ToEnd) {
            file.into_iter().for_each(|file| {
                self.lines.positions.insert(file, position);
            });
        }
    }

    /// Checks that a file's position is where it must be, with what the operation at it has reserved.
    /// `is_over`: no operation is at it.
    pub(crate) fn check_position(&self, index: usize, number: RawFd, is_over: bool) {
        let real = seek(number, 0, libc::SEEK_CUR) as u64;
        let expected = self.lines.positions[&index];
        let line = Line { number, lane: Lane::Position };
        let reserved = |record: &Record| match record.moves {
            Moves::Reserved => u64::from(record.length),
            _ => 0,
        };
        let running = self.lines.running.get(&line).filter(|_| !is_over);
        if let Some(&slot) = running {
            let record = &self.slots[slot as usize];
            assert_eq!(real, expected + reserved(record), "clause 4: the position at {record:?}");
            return;
        }
        if real == expected {
            return;
        }
        // It may have taken the position, and wait for room in the submission queue.
        let waiting = self.slots.iter().filter(|r| r.is_live() && r.line() == Some(line));
        let head = waiting.min_by_key(|record| record.serial).filter(|_| !is_over);
        let real_by = head.map(|head| expected + reserved(head));
        assert_eq!(
            Some(real),
            real_by,
            "clause 4: the position, where {expected} had come; {head:?}"
        );
    }
}
