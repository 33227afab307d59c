//! Wire types of the Docker Engine API, as data.
//!
//! Fields carry Docker's names. What Go sends as `null` (a nil slice, map or pointer) is an `Option`
//! without `skip`; what Go marks `omitempty` is skipped when empty; so null, zero and absent are told
//! apart exactly where Docker tells them apart. On the way in `null` means "not given" for every type,
//! as it does in Go, and unknown fields are accepted.
//!
//! Field order follows Docker's, because clients print these documents.

mod go;

pub mod base64;
pub mod build;
pub mod containers;
pub mod error;
pub mod events;
pub mod exec;
pub mod filters;
pub mod images;
pub mod json;
pub mod networks;
pub mod plugins;
pub mod ports;
pub mod progress;
pub mod registry;
pub mod stream;
pub mod system;
pub mod version;
pub mod volumes;

pub use error::ErrorResponse;
pub use filters::Filters;
pub use go::{Empty, Nilable, StrSlice};
pub use version::Version;

/// The answer of endpoints that make one object.
pub use containers::IdResponse;
