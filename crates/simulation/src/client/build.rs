//! Making operations, with memory, and the record of what they ask for.

use super::Client;
use crate::coverage::Fault;
use crate::pattern::UNTOUCHED;
use crate::record::{Kind, Record, Target};
use crate::trace::Step;
use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use uring_safe_cancel::descriptor::FileKind;
use uring_safe_cancel::operation::{
    Close, Nop, Open, Poll, Read, ReadVectored, Sleep, Sync, Vectors, VectorsError, Write,
    WriteVectored, CURRENT_POSITION,
};
use uring_safe_cancel::{ArenaError, Descriptor, Memory, Operation};

/// What the arena takes for a piece of so many bytes, as DESIGN.md has it.
pub(super) fn size_of_piece(length: usize, is_small: bool) -> usize {
    const PAGES: [usize; 4] = [4 << 10, 16 << 10, 64 << 10, 256 << 10];
    if is_small && length <= 256 {
        return 256;
    }
    let fitting = PAGES.into_iter().find(|&size| length <= size);
    fitting.unwrap_or_else(|| length.next_multiple_of(4096))
}

impl Client {
    /// A random operation, or nothing if there is no memory for it.
    pub(super) fn build(&mut self) -> Option<(Operation, Record)> {
        let held = self.held;
        let kind = self.kind();
        let mut record = Record { serial: self.serial + 1, kind, ..Record::default() };
        match self.build_kind(&mut record) {
            Ok(operation) => {
                self.serial += 1;
                self.held += record.held;
                Some((operation, record))
            }
            Err(error) => {
                self.check_refused_memory(&error, held);
                None
            }
        }
    }

    fn kind(&mut self) -> Kind {
        match self.random.u8(..64) {
            0..12 => Kind::Nop,
            12..28 => Kind::Read,
            28..42 => Kind::Write,
            42..46 => Kind::ReadVectored,
            46..50 => Kind::WriteVectored,
            50..55 => Kind::Poll,
            55..59 => Kind::Sleep,
            59..60 => Kind::Open,
            60..62 => Kind::Close,
            _ => Kind::Sync,
        }
    }

    fn build_kind(&mut self, record: &mut Record) -> Result<Operation, ArenaError> {
        Ok(match record.kind {
            Kind::Nop => Nop.into(),
            Kind::Read => {
                let memory = self.buffer(record)?;
                let (descriptor, offset) = self.place(record);
                Read { descriptor, memory, offset }.into()
            }
            Kind::Write => {
                let memory = self.buffer(record)?;
                let (descriptor, offset) = self.place(record);
                Write { descriptor, memory, offset }.into()
            }
            Kind::ReadVectored => {
                let (descriptor, vectors) = self.vectors(record)?;
                ReadVectored { descriptor, vectors }.into()
            }
            Kind::WriteVectored => {
                let (descriptor, vectors) = self.vectors(record)?;
                WriteVectored { descriptor, vectors }.into()
            }
            Kind::Poll => {
                record.flags = self.random.u32(1..=0xff);
                let events = record.flags;
                Poll { descriptor: self.descriptor(record), events }.into()
            }
            Kind::Sleep => {
                let most = [0, 1_000, 1_000_000, 3_000_000_000][self.random.usize(..4)];
                record.time = Duration::from_nanos(self.random.u64(..=most));
                record.held = 256;
                Sleep::new(&self.arena, record.time)?.into()
            }
            Kind::Open => {
                let waits = if self.random.bool() { 0 } else { libc::O_NONBLOCK };
                record.flags = (libc::O_RDWR | libc::O_CREAT | waits) as u32;
                record.held = 256;
                let path = CString::new(record.serial.to_string()).expect("digits");
                Open::new(&self.arena, &path, record.flags as i32, 0o600)?.into()
            }
            Kind::Close => {
                let given = self.files.opened.pop();
                let number = given.unwrap_or_else(|| duplicate(self.files.opens())).into_raw_fd();
                self.world().closing.insert(number);
                record.closes = number;
                record.is_elsewhere = self.files.are_opens_elsewhere();
                Close::new(number).into()
            }
            Kind::Sync => {
                let data_only = self.random.bool();
                record.flags = u32::from(data_only);
                Sync { descriptor: self.descriptor(record), data_only }.into()
            }
        })
    }

    fn length(&mut self) -> usize {
        let large = self.world().configuration.client.large;
        if large.happens(&mut self.random) {
            // Beyond 256 KiB a piece is used again only for its own size.
            let sizes = [262_145, 300_000, self.random.usize(20_000..300_000)];
            return sizes[self.random.usize(..sizes.len())];
        }
        match self.random.u8(..64) {
            0..48 => self.random.usize(1..=64),
            48..60 => self.random.usize(0..=600),
            60..63 => self.random.usize(0..=5000),
            _ => self.random.usize(0..=20_000),
        }
    }

    /// Memory for a read or a write.
    fn buffer(&mut self, record: &mut Record) -> Result<Memory, ArenaError> {
        let length = self.length();
        let memory = self.allocate(record, length)?;
        record.parts.push((memory.address(), length as u32));
        record.length = length as u32;
        self.prepare(record);
        Ok(memory)
    }

    pub(super) fn allocate(
        &mut self,
        record: &mut Record,
        length: usize,
    ) -> Result<Memory, ArenaError> {
        let is_small = self.random.bool();
        let memory = match is_small {
            true => self.arena.allocate_small(length)?,
            false => self.arena.allocate(length)?,
        };
        assert_eq!(memory.len(), length);
        let user = self.world().in_use.get(&memory.address()).copied();
        assert_eq!(user, None, "clause 3: memory that the kernel still has");
        record.held += size_of_piece(length, is_small);
        Ok(memory)
    }

