//! The cancellation machine and the in-flight table of `uring-safe-cancel`, explored exhaustively with
//! [stateright](https://docs.rs/stateright) against a kernel that does everything the real ones have been
//! seen to do, and worse.

pub mod configuration;
pub mod defect;
pub mod driver;
pub mod expected;
pub mod model;
pub mod properties;
pub mod report;
pub mod sight;
pub mod state;
pub mod world;

pub use configuration::Configuration;
pub use defect::Defect;
pub use model::{Action, Cancellation};
