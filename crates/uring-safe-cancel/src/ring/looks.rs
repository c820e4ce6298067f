//! What is known of descriptor numbers, and for how long.
//!
//! A number may mean another file whenever its owner closes it, so an answer holds for one flush. Two hold longer: of a
//! number that this ring opened, until this ring closes it; and that a number means a regular file or a block device, for
//! operations at a position, which cost half as much again with a look each.

use super::lines::NumberHasher;
use crate::descriptor::{Descriptor, FileKind, Look};
use crate::kernel::Kernel;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::os::fd::RawFd;

#[derive(Clone, Copy, Debug)]
struct Known {
    look: Option<Look>,
    /// The flush whose operations may believe it.
    flush: u64,
    /// This ring opened it.
    is_opened: bool,
}

#[derive(Debug)]
pub(super) struct Looks {
    flush: u64,
    /// The last one, which many operations in a row ask for.
    last: Option<(RawFd, Look)>,
    /// Its number, if it is plain; -1 is nobody's. That of a file outlasts the flush, as what is known of files does.
    plain: RawFd,
    /// Whether what is plain are operations at its current position, for it has none, or those at a position.
    is_stream: bool,
    /// Whether it is known that it can be read, and written, at all.
    allows: [bool; 2],
    known: HashMap<RawFd, Known, BuildHasherDefault<NumberHasher>>,
    /// Numbers that led to pipes, each at a place of its own: whether they still do costs two thirds of a look.
    pipes: [RawFd; PIPES],
}

/// So many numbers in a row have a place each.
const PIPES: usize = 16;

/// More than a process has open in most places. Beyond it what was not opened here is forgotten.
const MANY: usize = 4096;

impl Default for Looks {
    fn default() -> Self {
        let known = HashMap::default();
        Self {
            flush: 0,
            last: None,
            plain: NOBODY,
            is_stream: false,
            allows: [true; 2],
            known,
            pipes: [NOBODY; PIPES],
        }
    }
}

/// No descriptor's number.
const NOBODY: RawFd = -1;

impl Looks {
    /// Whether reads and writes of this file are known to need nothing: of one without a position, or of a regular file or a
    /// block device at a position.
    #[inline(always)]
    pub(super) fn is_plain(
        &self,
        descriptor: &Descriptor,
        is_current: bool,
        is_write: bool,
    ) -> bool {
        let Descriptor::Borrowed(number) = descriptor else { return false };
        let is_allowed = self.allows[usize::from(is_write)];
        *number == self.plain && *number != NOBODY && is_current == self.is_stream && is_allowed
    }

    /// A number can be read, or written.
    pub(super) fn allow(&mut self, number: RawFd, is_write: bool) {
        if number == self.plain {
            self.allows[usize::from(is_write)] = true;
        }
    }

    /// What an operation's file is; `is_placed`: it names a position.
    pub(super) fn at<K: Kernel>(
        &mut self,
        kernel: &K,
        descriptor: &Descriptor,
        is_placed: bool,
    ) -> Look {
        match descriptor {
            Descriptor::Borrowed(number) => match self.last {
                Some((last, look)) if last == *number => look,
                _ => {
                    let look = self.at_number(kernel, *number, is_placed);
                    let (is_stream, is_file) = plainness(look.kind);
                    self.plain = if is_stream || is_file { *number } else { NOBODY };
                    self.is_stream = is_stream;
                    self.allows = [look.kind != FileKind::Anonymous; 2];
                    look
                }
            },
            Descriptor::Held(file) => file.known().unwrap_or_else(|| {
                let look = kernel.look(descriptor.number());
                file.know(look);
                look
            }),
        }
    }

    /// One system call, or two where a pipe's number is something else's now.
    #[inline]
    fn look<K: Kernel>(pipes: &mut [RawFd; PIPES], kernel: &K, number: RawFd) -> Look {
        let place = &mut pipes[number as u32 as usize % PIPES];
        if *place == number && kernel.is_pipe(number) {
            return Look::at(FileKind::Pipe);
        }
        let look = kernel.look(number);
        *place = if look.kind == FileKind::Pipe { number } else { NOBODY };
        look
    }

    fn at_number<K: Kernel>(&mut self, kernel: &K, number: RawFd, is_placed: bool) -> Look {
        if !self.known.is_empty() {
            if let Some(known) = self.known.get_mut(&number) {
                let may_be_believed = |kind: FileKind| {
                    known.is_opened
                        || known.flush == self.flush
                        || (is_placed
                            && matches!(
                                kind,
                                FileKind::Local | FileKind::Layered | FileKind::Block
                            ))
                };
                match known.look {
                    Some(look) if may_be_believed(look.kind) => return look,
                    _ => {
                        let look = Self::look(&mut self.pipes, kernel, number);
                        (known.look, known.flush) = (Some(look), self.flush);
                        return look;
                    }
                }
            }
        }
        let look = Self::look(&mut self.pipes, kernel, number);
        let known = Known { look: Some(look), flush: self.flush, is_opened: false };
        if is_placed && look.kind.has_position() {
            self.remember(number, known);
        } else if let Some((number, look)) = self.last.replace((number, look)) {
            self.remember(number, Known { look: Some(look), ..known });
        }
        look
    }

    fn remember(&mut self, number: RawFd, known: Known) {
        if self.known.len() >= MANY {
            self.known.retain(|_, known| known.is_opened || known.flush == self.flush);
        }
        self.known.insert(number, known);
    }

    /// This ring's client has got a number that the ring opened, and closes it by the ring.
    pub(super) fn opened(&mut self, number: RawFd) {
        self.remember(number, Known { look: None, flush: self.flush, is_opened: true });
    }

    /// A number is closed.
    pub(super) fn closed(&mut self, number: RawFd) {
        self.known.remove(&number);
        if self.last.is_some_and(|(last, _)| last == number) {
            self.last = None;
        }
        self.plain = NOBODY;
    }

    /// What was asked for until now is on its way.
    #[inline]
    pub(super) fn flushed(&mut self) {
        self.last = None;
        if self.is_stream {
            self.plain = NOBODY;
        }
        self.flush += 1;
    }
}

/// Whether a kind has no position, and attempts on it never wait; whether it is a regular file or a block device whose
/// attempts do not.
fn plainness(kind: FileKind) -> (bool, bool) {
    match kind {
        FileKind::Pipe | FileKind::Socket | FileKind::Anonymous | FileKind::PromptDevice => {
            (true, false)
        }
        FileKind::Local | FileKind::Layered | FileKind::Block => (false, true),
        _ => (false, false),
    }
}