    /// Gives a write's memory its bytes, and a read's memory some that no read brings.
    fn prepare(&mut self, record: &Record) {
        let (pattern, mut position) = (record.outgoing(), 0);
        for &(address, length) in &record.parts {
            // SAFETY: the memory was just allocated, and nobody else knows it.
            let bytes =
                unsafe { std::slice::from_raw_parts_mut(address as *mut u8, length as usize) };
            match record.kind.writes() {
                true => pattern.fill(position, bytes),
                false => bytes.fill(UNTOUCHED),
            }
            position += bytes.len();
        }
    }

    fn vectors(&mut self, record: &mut Record) -> Result<(Descriptor, Vectors), ArenaError> {
        let mut parts: Vec<Memory> = Vec::new();
        for _ in 0..self.random.usize(0..4) {
            let length = self.length();
            let piece = self.allocate(record, length)?;
            // Two parts of one piece, or the whole.
            let split = self.random.usize(..=length);
            if self.random.bool() {
                parts.extend(piece.slice(0, split));
                parts.extend(piece.slice(split, length - split));
            } else {
                parts.push(piece);
            }
        }
        record.parts.extend(parts.iter().map(|part| (part.address(), part.len() as u32)));
        record.length = record.parts.iter().map(|part| part.1).sum();
        self.prepare(record);
        let (descriptor, offset) = self.place(record);
        let vectors = match Vectors::new(&self.arena, parts, offset) {
            Ok(vectors) => vectors,
            Err(VectorsError::Arena(error)) => return Err(error),
            Err(other) => panic!("{other:?}"),
        };
        record.held += 256;
        Ok((descriptor, vectors))
    }

    /// A file and where in it.
    fn place(&mut self, record: &mut Record) -> (Descriptor, u64) {
        let position = self.world().configuration.client.position;
        /// Where there is no position, to name one is a mistake, which few make.
        const MISTAKES: u8 = 16;
        let descriptor = self.descriptor(record);
        let file = record.target.map_or(0, |target| target.file);
        let has_position = self.files.list[file].has_position;
        let current = match has_position {
            true => position.happens(&mut self.random),
            false => self.random.u8(..MISTAKES) != 0,
        };
        record.offset = if current { CURRENT_POSITION } else { self.random.u64(..1 << 40) };
        record.at_position = current && has_position;
        record.waits = self.files.list[file].waits;
        record.moves = self.files.list[file].moves(record);
        (descriptor, record.offset)
    }

    /// What the system call says at once, and io_uring does not.
    pub(super) fn tell(&mut self, record: &mut Record) {
        let Some(target) = record.target else { return };
        if !record.kind.reads() && !record.kind.writes() {
            return;
        }
        let is_placed = record.offset != CURRENT_POSITION;
        let is_empty = record.length == 0;
        let is_vectored = matches!(record.kind, Kind::ReadVectored | Kind::WriteVectored);
        let says_nothing = match target.kind {
            FileKind::Pipe | FileKind::PromptDevice => true,
            FileKind::Anonymous => record.kind.writes() || is_vectored,
            _ => false,
        };
        let has_position = self.files.list[target.file].has_position;
        record.told = match (is_placed && !has_position, is_empty && says_nothing) {
            (true, _) => Some(-libc::ESPIPE),
            (_, true) => Some(0),
            _ => None,
        };
    }

    fn descriptor(&mut self, record: &mut Record) -> Descriptor {
        let index = self.random.usize(..self.files.usable());
        let file = &self.files.list[index];
        let mut target =
            Target { number: file.number, file: index, inode: file.inode, kind: file.kind };
        let held = self.world().configuration.client.held;
        // A line belongs to a number, so that files with a position go by their number.
        if file.has_position || !held.happens(&mut self.random) {
            record.target = Some(target);
            return Descriptor::Borrowed(target.number);
        }
        let descriptor = match &file.descriptor {
            Some(shared) if self.random.bool() => Arc::clone(shared),
            _ => Arc::new(duplicate(file.number).into()),
        };
        target.number = descriptor.as_raw_fd();
        record.target = Some(target);
        record.is_held = true;
        Descriptor::Held(descriptor)
    }

    fn check_refused_memory(&mut self, error: &ArenaError, held_before: usize) {
        assert_eq!(self.held, held_before);
        let ArenaError::Full { requested, held, limit } = *error else {
            panic!("the kernel refused memory: {error}");
        };
        assert_eq!(limit, self.arena.limit());
        assert!(requested > 0 && held <= limit);
        self.count(Fault::ArenaFull);
        self.world().note(Step::NoMemory(requested));
        self.let_go(usize::MAX);
    }

    /// Asks for more memory than there are addresses.
    pub(super) fn refuse_mapping(&mut self) {
        const ADDRESSES: usize = 1 << 47;
        if self.arena.limit() == usize::MAX {
            let refused = self.arena.allocate(ADDRESSES);
            assert!(matches!(refused, Err(ArenaError::Map(_))), "128 TiB: {refused:?}");
            self.count(Fault::MapRefused);
        }
    }
}

fn duplicate(number: i32) -> OwnedFd {
    // SAFETY: the descriptor was just made, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(crate::kernel::duplicate(number)) }
}
