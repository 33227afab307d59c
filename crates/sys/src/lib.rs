//! Safe Linux calls. The only crate with unsafe code: one module per kernel area, one function per kernel
//! operation, typed file descriptors, and a SAFETY note that names the invariant.

pub mod netlink;
pub mod netns;
