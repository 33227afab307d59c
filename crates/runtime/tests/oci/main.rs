//! The OCI command line, for real: containers of busybox on this kernel, through the built binary.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod bundle;
mod exec;
mod lifecycle;
mod mounts;
mod namespaces;
mod process;
mod seccomp_agent;
mod security;
