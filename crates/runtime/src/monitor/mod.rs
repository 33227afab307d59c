//! One small process per container: parent of its init, keeper of its stdio, writer of its log.
//!
//! The engine starts `gantry-runtime monitor <dir>` with one end of a socket pair as fd 0, and meanwhile writes
//! `config.json` and `monitor.json` into the directory, and says so. From then on the two talk by [`protocol`]; when the engine dies, the next one connects to `monitor.sock` and goes on.
//!
//! ```text
//!   created ──start──> running ──init ends──> draining ──pipes empty──> exited ──clients gone──> (process ends)
//!      └──start fails──────────────────────────────────────────────────────^
//! ```
//!
//! One thread waits for everything at once and never for a client, an engine or a disk that is full.
//! Before anybody is told of an exit, the log is complete and the record of it is in place.

pub mod adopt;
mod client;
pub mod config;
mod detach;
mod engines;
mod external;
mod files;
mod launch;
pub mod log;
mod own;
mod poll;
pub mod protocol;
mod queue;
mod requests;
mod run;
mod session;
mod setup;

pub use run::run;
