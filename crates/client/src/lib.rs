//! The Docker Engine API as functions: one endpoint, one function, in a file per noun.
//!
//! A [`Client`] keeps one idle connection and learns the API version from `/_ping` at its first
//! request. Streams (logs, events, save) and hijacked connections (attach, exec) get a connection of
//! their own, so a long stream never stands in the way of a short call.

mod body;
mod error;
mod hijack;
mod host;
mod names;
mod query;
mod ssh;
mod stream;
mod transport;

pub mod build;
pub mod containers;
pub mod exec;
pub mod images;
pub mod networks;
pub mod plugins;
pub mod registry;
pub mod system;
pub mod volumes;

pub use dial::Trust;
pub use mux::{Accepted, Reader, Receiver, Sender, Stream};

pub use body::{Body, JsonLines, Upload};
pub use error::{Error, Result};
pub use hijack::Hijacked;
pub use host::{Host, InvalidHost};
pub use transport::{Client, Options};
