//! What tests, benchmarks and the project's own commands share: engines in private folders, image
//! archives, the second kernel.

pub mod archive;
pub mod engine;
pub mod guest;
pub mod peers;
mod skip;

pub use skip::skip;
