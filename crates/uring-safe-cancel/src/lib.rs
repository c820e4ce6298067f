// In the documentation the links lead to items: of two definitions the first counts. Elsewhere, those of the file do.
//! [`Ring`]: crate::Ring
//! [`Flushed::again`]: crate::ring::Flushed::again
//! [`Kernel`]: crate::kernel::Kernel
//! [`Descriptor::Borrowed`]: crate::Descriptor::Borrowed
//! [`Ring::destroy`]: crate::Ring::destroy
//!
#![doc = include_str!("../DESIGN.md")]

pub mod descriptor;
pub mod kernel;
pub mod machine;
pub mod memory;
pub mod operation;
pub mod policy;
pub mod real;
pub mod ring;
pub mod table;
pub mod tag;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use descriptor::Descriptor;
pub use machine::Verdict;
pub use memory::{Arena, ArenaError, Memory};
pub use operation::Operation;
pub use policy::CancelPolicy;
pub use real::{probe, Probe, RealKernel, SetupError, Unsupported};
pub use ring::{Completion, Extra, Options, Refusal, Refused, Ring, Stats, StuckReport};
pub use tag::Key;
