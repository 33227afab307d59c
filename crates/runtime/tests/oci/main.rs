//! The OCI command line, for real: containers of busybox on this kernel, through the built binary.

mod bundle;
mod exec;
mod lifecycle;
mod mounts;
mod namespaces;
mod process;
mod security;
