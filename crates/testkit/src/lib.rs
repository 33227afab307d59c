//! What tests, benchmarks and the project's own commands share: engines in private folders, image
//! archives, the second kernel.

pub mod archive;
pub mod engine;
pub mod guest;
pub mod peers;
mod seccomp_agent;
mod skip;

pub use seccomp_agent::SeccompAgent;
pub use skip::skip;
