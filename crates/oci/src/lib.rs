//! The OCI specifications and Docker's image format as data. No I/O: callers bring bytes and keep bounds on them.

pub mod build_cache;
pub mod descriptor;
pub mod digest;
pub mod image;
pub mod index;
mod json;
pub mod layout;
pub mod manifest;
pub mod media_type;
pub mod platform;
pub mod reference;
pub mod runtime;

pub use descriptor::Descriptor;
pub use digest::Digest;
pub use platform::Platform;
pub use reference::Reference;
