//! One small process per container: parent of its init, keeper of its stdio, writer of its log.
//!
//! The engine writes `config.json` and `monitor.json` into a directory and starts
//! `gantry-runtime monitor <dir>` with one end of a socket pair as fd 0. From then on the two talk by
//! [`protocol`]; when the engine dies, the next one connects to `monitor.sock` and goes on.

pub mod config;
pub mod log;
pub mod protocol;
pub mod time;
