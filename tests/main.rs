//! Black-box tests of the built binaries, one module per noun. Each test has an engine of its own in
//! private folders and leaves nothing behind (testkit::engine checks).

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod authority;
mod clients;
mod compose;
mod consistency;
mod container;
mod context;
mod differential;
mod engine;
mod help_text;
mod image;
mod network;
mod registry;
mod rootless;
mod runtime;
mod stories;
mod system;
mod threats;
mod volume;
