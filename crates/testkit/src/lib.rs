//! What tests, benchmarks and the project's own commands share: engines in private folders, image
//! archives, the second kernel, servers of others.

pub mod archive;
pub mod bucket;
pub mod engine;
pub mod fuzz;
pub mod guest;
pub mod packages;
pub mod peers;
pub mod python;
pub mod registry;
mod seccomp_agent;
pub mod servers;
mod skip;
mod sweeper;

pub use seccomp_agent::SeccompAgent;
pub use skip::skip;
