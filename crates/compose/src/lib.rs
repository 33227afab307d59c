//! Compose: files that describe an application, as one model.
//!
//! [`load()`] makes a project of files, flags and variables; [`Loaded::render`] prints it as Docker Compose does.
//! Nothing here talks to an engine. Design: docs/design/0019-compose.md.

mod dotenv;
mod error;
mod hash;
mod interpolate;
mod load;
mod merge;
mod path;
mod render;
mod schema;
mod units;
mod yaml;

pub use error::{Error, Result};
pub use interpolate::Variable;
pub use load::{Loaded, Options, load, variables};
pub use render::Format;
pub use yaml::Place;
