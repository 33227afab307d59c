//! Compose: files that describe an application, as one model.
//!
//! [`load()`] makes a project of files, flags and variables; [`Loaded::render`] prints it as Docker Compose does;
//! [`plan`] says what is to be done so that an engine has what a project says, and [`apply`] does it.
//! Design: docs/design/0019-compose.md.

pub mod apply;
mod create;
mod dotenv;
mod error;
mod hash;
mod interpolate;
pub mod labels;
mod load;
mod merge;
pub mod model;
mod path;
pub mod plan;
mod render;
mod schema;
mod units;
mod yaml;

pub use error::{Error, Result};
pub use interpolate::Variable;
pub use load::{Loaded, Options, Publication, load, publication, variables};
pub use render::Format;
pub use yaml::Place;
