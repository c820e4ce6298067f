//! The cancellation machine and the in-flight table of `uring-safe-cancel`, explored exhaustively with
//! [stateright](https://docs.rs/stateright) against a kernel that does everything the real ones have been
//! seen to do, in any order and after any delay.
//!
//! ```text
//! cargo test -p uring-safe-cancel-model -- --nocapture              # prints the states of each model
//! cargo run --release -p uring-safe-cancel-model -- --help          # larger ones
//! npm run mutants -- --shard 0/8                                    # does it notice what is broken?
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `configuration.rs` | the models, and how large they are |
//! | `driver.rs` | what the ring does with the table, call by call: the code under test is the library's own |
//! | `hostile.rs` | what the kernel may do |
//! | `world.rs` | what is true, by the operations' real identity |
//! | `expected.rs` | what the contract wants of a result |
//! | `model.rs`, `state.rs` | steps and states |
//! | `properties.rs` | what must hold |
//! | `sight.rs`, `watch.rs` | what the model must be seen to do |
//! | `defect.rs` | wrong drivers, for which a property must fail |
//! | `report.rs`, `main.rs` | running it |
//!
//! # Liveness
//!
//! The checker knows no fairness, and its `eventually` can miss a run that shares states with others. So
//! liveness rests on two safety properties, which it checks in every state:
//!
//! - [`properties::AT_REST`]: where library, kernel and time owe nothing, everything that was cancelled has
//!   settled, its slot is free, and nobody waits who could run.
//! - [`properties::FINITE`]: every step lowers [`state::State::left`], ten small numbers read from left to right.
//!   So no run is endless, and there are no cycles.
//!
//! Together: however a run goes, as long as what is owed is done at some time, it comes to a state that owes
//! nothing, and there everything that was cancelled has settled. Such a state is followed by an end, at which
//! [`properties::SETTLED`], the checker's `eventually`, must have become true. It is true at ends only, so that it does
//! not matter by which path the checker came there first.
//!
//! For that the kernel may lose a bounded number of cancels of each operation, and while it delays a completion that
//! it owes it sees one more ([`configuration::CANCELS_WHILE_OWED`]); then time stands still until it completes.
//!
//! # What makes it small
//!
//! - Results are taken by class in the models of three operations ([`configuration::RESULT_CLASSES`]), one for each case of
//!   `Machine::judge`; the models of two take them all.
//! - Answers come in turn in the models of three ([`configuration::Answers::InTurn`]): the machine stores them for reports
//!   and looks at none. In those of two each cancel may get any.
//! - A wish to cancel that comes second, or too late, is tried in every state, and must change nothing. So it is
//!   no step, and two clients that ask are as good as any number.
//! - What is rare and independent of cancels has a budget over all operations ([`Configuration::extras`]).
//!   To find nothing there is one of those; the polls and pauses that follow are not, because each ends in an attempt.
//! - The ring reaps at once what the kernel posts, but in the model that is there for what lies in between
//!   ([`Configuration::posts`]).
//! - What is over is forgotten ([`world::World::forget`]); a free slot of the table has no history.
//! - States are told apart by 64-bit hashes. With 4 million, two of them have the same with a probability below one
//!   in a million.
//!
//! # What it does not show
//!
//! The ring around the table: its timer, its submission queue, its memory and descriptors (those are simulated and
//! tested elsewhere). More than four operations, more than three lost cancels, 100 interruptions, generations that come
//! round: those rest on the argument that nothing in machine or table counts so far, and on unit tests.

pub mod action;
pub mod configuration;
pub mod defect;
pub mod driver;
pub mod expected;
pub mod hostile;
pub mod model;
pub mod properties;
pub mod report;
pub mod sight;
pub mod state;
pub mod watch;
pub mod world;

pub use action::{Action, Cancellation};
pub use configuration::Configuration;
pub use defect::Defect;
